"""The program as a person runs it: started, looked at, stopped, killed and started again."""

from __future__ import annotations

import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAM = [sys.executable, "-c", "import sys; from api.cli import main; sys.exit(main())"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(folder: Path, port: int, more: Mapping[str, str] | None = None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SECURECONNECT_")}
    settings = {
        "SECURECONNECT_SERVER_PORT": str(port),
        "SECURECONNECT_SERVER_MEDIA_PORT": str(free_port()),
        "SECURECONNECT_SERVER_DATA_DIR": str(folder / "data"),
        "PYTHONPATH": str(ROOT),
    }
    return kept | settings | dict(more or {})


@dataclass
class Served:
    process: subprocess.Popen[bytes]
    port: int
    output: Path
    seconds_to_answer: float

    def get(self, path: str) -> tuple[int, bytes]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@contextmanager
def served(folder: Path, more: Mapping[str, str] | None = None) -> Iterator[Served]:
    port = free_port()
    output = folder / "output"
    started = time.monotonic()
    with output.open("ab") as log:
        process = subprocess.Popen(
            [*PROGRAM, "serve"], env=environment(folder, port, more), stdout=log, stderr=log, cwd=folder
        )
    try:
        while process.poll() is None and time.monotonic() < started + 30:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health/live", timeout=5).close()
                break
            except OSError:
                time.sleep(0.02)
        assert process.poll() is None, output.read_text()
        yield Served(process, port, output, time.monotonic() - started)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


@pytest.mark.slow(alone=False)
def test_the_first_start_makes_what_it_needs_and_says_where_it_is(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        said = server.output.read_text()
        status, body = server.get("/health/ready")
        report = msgspec.json.decode(body)
        assert (status, report["status"]) == (200, "ok")
        assert {item["name"] for item in report["dependencies"]} == {"database", "messages", "objects", "mail", "media"}
        assert f"http://127.0.0.1:{server.port}/docs" in said
        assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
        assert (tmp_path / "data" / "secret").stat().st_mode & 0o777 == 0o600
        assert server.stop() == 0
    assert "\nstopped\n" in server.output.read_text()


@pytest.mark.slow
def test_the_second_start_takes_less_than_three_seconds(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        server.stop()
    before = cpu_of_children()
    with served(tmp_path) as server:
        took = server.seconds_to_answer
        server.stop()
    # On a machine that builds something else meanwhile, the processor time is what can be judged.
    assert min(took, cpu_of_children() - before) < 3


def cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@pytest.mark.slow(alone=False)
def test_it_starts_again_after_being_killed_at_any_moment(tmp_path: Path) -> None:
    for after in (0.2, 0.5, 0.8, 1.1):
        port = free_port()
        with (tmp_path / "killed").open("ab") as log:
            process = subprocess.Popen(
                [*PROGRAM, "serve"], env=environment(tmp_path, port), stdout=log, stderr=log, cwd=tmp_path
            )
            time.sleep(after)
            process.kill()
            process.wait()
    with served(tmp_path) as server:
        assert server.get("/health/ready")[0] == 200


@pytest.mark.slow(alone=False)
def test_pages_metrics_and_the_document_are_served(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        for path, piece in (
            ("/", b"SecureConnect"),
            ("/docs", b"API reference"),
            ("/docs/style.css", b"body"),
            ("/openapi.json", b'"openapi":"3.1.0"'),
            ("/metrics", b"secureconnect_event_loop_lag_seconds"),
            ("/metrics", b"process_resident_memory_bytes"),
        ):
            status, body = server.get(path)
            assert (status, piece in body) == (200, True), path
        assert server.get("/nowhere")[0] == 404


@pytest.mark.slow(alone=False)
def test_a_taken_port_is_named_with_a_way_out(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        done = subprocess.run(
            [*PROGRAM, "serve"],
            env=environment(tmp_path, port),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert done.returncode == 1
    told = f"127.0.0.1 port {port} is taken by another program; stop it, or choose another: PORT=... (server.port)."
    assert told in done.stderr.splitlines()
    assert "Traceback" not in done.stderr


@pytest.mark.slow(alone=False)
def test_every_configuration_mistake_is_told_at_once(tmp_path: Path) -> None:
    wrong = {"SECURECONNECT_SERVER_PROT": "1", "SECURECONNECT_LIMITS_LOGIN": "many"}
    done = subprocess.run(
        [*PROGRAM, "serve"],
        env=environment(tmp_path, free_port(), wrong),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert "SECURECONNECT_SERVER_PROT" in done.stderr
    assert "SERVER_PORT" in done.stderr
    assert "limits.login" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow(alone=False)
def test_a_file_that_is_not_there_is_named_with_its_key(tmp_path: Path) -> None:
    settings = {
        "SECURECONNECT_DATABASE_URL": "postgresql://someone:something-long@127.0.0.1/x",
        "SECURECONNECT_DATABASE_TLS": "true",
        "SECURECONNECT_DATABASE_TLS_CA": "/nowhere/ca.pem",
    }
    done = subprocess.run(
        [*PROGRAM, "serve"],
        env=environment(tmp_path, free_port(), settings),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert "database.tls_ca: '/nowhere/ca.pem' cannot be read: No such file or directory" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [["config", "check"], ["serve"]])
@pytest.mark.parametrize(
    ("written", "says"), [(None, "cannot be read: No such file"), ("rubbish", "is not a private key")]
)
def test_a_key_file_that_will_not_do_is_named_with_its_key_and_the_cure(
    tmp_path: Path, command: list[str], written: str | None, says: str
) -> None:
    key = tmp_path / "key.pem"
    if written is not None:
        key.write_text(written)
    done = subprocess.run(
        [*PROGRAM, *command],
        env=environment(tmp_path, free_port(), {"SECURECONNECT_IDENTITY_SIGNING_KEY_FILE": str(key)}),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert f"identity.signing_key_file: '{key}' {says}" in done.stderr
    assert "openssl genpkey" in done.stderr or written is None
    assert "environment variable SECURECONNECT_IDENTITY_SIGNING_KEY_FILE" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow(alone=False)
def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as held:
            held.sendall(b"PUT /v1/objects/x HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n")
            server.process.send_signal(signal.SIGINT)
            time.sleep(0.3)
            server.process.send_signal(signal.SIGINT)
            assert server.process.wait(5) is not None


@pytest.mark.slow(alone=False)
def test_commands_look_at_the_configuration_and_the_schema(tmp_path: Path) -> None:
    def run(*words: str) -> tuple[int, str]:
        done = subprocess.run(
            [*PROGRAM, *words],
            env=environment(tmp_path, free_port(), {"SECURECONNECT_SECURITY_SECRET": "s3cr3t-" * 8}),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=tmp_path,
        )
        return done.returncode, done.stdout + done.stderr

    assert run("config", "check")[0] == 0
    code, text = run("config", "print")
    assert code == 0
    assert "s3cr3t" not in text
    assert 'secret = "set"' in " ".join(text.split())
    code, text = run("db", "status")
    assert (code, "none: the database is empty" in text) == (0, True)
    code, text = run("db", "upgrade")
    assert (code, "the newest" in text) == (0, True)
    code, text = run("db", "status")
    assert "pending" not in text
    code, text = run("doctor")
    assert code == 0, text
    assert "database" in text
    assert "Nothing to mend." in text
    code, text = run("nonsense")
    assert code == 2


def test_doctor_names_a_store_that_is_not_there_and_does_not_wait_for_it(tmp_path: Path) -> None:
    away = f"postgresql://somebody:something@127.0.0.1:{free_port()}/name"
    began = time.monotonic()
    done = subprocess.run(
        [*PROGRAM, "doctor"],
        env=environment(tmp_path, free_port(), {"SECURECONNECT_DATABASE_URL": away}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
    )
    assert time.monotonic() - began < 10
    assert done.returncode == 1
    assert re.search(r"^FAIL +database .*refused", done.stdout, re.MULTILINE), done.stdout
    assert "those that open after it were not looked at" in done.stdout
    assert "something" not in done.stdout + done.stderr
