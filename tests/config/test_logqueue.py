"""The way out of the process: readers that stop, disks that fill, files that rotate, many threads."""

from __future__ import annotations

import json
import logging
import os
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from config.logqueue import Descriptor, LogWriter
from config.logs import configure_logging
from config.problems import ConfigError
from config.sections import Logging
from config.values import Size
from tests.config.logging_to import lines_of, logging_to

# --- the queue ----------------------------------------------------------------------------------------------


def test_a_reader_that_stopped_reading_costs_lines_and_no_time_and_errors_last() -> None:
    ours, theirs = os.pipe()
    logs = configure_logging(Logging(level="debug", format="json"), descriptor=theirs)
    log = structlog.get_logger("flood")
    filler = "x" * 1000
    for number in range(12_000):  # would wait for ever if any of it waited
        for level in ("debug", "info", "warning", "error"):
            getattr(log, level)("flood", number=number, filler=filler)
    lost = logs.lost()
    reader = threading.Thread(target=lambda: received.extend(_drained(ours)))
    received: list[bytes] = []
    reader.start()
    assert logs.close(30)
    os.close(theirs)
    reader.join()
    assert lost["debug"] > lost["info"] > lost["warning"] > lost["error"] > 0
    lines = [json.loads(line) for line in b"".join(received).splitlines()]
    reports = [line for line in lines if line["event"] == "log lines were lost"]
    assert sum(sum(report["lost"].values()) for report in reports) == sum(lost.values())
    assert len(lines) - len(reports) + sum(lost.values()) == 48_000
    numbers = [line["number"] for line in lines if line["level"] == "error"]
    assert numbers == sorted(numbers)


def _drained(descriptor: int) -> Iterator[bytes]:
    while chunk := os.read(descriptor, 1 << 20):
        yield chunk
    os.close(descriptor)


def test_closing_does_not_wait_for_ever_for_a_reader_that_stopped_reading() -> None:
    ours, theirs = os.pipe()
    logs = configure_logging(Logging(format="json"), descriptor=theirs)
    for _ in range(1000):
        structlog.get_logger().info("flood", filler="x" * 1000)
    assert logs.close(timeout=0.1) is False
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.extend(_drained(ours)))
    reader.start()
    assert logs.close(30)  # and nothing was lost but time
    os.close(theirs)
    reader.join()
    assert b"".join(received).count(b"\n") == 1000


def test_a_full_disk_loses_lines_and_says_so_when_there_is_room_again(out: Path) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    good = os.open(out, os.O_WRONLY | os.O_CREAT)
    notes: list[dict[str, int]] = []

    def note(lost: Any) -> tuple[bytes, ...]:
        notes.append(dict(lost))
        return (b"note\n",)

    writer = LogWriter([(0, Descriptor(full)), (0, Descriptor(good))], note)
    writer.put(logging.INFO, (b"line\n",))
    assert writer.close()
    assert writer.lost() == {"unwritten": 2}  # the line, and the note about it
    assert notes == [{"unwritten": 1}]
    assert out.read_bytes() == b"line\nnote\n"
    os.close(full)
    os.close(good)


def test_a_line_that_comes_after_closing_is_counted_and_does_no_harm(out: Path) -> None:
    with logging_to(out) as logs:
        log = structlog.get_logger().bind()
    log.info("late")
    assert logs.lost() == {"info": 1}
    assert logs.close()


def test_lines_of_many_threads_stay_whole_and_in_the_order_of_each(out: Path) -> None:
    def work(name: int) -> None:
        log = structlog.get_logger("w")
        for number in range(2000):
            log.info("step", worker=name, number=number)

    with logging_to(out) as logs:
        threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert logs.lost() == {}
    lines = lines_of(out)
    for name in range(4):
        assert [line["number"] for line in lines if line["worker"] == name] == list(range(2000))


def test_a_terminal_that_somebody_made_non_blocking_still_gets_everything(out: Path) -> None:
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    received: list[bytes] = []
    logs = configure_logging(Logging(format="json"), descriptor=theirs)
    for number in range(2000):
        structlog.get_logger().info("line", number=number)
    reader = threading.Thread(target=lambda: received.extend(_drained(ours)))
    reader.start()
    assert logs.close(30)
    os.close(theirs)
    reader.join()
    assert [json.loads(line)["number"] for line in b"".join(received).splitlines()] == list(range(2000))


# --- files --------------------------------------------------------------------------------------------------


def test_files_rotate_by_size_and_only_so_many_are_kept(out: Path, tmp_path: Path) -> None:
    directory = tmp_path / "logs"
    directory.mkdir()
    settings = Logging(file=str(directory / "log"), max_size=Size(10_000), keep=3, format="json")
    for first in range(0, 1000, 250):
        with logging_to(out, settings):
            for number in range(first, first + 250):
                structlog.get_logger().info("line", number=number)
    assert {path.name for path in directory.iterdir()} == {"log", "log.1", "log.2", "log.3"}
    assert all(path.stat().st_size <= 10_000 for path in directory.iterdir())
    kept = [line["number"] for name in ("log.3", "log.2", "log.1", "log") for line in lines_of(directory / name)]
    assert kept == list(range(kept[0], 1000))
    assert len(kept) > 250


def test_a_log_file_that_cannot_be_opened_stops_the_start(tmp_path: Path) -> None:
    before = structlog.get_config(), list(logging.getLogger().handlers)
    with pytest.raises(ConfigError, match=r"logging\.file: .* cannot be written: No such file"):
        configure_logging(Logging(file=str(tmp_path / "absent" / "log")))
    assert (structlog.get_config(), list(logging.getLogger().handlers)) == before


def test_closing_restores_what_was_there_and_leaves_no_thread(out: Path) -> None:
    root = logging.getLogger()
    before = structlog.get_config(), list(root.handlers), root.level, warnings.showwarning, set(threading.enumerate())
    with logging_to(out):
        assert [type(handler).__name__ for handler in root.handlers] == ["_StdlibRoute"]
    after = structlog.get_config(), list(root.handlers), root.level, warnings.showwarning, set(threading.enumerate())
    assert after == before
