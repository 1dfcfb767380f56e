"""What is said on the socket of a room, between real people in a real room: asked, answered, refused, ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from identity.roomtokens import SIGNALING
from sfu.notices import Ending
from sfu.rooms import Mode
from signaling.requests import REQUESTS
from tests.signaling.clients import CLIENT, MODERATOR, PATIENCE, Visit, eventually, token, visit
from tests.worlds import World, world

OFFER = Path(__file__).parents[1] / "media/fixtures/sdp/offer_basic.sdp"


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as started:
        yield started


@pytest.fixture
async def there(here: World) -> Visit:
    return await visit(here)


# --- coming in -----------------------------------------------------------------------------------------------


async def test_who_joins_is_told_who_is_there_and_they_are_told_of_the_newcomer(there: Visit) -> None:
    async with there.joined("ada") as (ada, first), there.joined("bob") as (_, second):
        assert first["participants"] == []
        assert second["participants"] == [first["participant"]]
        assert (await ada.hears("participant_joined"))["data"] == second["participant"]
        assert set(second) == {
            *("participant", "room", "participants", "tracks", "speakers", "ice_servers", "resume_token", "limits")
        }
        assert second["limits"]["message_bytes"] == 15_000


async def test_before_somebody_joins_nothing_else_is_answered_and_joining_still_works(there: Visit) -> None:
    async with there.socket(token(there.here, there.room.id)) as ada:
        for kind in sorted(set(REQUESTS) - {"join", "resume"}):
            assert await ada.refusal(kind, RIGHT[kind]) == "not_joined", kind
        assert (await ada.join())["participant"]["identity"] == "ada"


async def test_who_does_not_join_in_time_is_sent_away(there: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signaling.socket.JOIN_SECONDS", 0.3)
    async with there.socket(token(there.here, there.room.id)) as silent:
        assert await silent.ends() == 4400
        assert silent.heard[-1]["data"]["code"] == "not_joined"
    async with there.socket(token(there.here, there.room.id)) as busy:
        with suppress(ConnectionError):
            async with asyncio.timeout(PATIENCE):
                while there.here.started.lifecycle.open_sockets():
                    await busy.raw.ping()
                    await asyncio.sleep(0)
    async with there.joined("ada") as (ada, _):
        await asyncio.sleep(0.4)
        assert await ada.reply("raise_hand", {"raised": True}) == {}


async def test_a_socket_has_one_participant(there: Visit) -> None:
    async with there.joined("ada") as (ada, joined):
        assert await ada.refusal("join", {"client": CLIENT}) == "already_joined"
        assert await ada.refusal("resume", {"resume_token": joined["resume_token"], "after": 0}) == "already_joined"
        assert await ada.reply("raise_hand", {"raised": True}) == {}


async def test_the_same_person_coming_again_replaces_the_one_who_was_there(there: Visit) -> None:
    async with there.joined("ada") as (old, _), there.joined("bob") as (bob, _), there.joined("ada") as (new, joined):
        assert (await old.hears("ended"))["data"] == {"reason": "replaced"}
        assert await old.ends() == 1000
        assert (await bob.hears("participant_left"))["data"]["reason"] == "replaced"
        assert await new.reply("raise_hand", {"raised": True}) == {}
        assert [one["identity"] for one in joined["participants"]] == ["bob"]


async def test_in_a_waiting_room_one_waits_and_may_do_nothing_until_somebody_lets_one_in(here: World) -> None:
    there = await visit(here, waiting_room=True)
    async with there.joined("mod", MODERATOR) as (_, moderating), there.joined("ada") as (ada, answer):
        assert set(answer) == {"waiting", "resume_token"}
        assert answer["waiting"] is True
        for kind in sorted(set(RIGHT) - {"leave", "negotiate"}):
            assert await ada.refusal(kind, RIGHT[kind]) == "not_joined", kind
        meeting = here.started.calls.live.find(there.room.id)
        assert meeting is not None
        [waiting] = meeting.waiting
        meeting.admit(waiting)
        admitted = await ada.hears("admitted")
        assert admitted["seq"] == 1
        assert admitted["data"]["participants"] == [moderating["participant"]]
        assert admitted["data"]["resume_token"] == answer["resume_token"]
        assert await ada.reply("raise_hand", {"raised": True}) == {}


# --- asking --------------------------------------------------------------------------------------------------

# Something right for each row, and what somebody is answered who has no track yet.
RIGHT: dict[str, Any] = {
    "leave": {},
    "negotiate": {"sdp": "v=0\r\n", "publish": [], "receive": {"audio": 0, "video": 0}},
    "candidate": {"candidate": "candidate:1 1 udp 2122260223 192.0.2.9 9999 typ host", "mid": "0"},
    "want": {"track": "t", "width": 640, "height": 360},
    "unwant": {"track": "t"},
    "pin": {"track": "t", "pinned": True},
    "mute": {"track": "t", "muted": True},
    "unpublish": {"track": "t"},
    "set_metadata": {"metadata": "{}", "name": "Ada"},
    "raise_hand": {"raised": True},
    "reaction": {"emoji": "x"},
    "data": {"payload": "aGk="},
}
REFUSED = {
    "negotiate": "invalid_sdp",
    **dict.fromkeys(("want", "unwant", "pin", "mute", "unpublish"), "unknown_track"),
}


async def test_every_request_has_its_answer(there: Visit) -> None:
    async with there.joined("ada") as (ada, _):
        for kind in sorted(set(RIGHT) - {"leave"}):
            answer = await ada.ask(kind, RIGHT[kind])
            if kind in REFUSED:
                assert (answer["type"], answer["data"]["code"]) == ("error", REFUSED[kind]), (kind, answer)
                assert answer["data"]["detail"]
            else:
                assert (answer["type"], answer["data"]) == ("reply", {}), (kind, answer)


async def test_a_request_without_an_id_has_no_answer_unless_it_is_refused(there: Visit) -> None:
    async with there.joined("ada") as (ada, _):
        await ada.send("raise_hand", {"raised": True})
        await ada.send("mute", {"track": "t", "muted": True})
        error = await ada.hears("error")
        assert (error["data"]["code"], "id" in error) == ("unknown_track", False)
        await ada.send("raise_hand", {"raised": False}, id=None)
        assert await ada.reply("raise_hand", {"raised": True}) == {}
        assert [frame["type"] for frame in ada.heard if frame["type"] == "reply"] == []


async def test_what_one_does_the_others_hear(there: Visit) -> None:
    async with there.joined("ada") as (ada, joined), there.joined("bob") as (bob, _):
        me = joined["participant"]["id"]
        await ada.reply("raise_hand", {"raised": True})
        assert (await bob.hears("participant_updated", id=me))["data"]["hand_raised"] is True
        await ada.reply("set_metadata", {"metadata": '{"seat":1}', "name": "  Ada   L. "})
        updated = (await bob.hears("participant_updated", id=me))["data"]
        assert (updated["metadata"], updated["name"]) == ('{"seat":1}', "Ada L.")
        await ada.reply("reaction", {"emoji": "\N{CLAPPING HANDS SIGN}"})
        assert (await bob.hears("reaction"))["data"] == {"participant": me, "emoji": "\N{CLAPPING HANDS SIGN}"}
        await ada.reply("data", {"payload": "aGVsbG8=", "reliable": False})
        assert (await bob.hears("data"))["data"] == {"from": me, "payload": "aGVsbG8=", "reliable": False}


async def test_a_message_to_some_is_heard_by_them_alone(there: Visit) -> None:
    async with there.joined("ada") as (ada, _), there.joined("bob") as (bob, to), there.joined("eve") as (eve, _):
        await ada.reply("data", {"payload": "c2VjcmV0", "to": [to["participant"]["id"]]})
        assert (await bob.hears("data"))["data"]["payload"] == "c2VjcmV0"
        await ada.reply("data", {"payload": "YWxs"})
        assert (await eve.hears("data"))["data"]["payload"] == "YWxs"
        assert [frame["data"]["payload"] for frame in eve.heard if frame["type"] == "data"] == ["YWxs"]
        assert await ada.refusal("data", {"payload": "aGk=", "to": ["nobody"]}) == "unknown_participant"


async def test_names_that_cannot_be_told_apart_and_metadata_that_is_too_long_are_refused(there: Visit) -> None:
    async with there.joined("ada") as (ada, _):
        assert await ada.refusal("set_metadata", {"metadata": None, "name": "a\u202eb"}) == "invalid_display_name"
        assert await ada.refusal("set_metadata", {"metadata": "\N{EURO SIGN}" * 1_366}) == "metadata_too_long"
        assert await ada.reply("set_metadata", {"metadata": "\N{EURO SIGN}" * 1_365}) == {}


async def test_an_offer_of_a_browser_is_answered(there: Visit) -> None:
    async with there.joined("ada") as (ada, _):
        answer = await ada.reply(
            "negotiate", {"sdp": OFFER.read_text(), "publish": [], "receive": {"audio": 0, "video": 0}}
        )
        assert answer["sdp"].startswith("v=0")
        assert "a=ice-lite" in answer["sdp"]
        local = {str(place.port) for place in there.here.started.calls.engine.local}
        assert any(f" {port} typ host" in answer["sdp"] for port in local)
        assert (answer["published"], answer["slots"]) == ([], [])


async def test_leaving_is_answered_and_told_and_ends_the_socket(there: Visit) -> None:
    async with there.joined("ada") as (ada, joined), there.joined("bob") as (bob, _):
        assert await ada.reply("leave") == {}
        assert await ada.ends() == 1000
        left = (await bob.hears("participant_left"))["data"]
        assert left == {"participant": joined["participant"]["id"], "reason": "left"}
        async with there.socket(token(there.here, there.room.id)) as again:
            resume = {"resume_token": joined["resume_token"], "after": 0}
            assert await again.refusal("resume", resume) == "resume_failed"


async def test_what_the_server_says_is_numbered_without_gaps(there: Visit) -> None:
    async with there.joined("ada") as (ada, _):
        for number in range(5):
            async with there.joined(f"guest-{number}") as (guest, _):
                await guest.reply("leave")
        while sum(frame["type"] == "participant_left" for frame in ada.heard) < 5:
            ada.heard.append(await ada.frame())
        assert [frame["seq"] for frame in ada.heard] == list(range(1, len(ada.heard) + 1))


# --- the end -------------------------------------------------------------------------------------------------


async def test_ending_a_room_over_rest_sends_everybody_home_and_lets_nobody_in(here: World) -> None:
    owner = await here.person("ada")
    made = (await owner.post("/v1/rooms", {"name": "Board", "mode": "intelligent"})).body
    room = await here.started.calls.rooms.get(owner.id, UUID(made["id"]))
    there = Visit(here, room)
    async with there.joined("ada") as (ada, joined), there.joined("bob") as (bob, _):
        assert (await owner.delete(f"/v1/rooms/{made['id']}")).status == 204
        for one in (ada, bob):
            assert (await one.hears("ended"))["data"] == {"reason": "room_ended"}
            assert await one.ends() == 1000
        async with there.socket(token(here, room.id)) as late:
            assert await late.refusal("resume", {"resume_token": joined["resume_token"], "after": 0}) == "resume_failed"
            assert await late.refusal("join", {"client": CLIENT}) == "room_ended"
            assert await late.ends() == 4403


async def test_when_whoever_made_a_room_is_erased_it_ends(here: World) -> None:
    owner = await here.person("ada")
    made = (await owner.post("/v1/rooms", {"name": "Board", "mode": "intelligent"})).body
    there = Visit(here, await here.started.calls.rooms.get(owner.id, UUID(made["id"])))
    async with there.joined("bob") as (bob, _):
        answer = await owner.ask("DELETE", "/v1/users/me", {"password": owner.password})
        assert answer.status in (202, 204), answer.body
        assert (await bob.hears("ended"))["data"] == {"reason": "room_ended"}
        assert await bob.ends() == 1000
    assert await here.started.calls.rooms.find(there.room.id) is None


async def test_who_is_kicked_is_told_and_may_not_stay(there: Visit) -> None:
    async with there.joined("ada") as (ada, _):
        there.here.started.calls.live.end(there.room.id, Ending.KICKED)
        assert (await ada.hears("ended"))["data"] == {"reason": "kicked"}
        assert await ada.ends() == 4403


async def test_a_server_that_stops_says_so_to_everybody(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        there = await visit(here)
        async with there.joined("ada") as (ada, _), there.socket(token(here, there.room.id, "bob")) as waiting:
            closing = asyncio.create_task(here.started.lifecycle.close_sockets("server is stopping", within=5.0))
            assert (await ada.hears("ended"))["data"] == {"reason": "server_stopping"}
            assert await ada.ends() == 1001
            assert await waiting.ends() == 1001
            await closing
            assert here.started.lifecycle.open_sockets() == 0


async def test_sockets_are_counted_while_they_are_open_and_by_how_they_ended(here: World) -> None:
    there = await visit(here, mode=Mode.INTELLIGENT)
    lifecycle, registry = here.started.lifecycle, here.platform.metrics.registry

    def closed(code: str) -> float:
        return registry.get_sample_value("secureconnect_signaling_closed_total", {"code": code}) or 0.0

    async with there.joined("ada") as (ada, _), there.joined("bob") as (bob, _):
        assert lifecycle.open_sockets() == 2
        assert registry.get_sample_value("secureconnect_participants") == 2
        await ada.reply("leave")
        bob.raw._response.connection.transport.abort()  # type: ignore[union-attr]
        await eventually(lambda: lifecycle.open_sockets() == 0)
    assert (closed("1000"), closed("lost")) == (1, 1)
    assert registry.get_sample_value("secureconnect_signaling_requests_total", {"type": "join"}) == 2


async def test_a_socket_whose_client_is_dead_is_noticed(there: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signaling.socket.HEARTBEAT_SECONDS", 0.2)
    headers = {"Authorization": f"Bearer {token(there.here, there.room.id)}"}
    async with there.here.session.ws_connect(SIGNALING, headers=headers, autoping=False) as dead:
        assert there.here.started.lifecycle.open_sockets() == 1
        await eventually(lambda: there.here.started.lifecycle.open_sockets() == 0)
        assert not dead.closed
