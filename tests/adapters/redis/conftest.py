"""One node's stores, and a plain client to look behind them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import redis.asyncio

from adapters.redis import RedisStores, open_redis
from config.sections import Redis
from kernel.clock import SystemClock
from kernel.metrics import Metrics
from tests.contract.ephemeral import redis_settings
from tests.services.redis import RedisService


@dataclass(frozen=True)
class Opened:
    stores: RedisStores
    settings: Redis
    metrics: Metrics
    raw: redis.asyncio.Redis

    def metric(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"secureconnect_{name}", labels) or 0.0


@pytest.fixture
async def opened(redis_server: RedisService) -> AsyncIterator[Opened]:
    settings = redis_settings(redis_server.url)
    metrics = Metrics()
    async with (
        redis.asyncio.from_url(redis_server.url) as raw,
        open_redis(settings, clock=SystemClock(), metrics=metrics) as stores,
    ):
        yield Opened(stores, settings, metrics, raw)
