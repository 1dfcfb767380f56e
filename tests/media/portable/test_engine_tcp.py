"""ICE over TCP: framed datagrams in and out, and bounds on who may hold what."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

from kernel.clock import SystemClock
from media.engine import Address, Listening
from media.framing import framed
from media.icevalues import Path
from media.portable.sockets import bind
from media.portable.tcp import MOST_WAITING_BYTES, TcpLimits, TcpPort
from tests.media.peers import TcpWire

PATIENCE = 5.0
HELLO, ONE, TWO = (word.ljust(20, b".") for word in (b"hello", b"one", b"two"))


@dataclass
class Port:
    remote: Address
    port: TcpPort
    drops: Counter[str]
    received: list[tuple[bytes, Path]]
    wires: list[TcpWire] = field(default_factory=list)
    heard: list[bytes] = field(default_factory=list)

    async def connect(self) -> TcpWire:
        wire = await TcpWire.connect(self.heard.append, self.remote)
        self.wires.append(wire)
        return wire

    async def connected(self, number: int) -> list[TcpWire]:
        wires = [await self.connect() for _ in range(number)]
        await until(lambda: len(self.port) == number)
        return wires


async def until(holds: object) -> None:
    assert callable(holds)
    async with asyncio.timeout(PATIENCE):
        while not holds():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def opened(limits: TcpLimits | None = None) -> AsyncIterator[Port]:
    bound = bind(Listening(("127.0.0.1",), 0))
    drops: Counter[str] = Counter()
    received: list[tuple[bytes, Path]] = []

    def receive(data: memoryview, path: Path, now: float, came: float) -> None:
        received.append((bytes(data), path))

    port = TcpPort(count(5), receive, lambda: None, drops=drops, clock=SystemClock(), limits=limits or TcpLimits())
    await port.listen(bound.tcp)
    made = Port(bound.local[0], port, drops, received)
    for one in bound.udp:
        one.close()
    try:
        yield made
    finally:
        for wire in made.wires:
            await wire.close()
        await port.close()
        await until(lambda: len(port) == 0)


async def test_datagrams_come_one_by_one_however_the_stream_is_cut() -> None:
    async with opened() as port:
        (wire,) = await port.connected(1)
        stream = framed(ONE) + framed(TWO)
        for at in range(0, len(stream), 3):
            wire.send_unframed(stream[at : at + 3])
            await asyncio.sleep(0.01)
        await until(lambda: len(port.received) == 2)
        assert [data for data, _ in port.received] == [ONE, TWO]
        assert {path.local for _, path in port.received} == {5}
        assert {path.host for _, path in port.received} == {"127.0.0.1"}


async def test_each_connection_is_a_path_of_its_own_and_answers_go_back_by_it() -> None:
    async with opened() as port:
        for wire in await port.connected(2):
            wire.send(HELLO)
        await until(lambda: len(port.received) == 2)
        paths = {path for _, path in port.received}
        assert len({path.local for path in paths}) == 2
        for path in paths:
            connection = port.port.at(path.local)
            assert connection is not None
            assert connection.send(b"answer", path.address)
        await until(lambda: port.heard == [b"answer", b"answer"])


async def test_one_address_holds_so_many_connections_and_the_port_so_many_in_all() -> None:
    async with opened(TcpLimits(per_address=2)) as port:
        await port.connected(2)
        third = await port.connect()
        await until(lambda: third.is_closed)
        assert port.drops == {"tcp_address_full": 1}
        await port.wires[0].close()
        await until(lambda: len(port.port) == 1)
        await port.connect()
        await until(lambda: len(port.port) == 2)
    async with opened(TcpLimits(connections=1)) as port:
        await port.connected(1)
        second = await port.connect()
        await until(lambda: second.is_closed)
        assert port.drops == {"tcp_connections_full": 1}


async def test_whoever_has_not_passed_ice_in_time_is_cut_and_others_stay() -> None:
    async with opened() as port:
        known, stranger = await port.connected(2)
        known.send(HELLO)
        await until(lambda: port.received)
        known_path = port.received[0][1]
        now = time.monotonic()
        port.port.tick(now + 9, lambda path: path == known_path)
        assert len(port.port) == 2
        port.port.tick(now + 10.5, lambda path: path == known_path)
        await until(lambda: stranger.is_closed)
        assert len(port.port) == 1
        assert port.drops == {"tcp_stranger": 1}
        port.port.tick(now + 20, lambda path: False)
        assert len(port.port) == 1
        port.port.tick(now + 21, lambda path: False)
        await until(lambda: known.is_closed)


async def test_a_frame_that_no_datagram_has_ends_the_connection() -> None:
    async with opened() as port:
        (wire,) = await port.connected(1)
        wire.send_unframed(b"GET / HTTP/1.1\r\n\r\n")
        await until(lambda: wire.is_closed)
        assert port.drops == {"tcp_frame_long": 1}


async def test_frames_too_short_for_anything_end_the_connection_at_the_first_of_them() -> None:
    async with opened() as port:
        (wire,) = await port.connected(1)
        wire.send(HELLO)
        wire.send_unframed(framed(b"x") * 50_000)
        await until(lambda: wire.is_closed)
        assert [data for data, _ in port.received] == [HELLO]
        assert port.drops == {"tcp_frame_short": 1}


async def test_a_reader_that_stands_still_costs_a_bounded_buffer_and_then_its_newest_packets() -> None:
    async with opened() as port:
        (wire,) = await port.connected(1)
        wire.send(HELLO)
        await until(lambda: port.received)
        connection = port.port.at(port.received[0][1].local)
        assert connection is not None
        wire.pause()
        sent = 0
        while connection.send(bytes(1200), ("", 0)):
            sent += 1
            await asyncio.sleep(0)
            assert sent < 100_000
        assert port.drops == {"tcp_full": 1}
        assert connection._transport is not None
        waiting = connection._transport.get_write_buffer_size()
        assert MOST_WAITING_BYTES - 1300 < waiting <= MOST_WAITING_BYTES


async def test_what_is_for_a_connection_that_has_gone_is_counted() -> None:
    async with opened() as port:
        (wire,) = await port.connected(1)
        wire.send(HELLO)
        await until(lambda: port.received)
        path = port.received[0][1]
        connection = port.port.at(path.local)
        assert connection is not None
        await wire.close()
        await until(lambda: port.port.at(path.local) is None)
        assert not connection.send(b"late", path.address)
        assert port.drops == {"tcp_gone": 1}
