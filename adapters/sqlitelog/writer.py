"""Group commit: whatever was appended while the disk was busy with one batch becomes the next one."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple, ParamSpec, TypeVar

from adapters.guard import Guard
from adapters.sqlitelog.batch import Operation, Outcome, write
from adapters.sqlitelog.file import open_for_writing, trouble_in
from kernel.clock import Clock
from kernel.errors import DependencyUnavailable, Overloaded
from kernel.metrics import Metrics

P = ParamSpec("P")
Result = TypeVar("Result")

log = logging.getLogger(__name__)

# A transaction is long enough to spread one fsync over many appends, short enough that its last one need not wait.
MAX_BATCH = 512
MAX_BATCH_BYTES = 8 << 20
# Beyond this the callers could not be answered within any sensible timeout; they hear Overloaded at once.
MAX_WAITING = 20_000
MAX_WAITING_BYTES = 64 << 20
# An operation that waited for a slow batch still gets this share of the timeout for its own.
LEAST_SHARE = 0.1

_BATCH_SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0)


class _Waiting(NamedTuple):
    operation: Operation
    size: int
    since: float
    answer: asyncio.Future[Outcome]


class WriterThread:
    """The only thread that writes, and its connection; reopened after trouble, so that a repaired disk is enough."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="messages-writer")
        self._connection: sqlite3.Connection | None = None

    async def open(self) -> None:
        await self._run(self._opened)

    async def write(self, operations: Sequence[Operation]) -> list[Outcome]:
        return await self._run(self._write, operations)

    async def close(self, *, timeout: float) -> None:
        """Waits for the transaction under way; a disk that hangs for longer keeps its thread."""
        try:
            async with asyncio.timeout(timeout):
                await self._run(self._drop)
        except TimeoutError:
            log.error("the disk of the message log hangs; its writer thread is left behind")
            self._executor.shutdown(wait=False, cancel_futures=True)
        else:
            self._executor.shutdown()

    def _run(self, function: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[Result]:
        return asyncio.get_running_loop().run_in_executor(self._executor, partial(function, *args, **kwargs))

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = open_for_writing(self._path)
        return self._connection

    def _write(self, operations: Sequence[Operation]) -> list[Outcome]:
        try:
            return write(self._opened(), operations)
        except sqlite3.Error as error:
            self._drop()
            trouble = trouble_in(error)
            if trouble is None:
                raise
            raise trouble from error

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            # Closing checkpoints; on a disk in trouble that fails too, and the next opening recovers.
            with suppress(sqlite3.Error):
                connection.close()


class GroupCommit:
    """The queue before the writer thread. ``submit`` costs the event loop a future and an append; the guard, the
    thread and the disk are paid once a batch."""

    def __init__(self, thread: WriterThread, *, guard: Guard, clock: Clock, metrics: Metrics) -> None:
        self._thread = thread
        self._guard = guard
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._arrived = asyncio.Event()
        self._closing = False
        self._refused = metrics.counter(
            "messages_refused_total", "Writes to the embedded message log that its full queue refused"
        )
        self._sizes = metrics.histogram(
            "messages_batch_entries", "Writes to the embedded message log per transaction", buckets=_BATCH_SIZES
        )
        metrics.gauge("messages_waiting", "Writes waiting for the embedded message log").set_function(
            lambda: len(self._waiting)
        )

    def submit(self, operation: Operation, size: int = 0) -> asyncio.Future[Outcome]:
        """A future of the outcome, resolved by then + the guard's timeout whatever the disk does."""
        if self._closing:
            raise _stopping(self._guard.dependency)
        if len(self._waiting) >= MAX_WAITING or self._waiting_bytes + size > MAX_WAITING_BYTES:
            self._refused.inc()
            raise Overloaded("Too many messages are waiting to be stored.", code="messages_overloaded")
        answer: asyncio.Future[Outcome] = self._loop.create_future()
        self._waiting.append(_Waiting(operation, size, self._clock.monotonic(), answer))
        self._waiting_bytes += size
        self._arrived.set()
        return answer

    async def run(self) -> None:
        """Writes batch after batch until closed and empty."""
        try:
            while self._waiting or not self._closing:
                await self._arrived.wait()
                self._arrived.clear()
                while batch := self._next_batch():
                    await self._commit(batch)
        finally:
            # Only a cancelled writer leaves anyone waiting.
            self._closing = True
            _answer(self._waiting, [_stopping(self._guard.dependency) for _ in self._waiting])

    def close(self) -> None:
        """Takes no more; what waits is still written."""
        self._closing = True
        self._arrived.set()

    def _next_batch(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        total = 0
        while (
            self._waiting and len(batch) < MAX_BATCH and (not batch or total + self._waiting[0].size <= MAX_BATCH_BYTES)
        ):
            taken = self._waiting.popleft()
            self._waiting_bytes -= taken.size
            if not taken.answer.done():  # else its caller was cancelled meanwhile
                batch.append(taken)
                total += taken.size
        return batch

    async def _commit(self, batch: list[_Waiting]) -> None:
        operations = [waiting.operation for waiting in batch]
        age = self._clock.monotonic() - batch[0].since
        bound = max(self._guard.timeout - age, self._guard.timeout * LEAST_SHARE)
        outcomes: Sequence[Outcome]
        try:
            outcomes = await self._guard.call(lambda: self._thread.write(operations), timeout=bound)
        except DependencyUnavailable as failure:
            # One exception each: raised in many tasks, a shared one would collect all their tracebacks.
            outcomes = [
                DependencyUnavailable(failure.dependency, failure.reason, retry_after=failure.retry_after)
                for _ in batch
            ]
        except Exception as failure:  # noqa: BLE001 - the callers get it; the writer goes on
            outcomes = [failure] * len(batch)
        except asyncio.CancelledError:
            _answer(batch, [_stopping(self._guard.dependency) for _ in batch])
            raise
        self._sizes.observe(len(batch))
        _answer(batch, outcomes)


def _answer(batch: Collection[_Waiting], outcomes: Sequence[Outcome]) -> None:
    for waiting, outcome in zip(batch, outcomes, strict=True):
        if waiting.answer.done():
            continue
        if isinstance(outcome, Exception):
            waiting.answer.set_exception(outcome)
        else:
            waiting.answer.set_result(outcome)


def _stopping(dependency: str) -> DependencyUnavailable:
    return DependencyUnavailable(dependency, "this node is stopping")
