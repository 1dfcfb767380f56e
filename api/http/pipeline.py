"""What every request passes, in order: identify, allow, answer, count, log. The only error boundary there is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol, cast

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


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
# What aiohttp types a server's handler as; an application's requests are always of the richer kind.
ServerHandler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Pipeline:
    """The one middleware. It stands around the whole application rather than in its list of middlewares: that list
    costs every request three more calls, a twelfth of all the time a small one takes."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._ids = RequestIds()
        self._numbers = RequestNumbers(shell.metrics)
        self._errors = shell.metrics.counter("http_internal_errors_total", "Requests that failed through our fault")

    def install(self, app: web.Application) -> None:
        """Half of it: whoever serves the application puts ``around`` its handler."""
        app.on_response_prepare.append(self._on_prepare)
        app[PIPELINE] = self

    def around(self, handler: ServerHandler) -> ServerHandler:
        return cast(ServerHandler, partial(self._answer, handler))

    async def _answer(self, handler: Handler, request: web.Request) -> web.StreamResponse:
        shell = self._shell
        address, secure = shell.addresses.of(request)
        name = self._ids.of(request)
        context = RequestContext(name, address, secure, shell.clock.monotonic(), headers={"X-Request-Id": name})
        request[CONTEXT] = context
        structlog.contextvars.bind_contextvars(request_id=context.id)
        shell.lifecycle.requests_running += 1
        preflight = is_preflight(request)
        try:
            if preflight:
                response: web.StreamResponse = shell.origins.preflight(request, context)
            elif shell.tracing.active:
                with shell.tracing.request(request.method, request.headers) as span:
                    response = await handler(request)
                    span.describe(route=context.route or UNMATCHED, status=response.status)
            else:
                response = await handler(request)
        except (ConnectionError, asyncio.CancelledError):
            raise  # the client went away; aiohttp knows what to do
        except Exception as error:  # noqa: BLE001 - the boundary: whatever it was, the caller gets an id to quote
            response = self._told(error, request, context)
        finally:
            shell.lifecycle.requests_running -= 1
        if preflight:
            await self._on_prepare(request, response)  # aiohttp does it only for what was routed
        self._account(request, context, response)
        return response

    def _told(self, error: Exception, request: web.Request, context: RequestContext) -> web.StreamResponse:
        if isinstance(error, SecureConnectError):
            return from_error(error, context.id)
        if isinstance(error, web.HTTPException):
            return from_http_exception(error, context.id)
        self._errors.inc()
        _log.exception("request failed", method=request.method, route=context.route or UNMATCHED, exc_info=error)
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
                sent=_length(response),
                address=context.address,
            )

    async def _on_prepare(self, request: web.Request, response: web.StreamResponse) -> None:
        headers = response.headers
        if headers.get("Server") != SERVER_NAME:
            headers["Server"] = SERVER_NAME
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
        if self._shell.lifecycle.stopping:
            response.force_close()
            headers["Connection"] = "close"  # aiohttp has already decided on this header when it calls here
        context = request.get(CONTEXT)
        if context is None:
            return
        if "Origin" in request.headers:
            self._shell.origins.apply(request, context, context.headers)
        headers.update(context.headers)
        if context.secure or self._shell.always_secure:
            headers["Strict-Transport-Security"] = TRANSPORT_SECURITY


def _length(response: web.StreamResponse) -> int:
    body = response.body if isinstance(response, web.Response) else None
    return len(body) if isinstance(body, bytes) else response.content_length or 0


PIPELINE = web.AppKey("pipeline", Pipeline)


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
