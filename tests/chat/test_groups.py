"""Groups: who is in them, who may do what, and that their count is always true."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from chat import conversations
from chat.conversations import GroupPlan
from chat.mode import UNCHANGED
from identity.audit import AuditFilter
from kernel.errors import Unprocessable
from tests.chat.parties import at, group, listening, roles
from tests.worlds import world


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
        async with listening(here, dan) as heard:
            assert (await ada.delete(at(made, f"/participants/{ada.id}"))).status == 204
            assert (await heard.until("owner_changed"))["user_id"] == str(bob.id)
        assert await roles(dan, made) == {bob.id: "owner", dan.id: "member"}
        assert (await dan.post(at(made, "/leave"))).status == 204
        assert (await bob.post(at(made, "/leave"))).status == 204
        assert (await bob.get(at(made))).status == 404
        assert (await bob.get("/v1/conversations")).body["items"] == []
        page = await here.started.people.audit.page(AuditFilter(subject=made["id"]), cursor=None, limit=9)
        assert [(entry.actor, entry.details) for entry in page.items if entry.action == "conversation.owner"] == [
            (str(one.id), {"owner": str(other.id)}) for one, other in ((ada, bob), (cleo, ada), (ada, cleo))
        ]


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
        # Of somebody who is there already it does not tell whether they have.
        await cleo.post(f"/v1/users/{ada.id}/block")
        added = await ada.post(at(made, "/participants"), {"user_id": str(cleo.id)})
        assert (added.status, [item["username"] for item in added.body["items"]]) == (201, ["cleo"])
        await cleo.delete(f"/v1/users/{ada.id}/block")
        assert (await bob.post(at(made, "/join"))).status == 404
        # What cannot be joined is not offered either; nor does an invite show it.
        token = {"token": (await ada.post(at(made, "/invites"))).body["token"]}
        assert (await bob.post("/v1/conversations/join/preview", token)).status == 404
        for person, seen in ((ada, 1), (bob, 0), (cleo, 1)):
            assert len((await person.get("/v1/conversations/public")).body["items"]) == seen


async def test_public_groups_are_found_by_words_and_joined_by_anybody(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        tea = await group(ada, title="Café Zürich", description="100% tea_time and/or", is_public=True)
        await group(ada, title="Café, closed")

        async def found(words: str) -> list[str]:
            answer = await bob.get(f"/v1/conversations/public?q={words}")
            assert answer.status == 200
            return [item["id"] for item in answer.body["items"]]

        for words in ("", "cafe", "ZURICH", "tea cafe", "100%25", "a_t", "and/or"):
            assert await found(words) == [tea["id"]], words
        for words in ("100_", "%25%25", "coffee", "cafe coffee"):
            assert await found(words) == [], words
        joined = await bob.post(at(tea, "/join"))
        assert (joined.status, joined.body["role"], joined.body["member_count"]) == (200, "member", 2)
        assert (await bob.post(at(tea, "/join"))).body["member_count"] == 2
        assert (await roles(bob, tea))[bob.id] == "member"


async def test_what_cannot_be_is_refused_by_name_and_a_group_is_never_smaller_than_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path) as here:
        ada, bob, cleo = await here.people("ada", "bob", "cleo")
        for change in ({"max_members": 1}, {"max_members": 1001}, {"name": "x"}, {"title": "x" * 129}):
            refused = await ada.post("/v1/conversations", {"type": "group", **change})
            assert (refused.status, refused.code) == (422, "validation_failed")
        assert (await ada.post("/v1/conversations", {"type": "group", "title": "a\nb"})).code == "invalid_title"
        made = await group(ada, bob, cleo)
        assert (await ada.patch(at(made), {"max_members": 2})).code == "more_members_than_that"
        assert (await ada.patch(at(made), {"max_members": 3})).body["max_members"] == 3
        full = await ada.post(
            "/v1/conversations", {"type": "group", "max_members": 2, "participant_ids": [str(bob.id), str(cleo.id)]}
        )
        assert (full.status, full.code) == (409, "conversation_full")
        monkeypatch.setattr(conversations, "MOST_CONVERSATIONS", 1)
        for begun in ({"type": "group"}, {"type": "direct", "participant_ids": [str(bob.id)]}):
            refused = await ada.post("/v1/conversations", begun)
            assert (refused.status, refused.code) == (422, "too_many_conversations")


async def test_an_account_that_ended_while_it_asked_is_nowhere(tmp_path: Path) -> None:
    """A request is let in and waits, for its body or for others; meanwhile whoever made it is erased."""
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        made = await group(ada, is_public=True)
        chats, gone, conversation = here.started.chats, here.platform.ids.next(), UUID(made["id"])
        token = (await ada.post(at(made, "/invites"))).body["token"]
        for late in (
            chats.conversations.group(gone, GroupPlan(others=frozenset({ada.id}))),
            chats.conversations.direct(gone, ada.id, wish=UNCHANGED, retention=None),
            chats.members.join(conversation, gone, seen=None),
            chats.invites.join(gone, token, seen=None),
        ):
            with pytest.raises(Unprocessable) as refused:
                await late
            assert refused.value.code == "participant_unavailable"
        assert set(await roles(ada, made)) == {ada.id}
        assert len((await ada.get("/v1/conversations")).body["items"]) == 1
