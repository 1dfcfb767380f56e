"""What two people do to each other at the same moment, on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from adapters.sql.identity.blocks import BLOCKS
from adapters.sql.identity.friends import FRIENDSHIPS
from adapters.sql.units import sql_of
from identity.friends import Standing, Step
from kernel.units import Transaction
from tests.identity.crowds import crowd
from tests.worlds import Person, World, world

ROUNDS = 8


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.service("postgres"))])
async def here(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgres").create_database()
    async with world(tmp_path, database_url=url) as made:
        yield made


async def rows(here: World) -> tuple[int, int]:
    """How many friendships or requests there are, and how many blocks."""

    async def count(unit: Transaction) -> tuple[int, int]:
        connection = sql_of(unit).connection
        ties = (await connection.execute(select(func.count()).select_from(FRIENDSHIPS))).scalar_one()
        blocks = (await connection.execute(select(func.count()).select_from(BLOCKS))).scalar_one()
        return ties, blocks

    return await here.platform.database.units.read(count)


async def standing(one: Person, other: Person) -> str:
    return str((await one.get(f"/v1/users/{other.id}")).body["friendship"])


async def test_what_two_people_do_to_each_other_at_once_is_as_if_one_had_been_first(here: World) -> None:
    ada, bob = await here.people("ada", "bob")
    for number in range(ROUNDS):
        answers = await asyncio.gather(ada.post(f"/v1/users/{bob.id}/friend"), bob.post(f"/v1/users/{ada.id}/friend"))
        assert [answer.status for answer in answers] == [200, 200]
        assert sorted(answer.body["friendship"] for answer in answers) == ["accepted", "outgoing"]
        assert (await standing(ada, bob), await standing(bob, ada)) == ("accepted", "accepted")
        assert await rows(here) == (1, 0)
        assert (await ada.delete(f"/v1/users/me/friends/{bob.id}")).status == 204

        await ada.post(f"/v1/users/{bob.id}/friend")
        taken_back, accepted = await asyncio.gather(
            ada.delete(f"/v1/users/me/friends/{bob.id}"), bob.post(f"/v1/users/me/friends/{ada.id}/accept")
        )
        # Accepted first, it was a friendship that ended.
        assert taken_back.status == 204
        assert accepted.status in (200, 404)
        assert await rows(here) == (0, 0)

        # A block wins over whatever happens beside it.
        if number % 2:
            await bob.post(f"/v1/users/{ada.id}/friend")
        blocked, asked, again = await asyncio.gather(
            ada.post(f"/v1/users/{bob.id}/block"),
            bob.post(f"/v1/users/{ada.id}/friend"),
            ada.post(f"/v1/users/{bob.id}/block"),
        )
        assert (blocked.status, again.status) == (204, 204)
        assert asked.status in (200, 404)
        assert await rows(here) == (0, 1)
        await ada.delete(f"/v1/users/{bob.id}/block")


async def test_many_who_ask_one_person_at_once_all_wait(here: World) -> None:
    ada, *others = await here.people("ada", *(f"asker-{letter}" for letter in "pqrstuvw"))
    answers = await asyncio.gather(*(other.post(f"/v1/users/{ada.id}/friend") for other in others))
    assert {answer.status for answer in answers} == {200}
    accepted = await asyncio.gather(*(ada.post(f"/v1/users/me/friends/{other.id}/accept") for other in others))
    assert {answer.status for answer in accepted} == {200}
    listed = (await ada.get("/v1/users/me/friends")).body["items"]
    assert {item["id"] for item in listed} == {str(other.id) for other in others}

    # Nobody has to ask again because others ask as well.
    [star], fans = await crowd(here, ["Star"]), await crowd(here, ["Fan"] * 50)
    friends = here.started.people.acquaintances.friends
    met = await asyncio.gather(*(friends.meet(fan.id, star.id, Step.ASK) for fan in fans))
    assert {acquaintance.standing for acquaintance in met} == {Standing.OUTGOING}
