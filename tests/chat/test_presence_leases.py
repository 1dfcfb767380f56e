"""What devices say ends by itself, is written down seldom, and is so whatever comes at once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from unittest import mock
from uuid import UUID, uuid4

import pytest

from adapters.sql.chat.presence import SqlSeen
from chat.presence import LEASE_SECONDS, NOTED_SECONDS, Status
from identity.accounts import State
from kernel.ephemeral import TimedSets
from kernel.units import Transaction
from tests.chat.presence_desk import Counted, Desk
from tests.identity.crowds import crowd
from tests.worlds import world


async def test_a_device_that_says_no_more_is_gone_after_its_lease(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        desk, [ada] = Desk.of(here), await crowd(here, ["Ada"])
        phone, laptop = uuid4(), uuid4()
        await desk.presences.say(ada.id, phone, Status.BUSY)
        desk.clock.advance(LEASE_SECONDS - 1)
        await desk.presences.say(ada.id, laptop, Status.AWAY)
        assert (await desk.presences.statuses([ada.id]))[ada.id] is Status.BUSY
        desk.clock.advance(1)
        assert (await desk.presences.statuses([ada.id]))[ada.id] is Status.AWAY
        desk.clock.advance(LEASE_SECONDS - 2)
        await desk.presences.say(ada.id, laptop, Status.AWAY)
        desk.clock.advance(LEASE_SECONDS - 1)
        assert (await desk.presences.statuses([ada.id]))[ada.id] is Status.AWAY
        desk.clock.advance(1)
        assert (await desk.presences.statuses([ada.id]))[ada.id] is Status.OFFLINE
        desk.told.take(ada.id)
        await desk.presences.say(ada.id, laptop, Status.AWAY)
        assert desk.told.take(ada.id) == ["away"], "who lapsed and comes back has changed"


async def test_it_is_written_down_seldom_and_when_somebody_goes(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        desk, [ada] = Desk.of(here), await crowd(here, ["Ada"])
        began, phone = desk.clock.now(), uuid4()
        written = 0
        note = SqlSeen.note

        async def noting(store: SqlSeen, unit: Transaction, person: UUID, at: float) -> None:
            nonlocal written
            written += 1
            await note(store, unit, person, at)

        with mock.patch.object(SqlSeen, "note", noting):
            for _ in range(int(3 * NOTED_SECONDS / 100)):
                await desk.presences.say(ada.id, phone, Status.ONLINE)
                desk.clock.advance(100)
        assert written == 3
        assert await desk.last_seen(ada.id) == pytest.approx(began + 2 * NOTED_SECONDS)
        [theirs] = await desk.presences.of(ada.id, [ada.id])
        assert (theirs.status, theirs.last_seen) == (Status.ONLINE, None)
        desk.clock.advance(7)
        await desk.presences.signed_out(ada.id, [phone])
        [theirs] = await desk.presences.of(ada.id, [ada.id])
        assert theirs.status is Status.OFFLINE
        assert theirs.last_seen == pytest.approx(desk.clock.now())

        await here.platform.database.units.write(lambda unit: SqlSeen().note(unit, ada.id, began))
        assert await desk.last_seen(ada.id) == pytest.approx(desk.clock.now()), "never earlier"
        [gone] = await crowd(here, ["Gone"], state=State.ERASING)
        await desk.presences.say(gone.id, phone, Status.ONLINE)
        await desk.presences.say(gone.id, phone, Status.OFFLINE)
        assert await desk.last_seen(gone.id) is None


async def test_a_session_that_ends_while_its_device_speaks_leaves_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        desk, [ada] = Desk.of(here, Counted), await crowd(here, ["Ada"])
        for steps in range(12):
            session = uuid4()
            speaking = asyncio.create_task(desk.presences.say(ada.id, session, Status.ONLINE))
            for _ in range(steps):
                await asyncio.sleep(0)
            desk.alive.ended.add(session)
            await desk.presences.signed_out(ada.id, [session])
            await asyncio.gather(speaking, return_exceptions=True)
            assert (await desk.presences.statuses([ada.id]))[ada.id] is Status.OFFLINE, steps


async def test_devices_that_come_and_go_at_once_leave_watchers_with_what_is_so(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        all_sets: list[Counted] = []

        def slow(sets: TimedSets) -> TimedSets:
            all_sets.append(Counted(sets))
            return all_sets[-1]

        desk, [ada] = Desk.of(here, slow), await crowd(here, ["Ada"])
        [sets], phone, laptop = all_sets, uuid4(), uuid4()
        for _ in range(5):
            phone, laptop = uuid4(), uuid4()
            await asyncio.gather(*(desk.presences.say(ada.id, one, Status.ONLINE) for one in (phone, laptop)))
            assert desk.told.take(ada.id)[-1:] == ["online"]
            await asyncio.gather(*(desk.presences.signed_out(ada.id, [one]) for one in (phone, laptop)))
            assert desk.told.take(ada.id)[-1:] == ["offline"]
        for later in range(-8, 9):  # one comes while the other goes
            phone, laptop = uuid4(), uuid4()
            await desk.presences.say(ada.id, phone, Status.ONLINE)

            async def come(steps: int, session: UUID) -> None:
                for _ in range(steps):
                    await asyncio.sleep(0)
                await desk.presences.say(ada.id, session, Status.ONLINE)

            async def go(steps: int, session: UUID) -> None:
                for _ in range(steps):
                    await asyncio.sleep(0)
                await desk.presences.signed_out(ada.id, [session])

            await asyncio.gather(come(max(later, 0), laptop), go(max(-later, 0), phone))
            assert desk.told.take(ada.id)[-1] == "online", later
            await desk.presences.signed_out(ada.id, [laptop])
            assert desk.told.take(ada.id)[-1:] == ["offline"]

        await desk.presences.say(ada.id, phone, Status.ONLINE)
        sets.road.clear()
        sets.trips.clear()
        coming = asyncio.create_task(desk.presences.say(ada.id, laptop, Status.ONLINE))
        while "add" not in sets.trips:
            await asyncio.sleep(0)
        await desk.presences.signed_out(ada.id, [phone])
        assert desk.told.take(ada.id)[-1:] == ["offline"]
        sets.road.set()
        await coming
        assert desk.told.take(ada.id) == ["online"], "it had still seen the other device"
