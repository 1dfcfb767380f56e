"""What ephemeral state and the event bus cost, in memory and over a private Redis on loopback, beside bare redis-py.

``python -m benchmarks.bus`` starts ``redis-server`` itself; without one only the embedded figures are taken.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import redis.asyncio
import uvloop

from adapters.memory import MemoryBus, MemoryState
from adapters.redis import RedisStores, open_redis
from config.sections import Redis
from config.values import Secret
from kernel.bus import BusEvent, EventBus
from kernel.clock import SystemClock
from kernel.metrics import Metrics

MICROSECONDS = 1e6
CONCURRENT = 100


def report(name: str, value: float, unit: str) -> None:
    print(json.dumps({"name": name, "value": round(value, 1), "unit": unit}), flush=True)


def median_and_p99(samples: list[float]) -> tuple[float, float]:
    return statistics.median(samples) * MICROSECONDS, statistics.quantiles(samples, n=100)[98] * MICROSECONDS


async def cost_per_call(operation: Callable[[int], Awaitable[object]], count: int) -> float:
    started = time.perf_counter()
    for number in range(count):
        await operation(number)
    return (time.perf_counter() - started) / count


async def latency(name: str, operation: Callable[[], Awaitable[object]], count: int) -> None:
    samples = []
    for _ in range(count):
        started = time.perf_counter()
        await operation()
        samples.append(time.perf_counter() - started)
    median, p99 = median_and_p99(samples)
    report(f"{name} p50", median, "us")
    report(f"{name} p99", p99, "us")


async def rates(name: str, operation: Callable[[], Awaitable[object]], count: int) -> None:
    report(f"{name}, one at a time", 1 / await cost_per_call(lambda _: operation(), count), "/s")

    async def caller() -> None:
        for _ in range(count // CONCURRENT):
            await operation()

    started = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(CONCURRENT)))
    report(f"{name}, {CONCURRENT} callers", count / (time.perf_counter() - started), "/s")


async def publish_to_handler(name: str, bus: EventBus, count: int) -> None:
    samples: list[float] = []
    async with bus.subscribe(["bench"]) as subscription:
        events = aiter(subscription)
        for _ in range(count):
            sent = time.perf_counter()
            publishing = asyncio.ensure_future(bus.publish("bench", b"x" * 100))
            assert isinstance(await anext(events), BusEvent)
            samples.append(time.perf_counter() - sent)
            await publishing
    median, p99 = median_and_p99(samples)
    report(f"{name} publish to handler p50", median, "us")
    report(f"{name} publish to handler p99", p99, "us")


async def embedded() -> None:
    state = MemoryState(SystemClock())
    take = state.buckets.take
    one = await cost_per_call(lambda _: take("key", capacity=100, per_second=1000.0), 200_000)
    report("memory take(), one key", one * MICROSECONDS, "us")
    many = await cost_per_call(lambda number: take(f"user {number % 50_000}", capacity=100, per_second=1.0), 200_000)
    report("memory take(), 50,000 keys", many * MICROSECONDS, "us")
    bus = MemoryBus(Metrics())
    async with bus.subscribe(["bench"]):
        await rates("memory publish", lambda: bus.publish("bench", b"x" * 100), 100_000)
    await publish_to_handler("memory", bus, 20_000)


async def over_redis(url: str) -> None:
    async with (
        redis.asyncio.from_url(url) as bare,
        open_redis(Redis(url=Secret(url)), clock=SystemClock(), metrics=Metrics()) as stores,
    ):
        await stores_alone(stores)
        await rates("bare redis-py publish", lambda: bare.publish("bench", b"x" * 100), 20_000)
        await latency("bare redis-py get", lambda: bare.get("key"), 5_000)


async def stores_alone(stores: RedisStores) -> None:
    await latency("redis take()", lambda: stores.buckets.take("key", capacity=100, per_second=1000.0), 5_000)
    await latency("redis get", lambda: stores.key_values.get("key"), 5_000)
    await rates("redis take()", lambda: stores.buckets.take("key", capacity=100, per_second=1000.0), 20_000)
    await rates("redis publish", lambda: stores.bus.publish("bench", b"x" * 100), 20_000)
    await rates("redis stream append", lambda: stores.streams.append("bench", b"x" * 100), 10_000)
    await publish_to_handler("redis", stores.bus, 5_000)


@contextmanager
def private_redis(program: str) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as directory:
        words = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", directory, "--logfile", "log"]
        server = subprocess.Popen([program, *words])
        try:
            while "Ready to accept" not in _text(Path(directory, "log")):
                time.sleep(0.02)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()
            server.wait()


def _text(log: Path) -> str:
    return log.read_text() if log.exists() else ""


def main() -> None:
    uvloop.run(embedded())
    program = shutil.which("redis-server")
    if program is None:
        print("redis-server is not installed: only the embedded figures", file=sys.stderr)
        return
    with private_redis(program) as url:
        uvloop.run(over_redis(url))


if __name__ == "__main__":
    main()
