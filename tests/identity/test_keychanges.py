"""Who hears that somebody's keys changed: everybody who writes to them, page by page, and nobody who is blocked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import pytest
from sqlalchemy import delete

from adapters.sql.identity.blocks import SqlBlocks
from adapters.sql.identity.datarights_texts import Addresses, WaitingJobs
from adapters.sql.identity.friends import SqlFriends
from adapters.sql.identity.prekeys import CHANGES, SqlKeyDevices
from adapters.sql.units import sql_of
from identity import keychanges
from identity.announcements import channel_of
from identity.blocks import Block
from identity.friends import Friendship
from identity.keychanges import NEWS_JOB
from identity.keydirectory import Device as KeptDevice
from kernel.bus import BusEvent
from kernel.errors import DependencyUnavailable, NotFound
from kernel.jobs import JobDone
from kernel.units import Transaction
from tests.adapters.sql.relational import settings_for
from tests.identity.devices import Device, Directory, directory


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Directory]:
    async with directory(settings_for(""), tmp_path) as here:
        yield here


async def befriend(here: Directory, one: UUID, *others: UUID) -> None:
    async def work(unit: Transaction) -> None:
        for other in others:
            await SqlFriends().put(unit, Friendship(one, other, accepted=True, since=0.0))

    await here.database.units.write(work)


class Circle:
    """identity.keychanges.Companions: whoever a test says."""

    def __init__(self, *people: UUID) -> None:
        self._people = sorted(people)

    async def of(self, unit: Transaction, person: UUID, *, after: UUID | None, limit: int) -> Sequence[UUID]:
        return [other for other in self._people if after is None or other > after][:limit]


async def heard(here: Directory, everybody: Sequence[UUID]) -> list[UUID]:
    """In the order in which they were told."""
    end = channel_of(uuid4())
    people = {channel_of(person): person for person in everybody}
    found: list[UUID] = []
    async with here.bus.subscribe([*people, end]) as events:
        await here.tell()
        await here.bus.publish(end, b"")
        async for event in events:
            assert isinstance(event, BusEvent)
            if event.channel == end:
                return found
            assert msgspec.json.decode(event.payload)["type"] == "key_changed"
            found.append(people[event.channel])
    raise AssertionError("unreachable: the end is published")


@pytest.mark.parametrize("page", [1, 2, 3, 500])
async def test_friends_and_members_of_shared_conversations_hear_once_and_the_blocked_do_not(
    here: Directory, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(keychanges, "PEOPLE_A_PAGE", page)
    ada, friend, both, member, elsewhere, blocker, blocked, _stranger = everybody = await here.crowd(8)
    await befriend(here, ada, friend, both)
    monkeypatch.setattr(here.changes, "_companions", Circle(both, member, blocker, blocked, elsewhere))

    async def block(unit: Transaction) -> None:
        await SqlBlocks().add(unit, Block(blocker, ada, 0.0), most=10)
        await SqlBlocks().add(unit, Block(ada, blocked, 0.0), most=10)

    await here.database.units.write(block)
    await here.keys.upload(ada, Device().upload())
    assert await heard(here, everybody) == [ada, *sorted([friend, both, member, elsewhere])]
    await here.keys.upload(ada, Device("laptop").upload())
    await here.keys.remove(ada, "laptop")
    assert len(await heard(here, everybody)) == 2 * 5
    assert await heard(here, everybody) == []


async def test_what_was_recorded_is_told_also_when_the_node_that_recorded_it_dies_at_once(here: Directory) -> None:
    ada, bob = await here.crowd(2)
    await befriend(here, ada, bob)
    await here.keys.upload(ada, Device().upload())  # and nothing more of this process
    [job] = await here.jobs.queue.claim([NEWS_JOB], limit=10, lease=0.001)
    await here.changes.tell(job)  # ends here before it is settled, so another node does it again
    here.clock.ahead += 60.0
    assert await heard(here, [ada, bob]) == [ada, bob]
    assert await heard(here, [ada, bob]) == []


async def test_a_bus_that_is_away_is_waited_for(here: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(channel: str, payload: bytes) -> None:
        raise DependencyUnavailable("bus", "away")

    [ada] = await here.crowd(1)
    await here.keys.upload(ada, Device().upload())
    with monkeypatch.context() as patched:
        patched.setattr(here.bus, "publish", away)
        with pytest.raises(DependencyUnavailable):
            await here.tell()  # so the job is not settled as done, and is run again
    here.clock.ahead += 120.0
    assert await heard(here, [ada]) == [ada]


async def test_an_upload_that_fails_tells_nobody(here: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(self: SqlKeyDevices, unit: Transaction, device: KeptDevice) -> None:
        raise NotFound("Gone.")

    [ada] = await here.crowd(1)
    monkeypatch.setattr(SqlKeyDevices, "put", fail)
    with pytest.raises(NotFound):
        await here.keys.upload(ada, Device().upload())
    assert await here.tell() == 0


async def test_news_that_wait_are_erased_with_whom_they_are_about(here: Directory) -> None:
    ada, bob = await here.crowd(2)
    for person in (ada, bob):
        await here.keys.upload(person, Device().upload())
    units = here.database.units
    assert await WaitingJobs(units, Addresses(units)).erase(ada) == 1
    assert await heard(here, [ada, bob]) == [bob]


async def test_nothing_is_told_of_whoever_has_been_erased_meanwhile(here: Directory) -> None:
    ada, bob = await here.crowd(2)
    await befriend(here, ada, bob)
    await here.keys.upload(ada, Device().upload())
    [job] = await here.jobs.queue.claim([NEWS_JOB], limit=10, lease=60.0)
    async with here.bus.subscribe([channel_of(bob)]) as events:
        await here.database.units.write(lambda unit: sql_of(unit).connection.execute(delete(CHANGES)))
        await here.changes.tell(job)
        await here.jobs.queue.settle([JobDone(job)])
        await here.bus.publish(channel_of(bob), b"end")
        assert await anext(aiter(events)) == BusEvent(channel_of(bob), b"end")
