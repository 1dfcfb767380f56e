"""What every request passes, in order: identify, allow, answer, count, log. The only error boundary there is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import structlog
from aiohttp import web

from api.http.access import OPEN, Access, Authenticator, Principal
from api.http.context import CONTEXT, ClientAddresses, RequestContext, RequestIds
from api.http.deadline import RequestDeadline
from api.http.idempotency import IdempotencyKeys
from api.http.numbers import RequestNumbers
from api.http.origins import SECURITY_HEADERS, SERVER_NAME, TRANSPORT_SECURITY, Origins, is_preflight
from api.http.problem import from_error, from_http_exception, internal_error
from api.http.rates import RateLimiter
from api.lifecycle import Lifecycle
from kernel.clock import Clock
from kernel.errors import SecureConnectError, Unauthenticated
from kernel.metrics import Metrics
from kernel.tracing import Tracing

_log = structlog.stdlib.get_logger("api")

UNMATCHED = "(no route)"


class AccessLog(Protocol):
    def write(
        self, *, request_id: str, method: str, route: str, status: int, seconds: float, sent: int, address: str
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long and how large a request may be."""

    body_timeout: float
    max_body: int
    json_depth: int


@dataclass(frozen=True, slots=True)
class Shell:
    """What the pipeline and every mounted endpoint work with."""

    addresses: ClientAddresses
    origins: Origins
    rates: RateLimiter
    authenticator: Authenticator
    idempotency: IdempotencyKeys
    bounds: Bounds
    deadline: RequestDeadline
    clock: Clock
    metrics: Metrics
    tracing: Tracing
    lifecycle: Lifecycle
    access_log: AccessLog | None
    always_secure: bool


class Pipeline:
    """The one middleware."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._ids = RequestIds()
        self._numbers = RequestNumbers(shell.metrics)
        self._errors = shell.metrics.counter("http_internal_errors_total", "Requests that failed through our fault")

    def install(self, app: web.Application) -> None:
        app.middlewares.append(self.answer)
        app.on_response_prepare.append(self._on_prepare)

    @web.middleware
    async def answer(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        shell = self._shell
        address, secure = shell.addresses.of(request)
        context = RequestContext(self._ids.of(request), address, secure, shell.clock.monotonic())
        request[CONTEXT] = context
        structlog.contextvars.bind_contextvars(request_id=context.id)
        shell.lifecycle.requests_running += 1
        try:
            response = await self._guarded(request, context, handler)
        finally:
            shell.lifecycle.requests_running -= 1
        self._account(request, context, response)
        return response

    async def _guarded(
        self,
        request: web.Request,
        context: RequestContext,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        try:
            if is_preflight(request):
                return self._shell.origins.preflight(request, context)
            if self._shell.tracing.active:
                with self._shell.tracing.request(request.method, request.headers) as span:
                    response = await handler(request)
                    span.describe(route=context.route or UNMATCHED, status=response.status)
                    return response
            return await handler(request)
        except SecureConnectError as error:
            return from_error(error, context.id)
        except web.HTTPException as error:
            return from_http_exception(error, context.id)
        except (ConnectionError, asyncio.CancelledError):
            raise  # the client went away; aiohttp knows what to do
        except Exception:  # noqa: BLE001 - the boundary: whatever it was, the caller gets an id to quote
            self._errors.inc()
            _log.exception("request failed", method=request.method, route=context.route or UNMATCHED)
            return internal_error(context.id)

    def _account(self, request: web.Request, context: RequestContext, response: web.StreamResponse) -> None:
        route = context.route or UNMATCHED
        # An unknown method would make a new time series for every word a scanner tries.
        method = request.method if context.route else "ANY"
        seconds = self._shell.clock.monotonic() - context.started
        self._numbers.count(method, route, response.status, seconds)
        if self._shell.access_log is not None:
            self._shell.access_log.write(
                request_id=context.id,
                method=request.method,
                route=route,
                status=response.status,
                seconds=seconds,
                sent=response.content_length or 0,
                address=context.address,
            )

    async def _on_prepare(self, request: web.Request, response: web.StreamResponse) -> None:
        headers = response.headers
        headers["Server"] = SERVER_NAME
        if "Content-Security-Policy" in headers or "X-Content-Type-Options" in headers:
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
        else:
            headers.extend(SECURITY_HEADERS)
        if self._shell.lifecycle.stopping:
            response.force_close()
            headers["Connection"] = "close"  # aiohttp has already decided on this header when it calls here
        context = request.get(CONTEXT)
        if context is None:
            return
        headers["X-Request-Id"] = context.id
        if "Origin" in request.headers:
            self._shell.origins.apply(request, context, context.headers)
        if context.headers:
            headers.update(context.headers)
        if context.secure or self._shell.always_secure:
            headers["Strict-Transport-Security"] = TRANSPORT_SECURITY


async def identify(shell: Shell, rule: Access, request: web.Request) -> Principal | None:
    """Who is asking. A program on this machine is an operator where operators are asked for."""
    if rule is Access.OPERATOR and "Authorization" not in request.headers and shell.addresses.is_local(request):
        return Principal("local", "operator")
    try:
        return await shell.authenticator.authenticate(request.headers)
    except Unauthenticated:
        if rule in OPEN:  # a stale token must not keep anyone from signing in again
            return None
        raise
