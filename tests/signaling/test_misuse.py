"""What no client of ours does: broken frames, floods, frames without end; and faults that are ours."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import WSMsgType
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from identity.roomtokens import SIGNALING
from kernel.errors import DependencyUnavailable
from sfu.live import LiveRooms
from sfu.rooms import Rooms
from signaling.messages import LARGEST_FRAME
from tests.signaling.clients import CLIENT, PATIENCE, Socket, Visit, eventually, token, visit
from tests.worlds import world

CANDIDATE = {"candidate": "candidate:1 1 udp 2122260223 192.0.2.9 9999 typ host", "mid": "0"}


@pytest.fixture
async def there(tmp_path: Path) -> AsyncIterator[Visit]:
    async with world(tmp_path) as here:
        yield await visit(here)


async def breaks(socket: Socket, raw: str | bytes) -> str:
    """The code with which the socket is closed over it."""
    await (socket.raw.send_str(raw) if isinstance(raw, str) else socket.raw.send_bytes(raw))
    assert await socket.ends() == 4400
    [error] = [frame for frame in socket.heard if frame["type"] == "error"]
    return str(error["data"]["code"])


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("hello", "malformed_json"),
        ("[]", "invalid_message"),
        ('{"type":"vanish","id":"1"}', "unknown_type"),
        ('{"type":"mute","data":{"track":"t"}}', "invalid_message"),
        ("{" * 60_000, "malformed_json"),
        (b'{"type":"leave"}', "not_text"),
        ('{"type":"leave","x":"' + "x" * LARGEST_FRAME + '"}', "frame_too_large"),
    ],
    ids=["no JSON", "no object", "unknown type", "missing field", "deep", "binary", "large"],
)
async def test_who_breaks_the_protocol_is_told_so_and_cut_off(there: Visit, raw: str | bytes, code: str) -> None:
    async with there.socket(token(there.here, there.room.id)) as stranger:
        assert await breaks(stranger, raw) == code
    async with there.joined("ada") as (ada, _):
        assert await breaks(ada, raw) == code
    await eventually(lambda: there.here.started.lifecycle.open_sockets() == 0)


async def test_who_sends_without_end_is_cut_off_before_the_end(there: Visit) -> None:
    """Whether the reason arrives depends on who is faster: the connection ends while they still send."""
    async with there.socket(token(there.here, there.room.id)) as ada:
        with suppress(ConnectionError):
            await ada.raw.send_str('{"type":"leave","x":"' + "x" * 20_000_000 + '"}')
        assert await ada.ends() in (1006, 4400)
    await eventually(lambda: there.here.started.lifecycle.open_sockets() == 0)


async def test_who_was_cut_off_is_still_there_and_may_resume(there: Visit) -> None:
    async with there.joined("ada") as (ada, joined):
        await breaks(ada, "hello")
    async with there.joined("bob") as (_, seen):
        assert [one["identity"] for one in seen["participants"]] == ["ada"]
        async with there.socket(token(there.here, there.room.id)) as again:
            assert await again.reply("resume", {"resume_token": joined["resume_token"], "after": 0}) == {}
            assert await again.reply("raise_hand", {"raised": True}) == {}


async def test_the_largest_frame_there_may_be_is_read(there: Visit) -> None:
    async with there.joined("ada") as (ada, _):
        frame = json.dumps({"type": "raise_hand", "id": "big", "data": {"raised": True}, "x": ""})
        await ada.raw.send_str(frame[:-2] + "x" * (LARGEST_FRAME - len(frame)) + '"}')
        assert (await ada.frame())["id"] == "big"


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=st.text(max_size=200) | st.binary(max_size=200))
async def test_whatever_is_sent_the_server_goes_on(there: Visit, raw: str | bytes) -> None:
    async with there.socket(token(there.here, there.room.id)) as stranger:
        assert await breaks(stranger, raw) in {"malformed_json", "invalid_message", "unknown_type", "not_text"}


async def test_a_fault_of_ours_is_told_with_an_id_to_quote_and_logged_under_it(
    there: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("the secret sauce is 42")

    async with there.socket(token(there.here, there.room.id)) as ada:
        with monkeypatch.context() as patch, capture_logs() as lines:
            patch.setattr(LiveRooms, "join", broken)
            answer = await ada.ask("join", {"client": CLIENT})
        assert answer["data"]["code"] == "internal_error"
        assert "42" not in json.dumps(answer)
        [line] = [line for line in lines if line.get("error_id")]
        assert line["error_id"] == answer["data"]["error_id"]
        assert isinstance(line["exc_info"], ZeroDivisionError)
        assert (await ada.join())["participant"]["identity"] == "ada"


async def test_a_store_that_is_away_is_a_fault_of_ours_and_its_name_stays_here(
    there: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any) -> None:
        raise DependencyUnavailable("database", "no route to db7.internal")

    async with there.socket(token(there.here, there.room.id)) as ada:
        with monkeypatch.context() as patch:
            patch.setattr(Rooms, "find", away)
            answer = await ada.ask("join", {"client": CLIENT})
        assert answer["data"]["code"] == "internal_error"
        assert "db7" not in json.dumps(answer)
        assert (await ada.join())["participant"]["identity"] == "ada"


async def test_a_flood_is_answered_once_each_and_most_of_it_refused(there: Visit) -> None:
    async with there.joined("ada") as (ada, _), there.joined("bob") as (bob, _):
        for number in range(130):
            await ada.send("candidate", CANDIDATE, id=f"f{number}")
        answers: list[dict[str, Any]] = []
        while len(answers) < 130:
            frame = await ada.frame()
            if "id" in frame:
                answers.append(frame)
        assert [frame["id"] for frame in answers] == [f"f{number}" for number in range(130)]
        refused = [frame for frame in answers if frame["type"] == "error"]
        assert {frame["data"]["code"] for frame in refused} == {"rate_limited"}
        assert 5 <= len(refused) <= 31
        assert await bob.reply("raise_hand", {"raised": True}) == {}


async def test_what_everybody_is_told_of_counts_as_five_requests(there: Visit) -> None:
    async with there.joined("ada") as (ada, _), there.joined("bob") as (bob, _):
        for number in range(40):
            await ada.send("reaction", {"emoji": str(number)}, id=f"f{number}")
        answers = [await ada.ask("candidate", CANDIDATE)]
        answers += [frame for frame in ada.heard if "id" in frame]
        taken = [frame for frame in answers if frame["type"] == "reply"]
        assert 18 <= len(taken) <= 32
        await bob.reply("leave")
        await bob.ends()
        assert sum(frame["type"] == "reaction" for frame in bob.heard) <= len(taken)


async def test_pings_are_answered_and_a_flood_of_them_holds_up_nobody(there: Visit) -> None:
    headers = {"Authorization": f"Bearer {token(there.here, there.room.id)}"}
    async with there.joined("bob") as (bob, _):
        async with there.here.session.ws_connect(SIGNALING, headers=headers, autoping=False) as raw:
            await raw.ping(b"are you there")
            async with asyncio.timeout(PATIENCE):
                pong = await raw.receive()
            assert (pong.type, pong.data) == (WSMsgType.PONG, b"are you there")
            for _ in range(2_000):
                await raw.ping()
                await asyncio.sleep(0)
            assert await bob.reply("candidate", CANDIDATE) == {}
