"""The embedded product around one small POST: validation, rate limit, metrics, access log into a file, all on."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from api.http.access import Access
from api.http.endpoints import Call, Endpoint, Resource
from api.http.wire import View, Wire
from api.listening import bind
from api.serve import GC_THRESHOLDS, running_server
from config.logs import configure_logging
from config.sections import Limits, Logging, Server, Settings
from config.values import Secret
from kernel.clock import SystemClock
from kernel.ids import IdGenerator


class Tag(Wire, frozen=True):
    name: Annotated[str, Meta(min_length=1, max_length=20)]
    weight: Annotated[int, Meta(ge=0, le=10)] = 0


class NewNote(Wire, frozen=True):
    title: Annotated[str, Meta(min_length=1, max_length=100)]
    kind: Literal["plain", "secret"] = "plain"
    stars: Annotated[float, Meta(ge=0, le=5)] = 0.0
    tags: Annotated[list[Tag], Meta(max_length=5)] = msgspec.field(default_factory=list)


class Note(View, frozen=True):
    id: UUID
    title: str
    kind: str
    stars: float
    tags: list[Tag]


def notes() -> Resource:
    ids = IdGenerator(SystemClock())

    async def create(call: Call, body: NewNote) -> Note:
        return Note(id=ids.next(), title=body.title, kind=body.kind, stars=body.stars, tags=body.tags)

    endpoint = Endpoint(
        method="POST",
        path="/v1/notes",
        handler=create,
        access=Access.PUBLIC,
        limit="messages",
        summary="Answers what it was sent, with an id",
        status=201,
    )
    return Resource("notes", "For measuring.", [endpoint])


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[int]:
    """``folder`` takes the data and the log; the port is what is yielded."""
    settings = Settings(
        server=Server(port=0, media_port=0, data_dir=str(folder)),
        limits=Limits(messages=100_000_000),
        logging=Logging(format="json"),
    )
    with (folder / "log").open("wb") as log:
        logs = configure_logging(settings.logging, descriptor=log.fileno())
        try:
            async with running_server(
                settings,
                Secret("only for measuring " * 3),
                bind("127.0.0.1", 0),
                access_log=logs.access,
                announce=lambda _line: None,
                resources=lambda _platform: [notes()],
            ) as started:
                gc.collect()
                gc.freeze()
                gc.set_threshold(*GC_THRESHOLDS)
                yield started.addresses[0][1]
        finally:
            logs.close()
