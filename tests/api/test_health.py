"""Health tells load balancers what to do and operators what is wrong."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

import pytest

from kernel.breaker import Circuit
from kernel.health import ProbeResult
from tests.api.serving import running


@dataclass
class Store:
    name: str
    required: bool
    answer: ProbeResult
    probes: int = 0
    answering: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.answering.set()

    async def probe(self) -> ProbeResult:
        self.probes += 1
        await self.answering.wait()
        return self.answer


UP = ProbeResult(True, 0.0021, Circuit.CLOSED)
RECOVERING = ProbeResult(True, 0.0021, Circuit.HALF_OPEN)
DOWN = ProbeResult(False, 1.0, Circuit.OPEN, "db at 10.0.0.7 refused the connection")


@pytest.mark.parametrize(
    ("stores", "status", "ready"),
    [
        ([Store("database", True, UP), Store("mail", False, UP)], "ok", 200),
        ([Store("database", True, UP), Store("mail", False, DOWN)], "degraded", 200),
        ([Store("database", True, RECOVERING)], "degraded", 200),
        ([Store("database", True, DOWN), Store("mail", False, UP)], "unavailable", 503),
    ],
)
async def test_only_a_required_store_takes_the_node_out(stores: list[Store], status: str, ready: int) -> None:
    async with running(dependencies=stores) as server:
        async with server.client.get("/health") as answer:
            report = await answer.json()
            assert (answer.status, report["status"]) == (200, status)
        async with server.client.get("/health/ready") as answer:
            assert answer.status == ready
        async with server.client.get("/health/live") as answer:
            assert answer.status == 200


async def test_each_store_is_named_with_its_state_latency_and_cause() -> None:
    async with running(dependencies=[Store("database", True, DOWN)]) as server:
        async with server.client.get("/health") as answer:
            [view] = (await answer.json())["dependencies"]
    assert view == {
        "name": "database",
        "state": "down",
        "required": True,
        "latency_ms": 1000.0,
        "circuit": "open",
        "error": "db at 10.0.0.7 refused the connection",
    }


async def test_the_cause_is_not_told_to_strangers() -> None:
    async with running(dependencies=[Store("database", True, DOWN)]) as server:
        async with server.client.get("/health", headers={"X-Forwarded-For": "203.0.113.9"}) as answer:
            [view] = (await answer.json())["dependencies"]
    assert view["error"] is None


async def test_a_crowd_of_checkers_costs_one_probe_a_second() -> None:
    store = Store("database", True, UP)
    async with running(dependencies=[store]) as server:
        for _ in range(20):
            async with server.client.get("/health/ready"):
                pass
    assert store.probes <= 2


async def test_a_store_that_does_not_answer_is_told_before_whoever_asks_gives_up() -> None:
    database, mail = Store("database", True, UP), Store("mail", False, UP)
    async with running(dependencies=[database, mail]) as server:
        async with server.client.get("/health") as answer:
            assert (await answer.json())["status"] == "ok"
        database.answering.clear()
        mail.answering.clear()
        began = time.monotonic()
        async with asyncio.timeout(5):
            while True:
                async with server.client.get("/health/ready") as answer:
                    report = await answer.json()
                    if answer.status == 503:
                        break
                await asyncio.sleep(0.02)
        assert time.monotonic() - began < 2
        # A slow greeting of what can be done without says nothing yet.
        assert [(item["name"], item["state"]) for item in report["dependencies"]] == [
            ("database", "down"),
            ("mail", "up"),
        ]
        database.answering.set()
        async with asyncio.timeout(5):
            while True:
                async with server.client.get("/health/ready") as answer:
                    if answer.status == 200:
                        break
                await asyncio.sleep(0.02)
        assert mail.probes == 2
