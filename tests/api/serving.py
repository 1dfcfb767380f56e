"""A real server on a real port, with a resource that has one of everything the shell can validate."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

import aiohttp
import msgspec
from aiohttp import web
from msgspec import Meta

from adapters.memory import MemoryState
from api.app import SHELL, Ground, build_application
from api.http.access import Access
from api.http.endpoints import Call, Endpoint, Handler, Resource
from api.http.pipeline import AccessLog
from api.http.wire import View, Wire
from api.lifecycle import Lifecycle
from api.listening import bind
from api.server import HttpServer
from config.sections import Limits, Server, Settings, Telemetry
from kernel.clock import SystemClock
from kernel.cursors import decode_cursor, encode_cursor
from kernel.ephemeral import KeyValues, TokenBuckets
from kernel.errors import NotFound
from kernel.health import Dependency
from kernel.ids import IdGenerator
from kernel.metrics import Metrics


class Tag(Wire, frozen=True):
    name: Annotated[str, Meta(min_length=1, max_length=20)]
    weight: Annotated[int, Meta(ge=0, le=10)] = 0


class NewNote(Wire, frozen=True):
    title: Annotated[str, Meta(min_length=1, max_length=100)]
    kind: Literal["plain", "secret"] = "plain"
    stars: Annotated[float, Meta(ge=0, le=5)] = 0.0
    tags: Annotated[list[Tag], Meta(max_length=5)] = msgspec.field(default_factory=list)
    due: datetime | None = None
    parent: UUID | None = None


class Note(View, frozen=True):
    id: UUID
    title: str
    kind: str
    stars: float
    tags: list[Tag]
    created_at: datetime


class NotePath(Wire, frozen=True):
    id: UUID


class NoteList(View, frozen=True):
    items: list[Note]
    next_cursor: str | None


class ListQuery(Wire, frozen=True):
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    cursor: Annotated[str, Meta(max_length=512)] | None = None


@dataclass
class Notes:
    """The smallest room there can be."""

    ids: IdGenerator = field(default_factory=lambda: IdGenerator(SystemClock()))
    kept: dict[UUID, Note] = field(default_factory=dict)
    crashes: int = 0

    async def create(self, call: Call, body: NewNote) -> Note:
        note = Note(
            id=self.ids.next(),
            title=body.title,
            kind=body.kind,
            stars=body.stars,
            tags=body.tags,
            created_at=datetime.now(UTC),
        )
        self.kept[note.id] = note
        call.set_header("Location", f"/v1/notes/{note.id}")
        return note

    async def read(self, call: Call, path: NotePath) -> Note:
        if path.id not in self.kept:
            raise NotFound("There is no such note.")
        return self.kept[path.id]

    async def browse(self, call: Call, query: ListQuery) -> NoteList:
        after = UUID(int=0) if query.cursor is None else decode_cursor("notes", query.cursor, UUID)
        found = sorted(key for key in self.kept if key > after)
        page = found[: query.limit]
        more = encode_cursor("notes", page[-1]) if len(found) > len(page) else None
        return NoteList(items=[self.kept[key] for key in page], next_cursor=more)

    async def remove(self, call: Call, path: NotePath) -> None:
        if self.kept.pop(path.id, None) is None:
            raise NotFound("There is no such note.")

    async def crash(self, call: Call) -> None:
        self.crashes += 1
        raise ZeroDivisionError("the secret sauce is 42")

    def resource(self) -> Resource:
        found = {404: ("not_found",)}
        return Resource(
            "notes",
            "Notes.",
            [
                endpoint("POST", "/v1/notes", self.create, limit="messages", status=201),
                endpoint("GET", "/v1/notes", self.browse, errors={400: ("bad_cursor",)}),
                endpoint("GET", "/v1/notes/{id}", self.read, errors=found),
                endpoint("DELETE", "/v1/notes/{id}", self.remove, errors=found),
                endpoint("POST", "/v1/secret", secret, access=Access.SIGNED_IN, limit="login"),
                endpoint("POST", "/v1/crash", self.crash, documented=False),
                endpoint("POST", "/v1/slow", slow, documented=False),
                endpoint("POST", "/v1/stuck", stuck, documented=False),
                endpoint("GET", "/v1/linger", linger, streaming=True, documented=False, content="text/plain"),
                endpoint("GET", "/v1/socket", socket, streaming=True, documented=False, content="text/plain"),
            ],
        )


def endpoint(
    method: str,
    path: str,
    handler: Handler,
    *,
    access: Access = Access.PUBLIC,
    limit: str | None = None,
    status: int = 200,
    errors: Mapping[int, Sequence[str]] | None = None,
    streaming: bool = False,
    documented: bool = True,
    content: str | None = None,
) -> Endpoint:
    return Endpoint(
        method=method,
        path=path,
        handler=handler,
        access=access,
        limit=limit,
        summary="For tests",
        status=status,
        errors=errors or {},
        streaming=streaming,
        documented=documented,
        content=content,
    )


async def secret(call: Call) -> None:
    return None


async def linger(call: Call) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(call.request)
    for _ in range(200):
        await asyncio.sleep(0.02)
        await response.write(b"still here\n")
    return response


async def slow(call: Call) -> None:
    await asyncio.sleep(0.4)


async def stuck(call: Call) -> None:
    await asyncio.Event().wait()


async def socket(call: Call) -> web.StreamResponse:
    websocket = web.WebSocketResponse()
    await websocket.prepare(call.request)

    async def close(code: int, reason: str) -> None:
        await websocket.close(code=code, message=reason.encode())

    forget = call.request.app[SHELL].lifecycle.register_socket(close)
    try:
        async for _ in websocket:
            await websocket.send_str("heard")
    finally:
        forget()
    return websocket


@dataclass
class Running:
    """A server that answers at ``url`` until its block is left."""

    url: str
    port: int
    notes: Notes
    metrics: Metrics
    lifecycle: Lifecycle
    server: HttpServer
    client: aiohttp.ClientSession
    app: web.Application


@asynccontextmanager
async def running(
    *,
    server: Server | None = None,
    limits: Limits | None = None,
    shared_buckets: TokenBuckets | None = None,
    key_values: KeyValues | None = None,
    dependencies: Sequence[Dependency] = (),
    access_log: AccessLog | None = None,
    telemetry: Telemetry | None = None,
    resources: Sequence[Resource] = (),
    metrics: Metrics | None = None,
) -> AsyncIterator[Running]:
    clock, metrics = SystemClock(), metrics or Metrics()
    settings = Settings(
        server=server or Server(port=0),
        limits=limits or Limits(messages=100_000),
        telemetry=telemetry or Telemetry(),
    )
    state = MemoryState(clock)
    lifecycle = Lifecycle(clock, metrics, max_sockets=100)
    notes = Notes()
    ground = Ground(
        settings=settings,
        clock=clock,
        metrics=metrics,
        lifecycle=lifecycle,
        key_values=key_values or state.key_values,
        shared_buckets=shared_buckets or state.buckets,
        local_buckets=state.buckets,
        dependencies=dependencies,
        access_log=access_log,
    )
    app = build_application(ground, [notes.resource(), *resources])
    http = HttpServer(app, settings.server, lifecycle, metrics, clock)
    sockets = bind(settings.server.host, settings.server.port)
    host, port = sockets.addresses[0]
    await http.start(sockets)
    try:
        async with aiohttp.ClientSession(f"http://{host}:{port}") as client:
            yield Running(f"http://{host}:{port}", port, notes, metrics, lifecycle, http, client, app)
    finally:
        await http.stop(clock.monotonic() + 2.0)
