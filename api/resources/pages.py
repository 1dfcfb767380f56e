"""Pages and the reference: what a person opens in a browser."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web
from msgspec.json import encode

from api.docs_page.render import render_reference, stylesheet, welcome
from api.http.access import Access
from api.http.endpoints import Call, Endpoint, Handler, Resource
from api.http.openapi import describe
from api.http.origins import PAGE_HEADERS

HTML = "text/html"
CACHE_BRIEFLY = "public, max-age=300"


def resource(documented: Sequence[Resource], version: str) -> Resource:
    """``documented`` are the resources to describe; the bytes are made once, at start-up."""
    document = describe(documented, version=version)
    document_bytes = encode(document)
    reference = render_reference(document).encode()
    front = welcome(version).encode()
    styles = stylesheet().encode()

    async def openapi(call: Call) -> web.Response:
        return web.Response(body=document_bytes, content_type="application/json")

    async def docs(call: Call) -> web.Response:
        return _page(reference)

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
