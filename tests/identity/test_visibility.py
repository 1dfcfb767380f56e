"""What people say of themselves, and who sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from identity.visibility import MAX_STATUS_TEXT, Audience
from tests.identity.crowds import become_friends
from tests.worlds import Caller, Person, world


async def seen(who: Caller, whom: Person) -> object:
    return (await who.get(f"/v1/users/{whom.id}")).body["status_text"]


@pytest.mark.parametrize(
    ("audience", "friend", "sees"),
    [
        (Audience.EVERYONE, False, True),
        (Audience.EVERYONE, True, True),
        (Audience.FRIENDS, False, False),
        (Audience.FRIENDS, True, True),
        (Audience.NOBODY, False, False),
        (Audience.NOBODY, True, False),
    ],
)
def test_an_audience_admits(audience: Audience, friend: bool, sees: bool) -> None:
    assert audience.admits(friend=friend) is sees


async def test_everybody_begins_with_the_usual_and_changes_one_by_one(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        usual = {"status": "everyone", "last_seen": "friends", "friend_requests": "everyone"}
        assert (await ada.get("/v1/users/me/visibility")).body == usual
        changed = await ada.patch("/v1/users/me/visibility", {"last_seen": "nobody"})
        assert changed.body == usual | {"last_seen": "nobody"}
        await ada.patch("/v1/users/me/visibility", {"friend_requests": "friends_of_friends", "status": "friends"})
        settled = {"status": "friends", "last_seen": "nobody", "friend_requests": "friends_of_friends"}
        assert (await ada.get("/v1/users/me/visibility")).body == settled
        for body in ({"status": "some"}, {"last_seen": None, "who": 1}, {"friend_requests": "friends"}):
            assert (await ada.patch("/v1/users/me/visibility", body)).code == "validation_failed"
        assert (await here.stranger.get("/v1/users/me/visibility")).status == 401

        await ada.patch("/v1/users/me", {"status_text": "away"})
        await ada.patch("/v1/users/me", {"display_name": "Countess"})
        for text in ("two\nlines", "turned \u202e round", "bell\u0007", "x" * (MAX_STATUS_TEXT + 1)):
            answer = await ada.patch("/v1/users/me", {"status_text": text, "display_name": "Other"})
            assert (answer.status, answer.code) == (422, "invalid_status_text"), text
        me = (await ada.get("/v1/users/me")).body
        assert (me["display_name"], me["status_text"]) == ("Countess", "away")
        assert (await ada.get("/v1/users/me/visibility")).body == settled


async def test_a_status_text_is_seen_by_whom_it_is_meant_for(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob, eve, blocked = await here.people("ada", "bob", "eve", "blocked")
        await become_friends(ada, bob)
        assert await seen(bob, ada) is None
        said = await ada.patch("/v1/users/me", {"status_text": "  On a <b>boat</b> ⛵ "})
        assert said.body["status_text"] == "On a <b>boat</b> ⛵"
        for audience, to_bob, to_eve in (("everyone", True, True), ("friends", True, False), ("nobody", False, False)):
            await ada.patch("/v1/users/me/visibility", {"status": audience})
            assert (await seen(bob, ada) is not None, await seen(eve, ada) is not None) == (to_bob, to_eve)
            for who, sees in ((bob, to_bob), (eve, to_eve)):
                [item] = (await who.get("/v1/users/search?q=ada")).body["items"]
                assert (item["status_text"] is not None) == sees
            [item] = (await bob.get("/v1/users/me/friends")).body["items"]
            assert (item["status_text"] is not None) == to_bob
            assert (await ada.get("/v1/users/me")).body["status_text"] is not None
        await ada.patch("/v1/users/me/visibility", {"status": "everyone"})
        assert await seen(blocked, ada) is not None
        await blocked.post(f"/v1/users/{ada.id}/block")
        assert await seen(blocked, ada) is None, "whoever blocks does not want to know either"
        assert (await blocked.get("/v1/users/me/blocked")).body["items"][0]["status_text"] is None
        assert (await ada.patch("/v1/users/me", {"status_text": ""})).body["status_text"] is None
