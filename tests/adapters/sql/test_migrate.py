"""The schema's history: every way through it ends at the same schema, whoever else is on the way."""

from __future__ import annotations

import asyncio
import io
import pkgutil
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from importlib import import_module
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text, update
from sqlalchemy.dialects import registry
from sqlalchemy.schema import CreateTable

from adapters import sql
from adapters.sql import migrate, migrations
from adapters.sql.engine import Database
from adapters.sql.metadata import metadata
from adapters.sql.migrate import LEASES, SchemaStatus, Step, revisions, status, upgrade
from adapters.sql.units import sql_of
from config.sections import Database as DatabaseSettings
from kernel.errors import Conflict, DependencyUnavailable
from kernel.units import Transaction
from tests.adapters.sql.relational import BACKENDS, opened, settings_for, url_for

REVISIONS = list(revisions())

# CockroachDB's dialect asks for a schema in words that PostgreSQL's server does not know.
with_readable_schema = pytest.mark.parametrize("settings", BACKENDS[:2], indirect=True)


@pytest.fixture(params=BACKENDS)
def settings(request: pytest.FixtureRequest) -> DatabaseSettings:
    return settings_for(url_for(request.param, request))


@pytest.fixture
async def database(settings: DatabaseSettings, tmp_path: Path) -> AsyncIterator[Database]:
    async with opened(settings, tmp_path) as database:
        yield database


async def execute(database: Database, statement: str) -> None:
    async def work(transaction: Transaction) -> None:
        await sql_of(transaction).connection.execute(text(statement))

    await database.units.write(work)


async def tables(database: Database) -> set[str]:
    async def look(transaction: Transaction) -> set[str]:
        return set(await sql_of(transaction).connection.run_sync(lambda sync: inspect(sync).get_table_names()))

    return await database.units.read(look)


def import_all_tables() -> None:
    for module in pkgutil.walk_packages(sql.__path__, f"{sql.__name__}."):
        if not module.name.startswith(migrations.__name__):
            import_module(module.name)


async def difference(database: Database) -> list[object]:
    """What Alembic would do to make the database match the tables that the code declares."""
    import_all_tables()

    def compare(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, metadata))

    return await database.units.read(lambda unit: sql_of(unit).connection.run_sync(compare))


def test_the_history_is_one_line_and_file_names_say_what_it_is() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__path__[0])))
    script = ScriptDirectory.from_config(config)
    oldest_first = [entry.revision for entry in script.walk_revisions()][::-1]
    assert oldest_first == REVISIONS == sorted(REVISIONS)
    assert len(script.get_heads()) == len(script.get_bases()) == 1


async def test_an_empty_database_comes_up_to_date_step_by_step(database: Database) -> None:
    assert await status(database) == SchemaStatus(None, REVISIONS[-1], REVISIONS, False)
    steps: list[Step] = []
    after = await upgrade(database, progress=steps.append)
    assert after == await status(database) == SchemaStatus(REVISIONS[-1], REVISIONS[-1], [], False)
    total = len(REVISIONS)
    assert steps == [
        Step(revision, revisions()[revision], number, total) for number, revision in enumerate(REVISIONS, start=1)
    ]
    assert await upgrade(database, progress=steps.append) == after
    assert len(steps) == total


@with_readable_schema
async def test_the_migrated_schema_is_the_declared_one(database: Database) -> None:
    await upgrade(database)
    assert await difference(database) == []


@with_readable_schema
@pytest.mark.parametrize("start", REVISIONS)
async def test_every_earlier_revision_leads_to_the_same_schema(database: Database, start: str) -> None:
    assert (await upgrade(database, to=start)).current == start
    assert (await status(database)).pending == REVISIONS[REVISIONS.index(start) + 1 :]
    await upgrade(database)
    assert await difference(database) == []


async def test_of_two_nodes_that_start_together_each_step_is_done_by_one(
    settings: DatabaseSettings, database: Database, tmp_path: Path
) -> None:
    steps: list[Step] = []
    async with opened(settings, tmp_path) as other:
        outcomes = await asyncio.gather(*(upgrade(node, progress=steps.append) for node in (database, other)))
    assert [step.revision for step in steps] == REVISIONS
    assert {outcome.current for outcome in outcomes} == {REVISIONS[-1]}


async def hold_lease(database: Database, expires_at: float) -> None:
    async def hold(transaction: Transaction) -> None:
        await sql_of(transaction).connection.execute(update(LEASES).values(holder="another", expires_at=expires_at))

    await migrate._create_lease_table(database)
    await database.units.write(hold)


async def test_a_node_waits_for_the_one_that_upgrades_and_then_says_so(database: Database) -> None:
    await hold_lease(database, database.clock.now() + 30)
    with pytest.raises(DependencyUnavailable, match="another node has been upgrading the schema"):
        await upgrade(database, wait=0.2)
    assert (await status(database)).current is None


async def test_the_lease_of_a_node_that_died_runs_out(database: Database) -> None:
    await hold_lease(database, database.clock.now() - 0.1)
    assert (await upgrade(database, wait=0.2)).current == REVISIONS[-1]


async def test_a_node_that_lost_its_lease_stops_before_its_next_step(database: Database) -> None:
    await migrate._create_lease_table(database)
    with pytest.raises(Conflict) as caught:
        await migrate._apply(database, "a holder that nobody knows", REVISIONS[0])
    assert caught.value.code == "schema_lease_lost"
    assert (await status(database)).current is None


async def test_a_step_that_fails_leaves_the_schema_as_the_step_before_it_left_it(database: Database) -> None:
    await execute(database, "CREATE TABLE job_schedules (in_the_way INTEGER)")
    with pytest.raises(Exception, match="job_schedules"):
        await upgrade(database)
    assert (await status(database)).current == REVISIONS[0]
    assert "jobs" not in await tables(database)
    await execute(database, "DROP TABLE job_schedules")
    assert (await upgrade(database, wait=0.2)).current == REVISIONS[-1]


async def test_a_schema_of_a_newer_version_is_refused(database: Database) -> None:
    await upgrade(database)
    await execute(database, "UPDATE alembic_version SET version_num = '9999'")
    found = await status(database)
    assert found.unknown
    assert found.pending == []
    with pytest.raises(Conflict, match="newer version") as caught:
        await upgrade(database)
    assert caught.value.code == "schema_too_new"


START_TWICE = """
import asyncio, sys
from pathlib import Path
from adapters.sql.migrate import upgrade
from tests.adapters.sql.relational import opened, settings_for

async def start():
    async with opened(settings_for(""), Path(sys.argv[1])) as database:
        await upgrade(database)

asyncio.run(start())
print("alembic" in sys.modules)
"""


def test_a_start_that_has_nothing_to_upgrade_does_not_pay_for_alembic(tmp_path: Path) -> None:
    def start() -> str:
        command_line = [sys.executable, "-c", START_TWICE, str(tmp_path)]
        return subprocess.run(command_line, capture_output=True, text=True, check=True, timeout=60).stdout.strip()

    assert [start(), start()] == ["True", "False"]


# What CockroachDB is known to understand, and nothing else: a further word belongs here once its manual has it.
PORTABLE_WORDS = {
    *("ADD", "ALTER", "CREATE", "DELETE", "DROP", "INSERT", "INTO", "RETURNING", "SET", "UPDATE", "VALUES", "WHERE"),
    *("CHECK", "COLUMN", "CONSTRAINT", "DEFAULT", "FOREIGN", "INDEX", "KEY"),
    *("PRIMARY", "REFERENCES", "TABLE", "UNIQUE"),
    *("BIGINT", "BOOLEAN", "BYTEA", "TEXT", "UUID", "VARCHAR"),
    *("CASCADE", "EXISTS", "FALSE", "IF", "NOT", "NULL", "ON", "RESTRICT", "TRUE"),
}


def test_cockroachdb_is_given_nothing_but_what_it_understands() -> None:
    written = io.StringIO()
    config = Config(output_buffer=written)
    config.set_main_option("script_location", str(Path(migrations.__path__[0])))
    config.attributes["dialect"] = "cockroachdb"
    command.upgrade(config, "head", sql=True)
    import_all_tables()
    dialect = registry.load("cockroachdb.asyncpg")()
    schema = "".join(str(CreateTable(table).compile(dialect=dialect)) for table in metadata.sorted_tables)
    without_names = re.sub(r"--.*|'[^']*'|\"[^\"]*\"|\b[a-z_0-9]+\b", "", written.getvalue() + schema)
    assert set(re.findall(r"[A-Za-z]+", without_names)) <= PORTABLE_WORDS
