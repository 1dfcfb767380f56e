"""Browsers' side of access: which origins may call us, and the headers that keep our pages ours."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from aiohttp import web

from api.http.context import RequestContext
from kernel.errors import Forbidden

ALLOWED_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
ALLOWED_HEADERS = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Range, X-Request-Id"
EXPOSED_HEADERS = (
    "Content-Disposition, ETag, Location, Retry-After, RateLimit-Limit, RateLimit-Policy, RateLimit-Remaining, "
    "RateLimit-Reset, X-Request-Id"
)
PREFLIGHT_SECONDS = "600"

# Pages load only what this server serves; blob: is for media made in the page, data: for small pictures.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; worker-src 'self' blob:; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

# What every answer carries. One that is data and not a page may load nothing at all.
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
PAGE_HEADERS = SECURITY_HEADERS | {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(self), display-capture=(self), geolocation=()",
}
# Which library answers, and its version, are nobody's business.
SERVER_NAME = "SecureConnect"
COMMON_HEADERS = SECURITY_HEADERS | {"Server": SERVER_NAME}
TRANSPORT_SECURITY = "max-age=31536000; includeSubDomains"


class Origins:
    """The allow-list of web origins, for CORS and for WebSockets alike."""

    def __init__(self, allowed: Sequence[str], public_url: str) -> None:
        self._any = "*" in allowed
        self._allowed = frozenset(normal_origin(origin) for origin in allowed if origin != "*")
        self._own = normal_origin(public_url) if public_url else None

    def allows(self, origin: str, request: web.Request, context: RequestContext) -> bool:
        if self._any:
            return True
        normal = normal_origin(origin)
        if normal in self._allowed or (self._own is not None and normal == self._own):
            return True
        scheme = "https" if context.secure else "http"
        return self._own is None and normal == normal_origin(f"{scheme}://{request.host}")

    def apply(self, request: web.Request, context: RequestContext, headers: dict[str, str]) -> None:
        """CORS headers of an actual answer; an origin that is not allowed simply gets none."""
        origin = request.headers.get("Origin")
        if origin is None:
            return
        headers["Vary"] = "Origin"
        if self.allows(origin, request, context):
            headers["Access-Control-Allow-Origin"] = origin
            headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
            headers["Cross-Origin-Resource-Policy"] = "cross-origin"

    def preflight(self, request: web.Request, context: RequestContext) -> web.Response:
        origin = request.headers.get("Origin", "")
        if not self.allows(origin, request, context):
            raise Forbidden(
                "This origin may not call this server; server.allowed_origins lists those that may.",
                code="origin_not_allowed",
            )
        return web.Response(
            status=204,
            headers={
                "Access-Control-Allow-Methods": ALLOWED_METHODS,
                "Access-Control-Allow-Headers": ALLOWED_HEADERS,
                "Access-Control-Max-Age": PREFLIGHT_SECONDS,
            },
        )


def is_preflight(request: web.Request) -> bool:
    return (
        request.method == "OPTIONS"
        and "Origin" in request.headers
        and ("Access-Control-Request-Method" in request.headers)
    )


def normal_origin(text: str) -> str:
    """Scheme, host and port as one comparable text; the default port is left out. What names no origin, or
    credentials besides, is left as it is and equals none."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        return text
    if not host or not parts.scheme or "@" in parts.netloc:
        return text
    scheme = parts.scheme.lower()
    shown = f"[{host}]" if ":" in host else host
    if port is None or (scheme, port) in (("http", 80), ("https", 443)):
        return f"{scheme}://{shown}"
    return f"{scheme}://{shown}:{port}"
