"""Each real store is killed, stopped and cut off while clients write to all of them over HTTP."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import aiohttp
import msgspec
import psutil
import pytest
from sqlalchemy import make_url

from config.sections import Settings
from config.values import Duration, Secret
from tests.outages.lines import line_to
from tests.product import workload
from tests.product.load import PROBLEM, Client, Load, running_load, until
from tests.product.platforms import Product, Stores, open_product, scaled_settings
from tests.services.process import Service

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

TIMEOUT = 1.0
# A typed error within the timeout and a fifth; beyond that only what a busy machine keeps everyone waiting.
LATEST = TIMEOUT * 1.2
RECOVERY = 2.0
TOLD_WITHIN = 2.0
OUTAGE = 3.0
CLIENTS_PER_WRITE = 3


@dataclass(frozen=True)
class Victim:
    """A store, what /health calls it, the writes that need it, and the most connections we may hold to it."""

    service: str
    dependency: str
    required: bool
    writes: tuple[str, ...]
    connections: int


VICTIMS = {
    "postgres": Victim("postgres", "database", True, ("events", "jobs", "units", "mails"), 20),
    "redis": Victim("redis", "redis", True, ("shared",), 6),
    "cassandra": Victim("cassandra", "cassandra", True, ("messages",), 4),
    "objects": Victim("s3", "objects", False, ("objects",), 50),
    "mail": Victim("smtp", "mail", False, (), 5),  # four deliveries and a look at its health
}


@pytest.fixture
def settings(stores: Stores, tmp_path: Path) -> Settings:
    return scaled_settings(tmp_path, stores)


def breaking(settings: Settings, victim: Victim, port: int) -> Settings:
    """The same stores, ``victim`` at another port of this machine, and only it on a short timeout: the others share
    a busy machine with the tests."""
    replace, soon = msgspec.structs.replace, Duration(TIMEOUT)
    match victim.service:
        case "postgres":
            url = make_url(settings.database.url.reveal()).set(port=port).render_as_string(hide_password=False)
            return replace(settings, database=replace(settings.database, url=Secret(url), timeout=soon))
        case "redis":
            url = f"redis://127.0.0.1:{port}/0"
            return replace(settings, redis=replace(settings.redis, url=Secret(url), timeout=soon))
        case "cassandra":
            return replace(settings, messages=replace(settings.messages, cassandra_port=port, timeout=soon))
        case "s3":
            endpoint = f"http://127.0.0.1:{port}"
            objects = replace(settings.objects, endpoint=endpoint, timeout=soon, stall_timeout=soon)
            return replace(settings, objects=objects)
        case _:
            return replace(settings, mail=replace(settings.mail, port=port, timeout=soon))


async def held_by(server: Service) -> int:
    """Connections as the server sees them. Listing all there are takes its time, in which one may end and another
    begin, so that both are listed: the least of three looks."""

    def count() -> int:
        return sum(
            connection.laddr[1:] == (server.port,) and connection.status == psutil.CONN_ESTABLISHED
            for connection in psutil.net_connections("tcp")
        )

    return min([await asyncio.to_thread(count) for _ in range(3)])


async def nothing_held_by(server: Service) -> None:
    async with asyncio.timeout(5):
        while await held_by(server):
            await asyncio.sleep(0.1)


@dataclass
class Watch:
    """What an operator sees during an outage."""

    dependency: str
    told_at: float | None = None
    ready: list[int] = field(default_factory=list)
    live: list[int] = field(default_factory=list)
    healthy_at: float = 0.0
    lag: float = 0.0

    def judge(self, victim: Victim, began: float) -> None:
        assert self.told_at is not None
        assert self.told_at - began < TOLD_WITHIN
        assert self.ready[-1] == (503 if victim.required else 200)
        assert set(self.live) == {200}

    async def run(self, session: aiohttp.ClientSession) -> None:
        while True:
            async with session.get("/health/live") as answer:
                self.live.append(answer.status)
            async with session.get("/health") as answer:
                report = await answer.json()
            async with session.get("/health/ready") as answer:
                self.ready.append(answer.status)
            down = {item["name"] for item in report["dependencies"] if item["state"] == "down"}
            if self.told_at is None and down == {self.dependency}:
                self.told_at = time.monotonic()
            if report["status"] == "ok":
                self.healthy_at = time.monotonic()
            began = time.monotonic()
            await asyncio.sleep(0.05)
            self.lag = max(self.lag, time.monotonic() - began - 0.05)


@asynccontextmanager
async def watching(url: str, dependency: str) -> AsyncIterator[Watch]:
    watch = Watch(dependency)
    async with aiohttp.ClientSession(url) as session:
        task = asyncio.create_task(watch.run(session))
        try:
            yield watch
        finally:
            task.cancel()
            [ended] = await asyncio.gather(task, return_exceptions=True)
            assert isinstance(ended, asyncio.CancelledError), ended


async def metric(product: Product, name: str) -> float:
    async with product.client.get("/metrics") as answer:
        found = re.search(rf"^secureconnect_{re.escape(name)} (\S+)$", await answer.text(), re.MULTILINE)
    return float(found[1]) if found else 0.0


@asynccontextmanager
async def node(settings: Settings) -> AsyncIterator[Product]:
    async with open_product(settings, resources=workload.resources, handlers=workload.handlers) as product:
        await workload.create_tables(product.platform)
        yield product


def clients() -> list[Client]:
    """Named anew: Cassandra's tables are made once, for all tests."""
    run = secrets.token_hex(3)
    return [
        # One for mail: each takes a connection, and thousands would take their time to be delivered.
        Client(f"{write}-{run}-{number}", write)
        for write in workload.WRITES
        for number in range(1 if write == "mails" else CLIENTS_PER_WRITE)
    ]


@pytest.mark.parametrize("outage", ["killed", "stopped", "cut"])
@pytest.mark.parametrize("name", VICTIMS)
async def test_an_outage_of_one_store_is_that_and_no_more(
    stores: Stores, settings: Settings, name: str, outage: str
) -> None:
    victim = VICTIMS[name]
    server: Service = getattr(stores, victim.service)
    spared = [write for write in workload.WRITES if write not in victim.writes]
    circuit = f'dependency_circuit_open{{dependency="{victim.dependency}"}}'
    async with line_to(server, outage) as line:
        async with node(breaking(settings, victim, line.port)) as product:
            async with running_load(product.url, clients()) as load:
                await load.succeeds(*workload.WRITES, since=time.monotonic(), within=15)
                assert not load.failures(*workload.WRITES)
                async with watching(product.url, victim.dependency) as watch:
                    began = time.monotonic()
                    await line.begin()
                    await asyncio.sleep(OUTAGE)
                    assert await metric(product, circuit) == 1
                    await load.succeeds(*spared, since=time.monotonic(), within=LATEST)
                    watch.judge(victim, began)

                    await line.end()
                    back = time.monotonic()
                    await load.succeeds(*workload.WRITES, since=back, within=10)
                    recovered = time.monotonic() - back
                    await until(lambda: watch.healthy_at > back, within=10)
                    healthy = time.monotonic() - back
                await asyncio.sleep(0.5)
                assert await held_by(server) <= victim.connections
                assert await metric(product, circuit) == 0
            report(load, victim, recovered, healthy)
            assert recovered < RECOVERY
            assert healthy < RECOVERY
            judge(load, victim, spared, back, watch.lag)
            await everything_acknowledged_is_there(product, stores, load)
        await nothing_held_by(server)


def report(load: Load, victim: Victim, recovered: float, healthy: float) -> None:
    slowest = max((failure.seconds for failure in load.failures(*victim.writes)), default=0.0)
    print(f"slowest failure {slowest:.3f} s, recovered in {recovered:.3f} s, healthy in {healthy:.3f} s")


def judge(load: Load, victim: Victim, spared: list[str], back: float, lag: float) -> None:
    assert not load.failures(*spared)
    assert not [failure for failure in load.failures(*victim.writes) if failure.ended_at > back + RECOVERY]
    for failure in load.failures(*victim.writes):
        assert (failure.status, failure.code) == (503, "dependency_unavailable")
        assert failure.content_type == PROBLEM
        assert failure.retry_after is not None
        assert 1 <= failure.retry_after <= 5
        assert failure.seconds < LATEST + lag
    if victim.writes:
        assert all(client.failures for client in load.of(*victim.writes))
    assert median(seconds for client in load.of(*spared) for seconds in client.seconds) < TIMEOUT / 2


async def everything_acknowledged_is_there(product: Product, stores: Stores, load: Load) -> None:
    traces = workload.Traces(product.platform)
    for client in load.of("messages"):
        stored = [str(entry.id) for entry in await traces.messages(client.name)]
        assert stored[: len(client.acknowledged)] == client.acknowledged
        assert len(stored) <= len(client.acknowledged) + 1
    for client in load.of("events"):
        assert client.acknowledged == [str(number + 1) for number in range(len(client.acknowledged))]
        assert len(await traces.events(client.name)) - len(client.acknowledged) in (0, 1)
    for client in load.of("units"):
        notes = await traces.notes(client.name)
        assert set(range(1, len(client.acknowledged) + 1)) <= notes
        assert await traces.total(client.name) == len(notes)
    await everything_posted_arrives(stores, load)


async def everything_posted_arrives(stores: Stores, load: Load) -> None:
    posted = {
        f"{client.name}.{number + 1}" for client in load.of("mails") for number in range(len(client.acknowledged))
    }

    def arrived() -> set[str]:
        return {str(mail.message["Message-ID"]).strip("<>").partition("@")[0] for mail in stores.smtp.messages}

    async with asyncio.timeout(60):
        while not posted <= await asyncio.to_thread(arrived):
            await asyncio.sleep(1)


@pytest.mark.parametrize("outage", ["killed", "stopped", "cut"])
async def test_without_redis_passwords_are_guarded_and_the_rest_goes_on(
    stores: Stores, settings: Settings, outage: str
) -> None:
    async with line_to(stores.redis, outage) as line, node(breaking(settings, VICTIMS["redis"], line.port)) as product:
        async with product.client.post("/v1/product/login") as answer:
            assert answer.status == 204
        await line.begin()
        for _ in range(8):
            began = time.monotonic()
            async with product.client.post("/v1/product/plain") as answer:
                assert answer.status == 204
                assert answer.headers["RateLimit-Limit"] == "100"
            async with product.client.post("/v1/product/login") as answer:
                assert (answer.status, (await answer.json())["code"]) == (503, "dependency_unavailable")
                assert int(answer.headers["Retry-After"]) >= 1
            assert time.monotonic() - began < 2 * LATEST + 0.3
        assert await metric(product, "rate_limit_degraded_total") == 8
        for _ in range(100):
            await asked(product, "plain")
        assert await asked(product, "plain") == 429, "degraded is not unlimited"
        await line.end()
        back = time.monotonic()
        while await asked(product, "login") != 204:
            await asyncio.sleep(0.02)
        assert time.monotonic() - back < RECOVERY


async def asked(product: Product, name: str) -> int:
    async with product.client.post(f"/v1/product/{name}") as answer:
        return answer.status
