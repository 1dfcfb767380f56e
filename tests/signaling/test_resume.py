"""A socket that was lost, or does not read: the participant stays, and what was said meanwhile is said again."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from identity.roomtokens import SIGNALING
from sfu.notices import Data, Notice, Reaction
from sfu.watching import LOOK_EVERY
from signaling.outbox import MOST_KEPT
from tests.signaling.clients import CLIENT, PATIENCE, Socket, Visit, eventually, old_token, token, visit
from tests.worlds import world


@pytest.fixture
async def there(tmp_path: Path) -> AsyncIterator[Visit]:
    async with world(tmp_path) as here:
        yield await visit(here)


def lose(one: Socket) -> None:
    """As when a network goes: nothing is said any more."""
    connection = one.raw._response.connection
    assert connection is not None
    assert connection.transport is not None
    connection.transport.abort()


def tell_all(there: Visit, notice: Notice, *, times: int) -> None:
    meeting = there.here.started.calls.live.find(there.room.id)
    assert meeting is not None
    for _ in range(times):
        meeting.tell_all(notice)


async def lost(there: Visit, identity: str = "ada") -> dict[str, Any]:
    """Somebody who joined and whose socket is gone; what they were told on joining."""
    async with there.joined(identity) as (one, joined):
        before = there.here.started.lifecycle.open_sockets()
        lose(one)
        await eventually(lambda: there.here.started.lifecycle.open_sockets() == before - 1)
    found: dict[str, Any] = joined
    return found


async def test_what_was_said_meanwhile_is_said_again_and_numbers_go_on(there: Visit) -> None:
    async with there.joined("bob") as (bob, _):
        joined = await lost(there)
        for number in range(4):
            await bob.reply("data", {"payload": base64.b64encode(bytes([number])).decode()})
        async with there.socket(token(there.here, there.room.id)) as again:
            assert await again.reply("resume", {"resume_token": joined["resume_token"], "after": 0}) == {}
            assert again.heard == []
            assert [(await again.hears("data"))["seq"] for _ in range(4)] == [1, 2, 3, 4]
            await bob.reply("reaction", {"emoji": "x"})
            assert (await again.hears("reaction"))["seq"] == 5
            assert await again.reply("reaction", {"emoji": "y"}) == {}
        assert (await bob.hears("reaction"))["data"]["participant"] == joined["participant"]["id"]
        assert [frame for frame in bob.heard if frame["type"] == "participant_left"] == []


async def test_what_one_has_heard_is_not_said_again(there: Visit) -> None:
    async with there.joined("bob") as (bob, _):
        joined = await lost(there)
        for number in range(5):
            await bob.reply("reaction", {"emoji": str(number)})
        async with there.socket(token(there.here, there.room.id)) as again:
            await again.reply("resume", {"resume_token": joined["resume_token"], "after": 3})
            assert [(await again.hears("reaction"))["data"]["emoji"] for _ in range(2)] == ["3", "4"]
            await again.reply("raise_hand", {"raised": True})
            assert [frame["seq"] for frame in again.heard if frame["type"] == "reaction"] == [4, 5]


async def test_one_comes_back_with_a_token_that_has_expired_meanwhile(there: Visit) -> None:
    joined = await lost(there)
    async with there.socket(await old_token(there.here, there.room.id)) as again:
        assert await again.reply("resume", {"resume_token": joined["resume_token"], "after": 0}) == {}


async def test_what_cannot_be_resumed_can_be_joined_anew_on_the_same_socket(there: Visit) -> None:
    joined = await lost(there)
    right = {"resume_token": joined["resume_token"], "after": 0}
    async with there.socket(token(there.here, there.room.id)) as again:
        for wrong in ({"resume_token": "guess"}, {"after": 1}, {"after": 2**53}):
            assert await again.refusal("resume", right | wrong) == "resume_failed"
        assert (await again.join())["participants"] == []


async def test_nobody_resumes_as_somebody_else_or_elsewhere(there: Visit) -> None:
    joined = await lost(there)
    resume = {"resume_token": joined["resume_token"], "after": 0}
    other = await visit(there.here)
    for bearer in (token(there.here, there.room.id, "eve"), token(there.here, other.room.id)):
        async with there.socket(bearer) as thief:
            assert await thief.refusal("resume", resume) == "resume_failed"
    async with there.socket(token(there.here, there.room.id)) as again:
        assert await again.reply("resume", resume) == {}


async def test_what_was_said_too_long_ago_is_not_there_any_more(there: Visit) -> None:
    joined = await lost(there)
    tell_all(there, Reaction("somebody", "x"), times=MOST_KEPT + 1)
    async with there.socket(token(there.here, there.room.id)) as again:
        resume = {"resume_token": joined["resume_token"], "after": 0}
        assert await again.refusal("resume", resume) == "resume_failed"
        assert await again.reply("resume", resume | {"after": 1}) == {}
        heard = [await again.frame() for _ in range(MOST_KEPT)]
        assert [frame["seq"] for frame in heard] == list(range(2, MOST_KEPT + 2))


async def test_of_two_sockets_the_later_one_is_that_of_the_participant(there: Visit) -> None:
    async with there.joined("bob") as (bob, _), there.joined("ada") as (first, joined):
        async with there.socket(token(there.here, there.room.id)) as second:
            await second.reply("resume", {"resume_token": joined["resume_token"], "after": 0})
            assert await first.ends() == 1000
            await bob.reply("reaction", {"emoji": "x"})
            assert (await second.hears("reaction"))["data"]["emoji"] == "x"
            assert await second.reply("raise_hand", {"raised": True}) == {}
            assert "reaction" not in [frame["type"] for frame in first.heard]
        assert [frame for frame in bob.heard if frame["type"] == "participant_left"] == []


async def test_who_stays_away_for_too_long_is_gone(there: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    async with there.joined("bob") as (bob, _):
        monkeypatch.setattr("sfu.participants.GONE_AFTER", 0.2)
        joined = await lost(there)
        left = (await bob.hears("participant_left"))["data"]
        assert left == {"participant": joined["participant"]["id"], "reason": "connection_lost"}
        async with there.socket(token(there.here, there.room.id)) as late:
            resume = {"resume_token": joined["resume_token"], "after": 0}
            assert await late.refusal("resume", resume) == "resume_failed"


async def test_who_came_back_in_time_stays(there: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    joined = await lost(there)
    async with there.socket(token(there.here, there.room.id)) as again:
        await again.reply("resume", {"resume_token": joined["resume_token"], "after": 0})
        monkeypatch.setattr("sfu.participants.GONE_AFTER", 0.0)
        await asyncio.sleep(5 * LOOK_EVERY)
        assert await again.reply("raise_hand", {"raised": True}) == {}


# --- who does not read ---------------------------------------------------------------------------------------


@contextmanager
def deaf(there: Visit, identity: str) -> Iterator[socket.socket]:
    """A client that speaks and never reads, on a connection that holds little."""
    parts = urlsplit(there.here.url)
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.connect((parts.hostname, parts.port))
        raw.sendall(
            f"GET {SIGNALING} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            f"Authorization: Bearer {token(there.here, there.room.id, identity)}\r\n\r\n".encode()
        )
        raw.sendall(client_frame(json.dumps({"type": "join", "id": "1", "data": {"client": CLIENT}}).encode()))
        yield raw


def client_frame(payload: bytes) -> bytes:
    """A text frame as clients send it: masked (RFC 6455 section 5.3)."""
    length = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2, "big")
    mask = os.urandom(4)
    return b"\x81" + length + mask + bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))


async def test_who_does_not_read_is_cut_and_stays_in_the_room(there: Visit) -> None:
    lifecycle, registry = there.here.started.lifecycle, there.here.platform.metrics.registry
    with deaf(there, "ada"):
        await eventually(lambda: there.here.started.calls.live.find(there.room.id) is not None)
        async with asyncio.timeout(PATIENCE):
            while lifecycle.open_sockets():
                tell_all(there, Data("somebody", bytes(15_000), reliable=True), times=8)
                await asyncio.sleep(0.01)
    assert registry.get_sample_value("secureconnect_signaling_closed_total", {"code": "4408"}) == 1
    async with there.joined("bob") as (_, joined):
        assert [one["identity"] for one in joined["participants"]] == ["ada"]


async def test_who_does_not_read_holds_up_nobody_else(there: Visit) -> None:
    async with there.joined("bob") as (bob, _):
        with deaf(there, "ada"):
            await bob.hears("participant_joined")
            while there.here.started.lifecycle.open_sockets() == 2:
                tell_all(there, Data("somebody", bytes(15_000), reliable=True), times=8)
                for _ in range(8):
                    await bob.hears("data")
        assert await bob.reply("raise_hand", {"raised": True}) == {}
        assert [frame["seq"] for frame in bob.heard] == list(range(1, len(bob.heard) + 1))


async def test_who_reads_late_is_told_why_and_may_resume(there: Visit) -> None:
    async with there.joined("ada") as (ada, joined):
        tell_all(there, Reaction("somebody", "x"), times=100)  # in one turn of the loop, in which nobody can read
        assert await ada.ends() == 4408
        heard = max((frame["seq"] for frame in ada.heard), default=0)
        assert heard < 100
        async with there.socket(token(there.here, there.room.id)) as again:
            assert await again.reply("resume", {"resume_token": joined["resume_token"], "after": heard}) == {}
            missed = [await again.frame() for _ in range(100 - heard)]
            assert [frame["seq"] for frame in missed] == list(range(heard + 1, 101))
