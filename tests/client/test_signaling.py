"""The client's socket against a server that misbehaves as told: what the real one does is in test_rooms.py."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestServer

from secureconnect import signaling
from secureconnect.errors import Disconnected, Refused
from secureconnect.signaling import PATH, Signaling

Script = Callable[["Line"], Awaitable[None]]
PATIENCE = 10.0


@dataclass
class Line:
    """One socket, from the server's side."""

    raw: web.WebSocketResponse
    request: web.Request

    async def hears(self) -> dict[str, Any]:
        message = await self.raw.receive(PATIENCE)
        assert message.type is WSMsgType.TEXT
        heard: dict[str, Any] = json.loads(message.data)
        return heard

    async def says(self, **frame: Any) -> None:
        await self.raw.send_str(json.dumps(frame))

    async def joins(self) -> None:
        asked = await self.hears()
        assert asked["type"] == "join"
        await self.says(type="reply", id=asked["id"], data={"resume_token": "again"})


@dataclass
class Listener:
    told: list[tuple[str, str]] = field(default_factory=list)

    def noticed(self, kind: str, data: bytes) -> None:
        self.told.append((kind, data.decode()))

    def socket_lost(self) -> None:
        self.told.append(("lost", ""))

    def socket_back(self) -> None:
        self.told.append(("back", ""))

    def socket_gone(self, code: str) -> None:
        self.told.append(("gone", code))

    async def until(self, kind: str) -> str:
        async with asyncio.timeout(PATIENCE):
            while True:
                for told, what in self.told:
                    if told == kind:
                        return what
                await asyncio.sleep(0.01)


@asynccontextmanager
async def talking(*scripts: Script | int) -> AsyncIterator[tuple[Signaling, Listener]]:
    """Each socket follows the next script; a number is the status that it is refused with."""
    following = iter(scripts)

    async def socket(request: web.Request) -> web.StreamResponse:
        script = next(following, 500)
        if isinstance(script, int):
            return web.Response(status=script)
        raw = web.WebSocketResponse(protocols=("sc.v1",))
        await raw.prepare(request)
        await script(Line(raw, request))
        if not raw.closed:
            await raw.close()
        return raw

    app = web.Application()
    app.router.add_get(PATH, socket)
    server = TestServer(app)
    await server.start_server()
    listener = Listener()
    client = Signaling(server.make_url("/"), "token", listener)
    try:
        yield client, listener
    finally:
        await client.close()
        await server.close()


def nothing(_: bytes) -> None:
    return None


async def stays(line: Line) -> None:
    await line.joins()
    async for _ in line.raw:
        pass


async def test_the_token_is_in_the_header_and_nowhere_else() -> None:
    async def looks(line: Line) -> None:
        assert line.request.headers["Authorization"] == "Bearer token"
        assert line.request.query_string == ""
        assert line.raw.ws_protocol == "sc.v1"
        await stays(line)

    async with talking(looks) as (client, _):
        await client.join({}, nothing)


@pytest.mark.parametrize(
    ("status", "error", "code"), [(401, Refused, "handshake_refused"), (503, Disconnected, "unreachable")]
)
async def test_a_socket_that_is_not_opened_says_whose_fault_that_is(status: int, error: type, code: str) -> None:
    async with talking(status) as (client, _):
        with pytest.raises(error, match=code):
            await client.join({}, nothing)


async def test_an_answer_is_read_before_what_the_server_says_next() -> None:
    async def answers(line: Line) -> None:
        await line.joins()
        asked = await line.hears()
        await line.says(type="reply", id=asked["id"], data={"n": 1})
        await line.says(type="slots", seq=1, data={"n": 2})
        await line.raw.receive()

    async with talking(answers) as (client, listener):
        await client.join({}, nothing)
        await client.request("negotiate", {}, lambda data: listener.told.append(("answer", data.decode())))
        await listener.until("slots")
        assert [kind for kind, _ in listener.told] == ["answer", "slots"]


async def test_what_is_refused_carries_its_code_and_what_cannot_be_read_is_said_so() -> None:
    async def refuses(line: Line) -> None:
        await line.joins()
        asked = await line.hears()
        await line.says(type="error", id=asked["id"], data={"code": "not_granted", "detail": "No.", "more": 1})
        asked = await line.hears()
        await line.says(type="reply", id="another", data={})
        await line.says(type="reply", id=asked["id"], data={"unexpected": True})
        await line.raw.receive()

    async with talking(refuses) as (client, _):
        await client.join({}, nothing)
        with pytest.raises(Refused, match=r"not_granted: No\."):
            await client.request("pin", {}, nothing)
        with pytest.raises(Refused, match="unreadable_answer"):
            await client.request("pin", {}, lambda data: msgspec.json.decode(data, type=int))


async def test_a_request_that_nobody_answers_is_given_up() -> None:
    async with talking(stays) as (client, _):
        await client.join({}, nothing)
        with pytest.raises(Disconnected, match="no_answer"):
            await client.request("pin", {}, nothing, timeout=0.05)


async def test_a_request_ends_with_the_socket_that_it_was_made_on() -> None:
    async def hangs_up(line: Line) -> None:
        await line.joins()
        await line.hears()

    async with talking(hangs_up) as (client, _):
        await client.join({}, nothing)
        with pytest.raises(Disconnected, match="disconnected"):
            await client.request("pin", {}, nothing)
        with pytest.raises(Disconnected, match="disconnected"):
            await client.request("pin", {}, nothing)


async def test_who_comes_back_says_what_arrived_last_and_gets_the_rest_in_order() -> None:
    resumed: list[dict[str, Any]] = []

    async def first(line: Line) -> None:
        await line.joins()
        await line.says(type="speakers", seq=1, data={"n": 1})
        await line.says(type="speakers", seq=2, data={"n": 2})

    async def second(line: Line) -> None:
        resumed.append(await line.hears())
        await line.says(type="reply", id=resumed[0]["id"], data={})
        await line.says(type="speakers", seq=3, data={"n": 3})
        await line.says(type="mode", seq=4, data={"n": 4})
        await line.raw.receive()

    async with talking(first, 503, second) as (client, listener):
        await client.join({}, nothing)
        await listener.until("mode")
        assert resumed[0]["type"] == "resume"
        assert resumed[0]["data"] == {"resume_token": "again", "after": 2}
        numbers = [json.loads(data)["n"] for _, data in listener.told if data]
        assert numbers == [1, 2, 3, 4]
        assert [kind for kind, data in listener.told if not data] == ["lost", "back"]


@pytest.mark.parametrize("code", ["resume_failed", "room_ended"])
async def test_who_cannot_come_back_is_told_why(code: str) -> None:
    async def once(line: Line) -> None:
        await line.joins()

    async def refuses(line: Line) -> None:
        asked = await line.hears()
        await line.says(type="error", id=asked["id"], data={"code": code, "detail": ""})

    async with talking(once, refuses) as (client, listener):
        await client.join({}, nothing)
        assert await listener.until("gone") == code
        with pytest.raises(Disconnected):
            await client.request("pin", {}, nothing)


async def test_a_server_that_stays_away_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signaling, "PAUSES", (0.01, 0.01, 0.01))

    async def once(line: Line) -> None:
        await line.joins()

    async def half(line: Line) -> None:
        await line.hears()

    async with talking(once, 503, half, 502) as (client, listener):
        await client.join({}, nothing)
        assert await listener.until("gone") == "unreachable"


async def test_after_the_end_nobody_comes_back() -> None:
    async def ends(line: Line) -> None:
        await line.joins()
        await line.says(type="ended", seq=1, data={"reason": "kicked"})

    async with talking(ends, stays) as (client, listener):
        await client.join({}, nothing)
        await listener.until("ended")
        await asyncio.sleep(0.3)
        assert [kind for kind, _ in listener.told] == ["ended"]
        await client.close()
