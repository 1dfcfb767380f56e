"""Pages and the reference: what a person opens in a browser."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web
from msgspec.json import encode

from api.docs_page.render import render_reference, stylesheet, welcome
from api.http.access import Access
from api.http.endpoints import Call, Endpoint, Handler, Resource
from api.http.openapi import describe
from api.http.origins import PAGE_HEADERS
from api.http.wire import Wire
from api.meeting_page import MeetingPage
from kernel.errors import NotFound

HTML = "text/html"
CACHE_BRIEFLY = "public, max-age=300"
CACHE_FOR_EVER = "public, max-age=31536000, immutable"

# It loads what we serve and nothing else, works in workers of its own, and may use camera, microphone and screen.
MEETING_HEADERS = PAGE_HEADERS | {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; font-src 'self'; worker-src 'self'; connect-src 'self'; manifest-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-cache",
}
# A worker lives by the policy of its own script.
ASSET_HEADERS = {
    "Content-Security-Policy": MEETING_HEADERS["Content-Security-Policy"],
    "Cache-Control": CACHE_FOR_EVER,
}


@dataclass(frozen=True, slots=True)
class _Reference:
    openapi: bytes
    page: bytes


class AssetPath(Wire, frozen=True):
    name: str


class _ReferenceDesk:
    """Makes the reference when somebody first asks for it: a start need not wait for it, nor the event loop."""

    def __init__(self, documented: Sequence[Resource], version: str) -> None:
        self._documented = documented
        self._version = version
        self._making = asyncio.Lock()
        self._made: _Reference | None = None

    async def reference(self) -> _Reference:
        async with self._making:
            if self._made is None:
                self._made = await asyncio.to_thread(self._make)
            return self._made

    def _make(self) -> _Reference:
        document = describe(self._documented, version=self._version)
        return _Reference(encode(document), render_reference(document).encode())


def resource(documented: Sequence[Resource], version: str, meeting: MeetingPage) -> Resource:
    """``documented`` are the resources to describe."""
    desk = _ReferenceDesk(documented, version)
    front = welcome(version).encode()
    styles = stylesheet().encode()

    async def openapi(call: Call) -> web.Response:
        return web.Response(body=(await desk.reference()).openapi, content_type="application/json")

    async def docs(call: Call) -> web.Response:
        return _page((await desk.reference()).page)

    async def index(call: Call) -> web.Response:
        file = await meeting.index()
        if file is None:
            return _page(front)
        return web.Response(body=file.body, content_type=HTML, charset="utf-8", headers=MEETING_HEADERS)

    async def asset(call: Call, path: AssetPath) -> web.Response:
        file = await meeting.asset(path.name)
        if file is None:
            raise NotFound("There is nothing at this address.")
        return web.Response(body=file.body, headers=ASSET_HEADERS | {"Content-Type": file.content})

    async def docs_style(call: Call) -> web.Response:
        call.set_header("Cache-Control", CACHE_BRIEFLY)
        return web.Response(body=styles, content_type="text/css", charset="utf-8")

    def page(path: str, handler: Handler, summary: str, content: str) -> Endpoint:
        return Endpoint(
            method="GET",
            path=path,
            handler=handler,
            access=Access.PUBLIC,
            limit=None,
            summary=summary,
            content=content,
            documented=False,
        )

    return Resource(
        "pages",
        "Pages for people.",
        [
            page("/", index, "The meeting page; what runs here, where that was not built", HTML),
            page("/assets/{name}", asset, "What the meeting page is made of", "text/javascript"),
            page("/docs", docs, "The API reference", HTML),
            page("/docs/style.css", docs_style, "Its stylesheet", "text/css"),
            page("/openapi.json", openapi, "The API as OpenAPI 3.1", "application/json"),
        ],
    )


def _page(body: bytes) -> web.Response:
    return web.Response(body=body, content_type=HTML, charset="utf-8", headers=PAGE_HEADERS)
