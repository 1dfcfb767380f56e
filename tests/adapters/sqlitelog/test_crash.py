"""Our own process killed at any moment: what was acknowledged is there, unchanged and in order."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.adapters.sqlitelog.history import check, read_reports
from tests.contract.messagelogs import embedded

ROUNDS = 6
PROJECT = Path(__file__).parents[3]


def reports_until_killed(path: Path, run: str, *, after: float) -> list[str]:
    """Let it acknowledge something, work on for ``after`` seconds, and die."""
    command = [sys.executable, "-m", "tests.adapters.sqlitelog.crash_child", str(path), run]
    lines: list[str] = []
    working = threading.Event()
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as child:

        def read() -> None:
            assert child.stdout is not None
            for line in child.stdout:
                lines.append(line)
                working.set()

        reader = threading.Thread(target=read)
        reader.start()
        try:
            assert working.wait(30), "the child did nothing"
            time.sleep(after)
            assert child.poll() is None, "the child ended by itself"
        finally:
            child.send_signal(signal.SIGKILL)
            reader.join()
    return lines


async def check_all(path: Path, lines: list[str], *, unacknowledged: int) -> int:
    """Answers how many acknowledged entries were found."""
    told = read_reports(lines)
    async with embedded(path) as log:
        for conversation, acknowledged in told.items():
            await check(log, conversation, acknowledged, unacknowledged=unacknowledged)
    return sum(len(acknowledged.ids) for acknowledged in told.values())


@pytest.mark.slow(alone=False)
def test_killed_again_and_again_nothing_acknowledged_is_lost_changed_or_reordered(tmp_path: Path) -> None:
    path = tmp_path / "messages.db"
    moments = random.Random(2026)  # noqa: S311 - when to kill, the same each time
    lines: list[str] = []
    checked = 0
    for run in range(ROUNDS):
        lines += reports_until_killed(path, str(run), after=moments.uniform(0.02, 0.6))
        checked = asyncio.run(check_all(path, lines, unacknowledged=run + 1))
    assert checked > 100 * ROUNDS
