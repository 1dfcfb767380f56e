"""The emulator as tests meet it: a process of its own, with real sockets and real time."""

from __future__ import annotations

import asyncio
import socket
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import cast

import pytest

from tests.emulator import PERFECT, Conditions, Emulator, Way, constant, emulated, through
from tests.emulator.link import HEADERS

SIZE = 1000
LOCAL = "127.0.0.1"


@dataclass
class End(asyncio.DatagramProtocol):
    """``came``: when, what and from where."""

    came: list[tuple[float, bytes, tuple[str, int]]] = field(default_factory=list)
    transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)  # uvloop's is none by inheritance
        made = transport.get_extra_info("socket")
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.came.append((time.monotonic(), data, addr))

    def send(self, data: bytes, to: tuple[str, int]) -> None:
        assert self.transport is not None
        self.transport.sendto(data, to)

    @property
    def address(self) -> tuple[str, int]:
        assert self.transport is not None
        name: tuple[str, int] = self.transport.get_extra_info("sockname")
        return name

    async def have(self, number: int) -> None:
        async with asyncio.timeout(10):
            while len(self.came) < number:
                await asyncio.sleep(0.005)


@asynccontextmanager
async def end() -> AsyncIterator[End]:
    transport, opened = await asyncio.get_running_loop().create_datagram_endpoint(End, local_addr=(LOCAL, 0))
    try:
        yield opened
    finally:
        transport.close()
        await asyncio.sleep(0)


@asynccontextmanager
async def ends(up: Conditions = PERFECT, down: Conditions = PERFECT) -> AsyncIterator[tuple[End, End, Emulator]]:
    async with end() as client, end() as server, emulated(server.address, up=up, down=down) as network:
        yield client, server, network


def stamped(number: int = 0) -> bytes:
    return (f"{time.monotonic():.6f} {number} ").encode().ljust(SIZE, b".")


def delays(of: End) -> list[float]:
    return [at - float(data.split(b" ")[0]) for at, data, _ in of.came]


async def test_both_ways_and_clients_apart() -> None:
    async with ends() as (first, server, network), end() as second:
        first.send(b"first", network.address)
        second.send(b"second", network.address)
        await server.have(2)
        for _, data, source in server.came:
            server.send(b"to " + data, source)
        await first.have(1)
        await second.have(1)
        assert [data for _, data, _ in first.came] == [b"to first"]
        assert [data for _, data, _ in second.came] == [b"to second"]
        assert {source for _, _, source in first.came} == {network.address}
        assert len({source for _, _, source in server.came}) == 2
        assert (await network.status()).peers == 2


@pytest.mark.slow(alone=True)
async def test_a_delay_is_kept_within_two_milliseconds() -> None:
    async with ends(up=Conditions(delay=0.05)) as (client, server, network):
        for number in range(200):
            client.send(stamped(number), network.address)
            await asyncio.sleep(0.005)
        await server.have(200)
    took = delays(server)
    assert min(took) >= 0.05
    # Most of them: a busy machine may hold up any process for longer, this one too.
    assert statistics.median(took) <= 0.052


async def test_a_busy_test_delays_nothing() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind((LOCAL, 0))
        sink.setblocking(False)
        async with end() as client, emulated(sink.getsockname(), up=Conditions(delay=0.05)) as network:
            client.send(b"x", network.address)
            busy_until = time.monotonic() + 0.15
            while time.monotonic() < busy_until:
                pass
            # It is there although this process did nothing for it.
            assert sink.recv(10) == b"x"


@pytest.mark.slow(alone=True)
async def test_a_rate_is_kept_within_five_percent() -> None:
    rate = 4_000_000
    async with ends(down=Conditions(bottleneck=constant(rate))) as (client, server, network):
        client.send(b"hello", network.address)
        await server.have(1)
        _, _, source = server.came[0]
        # Half as much again as fits, by the clock and not by how long sleeping takes.
        a_second = 1.5 * rate / 8 / (SIZE + HEADERS)
        began, sent = time.monotonic(), 0
        while (elapsed := time.monotonic() - began) < 1.0:
            while sent < elapsed * a_second:
                server.send(stamped(), source)
                sent += 1
            await asyncio.sleep(0.002)
        await asyncio.sleep(0.3)
        status = await network.status()
        first, last = client.came[0][0], client.came[-1][0]
    assert status.down.overflowed > 50
    carried = (len(client.came) - 1) * (SIZE + HEADERS) * 8 / (last - first)
    assert carried == pytest.approx(rate, rel=0.05)
    # The queue holds 200 ms.
    assert 0.15 < max(delays(client)) < 0.25


async def test_loss_is_counted_and_real() -> None:
    async with ends(up=Conditions(loss=0.3)) as (client, server, network):
        for number in range(2000):
            client.send(stamped(number), network.address)
            if number % 20 == 0:
                await asyncio.sleep(0.002)
        async with asyncio.timeout(10):
            while (status := await network.status()).up.taken < 2000:
                await asyncio.sleep(0.05)
        await server.have(2000 - status.up.lost)
        status = await network.status()
    assert status.up.lost / 2000 == pytest.approx(0.3, rel=0.15)
    assert len(server.came) == status.up.delivered == 2000 - status.up.lost


async def test_conditions_change_under_way() -> None:
    async with ends() as (client, server, network):
        client.send(stamped(), network.address)
        await server.have(1)
        await network.change(up=Conditions(loss=1.0))
        client.send(stamped(), network.address)
        await asyncio.sleep(0.1)
        await network.change(up=Conditions(delay=0.2))
        client.send(stamped(), network.address)
        await server.have(2)
    assert delays(server)[0] < 0.1
    assert delays(server)[1] >= 0.2


async def test_a_pause_holds_everything_back() -> None:
    async with ends() as (client, server, network):
        await network.pause(0.3, Way.UP)
        for number in range(5):
            client.send(stamped(number), network.address)
            await asyncio.sleep(0.01)
        await server.have(5)
    moments = [at for at, _, _ in server.came]
    assert delays(server)[0] >= 0.29
    assert max(after - before for before, after in pairwise(moments)) < 0.05


async def test_a_server_that_is_not_there_disturbs_nobody() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind((LOCAL, 0))
        address = gone.getsockname()
    async with end() as client, emulated(address) as network:
        for _ in range(10):
            client.send(b"anybody?", network.address)
            await asyncio.sleep(0.01)
        assert (await network.status()).up.taken == 10


def test_an_answer_has_the_emulator_as_its_only_candidate() -> None:
    answer = (
        "v=0\r\na=candidate:1 1 udp 2130706431 192.0.2.9 3478 typ host\r\n"
        "a=candidate:2 1 udp 2130706175 2001:db8::9 3478 typ host\r\n"
        "a=candidate:4 1 tcp 1520435199 192.0.2.9 3478 typ host tcptype passive\r\na=end-of-candidates\r\n"
    )
    assert through(answer, ("127.0.0.1", 5000)) == (
        "v=0\r\na=candidate:1 1 udp 2130706431 127.0.0.1 5000 typ host\r\na=end-of-candidates\r\n"
    )
    with pytest.raises(ValueError, match="no candidate"):
        through("v=0\r\n", ("127.0.0.1", 5000))
