"""The job runner over the embedded store: real transactions, short real times, a clock that can jump ahead."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import pytest

from adapters.sql.engine import open_database
from adapters.sql.jobs import SqlJobs, open_jobs
from adapters.sql.migrate import upgrade
from config.sections import Database, Jobs
from config.values import Duration
from kernel.errors import DependencyUnavailable
from kernel.ids import IdGenerator
from kernel.jobrules import PermanentFailure
from kernel.jobrunner import Handler, JobRunner
from kernel.jobs import DeadJob, Job, JobOutcome, JobQueue, NewJob
from kernel.metrics import Metrics
from tests.clocks import MovableClock

LEASE = 0.6
PATIENCE = 5.0


class Switchable:
    """The real queue behind a switch: while it is off, every call ends as in an outage."""

    def __init__(self, queue: JobQueue) -> None:
        self._queue = queue
        self.on = True
        self.refused = 0

    def _check(self) -> None:
        if not self.on:
            self.refused += 1
            raise DependencyUnavailable("database", "switched off")

    async def enqueue(self, jobs: Sequence[NewJob], *, within: object = None) -> Sequence[UUID]:
        return await self._queue.enqueue(jobs)

    async def claim(self, kinds: Sequence[str], *, limit: int, lease: float) -> Sequence[Job]:
        self._check()
        return await self._queue.claim(kinds, limit=limit, lease=lease)

    async def renew(self, jobs: Sequence[Job], *, lease: float) -> frozenset[UUID]:
        self._check()
        return await self._queue.renew(jobs, lease=lease)

    async def settle(self, outcomes: Sequence[JobOutcome]) -> frozenset[UUID]:
        self._check()
        return await self._queue.settle(outcomes)

    async def wait(self, *, timeout: float) -> None:
        await self._queue.wait(timeout=timeout)


@dataclass
class Bench:
    """A queue, a clock, and what was seen of the jobs that ran."""

    jobs: SqlJobs
    queue: Switchable
    clock: MovableClock
    metrics: Metrics
    ran: list[Job] = field(default_factory=list)
    cancelled: list[Job] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def record(self, job: Job) -> None:
        self.ran.append(job)

    async def hold(self, job: Job) -> None:
        """A handler that works until the gate opens."""
        self.ran.append(job)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled.append(job)
            raise

    def runner(
        self,
        handlers: Mapping[str, Handler],
        *,
        workers: int = 4,
        drain: float = 2.0,
        timeout: float = 30.0,
        lease: float = LEASE,
    ) -> JobRunner:
        numbers = Jobs(workers=workers, batch=16, lease=Duration(lease), poll=Duration(0.05), timeout=Duration(timeout))
        return JobRunner(
            self.queue,
            handlers,
            numbers,
            schedules=self.jobs.schedules,
            dead_letters=self.jobs.dead_letters,
            clock=self.clock,
            metrics=self.metrics,
            drain=drain,
            jitter=lambda: 0.0,
        )

    @asynccontextmanager
    async def running(self, **handlers: Handler) -> AsyncIterator[JobRunner]:
        async with self.runner(handlers) as runner:
            yield runner

    async def enqueue(self, *kinds: str, max_attempts: int = 10) -> list[UUID]:
        new = [NewJob(kind, str(number).encode(), max_attempts=max_attempts) for number, kind in enumerate(kinds)]
        return list(await self.queue.enqueue(new))

    async def counts(self) -> dict[str, int]:
        return await self.jobs.dead_letters.counts()

    async def all_ended(self) -> bool:
        counts = await self.counts()
        return counts["queued"] == counts["claimed"] == 0

    async def dead(self) -> DeadJob:
        await eventually(self.has_dead)
        [dead] = (await self.jobs.dead_letters.list_dead()).items
        return dead

    async def has_dead(self) -> bool:
        return (await self.counts())["dead"] > 0

    async def have_run(self, count: int) -> None:
        await until(lambda: len(self.ran) >= count)

    def metric(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"secureconnect_{name}", labels)


async def eventually(check: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await check():
            await asyncio.sleep(0.01)


async def until(check: Callable[[], bool]) -> None:
    async def checked() -> bool:
        return check()

    await eventually(checked)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    clock, metrics = MovableClock(), Metrics()
    async with open_database(Database(), data_dir=tmp_path, clock=clock, metrics=metrics) as database:
        await upgrade(database)
        async with open_jobs(database, Jobs(), clock=clock, metrics=metrics, ids=IdGenerator(clock)) as jobs:
            yield Bench(jobs, Switchable(jobs.queue), clock, metrics)


# --- running -------------------------------------------------------------------------------------------------


async def test_each_job_goes_to_the_handler_of_its_kind_once(bench: Bench) -> None:
    pushed: list[Job] = []

    async def push(job: Job) -> None:
        pushed.append(job)

    async with bench.running(mail=bench.record, push=push):
        ids = await bench.enqueue("mail", "push", "mail")
        await eventually(bench.all_ended)
    assert [job.id for job in bench.ran] == [ids[0], ids[2]]
    assert [job.id for job in pushed] == [ids[1]]
    assert bench.metric("jobs_outcomes_total", kind="mail", outcome="done") == 2
    assert bench.metric("jobs_seconds_count", kind="push") == 1


async def test_a_kind_without_a_handler_is_left_for_other_nodes(bench: Bench) -> None:
    await bench.enqueue("transcode", "mail")
    async with bench.running(mail=bench.record):
        await bench.have_run(1)
    assert await bench.counts() == {"queued": 1, "claimed": 0, "dead": 0}


async def test_no_more_than_the_workers_run_at_a_time(bench: Bench) -> None:
    at_once: list[int] = []
    inside = 0

    async def count(_: Job) -> None:
        nonlocal inside
        inside += 1
        at_once.append(inside)
        await asyncio.sleep(0.005)
        inside -= 1

    async with bench.runner({"mail": count}, workers=3):
        await bench.enqueue(*["mail"] * 60)
        await eventually(bench.all_ended)
    assert len(at_once) == 60
    assert max(at_once) == 3


async def test_a_runner_is_started_once(bench: Bench) -> None:
    async with bench.running(mail=bench.record) as runner:
        with pytest.raises(RuntimeError, match="started once"):
            runner.start()


async def test_schedules_fire_while_a_runner_runs(bench: Bench) -> None:
    await bench.jobs.schedules.ensure("sweep", kind="sweep", payload=b"all", every=3600)
    async with bench.running(sweep=bench.record):
        assert bench.ran == []
        bench.clock.ahead += 3601
        await bench.have_run(1)
    assert [job.payload for job in bench.ran] == [b"all"]


async def test_the_queue_can_be_watched(bench: Bench) -> None:
    await bench.enqueue("transcode", "transcode")
    bench.clock.ahead += 60
    async with bench.running(mail=bench.hold):
        await until(lambda: bench.metric("jobs_depth", state="queued") == 2)
        assert bench.metric("jobs_oldest_due_seconds") == pytest.approx(60, abs=3)
        await bench.enqueue("mail")
        await until(lambda: bench.metric("jobs_running") == 1)
        bench.gate.set()


# --- failing -------------------------------------------------------------------------------------------------


async def test_a_failed_attempt_is_made_again_later(bench: Bench) -> None:
    async def stumble(job: Job) -> None:
        bench.ran.append(job)
        if job.attempt == 1:
            raise ValueError("stumbled\nover a stone")

    async with bench.running(mail=stumble):
        await bench.enqueue("mail")
        await bench.have_run(1)
        bench.clock.ahead += 1
        await bench.have_run(2)
        await eventually(bench.all_ended)
    assert [job.attempt for job in bench.ran] == [1, 2]
    assert bench.metric("jobs_outcomes_total", kind="mail", outcome="retried") == 1


async def test_a_job_that_keeps_failing_is_a_dead_letter_with_its_last_error(bench: Bench) -> None:
    async def fail(job: Job) -> None:
        raise ValueError(f"attempt {job.attempt} failed\nwith details")

    async with bench.running(mail=fail):
        await bench.enqueue("mail", max_attempts=2)
        await until(lambda: bench.metric("jobs_outcomes_total", kind="mail", outcome="retried") == 1)
        bench.clock.ahead += 10
        dead = await bench.dead()
    assert (dead.attempts, dead.error) == (2, "ValueError: attempt 2 failed")


async def test_a_permanent_failure_is_not_tried_again(bench: Bench) -> None:
    async def refuse(_: Job) -> None:
        raise PermanentFailure("no such mailbox")

    async with bench.running(mail=refuse):
        await bench.enqueue("mail")
        dead = await bench.dead()
    assert (dead.attempts, dead.error) == (1, "PermanentFailure: no such mailbox")


async def test_waiting_out_an_outage_costs_no_attempt_and_fills_no_log(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    async def need_smtp(job: Job) -> None:
        bench.ran.append(job)
        if len(bench.ran) < 4:
            raise DependencyUnavailable("smtp", "connection refused")

    async with bench.running(mail=need_smtp):
        await bench.enqueue("mail", max_attempts=1)
        for count in range(1, 5):
            await bench.have_run(count)
            bench.clock.ahead += 60
        await eventually(bench.all_ended)
    assert [(job.attempt, job.postponed) for job in bench.ran] == [(1, 0), (1, 1), (1, 2), (1, 3)]
    assert (await bench.counts())["dead"] == 0
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_an_attempt_that_takes_too_long_has_failed(bench: Bench) -> None:
    async with bench.runner({"mail": bench.hold}, timeout=0.1):
        await bench.enqueue("mail", max_attempts=1)
        dead = await bench.dead()
    assert dead.error == "TimeoutError: not done within 0.1 s"
    assert len(bench.cancelled) == 1


async def test_a_handler_that_meets_a_cancelled_future_has_failed(bench: Bench) -> None:
    async def stumble(_: Job) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    async with bench.running(mail=stumble):
        await bench.enqueue("mail", max_attempts=1)
        dead = await bench.dead()
    assert dead.error == "RuntimeError: the handler was cancelled from inside"


async def test_no_message_of_an_error_is_logged(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    async def leak(_: Job) -> None:
        raise ValueError("password=hunter2")

    async with bench.running(mail=leak):
        [identifier] = await bench.enqueue("mail", max_attempts=1)
        await bench.dead()
    assert "hunter2" not in caplog.text
    [record] = [record for record in caplog.records if record.name == "kernel.jobrunner"]
    assert str(identifier) in record.getMessage()
    assert "test_jobrunner.py" in record.getMessage()


# --- leases --------------------------------------------------------------------------------------------------


async def test_a_job_that_outlives_its_lease_is_not_run_by_anyone_else(bench: Bench) -> None:
    async with bench.running(mail=bench.hold), bench.running(mail=bench.hold):
        await bench.enqueue("mail")
        await bench.have_run(1)
        await asyncio.sleep(LEASE * 2)
        bench.gate.set()
        await eventually(bench.all_ended)
    assert len(bench.ran) == 1
    assert bench.cancelled == []


async def test_a_job_that_another_node_has_taken_over_is_cancelled(bench: Bench) -> None:
    async with bench.running(mail=bench.hold):
        [identifier] = await bench.enqueue("mail")
        await bench.have_run(1)
        bench.queue.on = False  # this node cannot reach the store: its lease runs out
        bench.clock.ahead += LEASE + 1
        [taken] = await bench.jobs.queue.claim(["mail"], limit=1, lease=60)
        bench.queue.on = True
        await until(lambda: len(bench.cancelled) == 1)
        assert bench.metric("jobs_outcomes_total", kind="mail", outcome="lost") == 1
    assert taken.id == identifier
    assert await bench.jobs.queue.renew([taken], lease=60) == {identifier}


@pytest.mark.parametrize("workers", [2, 4], ids=["all-busy", "some-free"])
async def test_a_job_whose_lease_ran_out_unnoticed_goes_on_where_it_runs(bench: Bench, workers: int) -> None:
    long_lease = 30.0  # no renewal comes in between
    async with bench.runner({"mail": bench.hold}, workers=workers, lease=long_lease):
        await bench.enqueue("mail", "mail")
        await bench.have_run(2)
        bench.clock.ahead += long_lease + 1
        await until(lambda: bench.metric("jobs_claimed_total", kind="mail") == 4)
        bench.gate.set()
        await eventually(bench.all_ended)
    assert len(bench.ran) == 2
    assert bench.cancelled == []


async def test_jobs_that_wait_behind_a_long_one_are_given_to_others(bench: Bench) -> None:
    async def quick(_: Job) -> None:
        pass

    others: list[Job] = []

    async def elsewhere(job: Job) -> None:
        others.append(job)

    async with bench.runner({"long": bench.hold, "quick": quick}, workers=1, lease=1.5):
        await bench.enqueue(*["quick"] * 100)  # it learns that jobs are short, and claims ahead
        await eventually(bench.all_ended)
        await bench.enqueue("long", *["quick"] * 5)
        await bench.have_run(1)
        assert (await bench.counts())["claimed"] == 6
        async with bench.running(quick=elsewhere):
            await until(lambda: len(others) == 5)
        assert [job.attempt for job in others] == [1] * 5
        bench.gate.set()


# --- stopping ------------------------------------------------------------------------------------------------


async def test_stopping_lets_running_jobs_finish(bench: Bench) -> None:
    runner = bench.runner({"mail": bench.hold})
    runner.start()
    await bench.enqueue("mail", "mail")
    await bench.have_run(2)
    stopping = asyncio.create_task(runner.stop())
    await asyncio.sleep(0.05)
    assert not stopping.done()
    await bench.enqueue("mail")
    bench.gate.set()
    await stopping
    assert bench.cancelled == []
    assert await bench.counts() == {"queued": 1, "claimed": 0, "dead": 0}


async def test_what_does_not_finish_in_time_is_cancelled_and_free_for_others_at_once(bench: Bench) -> None:
    async with bench.runner({"mail": bench.hold}, workers=2, drain=0.1):
        await bench.enqueue(*["mail"] * 6)
        await bench.have_run(2)
    assert len(bench.cancelled) == 2
    assert await bench.counts() == {"queued": 6, "claimed": 0, "dead": 0}
    again = await bench.jobs.queue.claim(["mail"], limit=10, lease=60)
    assert [job.attempt for job in again] == [1] * 6


async def test_a_handler_that_ignores_its_cancellation_does_not_hold_up_the_stop(bench: Bench) -> None:
    released = asyncio.Event()

    async def stubborn(job: Job) -> None:
        bench.ran.append(job)
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                bench.cancelled.append(job)

    runner = bench.runner({"mail": stubborn}, drain=0.05)
    runner.start()
    await bench.enqueue("mail")
    await bench.have_run(1)
    async with asyncio.timeout(PATIENCE):
        await runner.stop()
    assert (await bench.counts())["queued"] == 1
    released.set()
    await until(lambda: not [task for task in asyncio.all_tasks() if task.get_name().startswith("job ")])


async def test_nothing_is_left_running_after_a_stop(bench: Bench) -> None:
    before = asyncio.all_tasks()
    for _ in range(5):
        async with bench.running(mail=bench.record):
            await bench.enqueue(*["mail"] * 20)
    assert {task for task in asyncio.all_tasks() - before if not task.done()} == set()
    assert (await bench.counts())["claimed"] == 0


async def test_stopping_twice_or_before_starting_does_nothing(bench: Bench) -> None:
    await bench.runner({"mail": bench.record}).stop()
    async with bench.running(mail=bench.record) as runner:
        await runner.stop()


# --- outages -------------------------------------------------------------------------------------------------


async def test_an_outage_of_the_store_does_not_end_the_runner(bench: Bench) -> None:
    async with bench.running(mail=bench.record):
        bench.queue.on = False
        await bench.enqueue("mail", "mail")
        await until(lambda: bench.queue.refused >= 5)
        assert bench.ran == []
        back = time.monotonic()
        bench.queue.on = True
        await bench.have_run(2)
        assert time.monotonic() - back < 2
    assert (bench.metric("jobs_store_errors_total", operation="claim") or 0) >= 1


async def test_how_a_job_ended_during_an_outage_is_recorded_after_it(bench: Bench) -> None:
    async with bench.running(mail=bench.hold):
        await bench.enqueue("mail")
        await bench.have_run(1)
        bench.queue.on = False
        bench.gate.set()
        await until(lambda: (bench.metric("jobs_store_errors_total", operation="settle") or 0) >= 2)
        bench.queue.on = True
        await eventually(bench.all_ended)
    assert len(bench.ran) == 1


async def test_a_stop_during_an_outage_ends_in_time(bench: Bench) -> None:
    runner = bench.runner({"mail": bench.hold}, drain=0.1)
    runner.start()
    await bench.enqueue("mail")
    await bench.have_run(1)
    bench.queue.on = False
    async with asyncio.timeout(PATIENCE):
        await runner.stop()
    bench.clock.ahead += LEASE + 1
    assert len(await bench.jobs.queue.claim(["mail"], limit=1, lease=60)) == 1
