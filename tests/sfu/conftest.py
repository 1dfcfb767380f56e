from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.sfu.stage import Stage


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """Whatever a test did, an end leaves nothing in the engine and no task."""
    stage = Stage()
    yield stage
    await stage.rooms.close()
    stage.require_empty()
