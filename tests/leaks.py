"""Fails a test that leaves tasks, threads, sockets or other descriptors behind.

``@pytest.mark.leaks("threads", "descriptors", reason="...")`` excuses a test, one kind at a time.
"""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

# What is on its way out gets this long to go; only a test that leaks waits for it.
PATIENCE = 1.0
PAUSE = 0.01
KINDS = frozenset({"tasks", "threads", "descriptors"})

# The Cassandra driver's reactor: started once by whoever needs it first, then shared by every cluster of the process.
LASTING_THREAD = "event_loop"
# What such a reactor holds.
LASTING_DESCRIPTORS = ("anon_inode:[eventpoll]", "anon_inode:[eventfd]", "anon_inode:[timerfd]", "pipe:[")

DESCRIPTORS = Path("/proc/self/fd")


@dataclass(frozen=True)
class Holdings:
    """What the process held at one moment."""

    threads: frozenset[threading.Thread]
    descriptors: Counter[str]

    @classmethod
    def now(cls) -> Holdings:
        return cls(frozenset(threading.enumerate()), Counter(_descriptors()))

    def new_threads(self, later: Holdings) -> list[threading.Thread]:
        return [thread for thread in later.threads - self.threads if not thread.name.startswith(LASTING_THREAD)]

    def new_descriptors(self, later: Holdings) -> list[str]:
        new = list((later.descriptors - self.descriptors).elements())
        if any(thread.name.startswith(LASTING_THREAD) for thread in later.threads - self.threads):
            new = [name for name in new if not name.startswith(LASTING_DESCRIPTORS)]
        return new


def _descriptors() -> list[str]:
    found = []
    for entry in os.listdir(DESCRIPTORS):  # noqa: PTH208 - this runs twice a test
        try:
            found.append(os.readlink(DESCRIPTORS / entry))  # noqa: PTH115 - as above, and there is no file behind most
        except OSError:
            continue  # the descriptor the listing itself used
    return found


def left_behind(before: Holdings, *, excused: Collection[str] = ()) -> list[str]:
    """What is still there that was not before, one line each, after it had time to go."""
    looks: list[tuple[str, Callable[[Holdings], list[str]]]] = [
        ("threads", lambda now: [f"thread {thread.name!r}" for thread in before.new_threads(now)]),
        ("descriptors", lambda now: [f"descriptor {name}" for name in before.new_descriptors(now)]),
    ]
    deadline = time.monotonic() + PATIENCE
    while True:
        now = Holdings.now()
        found = [line for kind, look in looks if kind not in excused for line in look(now)]
        if not found or time.monotonic() > deadline:
            return found
        gc.collect()
        time.sleep(PAUSE)


async def tasks_left_behind(before: Collection[asyncio.Task[object]]) -> list[str]:
    """Tasks of the running loop that were not there before and do not end by themselves."""
    deadline = time.monotonic() + PATIENCE
    while True:
        current = asyncio.current_task()
        found = [task for task in asyncio.all_tasks() if task not in before and task is not current]
        if not found or time.monotonic() > deadline:
            return [f"task {task.get_name()!r}: {task.get_coro()!r}" for task in found]
        await asyncio.sleep(PAUSE)
