"""How a resource declares itself. One declaration mounts the route, validates it and documents it.

A handler is ``async def handler(call: Call, ...) -> View`` whose parameters named ``body``, ``query`` and
``path`` are msgspec structs; a ``body: Struct | None`` may be left out of a request. What it returns is encoded with
the endpoint's status. Handlers that answer by themselves (streams, sockets, pages) return an
``aiohttp.web.StreamResponse`` and say what in ``content``.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args, get_type_hints

import msgspec
from aiohttp import web

from api.http.access import Access, Principal
from api.http.context import RequestContext

# A handler's extra parameters are typed by itself; the shell only ever passes what it has validated as that.
Handler = Callable[..., Awaitable[Any]]


@dataclass(slots=True)
class Call:
    """One request as its handler sees it."""

    request: web.Request
    context: RequestContext

    @property
    def principal(self) -> Principal:
        """Only for endpoints whose access rule guarantees one."""
        if self.context.principal is None:
            raise LookupError("this endpoint admits callers without a principal")
        return self.context.principal

    def set_header(self, name: str, value: str) -> None:
        """A header of the answer, such as Location or ETag."""
        self.context.headers[name] = value


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """``limit`` names a rate of the limits section, None exempts (health, metrics); ``errors`` are the codes a
    client should expect beyond those every endpoint can give. ``streaming`` lifts the body and request bounds,
    because the handler has its own. ``content`` is the media type of an answer that is not JSON; ``also`` are
    further statuses under which the handler answers the same body. ``scope`` lets in API keys that have it; without
    one no API key gets in."""

    method: str
    path: str
    handler: Handler
    access: Access
    limit: str | None
    summary: str
    scope: str | None = None
    status: int = 200
    errors: Mapping[int, Sequence[str]] = field(default_factory=dict)
    streaming: bool = False
    content: str | None = None
    also: Sequence[int] = ()
    documented: bool = True

    @property
    def name(self) -> str:
        return self.handler.__name__

    @property
    def unsafe(self) -> bool:
        return self.method not in ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True, slots=True)
class Resource:
    """A group of endpoints under one heading of the reference."""

    name: str
    text: str
    endpoints: Sequence[Endpoint]


@dataclass(frozen=True, slots=True)
class Shape:
    """The types in a handler's signature."""

    body: type[msgspec.Struct] | None
    body_required: bool
    query: type[msgspec.Struct] | None
    path: type[msgspec.Struct] | None
    reply: Any


def shape_of(endpoint: Endpoint) -> Shape:
    hints = get_type_hints(endpoint.handler, include_extras=True)
    parameters = set(inspect.signature(endpoint.handler).parameters)
    unknown = parameters - {"call", "body", "query", "path"}
    if unknown or "call" not in parameters:
        raise TypeError(f"{endpoint.name}: parameters are call, body, query and path, not {sorted(unknown)}")
    reply = hints.get("return", types.NoneType)
    body, body_required = _body(hints.get("body"))
    return Shape(
        body=body,
        body_required=body_required,
        query=_struct(hints.get("query")),
        path=_struct(hints.get("path")),
        reply=_value_of(reply),
    )


def _value_of(hint: Any) -> Any:
    """What is encoded: a handler that returns ``View | web.Response`` answers some cases by itself."""
    kinds = get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    values = [kind for kind in kinds if not (isinstance(kind, type) and issubclass(kind, web.StreamResponse))]
    return None if values in ([], [types.NoneType]) else typing.Union[tuple(values)]  # noqa: UP007 - made of a list


def _body(hint: Any) -> tuple[type[msgspec.Struct] | None, bool]:
    kinds = get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    structs = [kind for kind in kinds if kind is not types.NoneType]
    if len(structs) != 1:
        raise TypeError(f"{hint!r} is not a struct; wire types are structs")
    return _struct(structs[0]), len(structs) == len(kinds)


def _struct(hint: Any) -> type[msgspec.Struct] | None:
    if hint is None:
        return None
    if not (isinstance(hint, type) and issubclass(hint, msgspec.Struct)):
        raise TypeError(f"{hint!r} is not a struct; wire types are structs")
    return hint
