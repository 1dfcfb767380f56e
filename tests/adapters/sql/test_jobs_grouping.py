"""Group commit of enqueueing, with the transaction's moments in the test's hands."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest

from adapters.sql.jobs_grouping import GROUP_BYTES, GROUP_JOBS, MAX_WAITING_BYTES, MAX_WAITING_JOBS, EnqueueGroups
from kernel.errors import DependencyUnavailable, Overloaded
from kernel.jobs import NewJob
from kernel.metrics import Metrics

BAD = NewJob("bad", b"")


class Transactions:
    """Remembers what each transaction was asked to add; they end when the gate is open."""

    def __init__(self) -> None:
        self.groups: list[list[NewJob]] = []
        self.gate = asyncio.Event()
        self.begun = asyncio.Event()
        self.outage: Exception | None = None

    async def insert(self, jobs: Sequence[NewJob]) -> Sequence[UUID]:
        self.groups.append(list(jobs))
        self.begun.set()
        await self.gate.wait()
        if self.outage is not None:
            raise self.outage
        if BAD in jobs:
            raise ValueError("a value no column takes")
        return [uuid4() for _ in jobs]


@pytest.fixture
def transactions() -> Transactions:
    return Transactions()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def groups(transactions: Transactions, metrics: Metrics) -> EnqueueGroups:
    return EnqueueGroups(transactions.insert, metrics=metrics)


def jobs(count: int, size: int = 0) -> list[NewJob]:
    return [NewJob("mail", bytes(size)) for _ in range(count)]


async def submit_while_busy(
    groups: EnqueueGroups, transactions: Transactions, *calls: Sequence[NewJob]
) -> list[asyncio.Task[Sequence[UUID]]]:
    """The first call is in its transaction when the others come."""
    tasks = [asyncio.create_task(groups.submit(calls[0]))]
    await transactions.begun.wait()
    tasks += [asyncio.create_task(groups.submit(call)) for call in calls[1:]]
    await asyncio.sleep(0)
    return tasks


async def test_who_comes_during_a_transaction_shares_the_next_one(
    groups: EnqueueGroups, transactions: Transactions
) -> None:
    tasks = await submit_while_busy(groups, transactions, *(jobs(1) for _ in range(100)))
    transactions.gate.set()
    answers = await asyncio.gather(*tasks)
    assert [len(group) for group in transactions.groups] == [1, 99]
    assert len({identifier for answer in answers for identifier in answer}) == 100


async def test_a_group_is_bounded_in_jobs_and_bytes_and_no_call_is_split(
    groups: EnqueueGroups, transactions: Transactions
) -> None:
    third = GROUP_JOBS // 3 + 1
    calls = [jobs(1), jobs(third), jobs(third), jobs(third), jobs(2, GROUP_BYTES // 4), jobs(3, GROUP_BYTES // 4)]
    tasks = await submit_while_busy(groups, transactions, *calls)
    transactions.gate.set()
    answers = await asyncio.gather(*tasks)
    assert [len(group) for group in transactions.groups] == [1, 2 * third, third + 2, 3]
    assert [len(answer) for answer in answers] == [1, third, third, third, 2, 3]


async def test_a_call_beyond_all_bounds_is_taken_when_nobody_else_waits(
    groups: EnqueueGroups, transactions: Transactions
) -> None:
    transactions.gate.set()
    assert len(await groups.submit(jobs(MAX_WAITING_JOBS + 1))) == MAX_WAITING_JOBS + 1


@pytest.mark.parametrize("waiting", [jobs(MAX_WAITING_JOBS), jobs(64, MAX_WAITING_BYTES // 64)], ids=["jobs", "bytes"])
async def test_beyond_what_may_wait_callers_are_refused_at_once_and_counted(
    groups: EnqueueGroups, transactions: Transactions, metrics: Metrics, waiting: list[NewJob]
) -> None:
    tasks = await submit_while_busy(groups, transactions, jobs(1), waiting)
    with pytest.raises(Overloaded) as refused:
        await groups.submit(jobs(1, 1))
    assert refused.value.code == "jobs_full"
    assert metrics.registry.get_sample_value("secureconnect_jobs_refused_total") == 1
    transactions.gate.set()
    await asyncio.gather(*tasks)
    assert len(await groups.submit(jobs(1, 1))) == 1
    assert metrics.registry.get_sample_value("secureconnect_jobs_enqueue_waiting") == 0


async def test_one_callers_bad_job_is_not_the_others_failure(groups: EnqueueGroups, transactions: Transactions) -> None:
    tasks = await submit_while_busy(groups, transactions, jobs(1), jobs(1), [BAD], jobs(2))
    transactions.gate.set()
    first, second, bad, fourth = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(bad, ValueError)
    for answer, count in ((first, 1), (second, 1), (fourth, 2)):
        assert isinstance(answer, list)
        assert len(answer) == count


async def test_an_outage_is_told_to_everyone_who_waited_and_to_nobody_after(
    groups: EnqueueGroups, transactions: Transactions
) -> None:
    tasks = await submit_while_busy(groups, transactions, jobs(1), jobs(1), jobs(1))
    transactions.outage = DependencyUnavailable("database", "down")
    transactions.gate.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(answer) for answer in answers] == [DependencyUnavailable] * 3
    assert len(transactions.groups) == 1, "a second transaction would be a second timeout for who waited"
    transactions.outage = None
    assert len(await groups.submit(jobs(1))) == 1


async def test_a_caller_that_left_before_its_transaction_began_adds_nothing(
    groups: EnqueueGroups, transactions: Transactions
) -> None:
    tasks = await submit_while_busy(groups, transactions, jobs(1), jobs(2), jobs(3))
    tasks[1].cancel()
    transactions.gate.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert [len(group) for group in transactions.groups] == [1, 3]
    assert len(tasks[2].result()) == 3


async def test_a_caller_that_leaves_amid_its_transaction_takes_nobody_along(
    groups: EnqueueGroups, transactions: Transactions
) -> None:
    tasks = await submit_while_busy(groups, transactions, jobs(1), jobs(1))
    tasks[0].cancel()
    transactions.gate.set()
    assert len(await tasks[1]) == 1


async def test_closing_answers_everyone_first(groups: EnqueueGroups, transactions: Transactions) -> None:
    tasks = await submit_while_busy(groups, transactions, jobs(1), jobs(1))
    closing = asyncio.create_task(groups.aclose())
    await asyncio.sleep(0)
    transactions.gate.set()
    await closing
    assert [len(await task) for task in tasks] == [1, 1]
