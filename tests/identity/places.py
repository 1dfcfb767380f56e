"""Other places to call from: every address of 127.0.0.0/8 is this machine's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from tests.worlds import Caller, World


@asynccontextmanager
async def elsewhere(here: World, *, token: str | None = None) -> AsyncIterator[Caller]:
    connector = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))
    async with aiohttp.ClientSession(here.url, connector=connector) as session:
        yield Caller(session, token)
