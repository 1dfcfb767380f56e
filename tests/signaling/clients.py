"""People on real sockets of a real server: what they send is written by hand, what they hear is kept in order."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import aiohttp
from aiohttp import WSMsgType

from api.people import token_keys
from identity.roomtokens import SIGNALING, Admission, Grants, RoomTokens, Source
from sfu.rooms import Mode, Plan, Room
from tests.clocks import VirtualClock
from tests.worlds import World

PATIENCE = 10.0
CLIENT = {"name": "tests", "version": "1"}
SPEAKER = Grants(join=True, publish=frozenset(Source), subscribe=True, data=True)
MODERATOR = Grants(join=True, publish=frozenset(Source), subscribe=True, data=True, moderate=True)


async def made_room(here: World, *, mode: Mode = Mode.INTELLIGENT, **plan: Any) -> Room:
    return await here.started.calls.rooms.make(None, Plan(name="Stand-up", mode=mode, **plan))


def token(here: World, room: UUID, identity: str = "ada", grants: Grants = SPEAKER, **more: Any) -> str:
    ttl = more.pop("ttl", 600)
    return here.started.people.room_tokens.mint(Admission(room, identity, grants, **more), by="test", ttl=ttl).token


async def old_token(here: World, room: UUID, identity: str = "ada", *, age: float = 3_600.0) -> str:
    """One that was good for ten minutes, that long ago."""
    platform = here.platform
    keys = await token_keys(platform.settings.identity, platform.secret)
    then = VirtualClock(platform.clock.now() - age)
    tokens = RoomTokens(keys, base_url=here.url, ids=platform.ids, clock=then)
    return tokens.mint(Admission(room, identity, SPEAKER), by="test").token


async def eventually(holds: Callable[[], bool]) -> None:
    """What the server notices by itself, a moment after the client did."""
    async with asyncio.timeout(PATIENCE):
        while not holds():
            await asyncio.sleep(0.005)


class Closed(AssertionError):
    """The socket ended while something was awaited from it."""


@dataclass
class Socket:
    """``heard`` are the notices, in order; answers are waited for by id."""

    raw: aiohttp.ClientWebSocketResponse
    heard: list[dict[str, Any]] = field(default_factory=list)
    _ids: itertools.count[int] = field(default_factory=itertools.count)

    async def send(self, kind: str, data: object = None, **more: object) -> None:
        await self.raw.send_str(json.dumps({"type": kind, "data": {} if data is None else data, **more}))

    async def frame(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            message = await self.raw.receive()
        if message.type is not WSMsgType.TEXT:
            raise Closed(f"{message.type.name} {self.raw.close_code} {message.extra or ''}")
        found: dict[str, Any] = json.loads(message.data)
        return found

    async def ask(self, kind: str, data: object = None) -> dict[str, Any]:
        """The whole answer, ``reply`` or ``error``."""
        number = f"r{next(self._ids)}"
        await self.send(kind, data, id=number)
        while True:
            frame = await self.frame()
            if frame.get("id") == number:
                return frame
            self.heard.append(frame)

    async def reply(self, kind: str, data: object = None) -> Any:
        answer = await self.ask(kind, data)
        assert answer["type"] == "reply", answer
        return answer["data"]

    async def refusal(self, kind: str, data: object = None) -> str:
        answer = await self.ask(kind, data)
        assert answer["type"] == "error", answer
        return str(answer["data"]["code"])

    async def hears(self, kind: str, **fields: Any) -> dict[str, Any]:
        """The next notice of that type with these fields; those before it are kept in ``heard``, too."""
        for frame in self.heard:
            if frame["type"] == kind and fields.items() <= frame["data"].items() and not frame.get("taken"):
                frame["taken"] = True
                return frame
        while True:
            frame = await self.frame()
            self.heard.append(frame)
            if frame["type"] == kind and fields.items() <= frame["data"].items():
                frame["taken"] = True
                return frame

    async def ends(self) -> int | None:
        """The close code, once everything before it was read."""
        async with asyncio.timeout(PATIENCE):
            async for message in self.raw:
                self.heard.append(json.loads(message.data))
        return self.raw.close_code

    async def join(self, **more: Any) -> Any:
        return await self.reply("join", {"client": CLIENT, "e2ee": None, **more})


@dataclass
class Visit:
    """A way to the sockets of one room."""

    here: World
    room: Room

    @asynccontextmanager
    async def socket(self, bearer: str, **options: Any) -> AsyncIterator[Socket]:
        headers = {"Authorization": f"Bearer {bearer}"}
        async with self.here.session.ws_connect(
            SIGNALING, headers=headers, protocols=("sc.v1",), max_msg_size=0, **options
        ) as raw:
            yield Socket(raw)

    @asynccontextmanager
    async def joined(
        self, identity: str = "ada", grants: Grants = SPEAKER, **more: Any
    ) -> AsyncIterator[tuple[Socket, Any]]:
        async with self.socket(token(self.here, self.room.id, identity, grants)) as socket:
            yield socket, await socket.join(**more)


async def visit(here: World, **plan: Any) -> Visit:
    return Visit(here, await made_room(here, **plan))
