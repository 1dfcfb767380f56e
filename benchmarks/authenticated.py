"""What it costs to know who is asking: a GET that does nothing, with an access token whose session is looked up on each
request, against the same for everybody. Embedded, and over Redis where its server is installed.

The product runs pinned to one core; a raw client on another keeps the connections busy, with one and the other in
turn. Requests per second of the *server's CPU time* is the figure to compare: it does not depend on the client.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import multiprocessing
import os
import resource
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import cast

import aiohttp
import uvloop

from api.http.access import Access
from api.http.endpoints import Call, Endpoint, Resource
from api.http.wire import View
from api.listening import bind
from api.serve import GC_THRESHOLDS, running_server
from config.sections import Limits, Redis, Server, Settings
from config.values import Secret

CONNECTIONS = 32
PEOPLE = 8
WANTED = 1.3
PASSWORD = "a-horse-called-battery"  # noqa: S105 - of people who are made up here
WARM_UP = 0.3


class Nothing(View, frozen=True):
    done: bool


def nothing() -> Resource:
    async def for_everybody(call: Call) -> Nothing:
        return Nothing(True)

    async def for_people(call: Call) -> Nothing:
        return Nothing(True)

    def endpoint(path: str, handler: Callable[[Call], Awaitable[Nothing]], access: Access) -> Endpoint:
        return Endpoint(
            method="GET",
            path=path,
            handler=handler,
            access=access,
            limit="default",
            summary="Does nothing",
        )

    return Resource(
        "nothing",
        "For measuring.",
        [
            endpoint("/v1/nothing/everybody", for_everybody, Access.PUBLIC),
            endpoint("/v1/nothing/people", for_people, Access.SIGNED_IN),
        ],
    )


@dataclass(frozen=True, slots=True)
class Run:
    per_second: float
    per_cpu_second: float


class _Caller(asyncio.Protocol):
    """One kept-alive connection with one request in flight."""

    def __init__(self, request: bytes, counter: list[int]) -> None:
        self._request = request
        self._counter = counter
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's does not derive from it
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        if not data.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"unexpected answer: {data[:300]!r}")
        self._counter[0] += 1
        self._transport.write(self._request)


async def _load(port: int, requests: list[bytes], seconds: float, cpu: Callable[[], float]) -> Run:
    counter = [0]
    loop = asyncio.get_running_loop()

    def caller(number: int) -> Callable[[], asyncio.BaseProtocol]:
        return lambda: _Caller(requests[number % len(requests)], counter)

    made = [await loop.create_connection(caller(number), "127.0.0.1", port) for number in range(CONNECTIONS)]
    await asyncio.sleep(WARM_UP)
    started, before, used = time.perf_counter(), counter[0], cpu()
    await asyncio.sleep(seconds)
    answered, passed, burnt = counter[0] - before, time.perf_counter() - started, cpu() - used
    for transport, _ in made:
        transport.abort()
    return Run(answered / passed, answered / burnt)


async def _serve(pipe: Connection, redis_url: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            server=Server(port=0, media_port=0, data_dir=folder),
            limits=Limits(login=100_000, register=100_000, default=100_000_000),
            redis=Redis(url=Secret(redis_url)),
        )
        sockets = bind("127.0.0.1", 0)
        async with running_server(
            settings,
            Secret("only for measuring " * 3),
            sockets,
            access_log=None,
            announce=lambda _line: None,
            resources=lambda _platform: [nothing()],
        ) as started:
            gc.collect()
            gc.freeze()
            gc.set_threshold(*GC_THRESHOLDS)
            pipe.send(started.addresses[0][1])
            await _answer_with_cpu(pipe)


async def _answer_with_cpu(pipe: Connection) -> None:
    loop = asyncio.get_running_loop()
    over = asyncio.Event()

    def readable() -> None:
        try:
            pipe.recv()
            usage = resource.getrusage(resource.RUSAGE_SELF)
            pipe.send(usage.ru_utime + usage.ru_stime)
        except EOFError:
            loop.remove_reader(pipe.fileno())
            over.set()

    loop.add_reader(pipe.fileno(), readable)
    await over.wait()


def _server_process(pipe: Connection, redis_url: str) -> None:
    os.sched_setaffinity(0, {0})
    uvloop.run(_serve(pipe, redis_url))


async def _tokens(port: int) -> list[str]:
    found = []
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        for number in range(PEOPLE):
            login = {"email": f"p{number}@example.org", "password": PASSWORD}
            async with session.post("/v1/auth/register", json={**login, "username": f"person{number}"}) as answer:
                assert answer.status == 201, await answer.text()
            async with session.post("/v1/auth/login", json=login) as answer:
                found.append((await answer.json())["access_token"])
    return found


def _request(port: int, path: str, token: str = "") -> bytes:
    said = f"Authorization: Bearer {token}\r\n" if token else ""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{said}\r\n".encode()


def _measure(redis_url: str, *, seconds: float, rounds: int) -> dict[str, object]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_server_process, args=(theirs, redis_url))
    process.start()
    theirs.close()
    port = ours.recv()

    def cpu() -> float:
        ours.send("cpu")
        return float(ours.recv())

    everybody = [_request(port, "/v1/nothing/everybody")]
    people = [_request(port, "/v1/nothing/people", token) for token in uvloop.run(_tokens(port))]
    pairs = [
        (
            uvloop.run(_load(port, everybody, seconds, cpu)),
            uvloop.run(_load(port, people, seconds, cpu)),
        )
        for _ in range(rounds)
    ]
    ours.close()
    process.join(10)
    cost = statistics.median(anonymous.per_cpu_second / known.per_cpu_second for anonymous, known in pairs)
    slower = statistics.median(anonymous.per_second / known.per_second for anonymous, known in pairs)
    return {
        "anonymous_per_second": [round(anonymous.per_second) for anonymous, _ in pairs],
        "authenticated_per_second": [round(known.per_second) for _, known in pairs],
        "cost_in_time": round(slower, 3),
        "cost_in_cpu": round(cost, 3),
    }


@contextmanager
def _redis() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            time.sleep(1.0)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()
            process.wait(10)


def main(emit: Callable[[str], object] = print) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=0.8)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    os.sched_setaffinity(0, set(range(os.cpu_count() or 1)) - {0} or {0})
    found: dict[str, object] = {"wanted_embedded": WANTED}
    found["embedded"] = _measure("", seconds=options.seconds, rounds=options.rounds)
    if shutil.which("redis-server"):
        with _redis() as url:
            found["redis"] = _measure(url, seconds=options.seconds, rounds=options.rounds)
    emit(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
