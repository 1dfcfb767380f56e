"""Many people at once: what is said to be exact is, and of two who contradict each other one comes first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.adapters.sql.relational import BACKENDS, url_for
from tests.chat.parties import INTELLIGENT, answer, at, group, mode, persistent, propose, roles, state
from tests.worlds import Person, World, world

# Of two that race either may win; often enough for both to.
ROUNDS = 6


@pytest.fixture(params=BACKENDS[:2])
async def here(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path, database_url=url_for(request.param, request)) as found:
        yield found


async def test_two_people_have_one_conversation_with_one_question(here: World) -> None:
    ada, bob = await here.people("ada", "bob")
    asked = [(ada, bob) if number % 2 else (bob, ada) for number in range(50)]
    made = await asyncio.gather(
        *(one.post("/v1/conversations", {"type": "direct", "participant_ids": [str(o.id)]}) for one, o in asked)
    )
    assert {item.status for item in made} <= {200, 201}, [item.body for item in made]
    assert [item.status for item in made].count(201) == 1
    assert len({item.body["id"] for item in made}) == 1
    for person in (ada, bob):
        listed = await person.get("/v1/conversations")
        assert [item["member_count"] for item in listed.body["items"]] == [2]
    found = await asyncio.gather(
        *(one.post(at(made[0].body, "/mode/proposals"), INTELLIGENT) for one in [ada, bob] * 5)
    )
    assert sorted(item.status for item in found) == [201] + [409] * 9


async def test_places_and_uses_are_as_many_as_there_are(here: World) -> None:
    ada, *others = await here.people("ada", *(f"person{letter}" for letter in "abcdefghjkmn"))
    public = await group(ada, is_public=True, max_members=8)
    answers = await asyncio.gather(*(persistent(p.post, at(public, "/join")) for p in others))
    assert sorted(item.status for item in answers) == [200] * 7 + [409] * 5
    assert {item.code for item in answers if item.status == 409} == {"conversation_full"}
    assert len(await roles(ada, public)) == 8

    closed = await group(ada)
    token = {"token": (await ada.post(at(closed, "/invites"), {"max_uses": 4})).body["token"]}
    answers = await asyncio.gather(*(persistent(p.post, "/v1/conversations/join", token) for p in others))
    assert sorted(item.status for item in answers) == [200] * 4 + [422] * 8
    assert [item["uses"] for item in (await ada.get(at(closed, "/invites"))).body["items"]] == [4]
    assert len(await roles(ada, closed)) == 5


async def test_the_count_is_true_and_there_is_one_owner_however_people_come_and_go(here: World) -> None:
    ada, *others = await here.people("ada", *(f"person{letter}" for letter in "abcde"))
    made = await group(ada, is_public=True)
    statuses: set[int] = set()

    async def restless(person: Person) -> None:
        for place in ["/join", "/leave"] * 4 + ["/join"]:
            statuses.add((await person.post(at(made, place))).status)

    async def strict(owner: Person) -> None:
        for person in others * 2:
            who = {"user_id": str(person.id)}
            statuses.add((await owner.delete(at(made, f"/participants/{person.id}"))).status)
            statuses.add((await owner.post(at(made, "/participants"), who)).status)
            statuses.add((await owner.post(at(made, "/owner"), who)).status)

    # One of the strict is always there, so that the group does not end with its last member.
    await asyncio.gather(*(strict(person) for person in (ada, others[0])), *(restless(p) for p in others[1:]))
    assert statuses <= {200, 201, 204, 403, 404, 409, 422}
    await persistent(ada.post, at(made, "/join"))
    assert list((await roles(ada, made)).values()).count("owner") == 1


async def test_the_last_consents_at_once_change_the_mode_once(here: World) -> None:
    ada, *others = await here.people("ada", "bob", "cleo", "dan", "eve", "fay")
    made = await group(ada, *others)
    proposal = await propose(ada, made)
    said = await asyncio.gather(*(persistent(answer, p, made, proposal) for p in others))
    assert sorted(item.body["state"] for item in said) == ["accepted"] + ["open"] * 4
    assert await mode(ada, made) == ("intelligent", 2)


async def test_nobody_comes_into_what_turns_intelligent_behind_them(here: World) -> None:
    ada, bob, cleo = await here.people("ada", "bob", "cleo")
    for _ in range(ROUNDS):
        made = await group(ada, bob, is_public=True)
        proposal = await propose(ada, made)
        agreed, joined = await asyncio.gather(
            persistent(answer, bob, made, proposal),
            persistent(cleo.post, at(made, "/join")),
        )
        # Either they are there and are asked, or it was over and they are told.
        if joined.status == 200:
            assert (joined.body["mode"], agreed.body["state"]) == ("secure", "open")
        else:
            assert (joined.code, agreed.body["state"]) == ("mode_not_accepted", "accepted")


async def test_who_asks_for_secure_has_secure(here: World) -> None:
    ada, bob = await here.people("ada", "bob")
    for _ in range(ROUNDS):
        made = await group(ada, bob)
        proposal = await propose(ada, made)
        await asyncio.gather(
            persistent(answer, bob, made, proposal),
            persistent(ada.patch, at(made, "/settings"), {"mode": "secure"}),
        )
        assert (await mode(ada, made))[0] == "secure"
        assert await state(ada, made, proposal) in ("accepted", "withdrawn")


async def test_whoever_is_banned_is_out_whenever_they_come(here: World) -> None:
    ada, bob = await here.people("ada", "bob")
    for _ in range(ROUNDS):
        made = await group(ada, is_public=True)
        banned, _ = await asyncio.gather(
            persistent(ada.put, at(made, f"/bans/{bob.id}")),
            persistent(bob.post, at(made, "/join")),
        )
        assert banned.status == 204
        assert (await bob.get(at(made))).status == 404
        assert set(await roles(ada, made)) == {ada.id}
