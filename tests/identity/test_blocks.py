"""Blocking: the blocked neither sees nor finds nor asks, and is told nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from adapters.sql.identity.accounts import SqlAccounts
from adapters.sql.identity.blocks import SqlBlocks
from identity import blocking
from identity.accounts import State
from kernel.units import Transaction
from tests.identity.crowds import become_friends, crowd
from tests.worlds import world


async def test_a_block_ends_friendship_and_requests_and_lets_nothing_begin(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob, eve = await here.people("ada", "bob", "eve")
        await become_friends(ada, bob)
        await eve.post(f"/v1/users/{ada.id}/friend")
        for other in (bob, eve):
            assert (await ada.post(f"/v1/users/{other.id}/block")).status == 204
        for person in (ada, bob, eve):
            for state in ("accepted", "incoming", "outgoing"):
                assert (await person.get(f"/v1/users/me/friends?state={state}")).body["items"] == []
        assert (await bob.post(f"/v1/users/{ada.id}/friend")).code == "not_found"
        assert (await eve.post(f"/v1/users/me/friends/{ada.id}/accept")).code == "not_found"
        assert (await ada.post(f"/v1/users/{bob.id}/friend")).code == "person_blocked"

        # To the blocked the blocker is not there.
        nobody = (await bob.get(f"/v1/users/{uuid4()}")).body
        answer = await bob.get(f"/v1/users/{ada.id}")
        assert answer.status == 404
        assert {key: answer.body[key] for key in ("code", "detail")} == {key: nobody[key] for key in ("code", "detail")}
        assert (await bob.get(f"/v1/users/{ada.id}/avatar")).code == "not_found"
        assert (await ada.get(f"/v1/users/{bob.id}")).status == 200, "whoever blocks may look at whom"


async def test_a_block_is_made_once_and_lifted(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        for _ in range(2):
            assert (await ada.post(f"/v1/users/{bob.id}/block")).status == 204
        [item] = (await ada.get("/v1/users/me/blocked")).body["items"]
        assert (item["id"], item["username"]) == (str(bob.id), "bob")
        assert (await bob.get("/v1/users/me/blocked")).body["items"] == []
        for _ in range(2):
            assert (await ada.delete(f"/v1/users/{bob.id}/block")).status == 204
        assert (await ada.get("/v1/users/me/blocked")).body["items"] == []
        assert (await bob.get(f"/v1/users/{ada.id}")).status == 200
        assert (await bob.post(f"/v1/users/{ada.id}/friend")).status == 200

        assert (await ada.post(f"/v1/users/{ada.id}/block")).code == "not_with_oneself"
        assert (await ada.post(f"/v1/users/{uuid4()}/block")).code == "not_found"
        assert (await here.stranger.post(f"/v1/users/{ada.id}/block")).status == 401


async def test_the_blocked_are_bounded_and_paged_the_latest_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocking, "MAX_BLOCKED", 5)
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        others = await crowd(here, [f"Pest {number}" for number in range(6)])
        answers = [await ada.post(f"/v1/users/{other.id}/block") for other in others]
        assert [answer.status for answer in answers] == [204] * 5 + [422]
        assert answers[-1].code == "too_many_blocked"
        first = (await ada.get("/v1/users/me/blocked?limit=3")).body
        second = (await ada.get(f"/v1/users/me/blocked?limit=3&cursor={first['next_cursor']}")).body
        assert [item["display_name"] for item in [*first["items"], *second["items"]]] == [
            f"Pest {number}" for number in reversed(range(5))
        ]
        assert second["next_cursor"] is None

        async def between(one: UUID, *others: UUID) -> frozenset[UUID]:
            return await here.platform.database.units.read(lambda unit: SqlBlocks().between(unit, one, others))

        pest, spared = others[0].id, others[5].id
        assert await between(ada.id, pest, spared) == {pest}
        assert await between(pest, ada.id, spared) == {ada.id}
        assert await between(spared, ada.id, pest) == await between(ada.id) == frozenset()


async def test_whoever_is_being_erased_gets_no_new_ties(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob, eve = await here.people("ada", "bob", "eve")
        assert (await eve.post(f"/v1/users/{ada.id}/block")).status == 204

        async def leave(unit: Transaction) -> None:
            account = await SqlAccounts().get(unit, ada.id)
            assert account is not None
            await SqlAccounts().put(unit, replace(account, state=State.ERASING))

        await here.platform.database.units.write(leave)
        for who, whom in ((ada, bob), (bob, ada)):  # a request of theirs may be under way still
            assert (await who.post(f"/v1/users/{whom.id}/friend")).code == "not_found"
            assert (await who.post(f"/v1/users/{whom.id}/block")).code == "not_found"
        for who in (bob, eve):
            assert (await who.get("/v1/users/me/blocked")).body["items"] == [], "not even from before"
