"""Erasing somebody: from one moment to the next nobody signs in as them, and a job takes away all that names them.

The job goes through everything that is registered, in bounded transactions, until a whole round finds nothing. Ended
at any point it begins again; what is gone already answers that nothing is left. Its report keeps counts and a
pseudonym, which also stands in the audit log where the account stood.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, Protocol
from uuid import UUID

from identity.accounts import Account, AccountStore, State
from identity.administration import ADMIN
from identity.audit import AuditLog
from identity.login import SecondProof
from identity.proof import PasswordProof
from identity.sessions import Sessions
from kernel.clock import Clock
from kernel.cursors import Page, decode_cursor, encode_cursor
from kernel.datarights import DataMap, PersonalData, is_in_tables
from kernel.errors import Conflict, Forbidden, NotFound
from kernel.ids import IdGenerator
from kernel.jobs import Job, JobQueue, NewJob
from kernel.units import Transaction, UnitsOfWork

ERASE_JOB = "erasure"
RESUME_JOB = "erasure.resume"
RESUME_EVERY_SECONDS = 3600.0

ROWS_A_TRANSACTION = 500
# Of one attempt of the job; a further job goes on after that, so that no amount of data outlasts its time.
STEPS_AN_ATTEMPT = 200

SELF: Final = "self"
LISTING: Final = "erasures"


class Pseudonyms:
    """What stands for an account that is gone: the same for the same one, and without the key of this installation
    nobody can tell whose it was."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, person: UUID) -> str:
        return f"erased:{hmac.new(self._key, person.bytes, hashlib.sha256).hexdigest()[:32]}"


@dataclass(frozen=True, slots=True)
class Erasure:
    """The report of one. ``person`` and ``address`` only until nothing names them any more (mails are found by it when
    the account is gone already); ``counts`` are rows and things by what was erased."""

    id: UUID
    person: UUID | None
    address: str | None
    pseudonym: str
    asked_by: str
    requested_at: float
    finished_at: float | None = None
    counts: Mapping[str, int] = field(default_factory=dict)


class ErasureStore(Protocol):
    async def add(self, unit: Transaction, erasure: Erasure) -> None: ...

    async def get(self, unit: Transaction, erasure: UUID) -> Erasure | None: ...

    async def put(self, unit: Transaction, erasure: Erasure) -> None: ...

    async def page(
        self, unit: Transaction, pseudonym: str | None, *, before: UUID | None, most: int
    ) -> Sequence[Erasure]:
        """Newest first, older than ``before``; of one pseudonym, or all."""
        ...

    async def unfinished(self, unit: Transaction, *, before: float) -> list[UUID]:
        """Asked for before that moment, and still going on."""
        ...


class Admins(Protocol):
    async def has_active_admin(self, unit: Transaction, *, besides: UUID) -> bool: ...


class Erasing:
    """Begins them."""

    def __init__(
        self,
        *,
        units: UnitsOfWork,
        accounts: AccountStore,
        admins: Admins,
        proof: PasswordProof,
        second: SecondProof,
        sessions: Sessions,
        audit: AuditLog,
        store: ErasureStore,
        pseudonyms: Pseudonyms,
        jobs: JobQueue,
        ids: IdGenerator,
        clock: Clock,
    ) -> None:
        self._units = units
        self._accounts = accounts
        self._admins = admins
        self._audit = audit
        self._proof = proof
        self._second = second
        self._sessions = sessions
        self._store = store
        self._pseudonyms = pseudonyms
        self._jobs = jobs
        self._ids = ids
        self._clock = clock

    async def erase_oneself(
        self, person: UUID, *, password: str, totp: str | None, recovery_code: str | None, address: str
    ) -> Erasure:
        """Raises Forbidden ``wrong_password``, ``second_factor_required`` or ``invalid_second_factor``, RateLimited
        ``locked_out``, Conflict ``last_admin``."""
        account = await self._proof.require(person, password, address=address)
        if await self._second.required(person):
            if totp is None and recovery_code is None:
                raise Forbidden("This asks for a code, too.", code="second_factor_required")
            if not await self._second.verify(person, totp=totp, recovery_code=recovery_code):
                await self._proof.failed(account, address=address)
                raise Forbidden("This code is wrong, or was used before.", code="invalid_second_factor")
        return await self.begin(person, asked_by=SELF)

    async def begin(self, person: UUID, *, asked_by: str) -> Erasure:
        """State, sessions, report and job as one. ``asked_by`` is kept: ``self``, or the id of an admin. Raises
        NotFound for somebody who is not there or is being erased already, Conflict ``last_admin``."""
        identifier, pseudonym, now = self._ids.next(), self._pseudonyms.of(person), self._clock.now()

        async def work(unit: Transaction) -> Erasure:
            account = await self._erasable(unit, person)
            erasure = Erasure(identifier, person, account.email, pseudonym, asked_by, now)
            await self._accounts.put(unit, replace(account, state=State.ERASING))
            await self._store.add(unit, erasure)
            actor = str(person) if asked_by == SELF else asked_by
            await self._audit.record(unit, actor=actor, action="user.erase", subject=str(person))
            await self._jobs.enqueue([_job(erasure.id)], within=unit)
            return erasure

        # Refused before anybody is signed out for nothing; asked again in the unit, where the answer holds.
        await self._units.read(lambda unit: self._erasable(unit, person))
        return await self._sessions.ending_all(person, work)

    async def _erasable(self, unit: Transaction, person: UUID) -> Account:
        account = await self._accounts.get(unit, person)
        if account is None or account.state is State.ERASING:
            raise NotFound("There is no such person.")
        if ADMIN in account.roles and not await self._admins.has_active_admin(unit, besides=person):
            raise Conflict("Nobody else is an admin here; make somebody one first.", code="last_admin")
        return account

    async def reports(self, pseudonym: str | None, *, cursor: str | None, limit: int) -> Page[Erasure]:
        """Newest first; of one pseudonym, or all. Raises Malformed ``bad_cursor``."""
        before = None if cursor is None else decode_cursor(LISTING, cursor, UUID)
        found = await self._units.read(
            lambda unit: self._store.page(unit, pseudonym, before=before, most=limit + 1), stale_ok=True
        )
        items = list(found[:limit])
        return Page(items, encode_cursor(LISTING, items[-1].id) if len(found) > limit else None)

    async def report(self, erasure: UUID) -> Erasure:
        """Raises NotFound."""
        found = await self._units.read(lambda unit: self._store.get(unit, erasure))
        if found is None:
            raise NotFound("There is no such erasure.")
        return found


class ErasureJob:
    """Carries them out."""

    def __init__(
        self,
        *,
        units: UnitsOfWork,
        store: ErasureStore,
        data: DataMap,
        scrub: Callable[[], Awaitable[None]],
        jobs: JobQueue,
        clock: Clock,
    ) -> None:
        """``scrub`` leaves nothing of what was deleted in files of the store."""
        self._units = units
        self._store = store
        self._scrub = scrub
        self._names = [part.name for part in data.parts if not is_in_tables(part) or part.tables]
        self._rows = {part.name: part for part in data.in_tables}
        self._things = {part.name: part for part in data.elsewhere}
        self._jobs = jobs
        self._clock = clock

    async def run(self, job: Job) -> None:
        identifier = UUID(bytes=job.payload)
        left = STEPS_AN_ATTEMPT
        erased_in_round = 1
        while erased_in_round:
            erased_in_round = 0
            for name in self._names:
                erased = ROWS_A_TRANSACTION
                # Until there was less than a transaction of it, not until nothing comes any more: while the account
                # is there, somebody may write about it faster than that.
                while erased >= ROWS_A_TRANSACTION:
                    erased = await self._step(identifier, name)
                    erased_in_round += erased
                    left -= erased > 0
                    if left == 0:
                        await self._jobs.enqueue([_job(identifier)])
                        return
        # Something may have been written about the person while the first parts were gone through, but not any more
        # after their account had gone; so a round that found nothing was the last.
        await self._units.write(lambda unit: self._forget(unit, identifier))
        await self._scrub()
        await self._units.write(lambda unit: self._finish(unit, identifier))

    async def resume(self, _: Job) -> None:
        """Those whose job was lost to the dead letters go on."""
        before = self._clock.now() - RESUME_EVERY_SECONDS

        async def work(unit: Transaction) -> None:
            found = await self._store.unfinished(unit, before=before)
            await self._jobs.enqueue([_job(erasure) for erasure in found], within=unit)

        await self._units.write(work)

    async def _step(self, identifier: UUID, name: str) -> int:
        """How much that erased, which the report counts."""
        things = self._things.get(name)
        if things is None:
            return await self._units.write(partial(self._erase_rows, identifier=identifier, part=self._rows[name]))
        erasure = await self._units.read(lambda unit: self._store.get(unit, identifier))
        erased = 0 if erasure is None or erasure.person is None else await things.erase(erasure.person)
        if erased:
            await self._units.write(partial(self._count, identifier=identifier, name=name, erased=erased))
        return erased

    async def _erase_rows(self, unit: Transaction, *, identifier: UUID, part: PersonalData) -> int:
        erasure = await self._store.get(unit, identifier)
        if erasure is None or erasure.person is None:
            return 0
        erased = await part.erase(unit, erasure.person, most=ROWS_A_TRANSACTION)
        if erased:
            await self._count(unit, identifier=identifier, name=part.name, erased=erased)
        return erased

    async def _count(self, unit: Transaction, *, identifier: UUID, name: str, erased: int) -> None:
        erasure = await self._store.get(unit, identifier)
        if erasure is not None:
            counts = {**erasure.counts, name: erasure.counts.get(name, 0) + erased}
            await self._store.put(unit, replace(erasure, counts=counts))

    async def _forget(self, unit: Transaction, identifier: UUID) -> None:
        erasure = await self._store.get(unit, identifier)
        if erasure is not None and erasure.person is not None:
            await self._store.put(unit, replace(erasure, person=None, address=None))

    async def _finish(self, unit: Transaction, identifier: UUID) -> None:
        erasure = await self._store.get(unit, identifier)
        if erasure is not None and erasure.finished_at is None:
            await self._store.put(unit, replace(erasure, finished_at=self._clock.now()))


def _job(erasure: UUID) -> NewJob:
    """It names the report, not the person."""
    return NewJob(ERASE_JOB, erasure.bytes, max_attempts=1000)
