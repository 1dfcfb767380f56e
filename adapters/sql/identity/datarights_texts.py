"""Where people are named inside text or bytes, which no index finds: jobs, and details of the audit log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import Row, Select, delete, or_, select, type_coerce, union, update

from adapters.sql.datarights import days_since, rows_since
from adapters.sql.identity.accounts import ACCOUNTS
from adapters.sql.identity.audit import AUDIT
from adapters.sql.identity.datarights_stores import ERASURES
from adapters.sql.identity.sessions import LINKS
from adapters.sql.jobs_tables import JOBS, State
from adapters.sql.metadata import Text
from adapters.sql.units import sql_of
from identity.avatars import DROP_JOB, Drop
from identity.credentials import FORGOTTEN_PASSWORD_JOB
from identity.keychanges import NEWS_JOB, News
from identity.mails import message_ids_of
from kernel.clock import Clock
from kernel.datarights import NamedObject
from kernel.mail import Mail
from kernel.mailqueue import MAIL_JOB
from kernel.units import Transaction, UnitsOfWork

LOOK_AGAIN_SECONDS = 0.1
AT_A_TIME = 100

# The kinds of jobs that name a person, and where.
NAMED_IN: Final[Mapping[str, Callable[[bytes], str]]] = {
    MAIL_JOB: lambda payload: msgspec.msgpack.decode(payload, type=Mail).to,
    FORGOTTEN_PASSWORD_JOB: lambda payload: payload.decode(),
    DROP_JOB: lambda payload: str(msgspec.json.decode(payload, type=Drop).account),
    NEWS_JOB: lambda payload: str(msgspec.json.decode(payload, type=News).account),
}


class Addresses:
    """What somebody is written to at: their address, also when their account is gone already, and those that links were
    sent to."""

    def __init__(self, units: UnitsOfWork) -> None:
        self._units = units

    async def of(self, person: UUID) -> frozenset[str]:
        address = select(ACCOUNTS.c.email).where(ACCOUNTS.c.id == person)
        erased = select(ERASURES.c.address).where(ERASURES.c.person == person, ERASURES.c.address.is_not(None))
        linked = select(LINKS.c.about).where(LINKS.c.account == person, LINKS.c.about != "")

        async def read(unit: Transaction) -> frozenset[str]:
            return frozenset((await sql_of(unit).connection.execute(union(address, erased, linked))).scalars())

        return await self._units.read(read)


class WaitingJobs:
    """kernel.datarights.PersonalThings: jobs that carry somebody's address or id or a mail about them, to whatever
    address it was; also those that failed for good."""

    name = "jobs"

    def __init__(self, units: UnitsOfWork, addresses: Addresses) -> None:
        self._units = units
        self._addresses = addresses

    async def objects(self, person: UUID) -> Sequence[NamedObject]:
        return []

    async def erase(self, person: UUID) -> int:
        """Those that run at this moment are waited for: what they do would come after it was looked for."""
        names, mails = {str(person), *await self._addresses.of(person)}, message_ids_of(person)
        columns, such = [JOBS.c.kind, JOBS.c.dedup_key, JOBS.c.payload], JOBS.c.kind.in_(NAMED_IN)
        erased = 0
        async for rows in rows_since(self._units, person, JOBS.c.id, columns, such):
            theirs = [row.id for row in rows if (row.dedup_key or "").startswith(mails) or _named(row) in names]
            erased += await self._remove(theirs)
            while await self._are_running(theirs):
                await asyncio.sleep(LOOK_AGAIN_SECONDS)
                erased += await self._remove(theirs)
        return erased

    async def _are_running(self, jobs: Sequence[UUID]) -> bool:
        running = select(JOBS.c.id).where(JOBS.c.id.in_(jobs), JOBS.c.state == State.CLAIMED).limit(1)

        async def read(unit: Transaction) -> bool:
            return (await sql_of(unit).connection.execute(running)).first() is not None

        return bool(jobs) and await self._units.read(read)

    async def _remove(self, jobs: Sequence[UUID]) -> int:
        gone = delete(JOBS).where(JOBS.c.id.in_(jobs), JOBS.c.state != State.CLAIMED)

        async def work(unit: Transaction) -> int:
            return (await sql_of(unit).connection.execute(gone)).rowcount

        return await self._units.write(work) if jobs else 0


def _named(job: Row[Any]) -> str | None:
    """Finished ones have no payload any more."""
    return NAMED_IN[job.kind](job.payload) if job.payload else None


class AuditDetails:
    """kernel.datarights.PersonalThings: entries whose details name somebody get the pseudonym in their place."""

    name = "audit_details"

    def __init__(self, units: UnitsOfWork, pseudonym: Callable[[UUID], str], clock: Clock) -> None:
        self._units = units
        self._pseudonym = pseudonym
        self._clock = clock

    async def objects(self, person: UUID) -> Sequence[NamedObject]:
        return []

    async def erase(self, person: UUID) -> int:
        """The store itself looks through them, a day at a time: there may be millions."""
        erased, pseudonym = 0, self._pseudonym(person)
        for since, until in days_since(person, self._clock.now()):
            some = _details_naming(person).where(AUDIT.c.id >= since)
            if until is not None:
                some = some.where(AUDIT.c.id < until)
            while rows := await self._read(some):
                for row in rows:
                    renamed = row.text.replace(str(person), pseudonym).replace(person.hex, pseudonym)
                    await self._put(row.id, msgspec.json.decode(renamed))
                erased += len(rows)
        return erased

    async def _read(self, some: Select[Any]) -> Sequence[Row[Any]]:
        async def read(unit: Transaction) -> Sequence[Row[Any]]:
            rows: Sequence[Row[Any]] = (await sql_of(unit).connection.execute(some)).all()
            return rows

        return await self._units.read(read)

    async def _put(self, entry: UUID, details: dict[str, str]) -> None:
        change = update(AUDIT).where(AUDIT.c.id == entry).values(details=details)
        await self._units.write(lambda unit: sql_of(unit).connection.execute(change))


def _details_naming(person: UUID) -> Select[Any]:
    text = type_coerce(AUDIT.c.details, Text).label("text")
    return select(AUDIT.c.id, text).where(or_(text.contains(str(person)), text.contains(person.hex))).limit(AT_A_TIME)
