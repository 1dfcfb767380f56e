"""Two people have one conversation, whoever begins it and however often."""

from __future__ import annotations

from pathlib import Path

from tests.chat.parties import INTELLIGENT, answer, at, direct, propose
from tests.worlds import world

NOBODY = "01890000-0000-7000-8000-000000000000"


async def test_a_direct_conversation_is_found_again_until_either_of_the_two_ends_it(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob, cleo = await here.people("ada", "bob", "cleo")
        first = await ada.post("/v1/conversations", {"type": "direct", "participant_ids": [str(bob.id)]})
        again = await bob.post("/v1/conversations", {"type": "direct", "participant_ids": [str(ada.id)]})
        assert (first.status, again.status) == (201, 200)
        assert first.body["id"] == again.body["id"]
        body = first.body
        assert (body["type"], body["title"], body["mode"]) == ("direct", None, "secure")
        assert (body["member_count"], body["max_members"], body["unread"]) == (2, 2, 0)
        assert [face["username"] for face in body["participants"]] == ["bob"]
        assert [face["username"] for face in again.body["participants"]] == ["ada"]
        assert (await cleo.delete(at(body))).status == 404
        assert (await bob.delete(at(body))).status == 204
        assert (await ada.get(at(body))).status == 404
        assert (await direct(ada, bob))["id"] != body["id"]


async def test_a_direct_conversation_has_nothing_that_is_for_groups(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob, cleo = await here.people("ada", "bob", "cleo")
        body = {"type": "direct", "participant_ids": [str(bob.id)]}
        for more in ({"title": "Us"}, {"is_public": True}, {"settings": {"mode_policy": "owner"}}):
            assert (await ada.post("/v1/conversations", {**body, **more})).code == "direct_conversation"
        for people in ([], [ada.id], [bob.id, cleo.id]):
            named = {"type": "direct", "participant_ids": [str(person) for person in people]}
            assert (await ada.post("/v1/conversations", named)).code == "direct_conversation"
        made = await direct(ada, bob)
        refused = [
            await ada.post(at(made, "/participants"), {"user_id": str(cleo.id)}),
            await ada.post(at(made, "/leave")),
            await ada.patch(at(made), {"title": "Us"}),
            await ada.patch(at(made, "/settings"), {"mode_policy": "owner"}),
            await ada.post(at(made, "/invites")),
            await ada.put(at(made, f"/bans/{bob.id}")),
            await ada.delete(at(made, f"/participants/{bob.id}?ban=true")),
            await ada.get(at(made, "/bans")),
        ]
        assert {(item.status, item.code) for item in refused} == {(422, "direct_conversation")}


async def test_who_is_blocked_disabled_or_never_was_is_answered_alike(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        root, ada, bob, cleo = await here.admin("root.one"), *await here.people("ada", "bob", "cleo")
        made, other = await direct(ada, bob), await direct(ada, cleo)
        asked = await propose(bob, made)
        assert (await bob.post(f"/v1/users/{ada.id}/block")).status == 204
        assert (await root.patch(f"/v1/admin/users/{cleo.id}", {"state": "disabled"})).status == 200
        answers = [
            await one.post("/v1/conversations", {"type": "direct", "participant_ids": [who]})
            for one, who in ((ada, str(bob.id)), (bob, str(ada.id)), (ada, str(cleo.id)), (ada, NOBODY))
        ]
        # Nor is a question put to somebody who does not want to hear from whoever asks, or who cannot answer.
        answers.append(await ada.post(at(other, "/mode/proposals"), INTELLIGENT))
        assert (await answer(ada, made, asked, "refuse")).status == 200
        answers.append(await ada.post(at(made, "/mode/proposals"), INTELLIGENT))
        assert {(item.status, item.code, item.body["detail"]) for item in answers} == {
            (422, "participant_unavailable", "Some of these people cannot be reached by you.")
        }
