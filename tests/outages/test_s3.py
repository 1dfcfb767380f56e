"""The S3 server is killed, stopped and cut off under load: typed errors in time, nothing acknowledged lost."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from adapters.objects import ObjectStore
from kernel.breaker import Circuit
from kernel.errors import DependencyUnavailable
from tests.adapters.objects.opened import MIB, digest, put, repeated, s3_store
from tests.outages.lines import OUTAGES, connections_to, line_to
from tests.services.s3 import S3Service

pytestmark = pytest.mark.slow

# Long enough that a fifth of it is more than a busy machine takes the processor away for.
TIMEOUT = 1.5
LATEST = TIMEOUT * 1.2
RECOVERY = 2.0
OUTAGE = 3.5
CALLERS = 6
CONNECTIONS = 12
CHUNK = os.urandom(MIB // 4)
LARGE = hashlib.sha256(CHUNK * 8).hexdigest()


@dataclass
class Load:
    """Callers that never stop: small and streamed puts, stats, reads."""

    store: ObjectStore
    run: str
    acknowledged: dict[str, tuple[int, str]] = field(default_factory=dict)
    failures: Counter[type[Exception]] = field(default_factory=Counter)
    slowest_failure: float = 0.0
    outage_began: float = float("inf")
    successes: dict[str, float] = field(default_factory=dict)
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    async def caller(self) -> None:
        operations: dict[str, Callable[[], Awaitable[object]]] = {
            "put": self._put_small,
            "stream": self._put_large,
            "stat": lambda: self.store.objects.stat(f"{self.run}/standing"),
            "read": lambda: digest(self.store, f"{self.run}/standing"),
        }
        while True:
            for name, operation in operations.items():
                started = time.monotonic()
                try:
                    await operation()
                    self.successes[name] = time.monotonic()
                except Exception as error:  # noqa: BLE001 - its type is what the test is about
                    self.failures[type(error)] += 1
                    now = time.monotonic()
                    # A transfer that was well under way can only notice from the outage on.
                    since = max(started, self.outage_began) if self.outage_began < now else started
                    self.slowest_failure = max(self.slowest_failure, now - since)
                await asyncio.sleep(0.01)

    async def _put_small(self) -> None:
        key = f"{self.run}/{next(self.numbers)}"
        await put(self.store, key, key.encode())
        self.acknowledged[key] = (len(key), hashlib.sha256(key.encode()).hexdigest())

    async def _put_large(self) -> None:
        key = f"{self.run}/{next(self.numbers)}"
        await self.store.objects.put(key, repeated(CHUNK, 8), size=2 * MIB, content_type="video/mp4")
        self.acknowledged[key] = (2 * MIB, LARGE)

    async def succeeds_after(self, moment: float, *, kinds: int = 4) -> None:
        """Polled: the callers are in the middle of their loops."""
        async with asyncio.timeout(20):
            while len([done for done in self.successes.values() if done > moment]) < kinds:
                await asyncio.sleep(0.005)


@pytest.mark.parametrize("outage", OUTAGES)
async def test_an_outage_is_told_in_time_and_nothing_acknowledged_is_lost(s3_server: S3Service, outage: str) -> None:
    async with line_to(s3_server, outage) as line:
        endpoint = f"http://{s3_server.host}:{line.port}"
        async with s3_store(
            s3_server,
            bucket="outages",
            endpoint=endpoint,
            connections=CONNECTIONS,
            timeout=TIMEOUT,
            stall_timeout=TIMEOUT,
        ) as store:
            load = Load(store, run=f"{outage}-{time.time_ns()}")
            await put(store, f"{load.run}/standing", bytes(MIB))
            async with asyncio.TaskGroup() as group:
                callers = [group.create_task(load.caller()) for _ in range(CALLERS)]
                await load.succeeds_after(0.0)

                await line.begin()
                load.outage_began = time.monotonic()
                probe = await store.dependency.probe()
                assert not probe.ok
                assert probe.latency < LATEST
                await asyncio.sleep(OUTAGE - (time.monotonic() - load.outage_began))
                assert set(load.failures) == {DependencyUnavailable}
                assert load.slowest_failure < LATEST

                await line.end()
                back = time.monotonic()
                await load.succeeds_after(back, kinds=1)
                recovery = time.monotonic() - back
                assert recovery < RECOVERY
                await load.succeeds_after(back)
                for caller in callers:
                    caller.cancel()
            assert load.failures.keys() == {DependencyUnavailable}
            assert load.slowest_failure < LATEST
            probe = await store.dependency.probe()
            assert probe.ok, probe.error
            assert probe.circuit is Circuit.CLOSED
            for key, expected in load.acknowledged.items():
                assert await digest(store, key) == expected
            assert connections_to(line.port) <= CONNECTIONS
        print(
            f"{outage}: slowest error {load.slowest_failure:.2f} s, recovered in {recovery:.2f} s, "
            f"{len(load.acknowledged)} acknowledged and found"
        )
        async with asyncio.timeout(2):
            while connections_to(line.port):
                await asyncio.sleep(0.01)
