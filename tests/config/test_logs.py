"""Lines as they are written: their form, where they come from, and nothing secret in them."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
import structlog
from structlog.contextvars import bound_contextvars

from config.logs import configure_logging
from config.sections import Logging
from config.values import Secret
from tests.config.logging_to import lines_of, logging_to

# --- form -------------------------------------------------------------------------------------------------


def test_a_line_tells_when_where_what_and_to_which_request_it_belongs(out: Path) -> None:
    with logging_to(out), bound_contextvars(request_id="0192f0c0"):
        structlog.get_logger("chat.service").info("message stored", size=12, conversation="c1")
    (line,) = lines_of(out)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("ts"))
    assert line == {
        "level": "info",
        "logger": "chat.service",
        "event": "message stored",
        "size": 12,
        "conversation": "c1",
        "request_id": "0192f0c0",
    }


def test_libraries_that_use_stdlib_logging_write_the_same_lines(out: Path) -> None:
    with logging_to(out), bound_contextvars(request_id="0192f0c0"):
        logging.getLogger("aiohttp.server").warning("%d of %s", 3, "many", extra={"peer_count": 2, "token": "hunter2"})
        logging.getLogger("odd").log(35, "between warning and error")
    first, second = lines_of(out)
    assert first["event"] == "3 of many"
    assert (first["level"], first["logger"], first["request_id"]) == ("warning", "aiohttp.server", "0192f0c0")
    assert (first["peer_count"], first["token"]) == (2, "[redacted]")
    assert second["level"] == "warning"


def test_talkative_libraries_are_only_heard_when_something_is_wrong_or_asked_for(out: Path) -> None:
    def heard(level: Literal["debug", "info"]) -> list[str]:
        with logging_to(out, Logging(level=level)):
            logging.getLogger("alembic.runtime").info("Context impl")
            logging.getLogger("alembic.runtime").warning("odd")
        return [str(line["event"]) for line in lines_of(out)]

    assert heard("info") == ["odd"]
    out.write_text("")
    assert heard("debug") == ["Context impl", "odd"]


@pytest.mark.parametrize("library", ["aiosqlite", "redis.connection", "sqlalchemy.engine"])
def test_libraries_that_quote_what_they_carry_are_never_debugged(out: Path, library: str) -> None:
    with logging_to(out, Logging(level="debug")):
        logging.getLogger(library).debug("executing INSERT with ('dear diary',)")
        logging.getLogger(library).warning("odd")
    assert [line["event"] for line in lines_of(out)] == ["odd"]


def test_warnings_of_python_are_lines(out: Path) -> None:
    with logging_to(out), warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old thing with password=hunter2", DeprecationWarning, stacklevel=1)
    (line,) = lines_of(out)
    assert (line["level"], line["logger"]) == ("warning", "py.warnings")
    assert "DeprecationWarning: old thing with password=[redacted]" in line["event"]


def test_ids_follow_their_task_and_no_other(out: Path) -> None:
    async def request(number: int) -> None:
        with bound_contextvars(request_id=str(number)):
            await asyncio.sleep(0)
            structlog.get_logger().info("handled", number=number)

    async def serve() -> None:
        await asyncio.gather(*(request(number) for number in range(20)))

    with logging_to(out):
        asyncio.run(serve())
    lines = lines_of(out)
    assert len(lines) == 20
    assert all(line["request_id"] == str(line["number"]) for line in lines)


def test_lines_below_the_level_are_not_written(out: Path) -> None:
    with logging_to(out, Logging(level="warning")) as logs:
        for log in (structlog.get_logger("a"), logging.getLogger("b")):
            for level in ("debug", "info", "warning", "error"):
                getattr(log, level)("said")
        assert logs.access is None
    assert [line["level"] for line in lines_of(out)] == ["warning", "error"] * 2


def test_an_exception_is_told_with_its_causes_and_where_they_were_raised(out: Path) -> None:
    def fail() -> None:
        try:
            raise KeyError("inner")
        except KeyError as error:
            error.add_note("a note with password=hunter2")
            raise ValueError("outer token=hunter2") from error

    with logging_to(out):
        try:
            fail()
        except ValueError:
            structlog.get_logger().exception("failed")
            logging.getLogger().exception("failed too")
    for line in lines_of(out):
        outer = line["exception"]
        assert (outer["type"], outer["message"]) == ("ValueError", "outer token=[redacted]")
        assert [frame["in"].rpartition(".")[2] for frame in outer["stack"]][-1] == "fail"
        assert outer["stack"][-1]["file"] == __file__
        inner = outer["cause"]
        assert (inner["type"], inner["notes"]) == ("KeyError", ["a note with password=[redacted]"])


def test_groups_and_endless_stacks_are_told_within_bounds(out: Path) -> None:
    def deeper(depth: int) -> None:
        if depth == 0:
            raise ExceptionGroup("several", [ValueError("one"), TypeError("two")])
        deeper(depth - 1)

    with logging_to(out):
        try:
            deeper(500)
        except ExceptionGroup as error:
            structlog.get_logger().error("failed", exc_info=error)
    (line,) = lines_of(out)
    assert [inner["type"] for inner in line["exception"]["group"]] == ["ValueError", "TypeError"]
    assert len(line["exception"]["stack"]) == 41
    assert "left out" in line["exception"]["stack"][10]["in"]


class Unspeakable:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class Speechless(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


def test_nothing_that_is_logged_breaks_whoever_logs_it(out: Path) -> None:
    log = structlog.get_logger()
    with logging_to(out):
        log.info("odd", unspeakable=Unspeakable(), surrogate="\ud800", nan=float("nan"), big=1 << 80, kind=int)
        log.info("taken names", ts=1, level=2, logger=3, exception="4")
        log.info("huge", **{f"n{n}": "x" * 3000 for n in range(100)})
        log.error("speechless", exc_info=Speechless())
        log.info(42)
        logging.getLogger().info("%d", "not a number: token=hunter2")
        logging.getLogger().info(Unspeakable())
        logging.getLogger().info("%s", Unspeakable())
    odd, taken, huge, speechless, number, unfit, nothing, unspoken = lines_of(out)
    assert (odd["unspeakable"], odd["nan"], odd["surrogate"]) == ("(cannot be shown)", None, "?")
    assert (odd["big"], odd["kind"]) == (1 << 80, "<class 'int'>")
    assert (taken["ts_"], taken["level_"], taken["logger_"], taken["exception"]) == (1, 2, 3, "4")
    assert re.fullmatch(r"\d{6} bytes", huge["cut"])
    assert speechless["exception"]["message"] == "(its message cannot be shown)"
    assert number["event"] == "42"
    assert "arguments do not fit" in unfit["event"]
    assert "arguments do not fit" in nothing["event"]
    assert "arguments do not fit" in unspoken["event"]


def test_text_for_a_terminal_is_one_line_each_whatever_is_in_it() -> None:
    ours, theirs = os.openpty()
    logs = configure_logging(Logging(), descriptor=theirs)
    try:
        structlog.get_logger("chat").warning("store\x1b[31m is\nslow", seconds=1.5, said="two words", forged="a\nb")
        try:
            raise ValueError("why\nnot")
        except ValueError:
            structlog.get_logger("chat").exception("failed")
    finally:
        assert logs.close()
        os.close(theirs)
    written = b""
    while chunk := _read(ours):
        written += chunk
    os.close(ours)
    first, second, third, *frames = written.decode().splitlines()
    assert re.fullmatch(
        r'\d\d:\d\d:\d\d\.\d{3} warning  chat  store\?\[31m is\?slow  seconds=1.5 said="two words" forged="a\\nb"',
        first,
    )
    assert second.endswith("error    chat  failed")
    assert third == "  ValueError: why not"
    assert frames == [f"    {__file__}:{frames[0].split(':')[1].split()[0]} in {_here()}"]


def _here() -> str:
    return "test_text_for_a_terminal_is_one_line_each_whatever_is_in_it"


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""  # how the end of a terminal shows


def test_a_file_gets_json_while_the_terminal_gets_text(out: Path, tmp_path: Path) -> None:
    file = tmp_path / "log"
    with logging_to(out, Logging(format="text", file=str(file))):
        structlog.get_logger("a").info("said", n=1)
    assert out.read_text().endswith("info     a  said  n=1\n")
    assert lines_of(file)[0]["n"] == 1
    assert file.stat().st_mode & 0o007 == 0


@pytest.mark.parametrize("request_id", ["0192f0c0", "0123456789ab-7f"])
def test_the_access_log_has_a_line_per_request_without_the_callers_address(out: Path, request_id: str) -> None:
    with logging_to(out, hash_key=b"k" * 32) as logs:
        assert logs.access is not None
        for _ in range(2):
            logs.access.write(
                request_id=request_id,
                method="POST",
                route="/v1/messages/{id}",
                status=201,
                seconds=0.01234,
                sent=312,
                address="203.0.113.9",
            )
    first, second = lines_of(out)
    assert first["address"] == second["address"] != "203.0.113.9"
    del first["ts"], first["address"]
    assert first == {
        "level": "info",
        "logger": "access",
        "event": "request",
        "request_id": request_id,
        "method": "POST",
        "route": "/v1/messages/{id}",
        "status": 201,
        "ms": 12.34,
        "sent": 312,
    }


@pytest.mark.parametrize(
    ("request_id", "method", "address"),
    [
        ("0123456789ab-7f", "GET", '::1%"},{"event":"forged'),
        ('0123456789ab-7f"', "GET", "127.0.0.1"),
        ("0123456789ab-7f", 'G"ET', "127.0.0.1"),
    ],
)
def test_nothing_a_caller_sends_breaks_out_of_an_access_line(
    out: Path, request_id: str, method: str, address: str
) -> None:
    with logging_to(out) as logs:
        assert logs.access is not None
        logs.access.write(
            request_id=request_id, method=method, route="/", status=200, seconds=0.001, sent=1, address=address
        )
    (line,) = lines_of(out)
    assert line["event"] == "request"


def test_the_access_log_can_be_turned_off(out: Path) -> None:
    with logging_to(out, Logging(access=False)) as logs:
        assert logs.access is None


# --- no secret ----------------------------------------------------------------------------------------------

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzM2NyM3QifQ.c2lnbmF0dXJlLXMzY3IzdA"
CONFIGURED = 'quoted"s3cr3t\\of-ours'
SECRETS = {
    "password": "pw-s3cr3t-1",
    "token": "s3cr3tOpaqueToken00AAbbCCddEEffGGhhIIjjKKllMMnn",
    "jwt": JWT,
    "cookie": "session=s3cr3t-2; other=s3cr3t-3",
    "authorization": "Bearer s3cr3t-4",
    "api_key": "s3cr3t-5",
    "body": "private words s3cr3t-6",
    "sdp": "v=0\r\no=- 1 2 IN IP4 203.0.113.77\r\na=ice-pwd:s3cr3t-7\r\n",
    "email": "s3cr3t@example.org",
    "ip": "203.0.113.77",
}
# How each would look when somebody writes it into a sentence.
SPOKEN = [
    "password=pw-s3cr3t-1",
    "{'password': 'pw-s3cr3t-1'}",
    "token s3cr3tOpaqueToken00AAbbCCddEEffGGhhIIjjKKllMMnn",
    JWT,
    "Cookie: session=s3cr3t-2; other=s3cr3t-3",
    "Authorization: Bearer s3cr3t-4",
    "https://x.example/?api_key=s3cr3t-5",
    "postgresql://u:s3cr3t-8@db.example/n",
    SECRETS["sdp"],
    "mail to s3cr3t@example.org from 203.0.113.77",
    f"the key is {CONFIGURED}!",
]
MARKS = ["s3cr3t", "203.0.113.77", JWT.split(".")[1], "c2lnbmF0dXJl", "private words"]


def _raised(message: str) -> Exception:
    try:
        try:
            raise KeyError(message)
        except KeyError as cause:
            raise ValueError(message) from cause
    except ValueError as error:
        error.add_note(message)
        return error


def _bound(text: str) -> None:
    with bound_contextvars(note=text, **SECRETS):
        structlog.get_logger().info("bound")
        logging.getLogger("lib").info("bound")


def _misfit(text: str) -> None:
    message = "%d " + text.replace("%", "%%")
    logging.getLogger("lib").info(message, text)


ROUTES: dict[str, Callable[[str], object]] = {
    "event": lambda text: structlog.get_logger().info(text),
    "event argument": lambda text: structlog.get_logger().info("said %s", text),
    "field": lambda text: structlog.get_logger().info("said", note=text, **SECRETS),
    "nested": lambda text: structlog.get_logger().info("said", request={"headers": SECRETS, "notes": [[text], {text}]}),
    "key": lambda text: structlog.get_logger().info("said", request={text: 1}),
    "object": lambda text: structlog.get_logger().info("said", note=Exception(text), more=Path(text[:200])),
    "bound": lambda text: structlog.get_logger().bind(note=text, **SECRETS).info("said"),
    "context": _bound,
    "exception": lambda text: structlog.get_logger().error("failed", exc_info=_raised(text)),
    "group": lambda text: structlog.get_logger().error("failed", exc_info=ExceptionGroup(text, [_raised(text)])),
    "stdlib message": lambda text: logging.getLogger("lib").info(text.replace("%", "%%")),
    "stdlib argument": lambda text: logging.getLogger("lib").info("said %s and %r", text, text),
    "stdlib mapping": lambda text: logging.getLogger("lib").info("%(password)s %(note)s", {**SECRETS, "note": text}),
    "stdlib nested": lambda text: logging.getLogger("lib").info("%s %r", {"note": text, **SECRETS}, [text]),
    "stdlib extra": lambda text: logging.getLogger("lib").info("said", extra={"note": text, **SECRETS}),
    "stdlib misfit": _misfit,
    "stdlib exception": lambda text: logging.getLogger("lib").error("failed", exc_info=_raised(text)),
}


@pytest.mark.parametrize("format_", ["json", "text"])
@pytest.mark.parametrize("route", ROUTES)
def test_no_secret_leaves_by_any_route(out: Path, tmp_path: Path, route: str, format_: str) -> None:
    file = tmp_path / "file"
    settings = Logging(format="json" if format_ == "json" else "text", file=str(file), level="debug")
    with logging_to(out, settings, known_secrets=[Secret(CONFIGURED)]):
        for text in SPOKEN:
            ROUTES[route](text)
    for path in (out, file):
        written = path.read_text()
        assert written.count("\n") >= len(SPOKEN)
        assert [mark for mark in MARKS if mark in written] == []


def test_a_secret_of_ours_is_found_however_it_is_spelled(out: Path) -> None:
    with logging_to(out, known_secrets=[Secret("plain-known-value"), Secret(CONFIGURED)]):
        structlog.get_logger().info(
            "said", harmless="plain-known-value", inside="xplain-known-valuex", quoted=CONFIGURED
        )
    (line,) = lines_of(out)
    assert (line["harmless"], line["inside"], line["quoted"]) == ("[redacted]", "x[redacted]x", "[redacted]")


UNCAUGHT = """
import logging, sys, threading
from config.logs import configure_logging
from config.sections import Logging
logs = configure_logging(Logging(format="json"), catch_uncaught=True)
class Finaliser:
    def __del__(self): raise ValueError("password=hunter2 in a finaliser")
Finaliser()
thread = threading.Thread(target=lambda: {}["password=hunter2"], name="worker")
thread.start(); thread.join()
raise RuntimeError("password=hunter2 in the program")
"""


def test_exceptions_that_nobody_caught_are_lines_too_and_the_last_one_is_not_lost() -> None:
    result = subprocess.run([sys.executable, "-c", UNCAUGHT], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 1
    assert "hunter2" not in result.stderr
    finaliser, thread, program = (json.loads(line) for line in result.stderr.splitlines())
    assert finaliser["exception"]["message"] == "password=[redacted] in a finaliser"
    assert (thread["thread"], thread["exception"]["type"]) == ("worker", "KeyError")
    assert (program["level"], program["exception"]["type"]) == ("critical", "RuntimeError")
