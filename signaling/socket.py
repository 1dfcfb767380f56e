"""The WebSocket itself: read, written, kept alive and closed. What is said on it is no business of this file."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Literal

from aiohttp import WSCloseCode, WSMsgType, web

from signaling.exchange import Exchange
from signaling.faults import BrokenProtocol, CloseCode
from signaling.messages import LARGEST_FRAME
from signaling.outbox import Outbox

SUBPROTOCOL: Final = "sc.v1"
JOIN_SECONDS: Final = 10.0
# A ping that is not answered within half of it ends the socket.
HEARTBEAT_SECONDS: Final = 20.0
# For a client to read what is left and to say goodbye as well; then the connection is cut.
CLOSE_SECONDS: Final = 2.0


class RoomSocket(web.WebSocketResponse[Literal[False]]):
    """Uncompressed: frames mix what is secret with what others chose, and a compressor costs memory for each socket."""

    def __init__(self) -> None:
        super().__init__(
            protocols=(SUBPROTOCOL,),
            heartbeat=HEARTBEAT_SECONDS,
            autoping=False,  # aiohttp answers all that came at once without a pause
            timeout=CLOSE_SECONDS,
            compress=False,
            max_msg_size=LARGEST_FRAME + 1,
            decode_text=False,
        )
        self.too_large = False

    async def close(self, *, code: int = WSCloseCode.OK, message: bytes = b"", drain: bool = True) -> bool:
        """aiohttp closes by itself over a frame that it does not read to its end. Our protocol has words for that."""
        if code == WSCloseCode.MESSAGE_TOO_BIG and not self.too_large:
            self.too_large = True
            return True
        return await super().close(code=code, message=message, drain=drain)

    def cut(self) -> None:
        """Without a goodbye."""
        request = self._req
        if request is not None and request.transport is not None:
            request.transport.abort()


class SocketLine:
    """signaling.conversation.Line: what is sent is put into an outbox, and written by a task of its own."""

    def __init__(self, socket: RoomSocket) -> None:
        self._socket = socket
        self._outbox = Outbox()
        self._something = asyncio.Event()
        self._cut: asyncio.TimerHandle | None = None
        self.ending: tuple[CloseCode, str] | None = None

    def begin(self, frames: Sequence[bytes]) -> None:
        if self.ending is None:
            self._outbox.begin(frames)
            self._something.set()

    def send(self, frame: bytes) -> None:
        if self.ending is not None:
            return
        if self._outbox.put(frame):
            self._something.set()
            return
        self._outbox.drop()
        self.end(CloseCode.TOO_SLOW, "too_slow")

    def end(self, code: CloseCode, reason: str) -> None:
        if self.ending is None:
            self.ending = (code, reason)
            self._something.set()
            self._cut = asyncio.get_running_loop().call_later(2 * CLOSE_SECONDS, self._socket.cut)

    async def write(self) -> None:
        """Until the line has ended and everything is out, or the client is gone. One that does not read holds this up;
        it is cut in time."""
        with suppress(ConnectionError):
            while True:
                frame = self._outbox.take()
                if frame is not None:
                    await self._socket.send_frame(frame, WSMsgType.TEXT)
                elif self.ending is None:
                    self._something.clear()
                    await self._something.wait()
                else:
                    code, reason = self.ending
                    await self._socket.close(code=code, message=reason.encode())
                    return

    def closed(self) -> None:
        """The socket is no more."""
        if self._cut is not None:
            self._cut.cancel()


async def attend(socket: RoomSocket, line: SocketLine, exchange: Exchange) -> None:
    """Until the socket has ended, whoever ends it."""
    writing = asyncio.create_task(line.write(), name="writer of a room's socket")
    try:
        with suppress(ConnectionError):
            await _read(socket, line, exchange)
    finally:
        exchange.lost()
        if line.ending is None:
            writing.cancel()
        await asyncio.wait({writing})
        line.closed()
        await exchange.settle()


async def _read(socket: RoomSocket, line: SocketLine, exchange: Exchange) -> None:
    deadline = asyncio.get_running_loop().time() + JOIN_SECONDS
    while line.ending is None:
        try:
            async with asyncio.timeout_at(None if exchange.joined else deadline):
                message = await socket.receive()
                # What came at once is read without waiting: answers, others and the deadline have their turn, too.
                await asyncio.sleep(0)
        except TimeoutError:
            exchange.refuse(BrokenProtocol(f"Nobody joined within {JOIN_SECONDS:g} s.", code="not_joined"))
            return
        if message.type is WSMsgType.TEXT:
            await exchange.take(message.data)
        elif message.type is WSMsgType.PING:
            await socket.pong(message.data)
        elif message.type is WSMsgType.BINARY:
            exchange.refuse(BrokenProtocol("Frames are text.", code="not_text"))
        elif socket.too_large:
            exchange.refuse(BrokenProtocol(f"A frame is over {LARGEST_FRAME} bytes.", code="frame_too_large"))
        elif message.type is not WSMsgType.PONG:
            return
