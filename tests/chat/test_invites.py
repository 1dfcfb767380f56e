"""Join links: secret, counted, expiring, taken back."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select, update

from adapters.sql.chat.invites import INVITES
from adapters.sql.units import sql_of
from chat import invites
from kernel.units import Transaction
from tests.chat.parties import at, group, roles
from tests.worlds import World, world


async def test_an_invite_opens_a_closed_group(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob, cleo = await here.people("ada", "bob", "cleo")
        made = await group(ada)
        other = await group(ada)
        invite = await ada.post(at(made, "/invites"))
        assert (invite.status, invite.body["uses"], invite.body["max_uses"]) == (201, 0, None)
        token = {"token": invite.body["token"]}
        assert (await bob.post(at(made, "/join"))).status == 404
        assert (await bob.post(at(other, "/join"), token)).code == "invalid_invite"
        assert (await bob.post("/v1/conversations/join", token)).body["id"] == made["id"]
        assert (await cleo.post(at(made, "/join"), token)).body["member_count"] == 3
        # Who is there already uses nothing up.
        assert (await cleo.post("/v1/conversations/join", token)).body["role"] == "member"
        assert (await ada.post("/v1/conversations/join", token)).body["role"] == "owner"
        [listed] = (await ada.get(at(made, "/invites"))).body["items"]
        assert listed["uses"] == 2
        assert "token" not in listed

        async def look(unit: Transaction) -> str:
            return repr((await sql_of(unit).connection.execute(select(INVITES))).all())

        kept = await here.platform.database.units.read(look)
        assert token["token"] not in kept
        assert token["token"].encode().hex() not in kept
        assert len(await roles(ada, made)) == 3


async def test_an_invite_ends_by_being_taken_back_by_time_or_with_all_of_them(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        made = await group(ada)
        first, second, third = [(await ada.post(at(made, "/invites"), {"expires_in": 60})).body for _ in range(3)]

        assert (await ada.delete(at(made, f"/invites/{first['id']}"))).status == 204
        assert (await ada.delete(at(made, f"/invites/{first['id']}"))).status == 404
        await expire(here, second["id"])
        await ada.patch(at(made), {"allow_invites": False})
        assert (await ada.post(at(made, "/invites"))).code == "invites_off"
        assert (await bob.post("/v1/conversations/join", {"token": third["token"]})).code == "invalid_invite"
        await ada.patch(at(made), {"allow_invites": True})
        for used_up in (first, second, {"token": "made-up"}):
            refused = await bob.post("/v1/conversations/join", {"token": used_up["token"]})
            assert (refused.status, refused.code) == (422, "invalid_invite")
        assert (await bob.post("/v1/conversations/join", {"token": third["token"]})).status == 200


async def expire(here: World, invite: str) -> None:
    async def work(unit: Transaction) -> None:
        past = here.platform.clock.now() - 1
        place = update(INVITES).where(INVITES.c.id == UUID(invite)).values(expires_at=past)
        await sql_of(unit).connection.execute(place)

    await here.platform.database.units.write(work)


async def test_whoever_is_invited_sees_the_mode_before_they_go_in(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        made = await group(ada, title="Tea", mode="intelligent")
        token = {"token": (await ada.post(at(made, "/invites"), {"max_uses": 1})).body["token"]}
        seen = await bob.post("/v1/conversations/join/preview", token)
        assert (seen.status, seen.body["title"], seen.body["mode"], seen.body["role"]) == (
            200,
            "Tea",
            "intelligent",
            None,
        )
        assert (await bob.get(at(made))).status == 404
        # Whoever has seen something else, or nothing, is told before they are in, and has used nothing up.
        for unaware in ({}, {"mode": "secure"}):
            for path in ("/v1/conversations/join", at(made, "/join")):
                refused = await bob.post(path, {**token, **unaware})
                assert (refused.status, refused.code) == (409, "mode_not_accepted")
        assert (await bob.get(at(made))).status == 404
        joined = await bob.post("/v1/conversations/join", {**token, "mode": "intelligent"})
        assert (joined.status, joined.body["mode"]) == (200, "intelligent")
        assert (await bob.post("/v1/conversations/join", token)).status == 200
        assert (await bob.post("/v1/conversations/join/preview", token)).body["role"] == "member"
        await bob.post(at(made, "/leave"))
        assert (await bob.post("/v1/conversations/join/preview", token)).code == "invalid_invite"


async def test_a_group_has_as_many_invites_as_it_may_in_pages_and_expired_ones_make_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invites, "MOST_INVITES", 5)
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        made = await group(ada, bob)
        ids = [(await ada.post(at(made, "/invites"))).body["id"] for _ in range(4)]
        page = (await ada.get(at(made, "/invites?limit=3"))).body
        assert (await ada.post(at(made, "/invites"))).status == 201
        rest = (await ada.get(at(made, f"/invites?limit=3&cursor={page['next_cursor']}"))).body
        assert [item["id"] for item in page["items"] + rest["items"]] == ids[::-1]
        assert rest["next_cursor"] is None
        first = ids[0]
        assert (await ada.post(at(made, "/invites"))).code == "too_many_invites"
        await expire(here, first)
        assert (await ada.post(at(made, "/invites"))).status == 201
        assert (await ada.post(at(made, "/invites"))).code == "too_many_invites"
        assert (await bob.get(at(made, "/invites"))).code == "not_permitted"


async def test_the_full_and_the_blocked_do_not_use_an_invite_up(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob, cleo = await here.people("ada", "bob", "cleo")
        made = await group(ada, max_members=2)
        invite = (await ada.post(at(made, "/invites"), {"max_uses": 2})).body
        await ada.post(f"/v1/users/{cleo.id}/block")
        assert (await cleo.post("/v1/conversations/join", {"token": invite["token"]})).status == 404
        assert (await bob.post("/v1/conversations/join", {"token": invite["token"]})).status == 200
        await ada.delete(f"/v1/users/{cleo.id}/block")
        assert (await cleo.post("/v1/conversations/join", {"token": invite["token"]})).code == "conversation_full"
        assert [item["uses"] for item in (await ada.get(at(made, "/invites"))).body["items"]] == [1]
