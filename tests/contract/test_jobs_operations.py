"""kernel.jobs: what waiting, dead letters and schedules promise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from kernel.errors import Malformed, Unprocessable
from kernel.jobs import JobDone, JobFailed, NewJob
from tests.adapters.sql.relational import BACKENDS
from tests.contract.jobs_cluster import Cluster, Node, mail, open_cluster


@pytest.fixture(params=BACKENDS)
async def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Cluster]:
    async with open_cluster(request, tmp_path) as opened:
        yield opened


@pytest.fixture
def node(cluster: Cluster) -> Node:
    return cluster.one


# --- waking --------------------------------------------------------------------------------------------------


async def test_waiting_ends_as_soon_as_a_job_is_committed_here_or_on_another_node(cluster: Cluster) -> None:
    for sender in (cluster.one, cluster.other):
        assert await cluster.one.claim() == []
        waiting = asyncio.create_task(cluster.one.jobs.queue.wait(timeout=60))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await sender.enqueue(mail())
        await asyncio.wait_for(waiting, 2)
        await cluster.one.claim_one()


async def test_a_job_committed_between_looking_and_waiting_is_not_slept_through(node: Node) -> None:
    assert await node.claim() == []
    await node.enqueue(mail())
    await asyncio.wait_for(node.jobs.queue.wait(timeout=60), 2)
    assert len(await node.claim()) == 1


async def test_waiting_ends_when_a_delayed_job_becomes_due(cluster: Cluster, node: Node) -> None:
    await node.enqueue(mail(run_at=cluster.clock.now() + 0.2))
    assert await node.claim() == []
    await asyncio.wait_for(node.jobs.queue.wait(timeout=60), 2)
    while not (jobs := await node.claim()):
        await asyncio.wait_for(node.jobs.queue.wait(timeout=60), 2)
    assert len(jobs) == 1


async def test_waiting_ends_when_its_time_is_over(node: Node) -> None:
    assert await node.claim() == []
    await asyncio.wait_for(node.jobs.queue.wait(timeout=0.05), 2)


# --- dead letters --------------------------------------------------------------------------------------------


async def kill(node: Node, *jobs: NewJob) -> list[UUID]:
    ids = await node.enqueue(*jobs)
    claimed = await node.claim(*{job.kind for job in jobs})
    await node.jobs.queue.settle([JobFailed(job, f"died of {job.payload.decode()}", None) for job in claimed])
    return ids


async def test_a_dead_job_keeps_what_it_was_and_why_it_died(cluster: Cluster, node: Node) -> None:
    before = cluster.clock.now()
    [identifier] = await kill(node, mail(b"boredom", key="k"))
    [dead] = (await node.jobs.dead_letters.list_dead()).items
    assert (dead.id, dead.kind, dead.payload, dead.attempts) == (identifier, "mail", b"boredom", 1)
    assert dead.error == "died of boredom"
    assert before - 0.001 <= dead.died_at <= cluster.clock.now()


async def test_dead_letters_are_listed_latest_first_page_by_page_while_others_die(node: Node) -> None:
    ids = [identifier for number in range(7) for identifier in await kill(node, mail(str(number).encode()))]
    letters = node.jobs.dead_letters
    page = await letters.list_dead(limit=3)
    listed = [dead.id for dead in page.items]
    await kill(node, mail(b"meanwhile"))
    while page.next_cursor is not None:
        page = await letters.list_dead(limit=3, cursor=page.next_cursor)
        listed += [dead.id for dead in page.items]
    assert listed == ids[::-1]


async def test_jobs_that_died_in_the_same_moment_are_each_listed_once(node: Node) -> None:
    ids = await kill(node, *(mail(str(number).encode()) for number in range(5)))
    page = await node.jobs.dead_letters.list_dead(limit=2)
    listed = [dead.id for dead in page.items]
    while page.next_cursor is not None:
        page = await node.jobs.dead_letters.list_dead(limit=2, cursor=page.next_cursor)
        listed += [dead.id for dead in page.items]
    assert sorted(listed) == sorted(ids)
    assert len(listed) == 5


async def test_dead_letters_are_listed_by_kind(node: Node) -> None:
    await kill(node, mail(b"a"), NewJob("push", b"b"))
    assert [dead.kind for dead in (await node.jobs.dead_letters.list_dead(kind="push")).items] == ["push"]


async def test_a_cursor_of_another_list_is_refused(node: Node) -> None:
    with pytest.raises(Malformed):
        await node.jobs.dead_letters.list_dead(cursor="bm9uc2Vuc2U")


async def test_a_revived_job_starts_over(cluster: Cluster, node: Node) -> None:
    [identifier] = await kill(node, mail(b"x", max_attempts=1))
    assert await node.claim() == []
    assert await node.jobs.dead_letters.revive(identifier)
    await asyncio.wait_for(node.jobs.queue.wait(timeout=60), 2)
    job = await cluster.other.claim_one()
    assert (job.id, job.payload, job.attempt) == (identifier, b"x", 1)
    assert (await node.jobs.dead_letters.list_dead()).items == []


async def test_only_the_dead_are_revived(node: Node) -> None:
    [identifier] = await node.enqueue(mail())
    assert not await node.jobs.dead_letters.revive(identifier)
    await node.claim_one()
    assert not await node.jobs.dead_letters.revive(identifier)
    assert not await node.jobs.dead_letters.revive(uuid4())


async def test_counts_and_age_say_what_waits(cluster: Cluster, node: Node) -> None:
    letters = node.jobs.dead_letters
    assert await letters.oldest_due() is None
    await kill(node, mail(b"x"))
    now = cluster.clock.now()
    await node.enqueue(*(mail(run_at=now - age) for age in (50, 40, 30)), mail(run_at=now + 3600))
    assert await letters.oldest_due() == pytest.approx(now - 50, abs=1e-5)
    await node.claim(limit=1)
    assert await letters.oldest_due() == pytest.approx(now - 40, abs=1e-5)
    assert await letters.counts() == {"queued": 3, "claimed": 1, "dead": 1}


# --- schedules -----------------------------------------------------------------------------------------------


async def test_a_schedule_fires_once_a_period_however_many_nodes_ask(cluster: Cluster) -> None:
    nodes = [cluster.one, cluster.other] * 4
    await asyncio.gather(
        *(node.jobs.schedules.ensure("sweep", kind="sweep", payload=b"all", every=60) for node in nodes)
    )
    assert await cluster.one.jobs.schedules.fire_due() == 0
    for _ in range(3):
        cluster.clock.ahead += 60
        assert sum(await asyncio.gather(*(node.jobs.schedules.fire_due() for node in nodes))) == 1
        [job] = await cluster.one.claim("sweep")
        assert job.payload == b"all"
        await cluster.one.jobs.queue.settle([JobDone(job)])


async def test_missed_periods_are_made_up_by_one_job_and_the_rhythm_stays(cluster: Cluster, node: Node) -> None:
    schedules = node.jobs.schedules
    await schedules.ensure("sweep", kind="sweep", payload=b"", every=60)
    cluster.clock.ahead += 60 * 100 + 30
    assert await schedules.fire_due() == 1
    assert await schedules.fire_due() == 0
    [job] = await node.claim("sweep")
    await node.jobs.queue.settle([JobDone(job)])
    cluster.clock.ahead += 31
    assert await schedules.fire_due() == 1


async def test_a_schedule_waits_for_its_last_job_to_end(cluster: Cluster, node: Node) -> None:
    schedules = node.jobs.schedules
    await schedules.ensure("sweep", kind="sweep", payload=b"", every=60)
    fired = 0
    for _ in range(5):
        cluster.clock.ahead += 60
        fired += await schedules.fire_due()
    assert fired == 1
    [job] = await node.claim("sweep")
    cluster.clock.ahead += 20
    await node.jobs.queue.renew([job], lease=600)
    cluster.clock.ahead += 60
    assert await schedules.fire_due() == 0
    await node.jobs.queue.settle([JobFailed(job, "x", None)])
    cluster.clock.ahead += 60
    assert await schedules.fire_due() == 1


async def test_asking_again_changes_a_schedule_but_does_not_put_it_off(cluster: Cluster, node: Node) -> None:
    schedules = node.jobs.schedules
    await schedules.ensure("sweep", kind="sweep", payload=b"old", every=60)
    cluster.clock.ahead += 59
    await schedules.ensure("sweep", kind="sweep", payload=b"new", every=60)
    cluster.clock.ahead += 2
    assert await schedules.fire_due() == 1
    [job] = await node.claim("sweep")
    assert job.payload == b"new"
    await node.jobs.queue.settle([JobDone(job)])
    await schedules.ensure("sweep", kind="sweep", payload=b"new", every=10)
    cluster.clock.ahead += 11
    assert await schedules.fire_due() == 1


async def test_a_schedule_needs_a_period(node: Node) -> None:
    for every in (0.0, -1.0, float("nan")):
        with pytest.raises(Unprocessable):
            await node.jobs.schedules.ensure("sweep", kind="sweep", payload=b"", every=every)
