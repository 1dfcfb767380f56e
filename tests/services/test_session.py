"""However a test session ends, its servers end too, and the next session leaves nothing of it on the disk."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.services.process import DIRECTORY_PREFIX, OWNER, Session, free_port, unprivileged

ROOT = Path(__file__).resolve().parents[2]
LOSER = """
import json, sys, time
from tests.services.process import Session
from tests.services.smtp import SmtpSink
session = Session()
sink = SmtpSink(session)
sink.start()
pids = [process.pid for process in sink.processes()]
print(json.dumps({"directory": str(session.directory), "pids": pids}), flush=True)
time.sleep(60)
"""


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 5
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


@pytest.fixture
def temporary_root(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Sessions of these tests live in a directory of their own, and do not tidy up after anyone else."""
    with tempfile.TemporaryDirectory() as directory:
        # Unprivileged servers have to pass through.
        Path(directory).chmod(0o711)
        monkeypatch.setenv("TMPDIR", directory)
        monkeypatch.setattr("tempfile.tempdir", directory)
        yield Path(directory)


def test_servers_die_with_a_killed_session_and_the_next_one_tidies_up(temporary_root: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", LOSER], cwd=ROOT, stdout=subprocess.PIPE, text=True) as loser:
        assert loser.stdout is not None
        left = json.loads(loser.stdout.readline())
        loser.send_signal(signal.SIGKILL)
    assert left["pids"]
    assert all(eventually(lambda pid=pid: gone(pid)) for pid in left["pids"])  # type: ignore[misc]
    assert Path(left["directory"]).exists()
    Session().close()
    assert not Path(left["directory"]).exists()


def test_a_server_that_outlived_its_session_is_ended_by_the_next(temporary_root: Path) -> None:
    survivor = subprocess.Popen(["sleep", "60"])
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        session = Session()
        session.record("survivor", survivor.pid)
        session.record("bystander", bystander.pid)
        entry = session.directory / "processes" / "bystander.json"
        entry.write_text(json.dumps({"pid": bystander.pid, "started": 1}))
        # As when its process is gone: nobody holds the lock any more.
        (session.directory / "processes" / OWNER).unlink()
        (session.directory / "processes" / OWNER).touch()
        Session().close()
        assert survivor.wait(5) == -signal.SIGKILL
        assert bystander.poll() is None
        session.close()
    finally:
        for process in (survivor, bystander):
            process.kill()
            process.wait()


def test_a_living_session_is_left_alone(temporary_root: Path) -> None:
    living = Session()
    Session().close()
    assert living.directory.exists()
    living.close()
    assert list(temporary_root.glob(f"{DIRECTORY_PREFIX}*")) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has privileges to give up")
def test_a_server_can_gain_no_privileges() -> None:
    words = [*unprivileged("nobody"), "sh", "-c", "id -u; grep -E 'NoNewPrivs|CapEff' /proc/self/status"]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    assert said == ["65534", "CapEff:", "0000000000000000", "NoNewPrivs:", "1"]


def test_ports_lie_below_those_the_kernel_gives_to_clients() -> None:
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert all(free_port() < lowest for _ in range(20))
