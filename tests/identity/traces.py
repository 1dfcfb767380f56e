"""Looking for what still mentions somebody: in every table, object, short-lived word and file, byte by byte."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import text

from adapters.sql.metadata import metadata
from adapters.sql.units import sql_of
from kernel.units import Transaction
from tests.worlds import World


@dataclass(frozen=True)
class Names:
    """What somebody is known by: ids in each of their forms (their own, those of their sessions), words in any case."""

    id: UUID
    words: Sequence[str]
    sessions: Sequence[UUID] = ()

    @cached_property
    def _forms(self) -> Sequence[bytes]:
        ids = (self.id, *self.sessions)
        forms = [form for known in ids for form in (known.bytes, known.hex.encode(), str(known).encode())]
        return [*forms, *(word.encode() for word in self.words)]

    def are_in(self, value: object) -> bool:
        raw = _raw(value)
        lower = raw.lower()
        return any(form in raw or form in lower for form in self._forms)


def _raw(value: object) -> bytes:
    if isinstance(value, UUID):
        return value.bytes
    return bytes(value) if isinstance(value, bytes | bytearray | memoryview) else str(value).encode()


async def everywhere(here: World, names: Names) -> list[str]:
    """Places that mention them."""
    return [
        *await _tables(here, names),
        *await asyncio.to_thread(lambda: list(_files(Path(here.platform.settings.server.data_dir), names))),
        *await _objects(here, names),
        *_memory(here, names),
    ]


async def _tables(here: World, names: Names) -> list[str]:
    async def look(unit: Transaction) -> list[str]:
        found = []
        for table in metadata.tables:
            rows = await sql_of(unit).connection.execute(text(f"SELECT * FROM {table}"))
            for row in rows.mappings():
                found += [f"{table}.{name}: {value!r}" for name, value in row.items() if names.are_in(value)]
        return found

    return await here.platform.database.units.read(look)


def _files(directory: Path, names: Names) -> Iterator[str]:
    """As whoever has the disk sees them: with what is deleted in databases, and with their logs."""
    for file in directory.rglob("*"):
        if names.are_in(file.name) or (file.is_file() and names.are_in(file.read_bytes())):
            yield f"file {file.relative_to(directory)}"


async def _objects(here: World, names: Names) -> list[str]:
    store, found = here.platform.objects.objects, []
    for key in await store.keys(""):
        async with store.open(key) as chunks:
            content = b"".join([chunk async for chunk in chunks])
        if names.are_in(key) or any(names.are_in(part) for part in _unpacked(content)):
            found.append(f"object: {key}")
    return found


def _unpacked(content: bytes) -> Iterator[bytes]:
    """Itself, and what is in it."""
    yield content
    if zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            yield from (archive.read(name) for name in archive.namelist())


def _memory(here: World, names: Names) -> Iterator[str]:
    """Whatever the process holds on to from its short-lived state, its bus, and what people/ and chat/ remember."""
    roots = {
        "ephemeral": here.platform.ephemeral,
        "local": here.platform.local,
        "bus": here.platform.bus,
        "people": here.started.people,
        "rights": here.started.rights,
    }
    seen: set[int] = set()
    for name, root in roots.items():
        for path, value in _reachable(name, root, seen):
            if names.are_in(value):
                yield f"memory: {path}: {value!r}"


OURS = ("adapters.", "identity.", "chat.", "api.", "kernel.")
# Connections and statements are not ours to walk through; what they hold is in the tables.
LEFT_OUT = ("adapters.sql", "adapters.sqlitelog", "adapters.guard")


def _reachable(name: str, root: object, seen: set[int]) -> Iterator[tuple[str, object]]:
    waiting: deque[tuple[str, object]] = deque([(name, root)])
    while waiting:
        path, value = waiting.popleft()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, str | bytes | UUID):
            yield path, value
        else:
            waiting.extend((f"{path}{place}", part) for place, part in _parts(value))


def _parts(value: Any) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for key, part in list(value.items()):
            yield " key", key
            yield f"[{key!r}]", part
    elif isinstance(value, Collection):
        for part in list(value):
            yield "[]", part
    elif (module := type(value).__module__).startswith(OURS) and not module.startswith(LEFT_OUT):
        held = dict(getattr(value, "__dict__", {}))
        for kind in type(value).__mro__:
            slots = kind.__dict__.get("__slots__", ())
            held |= {slot: getattr(value, slot) for slot in slots if isinstance(slot, str) and hasattr(value, slot)}
        for slot, part in held.items():
            yield f".{slot}", part
