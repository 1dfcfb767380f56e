"""The pages that mailed links lead to."""

from __future__ import annotations

from aiohttp import web

from api.http.access import Access
from api.http.endpoints import Call, Endpoint, Handler, Resource
from api.http.origins import PAGE_HEADERS
from api.link_pages.render import PAGES, LinkPage, asset, render
from api.resources.pages import CACHE_BRIEFLY, HTML

# Stricter than other pages have it: these show nothing, play nothing and are sent by their script or not at all.
_HEADERS = PAGE_HEADERS | {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Permissions-Policy": "camera=(), microphone=(), display-capture=(), geolocation=()",
    "Cache-Control": "no-store",
}


def resource() -> Resource:
    return Resource(
        "link pages",
        "The pages that mailed links lead to.",
        [
            *(_endpoint(page.path, _page(page), page.title, HTML) for page in PAGES),
            _endpoint("/links/style.css", _asset("style.css", "text/css"), "Their stylesheet", "text/css"),
            _endpoint("/links/script.js", _asset("script.js", "text/javascript"), "Their script", "text/javascript"),
        ],
    )


def _page(page: LinkPage) -> Handler:
    body = render(page).encode()

    async def link_page(call: Call) -> web.Response:
        return web.Response(body=body, content_type=HTML, charset="utf-8", headers=_HEADERS)

    return link_page


def _asset(name: str, content: str) -> Handler:
    body = asset(name)

    async def link_page_asset(call: Call) -> web.Response:
        call.set_header("Cache-Control", CACHE_BRIEFLY)
        return web.Response(body=body, content_type=content, charset="utf-8")

    return link_page_asset


def _endpoint(path: str, handler: Handler, summary: str, content: str) -> Endpoint:
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
