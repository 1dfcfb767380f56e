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

HTML = "text/html"
CACHE_BRIEFLY = "public, max-age=300"


@dataclass(frozen=True, slots=True)
class _Reference:
    openapi: bytes
    page: bytes


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


def resource(documented: Sequence[Resource], version: str) -> Resource:
    """``documented`` are the resources to describe."""
    desk = _ReferenceDesk(documented, version)
    front = welcome(version).encode()
    styles = stylesheet().encode()

    async def openapi(call: Call) -> web.Response:
        return web.Response(body=(await desk.reference()).openapi, content_type="application/json")

    async def docs(call: Call) -> web.Response:
        return _page((await desk.reference()).page)

    async def index(call: Call) -> web.Response:
        return _page(front)

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
            page("/", index, "What runs here", HTML),
            page("/docs", docs, "The API reference", HTML),
            page("/docs/style.css", docs_style, "Its stylesheet", "text/css"),
            page("/openapi.json", openapi, "The API as OpenAPI 3.1", "application/json"),
        ],
    )


def _page(body: bytes) -> web.Response:
    return web.Response(body=body, content_type=HTML, charset="utf-8", headers=PAGE_HEADERS)
