"""The mode of a conversation: Secure unless those present chose Intelligent, and everybody hears of it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from adapters.sql.chat.conversations import SqlConversations
from adapters.sql.chat.listing import SqlConversationLists
from adapters.sql.chat.members import SqlMembers
from adapters.sql.chat.rounds import ROUNDS, SqlRounds
from adapters.sql.identity.audit import AUDIT, SqlAudit
from adapters.sql.units import sql_of
from chat.mode import Mode
from chat.modes import Modes
from chat.news import Newsroom
from identity.announcements import Announcer, channel_of
from identity.audit import AuditLog
from kernel.bus import BusEvent
from kernel.errors import NotFound
from kernel.units import Transaction
from tests.adapters.sql.relational import BACKENDS, url_for
from tests.chat.parties import at, direct, group
from tests.worlds import Answer, Person, World, world

INTELLIGENT = {"mode": "intelligent"}


def modes_of(here: World) -> Modes:
    """As another room is given it."""
    units, clock, ids = here.platform.database.units, here.platform.clock, here.platform.ids
    return Modes(
        units=units,
        newsroom=Newsroom(units, Announcer(here.platform.bus)),
        store=SqlConversations(),
        lists=SqlConversationLists(),
        member_lists=SqlMembers(),
        rounds=SqlRounds(),
        audit=AuditLog(units=units, store=SqlAudit(), ids=ids),
        ids=ids,
        clock=clock,
    )


async def propose(person: Person, made: dict[str, Any]) -> str:
    asked = await person.post(at(made, "/mode/proposals"), INTELLIGENT)
    assert asked.status == 201, asked.body
    return str(asked.body["id"])


async def answer(person: Person, made: dict[str, Any], proposal: str, said: str = "consent") -> Answer:
    return await person.post(at(made, f"/mode/proposals/{proposal}/consent"), {"answer": said})


async def mode(person: Person, made: dict[str, Any]) -> tuple[str, int]:
    found = (await person.get(at(made))).body
    assert found["settings"]["is_e2ee_enabled"] is (found["mode"] == "secure")
    return found["mode"], found["mode_version"]


@pytest.mark.parametrize(
    ("more", "shown"),
    [
        ({}, ("secure", True, False)),
        ({"mode": "secure", "settings": {"is_e2ee_enabled": True}}, ("secure", True, False)),
        ({"mode": "intelligent"}, ("intelligent", False, False)),
        ({"settings": {"is_e2ee_enabled": False, "ai_enabled": True}}, ("intelligent", False, True)),
        ({"mode": "secure", "settings": {"is_e2ee_enabled": False}}, None),
        ({"mode": "intelligent", "settings": {"is_e2ee_enabled": True}}, None),
        ({"settings": {"ai_enabled": True}}, None),
        ({"mode": "secure", "settings": {"recording_enabled": True}}, None),
        ({"settings": {"is_e2ee_enabled": True, "recording_enabled": True}}, None),
    ],
)
async def test_a_conversation_begins_with_settings_that_can_be_true_together(
    tmp_path: Path, more: dict[str, object], shown: tuple[str, bool, bool] | None
) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        made = await ada.post("/v1/conversations", {"type": "group", "participant_ids": [str(bob.id)], **more})
        if shown is None:
            assert (made.status, made.code) == (422, "mode_contradiction")
        else:
            settings = made.body["settings"]
            assert (made.body["mode"], settings["is_e2ee_enabled"], settings["ai_enabled"]) == shown


async def test_a_direct_conversation_begins_as_its_maker_wishes_and_either_turns_it_secure(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        begun = {"type": "direct", "participant_ids": [str(bob.id)], "mode": "intelligent"}
        made = await ada.post("/v1/conversations", begun)
        assert (made.status, made.body["mode"]) == (201, "intelligent")
        assert (await bob.patch(at(made.body, "/settings"), {"mode": "secure"})).status == 200
        found = await ada.post("/v1/conversations", begun)
        assert (found.status, found.body["mode"]) == (200, "secure"), (
            "one that is there is not changed by asking for it"
        )


async def test_two_who_talk_directly_are_both_asked(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        made = await direct(ada, bob)
        refused = await ada.patch(at(made, "/settings"), INTELLIGENT)
        assert (refused.status, refused.code) == (422, "consent_required")
        proposal = await propose(ada, made)
        assert (await ada.post(at(made, "/mode/proposals"), INTELLIGENT)).code == "round_open"
        assert await mode(bob, made) == ("secure", 1)
        agreed = await answer(bob, made, proposal)
        assert agreed.body["state"] == "accepted"
        assert {item["user_id"]: item["answer"] for item in agreed.body["answers"]} == {
            str(ada.id): "consent",
            str(bob.id): "consent",
        }
        assert await mode(ada, made) == ("intelligent", 2)
        assert (await answer(bob, made, proposal, "refuse")).code == "round_over"
        assert (await ada.post(at(made, "/mode/proposals"), INTELLIGENT)).code == "mode_already"
        recorded = await ada.patch(at(made, "/settings"), {"recording_enabled": True})
        assert recorded.body["settings"]["recording_enabled"] is True
        back = await bob.patch(at(made, "/settings"), {"mode": "secure"})
        assert (back.body["mode"], back.body["mode_version"]) == ("secure", 3)
        assert back.body["settings"]["recording_enabled"] is False
        assert (await ada.post(at(made, "/mode/proposals"), {"mode": "secure"})).code == "consent_not_needed"


async def test_one_refusal_ends_a_round_and_a_day_does_too(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob, cleo = await here.people("ada", "bob", "cleo")
        made = await group(ada, bob, cleo)
        assert (await bob.post(at(made, "/mode/proposals"), INTELLIGENT)).code == "not_permitted"
        first = await propose(ada, made)
        assert (await answer(bob, made, first)).body["state"] == "open"
        assert (await answer(cleo, made, first, "refuse")).body["state"] == "refused"
        assert (await answer(bob, made, first)).code == "round_over"
        second = await propose(ada, made)
        await age(here)
        assert (await bob.get(at(made, f"/mode/proposals/{second}"))).body["state"] == "expired"
        assert (await answer(bob, made, second)).code == "round_over"
        third = await propose(ada, made)
        listed = (await cleo.get(at(made, "/mode/proposals"))).body["items"]
        assert [(item["id"], item["state"]) for item in listed] == [
            (third, "open"),
            (second, "expired"),
            (first, "refused"),
        ]
        assert await mode(ada, made) == ("secure", 1)


async def age(here: World) -> None:
    """Whatever is open was asked more than a day ago."""

    async def work(unit: Transaction) -> None:
        past = here.platform.clock.now() - 1
        await sql_of(unit).connection.execute(
            update(ROUNDS).where(ROUNDS.c.open_in.is_not(None)).values(expires_at=past)
        )

    await here.platform.database.units.write(work)


async def test_who_joins_is_asked_who_leaves_is_not_and_putting_somebody_out_ends_the_round(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob, cleo, dan = await here.people("ada", "bob", "cleo", "dan")
        made = await group(ada, bob, cleo)
        first = await propose(ada, made)
        await answer(bob, made, first)
        assert (await ada.delete(at(made, f"/participants/{cleo.id}"))).status == 204
        assert (await ada.get(at(made, f"/mode/proposals/{first}"))).body["state"] == "withdrawn"
        second = await propose(ada, made)
        await ada.post(at(made, "/participants"), {"participant_ids": [str(cleo.id), str(dan.id)]})
        assert (await answer(bob, made, second)).body["state"] == "open"
        assert (await answer(cleo, made, second)).body["state"] == "open"
        assert await mode(dan, made) == ("secure", 1)
        await dan.post(at(made, "/leave"))
        assert await mode(cleo, made) == ("intelligent", 2)


async def test_a_proposal_goes_with_its_proposer(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob, cleo = await here.people("ada", "bob", "cleo")
        made = await group(ada, bob, cleo)
        await ada.patch(at(made, f"/participants/{bob.id}"), {"role": "admin"})
        proposal = await propose(bob, made)
        await answer(cleo, made, proposal)
        await bob.post(at(made, "/leave"))
        assert (await ada.get(at(made, f"/mode/proposals/{proposal}"))).body["state"] == "withdrawn"
        assert (await answer(ada, made, proposal)).code == "round_over"
        assert await mode(ada, made) == ("secure", 1)


async def test_an_owner_decides_by_a_policy_that_is_older_than_the_others(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        made = await group(ada, settings={"mode_policy": "owner"})
        await ada.post(at(made, "/participants"), {"user_id": str(bob.id)})
        assert (await bob.get(at(made))).body["settings"]["mode_policy"] == "owner"
        await ada.patch(at(made, f"/participants/{bob.id}"), {"role": "admin"})
        assert (await bob.patch(at(made, "/settings"), INTELLIGENT)).code == "consent_required"
        assert (await bob.patch(at(made, "/settings"), {"mode_policy": "all_consent"})).code == "not_permitted"
        decided = await ada.patch(at(made, "/settings"), {"mode": "intelligent", "ai_enabled": True})
        assert (decided.body["mode"], decided.body["settings"]["ai_enabled"]) == ("intelligent", True)
        [record] = (await bob.get(at(made, "/mode/proposals"))).body["items"]
        assert (record["state"], [item["user_id"] for item in record["answers"]]) == ("decided", [str(ada.id)])
        assert (await bob.patch(at(made, "/settings"), {"mode": "secure"})).body["mode_version"] == 3
        stricter = await ada.patch(at(made, "/settings"), {"mode_policy": "all_consent"})
        assert stricter.body["settings"]["mode_policy"] == "all_consent"
        looser = await ada.patch(at(made, "/settings"), {"mode_policy": "owner", "mode": "intelligent"})
        assert (looser.status, looser.code) == (422, "policy_after_joining")
        assert (await ada.patch(at(made, "/settings"), INTELLIGENT)).code == "consent_required"


async def test_settings_that_are_left_out_stay_and_contradictions_change_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        made = await group(ada, settings={"retention": 30})
        mixed = await ada.patch(at(made, "/settings"), {"retention": 90, "mode": "secure", "ai_enabled": True})
        assert (mixed.status, mixed.code) == (422, "mode_contradiction")
        assert (await ada.get(at(made))).body["settings"]["retention"] == 30
        alone = await ada.patch(at(made, "/settings"), INTELLIGENT)
        assert (alone.body["mode"], alone.body["settings"]["retention"]) == ("intelligent", 30)
        assert (await ada.patch(at(made, "/settings"), {"retention": None})).body["settings"]["retention"] is None
        assert (await mode(ada, made))[0] == "intelligent"


async def test_every_change_is_audited_announced_and_readable_by_other_rooms(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        made = await direct(ada, bob)
        heard: list[dict[str, Any]] = []
        async with here.platform.bus.subscribe([channel_of(bob.id)]) as events:
            proposal = await propose(ada, made)
            await answer(bob, made, proposal)
            async with asyncio.timeout(5):
                async for event in events:
                    assert isinstance(event, BusEvent)
                    heard.append(json.loads(event.payload))
                    if heard[-1]["data"]["change"] == "mode_changed":
                        break
        assert {item["type"] for item in heard} == {"conversation"}
        assert {item["data"]["conversation_id"] for item in heard} == {made["id"]}
        changes = [item["data"]["change"] for item in heard]
        assert changes == ["mode_proposed", "mode_answered", "mode_proposal_ended", "mode_changed"]
        assert (heard[-1]["data"]["mode"], heard[-1]["data"]["mode_version"]) == ("intelligent", 2)

        async def look(unit: Transaction) -> tuple[list[tuple[str, str, dict[str, str]]], Mode]:
            entries = select(AUDIT.c.actor, AUDIT.c.action, AUDIT.c.details)
            mine = entries.where(AUDIT.c.subject == made["id"]).order_by(AUDIT.c.id)
            rows = (await sql_of(unit).connection.execute(mine)).all()
            said = await modes_of(here).mode_of(unit, UUID(made["id"]))
            with pytest.raises(NotFound):
                await modes_of(here).mode_of(unit, ada.id)
            return [(row.actor, row.action, row.details) for row in rows], said

        audited, read = await here.platform.database.units.read(look)
        assert read is Mode.INTELLIGENT
        assert [(actor, action) for actor, action, _ in audited] == [
            (str(ada.id), "conversation.mode_proposal"),
            (str(bob.id), "conversation.mode_answer"),
            (str(ada.id), "conversation.mode"),
        ]
        assert audited[-1][2] == {"from": "secure", "to": "intelligent", "version": "2", "proposal": proposal}


@pytest.mark.parametrize("backend", BACKENDS[:2])
async def test_the_last_consents_at_once_change_the_mode_once(
    backend: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    async with world(tmp_path, database_url=url_for(backend, request)) as here:
        ada, *others = await here.people("ada", "bob", "cleo", "dan", "eve", "fay")
        made = await group(ada, *others)
        proposal = await propose(ada, made)
        said = await asyncio.gather(*(answer(person, made, proposal) for person in others))
        assert sorted(item.body["state"] for item in said) == ["accepted"] + ["open"] * 4
        assert await mode(ada, made) == ("intelligent", 2)


@pytest.mark.parametrize("backend", BACKENDS[:2])
async def test_of_many_proposals_at_once_one_is_made(
    backend: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    async with world(tmp_path, database_url=url_for(backend, request)) as here:
        ada, bob = await here.people("ada", "bob")
        made = await direct(ada, bob)
        asked = await asyncio.gather(*(one.post(at(made, "/mode/proposals"), INTELLIGENT) for one in [ada, bob] * 5))
        assert sorted(item.status for item in asked) == [201] + [409] * 9
