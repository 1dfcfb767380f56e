"""Every statement that hands out or erases what is kept about somebody."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from adapters.sql.chat import datarights as chat
from adapters.sql.engine import Database
from adapters.sql.identity import datarights as identity
from adapters.sql.identity.datarights_stores import SqlErasures, SqlExports
from adapters.sql.identity.datarights_texts import Addresses, AuditDetails, WaitingJobs
from identity.erasure import Erasure
from identity.exports import Export, State
from kernel.datarights import PersonalData
from kernel.units import Transaction
from tests.clocks import VirtualClock

PERSON, EXPORT, ERASURE = UUID(int=1), UUID(int=2), UUID(int=3)


async def tour_of_the_data_rights(database: Database) -> None:
    for part in (*identity.before_the_account(lambda _person: "erased:1"), *chat.personal(), identity.the_account()):
        await database.units.write(partial(_both, part=part))
    addresses = Addresses(database.units)
    await WaitingJobs(database.units, addresses).erase(PERSON)
    await AuditDetails(database.units, lambda _person: "erased:1", VirtualClock(1.0)).erase(PERSON)
    await database.units.write(_records)


async def _both(unit: Transaction, *, part: PersonalData) -> None:
    await part.export(unit, PERSON, after=None, most=1)
    await part.erase(unit, PERSON, most=1)


async def _records(unit: Transaction) -> None:
    exports, erasures = SqlExports(), SqlErasures()
    await exports.begin(unit, Export(EXPORT, PERSON, State.RUNNING, 1.0), before=1.0)
    await exports.of(unit, PERSON)
    await exports.get(unit, EXPORT)
    await exports.end(unit, EXPORT, State.READY, expires_at=2.0)
    await exports.remove(unit, EXPORT)
    erasure = Erasure(ERASURE, PERSON, "ada@example.org", "erased:1", "self", 1.0)
    await erasures.add(unit, erasure)
    await erasures.get(unit, ERASURE)
    await erasures.put(unit, erasure)
    await erasures.page(unit, None, before=None, most=10)
    await erasures.page(unit, "erased:1", before=ERASURE, most=10)
    await erasures.unfinished(unit, before=1.0)
