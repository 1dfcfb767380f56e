"""Two people have one conversation, whoever begins it and however often."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.adapters.sql.relational import BACKENDS, url_for
from tests.chat.parties import at, direct
from tests.worlds import world


async def test_a_direct_conversation_is_found_again_from_both_sides(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        first = await ada.post("/v1/conversations", {"type": "direct", "participant_ids": [str(bob.id)]})
        again = await bob.post("/v1/conversations", {"type": "direct", "participant_ids": [str(ada.id)]})
        assert (first.status, again.status) == (201, 200)
        assert first.body["id"] == again.body["id"]
        body = first.body
        assert (body["type"], body["title"], body["mode"]) == ("direct", None, "secure")
        assert (body["member_count"], body["max_members"], body["unread"]) == (2, 2, 0)
        assert [face["username"] for face in body["participants"]] == ["bob"]
        assert [face["username"] for face in again.body["participants"]] == ["ada"]


@pytest.mark.parametrize("backend", BACKENDS[:2])
async def test_fifty_at_once_from_both_sides_make_one(
    backend: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    async with world(tmp_path, database_url=url_for(backend, request)) as here:
        ada, bob = await here.people("ada", "bob")
        asked = [(ada, bob) if number % 2 else (bob, ada) for number in range(50)]
        made = await asyncio.gather(
            *(one.post("/v1/conversations", {"type": "direct", "participant_ids": [str(o.id)]}) for one, o in asked)
        )
        assert {answer.status for answer in made} <= {200, 201}, [answer.body for answer in made]
        assert [answer.status for answer in made].count(201) == 1
        assert len({answer.body["id"] for answer in made}) == 1
        for person in (ada, bob):
            listed = await person.get("/v1/conversations")
            assert [item["member_count"] for item in listed.body["items"]] == [2]


@pytest.mark.parametrize("more", [{"title": "Us"}, {"is_public": True}, {"settings": {"mode_policy": "owner"}}])
async def test_a_direct_conversation_has_nothing_that_is_for_groups(tmp_path: Path, more: dict[str, object]) -> None:
    async with world(tmp_path) as here:
        ada, bob, cleo = await here.people("ada", "bob", "cleo")
        body = {"type": "direct", "participant_ids": [str(bob.id)]}
        assert (await ada.post("/v1/conversations", {**body, **more})).code == "direct_conversation"
        for people in ([], [ada.id], [bob.id, cleo.id]):
            named = {"type": "direct", "participant_ids": [str(person) for person in people]}
            assert (await ada.post("/v1/conversations", named)).code == "direct_conversation"
        made = await direct(ada, bob)
        assert (await ada.post(at(made, "/participants"), {"user_id": str(cleo.id)})).code == "direct_conversation"
        assert (await ada.post(at(made, "/leave"))).code == "direct_conversation"
        assert (await ada.patch(at(made), {"title": "Us"})).code == "direct_conversation"
        assert (await ada.patch(at(made, "/settings"), {"mode_policy": "owner"})).code == "direct_conversation"
        assert (await ada.post(at(made, "/invites"))).code == "direct_conversation"


async def test_either_of_the_two_ends_it_for_both(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob, cleo = await here.people("ada", "bob", "cleo")
        made = await direct(ada, bob)
        assert (await cleo.delete(at(made))).status == 404
        assert (await bob.delete(at(made))).status == 204
        assert (await ada.get(at(made))).status == 404
        anew = await direct(ada, bob)
        assert anew["id"] != made["id"]


async def test_who_is_blocked_gone_or_never_was_is_answered_alike(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        await direct(ada, bob)
        assert (await bob.post(f"/v1/users/{ada.id}/block")).status == 204
        nobody = "01890000-0000-7000-8000-000000000000"
        answers = [
            await one.post("/v1/conversations", {"type": "direct", "participant_ids": [other]})
            for one, other in ((ada, str(bob.id)), (bob, str(ada.id)), (ada, nobody))
        ]
        assert {(answer.status, answer.code, answer.body["detail"]) for answer in answers} == {
            (422, "participant_unavailable", "Some of these people cannot be reached by you.")
        }
