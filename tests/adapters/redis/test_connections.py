"""Addresses, TLS and passwords; how many connections a node opens; and what it tells about failures."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from config.sections import Redis
from config.values import Duration, Secret
from kernel.errors import DependencyUnavailable
from tests.adapters.redis.conftest import Opened
from tests.contract.ephemeral import redis_node, redis_settings
from tests.services.process import Session
from tests.services.redis import RedisService

PASSWORD = "correct horse"


class SecuredRedis(RedisService):
    """Asks for a password, and speaks TLS on a second port."""

    name = "redis-secured"

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.authority = trustme.CA()
        certificate = self.authority.issue_cert("127.0.0.1")
        self.authority.cert_pem.write_to_path(str(self.directory / "ca.pem"))
        certificate.private_key_and_cert_chain_pem.write_to_path(str(self.directory / "server.pem"))
        for file in self.directory.iterdir():
            if os.geteuid() == 0:
                shutil.chown(file, self.user)

    @property
    def ca(self) -> Path:
        return self.directory / "ca.pem"

    def command(self) -> list[str]:
        certificate = str(self.directory / "server.pem")
        return [
            *super().command(),
            *("--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "no"),
            *("--tls-cert-file", certificate, "--tls-key-file", certificate, "--tls-ca-cert-file", str(self.ca)),
            *("--requirepass", PASSWORD),
        ]

    def answers(self) -> bool:
        return "Ready to accept connections" in (self.log.read_text() if self.log.exists() else "")


@pytest.fixture(scope="module")
def secured(service_session: Session, redis_server: RedisService) -> Iterator[SecuredRedis]:
    # redis_server is asked for its side effect: that Redis is installed.
    service = SecuredRedis(service_session)
    service.start()
    yield service
    service.stop()


def secured_settings(server: SecuredRedis, *, host: str = "127.0.0.1", password: str = PASSWORD, ca: str = "") -> Redis:
    url = f"rediss://:{password.replace(' ', '%20')}@{host}:{server.port}/1"
    return Redis(url=Secret(url), tls_ca=ca or str(server.ca), timeout=Duration(2))


async def test_everything_works_over_tls_with_a_password(secured: SecuredRedis) -> None:
    async with redis_node(secured_settings(secured)) as node:
        assert await node.counters.increment("c", ttl=60) == 1
        async with node.bus.subscribe(["a"]) as subscription:
            await node.bus.publish("a", b"x" * 300_000)
            async with asyncio.timeout(5):
                await anext(aiter(subscription))


@pytest.mark.parametrize("wrong", ["authority", "name"])
async def test_a_server_that_cannot_prove_who_it_is_gets_no_password(
    secured: SecuredRedis, tmp_path: Path, wrong: str
) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    settings = (
        secured_settings(secured, ca=str(tmp_path / "other.pem"))
        if wrong == "authority"
        else secured_settings(secured, host="localhost")
    )
    async with redis_node(settings) as node:
        with pytest.raises(DependencyUnavailable):
            await node.key_values.get("k")


async def test_a_wrong_password_is_named_without_being_shown(
    secured: SecuredRedis, caplog: pytest.LogCaptureFixture
) -> None:
    async with redis_node(secured_settings(secured, password="guessed")) as node:
        with caplog.at_level(logging.DEBUG), pytest.raises(DependencyUnavailable) as refused:
            await node.key_values.get("k")
    assert "password" in refused.value.detail
    assert "guessed" not in refused.value.detail + caplog.text


@pytest.mark.parametrize(
    ("url", "tls_ca", "message"),
    [
        ("http://localhost", "", "redis.url is redis://"),
        ("redis://", "", "redis.url is redis://"),
        ("rediss://localhost?ssl_cert_reqs=none", "", "without options"),
        ("redis://localhost/main", "", "number of a database"),
        ("redis://localhost", "/etc/ca.pem", "not rediss://"),
    ],
)
async def test_settings_that_cannot_work_are_refused_when_opening(url: str, tls_ca: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        async with redis_node(Redis(url=Secret(url), tls_ca=tls_ca)):
            pass


async def test_outages_are_told_without_addresses_and_logged_once(
    redis_server: RedisService, caplog: pytest.LogCaptureFixture
) -> None:
    settings = redis_settings(f"redis://127.0.0.1:{redis_server.port + 1}/0", pool_size=3)
    async with redis_node(settings) as node:
        for _ in range(4):
            with pytest.raises(DependencyUnavailable) as refused:
                await node.key_values.get("k")
            assert "127.0.0.1" not in refused.value.detail
    assert len([record for record in caplog.records if "failed" in record.getMessage()]) == 1


async def clients_of(opened: Opened) -> int:
    """Connections Redis sees, without the one that asks."""
    return len(await opened.raw.client_list()) - 1


async def test_a_quiet_node_holds_one_connection_and_a_busy_one_few(opened: Opened) -> None:
    await opened.stores.key_values.get("k")
    assert await clients_of(opened) == 1
    async with opened.stores.bus.subscribe(["a"]):
        await asyncio.gather(*(opened.stores.key_values.get(f"{number}") for number in range(500)))
        await asyncio.gather(*(opened.stores.bus.publish("a", b"") for _ in range(500)))
        assert await clients_of(opened) == 6 == opened.metric("redis_connections")
    assert opened.metric("redis_commands") == 0


async def test_the_pool_size_bounds_the_connections(redis_server: RedisService, opened: Opened) -> None:
    async with redis_node(redis_settings(redis_server.url, pool_size=3)) as node, node.bus.subscribe(["a"]):
        await asyncio.gather(*(node.key_values.get(f"{number}") for number in range(200)))
        await node.bus.publish("a", b"")
        assert await clients_of(opened) == 3
    async with asyncio.timeout(2):
        while await clients_of(opened):
            await asyncio.sleep(0.01)


async def test_cancelled_callers_cost_no_connection(opened: Opened) -> None:
    await asyncio.gather(*(opened.stores.key_values.get(f"{number}") for number in range(100)))
    connections = {client["id"] for client in await opened.raw.client_list()}
    for awaits in range(30):
        tasks = [asyncio.create_task(opened.stores.counters.increment("c", ttl=60)) for _ in range(20)]
        for _ in range(awaits):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await opened.stores.key_values.get("k")
    assert {client["id"] for client in await opened.raw.client_list()} == connections
    assert opened.metric("redis_commands") == 0


async def test_installations_that_share_a_redis_do_not_meet(redis_server: RedisService) -> None:
    one, two = redis_settings(redis_server.url, prefix="one"), redis_settings(redis_server.url, prefix="two")
    async with redis_node(one) as first, redis_node(two) as second:
        await first.key_values.put("k", b"first", ttl=60)
        await first.sets.add("s", "m", ttl=60)
        async with second.bus.subscribe(["a"]) as subscription:
            await first.bus.publish("a", b"first")
            await second.bus.publish("a", b"second")
            async with asyncio.timeout(5):
                event = await anext(aiter(subscription))
        assert getattr(event, "payload", None) == b"second"
        assert await second.key_values.get("k") is None
        assert await second.sets.members("s") == frozenset()


async def test_after_closing_calls_fail_at_once(redis_server: RedisService) -> None:
    async with redis_node(redis_settings(redis_server.url)) as node:
        await node.key_values.get("k")
    with pytest.raises(DependencyUnavailable, match="closed"):
        await node.key_values.get("k")
