"""What other rooms read and write of a conversation: its mode, held while they act under it, and what was said."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import UUID

import pytest

from adapters.sql.chat.activity import SqlActivity
from adapters.sql.chat.modes import SqlModes
from chat.mode import Features, Mode, ModeState
from kernel.units import Transaction
from tests.adapters.sql.relational import BACKENDS, url_for
from tests.chat.parties import at, direct, group
from tests.worlds import Person, World, world


async def said(here: World, made: dict[str, str], by: Person, when: float) -> ModeState | None:
    """As messages are: those who speak at once wait for one another."""

    async def work(unit: Transaction) -> ModeState | None:
        found = await SqlActivity().said(unit, UUID(made["id"]), by=by.id, at=when)
        await asyncio.sleep(0.005)
        return found

    return await here.platform.database.units.write(work, serializable=False)


async def has_read(here: World, made: dict[str, str], by: Person, message: int, *, left: int) -> bool:
    async def work(unit: Transaction) -> bool:
        return await SqlActivity().read(unit, UUID(made["id"]), by.id, up_to=UUID(int=message), left=left)

    return await here.platform.database.units.write(work)


async def unread(person: Person) -> list[tuple[str, int]]:
    return [(item["id"], item["unread"]) for item in (await person.get("/v1/conversations")).body["items"]]


async def test_what_is_said_moves_a_conversation_up_and_is_unread_for_the_others(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob, cleo = await here.people("ada", "bob", "cleo")
        first, second = await group(ada, bob, is_public=True), await direct(ada, bob)
        now = here.platform.clock.now()
        assert (await ada.get(at(first))).body["last_message_at"] is None
        assert await said(here, first, ada, now + 10) == ModeState(Features(), 1)
        assert await said(here, first, bob, now + 5)
        assert await said(here, second, bob, now + 7)
        assert await said(here, {"id": str(ada.id)}, bob, now) is None
        assert await unread(ada) == [(first["id"], 1), (second["id"], 1)]
        assert await unread(bob) == [(first["id"], 1), (second["id"], 0)]
        shown = (await ada.get(at(first))).body["last_message_at"]
        assert (await bob.get(at(first))).body["last_message_at"] == shown > first["created_at"]
        # What was said before somebody came is not unread for them.
        assert (await cleo.post(at(first, "/join"))).body["unread"] == 0
        assert (await ada.get("/v1/conversations/public")).body["items"][0]["unread"] == 1

        for _ in range(3):
            await said(here, first, cleo, now + 11)
        assert await unread(ada) == [(first["id"], 4), (second["id"], 1)]
        assert await has_read(here, first, ada, 7, left=2)
        assert await unread(ada) == [(first["id"], 2), (second["id"], 1)]
        assert not await has_read(here, first, ada, 6, left=3), "nobody unreads"
        assert not await has_read(here, second, cleo, 9, left=0)
        assert await has_read(here, first, ada, 9, left=0)
        assert await unread(ada) == [(first["id"], 0), (second["id"], 1)]


@pytest.mark.parametrize("backend", BACKENDS[:2])
async def test_a_mode_does_not_change_while_somebody_acts_under_it(
    backend: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    async with world(tmp_path, database_url=url_for(backend, request)) as here:
        ada, bob, cleo = await here.people("ada", "bob", "cleo")
        made = await group(ada, bob, mode="intelligent", settings={"recording_enabled": True}, is_public=True)
        units, order = here.platform.database.units, []
        looking, acting = asyncio.Event(), asyncio.Event()

        async def work(unit: Transaction) -> ModeState | None:
            found = await SqlModes().mode_of(unit, UUID(made["id"]))
            assert await SqlModes().mode_of(unit, ada.id) is None
            looking.set()
            await acting.wait()
            order.append("acted")
            return found

        async def back_to_secure() -> None:
            assert (await ada.patch(at(made, "/settings"), {"mode": "secure"})).status == 200
            order.append("secure")

        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(units.write(work))
            await looking.wait()
            changing = tasks.create_task(back_to_secure())
            await asyncio.sleep(0.3)
            assert not changing.done()
            acting.set()
        assert order == ["acted", "secure"]
        assert reading.result() == ModeState(Features(Mode.INTELLIGENT, recording_enabled=True), 1)
        # Nor do those who speak at once fail one another, or those who come meanwhile.
        now = here.platform.clock.now()
        speaking = [said(here, made, person, now + number) for number in range(10) for person in (ada, bob)]
        states, joined = await asyncio.gather(asyncio.gather(*speaking), cleo.post(at(made, "/join")))
        assert set(states) == {ModeState(Features(), 2)}
        assert joined.status == 200
        assert await unread(ada) == await unread(bob) == [(made["id"], 10)]
