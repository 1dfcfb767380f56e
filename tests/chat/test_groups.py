"""Groups: who is in them, who may do what, and that their count is always true."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.sql.relational import BACKENDS, url_for
from tests.chat.parties import at, group, roles
from tests.worlds import Answer, Person, world


async def test_a_group_begins_with_its_maker_as_owner(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob, cleo = await here.people("ada", "bob", "cleo")
        made = await group(ada, bob, cleo, title="  Tea  ", description="On Fridays", max_members=10)
        assert (made["type"], made["title"], made["description"]) == ("group", "Tea", "On Fridays")
        assert (made["mode"], made["mode_version"], made["role"], made["member_count"]) == ("secure", 1, "owner", 3)
        assert (made["is_public"], made["allow_invites"], made["max_members"]) == (False, True, 10)
        assert made["settings"] == {
            "is_e2ee_enabled": True,
            "ai_enabled": False,
            "recording_enabled": False,
            "retention": None,
            "mode_policy": "all_consent",
        }
        assert await roles(bob, made) == {ada.id: "owner", bob.id: "member", cleo.id: "member"}


async def test_strangers_learn_nothing_of_a_conversation(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob, eve = await here.people("ada", "bob", "eve")
        made = await group(ada, bob)
        proposal = (await ada.post(at(made, "/mode/proposals"), {"mode": "intelligent"})).body["id"]
        asked = [
            await eve.get(at(made)),
            await eve.patch(at(made), {"title": "Mine"}),
            await eve.delete(at(made)),
            await eve.patch(at(made, "/settings"), {"mode": "secure"}),
            await eve.get(at(made, "/participants")),
            await eve.post(at(made, "/participants"), {"user_id": str(eve.id)}),
            await eve.delete(at(made, f"/participants/{bob.id}")),
            await eve.patch(at(made, f"/participants/{bob.id}"), {"role": "admin"}),
            await eve.post(at(made, "/leave")),
            await eve.post(at(made, "/join")),
            await eve.post(at(made, "/owner"), {"user_id": str(eve.id)}),
            await eve.post(at(made, "/invites")),
            await eve.get(at(made, "/invites")),
            await eve.get(at(made, "/mode/proposals")),
            await eve.post(at(made, "/mode/proposals"), {"mode": "intelligent"}),
            await eve.post(at(made, f"/mode/proposals/{proposal}/consent"), {"answer": "refuse"}),
        ]
        assert [answer.status for answer in asked] == [404] * len(asked)
        assert {answer.code for answer in asked} == {"not_found"}


async def test_roles_allow_what_they_say(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob, cleo, dan, eve = await here.people("ada", "bob", "cleo", "dan", "eve")
        made = await group(ada, bob, cleo, dan)
        promoted = await ada.patch(at(made, f"/participants/{bob.id}"), {"role": "admin"})
        assert (promoted.status, promoted.body["role"]) == (200, "admin")
        refused = [
            await cleo.patch(at(made), {"title": "Coup"}),
            await cleo.post(at(made, "/participants"), {"user_id": str(eve.id)}),
            await cleo.delete(at(made, f"/participants/{dan.id}")),
            await cleo.post(at(made, "/invites")),
            await cleo.patch(at(made, "/settings"), {"retention": 30}),
            await bob.delete(at(made, f"/participants/{ada.id}")),
            await bob.patch(at(made, f"/participants/{cleo.id}"), {"role": "admin"}),
            await bob.post(at(made, "/owner"), {"user_id": str(bob.id)}),
            await bob.delete(at(made)),
        ]
        assert {(answer.status, answer.code) for answer in refused} == {(403, "not_permitted")}
        assert (await bob.delete(at(made, f"/participants/{cleo.id}"))).status == 204
        added = await bob.post(at(made, "/participants"), {"participant_ids": [str(eve.id), str(dan.id)]})
        assert {item["username"] for item in added.body["items"]} == {"eve", "dan"}
        changed = await bob.patch(at(made), {"title": "Tea", "is_public": True})
        assert (changed.body["title"], changed.body["is_public"]) == ("Tea", True)
        assert await roles(ada, made) == {ada.id: "owner", bob.id: "admin", dan.id: "member", eve.id: "member"}
        assert (await ada.patch(at(made, f"/participants/{dan.id}"), {"role": "owner"})).code == "validation_failed"
        assert (await ada.patch(at(made, f"/participants/{cleo.id}"), {"role": "admin"})).code == "not_found"
        assert (await ada.delete(at(made))).status == 204
        assert (await bob.get(at(made))).status == 404


async def test_an_owner_hands_over_by_hand_or_by_leaving(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob, cleo, dan = await here.people("ada", "bob", "cleo", "dan")
        made = await group(ada, bob, cleo)
        assert (await ada.post(at(made, "/owner"), {"user_id": str(dan.id)})).status == 404
        assert (await ada.post(at(made, "/owner"), {"user_id": str(ada.id)})).code == "owner_already"
        assert (await ada.post(at(made, "/owner"), {"user_id": str(cleo.id)})).body["role"] == "admin"
        assert await roles(bob, made) == {ada.id: "admin", bob.id: "member", cleo.id: "owner"}
        await cleo.post(at(made, "/participants"), {"user_id": str(dan.id)})
        assert (await cleo.post(at(made, "/leave"))).status == 204
        assert await roles(bob, made) == {ada.id: "owner", bob.id: "member", dan.id: "member"}
        assert (await ada.delete(at(made, f"/participants/{ada.id}"))).status == 204
        assert await roles(dan, made) == {bob.id: "owner", dan.id: "member"}
        assert (await dan.post(at(made, "/leave"))).status == 204
        assert (await bob.post(at(made, "/leave"))).status == 204
        assert (await bob.get(at(made))).status == 404
        assert (await bob.get("/v1/conversations")).body["items"] == []


async def test_nobody_is_brought_together_with_whom_they_blocked(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob, cleo = await here.people("ada", "bob", "cleo")
        await bob.post(f"/v1/users/{ada.id}/block")
        body = {"type": "group", "participant_ids": [str(bob.id), str(cleo.id)]}
        refused = await ada.post("/v1/conversations", body)
        assert (refused.status, refused.code) == (422, "participant_unavailable")
        assert [item["message"] for item in refused.body["errors"]] == [f"{bob.id} cannot be reached by you"]
        assert (await cleo.get("/v1/conversations")).body["items"] == []
        made = await group(ada, cleo, is_public=True)
        added = await ada.post(at(made, "/participants"), {"user_id": str(bob.id)})
        assert added.code == "participant_unavailable"
        assert (await bob.post(at(made, "/join"))).status == 404


async def test_public_groups_are_found_by_words_and_joined_by_anybody(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        tea = await group(ada, title="Café Zürich", description="100% tea_time", is_public=True)
        await group(ada, title="Café, closed")

        async def found(words: str) -> list[str]:
            answer = await bob.get(f"/v1/conversations/public?q={words}")
            assert answer.status == 200
            return [item["id"] for item in answer.body["items"]]

        for words in ("", "cafe", "ZURICH", "tea cafe", "100%25", "a_t"):
            assert await found(words) == [tea["id"]], words
        for words in ("100_", "%25%25", "coffee", "cafe coffee"):
            assert await found(words) == [], words
        joined = await bob.post(at(tea, "/join"))
        assert (joined.status, joined.body["role"], joined.body["member_count"]) == (200, "member", 2)
        assert (await bob.post(at(tea, "/join"))).body["member_count"] == 2
        assert (await roles(bob, tea))[bob.id] == "member"


@pytest.mark.parametrize("change", [{"max_members": 1}, {"max_members": 1001}, {"name": "x"}, {"title": "x" * 129}])
async def test_what_cannot_be_is_refused_by_name(tmp_path: Path, change: dict[str, object]) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        refused = await ada.post("/v1/conversations", {"type": "group", **change})
        assert (refused.status, refused.code) == (422, "validation_failed")
        assert (await ada.post("/v1/conversations", {"type": "group", "title": "a\nb"})).code == "invalid_title"


async def test_a_group_is_never_smaller_than_it_is(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob, cleo = await here.people("ada", "bob", "cleo")
        made = await group(ada, bob, cleo)
        assert (await ada.patch(at(made), {"max_members": 2})).code == "more_members_than_that"
        assert (await ada.patch(at(made), {"max_members": 3})).body["max_members"] == 3
        full = await ada.post(
            "/v1/conversations", {"type": "group", "max_members": 2, "participant_ids": [str(bob.id), str(cleo.id)]}
        )
        assert (full.status, full.code) == (409, "conversation_full")


async def joining(person: Person, made: dict[str, Any]) -> Answer:
    """Trying again when too many others were faster, as any client does."""
    while True:
        answer = await person.post(at(made, "/join"))
        if answer.status != 409 or answer.code != "write_contention":
            return answer


@pytest.mark.parametrize("backend", BACKENDS[:2])
async def test_the_last_places_go_to_as_many_as_there_are(
    backend: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    async with world(tmp_path, database_url=url_for(backend, request)) as here:
        ada, *others = await here.people("ada", *(f"person{letter}" for letter in "abcdefghjkmnopqrstuv"))
        made = await group(ada, is_public=True, max_members=8)
        answers = await asyncio.gather(*(joining(person, made) for person in others))
        assert sorted(answer.status for answer in answers) == [200] * 7 + [409] * 13
        assert {answer.code for answer in answers if answer.status == 409} == {"conversation_full"}
        assert len(await roles(ada, made)) == 8
        inside = [person for person, answer in zip(others, answers, strict=True) if answer.status == 200]
        left = await asyncio.gather(*(person.post(at(made, "/leave")) for person in inside))
        still = sum(answer.status != 204 for answer in left)
        assert len(await roles(ada, made)) == 1 + still


@pytest.mark.parametrize("backend", BACKENDS[:2])
async def test_the_count_is_true_however_people_come_and_go_at_once(
    backend: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    async with world(tmp_path, database_url=url_for(backend, request)) as here:
        ada, *others = await here.people("ada", *(f"person{letter}" for letter in "abcdef"))
        made = await group(ada, is_public=True)

        async def restless(person: Person) -> None:
            for _ in range(4):
                await person.post(at(made, "/join"))
                await person.post(at(made, "/join"))
                await person.post(at(made, "/leave"))
            await person.post(at(made, "/join"))

        async def strict(owner: Person) -> None:
            for person in others * 2:
                await owner.delete(at(made, f"/participants/{person.id}"))
                await owner.post(at(made, "/participants"), {"user_id": str(person.id)})

        await asyncio.gather(strict(ada), *(restless(person) for person in others))
        assert (await roles(ada, made))[ada.id] == "owner"
