"""The queue before the cluster, and what a process without Cassandra pays for the adapter."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time

import pytest

from adapters.cassandra.failures import StoreOutage
from adapters.cassandra.requests import MAX_OPERATIONS, Requests
from adapters.guard import Guard
from kernel.clock import SystemClock
from kernel.errors import DependencyUnavailable, Overloaded
from kernel.metrics import Metrics


def requests(timeout: float) -> Requests:
    clock, metrics = SystemClock(), Metrics()
    guard = Guard("cassandra", timeout=timeout, outages=(StoreOutage,), clock=clock, metrics=metrics)
    return Requests(guard, clock, metrics)


async def test_beyond_its_bound_the_queue_refuses_at_once_and_serves_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("adapters.cassandra.requests.MAX_WAITING", 200)
    queue, release = requests(timeout=30.0), asyncio.Event()
    running = 0
    most = 0

    async def operation() -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await release.wait()
        running -= 1
        return 1

    fit = MAX_OPERATIONS + 200
    calls = [asyncio.create_task(queue.run(operation)) for _ in range(fit)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await queue.run(operation)
    release.set()
    assert sum(await asyncio.gather(*calls)) == fit
    assert most == MAX_OPERATIONS


async def test_the_wait_for_a_turn_is_part_of_the_timeout() -> None:
    queue = requests(timeout=0.3)
    never = asyncio.Event()
    started = time.monotonic()
    calls = [asyncio.create_task(queue.run(never.wait)) for _ in range(2 * MAX_OPERATIONS)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(outcome, DependencyUnavailable) for outcome in outcomes)
    assert time.monotonic() - started <= 0.3 * 1.2


async def test_a_cancelled_caller_gives_its_turn_back() -> None:
    queue = requests(timeout=5.0)
    never = asyncio.Event()
    calls = [asyncio.create_task(queue.run(never.wait)) for _ in range(3 * MAX_OPERATIONS)]
    await asyncio.sleep(0)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert await queue.run(lambda: asyncio.sleep(0, "served")) == "served"


def test_the_driver_is_not_imported_before_a_cluster_is_opened() -> None:
    program = "import sys, adapters.cassandra.stores; sys.exit('cassandra' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
