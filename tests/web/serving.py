"""Built pages over HTTP, under a policy as strict as the server's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from aiohttp import web

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; worker-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[str]:
    async def policed(_: web.BaseRequest, response: web.StreamResponse) -> None:
        response.headers["Content-Security-Policy"] = POLICY

    app = web.Application()
    app.on_response_prepare.append(policed)
    app.router.add_static("/", folder)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
