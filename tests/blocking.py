"""Fails a test whose event loop was held up by one callback, and shows what held it up.

A thread asks the loop for a sign of life many times a second. Time in which the kernel had no processor for us
does not count: a machine that is busy elsewhere is not the test's fault. Nor does garbage collection, which takes long
here only because a whole suite's objects are in this process.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

LIMIT = 0.25
TICK = 0.02
# Frames of the culprit's stack; those further out are pytest's.
SHOWN = 12

# The harness itself: a test that kills and restarts a real server may do it on the loop.
EXEMPT = "/tests/services/"


@dataclass(frozen=True)
class Blocked:
    seconds: float
    stack: str


class LoopWatch:
    """One thread for the whole session; it watches at most one loop at a time."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_thread = 0
        self._answered = True
        self._limit = LIMIT
        self._found: list[Blocked] = []
        self._stack = ""
        self._ended = False
        self._collected = 0.0
        self._collecting_since: float | None = None
        gc.callbacks.append(self._collecting)
        self._thread = threading.Thread(target=self._watch, name="loop-watch", daemon=True)
        self._thread.start()

    @contextmanager
    def watching(self, loop: asyncio.AbstractEventLoop, *, limit: float = LIMIT) -> Iterator[list[Blocked]]:
        """For the thread that runs the loop. The list is filled when the block ends: empty, or the one longest stop."""
        found: list[Blocked] = []
        with self._changed:
            self._loop, self._found, self._limit = loop, found, limit
            self._loop_thread = threading.get_ident()
            self._answered = True
            self._changed.notify()
        try:
            yield found
        finally:
            with self._changed:
                self._loop = None

    def _collecting(self, phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            self._collecting_since = time.monotonic()
        elif self._collecting_since is not None:
            self._collected += time.monotonic() - self._collecting_since
            self._collecting_since = None

    def _time_without_collections(self) -> float:
        since = self._collecting_since
        return (time.monotonic() if since is None else since) - self._collected

    def close(self) -> None:
        gc.callbacks.remove(self._collecting)
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._thread.join()

    def _watch(self) -> None:
        blocked = 0.0
        before, queued_before = self._time_without_collections(), _queued()
        while self._wait_for_work():
            now, queued = self._time_without_collections(), _queued()
            passed = now - before - _longest_wait(queued_before, queued)
            before, queued_before = now, queued
            with self._changed:
                blocked = blocked + max(0.0, passed) if self._loop_owes_an_answer() else 0.0
                self._judge(blocked)
            time.sleep(TICK)

    def _wait_for_work(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._loop is not None or self._ended)
            return not self._ended

    def _loop_owes_an_answer(self) -> bool:
        """Asks anew when it does not. Between the steps of a test the loop rests, and owes nothing."""
        if self._loop is None or not self._loop.is_running():
            self._answered = True
            return False
        if self._answered:
            self._answered = False
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._answer)
            return False
        return True

    def _answer(self) -> None:
        self._answered = True

    def _judge(self, blocked: float) -> None:
        if blocked < self._limit / 2:
            self._stack = ""
            return
        # Early, and once: a look at the end of the stop may show whoever came after the culprit.
        self._stack = self._stack or self._stack_of_the_loop()
        longest = max((stop.seconds for stop in self._found), default=0.0)
        if blocked >= self._limit and blocked > longest and EXEMPT not in self._stack:
            self._found[:] = [Blocked(blocked, self._stack)]

    def _stack_of_the_loop(self) -> str:
        frame = sys._current_frames().get(self._loop_thread)
        return "".join(traceback.format_stack(frame)[-SHOWN:]) if frame is not None else ""


def _queued() -> dict[str, int]:
    """For each of our threads, the nanoseconds it was ready to run and had to wait for its turn."""
    queued = {}
    for thread in Path("/proc/self/task").iterdir():
        with suppress(OSError, ValueError):
            _running, waiting, _turns = (thread / "schedstat").read_text().split()
            queued[thread.name] = int(waiting)
    return queued


def _longest_wait(before: dict[str, int], after: dict[str, int]) -> float:
    """Seconds. Of any thread, not the loop's alone: it may have waited for a lock that another one held meanwhile."""
    return max((waited - before.get(thread, waited) for thread, waited in after.items()), default=0) / 1e9
