"""The mode of a conversation: Secure unless those present chose Intelligent, and everybody hears of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, update

from adapters.sql.chat.rounds import ROUNDS, SqlRounds
from adapters.sql.jobs_tables import SCHEDULES
from adapters.sql.units import sql_of
from chat import mode as rules
from chat.overdue import END_ROUNDS_JOB
from identity.audit import AuditFilter
from kernel.jobs import Job, NewJob
from kernel.units import Transaction
from tests.chat.parties import INTELLIGENT, answer, at, direct, group, listening, mode, propose, state
from tests.worlds import World, world

# What is asked for, and what comes of it: mode, is_e2ee_enabled, ai_enabled. None where it cannot be true together.
BEGINNINGS: list[tuple[dict[str, object], tuple[str, bool, bool] | None]] = [
    ({}, ("secure", True, False)),
    ({"mode": "secure", "settings": {"is_e2ee_enabled": True}}, ("secure", True, False)),
    ({"mode": "intelligent"}, ("intelligent", False, False)),
    ({"settings": {"is_e2ee_enabled": False, "ai_enabled": True}}, ("intelligent", False, True)),
    ({"mode": "secure", "settings": {"is_e2ee_enabled": False}}, None),
    ({"mode": "intelligent", "settings": {"is_e2ee_enabled": True}}, None),
    ({"settings": {"ai_enabled": True}}, None),
    ({"mode": "secure", "settings": {"recording_enabled": True}}, None),
    ({"settings": {"is_e2ee_enabled": True, "recording_enabled": True}}, None),
]


async def audited(here: World, made: dict[str, Any]) -> list[tuple[str, str, dict[str, str]]]:
    """Oldest first, without ``conversation.``"""
    page = await here.started.people.audit.page(AuditFilter(subject=made["id"]), cursor=None, limit=100)
    found = [(entry.actor, entry.action.removeprefix("conversation."), dict(entry.details)) for entry in page.items]
    return found[::-1]


async def age(here: World) -> None:
    """Whatever is open was asked more than a day ago."""

    async def work(unit: Transaction) -> None:
        past = here.platform.clock.now() - 1
        await sql_of(unit).connection.execute(
            update(ROUNDS).where(ROUNDS.c.open_in.is_not(None)).values(expires_at=past)
        )

    await here.platform.database.units.write(work)


async def end_overdue(here: World) -> None:
    await here.started.chats.overdue_rounds.end(Job(uuid4(), END_ROUNDS_JOB, b"", 1, 1, uuid4()))


async def test_a_conversation_begins_with_settings_that_can_be_true_together(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        for more, shown in BEGINNINGS:
            made = await ada.post("/v1/conversations", {"type": "group", "participant_ids": [str(bob.id)], **more})
            if shown is None:
                assert (made.status, made.code) == (422, "mode_contradiction")
            else:
                settings = made.body["settings"]
                assert (made.body["mode"], settings["is_e2ee_enabled"], settings["ai_enabled"]) == shown
                begun = {"to": shown[0], "version": "1", "way": "created", "recording": "false"}
                expected = [] if shown[1] else [(str(ada.id), "mode", {**begun, "ai": str(shown[2]).lower()})]
                assert await audited(here, made.body) == expected
        # As a group may, a direct one may begin Intelligent, and either of the two turns it Secure.
        wanted = {"type": "direct", "participant_ids": [str(bob.id)], "mode": "intelligent"}
        made = await ada.post("/v1/conversations", wanted)
        assert (made.status, made.body["mode"]) == (201, "intelligent")
        assert (await bob.patch(at(made.body, "/settings"), {"mode": "secure"})).status == 200
        # One that is there is not changed by asking for it.
        found = await ada.post("/v1/conversations", wanted)
        assert (found.status, found.body["mode"]) == (200, "secure")


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
        recorded = await ada.patch(at(made, "/settings"), {"recording_enabled": True, "ai_enabled": True})
        assert recorded.body["settings"]["recording_enabled"] is True
        back = await bob.patch(at(made, "/settings"), {"mode": "secure"})
        assert (back.body["mode"], back.body["mode_version"]) == ("secure", 3)
        assert (await ada.post(at(made, "/mode/proposals"), {"mode": "secure"})).code == "consent_not_needed"
        # What was switched on before does not come back with the mode.
        assert (await answer(bob, made, await propose(ada, made))).body["state"] == "accepted"
        settings = (await ada.get(at(made))).body["settings"]
        assert (settings["ai_enabled"], settings["recording_enabled"]) == (False, False)


async def test_one_refusal_ends_a_round_and_so_does_asking_for_secure(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob, cleo = await here.people("ada", "bob", "cleo")
        made = await group(ada, bob, cleo)
        assert (await bob.post(at(made, "/mode/proposals"), INTELLIGENT)).code == "not_permitted"
        assert (await bob.patch(at(made, "/settings"), {"mode": "secure"})).code == "not_permitted"
        first = await propose(ada, made)
        assert (await answer(bob, made, first)).body["state"] == "open"
        # To say it again is told to nobody.
        async with listening(here, cleo) as heard:
            assert (await answer(bob, made, first)).body["state"] == "open"
            assert (await answer(cleo, made, first, "refuse")).body["state"] == "refused"
            await heard.until("mode_proposal_ended")
        assert heard.changes == ["mode_answered", "mode_proposal_ended"]
        assert (await answer(bob, made, first)).code == "round_over"
        second = await propose(ada, made)
        await answer(bob, made, second)
        assert (await ada.patch(at(made, "/settings"), {"is_e2ee_enabled": True})).status == 200
        assert (await answer(cleo, made, second)).code == "round_over"
        assert await state(bob, made, second) == "withdrawn"
        third = await propose(ada, made)
        page = (await cleo.get(at(made, "/mode/proposals?limit=2"))).body
        rest = (await cleo.get(at(made, f"/mode/proposals?limit=2&cursor={page['next_cursor']}"))).body
        listed = [(item["id"], item["state"], item["consents"], item["refusals"]) for item in page["items"]]
        assert listed == [(third, "open", 1, 0), (second, "withdrawn", 2, 0)]
        assert [(item["id"], item["consents"], item["refusals"]) for item in rest["items"]] == [(first, 2, 1)]
        assert await mode(ada, made) == ("secure", 1)


async def test_a_round_that_nobody_settles_ends_and_everybody_hears_of_it(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        made, other = await group(ada, bob), await direct(ada, bob)
        late = await propose(ada, made)
        await age(here)
        in_time = await propose(bob, other)
        # Its time is over before anybody has noticed.
        assert await state(bob, made, late) == "expired"
        assert (await answer(bob, made, late)).code == "round_over"
        now = here.platform.clock.now()
        found = await here.platform.database.units.read(lambda unit: SqlRounds().overdue(unit, now=now, most=9))
        assert [str(asked.id) for asked in found] == [late]
        async with listening(here, bob) as heard:
            await here.platform.jobs.queue.enqueue([NewJob(END_ROUNDS_JOB, b"")])
            told = await heard.until("mode_proposal_ended")
            await end_overdue(here)
            await ada.patch(at(made), {"title": "Tea"})
            await heard.until("updated")
        assert (told["proposal_id"], told["state"]) == (late, "expired")
        assert heard.changes == ["mode_proposal_ended", "updated"]
        assert (await audited(here, made))[-1] == (
            "system",
            "mode_proposal_ended",
            {"proposal": late, "state": "expired"},
        )
        assert await state(bob, other, in_time) == "open"

        async def look(unit: Transaction) -> list[str]:
            return list((await sql_of(unit).connection.execute(select(SCHEDULES.c.kind))).scalars())

        assert END_ROUNDS_JOB in await here.platform.database.units.read(look)
        # Nor does a new one wait for the job to end the one before.
        await age(here)
        async with listening(here, ada) as heard:
            assert await propose(bob, other) != in_time
            assert (await heard.until("mode_proposal_ended"))["proposal_id"] == in_time
        ended = ("system", "mode_proposal_ended", {"proposal": in_time, "state": "expired"})
        assert ended in await audited(here, other)
        await end_overdue(here)
        assert [item["state"] for item in (await ada.get(at(other, "/mode/proposals"))).body["items"]] == [
            "open",
            "expired",
        ]


async def test_who_joins_is_asked_who_leaves_is_not_and_putting_somebody_out_ends_the_round(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob, cleo, dan = await here.people("ada", "bob", "cleo", "dan")
        made = await group(ada, bob, cleo)
        first = await propose(ada, made)
        await answer(bob, made, first)
        assert (await ada.delete(at(made, f"/participants/{cleo.id}"))).status == 204
        assert await state(ada, made, first) == "withdrawn"
        second = await propose(ada, made)
        async with listening(here, cleo) as heard:
            await ada.post(at(made, "/participants"), {"participant_ids": [str(cleo.id), str(dan.id)]})
            asked = await heard.until("mode_proposed")
        assert (asked["proposal_id"], asked["by"], asked["mode"]) == (second, str(ada.id), "intelligent")
        assert (await answer(bob, made, second)).body["state"] == "open"
        assert (await answer(cleo, made, second)).body["state"] == "open"
        # Roles and owners change nothing of who is asked.
        await ada.patch(at(made, f"/participants/{bob.id}"), {"role": "admin"})
        await ada.post(at(made, "/owner"), {"user_id": str(cleo.id)})
        assert await mode(dan, made) == ("secure", 1)
        await dan.post(at(made, "/leave"))
        assert await mode(cleo, made) == ("intelligent", 2)
        # A proposal goes with its proposer.
        await bob.patch(at(made, "/settings"), {"mode": "secure"})
        third = await propose(bob, made)
        await answer(cleo, made, third)
        await bob.post(at(made, "/leave"))
        assert await state(ada, made, third) == "withdrawn"
        assert (await answer(ada, made, third)).code == "round_over"
        assert await mode(ada, made) == ("secure", 3)


async def test_nobody_consents_for_a_disabled_account_and_the_erased_are_not_asked(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        root, ada, bob, cleo, dan = await here.admin("root.one"), *await here.people("ada", "bob", "cleo", "dan")
        made, theirs = await group(ada, bob, cleo), await group(cleo, ada, bob, dan)
        await cleo.patch(at(theirs, f"/participants/{dan.id}"), {"role": "admin"})
        hers = await propose(cleo, theirs)
        assert (await root.patch(f"/v1/admin/users/{dan.id}", {"state": "disabled"})).status == 200
        assert (await root.patch(f"/v1/admin/users/{cleo.id}", {"state": "disabled"})).status == 200
        proposal = await propose(ada, made)
        assert (await answer(bob, made, proposal)).body["state"] == "open"
        assert await mode(ada, made) == ("secure", 1)
        async with listening(here, bob) as heard:
            assert (await root.post(f"/v1/admin/users/{cleo.id}/erase")).status == 202
            await heard.until("mode_changed")
            await heard.until("owner_changed")
        assert await mode(ada, made) == ("intelligent", 2)
        # What they had asked for themselves went with them, and their group to somebody who can act.
        assert (await ada.get(at(theirs))).body["role"] == "owner"
        assert await state(bob, theirs, hers) == "withdrawn"
        assert await mode(bob, theirs) == ("secure", 1)


async def test_an_owner_decides_by_a_policy_that_is_older_than_the_others(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        made = await group(ada, settings={"mode_policy": "owner"})
        await ada.post(at(made, "/participants"), {"user_id": str(bob.id)})
        assert (await bob.get(at(made))).body["settings"]["mode_policy"] == "owner"
        await ada.patch(at(made, f"/participants/{bob.id}"), {"role": "admin"})
        assert (await bob.patch(at(made, "/settings"), INTELLIGENT)).code == "consent_required"
        assert (await bob.patch(at(made, "/settings"), {"mode_policy": "all_consent"})).code == "not_permitted"
        asked = await propose(bob, made)
        decided = await ada.patch(at(made, "/settings"), {"mode": "intelligent", "ai_enabled": True})
        assert (decided.body["mode"], decided.body["settings"]["ai_enabled"]) == ("intelligent", True)
        [record, earlier] = (await bob.get(at(made, "/mode/proposals"))).body["items"]
        assert (record["state"], record["consents"]) == ("decided", 1)
        assert (earlier["id"], earlier["state"]) == (asked, "withdrawn")
        one = (await bob.get(at(made, f"/mode/proposals/{record['id']}"))).body
        assert [item["user_id"] for item in one["answers"]] == [str(ada.id)]
        assert (await bob.patch(at(made, "/settings"), {"mode": "secure"})).body["mode_version"] == 3
        stricter = await ada.patch(at(made, "/settings"), {"mode_policy": "all_consent"})
        assert stricter.body["settings"]["mode_policy"] == "all_consent"
        looser = await ada.patch(at(made, "/settings"), {"mode_policy": "owner", "mode": "intelligent"})
        assert (looser.status, looser.code) == (422, "policy_after_joining")
        assert (await ada.patch(at(made, "/settings"), INTELLIGENT)).code == "consent_required"


async def test_settings_that_are_left_out_stay_and_contradictions_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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
        # Each is told and kept, so there is a bound to how many there are in a day; back to Secure there is none.
        monkeypatch.setattr(rules, "MOST_ROUNDS_A_DAY", 2)
        for wanted in ("secure", "intelligent", "secure"):
            assert (await ada.patch(at(made, "/settings"), {"mode": wanted})).status == 200
        often = await ada.patch(at(made, "/settings"), INTELLIGENT)
        assert (often.status, often.code, "Retry-After" in often.headers) == (429, "too_many_proposals", True)
        assert (await ada.post(at(made, "/mode/proposals"), INTELLIGENT)).code == "too_many_proposals"


async def test_every_change_is_audited_and_announced(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        made = await direct(ada, bob)
        async with listening(here, bob) as heard:
            proposal = await propose(ada, made)
            await answer(bob, made, proposal)
            await ada.patch(at(made, "/settings"), {"recording_enabled": True, "retention": 30})
            settings = await heard.until("settings_changed")
        assert {item["conversation_id"] for item in heard.told} == {made["id"]}
        assert heard.changes == [
            "mode_proposed",
            "mode_answered",
            "mode_proposal_ended",
            "mode_changed",
            "settings_changed",
        ]
        assert (heard.told[3]["mode"], heard.told[3]["mode_version"]) == ("intelligent", 2)
        assert (settings["recording_enabled"], settings["retention"], settings["by"]) == (True, 30, str(ada.id))
        switched = {"from": "secure", "to": "intelligent", "version": "2", "ai": "false", "recording": "false"}
        assert await audited(here, made) == [
            (str(ada.id), "mode_proposal", {"proposal": proposal, "to": "intelligent"}),
            (str(bob.id), "mode_answer", {"proposal": proposal, "answer": "consent"}),
            (str(bob.id), "mode_proposal_ended", {"proposal": proposal, "state": "accepted"}),
            (str(ada.id), "mode", {**switched, "proposal": proposal}),
            (str(ada.id), "retention", {"to": "30"}),
            (str(ada.id), "features", {"ai": "false", "recording": "true"}),
        ]
