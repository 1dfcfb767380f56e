"""Bringing the schema up to date: one linear history, one node at a time, one transaction a step.

Alembic is only imported when there is something to do: a start that finds its schema current never pays for it.
"""

from __future__ import annotations

import asyncio
import pkgutil
import re
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from sqlalchemy import Column, Connection, Table, Update, column, inspect, or_, select, table, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateTable

from adapters.sql import migrations
from adapters.sql.engine import Database
from adapters.sql.lane import SqlTransaction
from adapters.sql.metadata import Moment, Text, metadata, upsert
from adapters.sql.migrations import versions
from kernel.errors import Conflict, DependencyUnavailable

# A step may rewrite a big table; nothing else waits for it but other nodes that are starting.
STEP_SECONDS = 3600.0
# A node that dies between two steps is replaced after this, so a first start that is killed does not hold up the
# next one for long. During a step its lease cannot be taken, however long the step takes: the step's transaction has
# the lease's row locked, and prolongs it once more at its end. Clocks of nodes may differ by less than this.
LEASE_SECONDS = 10.0
POLL_SECONDS = 0.5

LEASES = Table(
    "schema_leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text),
    Column("expires_at", Moment, nullable=False),
)

_LEASE = "schema"
_versions = table("alembic_version", column("version_num"))
_MODULE = re.compile(r"v(\d{4})_(\w+)")


@dataclass(frozen=True, slots=True)
class Step:
    """A migration, ``number`` of ``total`` that are to be applied."""

    revision: str
    title: str
    number: int
    total: int


@dataclass(frozen=True, slots=True)
class SchemaStatus:
    """``current`` is None for an empty database. ``unknown`` means a newer program has been here."""

    current: str | None
    head: str
    pending: Sequence[str]
    unknown: bool


def revisions() -> dict[str, str]:
    """Revision to title, oldest first, as the file names say."""
    names = sorted(module.name for module in pkgutil.iter_modules(versions.__path__))
    found = [matched for name in names if (matched := _MODULE.fullmatch(name))]
    return {matched[1]: matched[2].replace("_", " ") for matched in found}


async def status(database: Database) -> SchemaStatus:
    known = list(revisions())
    current = await database.units.read(_current_revision)
    done = known.index(current) + 1 if current in known else 0
    unknown = current is not None and current not in known
    return SchemaStatus(current, known[-1], [] if unknown else known[done:], unknown)


async def upgrade(
    database: Database,
    *,
    progress: Callable[[Step], None] = lambda _step: None,
    to: str | None = None,
    wait: float = 120.0,
) -> SchemaStatus:
    """Apply what is pending, up to the revision ``to``, telling ``progress`` before each step.

    Several nodes may call this at once: one works, the others wait up to ``wait`` seconds for it. A step that
    fails leaves the schema as the step before it left it.
    """
    before = await status(database)
    _refuse_unknown(before)
    if not before.pending or (to is not None and before.current == to):
        return before
    await asyncio.to_thread(import_module, "alembic.command")  # half a second that must not block the loop
    async with _lease(database, wait) as holder:
        now = await status(database)  # the node that had the lease before may have done it all
        _refuse_unknown(now)
        pending = [revision for revision in now.pending if to is None or revision <= to]
        titles = revisions()
        for number, revision in enumerate(pending, start=1):
            progress(Step(revision, titles[revision], number, len(pending)))
            await _apply(database, holder, revision)
    return await status(database)


def _refuse_unknown(found: SchemaStatus) -> None:
    if found.unknown:
        raise Conflict(
            f"The database's schema is at revision {found.current}, which this version does not know: "
            "a newer version of SecureConnect has upgraded it. Run that version, or restore a backup.",
            code="schema_too_new",
        )


async def _current_revision(transaction: SqlTransaction) -> str | None:
    if not await transaction.connection.run_sync(lambda sync: inspect(sync).has_table("alembic_version")):
        return None
    return (await transaction.connection.execute(select(_versions.c.version_num))).scalar_one_or_none()


async def _apply(database: Database, holder: str, revision: str) -> None:
    async def prolong(transaction: SqlTransaction) -> None:
        held = await transaction.connection.execute(_renew(holder, database.clock.now() + LEASE_SECONDS))
        if held.rowcount != 1:
            raise Conflict("Another node has taken over the schema upgrade.", code="schema_lease_lost")

    async def step(transaction: SqlTransaction) -> None:
        connection = transaction.connection
        await connection.execute(text(_NO_STATEMENT_TIMEOUT[database.backend]))
        await prolong(transaction)
        await connection.run_sync(_run_alembic, revision)
        await prolong(transaction)

    await database.units.write(step, serializable=False, timeout=STEP_SECONDS)


# The server's own limit on statements is made for requests. (SQLite has none; any harmless statement will do.)
_NO_STATEMENT_TIMEOUT = {
    "sqlite": "SELECT 1",
    "postgresql": "SET LOCAL statement_timeout = 0",
    "cockroachdb": "SET LOCAL statement_timeout = 0",
}


def _run_alembic(connection: Connection, revision: str) -> None:
    from alembic import command  # noqa: PLC0415 - see the module's docstring
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__path__[0])).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _renew(holder: str, until: float) -> Update:
    return update(LEASES).where(LEASES.c.name == _LEASE, LEASES.c.holder == holder).values(expires_at=until)


@asynccontextmanager
async def _lease(database: Database, wait: float) -> AsyncIterator[str]:
    holder = uuid.uuid4().hex
    await _create_lease_table(database)
    give_up_at = database.clock.monotonic() + wait
    while not await _try_acquire(database, holder):
        if database.clock.monotonic() >= give_up_at:
            raise DependencyUnavailable(
                database.guard.dependency,
                f"another node has been upgrading the schema for {wait:g} s; look at its log, then start again",
            )
        await asyncio.sleep(POLL_SECONDS)
    try:
        yield holder
    finally:
        await _release(database, holder)


async def _create_lease_table(database: Database) -> None:
    async def create(transaction: SqlTransaction) -> None:
        await transaction.connection.execute(CreateTable(LEASES, if_not_exists=True))
        await transaction.connection.execute(
            upsert(LEASES).values(name=_LEASE, holder=None, expires_at=0.0).on_conflict_do_nothing()
        )

    try:
        await database.units.write(create, serializable=False)
    except DBAPIError:
        # "If not exists" does not hold on PostgreSQL for two who create it at once; by now the other one has.
        await database.units.write(create, serializable=False)


async def _try_acquire(database: Database, holder: str) -> bool:
    now = database.clock.now()

    async def acquire(transaction: SqlTransaction) -> bool:
        free = or_(LEASES.c.holder.is_(None), LEASES.c.expires_at < now)
        taken = await transaction.connection.execute(
            update(LEASES).where(LEASES.c.name == _LEASE, free).values(holder=holder, expires_at=now + LEASE_SECONDS)
        )
        return taken.rowcount == 1

    return await database.units.write(acquire, serializable=False)


async def _release(database: Database, holder: str) -> None:
    async def release(transaction: SqlTransaction) -> None:
        await transaction.connection.execute(
            update(LEASES).where(LEASES.c.name == _LEASE, LEASES.c.holder == holder).values(holder=None, expires_at=0.0)
        )

    await database.units.write(release, serializable=False)
