"""Asking for friendship, answering and ending it; lists of friends, and who may be one soon."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from adapters.sql.identity import friendlists
from identity import befriending
from identity.announcements import channel_of
from identity.friends import Standing
from kernel.bus import BusEvent
from tests.identity.crowds import become_friends, befriend, crowd, statements
from tests.worlds import Caller, Person, World, world


async def ids_of(person: Caller, state: str = "accepted") -> list[str]:
    answer = await person.get(f"/v1/users/me/friends?state={state}")
    assert answer.status == 200, answer.body
    return [item["id"] for item in answer.body["items"]]


async def test_a_request_is_accepted_rejected_or_taken_back_by_the_one_it_is_up_to(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        asked = await ada.post(f"/v1/users/{bob.id}/friend")
        assert (asked.status, asked.body["friendship"], asked.body["username"]) == (200, "outgoing", "bob")
        assert (await ids_of(ada, "outgoing"), await ids_of(bob, "incoming")) == ([str(bob.id)], [str(ada.id)])
        assert (await ids_of(ada), await ids_of(bob)) == ([], [])
        assert (await ada.post(f"/v1/users/me/friends/{bob.id}/accept")).code == "not_found"
        assert (await ada.delete(f"/v1/users/me/friends/{bob.id}/reject")).code == "not_found"
        assert (await bob.delete(f"/v1/users/me/friends/{ada.id}")).code == "not_found"

        accepted = await bob.post(f"/v1/users/me/friends/{ada.id}/accept")
        assert (accepted.status, accepted.body["friendship"]) == (200, "accepted")
        assert (await ids_of(ada), await ids_of(bob)) == ([str(bob.id)], [str(ada.id)])
        assert (await ids_of(ada, "outgoing"), await ids_of(bob, "incoming")) == ([], [])
        assert (await ada.get(f"/v1/users/{bob.id}")).body["friendship"] == "accepted"
        assert (await bob.delete(f"/v1/users/me/friends/{ada.id}")).status == 204
        assert (await ids_of(ada), await ids_of(bob)) == ([], [])
        assert (await ada.delete(f"/v1/users/me/friends/{bob.id}")).code == "not_found"

        await ada.post(f"/v1/users/{bob.id}/friend")
        assert (await bob.delete(f"/v1/users/me/friends/{ada.id}/reject")).status == 204
        assert await ids_of(ada, "outgoing") == []
        await ada.post(f"/v1/users/{bob.id}/friend")
        assert (await ada.delete(f"/v1/users/me/friends/{bob.id}")).status == 204
        assert await ids_of(bob, "incoming") == []
        await ada.post(f"/v1/users/{bob.id}/friend")
        assert (await bob.post(f"/v1/users/{ada.id}/friend")).body["friendship"] == "accepted", "it answers"
        assert await ids_of(ada) == [str(bob.id)]

        assert (await ada.post(f"/v1/users/{ada.id}/friend")).code == "not_with_oneself"
        for nobody in (str(uuid4()), "nobody"):
            assert (await ada.post(f"/v1/users/{nobody}/friend")).code == "not_found"
            assert (await ada.post(f"/v1/users/me/friends/{nobody}/accept")).code == "not_found"
            assert (await ada.delete(f"/v1/users/me/friends/{nobody}")).code == "not_found"
        assert (await here.stranger.post(f"/v1/users/{ada.id}/friend")).status == 401


async def test_both_hear_where_they_stand_now(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        heard: list[tuple[UUID, Any]] = []
        channels = {channel_of(person.id): person.id for person in (ada, bob)}
        async with here.platform.bus.subscribe(list(channels)) as subscription:
            await ada.post(f"/v1/users/{bob.id}/friend")
            await ada.post(f"/v1/users/{bob.id}/friend")  # changes nothing, so nobody hears of it
            await bob.post(f"/v1/users/me/friends/{ada.id}/accept")
            await ada.post(f"/v1/users/{bob.id}/block")
            async with asyncio.timeout(5):
                async for news in subscription:
                    assert isinstance(news, BusEvent)
                    heard.append((channels[news.channel], msgspec.json.decode(news.payload)))
                    if len(heard) == 6:
                        break

        def told(to: Person, about: Person, kind: str, friendship: str) -> tuple[UUID, object]:
            return to.id, {"type": kind, "data": {"user_id": str(about.id), "friendship": friendship}}

        assert heard == [
            told(ada, bob, "friend_request", "outgoing"),
            told(bob, ada, "friend_request", "incoming"),
            told(bob, ada, "friend_accepted", "accepted"),
            told(ada, bob, "friend_accepted", "accepted"),
            told(ada, bob, "friend_removed", "none"),
            told(bob, ada, "friend_removed", "none"),
        ]


async def test_the_list_is_paged_and_survives_new_friends(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        others = await crowd(here, [f"Friend {number}" for number in range(7)])
        # On either side of the pair, so that both halves of the list are read.
        ties = [(ada.id, other.id) if number % 2 else (other.id, ada.id) for number, other in enumerate(others)]
        await befriend(here, *ties)
        first = (await ada.get("/v1/users/me/friends?limit=3")).body
        [late] = await crowd(here, ["Late"])
        await befriend(here, (ada.id, late.id), *[(ada.id, late.id)] * 20)
        second = (await ada.get(f"/v1/users/me/friends?limit=3&cursor={first['next_cursor']}")).body
        third = (await ada.get(f"/v1/users/me/friends?limit=3&cursor={second['next_cursor']}")).body
        found = [item["display_name"] for page in (first, second, third) for item in page["items"]]
        assert found == [f"Friend {number}" for number in reversed(range(7))]
        assert third["next_cursor"] is None
        assert (await ada.get("/v1/users/me/friends?cursor=bad")).code == "bad_cursor"
        other_list = f"/v1/users/me/friends?state=incoming&cursor={first['next_cursor']}"
        assert (await ada.get(other_list)).code == "bad_cursor"
        assert (await ada.get("/v1/users/me/friends?state=none")).status == 400


async def test_suggestions_are_those_with_most_friends_in_common(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path) as here:
        ada, asked, blocked, blocker = await here.people("ada", "asked", "blocked", "blocker")
        f1, f2, f3, many, few, hidden, gone = await crowd(
            here, ["F1", "F2", "F3", "Many", "Few", "Hidden", "Stranger of strangers"]
        )
        await befriend(here, *[(ada.id, friend.id) for friend in (f1, f2, f3)])
        for friend in (f1, f2, f3):
            everyone = [many.id, asked.id, blocked.id, blocker.id]
            await befriend(here, *[(friend.id, other) for other in everyone])
        await befriend(here, (few.id, f1.id), (few.id, gone.id), (f2.id, f1.id))
        await ada.post(f"/v1/users/{asked.id}/friend")
        await ada.post(f"/v1/users/{blocked.id}/block")
        await blocker.post(f"/v1/users/{ada.id}/block")
        [hidden] = await crowd(here, ["Hidden"], searchable=False)
        await befriend(here, (hidden.id, f1.id))

        with statements(here) as asked_for:
            answer = await ada.get("/v1/users/me/suggestions")
        assert [(item["display_name"], item["mutual_friends"]) for item in answer.body["items"]] == [
            ("Many", 3),
            ("Few", 1),
        ]
        assert len(asked_for) == 1, asked_for
        first = (await ada.get("/v1/users/me/suggestions?limit=1")).body
        second = (await ada.get(f"/v1/users/me/suggestions?limit=1&cursor={first['next_cursor']}")).body
        assert [page["items"][0]["display_name"] for page in (first, second)] == ["Many", "Few"]
        assert second["next_cursor"] is None
        monkeypatch.setattr(friendlists, "LATEST_FRIENDS", 1)  # one of the three, who came last
        items = (await ada.get("/v1/users/me/suggestions")).body["items"]
        assert [(item["display_name"], item["mutual_friends"]) for item in items] == [("Many", 1)]


async def test_a_list_takes_as_many_statements_for_many_as_for_one(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")

        async def asked_for() -> list[int]:
            counts = []
            for path in ("/v1/users/me/friends", "/v1/users/me/suggestions", "/v1/users/me/blocked"):
                with statements(here) as asked:
                    assert (await ada.get(f"{path}?limit=100")).body["items"]
                counts.append(len(asked))
            return counts

        async def add(count: int) -> None:
            some = await crowd(here, ["Some"] * count)
            await befriend(here, (ada.id, bob.id), *[(ada.id, one.id) for one in some[1::3]])
            await befriend(here, *[(bob.id, one.id) for one in some[2::3]])
            for one in some[::3]:
                await ada.post(f"/v1/users/{one.id}/block")

        await add(3)
        assert await asked_for() == [1, 1, 1]
        await add(60)
        assert await asked_for() == [1, 1, 1]


async def test_friends_and_waiting_requests_are_bounded_for_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = {Standing.OUTGOING: 2, Standing.INCOMING: 3, Standing.ACCEPTED: 1}
    bounds = {standing: replace(befriending.BOUNDS[standing], most=most[standing]) for standing in most}
    monkeypatch.setattr(befriending, "BOUNDS", bounds)
    async with world(tmp_path) as here:
        ada, bob, eve, *crowded = await here.people("ada", "bob", "eve", "one", "two", "three")
        await become_friends(ada, bob)
        await eve.post(f"/v1/users/{ada.id}/friend")
        assert (await ada.post(f"/v1/users/me/friends/{eve.id}/accept")).code == "too_many_friends"
        assert await ids_of(ada) == [str(bob.id)]
        await ada.delete(f"/v1/users/me/friends/{eve.id}/reject")
        await ada.post(f"/v1/users/{eve.id}/friend")
        assert (await eve.post(f"/v1/users/me/friends/{ada.id}/accept")).code == "too_many_friends", "ada has them"
        assert await ids_of(eve) == []

        others = await crowd(here, ["One", "Two"])
        answers = [await ada.post(f"/v1/users/{other.id}/friend") for other in others]
        assert [answer.body.get("code") for answer in answers] == [None, "too_many_requests"]
        for number, one in enumerate([*crowded, bob]):
            answer = await one.post(f"/v1/users/{eve.id}/friend")
            assert answer.body.get("code") == (None if number < 2 else "too_many_incoming_requests")
        assert len(await ids_of(eve, "incoming")) == 3


async def settle(here: World, person: Person, who_may_ask: str) -> None:
    answer = await person.patch("/v1/users/me/visibility", {"friend_requests": who_may_ask})
    assert answer.status == 200, answer.body


async def test_somebody_says_who_may_ask_them(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob, common = await here.people("ada", "bob", "common")
        await settle(here, bob, "nobody")
        closed = await ada.post(f"/v1/users/{bob.id}/friend")
        assert (closed.status, closed.code) == (403, "friend_requests_closed")
        assert await ids_of(ada, "outgoing") == []
        await settle(here, bob, "friends_of_friends")
        await become_friends(bob, common)
        strange = await ada.post(f"/v1/users/{bob.id}/friend")
        assert (strange.code, strange.body["detail"]) == (closed.code, closed.body["detail"]), "it does not say why"
        await become_friends(ada, common)
        assert (await ada.post(f"/v1/users/{bob.id}/friend")).status == 200
        await settle(here, ada, "nobody")
        assert (await bob.post(f"/v1/users/{ada.id}/friend")).body["friendship"] == "accepted", (
            "an answer, not a request"
        )
