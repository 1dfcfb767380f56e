"""The keyspace is made and kept up to date by several nodes at once, and never by a program older than it is."""

from __future__ import annotations

import asyncio
import time
import uuid

import msgspec
import pytest

from adapters.cassandra import migrate
from config.values import Duration
from kernel.errors import Conflict
from tests.adapters.cassandra.raw import tables_of
from tests.contract.messagelogs import cassandra_settings, entry, on_cassandra
from tests.services.cassandra import CassandraService


def test_scripts_are_numbered_without_gaps() -> None:
    assert [script.version for script in migrate.scripts()] == list(range(1, len(migrate.scripts()) + 1))
    assert all(script.statements for script in migrate.scripts())


async def test_nodes_that_start_together_share_the_work(cassandra: CassandraService) -> None:
    settings = cassandra_settings(cassandra, keyspace="together")
    async with on_cassandra(settings):
        pass

    async def start_and_use() -> None:
        async with on_cassandra(settings) as log:
            given = entry(uuid.uuid4())
            assert await log.append(given) == given

    async with tables_of(cassandra) as tables:
        for table in ("messages", "message_keys", "message_buckets"):
            await tables.run(f"DROP TABLE together.{table}")
        await tables.run("TRUNCATE together.schema_migrations")
        await asyncio.gather(*(start_and_use() for _ in range(3)))
        applied = await tables.run("SELECT version FROM together.schema_migrations")
        assert {row.version for row in applied} == {script.version for script in migrate.scripts()}
        assert await tables.run("SELECT holder FROM together.schema_leases") == []


async def test_a_node_that_died_upgrading_is_replaced_when_its_lease_ends(cassandra: CassandraService) -> None:
    settings = cassandra_settings(cassandra, keyspace="abandoned")
    async with on_cassandra(settings):
        pass
    async with tables_of(cassandra) as tables:
        await tables.run("TRUNCATE abandoned.schema_migrations")
        await tables.run(
            "INSERT INTO abandoned.schema_leases (name, holder) VALUES ('schema', %s) IF NOT EXISTS USING TTL 2",
            uuid.uuid4(),
        )
        started = time.monotonic()
        async with on_cassandra(settings):
            assert time.monotonic() - started >= 1
        assert len(await tables.run("SELECT version FROM abandoned.schema_migrations")) == len(migrate.scripts())


async def test_another_bucket_span_than_the_datas_is_refused(cassandra: CassandraService) -> None:
    settings = cassandra_settings(cassandra, keyspace="spans")
    async with on_cassandra(settings):
        pass
    with pytest.raises(Conflict, match="'864000s'"):
        async with on_cassandra(msgspec.structs.replace(settings, bucket=Duration(86_400))):
            pass


async def test_a_keyspace_of_a_newer_program_is_refused(cassandra: CassandraService) -> None:
    settings = cassandra_settings(cassandra, keyspace="newer")
    async with on_cassandra(settings):
        pass
    async with tables_of(cassandra) as tables:
        await tables.run("INSERT INTO newer.schema_migrations (version, name) VALUES (9999, 'from_the_future')")
    with pytest.raises(Conflict, match="9999"):
        async with on_cassandra(settings):
            pass
