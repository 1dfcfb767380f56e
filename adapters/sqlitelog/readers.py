"""Reads: a few threads with a connection each; a write never makes them wait, a full queue refuses at once."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from adapters.guard import Guard
from adapters.sqlitelog.file import open_for_reading, trouble_in
from kernel.errors import Overloaded
from kernel.metrics import Metrics

Result = TypeVar("Result")

log = logging.getLogger(__name__)

# More threads would only take turns at the interpreter's lock; these overlap waits for the disk.
THREADS = 4
MAX_READS = 2000


class Readers:
    def __init__(self, path: Path, *, guard: Guard, metrics: Metrics) -> None:
        self._path = path
        self._guard = guard
        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="messages-reader")
        # Shared by the threads; each takes one out while it reads.
        self._idle: list[sqlite3.Connection] = []
        self._reads = 0
        self._refused = metrics.counter(
            "messages_reads_refused_total", "Reads of the embedded message log beyond its bound"
        )

    async def read(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        if self._reads >= MAX_READS:
            self._refused.inc()
            raise Overloaded("Too many messages are being read.", code="messages_overloaded")
        self._reads += 1
        loop = asyncio.get_running_loop()
        try:
            return await self._guard.call(lambda: loop.run_in_executor(self._executor, self._work, work))
        finally:
            self._reads -= 1

    async def open(self) -> None:
        """A first reader, for good: it keeps the shared-memory file in place, which the others could not make
        again on a full disk once the writer has had to reopen its connection."""
        await asyncio.get_running_loop().run_in_executor(self._executor, self._work, _look)

    async def close(self, *, timeout: float) -> None:
        """Waits for the reads under way; a disk that hangs for longer keeps its threads."""
        joiner = ThreadPoolExecutor(1, thread_name_prefix="messages-joiner")
        ended = asyncio.get_running_loop().run_in_executor(
            joiner, partial(self._executor.shutdown, cancel_futures=True)
        )
        try:
            async with asyncio.timeout(timeout):
                await ended
        except TimeoutError:
            log.error("the disk of the message log hangs; its reader threads are left behind")
            joiner.shutdown(wait=False)
        else:
            joiner.shutdown()
        while self._idle:
            self._idle.pop().close()

    def _work(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        connection: sqlite3.Connection | None = None
        with suppress(IndexError):
            connection = self._idle.pop()
        connection = connection or open_for_reading(self._path)
        try:
            result = work(connection)
        except BaseException as error:
            connection.close()
            trouble = trouble_in(error)
            if trouble is None:
                raise
            raise trouble from error
        self._idle.append(connection)
        return result


def _look(connection: sqlite3.Connection) -> None:
    connection.execute("SELECT beats FROM heartbeat").fetchone()
