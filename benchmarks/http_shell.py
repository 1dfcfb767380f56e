"""What the request shell costs: a small POST through all of it, against a bare aiohttp handler, in one run.

Two server processes pinned to one core answer in turn; a raw client on another core keeps the connections busy.
Requests per second of the *server's CPU time* is the figure to compare: it does not depend on the client.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import cast

import uvloop
from aiohttp import web

CONNECTIONS = 32
BODY = json.dumps(
    {"title": "a small note", "kind": "plain", "stars": 3.5, "tags": [{"name": "x", "weight": 2}]}
).encode()


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
        # Answers are far below one segment, so one read is one answer; anything but 201 ends the run.
        assert self._transport is not None
        if not data.startswith(b"HTTP/1.1 201"):
            raise SystemExit(f"unexpected answer: {data[:200]!r}")
        self._counter[0] += 1
        self._transport.write(self._request)


async def _load(port: int, seconds: float) -> int:
    head = f"POST /v1/notes HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    request = head.encode() + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
    counter = [0]
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: _Caller(request, counter), "127.0.0.1", port) for _ in range(CONNECTIONS)
    ]
    await asyncio.sleep(0.5)
    before = counter[0]
    await asyncio.sleep(seconds)
    after = counter[0]
    for transport, _ in made:
        transport.abort()
    return after - before


async def _serve_bare(pipe: Connection) -> None:
    async def create(request: web.Request) -> web.Response:
        return web.json_response(await request.json(), status=201)

    app = web.Application()
    app.router.add_post("/v1/notes", create)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    pipe.send(runner.addresses[0][1])
    await _answer_with_cpu(pipe)


async def _serve_shell(pipe: Connection) -> None:
    from benchmarks.shell_app import serving  # noqa: PLC0415 - its imports belong to this process only

    with tempfile.TemporaryDirectory() as folder:
        async with serving(Path(folder)) as port:
            pipe.send(port)
            await _answer_with_cpu(pipe)


async def _answer_with_cpu(pipe: Connection) -> None:
    """Answer each ``cpu`` with the CPU seconds used so far, until the pipe closes."""
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


def _server_process(kind: str, pipe: Connection) -> None:
    os.sched_setaffinity(0, {0})
    uvloop.run({"bare": _serve_bare, "shell": _serve_shell}[kind](pipe))


def _measure(kind: str, seconds: float) -> Run:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_server_process, args=(kind, theirs))
    process.start()
    theirs.close()
    port = ours.recv()
    ours.send("cpu")
    cpu = -ours.recv()
    started = time.perf_counter()
    answered = uvloop.run(_load(port, seconds))
    took = time.perf_counter() - started
    ours.send("cpu")
    cpu += ours.recv()
    ours.close()
    process.join(10)
    # The half second of warm-up is part of the CPU time, so it is part of the count's time too.
    return Run(answered / seconds, answered * (took / seconds) / cpu)


def main(emit: Callable[[str], object] = print) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    os.sched_setaffinity(0, set(range(os.cpu_count() or 1)) - {0} or {0})
    rounds = [
        {kind: asdict(_measure(kind, options.seconds)) for kind in ("bare", "shell")} for _ in range(options.rounds)
    ]
    ratio = statistics.median(item["shell"]["per_second"] / item["bare"]["per_second"] for item in rounds)
    cpu_ratio = statistics.median(item["shell"]["per_cpu_second"] / item["bare"]["per_cpu_second"] for item in rounds)
    emit(json.dumps({"rounds": rounds, "ratio": round(ratio, 3), "cpu_ratio": round(cpu_ratio, 3)}, indent=1))


if __name__ == "__main__":
    sys.exit(main())
