"""What every test of the project runs under."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop

from tests.services import SERVICE_OF_FIXTURE, SERVICE_ORDER

pytest_plugins = ["tests.services.fixtures"]


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}


def services_of(item: pytest.Item) -> set[str]:
    return {mark.args[0] for mark in item.iter_markers("service")}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            service = SERVICE_OF_FIXTURE.get(fixture)
            if service is not None and service not in services_of(item):
                item.add_marker(pytest.mark.service(service))
    items.sort(key=_last_service)


def _last_service(item: pytest.Item) -> int:
    return max((SERVICE_ORDER.index(name) + 1 for name in services_of(item)), default=0)
