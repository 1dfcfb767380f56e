"""Runs durable jobs: claims what is due, calls the handler of its kind, records how it ended.

At least once: a handler may see a job again after a crash, a lost lease or a shutdown, so it is idempotent.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self
from uuid import UUID

from kernel.clock import Clock
from kernel.jobmetrics import JobMetrics
from kernel.jobrules import claim_size, outcome_of, store_pause
from kernel.jobs import DeadLetters, Job, JobOutcome, JobPostponed, JobQueue, Schedules
from kernel.metrics import Metrics

Handler = Callable[[Job], Awaitable[None]]

MEASURE_EVERY_SECONDS = 10.0
# After their cancellation handlers have this long to clean up, and outcomes this long to reach the store.
CANCEL_GRACE_SECONDS = 2.0

# How fast the mean duration of jobs follows what is seen: about the last twenty jobs count.
_MEAN_WEIGHT = 0.05

_log = logging.getLogger(__name__)


class RunnerNumbers(Protocol):
    """What a runner is tuned by; the ``jobs`` section of the configuration has these."""

    @property
    def workers(self) -> int: ...
    @property
    def batch(self) -> int: ...
    @property
    def lease(self) -> float: ...
    @property
    def poll(self) -> float: ...
    @property
    def timeout(self) -> float: ...


@dataclass(slots=True, eq=False)
class _Held:
    """A job whose claim is ours. ``task`` runs it; without one it waits for a worker."""

    job: Job
    claimed_at: float
    started_at: float = 0.0
    task: asyncio.Task[None] | None = None


class JobRunner:
    """``async with JobRunner(...)`` runs jobs until the block is left; leaving it stops within ``drain`` seconds
    plus a short grace: running jobs may finish, then they are cancelled and given back to other nodes.

    Any exception of a handler is a failed attempt, retried with back-off until ``max_attempts``, then a dead
    letter; PermanentFailure is one at once. DependencyUnavailable does not count as an attempt: an outage of
    a store must not turn everything that needs it into dead letters. An attempt that lasts longer than
    ``numbers.timeout`` fails. A job is cancelled when its claim turns out to be lost.
    """

    def __init__(
        self,
        queue: JobQueue,
        handlers: Mapping[str, Handler],
        numbers: RunnerNumbers,
        *,
        schedules: Schedules,
        dead_letters: DeadLetters,
        clock: Clock,
        metrics: Metrics,
        drain: float = 10.0,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._queue = queue
        self._handlers = dict(handlers)
        self._kinds = tuple(self._handlers)
        self._numbers = numbers
        self._schedules = schedules
        self._dead_letters = dead_letters
        self._clock = clock
        self._drain = drain
        self._jitter = jitter
        self._waiting: deque[_Held] = deque()
        self._running: dict[UUID, _Held] = {}
        self._outcomes: list[JobOutcome] = []
        self._recording: Sequence[JobOutcome] = ()
        self._mean_seconds = 1.0
        self._room_changed = asyncio.Event()
        self._outcome_added = asyncio.Event()
        self._stopping = asyncio.Event()
        self._all_recorded = asyncio.Event()
        self._claimer: asyncio.Task[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._metrics = JobMetrics(metrics, self._kinds, running=lambda: len(self._running))

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def start(self) -> None:
        if self._claimer is not None or self._stopping.is_set():
            raise RuntimeError("a JobRunner is started once")
        self._claimer = asyncio.create_task(self._until_stopping("claim", self._claim), name="jobs claim")
        loops: Sequence[tuple[str, Callable[[], Awaitable[None]]]] = (
            ("settle", self._record),
            ("renew", self._renew),
            ("schedule", self._fire_schedules),
            ("measure", self._measure),
        )
        self._tasks = [asyncio.create_task(self._for_ever(name, step), name=f"jobs {name}") for name, step in loops]

    async def stop(self) -> None:
        """Claim nothing more, let running jobs finish for ``drain`` seconds, give back the rest, stop."""
        if self._claimer is None:
            return
        self._stopping.set()
        claimer, self._claimer = self._claimer, None
        ending = {claimer, *(held.task for held in self._running.values() if held.task)}
        try:
            await self._wind_down(ending)
        finally:
            for task in (*ending, *self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._tasks = []

    async def _wind_down(self, ending: set[asyncio.Task[None]]) -> None:
        self._give_back_waiting()
        _, unfinished = await asyncio.wait(ending, timeout=self._drain)
        for task in unfinished:
            task.cancel()
        if unfinished:
            await asyncio.wait(unfinished, timeout=CANCEL_GRACE_SECONDS)
        for held in list(self._running.values()):
            self._give_back(held)
        self._running.clear()
        await self._flush()

    async def _flush(self) -> None:
        self._all_recorded.clear()
        self._outcome_added.set()
        try:
            async with asyncio.timeout(CANCEL_GRACE_SECONDS):
                await self._all_recorded.wait()
        except TimeoutError:
            left = len(self._outcomes) + len(self._recording)
            _log.warning("%d outcomes of jobs were not recorded; their leases run out and they run again", left)

    # --- the five loops -------------------------------------------------------------------------------------

    async def _claim(self) -> None:
        room = self._room()
        if room == 0:
            self._room_changed.clear()
            await self._rest(self._room_changed.wait())
            return
        jobs = await self._queue.claim(self._kinds, limit=room, lease=self._numbers.lease)
        self._accept(jobs)
        if len(jobs) < room:
            await self._rest(self._queue.wait(timeout=self._numbers.poll))

    async def _record(self) -> None:
        if not self._recording:
            if not self._outcomes:
                self._all_recorded.set()
                self._outcome_added.clear()
                await self._outcome_added.wait()
                return
            self._recording, self._outcomes = self._outcomes, []
        kept = await self._queue.settle(self._recording)
        for outcome in self._recording:
            self._metrics.settled(outcome, held=outcome.job.id in kept)
        self._recording = ()
        self._room_changed.set()

    async def _renew(self) -> None:
        interval = self._numbers.lease / 3
        await asyncio.sleep(interval)
        # What waited this long behind longer jobs than expected is better off on another node.
        self._give_back_waiting(claimed_before=self._clock.monotonic() - interval)
        running = list(self._running.values())
        if not running:
            return
        kept = await self._queue.renew([held.job for held in running], lease=self._numbers.lease)
        for held in running:
            if held.job.id not in kept and self._running.get(held.job.id) is held:
                self._lose(held)

    async def _fire_schedules(self) -> None:
        await self._schedules.fire_due()
        await asyncio.sleep(self._numbers.poll)

    async def _measure(self) -> None:
        counts = await self._dead_letters.counts()
        oldest = await self._dead_letters.oldest_due()
        self._metrics.depth(counts, age=0.0 if oldest is None else max(0.0, self._clock.now() - oldest))
        await asyncio.sleep(MEASURE_EVERY_SECONDS)

    # --- jobs that are here ---------------------------------------------------------------------------------

    def _room(self) -> int:
        held = len(self._waiting) + len(self._running) + len(self._outcomes) + len(self._recording)
        # While every worker is busy with something long, the mean of what finished before says nothing.
        started = max((held.started_at for held in self._running.values()), default=None)
        stuck_for = 0.0 if started is None else self._clock.monotonic() - started
        return claim_size(
            held=held,
            workers=self._numbers.workers,
            batch=self._numbers.batch,
            seconds_per_job=max(self._mean_seconds, stuck_for),
        )

    def _accept(self, jobs: Sequence[Job]) -> None:
        now = self._clock.monotonic()
        for job in jobs:
            self._metrics.claimed(job)
            if not self._adopt(job):
                self._waiting.append(_Held(job, claimed_at=now))
        if self._stopping.is_set():
            self._give_back_waiting()
        self._start_waiting()

    def _adopt(self, job: Job) -> bool:
        """Whether ``job`` runs here already: its lease ran out (a store outage) and nobody but us took it again."""
        running = self._running.get(job.id)
        if running is not None:
            running.job = job
        return running is not None

    def _start_waiting(self) -> None:
        now = self._clock.monotonic()
        while self._waiting and len(self._running) < self._numbers.workers:
            held = self._waiting.popleft()
            if now - held.claimed_at >= self._numbers.lease:
                continue  # another node may have it by now; nothing of it has happened here
            if self._adopt(held.job):
                continue
            self._running[held.job.id] = held
            held.started_at = now
            held.task = asyncio.create_task(self._run(held), name=f"job {held.job.kind} {held.job.id}")

    async def _run(self, held: _Held) -> None:
        try:
            error = await self._attempt(held.job)
        finally:
            seconds = self._clock.monotonic() - held.started_at
            self._mean_seconds += _MEAN_WEIGHT * (seconds - self._mean_seconds)
        if self._running.get(held.job.id) is not held:
            return  # lost or given back meanwhile: how it ended is no longer ours to say
        if error is not None and _is_cancelled():
            return  # it failed because it was stopped; `stop` gives it back
        del self._running[held.job.id]
        self._metrics.attempted(held.job, seconds)
        outcome = outcome_of(held.job, error, now=self._clock.now(), jitter=self._jitter())
        self._add_outcome(outcome)
        if error is not None:
            # Health and metrics tell of an outage; a line for each job that waits it out would drown the log.
            level = logging.DEBUG if isinstance(outcome, JobPostponed) else logging.WARNING
            job = held.job
            _log.log(level, _FAILED, job.id, job.kind, job.attempt, job.max_attempts, _where(error))
        if not self._stopping.is_set():
            self._start_waiting()

    async def _attempt(self, job: Job) -> Exception | None:
        """How the handler failed, if it did. Only our own cancellation passes through."""
        bound = asyncio.timeout(self._numbers.timeout)
        try:
            async with bound:
                await self._handlers[job.kind](job)
        except asyncio.CancelledError:
            if _is_cancelled():
                raise
            return RuntimeError("the handler was cancelled from inside")
        except Exception as error:  # noqa: BLE001 - whatever a handler raises is how its job failed
            if isinstance(error, TimeoutError) and bound.expired():
                return TimeoutError(f"not done within {self._numbers.timeout:g} s")
            return error
        return None

    def _lose(self, held: _Held) -> None:
        del self._running[held.job.id]
        self._metrics.lost(held.job)
        _log.warning("job %s (%s) was taken over by another node: cancelled here", held.job.id, held.job.kind)
        if held.task is not None:
            held.task.cancel()
        self._room_changed.set()
        if not self._stopping.is_set():
            self._start_waiting()

    def _give_back_waiting(self, *, claimed_before: float | None = None) -> None:
        while self._waiting and (claimed_before is None or self._waiting[0].claimed_at <= claimed_before):
            self._give_back(self._waiting.popleft())

    def _give_back(self, held: _Held) -> None:
        self._add_outcome(JobPostponed(held.job, "given back by a node that could not run it", self._clock.now()))

    def _add_outcome(self, outcome: JobOutcome) -> None:
        self._outcomes.append(outcome)
        self._outcome_added.set()
        self._room_changed.set()

    # --- loops ----------------------------------------------------------------------------------------------

    async def _until_stopping(self, name: str, step: Callable[[], Awaitable[None]]) -> None:
        failures = 0
        while not self._stopping.is_set():
            failures = await self._step(name, step, failures)

    async def _for_ever(self, name: str, step: Callable[[], Awaitable[None]]) -> None:
        failures = 0
        while True:
            failures = await self._step(name, step, failures)

    async def _step(self, name: str, step: Callable[[], Awaitable[None]], failures: int) -> int:
        """Answers how many times in a row it failed by now. Nothing a store does ends a loop."""
        try:
            await step()
        except Exception as error:  # noqa: BLE001 - the loop goes on whatever the store says
            self._metrics.store_failed(name)
            if failures == 0:
                _log.warning("jobs: %s failed, trying again until it works: %s", name, _where(error))
            await asyncio.sleep(store_pause(failures + 1, self._jitter()))
            return failures + 1
        if failures:
            _log.info("jobs: %s works again after %d failures", name, failures)
        return 0

    async def _rest(self, waiting: Coroutine[object, object, object]) -> None:
        """Wait, but not into a stop."""
        tasks = [asyncio.ensure_future(waiting), asyncio.ensure_future(self._stopping.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        if isinstance(results[0], Exception):
            raise results[0]


def _is_cancelled() -> bool:
    """Whether the current task was told to end, as opposed to meeting a cancelled future."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


_FAILED = "job %s (%s) failed in attempt %d of %d: %s"


def _where(error: BaseException) -> str:
    """What failed and where. Never the message: it may quote what must not be logged."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return type(error).__name__
    return f"{type(error).__name__} at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
