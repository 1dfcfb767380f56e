"""kernel.jobs.JobQueue: what claiming, settling, keys and transactions promise."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import pytest

from kernel.errors import Conflict, Unprocessable
from kernel.jobs import (
    MAX_KEY_LENGTH,
    MAX_KIND_LENGTH,
    MAX_PAYLOAD_BYTES,
    JobDone,
    JobFailed,
    JobOutcome,
    JobPostponed,
    NewJob,
)
from kernel.units import Transaction
from tests.adapters.sql.relational import BACKENDS
from tests.contract.jobs_cluster import LEASE, Cluster, Node, mail, open_cluster

Outcome = TypeVar("Outcome")


@pytest.fixture(params=BACKENDS)
async def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Cluster]:
    async with open_cluster(request, tmp_path) as opened:
        yield opened


@pytest.fixture
def node(cluster: Cluster) -> Node:
    return cluster.one


# --- claiming ------------------------------------------------------------------------------------------------


async def test_a_claimed_job_is_what_was_enqueued(node: Node) -> None:
    [identifier] = await node.enqueue(NewJob("mail", bytes(range(256)), max_attempts=4))
    job = await node.claim_one()
    assert (job.id, job.kind, job.payload) == (identifier, "mail", bytes(range(256)))
    assert (job.attempt, job.max_attempts, job.postponed) == (1, 4, 0)


async def test_jobs_are_claimed_in_the_order_they_became_due(cluster: Cluster, node: Node) -> None:
    now = cluster.clock.now()
    first, second = await node.enqueue(mail(b"first"), mail(b"second"))
    [early] = await node.enqueue(mail(b"early", run_at=now - 60))
    assert [job.id for job in await node.claim(limit=2)] == [early, first]
    assert [job.id for job in await node.claim(limit=2)] == [second]


async def test_a_job_is_not_claimed_before_its_time(cluster: Cluster, node: Node) -> None:
    await node.enqueue(mail(run_at=cluster.clock.now() + 3600))
    assert await node.claim() == []
    cluster.clock.ahead += 3601
    assert len(await node.claim()) == 1


async def test_only_the_kinds_that_were_asked_for_are_claimed(node: Node) -> None:
    await node.enqueue(NewJob("mail", b""), NewJob("push", b""), NewJob("sweep", b""))
    assert [job.kind for job in await node.claim("push", "sweep")] == ["push", "sweep"]
    assert await node.claim("nothing") == []
    assert await node.jobs.queue.claim([], limit=10, lease=LEASE) == []


async def test_no_two_of_eight_workers_on_two_nodes_get_the_same_job(cluster: Cluster) -> None:
    ids = await cluster.one.enqueue(*(mail(str(number).encode()) for number in range(400)))

    async def worker(node: Node, most: int) -> list[UUID]:
        mine: list[UUID] = []
        while jobs := await insisting(partial(node.claim, limit=most)):
            mine += [job.id for job in jobs]
            settled = await insisting(partial(node.jobs.queue.settle, [JobDone(job) for job in jobs]))
            assert settled == {job.id for job in jobs}
        return mine

    shares = await asyncio.gather(*(worker((cluster.one, cluster.other)[n % 2], 3 + n) for n in range(8)))
    assert sorted(job for share in shares for job in share) == sorted(ids)
    assert await cluster.one.jobs.dead_letters.counts() == {"queued": 0, "claimed": 0, "dead": 0}


async def insisting(attempt: Callable[[], Awaitable[Outcome]]) -> Outcome:
    """As the job runner does: on a busy machine a serializable store may refuse one worker ten times in a row."""
    while True:
        try:
            return await attempt()
        except Conflict as error:
            if error.code != "write_contention":
                raise


# --- holding -------------------------------------------------------------------------------------------------


async def test_a_job_whose_lease_ran_out_is_handed_out_again_as_the_next_attempt(cluster: Cluster) -> None:
    await cluster.one.enqueue(mail())
    first = await cluster.one.claim_one()
    assert await cluster.other.claim() == []
    cluster.clock.ahead += LEASE + 1
    again = await cluster.other.claim_one()
    assert (again.id, again.attempt) == (first.id, 2)
    assert again.claim != first.claim


async def test_a_renewed_job_stays_where_it_is(cluster: Cluster) -> None:
    await cluster.one.enqueue(mail())
    job = await cluster.one.claim_one()
    for _ in range(3):
        cluster.clock.ahead += LEASE * 0.9
        assert await cluster.one.jobs.queue.renew([job], lease=LEASE) == {job.id}
        assert await cluster.other.claim() == []


async def test_what_a_lost_claim_says_is_ignored(cluster: Cluster) -> None:
    await cluster.one.enqueue(mail())
    lost = await cluster.one.claim_one()
    cluster.clock.ahead += LEASE + 1
    held = await cluster.other.claim_one()
    now = cluster.clock.now()
    for outcome in (JobDone(lost), JobFailed(lost, "x", None), JobFailed(lost, "x", now), JobPostponed(lost, "x", now)):
        assert await cluster.one.jobs.queue.settle([outcome]) == frozenset()
    assert await cluster.one.jobs.queue.renew([lost], lease=LEASE) == frozenset()
    assert await cluster.other.jobs.queue.renew([held], lease=LEASE) == {held.id}
    assert await cluster.other.jobs.queue.settle([JobDone(held)]) == {held.id}


async def test_an_old_and_a_new_claim_settled_together_are_told_apart(cluster: Cluster, node: Node) -> None:
    """The new claim is in the same call, held by another job: only the exact pair counts."""
    await node.enqueue(mail(b"slow"))
    lost = await node.claim_one()
    cluster.clock.ahead += LEASE + 1
    await node.enqueue(mail(b"quick"))
    slow, quick = await node.claim()
    assert slow.id == lost.id
    assert await node.jobs.queue.settle([JobDone(lost), JobDone(quick)]) == {quick.id}
    assert await node.jobs.queue.settle([JobDone(slow)]) == {slow.id}


async def test_a_lapsed_claim_that_nobody_took_over_can_still_be_settled(cluster: Cluster, node: Node) -> None:
    await node.enqueue(mail())
    job = await node.claim_one()
    cluster.clock.ahead += LEASE + 1
    assert await node.jobs.queue.settle([JobDone(job)]) == {job.id}
    assert await node.claim() == []


async def test_a_job_that_loses_its_worker_in_the_last_attempt_is_a_dead_letter(cluster: Cluster, node: Node) -> None:
    [identifier] = await node.enqueue(mail(max_attempts=2))
    for attempt in (1, 2):
        assert (await node.claim_one()).attempt == attempt
        cluster.clock.ahead += LEASE + 1
    assert await node.claim() == []
    [dead] = (await node.jobs.dead_letters.list_dead()).items
    assert (dead.id, dead.attempts) == (identifier, 2)
    assert "vanished" in dead.error


# --- ending --------------------------------------------------------------------------------------------------


async def test_a_finished_job_never_comes_back(cluster: Cluster, node: Node) -> None:
    await node.enqueue(mail(), mail(key="k"))
    assert len(await node.jobs.queue.settle([JobDone(job) for job in await node.claim()])) == 2
    cluster.clock.ahead += 10 * LEASE
    assert await node.claim() == []


async def test_a_failed_job_comes_back_at_its_time_with_the_next_attempt(cluster: Cluster, node: Node) -> None:
    await node.enqueue(mail())
    job = await node.claim_one()
    await node.jobs.queue.settle([JobFailed(job, "ValueError: no", cluster.clock.now() + 60)])
    assert await node.claim() == []
    cluster.clock.ahead += 61
    assert (await node.claim_one()).attempt == 2


async def test_a_postponed_job_comes_back_as_the_same_attempt(cluster: Cluster, node: Node) -> None:
    await node.enqueue(mail(max_attempts=1))
    for postponed in range(5):
        job = await node.claim_one()
        assert (job.attempt, job.postponed) == (1, postponed)
        await node.jobs.queue.settle([JobPostponed(job, "smtp is down", cluster.clock.now())])
    assert (await node.jobs.dead_letters.counts())["dead"] == 0


async def test_outcomes_of_every_sort_can_be_settled_together(cluster: Cluster, node: Node) -> None:
    await node.enqueue(*(mail(str(number).encode(), key=f"k{number}") for number in range(4)), mail())
    a, b, c, d, e = await node.claim()
    now = cluster.clock.now()
    outcomes: list[JobOutcome] = [
        JobDone(a),
        JobFailed(b, "x", None),
        JobFailed(c, "x", now),
        JobPostponed(d, "x", now),
        JobDone(e),
    ]
    assert len(await node.jobs.queue.settle(outcomes)) == 5
    assert await node.jobs.dead_letters.counts() == {"queued": 2, "claimed": 0, "dead": 1}


@pytest.mark.parametrize(
    "error", ["a\0b", "lone \ud800 surrogate", "ünï\U0001f600"], ids=["nul", "surrogate", "astral"]
)
async def test_no_error_text_keeps_a_job_from_being_settled(node: Node, error: str) -> None:
    await node.enqueue(mail())
    job = await node.claim_one()
    assert await node.jobs.queue.settle([JobFailed(job, error, None)]) == {job.id}
    assert len((await node.jobs.dead_letters.list_dead()).items) == 1


# --- keys ----------------------------------------------------------------------------------------------------


async def test_a_repeated_key_answers_the_first_job(node: Node) -> None:
    [first] = await node.enqueue(mail(b"first", key="k"))
    again = await node.enqueue(mail(b"again", key="k"), mail(b"third", key="k"), mail(b"other", key="l"))
    assert again[0] == again[1] == first
    assert [job.payload for job in await node.claim()] == [b"first", b"other"]


async def test_keys_of_different_kinds_do_not_meet(node: Node) -> None:
    ids = await node.enqueue(NewJob("mail", b"", key="k"), NewJob("push", b"", key="k"))
    assert len(set(ids)) == 2


async def test_of_many_that_race_for_a_key_one_wins_and_all_learn_its_id(cluster: Cluster) -> None:
    async def race(number: int) -> UUID:
        node = (cluster.one, cluster.other)[number % 2]
        [identifier] = await node.enqueue(mail(str(number).encode(), key="race"))
        return identifier

    winners = set(await asyncio.gather(*(race(number) for number in range(40))))
    assert winners == {job.id for job in await cluster.one.claim()}
    assert len(winners) == 1


async def test_batches_that_share_keys_in_opposite_order_do_not_get_stuck(cluster: Cluster) -> None:
    keys = [f"k{number}" for number in range(50)]

    async def add(node: Node, order: Sequence[str]) -> dict[str, UUID]:
        return dict(zip(order, await node.enqueue(*(mail(key=key) for key in order)), strict=True))

    answers = await asyncio.gather(
        *(add((cluster.one, cluster.other)[n % 2], keys if n % 4 < 2 else keys[::-1]) for n in range(8))
    )
    assert all(answer == answers[0] for answer in answers)
    assert len(await cluster.one.claim()) == 50


async def test_a_finished_or_dead_job_guards_its_key_until_it_is_forgotten(cluster: Cluster, node: Node) -> None:
    done, dead = await node.enqueue(mail(key="done"), mail(key="dead"))
    jobs = await node.claim()
    await node.jobs.queue.settle([JobDone(jobs[0]), JobFailed(jobs[1], "x", None)])
    assert await node.enqueue(mail(key="done"), mail(key="dead")) == [done, dead]
    assert await node.claim() == []
    cluster.clock.ahead += 3600
    assert await node.jobs.queue.purge(older_than=3700) == 0
    assert await node.jobs.queue.purge(older_than=3500) == 1
    again = await node.enqueue(mail(key="done"), mail(key="dead"))
    assert again[0] != done
    assert again[1] == dead


@pytest.mark.parametrize("key", ["", "ключ", "鍵\U0001f511", "a b\n'\";--", "é", "K" * MAX_KEY_LENGTH])
async def test_any_text_is_a_key(node: Node, key: str) -> None:
    [first] = await node.enqueue(mail(key=key))
    [again] = await node.enqueue(mail(key=key))
    assert first == again


async def test_keys_that_only_look_the_same_are_different(node: Node) -> None:
    assert len(set(await node.enqueue(mail(key="é"), mail(key="e\u0301"), mail(key="k"), mail(key="K")))) == 4


# --- what can be kept ----------------------------------------------------------------------------------------


async def test_the_largest_payload_comes_back_whole(node: Node) -> None:
    payload = os.urandom(MAX_PAYLOAD_BYTES)
    await node.enqueue(mail(payload), mail(payload[::-1], key="k"))
    assert [job.payload for job in await node.claim()] == [payload, payload[::-1]]


@pytest.mark.parametrize(
    "bad",
    [
        NewJob("mail", bytes(MAX_PAYLOAD_BYTES + 1)),
        NewJob("", b""),
        NewJob("k" * (MAX_KIND_LENGTH + 1), b""),
        NewJob("mail", b"", key="k" * (MAX_KEY_LENGTH + 1)),
        NewJob("mail", b"", key="nul\0"),
        NewJob("mail", b"", key="lone \ud800"),
        NewJob("mail", b"", max_attempts=0),
    ],
    ids=["payload", "no-kind", "kind", "key", "nul", "surrogate", "attempts"],
)
async def test_a_job_no_store_could_keep_is_refused_together_with_its_call(node: Node, bad: NewJob) -> None:
    with pytest.raises(Unprocessable, match="cannot be stored") as refused:
        await node.enqueue(mail(), bad)
    assert refused.value.code == "bad_job"
    assert (await node.jobs.dead_letters.counts())["queued"] == 0


async def test_a_call_larger_than_any_batch_is_one_call(node: Node) -> None:
    ids = await node.enqueue(*(mail(key=f"k{number}") for number in range(1200)))
    assert len(set(ids)) == 1200
    assert [job.id for job in await node.claim(limit=2000)] == ids
    assert await node.enqueue() == []


# --- inside transactions -------------------------------------------------------------------------------------


async def test_a_job_of_a_transaction_that_rolls_back_never_existed(node: Node) -> None:
    async def work(transaction: Transaction) -> None:
        await node.jobs.queue.enqueue([mail(key="k"), mail()], within=transaction)
        raise LookupError

    with pytest.raises(LookupError):
        await node.database.units.write(work)
    assert await node.claim() == []
    [identifier] = await node.enqueue(mail(key="k"))
    assert (await node.claim_one()).id == identifier


async def test_a_job_exists_from_the_commit_of_its_transaction_on(cluster: Cluster) -> None:
    added, commit = asyncio.Event(), asyncio.Event()

    async def work(transaction: Transaction) -> list[UUID]:
        ids = await cluster.one.jobs.queue.enqueue([mail(b"outbox")], within=transaction)
        added.set()
        await commit.wait()
        return list(ids)

    writing = asyncio.create_task(cluster.one.database.units.write(work))
    await added.wait()
    assert (await cluster.other.jobs.dead_letters.counts())["queued"] == 0
    commit.set()
    ids = await writing
    assert [job.id for job in await cluster.other.claim()] == ids


async def test_a_key_that_exists_does_not_spoil_the_transaction_that_repeats_it(node: Node) -> None:
    [first] = await node.enqueue(mail(key="k"))

    async def work(transaction: Transaction) -> list[UUID]:
        again = await node.jobs.queue.enqueue([mail(key="k")], within=transaction)
        fresh = await node.jobs.queue.enqueue([mail(key="l")], within=transaction)
        return [*again, *fresh]

    again, fresh = await node.database.units.write(work)
    assert again == first
    assert {job.id for job in await node.claim()} == {first, fresh}


# --- cancellation --------------------------------------------------------------------------------------------


async def test_enqueueing_cancelled_half_way_happened_or_did_not_and_leaves_the_queue_whole(node: Node) -> None:
    kept: list[UUID] = []
    for round_number in range(40):  # cancelled after 0 to 4 ms: before, amid and after its transaction
        sender = asyncio.create_task(node.enqueue(mail(key=f"cancelled-{round_number}")))
        neighbour = asyncio.create_task(node.enqueue(mail(key=f"kept-{round_number}")))
        await asyncio.sleep(round_number / 40 * 0.004)
        sender.cancel()
        await asyncio.gather(sender, return_exceptions=True)
        kept += await neighbour
    claimed = {job.id for job in await node.claim(limit=200)}
    assert claimed >= set(kept)
    assert len(claimed) <= 80


async def test_a_transaction_cancelled_half_way_leaves_no_job(node: Node) -> None:
    added = asyncio.Event()

    async def work(transaction: Transaction) -> None:
        await node.jobs.queue.enqueue([mail()], within=transaction)
        added.set()
        await asyncio.Event().wait()

    writing = asyncio.create_task(node.database.units.write(work))
    await added.wait()
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    assert await node.claim() == []


async def test_jobs_of_a_claim_that_was_cancelled_come_back_after_its_lease(cluster: Cluster, node: Node) -> None:
    ids = set(await node.enqueue(*(mail() for _ in range(60))))
    seen: set[UUID] = set()
    for round_number in range(20):
        claiming = asyncio.create_task(node.claim(limit=3))
        await asyncio.sleep(round_number / 20 * 0.004)
        claiming.cancel()
        [result] = await asyncio.gather(claiming, return_exceptions=True)
        if isinstance(result, list):
            seen |= {job.id for job in result}
    cluster.clock.ahead += LEASE + 1
    seen |= {job.id for job in await node.claim(limit=100)}
    assert seen == ids
