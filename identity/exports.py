"""Handing out what is known about somebody: a job collects it into one archive, which they may fetch for a week."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Protocol
from uuid import UUID

from identity.archive import Copy, Table, keep, zipped
from kernel.clock import Clock
from kernel.datarights import DataMap, ExportPage, NamedObject, PersonalData, Record
from kernel.errors import NotFound, RateLimited
from kernel.ids import IdGenerator
from kernel.jobs import Job, JobQueue, NewJob
from kernel.objects import MultipartUploads, Objects, ObjectSigner, SignedUrl
from kernel.units import Transaction, UnitsOfWork

EXPORT_JOB = "export"
FORGET_JOB = "export.forget"

FILE_NAME = "secureconnect-export.zip"
DAY = 86400.0
KEPT_SECONDS = 7 * DAY
URL_SECONDS = 3600.0
RECORDS_A_PAGE = 200
READ_ME = """Everything that this server knows about you.

Each .json file is a list of records of one kind; kinds of which there are none have no file. Times are in UTC, people
and conversations are named by their ids, binary values are base64. Pictures and files are beside them as they are.
Left out are secrets (what is kept of passwords, codes and tokens) and what is known about others only.
"""
# An archive that is still there after its week is tried for as long as a store may be away.
FORGETTING_ATTEMPTS = 1000


class State(Enum):
    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Export:
    """The latest of a person; ``expires_at`` once it is ready."""

    id: UUID
    person: UUID
    state: State
    requested_at: float
    expires_at: float | None = None


class ExportStore(Protocol):
    async def begin(self, unit: Transaction, export: Export, *, before: float) -> bool:
        """Add it in place of an earlier one that failed or was asked for ``before`` then; else False."""
        ...

    async def of(self, unit: Transaction, person: UUID) -> Export | None: ...

    async def get(self, unit: Transaction, export: UUID) -> Export | None: ...

    async def end(self, unit: Transaction, export: UUID, state: State, *, expires_at: float | None) -> bool:
        """False when it is not running, or not there any more."""
        ...

    async def remove(self, unit: Transaction, export: UUID) -> None: ...


def key_of(export: UUID) -> str:
    return f"exports/{export.hex}.zip"


class Exports:
    """``ask`` and ``status`` are what a person sees; ``make`` and ``forget`` handle the jobs."""

    def __init__(
        self,
        *,
        units: UnitsOfWork,
        store: ExportStore,
        objects: Objects,
        uploads: MultipartUploads,
        signer: ObjectSigner,
        jobs: JobQueue,
        ids: IdGenerator,
        clock: Clock,
    ) -> None:
        self._units = units
        self._store = store
        self._objects = objects
        self._uploads = uploads
        self._signer = signer
        self._jobs = jobs
        self._ids = ids
        self._clock = clock

    async def ask(self, person: UUID) -> Export:
        """Begin one, or answer the one that is running. Raises RateLimited ``one_export_a_day``."""
        now = self._clock.now()
        wanted = Export(self._ids.next(), person, State.RUNNING, now)

        async def work(unit: Transaction) -> Export:
            earlier = await self._store.of(unit, person)
            if await self._store.begin(unit, wanted, before=now - DAY):
                # What it replaces nobody would find any more.
                forgetting = [] if earlier is None else [_job(FORGET_JOB, earlier.id, FORGETTING_ATTEMPTS)]
                await self._jobs.enqueue([_job(EXPORT_JOB, wanted.id), *forgetting], within=unit)
                return wanted
            if earlier is not None and earlier.state is State.RUNNING:
                return earlier
            again_at = now + DAY if earlier is None else earlier.requested_at + DAY
            raise RateLimited(
                "Your data was collected today already.", code="one_export_a_day", retry_after=max(1.0, again_at - now)
            )

        return await self._units.write(work)

    async def status(self, person: UUID) -> tuple[Export, SignedUrl | None]:
        """The latest, with where to fetch it when it is ready. Raises NotFound ``no_export``."""
        found = await self._units.read(lambda unit: self._store.of(unit, person))
        if found is None or (found.expires_at is not None and found.expires_at <= self._clock.now()):
            raise NotFound("There is no archive of your data; ask for one.", code="no_export")
        if found.state is not State.READY or found.expires_at is None:
            return found, None
        left = max(1.0, found.expires_at - self._clock.now())
        url = await self._signer.sign_get(key_of(found.id), expires_in=min(URL_SECONDS, left), file_name=FILE_NAME)
        return found, url

    async def make(self, data: DataMap, job: Job) -> None:
        identifier = UUID(bytes=job.payload)
        export = await self._units.read(lambda unit: self._store.get(unit, identifier))
        if export is not None and export.state is not State.RUNNING:
            return
        try:
            if export is not None:
                await self._collect(data, export)
        except Exception:
            if job.attempt >= job.max_attempts:
                await self._units.write(lambda unit: self._store.end(unit, identifier, State.FAILED, expires_at=None))
            raise
        if export is None or not await self._ready(identifier):
            # Erased or replaced meanwhile; what an attempt before this one has left goes too.
            await self._objects.delete(key_of(identifier))

    async def forget(self, job: Job) -> None:
        identifier = UUID(bytes=job.payload)
        await self._objects.delete(key_of(identifier))
        await self._units.write(lambda unit: self._store.remove(unit, identifier))

    async def _ready(self, identifier: UUID) -> bool:
        expires_at = self._clock.now() + KEPT_SECONDS

        async def work(unit: Transaction) -> bool:
            ended = await self._store.end(unit, identifier, State.READY, expires_at=expires_at)
            if ended:
                forgetting = _job(FORGET_JOB, identifier, FORGETTING_ATTEMPTS, run_at=expires_at)
                await self._jobs.enqueue([forgetting], within=unit)
            return ended

        return await self._units.write(work)

    async def _collect(self, data: DataMap, export: Export) -> None:
        async with aclosing(zipped(self._entries(data, export.person), now=self._clock.now())) as chunks:
            await keep(self._objects, self._uploads, key_of(export.id), chunks)

    async def _entries(self, data: DataMap, person: UUID) -> AsyncIterator[Table | Copy]:
        yield Copy("README.txt", _read_me)
        for part in data.in_tables:
            first = await self._page(part, person, None)
            if first.records:
                yield Table(f"{part.name}.json", partial(self._pages, part, person, first))
        for things in data.elsewhere:
            for found in await things.objects(person):
                if await self._objects.stat(found.key) is not None:
                    yield Copy(f"{things.name}/{found.file_name}", partial(self._chunks, found))

    async def _pages(self, part: PersonalData, person: UUID, page: ExportPage) -> AsyncIterator[Sequence[Record]]:
        yield page.records
        while page.next is not None:
            page = await self._page(part, person, page.next)
            yield page.records

    async def _page(self, part: PersonalData, person: UUID, after: object | None) -> ExportPage:
        return await self._units.read(partial(part.export, person=person, after=after, most=RECORDS_A_PAGE))

    async def _chunks(self, found: NamedObject) -> AsyncIterator[bytes]:
        async with self._objects.open(found.key) as chunks:
            async for chunk in chunks:
                yield chunk


async def _read_me() -> AsyncIterator[bytes]:
    yield READ_ME.encode()


def _job(kind: str, export: UUID, attempts: int = 10, *, run_at: float | None = None) -> NewJob:
    """It names the export, not the person: who is erased takes their export with them."""
    return NewJob(kind, export.bytes, run_at=run_at, max_attempts=attempts)
