"""Which engines there are, and a stage with each of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager

import pytest

from media.engine import Engine, Listening
from media.icevalues import Limits
from media.portable.engine import Bounds, open_portable
from tests.media.conformance.stage import Opens, Stage, staged


def portable(
    listening: Listening, *, wake: Callable[[], None], ice: Limits | None = None
) -> AbstractAsyncContextManager[Engine]:
    return open_portable(listening, wake=wake, bounds=Bounds() if ice is None else Bounds(ice=ice))


ENGINES: Mapping[str, Opens] = {"portable": portable}


@pytest.fixture(params=sorted(ENGINES))
def opens(request: pytest.FixtureRequest) -> Opens:
    return ENGINES[request.param]


@pytest.fixture
async def stage(opens: Opens) -> AsyncIterator[Stage]:
    async with staged(opens) as made:
        yield made
