"""Our own process killed at any moment: nothing acknowledged is lost, nothing recorded as done runs again."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.adapters.sql.relational import url_for

ROUNDS = 6
PROJECT = Path(__file__).parents[3]


def child(url: str, directory: Path, mode: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.adapters.sql.jobs_child", url, str(directory), str(directory / "log"), mode]
    return subprocess.Popen(command, cwd=PROJECT)


def size_of(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0


def kill_at_work(process: subprocess.Popen[bytes], log: Path, *, after: int) -> None:
    """Let it work until it has written ``after`` bytes, kill it."""
    try:
        target, deadline = size_of(log) + after, time.monotonic() + 30
        while size_of(log) < target:
            assert process.poll() is None, "the child ended by itself"
            assert time.monotonic() < deadline, "the child is stuck"
            time.sleep(0.002)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def events(log: Path) -> list[tuple[str, str]]:
    """A line that was cut off by the kill says nothing."""
    whole = log.read_text().rpartition("\n")[0].splitlines()
    pairs = [line.split(" ") for line in whole]
    return [(event, job) for event, job in pairs]


@pytest.mark.slow(alone=False)
@pytest.mark.parametrize("backend", ["sqlite", pytest.param("postgresql", marks=pytest.mark.service("postgres"))])
def test_killed_again_and_again_every_acknowledged_job_runs_and_none_that_is_done_runs_again(
    backend: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url, log = url_for(backend, request), tmp_path / "log"
    moments = random.Random(2026)  # noqa: S311 - when to kill, the same each time
    for _ in range(ROUNDS):
        kill_at_work(child(url, tmp_path, "work"), log, after=moments.randint(1, 60_000))
    with child(url, tmp_path, "finish") as last:
        assert last.wait(60) == 0

    acknowledged: set[str] = set()
    ran: list[str] = []
    done: set[str] = set()
    for event, job in events(log):
        match event:
            case "ack":
                acknowledged.add(job)
            case "ran":
                assert job not in done, "a job that is recorded as done ran again"
                ran.append(job)
            case "settled":
                assert job in ran
                done.add(job)
    assert len(acknowledged) > 100 * ROUNDS  # of 160 bytes each, all in all
    assert acknowledged <= set(ran)
    assert len(ran) > len(set(ran)), "no kill met a running job: this proved nothing"
