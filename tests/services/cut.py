"""A TCP proxy in front of a service whose cable a test can pull."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from types import TracebackType
from typing import Self

from tests.services.process import HOST, free_port

CHUNK = 1 << 16
CONNECT_TIMEOUT = 5.0
# Linger on, zero seconds: closing sends a reset, as a died machine or a firewall does.
RESET = struct.pack("ii", 1, 0)


class CutProxy:
    """``async with CutProxy(service.host, service.port) as proxy`` listens on ``proxy.host:proxy.port``.

    cut, stall and mend are plain calls and take effect at once; they need the running loop.
    """

    host = HOST

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self.port = free_port()
        self._listener: socket.socket | None = None
        self._relays: set[asyncio.Task[None]] = set()
        self._sockets: set[socket.socket] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()

    async def __aenter__(self) -> Self:
        self._listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        relays = list(self._relays)
        self.cut()
        await asyncio.gather(*relays, return_exceptions=True)

    @property
    def connections(self) -> int:
        """Clients connected right now."""
        return len(self._relays)

    def cut(self) -> None:
        """Resets every connection; new ones are refused."""
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        for end in self._sockets:
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        for relay in self._relays:
            relay.cancel()

    def stall(self) -> None:
        """Accepts, and passes nothing in either direction until mended."""
        self._flowing.clear()
        self._listen()

    def mend(self) -> None:
        self._flowing.set()
        self._listen()

    def _listen(self) -> None:
        if self._listener is None:
            self._listener = socket.create_server((self.host, self.port), backlog=512)
            self._listener.setblocking(False)
            asyncio.get_running_loop().add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        assert self._listener is not None
        with suppress(BlockingIOError):
            client, _ = self._listener.accept()
            client.setblocking(False)
            relay = asyncio.create_task(self._relay(client))
            self._relays.add(relay)
            relay.add_done_callback(self._relays.discard)

    async def _relay(self, client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        upstream = socket.socket()
        upstream.setblocking(False)
        ends = {client, upstream}
        self._sockets |= ends
        try:
            for end in ends:
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await self._flowing.wait()
            await asyncio.wait_for(loop.sock_connect(upstream, self._target), CONNECT_TIMEOUT)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(client, upstream))
                both.create_task(self._pump(upstream, client))
        except* OSError:
            # One end is gone: the other must see it as a reset, not as a polite end.
            for end in ends:
                with suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        finally:
            self._sockets -= ends
            client.close()
            upstream.close()

    async def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while data := await loop.sock_recv(source, CHUNK):
            await self._flowing.wait()
            await loop.sock_sendall(sink, data)
        await self._flowing.wait()
        sink.shutdown(socket.SHUT_WR)
