"""Where sockets of rooms come in, each with a token, and where all of them hear of the end of the process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from identity.roomtokens import RoomClaims
from kernel.clock import Clock
from kernel.errors import Unauthenticated
from signaling.conversation import Conversations
from signaling.exchange import Exchange
from signaling.faults import CannotStay, judged
from signaling.frames import answering
from signaling.lobby import Lobby
from signaling.numbers import Numbers
from signaling.socket import RoomSocket, SocketLine, attend

# ``close(code, reason)`` is awaited when the process stops; what is returned is called when a socket ended before.
Register = Callable[[Callable[[int, str], Awaitable[object]]], Callable[[], None]]


class Reception:
    def __init__(self, lobby: Lobby, *, clock: Clock, numbers: Numbers) -> None:
        self._lobby = lobby
        self._conversations = Conversations()
        self._clock = clock
        self._numbers = numbers

    def claims(self, token: str) -> RoomClaims:
        """Raises Unauthenticated ``invalid_token``."""
        return self._lobby.read(token)

    async def serve(self, request: web.Request, claims: RoomClaims, register: Register) -> web.StreamResponse:
        """Until the socket ends. Raises what ``register`` raises, and then nothing was opened."""
        socket = RoomSocket()
        line = SocketLine(socket)
        exchange = Exchange(
            claims,
            line,
            doors=self._lobby,
            conversations=self._conversations,
            clock=self._clock,
            numbers=self._numbers,
        )
        ended = asyncio.Event()

        async def stop(_code: int, _reason: str) -> None:
            exchange.stop()
            await ended.wait()

        forget = register(stop)
        try:
            await socket.prepare(request)
            await attend(socket, line, exchange)
        finally:
            forget()
            ended.set()
            self._numbers.closed.labels("lost" if line.ending is None else str(int(line.ending[0]))).inc()
        return socket

    async def turn_away(self, request: web.Request, error: Unauthenticated) -> web.StreamResponse:
        """On a socket: a browser that is refused one is not told why."""
        verdict = judged(CannotStay.after(error))
        socket = RoomSocket()
        await socket.prepare(request)
        await socket.send_str(answering("error", None, verdict.fault).decode())
        self._numbers.faults.labels(verdict.fault.code).inc()
        if verdict.close is not None:
            await socket.close(code=verdict.close, message=verdict.fault.code.encode())
        return socket
