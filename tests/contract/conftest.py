"""The adapters that the contract suites run against."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.contract.ephemeral import Nodes, memory_nodes, redis_nodes


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.service("redis"))])
async def nodes(request: pytest.FixtureRequest) -> AsyncIterator[Nodes]:
    """Two nodes of one deployment."""
    opened = memory_nodes() if request.param == "memory" else redis_nodes(request.getfixturevalue("redis_server").url)
    async with opened as both:
        yield both
