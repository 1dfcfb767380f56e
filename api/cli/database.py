"""``secureconnect db``: the schema of the relational store."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import uvloop

from adapters.sql import migrate
from adapters.sql.engine import Database, open_database
from api.cli.main import EXIT_FAILED, EXIT_OK
from config.loader import Configuration
from kernel.clock import SystemClock
from kernel.errors import SecureConnectError
from kernel.metrics import Metrics


def run_upgrade(configuration: Configuration) -> int:
    return _run(configuration, _upgrade)


def run_status(configuration: Configuration) -> int:
    return _run(configuration, _status)


def _run(configuration: Configuration, work: Callable[[Database], Awaitable[int]]) -> int:
    async def opened() -> int:
        async with _database(configuration) as database:
            return await work(database)

    try:
        return uvloop.run(opened())
    except SecureConnectError as error:
        print(error.detail, file=sys.stderr)
        return EXIT_FAILED


@asynccontextmanager
async def _database(configuration: Configuration) -> AsyncIterator[Database]:
    settings = configuration.settings
    data_dir = Path(settings.server.data_dir)
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)  # noqa: ASYNC240 - before anything else runs
    async with open_database(settings.database, data_dir=data_dir, clock=SystemClock(), metrics=Metrics()) as database:
        yield database


async def _upgrade(database: Database) -> int:
    found = await migrate.upgrade(
        database,
        progress=lambda step: print(f"{step.number}/{step.total} {step.revision} {step.title} ...", flush=True),
    )
    print(f"The schema is at revision {found.current}, the newest.")
    return EXIT_OK


def _show(step: migrate.Step) -> None:
    print(f"{step.number}/{step.total} {step.revision} {step.title} ...", flush=True)


async def _status(database: Database) -> int:
    found = await migrate.status(database)
    titles = migrate.revisions()
    print(f"backend   {database.backend}")
    print(f"revision  {found.current or 'none: the database is empty'}")
    print(f"newest    {found.head}")
    for revision in found.pending:
        print(f"pending   {revision} {titles[revision]}")
    if found.unknown:
        print("This revision is not known here: a newer version of SecureConnect has upgraded the database.")
        return EXIT_FAILED
    return EXIT_OK
