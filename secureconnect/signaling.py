"""The socket of a room, from the client's side: requests and their answers, what the server says by itself, and coming
back after the socket was lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from itertools import count
from typing import Any, Final, Protocol, TypeVar

import aiohttp
import msgspec
from aiohttp import WSMsgType
from yarl import URL

from secureconnect.errors import Disconnected, Refused

Answer = TypeVar("Answer")

PATH: Final = "/v1/calls/ws/signaling"
SUBPROTOCOL: Final = "sc.v1"
REQUEST_SECONDS: Final = 20.0
CONNECT_SECONDS: Final = 10.0
# Not answered within half of it, a ping ends the socket.
HEARTBEAT_SECONDS: Final = 20.0
# The server sends its descriptions of whole rooms in one frame.
LARGEST_FRAME: Final = 4 * 1024 * 1024
# Between attempts to come back; the server keeps us for a minute at most.
PAUSES: Final = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0, 8.0, 8.0)


# Or what makes one, each time the socket is opened.
Token = str | Callable[[], Awaitable[str]]


class _Frame(msgspec.Struct):
    type: str
    data: msgspec.Raw = msgspec.Raw(b"{}")
    id: str | None = None
    seq: int | None = None


class _Fault(msgspec.Struct):
    code: str
    detail: str = ""


class _Joined(msgspec.Struct):
    resume_token: str | None = None


class Listener(Protocol):
    """Called on the event loop, in the order of the socket; neither waits nor raises."""

    def noticed(self, kind: str, data: bytes) -> None: ...

    def socket_lost(self) -> None: ...

    def socket_back(self) -> None: ...

    def socket_gone(self, code: str) -> None:
        """It will not come back: ``resume_failed``, ``unreachable`` or the code of another refusal."""
        ...


class Signaling:
    """``join`` first. The reader's task is ours and ends with ``close``."""

    def __init__(self, url: str | URL, token: Token, listener: Listener) -> None:
        base = URL(url).with_path(PATH)
        self._url = base.with_scheme({"http": "ws", "https": "wss"}.get(base.scheme, base.scheme))
        self._token = token
        self._listener = listener
        self._http: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._reading: asyncio.Task[None] | None = None
        self._ids = count(1)
        self._pending: dict[str, tuple[asyncio.Future[Any], Callable[[bytes], Any]]] = {}
        self._resume_token: str | None = None
        self._last = 0
        self._is_over = False

    async def join(self, data: Mapping[str, object], read: Callable[[bytes], Answer]) -> Answer:
        """Raises Disconnected and Refused."""
        self._http = aiohttp.ClientSession()
        self._last = 0
        self._socket = await self._connect()
        self._reading = asyncio.create_task(self._run(), name="socket of a room")

        def remembering(answer: bytes) -> Answer:
            self._resume_token = msgspec.json.decode(answer, type=_Joined).resume_token
            return read(answer)

        return await self.request("join", data, remembering)

    async def request(
        self, kind: str, data: Mapping[str, object], read: Callable[[bytes], Answer], timeout: float = REQUEST_SECONDS
    ) -> Answer:
        """``read`` is given the answer as soon as it arrives, before anything that the server says after it."""
        socket = self._socket
        if socket is None or socket.closed:
            raise Disconnected("disconnected")
        number = str(next(self._ids))
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._pending[number] = (future, read)
        try:
            await socket.send_str(msgspec.json.encode({"type": kind, "id": number, "data": data}).decode())
            async with asyncio.timeout(timeout):
                return await future
        except TimeoutError:
            raise Disconnected("no_answer", kind) from None
        except (ConnectionError, aiohttp.ClientError) as lost:
            raise Disconnected("disconnected") from lost
        finally:
            self._pending.pop(number, None)

    async def close(self) -> None:
        """May be called again."""
        self._is_over = True
        reading, self._reading = self._reading, None
        if reading is not None and reading is not asyncio.current_task():
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading
        await self._hang_up()
        if self._http is not None:
            await self._http.close()
        self._fail_pending()

    async def _connect(self) -> aiohttp.ClientWebSocketResponse:
        if self._http is None:
            raise Disconnected("disconnected")
        token = self._token if isinstance(self._token, str) else await self._token()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await self._http.ws_connect(
                    self._url,
                    protocols=(SUBPROTOCOL,),
                    headers={"Authorization": f"Bearer {token}"},
                    heartbeat=HEARTBEAT_SECONDS,
                    max_msg_size=LARGEST_FRAME,
                )
        except aiohttp.WSServerHandshakeError as refused:
            if refused.status < 500:
                raise Refused("handshake_refused", f"status {refused.status}") from refused
            raise Disconnected("unreachable", f"status {refused.status}") from refused
        except (OSError, TimeoutError, aiohttp.ClientError) as failed:
            raise Disconnected("unreachable", str(failed)) from failed

    async def _run(self) -> None:
        while self._socket is not None:
            await self._read(self._socket)
            self._fail_pending()
            if self._is_over:
                return
            self._listener.socket_lost()
            code = await self._come_back()
            if code is not None:
                await self._hang_up()
                self._listener.socket_gone(code)
                return
            self._listener.socket_back()

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                self._take(message.data)

    def _take(self, text: str) -> None:
        frame = msgspec.json.decode(text, type=_Frame)
        if frame.seq is not None:
            self._last = frame.seq
            if frame.type == "ended":
                self._is_over = True
            elif frame.type == "admitted":
                self._resume_token = msgspec.json.decode(frame.data, type=_Joined).resume_token
            self._listener.noticed(frame.type, bytes(frame.data))
        else:
            self._answer(frame)

    def _answer(self, frame: _Frame) -> None:
        future, read = self._pending.pop(frame.id or "", (None, None))
        if future is None or read is None or future.done():
            return
        if frame.type == "error":
            fault = msgspec.json.decode(frame.data, type=_Fault)
            future.set_exception(Refused(fault.code, fault.detail))
            return
        try:
            future.set_result(read(bytes(frame.data)))
        except msgspec.MsgspecError as unreadable:
            future.set_exception(Refused("unreadable_answer", str(unreadable)))

    async def _come_back(self) -> str | None:
        """None once we are back, otherwise why that will not be."""
        if self._resume_token is None:
            return "unreachable"
        for pause in PAUSES:
            await asyncio.sleep(pause)
            try:
                self._socket = await self._connect()
                return await self._resume(self._socket)
            except Refused as refused:
                return refused.code
            except (Disconnected, ConnectionError, aiohttp.ClientError, TimeoutError):
                await self._hang_up()
        return "unreachable"

    async def _hang_up(self) -> None:
        socket, self._socket = self._socket, None
        if socket is not None:
            with suppress(ConnectionError, aiohttp.ClientError):
                await socket.close()

    async def _resume(self, socket: aiohttp.ClientWebSocketResponse) -> str | None:
        number = str(next(self._ids))
        asked = {"resume_token": self._resume_token, "after": self._last}
        await socket.send_str(msgspec.json.encode({"type": "resume", "id": number, "data": asked}).decode())
        async with asyncio.timeout(REQUEST_SECONDS):
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    frame = msgspec.json.decode(message.data, type=_Frame)
                    if frame.type == "error":
                        return msgspec.json.decode(frame.data, type=_Fault).code
                    if frame.seq is None:
                        return None
                    self._take(message.data)
        raise Disconnected("disconnected")

    def _fail_pending(self) -> None:
        pending, self._pending = self._pending, {}
        for future, _ in pending.values():
            if not future.done():
                future.set_exception(Disconnected("disconnected"))
