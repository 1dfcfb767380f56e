"""From a declaration to a route: the stages between the pipeline and a handler, for one endpoint."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.web_urldispatcher import MatchInfoError, UrlMappingMatchInfo
from multidict import CIMultiDict

from api.http.access import OPEN, permit
from api.http.context import CONTEXT, RequestContext
from api.http.endpoints import Call, Endpoint, Resource, shape_of
from api.http.idempotency import HEADER, Claim
from api.http.origins import COMMON_HEADERS
from api.http.pipeline import Shell, identify
from api.http.wire import can_be_kept, parse_json, read_query, read_value
from kernel.errors import (
    Malformed,
    NotFound,
    TimedOut,
    TooLarge,
    Unauthenticated,
    Unprocessable,
    UnsupportedMediaType,
)

JSON = "application/json"
# What many clients send where there is nothing to say.
_NOTHING = b"{}"

_encoder = msgspec.json.Encoder()
# What the pipeline would add to each answer, here once for all of them.
# Nobody in between keeps what was meant for one caller (tokens above all: RFC 6749, section 5.1).
_JSON_HEADERS = CIMultiDict(COMMON_HEADERS | {"Content-Type": JSON, "Cache-Control": "no-store"})


class MountedEndpoint:
    """Stages in order: who, may they, how often, the body, once only, the handler, its answer."""

    def __init__(self, endpoint: Endpoint, shell: Shell) -> None:
        if endpoint.limit is not None and endpoint.limit not in shell.rates:
            raise ValueError(f"{endpoint.method} {endpoint.path}: there is no limit named {endpoint.limit!r}")
        self.endpoint = endpoint
        self.shape = shape_of(endpoint)
        self._shell = shell
        self._open = endpoint.access in OPEN

    async def handle(self, request: web.Request) -> web.StreamResponse:
        endpoint, shell = self.endpoint, self._shell
        context = request[CONTEXT]
        context.route = endpoint.path
        if not self._open or "Authorization" in request.headers:
            await self._let_in(request, context)
        if endpoint.limit is not None:
            await shell.rates.admit(endpoint.limit, context, by_address=self._open)
        if endpoint.streaming:
            return await self._run(request, context, b"")
        return await shell.deadline.bound(self._answer(request, context))

    async def _let_in(self, request: web.Request, context: RequestContext) -> None:
        shell, rule = self._shell, self.endpoint.access
        try:
            context.principal = await identify(shell, rule, request)
            permit(rule, context.principal, self.endpoint.scope)
        except Unauthenticated:
            # Guesses at tokens and keys are counted like everything else that somebody without one asks.
            await shell.rates.admit("default", context, by_address=True)
            raise

    async def _answer(self, request: web.Request, context: RequestContext) -> web.StreamResponse:
        body = await self._read_body(request) if request.body_exists else b""
        if self.endpoint.unsafe and HEADER in request.headers:
            return await self._run_once(request, context, body)
        return await self._run(request, context, body)

    async def _run(self, request: web.Request, context: RequestContext, body: bytes) -> web.StreamResponse:
        shape = self.shape
        arguments: dict[str, Any] = {}
        if shape.path is not None:
            arguments["path"] = self._path_values(request, shape.path)
        if shape.query is not None:
            arguments["query"] = read_query(list(request.query.items()), shape.query)
        elif request.query_string and not self.endpoint.streaming:
            read_query(list(request.query.items()), _NoQuery)
        if shape.body is not None:
            left_out = not body and not shape.body_required
            arguments["body"] = None if left_out else self._body_value(request, body, shape.body)
        elif body and body.strip() != _NOTHING:
            raise Malformed("This request takes no body.", code="unexpected_body")
        result = await self.endpoint.handler(Call(request, context), **arguments)
        return self._reply(result)

    async def _run_once(self, request: web.Request, context: RequestContext, body: bytes) -> web.StreamResponse:
        keys = self._shell.idempotency
        caller = context.principal.id if context.principal else context.address
        claimed = await keys.begin(request.headers[HEADER], caller, request, body)
        if not isinstance(claimed, Claim):
            return claimed
        try:
            response = await self._run(request, context, body)
        except BaseException:
            await asyncio.shield(keys.abandon(claimed))
            raise
        await asyncio.shield(keys.finish(claimed, response, context.headers))
        return response

    async def _read_body(self, request: web.Request) -> bytes:
        bounds = self._shell.bounds
        try:
            if request.content.is_eof():  # nearly always: it came with the headers
                body = request.content.read_nowait()
            elif (request.content_length or 0) > bounds.max_body:
                raise _too_large(bounds.max_body)
            else:
                body = await self._await_body(request, bounds.body_timeout)
        except web.HTTPRequestEntityTooLarge as error:
            raise _too_large(bounds.max_body) from error
        except web.RequestPayloadError as error:
            raise Malformed("The body ended early or its encoding is broken.", code="malformed_body") from error
        if len(body) > bounds.max_body:
            raise _too_large(bounds.max_body)
        return body

    @staticmethod
    async def _await_body(request: web.Request, seconds: float) -> bytes:
        scope = asyncio.timeout(seconds)
        try:
            async with scope:
                return await request.read()
        except TimeoutError as error:
            if not scope.expired():
                raise
            raise TimedOut(f"The body did not arrive within {seconds:g} s.", code="body_timeout") from error

    def _body_value(self, request: web.Request, body: bytes, kind: type[msgspec.Struct]) -> msgspec.Struct:
        if request.headers.get("Content-Type") != JSON:  # nearly always it is this word and no more
            _require_json(request)
        if not body:
            raise Malformed("A JSON body is required.", code="malformed_json")
        return read_value(parse_json(body, max_depth=self._shell.bounds.json_depth), kind)

    @staticmethod
    def _path_values(request: web.Request, kind: type[msgspec.Struct]) -> msgspec.Struct:
        # An id that cannot exist is an id that is not there.
        nothing = NotFound("There is nothing at this address.")
        if not all(map(can_be_kept, request.match_info.values())):
            raise nothing
        try:
            return read_value(dict(request.match_info), kind, strict=False)
        except Unprocessable as error:
            raise nothing from error

    def _reply(self, result: Any) -> web.StreamResponse:
        if isinstance(result, msgspec.Struct):
            return web.Response(status=self.endpoint.status, body=_encoder.encode(result), headers=_JSON_HEADERS)
        if isinstance(result, web.StreamResponse):
            return result
        if result is None:
            return web.Response(status=204 if self.endpoint.status == 200 else self.endpoint.status)
        return web.Response(status=self.endpoint.status, body=_encoder.encode(result), headers=_JSON_HEADERS)


def _require_json(request: web.Request) -> None:
    if request.content_type != JSON:
        raise UnsupportedMediaType(f"The body must be {JSON}.")
    if request.charset is not None and request.charset.lower() not in ("utf-8", "utf8"):
        raise UnsupportedMediaType("JSON is UTF-8.")


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"The body is over {most} bytes.", code="body_too_large")


class _NoQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Endpoints without query parameters refuse them, so that a misspelt filter is not silently ignored."""


class _FixedPath(web.PlainResource):
    """Answers for every method: to others than its own it is 405. Or they would go on to a path with a placeholder,
    where ``/things/new`` is a thing named ``new``."""

    async def resolve(self, request: web.Request) -> tuple[UrlMappingMatchInfo | None, set[str]]:
        found, allowed = await super().resolve(request)
        if found is None and allowed:
            return MatchInfoError(web.HTTPMethodNotAllowed(request.method, sorted(allowed))), allowed
        return found, allowed


def mount(app: web.Application, shell: Shell, resources: Iterable[Resource]) -> None:
    """Add every endpoint; a GET answers HEAD too."""
    by_path: dict[str, dict[str, MountedEndpoint]] = {}
    for resource in resources:
        for endpoint in resource.endpoints:
            mounted = MountedEndpoint(endpoint, shell)
            methods = (endpoint.method, "HEAD") if endpoint.method == "GET" else (endpoint.method,)
            of_path = by_path.setdefault(endpoint.path, {})
            if not of_path.keys().isdisjoint(methods):
                raise ValueError(f"{endpoint.method} {endpoint.path} is declared twice")
            of_path.update(dict.fromkeys(methods, mounted))
    for path, of_methods in by_path.items():
        routes = _routes_of(app, path)
        for method, mounted in of_methods.items():
            routes.add_route(method, mounted.handle)


def _routes_of(app: web.Application, path: str) -> web.Resource:
    if "{" in path:
        return app.router.add_resource(path)
    fixed = _FixedPath(path)
    app.router.register_resource(fixed)
    return fixed
