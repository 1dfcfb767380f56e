"""The adapters that the contract suites run against."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import pytest

from tests.contract.ephemeral import Nodes, memory_nodes, redis_nodes


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.service("redis"))])
def deployment(request: pytest.FixtureRequest) -> Callable[[], AbstractAsyncContextManager[Nodes]]:
    """Not asynchronous: starting a server takes its time, and no loop may stand still for it."""
    if request.param == "memory":
        return memory_nodes
    url = request.getfixturevalue("redis_server").url
    return lambda: redis_nodes(url)


@pytest.fixture
async def nodes(deployment: Callable[[], AbstractAsyncContextManager[Nodes]]) -> AsyncIterator[Nodes]:
    """Two nodes of one deployment."""
    async with deployment() as both:
        yield both
