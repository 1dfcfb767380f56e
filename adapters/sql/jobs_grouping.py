"""Group commit: every commit is an fsync, so what concurrent callers want to add shares one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from kernel.errors import DependencyUnavailable, Overloaded, SecureConnectError
from kernel.jobs import NewJob
from kernel.metrics import Metrics

# One transaction: large enough that the fsync is shared by all, small enough that it takes milliseconds.
GROUP_JOBS = 500
GROUP_BYTES = 4 << 20
# What may wait for its transaction; beyond it callers are refused instead of delayed until they give up.
MAX_WAITING_JOBS = 10_000
MAX_WAITING_BYTES = 64 << 20

Insert = Callable[[Sequence[NewJob]], Awaitable[Sequence[UUID]]]


@dataclass(slots=True, eq=False)
class _Call:
    jobs: Sequence[NewJob]
    size: int
    answer: asyncio.Future[Sequence[UUID]]


class EnqueueGroups:
    """Callers wait while a transaction runs; the next one takes everyone who has come in the meantime."""

    def __init__(self, insert: Insert, *, metrics: Metrics) -> None:
        self._insert = insert
        self._calls: deque[_Call] = deque()
        self._waiting_jobs = 0
        self._waiting_bytes = 0
        self._task: asyncio.Task[None] | None = None
        self._refused = metrics.counter("jobs_refused_total", "Jobs not added because too many waited for the store")
        metrics.gauge("jobs_enqueue_waiting", "Jobs that wait for the transaction that adds them").set_function(
            lambda: float(self._waiting_jobs)
        )

    async def submit(self, jobs: Sequence[NewJob]) -> Sequence[UUID]:
        """The ids, once durable. A caller that is cancelled may or may not have added its jobs."""
        size = sum(len(job.payload) for job in jobs)
        full = self._waiting_jobs + len(jobs) > MAX_WAITING_JOBS or self._waiting_bytes + size > MAX_WAITING_BYTES
        if full and self._calls:
            self._refused.inc(len(jobs))
            raise Overloaded("Too much background work is waiting to be stored.", code="jobs_full", retry_after=1.0)
        call = _Call(jobs, size, asyncio.get_running_loop().create_future())
        self._calls.append(call)
        self._waiting_jobs += len(jobs)
        self._waiting_bytes += size
        if self._task is None:
            self._task = asyncio.create_task(self._work(), name="jobs enqueue")
        return await call.answer

    async def aclose(self) -> None:
        """Everyone who waits gets an answer first: each transaction ends within the store's timeout."""
        while self._task is not None:
            await asyncio.wait({self._task})

    async def _work(self) -> None:
        group: Sequence[_Call] = ()
        try:
            while self._calls:
                group = self._next_group()
                await self._commit(group)
        except asyncio.CancelledError:
            for call in (*group, *self._leave()):
                call.answer.cancel()
            raise
        finally:
            self._task = None

    def _next_group(self) -> list[_Call]:
        """At least one call, and what fits beside it. A call is never split: it is all or nothing."""
        group: list[_Call] = []
        jobs = size = 0
        while self._calls:
            call = self._calls[0]
            if group and (jobs + len(call.jobs) > GROUP_JOBS or size + call.size > GROUP_BYTES):
                break
            self._calls.popleft()
            self._waiting_jobs -= len(call.jobs)
            self._waiting_bytes -= call.size
            if not call.answer.cancelled():
                group.append(call)
                jobs += len(call.jobs)
                size += call.size
        return group

    def _leave(self) -> list[_Call]:
        """Everyone who waits, taken out of the queue."""
        left = list(self._calls)
        self._calls.clear()
        self._waiting_jobs = self._waiting_bytes = 0
        return left

    async def _commit(self, group: Sequence[_Call]) -> None:
        if not group:
            return
        try:
            ids = await self._insert([job for call in group for job in call.jobs])
        except DependencyUnavailable as error:
            # Who waits behind this has waited for as long: trying for them as well would be a second timeout.
            _fail((*group, *self._leave()), error)
        except SecureConnectError as error:
            _fail(group, error)
        except Exception as error:  # noqa: BLE001 - passed on to the caller it belongs to
            if len(group) == 1:
                _fail(group, error)
            else:
                for call in group:  # one caller's bad job is not the others' failure
                    await self._commit([call])
        else:
            position = 0
            for call in group:
                if not call.answer.done():
                    call.answer.set_result(ids[position : position + len(call.jobs)])
                position += len(call.jobs)


def _fail(group: Sequence[_Call], error: Exception) -> None:
    for call in group:
        if not call.answer.done():
            call.answer.set_exception(error)
