"""The shell as the product runs it, around one small POST: validation, rate limit, metrics, access log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from config.sections import Limits, Server
from tests.api.serving import running


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[int]:
    """``folder`` takes the access log; the port is what is yielded."""
    async with running(server=Server(port=0), limits=Limits(messages=100_000_000)) as server:
        yield server.port
