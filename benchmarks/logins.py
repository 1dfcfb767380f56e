"""A hundred people sign in at once, over and over: what it does to the event loop that also carries calls.

The embedded product runs in a process of its own. Inside it a task asks to be woken every 5 ms and notes how late it
is: the event loop's lag. Logins come from another process that keeps a hundred of them going.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import aiohttp
import uvloop

from api.listening import bind
from api.serve import GC_THRESHOLDS, running_server
from config.sections import Limits, Server, Settings
from config.values import Secret

AT_ONCE = 100
PEOPLE = 100
EVERY = 0.005
WANTED_P99 = 0.050
PASSWORD = "a-horse-called-battery"  # noqa: S105 - of people who are made up here


class Lag:
    """How late the loop is, in seconds, while it is watched."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    async def watch(self) -> None:
        while True:
            due = time.perf_counter() + EVERY
            await asyncio.sleep(EVERY)
            self.seen.append(time.perf_counter() - due)


@asynccontextmanager
async def product(folder: Path) -> AsyncIterator[int]:
    settings = Settings(server=Server(port=0, media_port=0, data_dir=str(folder)), limits=Limits(enabled=False))
    secret = Secret("only for measuring " * 3)
    sockets = bind("127.0.0.1", 0)
    async with running_server(settings, secret, sockets, access_log=None, announce=lambda _line: None) as started:
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        yield started.addresses[0][1]


async def _serve(pipe: Connection) -> None:
    """``watch`` begins to note the lag, ``stop`` answers it and ends."""
    loop = asyncio.get_running_loop()
    asked: asyncio.Queue[str] = asyncio.Queue()
    loop.add_reader(pipe.fileno(), lambda: asked.put_nowait(pipe.recv()))
    with tempfile.TemporaryDirectory() as folder:
        async with product(Path(folder)) as port:
            pipe.send(port)
            while await asked.get() == "watch":
                lag = Lag()
                task = asyncio.create_task(lag.watch())
                await asked.get()
                task.cancel()
                pipe.send(lag.seen)
    loop.remove_reader(pipe.fileno())


def _server_process(pipe: Connection) -> None:
    uvloop.run(_serve(pipe))


async def _register(session: aiohttp.ClientSession, number: int) -> None:
    body = {"email": f"p{number}@example.org", "username": f"person{number}", "password": PASSWORD}
    async with session.post("/v1/auth/register", json=body) as answer:
        assert answer.status == 201, await answer.text()


async def _sign_in(session: aiohttp.ClientSession, number: int, took: list[float]) -> None:
    started = time.perf_counter()
    body = {"email": f"p{number}@example.org", "password": PASSWORD}
    async with session.post("/v1/auth/login", json=body) as answer:
        assert answer.status == 200, await answer.text()
        await answer.read()
    took.append(time.perf_counter() - started)


async def _load(port: int, seconds: float, pipe: Connection) -> dict[str, float]:
    connector = aiohttp.TCPConnector(limit=AT_ONCE)
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(
            aiohttp.ClientSession(f"http://127.0.0.1:{port}", connector=connector)
        )
        await asyncio.gather(*(_register(session, number) for number in range(PEOPLE)))
        pipe.send("watch")
        await asyncio.sleep(2.0)
        pipe.send("stop")
        idle = await asyncio.to_thread(pipe.recv)
        took: list[float] = []
        pipe.send("watch")
        until = time.perf_counter() + seconds

        async def keep_signing_in(number: int) -> None:
            while time.perf_counter() < until:
                await _sign_in(session, number, took)

        started = time.perf_counter()
        await asyncio.gather(*(keep_signing_in(number % PEOPLE) for number in range(AT_ONCE)))
        passed = time.perf_counter() - started
        pipe.send("stop")
        busy = await asyncio.to_thread(pipe.recv)
        pipe.send("end")
    return {
        "logins_per_second": round(len(took) / passed, 1),
        "login_p50_seconds": round(statistics.median(took), 3),
        **{f"idle_{name}": value for name, value in _late(idle).items()},
        **_late(busy),
    }


def _late(seen: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(seen, n=1000)
    return {
        "lag_p50_ms": round(cuts[499] * 1000, 2),
        "lag_p99_ms": round(cuts[989] * 1000, 2),
        "lag_p999_ms": round(cuts[998] * 1000, 2),
        "lag_max_ms": round(max(seen) * 1000, 2),
    }


def measure(seconds: float) -> dict[str, float]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_server_process, args=(theirs,))
    process.start()
    theirs.close()
    port = ours.recv()
    found = uvloop.run(_load(port, seconds, ours))
    process.join(15)
    return found


def main(emit: Callable[[str], object] = print) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rounds = [measure(options.seconds) for _ in range(options.rounds)]
    p99 = statistics.median(item["lag_p99_ms"] for item in rounds)
    fine = p99 < WANTED_P99 * 1000
    emit(json.dumps({"rounds": rounds, "lag_p99_ms": p99, "wanted_below_ms": WANTED_P99 * 1000, "met": fine}, indent=1))


if __name__ == "__main__":
    main()
