"""Handing out what is known about somebody: a job collects it into one archive, which they may fetch for a week."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from enum import Enum
from functools import partial
from mimetypes import guess_extension
from typing import Protocol
from uuid import UUID

from identity import archivepages
from identity.accounts import AccountStore
from identity.accounts import State as AccountState
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
INDEX = "index.html"
READ_ME = (
    "Everything that this server knows about you. Each kind of record is a page to read and, for programs, a JSON "
    "file of the same name; kinds of which there are none are left out. Times are in UTC, binary values are base64. "
    "Pictures and files are beside them as they are. Left out are secrets (what is kept of passwords, codes and "
    "tokens) and what is known about others only."
)
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
        accounts: AccountStore,
        store: ExportStore,
        objects: Objects,
        uploads: MultipartUploads,
        signer: ObjectSigner,
        jobs: JobQueue,
        ids: IdGenerator,
        clock: Clock,
    ) -> None:
        self._units = units
        self._accounts = accounts
        self._store = store
        self._objects = objects
        self._uploads = uploads
        self._signer = signer
        self._jobs = jobs
        self._ids = ids
        self._clock = clock

    async def ask(self, person: UUID) -> Export:
        """Begin one, or answer the one that is running. Raises RateLimited ``one_export_a_day``, NotFound."""
        now = self._clock.now()
        wanted = Export(self._ids.next(), person, State.RUNNING, now)

        async def work(unit: Transaction) -> Export:
            account = await self._accounts.get(unit, person)
            if account is None or account.state is AccountState.ERASING:
                raise NotFound("There is no such person.")
            earlier = await self._store.of(unit, person)
            if await self._store.begin(unit, wanted, before=now - DAY):
                # Whatever becomes of whoever makes it, it is forgotten; and what it replaces nobody would find.
                jobs = [_job(EXPORT_JOB, wanted.id), _forgetting(wanted.id, at=now + KEPT_SECONDS)]
                await self._jobs.enqueue(jobs if earlier is None else [*jobs, _forgetting(earlier.id)], within=unit)
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
        if export is not None and export.state is State.READY:
            return
        running = export is not None and export.state is State.RUNNING
        try:
            if export is not None and running:
                await self._collect(data, export)
        except Exception:
            if job.attempt >= job.max_attempts:
                await self._units.write(lambda unit: self._store.end(unit, identifier, State.FAILED, expires_at=None))
            raise
        if export is None or not running or not await self._ready(export):
            # Erased or replaced meanwhile; what an attempt before this one has left goes too.
            await self._objects.delete(key_of(identifier))

    async def forget(self, job: Job) -> None:
        identifier = UUID(bytes=job.payload)
        await self._objects.delete(key_of(identifier))
        await self._units.write(lambda unit: self._store.remove(unit, identifier))

    async def _ready(self, export: Export) -> bool:
        expires_at = export.requested_at + KEPT_SECONDS
        return await self._units.write(
            lambda unit: self._store.end(unit, export.id, State.READY, expires_at=expires_at)
        )

    async def _collect(self, data: DataMap, export: Export) -> None:
        async with aclosing(zipped(self._entries(data, export.person), now=self._clock.now())) as chunks:
            await keep(self._objects, self._uploads, key_of(export.id), chunks)

    async def _entries(self, data: DataMap, person: UUID) -> AsyncIterator[Table | Copy]:
        written: list[tuple[str, str]] = []
        for part in data.in_tables:
            first = await self._page(part, person, None)
            if first.records:
                written.append((f"{part.name}.html", part.says))
                yield Table(part.name, part.says, partial(self._pages, part, person, first))
        for things in data.elsewhere:
            for found in await things.objects(person):
                kept = await self._objects.stat(found.key)
                if kept is not None:
                    name = f"{things.name}/{found.file_name}{guess_extension(kept.content_type, strict=False) or ''}"
                    written.append((name, found.says))
                    yield Copy(name, partial(self._chunks, found))
        yield Copy(INDEX, partial(_index, written))

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


async def _index(written: Sequence[tuple[str, str]]) -> AsyncIterator[bytes]:
    yield archivepages.beginning("Your data", READ_ME) + archivepages.contents(written)


def _forgetting(export: UUID, *, at: float | None = None) -> NewJob:
    return _job(FORGET_JOB, export, FORGETTING_ATTEMPTS, run_at=at)


def _job(kind: str, export: UUID, attempts: int = 10, *, run_at: float | None = None) -> NewJob:
    """It names the export, not the person: who is erased takes their export with them."""
    return NewJob(kind, export.bytes, run_at=run_at, max_attempts=attempts)
