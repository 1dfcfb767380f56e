"""ICE over TCP, the passive side (RFC 6544): whoever finds UDP closed connects here and frames datagrams (RFC 4571).

A connection is a path like any other, and nobody's until it has passed ICE. There are bounds on connections, in all and
from one address, on bytes that wait to be sent, and on the time that a stranger may stay.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, cast

from kernel.clock import Clock
from media.errors import BadPacket
from media.framing import Deframer, framed
from media.icevalues import Path
from media.portable.sockets import Receive

# Two seconds of 1 Mbit/s; whoever is further behind wants newer pictures, not older ones.
MOST_WAITING_BYTES: Final = 256 * 1024
# Of RTP, which has the shortest header of all.
SHORTEST: Final = 12
CLOSING_TIME: Final = 5.0


@dataclass(frozen=True, slots=True)
class TcpLimits:
    """``stranger_time``: seconds that a connection may stay which is nobody's path, from when it was made or last was
    one. Whoever is known is watched by the checks of ICE."""

    connections: int = 2048
    per_address: int = 64
    stranger_time: float = 10.0


class TcpPort:
    """All connections of an engine. ``names`` are those of sockets in paths; ``received`` is called behind a batch."""

    def __init__(
        self,
        names: Iterator[int],
        receive: Receive,
        received: Callable[[], None],
        *,
        drops: Counter[str],
        clock: Clock,
        limits: TcpLimits,
    ) -> None:
        self.drops = drops
        self.receive = receive
        self.received = received
        self.clock = clock
        self._names = names
        self._limits = limits
        self._connections: dict[int, TcpConnection] = {}
        self._of_address: Counter[str] = Counter()
        self._servers: list[asyncio.Server] = []

    def __len__(self) -> int:
        return len(self._connections)

    async def listen(self, listeners: Sequence[socket.socket]) -> None:
        loop = asyncio.get_running_loop()
        for listener in listeners:
            self._servers.append(await loop.create_server(lambda: TcpConnection(self), sock=listener))

    def at(self, local: int) -> TcpConnection | None:
        return self._connections.get(local)

    def tick(self, now: float, is_known: Callable[[Path], bool]) -> None:
        """Once a second or so."""
        for connection in list(self._connections.values()):
            if is_known(connection.path):
                connection.known_at = now
            elif now - connection.known_at >= self._limits.stranger_time:
                self.drops["tcp_stranger"] += 1
                connection.abort()

    def admit(self, connection: TcpConnection, host: str, port: int) -> Path | None:
        if len(self._connections) >= self._limits.connections:
            self.drops["tcp_connections_full"] += 1
            return None
        if self._of_address[host] >= self._limits.per_address:
            self.drops["tcp_address_full"] += 1
            return None
        path = Path(next(self._names), host, port)
        self._connections[path.local] = connection
        self._of_address[host] += 1
        return path

    def leave(self, path: Path) -> None:
        del self._connections[path.local]
        self._of_address[path.host] -= 1
        if not self._of_address[path.host]:
            del self._of_address[path.host]

    async def close(self) -> None:
        for server in self._servers:
            server.close()
        for connection in list(self._connections.values()):
            connection.abort()
        # An aborted connection lets go of its socket in a later turn of the loop.
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSING_TIME):
                await asyncio.gather(*(server.wait_closed() for server in self._servers))


class TcpConnection(asyncio.Protocol):
    def __init__(self, port: TcpPort) -> None:
        self.path = Path(0, "", 0)
        self.known_at = 0.0
        self._port = port
        self._deframer = Deframer()
        self._transport: asyncio.Transport | None = None
        self._admitted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # That of uvloop is one in all but name.
        stream = cast(asyncio.Transport, transport)
        host, number = (stream.get_extra_info("peername") or ("", 0))[:2]
        path = self._port.admit(self, host, number)
        if path is None:
            stream.abort()
            return
        self._admitted = True
        self._transport = stream
        self.path = path
        self.known_at = self._port.clock.monotonic()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._admitted:
            self._port.leave(self.path)

    def data_received(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        try:
            frames = self._deframer.feed(data)
        except BadPacket as bad:
            self._port.drops[bad.reason] += 1
            self.abort()
            return
        now = self._port.clock.monotonic()
        for frame in frames:
            if len(frame) < SHORTEST:
                # A read of one-byte frames would keep us busy for a quarter of a second.
                self._port.drops["tcp_frame_short"] += 1
                self.abort()
                break
            self._port.receive(memoryview(frame), self.path, now, now)
        self._port.received()

    def send(self, data: bytes | memoryview, _address: tuple[str, int]) -> bool:
        """The newest is what is dropped: a stream cannot take back what it has begun to send."""
        transport = self._transport
        if transport is None or transport.is_closing():
            self._port.drops["tcp_gone"] += 1
            return False
        if transport.get_write_buffer_size() + len(data) > MOST_WAITING_BYTES:
            self._port.drops["tcp_full"] += 1
            return False
        transport.write(framed(data))
        return True

    def send_run(self, run: memoryview, size: int, address: tuple[str, int]) -> int:
        return sum(self.send(run[at : at + size], address) for at in range(0, len(run), size))

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
