"""What forwarding one packet costs: our portable engine beside Janus, one publisher and many subscribers.

Both servers are alone on a core behind a veth pair, both have the same load by the same code: repairs negotiated,
receiver reports each second, a key frame each second. CPU is the kernel's count of the
server's process, less what it takes with the same people and no media. Needs root and Debian's package janus.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from aiortc import RTCPeerConnection, RTCRtpTransceiver

from benchmarks.janus import Handle, janus
from benchmarks.own_server import PROGRAM, Seat, clear_room, own_server, room_token
from benchmarks.processes import LOAD_CORE, Namespace, Running, namespace
from benchmarks.webrtc_load import Publisher, Stream, Subscriber, peer_connection

SETTLING, WARM_UP, MEASURED = 3.0, 4.0, 8.0
Join = Callable[[], Awaitable[RTCPeerConnection]]


@dataclass(frozen=True, slots=True)
class Meeting:
    """How to come in, of each kind of server alike."""

    server: Running
    publish: Callable[[], Awaitable[tuple[RTCPeerConnection, RTCRtpTransceiver]]]
    subscribe: Join


@dataclass(frozen=True, slots=True)
class Figure:
    """``idle`` in cores."""

    forwarded: int
    microseconds: float
    idle: float
    lost: int
    expected: int
    resident: int


@asynccontextmanager
async def in_janus(where: Namespace, folder: Path, stack: AsyncExitStack) -> AsyncIterator[Meeting]:
    async with janus(where, folder) as server, aiohttp.ClientSession() as http:
        feed = 0

        async def publish() -> tuple[RTCPeerConnection, RTCRtpTransceiver]:
            nonlocal feed
            connection = await _connection(stack)
            transceiver = connection.addTransceiver("video", direction="sendonly")
            feed = await (await stack.enter_async_context(Handle(http, server.url))).publish(connection)
            return connection, transceiver

        async def subscribe() -> RTCPeerConnection:
            connection = await _connection(stack)
            await (await stack.enter_async_context(Handle(http, server.url))).subscribe(connection, feed)
            return connection

        yield Meeting(server, publish, subscribe)
        await stack.aclose()


@asynccontextmanager
async def in_ours(where: Namespace, folder: Path, stack: AsyncExitStack) -> AsyncIterator[Meeting]:
    async with own_server(where, folder) as server, aiohttp.ClientSession() as http:
        key = _api_key(folder)
        room = await clear_room(http, server, key)
        count = 0

        async def seat() -> Seat:
            nonlocal count
            count += 1
            token = await room_token(http, server, key, room, f"peer-{count}")
            return await stack.enter_async_context(Seat(http, server, token))

        async def publish() -> tuple[RTCPeerConnection, RTCRtpTransceiver]:
            connection = await _connection(stack)
            transceiver = connection.addTransceiver("video", direction="sendonly")
            await (await seat()).publish(connection)
            return connection, transceiver

        async def subscribe() -> RTCPeerConnection:
            connection = await _connection(stack)
            await (await seat()).subscribe(connection)
            return connection

        yield Meeting(server, publish, subscribe)
        await stack.aclose()


async def _connection(stack: AsyncExitStack) -> RTCPeerConnection:
    connection = peer_connection()
    stack.push_async_callback(connection.close)
    return connection


def _api_key(folder: Path) -> str:
    command = [str(PROGRAM), "admin", "create-api-key", "--name", "load"]
    command += ["--scope", "rooms:write", "--scope", "tokens:mint"]
    environment = {**os.environ, "SECURECONNECT_SERVER_DATA_DIR": str(folder / "data")}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return next(word for line in done.stdout.splitlines() for word in line.split() if word.startswith("sck_"))


async def measured(meeting: Meeting, subscribers: int, stream: Stream) -> Figure:
    connection, transceiver = await meeting.publish()
    await _connected(connection)
    publisher = Publisher(transceiver, stream)
    await publisher.introduce()
    tasks: list[asyncio.Task[None]] = []
    crowd = []
    for _ in range(subscribers):
        one = Subscriber()
        one.listen((await meeting.subscribe()).getTransceivers()[0])
        crowd.append(one)
        tasks.append(asyncio.create_task(one.report_for_ever()))
    await asyncio.sleep(SETTLING)
    idle = meeting.server.cpu_seconds()
    await asyncio.sleep(MEASURED)
    idle = meeting.server.cpu_seconds() - idle
    tasks.append(asyncio.create_task(publisher.run()))
    await asyncio.sleep(WARM_UP)
    before, cpu = sum(one.packets for one in crowd), meeting.server.cpu_seconds()
    await asyncio.sleep(MEASURED)
    forwarded, spent = sum(one.packets for one in crowd) - before, meeting.server.cpu_seconds() - cpu
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    expected = int(stream.packets_per_second * MEASURED * subscribers)
    lost = sum(one.lost for one in crowd)
    cost = (spent - idle) / max(1, forwarded) * 1e6
    return Figure(forwarded, cost, idle / MEASURED, lost, expected, meeting.server.resident_bytes())


async def _connected(connection: RTCPeerConnection) -> None:
    async with asyncio.timeout(10):
        # aiortc's event may have been before we listen.
        while connection.connectionState != "connected":  # noqa: ASYNC110
            await asyncio.sleep(0.02)


SERVERS = {"janus": in_janus, "portable": in_ours}


async def once(name: str, subscribers: int, stream: Stream) -> Figure:
    with tempfile.TemporaryDirectory() as folder:
        async with (
            namespace() as where,
            AsyncExitStack() as stack,
            SERVERS[name](where, Path(folder), stack) as meeting,
        ):
            return await measured(meeting, subscribers, stream)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--subscribers", type=int, nargs="+", default=[20, 50])
    parser.add_argument("--servers", nargs="+", default=list(SERVERS))
    chosen = parser.parse_args()
    if os.geteuid() != 0 or shutil.which("janus") is None:
        print("skipped: needs root, and `apt-get install janus`")
        return 1
    os.sched_setaffinity(0, {LOAD_CORE})
    stream = Stream(frames_per_second=30, burst=8)
    for subscribers in chosen.subscribers:
        costs: dict[str, list[float]] = {name: [] for name in chosen.servers}
        for number in range(chosen.rounds):
            for name in chosen.servers:
                figure = asyncio.run(once(name, subscribers, stream))
                costs[name].append(figure.microseconds)
                print(
                    f"{name:9} 1 to {subscribers:3}, round {number + 1}: "
                    f"{figure.microseconds:6.2f} us a forwarded packet, "
                    f"{figure.forwarded} of {figure.expected} packets, {figure.lost} lost, "
                    f"{figure.idle:.1%} of a core before, "
                    f"{figure.resident / 2**20:.0f} MiB resident",
                    flush=True,
                )
        for name, values in costs.items():
            print(f"{name:9} 1 to {subscribers:3}, median {statistics.median(values):6.2f} us", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
