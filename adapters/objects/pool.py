"""The bounded threads in which the local store touches its disk, each step under the guard."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from adapters.guard import Guard
from kernel.errors import DependencyUnavailable

Result = TypeVar("Result")

# A spinning disk gains nothing from more at a time, an SSD is busy with eight.
THREADS: Final = 8

# Cleaning up is not worth holding a cancelled caller for longer; it goes on in its thread.
CLEAN_UP_PATIENCE: Final = 1.0

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class DiskPool:
    def __init__(self, guard: Guard, threads: ThreadPoolExecutor) -> None:
        self._guard = guard
        self._threads = threads

    async def run(self, step: Callable[[], Result]) -> Result:
        """One bounded step, a piece or a rename, never a whole object."""
        return await self._guard.call(lambda: self._attempt(step))

    async def unguarded(self, step: Callable[[], Result]) -> Result:
        """For a probe, which brings its own verdict."""
        return await self._attempt(step)

    async def clean_up(self, step: Callable[[], None]) -> None:
        """Runs even if the circuit is open or the caller has been cancelled, in its thread if not in time."""
        done = asyncio.get_running_loop().run_in_executor(self._threads, step)
        done.add_done_callback(_note_failure)
        await asyncio.wait({done}, timeout=CLEAN_UP_PATIENCE)

    async def _attempt(self, step: Callable[[], Result]) -> Result:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, step)
        except OSError as error:
            if error.errno in _FULL:
                # Reading still works, so this says nothing about the circuit: the guard lets it pass uncounted.
                raise DependencyUnavailable("objects", "the disk is full; free space in data_dir") from error
            raise


def _note_failure(done: asyncio.Future[None]) -> None:
    # What could not be removed now lies in drafts/ and is swept later.
    if not done.cancelled():
        done.exception()


@asynccontextmanager
async def open_disk_pool(guard: Guard) -> AsyncIterator[DiskPool]:
    threads = ThreadPoolExecutor(THREADS, thread_name_prefix="objects")
    try:
        yield DiskPool(guard, threads)
    finally:
        # The threads run steps of one piece; waiting for them here is waiting for milliseconds.
        threads.shutdown(wait=True, cancel_futures=True)
