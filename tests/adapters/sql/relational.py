"""How tests open the relational store, on each of its backends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, insert, select

from adapters.sql.engine import Database, open_database
from adapters.sql.metadata import Text
from adapters.sql.units import sql_of
from config.sections import Database as DatabaseSettings
from config.values import Duration, Secret
from kernel.bus import EventBus
from kernel.clock import SystemClock
from kernel.metrics import Metrics
from kernel.units import Transaction

# CockroachDB's dialect drives PostgreSQL's server here: the nearest thing to its own that can be had.
BACKENDS = (
    "sqlite",
    pytest.param("postgresql", marks=pytest.mark.service("postgres")),
    pytest.param("cockroachdb", marks=pytest.mark.service("postgres")),
)

notes_schema = MetaData()
notes = Table("notes", notes_schema, Column("id", Integer, primary_key=True), Column("text", Text))


def url_for(backend: str, request: pytest.FixtureRequest) -> str:
    """A fresh database; empty for SQLite, which lives in the test's directory."""
    if backend == "sqlite":
        return ""
    url: str = request.getfixturevalue("postgres").create_database()
    return url.replace("postgresql://", f"{backend}://")


def settings_for(
    url: str, *, timeout: float = 5.0, pool_size: int = 5, replicas: tuple[str, ...] = ()
) -> DatabaseSettings:
    return DatabaseSettings(
        url=Secret(url),
        replica_urls=tuple(Secret(replica) for replica in replicas),
        timeout=Duration(timeout),
        pool_size=pool_size,
        pool_overflow=pool_size,
    )


@asynccontextmanager
async def opened(
    settings: DatabaseSettings, data_dir: Path, *, metrics: Metrics | None = None, bus: EventBus | None = None
) -> AsyncIterator[Database]:
    async with open_database(
        settings, data_dir=data_dir, clock=SystemClock(), metrics=metrics or Metrics(), bus=bus
    ) as database:
        yield database


async def create_notes(database: Database) -> None:
    async def create(transaction: Transaction) -> None:
        await sql_of(transaction).connection.run_sync(notes_schema.create_all)

    await database.units.write(create, timeout=30.0)  # preparing is not what a test with a short timeout tests


async def add_note(transaction: Transaction, number: int, text: str = "") -> None:
    await sql_of(transaction).connection.execute(insert(notes).values(id=number, text=text))


async def noted(transaction: Transaction) -> list[int]:
    rows = await sql_of(transaction).connection.execute(select(notes.c.id).order_by(notes.c.id))
    return list(rows.scalars())
