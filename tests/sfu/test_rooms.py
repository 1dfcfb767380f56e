"""Rooms over HTTP: whose they are, that they stay, and the tokens that let somebody into one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from identity.roomtokens import Grants, Source
from kernel.errors import Unauthenticated
from sfu import rooms
from tests.worlds import Answer, Caller, World, world

GRANTS = {"join": True, "publish": ["camera", "microphone"], "subscribe": True, "data": True}


async def key(here: World, *scopes: str) -> Caller:
    made = await here.started.people.api_keys.make(actor="test", name="Bookings", scopes=scopes, expires_at=None)
    return Caller(here.session, made[1])


async def made(who: Caller, name: str = "Stand-up", **more: Any) -> dict[str, Any]:
    answer = await who.post("/v1/rooms", {"name": name, **more})
    assert answer.status == 201, answer.body
    room: dict[str, Any] = answer.body
    return room


async def minted(who: Caller, room: dict[str, Any], **more: Any) -> Answer:
    return await who.post(f"/v1/rooms/{room['id']}/tokens", {"identity": "guest 7", "grants": GRANTS, **more})


async def test_a_room_is_what_was_asked_for_and_secure_unless_that_says_otherwise(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        plain = await made(ada)
        assert {name: value for name, value in plain.items() if name not in ("id", "created_at")} == {
            "name": "Stand-up",
            "mode": "secure",
            "max_participants": rooms.MOST_PARTICIPANTS,
            "empty_timeout": 300,
            "waiting_room": False,
            "metadata": None,
        }
        wanted = {
            "mode": "intelligent",
            "max_participants": 3,
            "empty_timeout": 0,
            "waiting_room": True,
            "metadata": "x",
        }
        full = await made(ada, "Board", **wanted)
        assert full.items() >= wanted.items()
        assert (await ada.get(f"/v1/rooms/{full['id']}")).body == full
        for body in (
            {},
            {"name": " "},
            {"name": "a\u202eb"},
            {"name": "x" * 101},
            {"name": "x", "mode": "open"},
            {"name": "x", "max_participants": 0},
            {"name": "x", "metadata": "\u20ac" * 1366},
            {"name": "x", "colour": "red"},
        ):
            assert (await ada.post("/v1/rooms", body)).status == 422, body


async def test_rooms_are_listed_newest_first_and_seen_by_nobody_else(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        program, other = await key(here, "rooms:read", "rooms:write"), await key(here, "rooms:read")
        of_ada = [await made(ada, f"Room {number}") for number in range(3)]
        installed = await made(program, "Support")
        first = (await ada.get("/v1/rooms?limit=2")).body
        assert first["items"] == [of_ada[2], of_ada[1]]
        second = (await ada.get(f"/v1/rooms?limit=2&cursor={first['next_cursor']}")).body
        assert second == {"items": [of_ada[0]], "next_cursor": None}
        assert (await bob.get("/v1/rooms")).body["items"] == []
        for caller in (program, other):
            assert (await caller.get("/v1/rooms")).body["items"] == [installed]
        for caller, room in ((bob, of_ada[0]), (program, of_ada[0]), (ada, installed), (ada, {"id": uuid4()})):
            path = f"/v1/rooms/{room['id']}"
            answers = [await caller.get(path), await caller.delete(path)]
            if caller is not program:
                answers.append(await minted(caller, room))
            assert [(answer.status, answer.code) for answer in answers] == [(404, "not_found")] * len(answers)
        assert (await other.delete(f"/v1/rooms/{installed['id']}")).code == "insufficient_scope"
        assert (await ada.delete(f"/v1/rooms/{of_ada[1]['id']}")).status == 204
        assert (await minted(ada, of_ada[1])).status == 404
        assert (await ada.get("/v1/rooms")).body["items"] == [of_ada[2], of_ada[0]]


async def test_a_room_and_its_tokens_outlast_the_process(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        room = await made(ada)
        token = (await minted(ada, room)).body["token"]
    async with world(tmp_path) as here:
        assert (await Caller(here.session, ada.token).get(f"/v1/rooms/{room['id']}")).body == room
        assert str(here.started.people.room_tokens.verify(token).room) == room["id"]


async def test_an_api_key_mints_what_lets_a_guest_in_with_what_was_granted_and_no_more(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        maker, minter = await key(here, "rooms:write"), await key(here, "tokens:mint")
        room = await made(maker)
        answer = await minted(minter, room, name="Guest", metadata='{"seat": 7}', ttl=60)
        assert answer.status == 201
        assert answer.body["url"].startswith("ws://127.0.0.1:")
        said = here.started.people.room_tokens.verify(answer.body["token"])
        assert said.admission.grants == Grants(
            join=True, publish=frozenset({Source.CAMERA, Source.MICROPHONE}), subscribe=True, data=True
        )
        assert (said.sub, said.name, said.metadata, str(said.room)) == ("guest 7", "Guest", '{"seat": 7}', room["id"])
        assert said.exp - said.iat == 60
        assert (await minted(maker, room)).code == "insufficient_scope"
        # It lets nobody in anywhere else.
        guest = Caller(here.session, answer.body["token"])
        assert (await guest.get("/v1/users/me")).code == "invalid_token"
        with pytest.raises(Unauthenticated):
            here.started.people.room_tokens.verify(str((await here.person("ada")).token))
        for wrong, code in (
            ({"grants": {"hidden": True, "data": True}}, "contradictory_grants"),
            ({"grants": {"fly": True}}, "validation_failed"),
            ({"grants": {"publish": ["television"]}}, "validation_failed"),
            ({"identity": ""}, "validation_failed"),
            ({"identity": "a\tb"}, "invalid_identity"),
            ({"name": "\u200b"}, "invalid_display_name"),
            ({"metadata": "x" * 1025}, "invalid_metadata"),
            ({"ttl": 9}, "validation_failed"),
        ):
            answer = await minted(minter, room, **wrong)
            assert (answer.status, answer.code) == (422, code), wrong


async def test_of_many_who_make_a_room_at_once_as_many_do_as_there_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rooms, "MOST_OF_AN_ACCOUNT", 3)
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        answers = await asyncio.gather(*(ada.post("/v1/rooms", {"name": f"Room {number}"}) for number in range(8)))
        assert sorted(answer.status for answer in answers) == [201] * 3 + [422] * 5
        assert {answer.code for answer in answers if answer.status == 422} == {"too_many_rooms"}
        await made(bob)
