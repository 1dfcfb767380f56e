"""Whoever was put out for good stays out, by every door."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select

from adapters.sql.chat.bans import BANS
from adapters.sql.units import sql_of
from chat import bans
from identity.audit import AuditFilter
from kernel.units import Transaction
from tests.chat.parties import at, group, listening, propose, roles, state
from tests.worlds import Answer, Person, world


async def test_whoever_is_banned_comes_in_by_no_door(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob, eve, fay = await here.people("ada", "bob", "eve", "fay")
        made = await group(ada, bob, eve, title="Tea", is_public=True)
        token = {"token": (await ada.post(at(made, "/invites"))).body["token"]}
        await ada.patch(at(made, f"/participants/{eve.id}"), {"role": "admin"})
        hers = {"token": (await eve.post(at(made, "/invites"))).body["token"]}
        question = await propose(ada, made)
        async with listening(here, eve) as heard:
            assert (await ada.delete(at(made, f"/participants/{eve.id}?ban=true"))).status == 204
            told = await heard.until("member_removed")
        assert (told["user_id"], told["by"], told["banned"]) == (str(eve.id), str(ada.id), True)
        assert await roles(ada, made) == {ada.id: "owner", bob.id: "member"}
        assert await state(bob, made, question) == "withdrawn"
        doors = [
            await eve.post(at(made, "/join")),
            await eve.post(at(made, "/join"), token),
            await eve.post("/v1/conversations/join", token),
            await eve.post("/v1/conversations/join/preview", token),
        ]
        assert {(item.status, item.code) for item in doors} == {(403, "banned")}
        assert [item["uses"] for item in (await ada.get(at(made, "/invites"))).body["items"]] == [0]
        # Nor does anybody come in by an invite that she made.
        assert (await fay.post("/v1/conversations/join", hers)).code == "invalid_invite"
        brought = await ada.post(at(made, "/participants"), {"participant_ids": [str(eve.id), str(fay.id)]})
        assert (brought.status, brought.code) == (409, "participant_banned")
        assert [item["message"] for item in brought.body["errors"]] == [f"{eve.id} is banned"]
        assert set(await roles(ada, made)) == {ada.id, bob.id}

        assert (await ada.delete(at(made, f"/bans/{eve.id}"))).status == 204
        assert (await ada.delete(at(made, f"/bans/{eve.id}"))).status == 404
        assert (await eve.get(at(made))).status == 404
        assert (await eve.post("/v1/conversations/join", token)).status == 200
        page = await here.started.people.audit.page(AuditFilter(subject=made["id"]), cursor=None, limit=9)
        acts = [(entry.action, entry.details) for entry in page.items if "ban" in entry.action]
        assert acts == [("conversation.unban", {"user": str(eve.id)}), ("conversation.ban", {"user": str(eve.id)})]
        await ada.put(at(made, f"/bans/{eve.id}"))
        assert (await ada.delete(at(made))).status == 204

        async def look(unit: Transaction) -> int:
            return (await sql_of(unit).connection.execute(select(func.count()).select_from(BANS))).scalar_one()

        assert await here.platform.database.units.read(look) == 0


async def test_whoever_may_put_out_may_ban_those_below_and_those_who_are_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path) as here:
        ada, bob, cleo, dan, eve, fay = await here.people("ada", "bob", "cleo", "dan", "eve", "fay")
        made = await group(ada, bob, cleo, dan)
        await ada.patch(at(made, f"/participants/{bob.id}"), {"role": "admin"})
        await fay.post(f"/v1/users/{bob.id}/block")

        async def banned(one: Person, other: Person) -> Answer:
            return await one.put(at(made, f"/bans/{other.id}"))

        refused = [
            await banned(cleo, dan),
            await banned(bob, ada),
            await cleo.get(at(made, "/bans")),
            await cleo.delete(at(made, f"/bans/{dan.id}")),
        ]
        assert {(item.status, item.code) for item in refused} == {(403, "not_permitted")}
        assert (await banned(ada, ada)).code == "not_with_oneself"
        assert (await banned(eve, dan)).status == 404
        # Of somebody who is not there, and does not want to be there for whoever asks, nothing is told.
        assert (await banned(bob, fay)).code == "participant_unavailable"
        assert (await bob.put(at(made, f"/bans/{uuid4()}"))).code == "participant_unavailable"
        await bob.post(f"/v1/users/{eve.id}/block")
        for other in (cleo, eve, eve):
            assert (await banned(bob, other)).status == 204
        monkeypatch.setattr(bans, "MOST_BANS", 2)
        full = await banned(ada, dan)
        assert (full.status, full.code) == (422, "too_many_bans")
        assert set(await roles(ada, made)) == {ada.id, bob.id, dan.id}
        first = (await bob.get(at(made, "/bans?limit=1"))).body
        rest = (await bob.get(at(made, f"/bans?limit=1&cursor={first['next_cursor']}"))).body
        assert [UUID(item["user_id"]) for item in first["items"] + rest["items"]] == [eve.id, cleo.id]
        assert (first["items"][0]["username"], rest["next_cursor"]) == ("eve", None)
