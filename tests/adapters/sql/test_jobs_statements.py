"""What the statements of the job queue rest on: exclusive claims without SKIP LOCKED, an index for each hot path."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Select, text

from adapters.memory.bus import MemoryBus
from adapters.sql import jobs_tables
from adapters.sql.engine import Database
from adapters.sql.jobs import PURGE_ROWS, open_jobs
from adapters.sql.jobs_schedules import next_moment
from adapters.sql.lane import SqlTransaction
from adapters.sql.migrate import upgrade
from config.sections import Jobs
from kernel.clock import SystemClock
from kernel.ids import IdGenerator
from kernel.jobs import JobDone, NewJob
from kernel.metrics import Metrics
from tests.adapters.sql.relational import BACKENDS, opened, settings_for, url_for
from tests.contract.jobs_cluster import Cluster, Node, open_cluster


@pytest.fixture(params=BACKENDS)
async def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Cluster]:
    async with open_cluster(request, tmp_path) as both:
        yield both


async def test_claims_are_exclusive_even_where_nothing_skips_locked_rows(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_tables, "FIND_DUE", jobs_tables.DUE)
    ids = await cluster.one.enqueue(*(NewJob("mail", b"") for _ in range(200)))

    async def worker(node: Node) -> list[UUID]:
        mine: list[UUID] = []
        idle = 0
        while idle < 2:
            jobs = await node.claim(limit=7)
            idle = 0 if jobs else idle + 1
            mine += [job.id for job in jobs]
        return mine

    shares = await asyncio.gather(*(worker((cluster.one, cluster.other)[n % 2]) for n in range(8)))
    claimed = [job for share in shares for job in share]
    assert len(claimed) == len(set(claimed))
    assert set(claimed) <= set(ids)
    claimed += [job.id for job in await cluster.one.claim(limit=200)]
    assert sorted(claimed) == sorted(ids)


async def test_purging_goes_in_bounded_batches_until_nothing_is_left(cluster: Cluster) -> None:
    node = cluster.one
    for _ in range(3):
        await node.enqueue(*(NewJob("mail", b"", key=str(uuid4())) for _ in range(400)))
        await node.jobs.queue.settle([JobDone(job) for job in await node.claim(limit=400)])
    purged = [await node.jobs.queue.purge(older_than=0) for _ in range(4)]
    assert purged == [PURGE_ROWS, PURGE_ROWS, 200, 0]


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Database]:
    async with opened(settings_for(""), tmp_path) as database:
        await upgrade(database)
        yield database


MOMENT = {"now": 1.0, "kinds": ["mail", "push"], "most": 10}


@pytest.mark.parametrize(
    ("query", "values", "index"),
    [
        (jobs_tables.FIND_DUE, MOMENT, "ix_jobs_due_at_id_kind"),
        (jobs_tables.OLDEST_DUE, MOMENT, "ix_jobs_due_at_id_kind"),
        (jobs_tables.COUNT, {}, "ix_jobs_state_settled_at_id"),
        (
            jobs_tables.LIST_DEAD.order_by(jobs_tables.JOBS.c.settled_at.desc(), jobs_tables.JOBS.c.id.desc()),
            {},
            "ix_jobs_state_settled_at_id",
        ),
        (jobs_tables.FIND_KEYS, {"kinds": ["mail"], "keys": ["a", "b"]}, "sqlite_autoindex_jobs_2"),
    ],
    ids=["claim", "age", "count", "dead", "keys"],
)
async def test_the_hot_paths_read_an_index_and_sort_nothing(
    sqlite: Database, query: Select[Any], values: dict[str, Any], index: str
) -> None:
    async def explain(transaction: SqlTransaction) -> str:
        connection = transaction.connection
        bound = {name: values[name] for name in values if name in query.compile().params}
        compiled = query.params(**bound).compile(connection.sync_engine, compile_kwargs={"literal_binds": True})
        rows = await connection.execute(text(f"EXPLAIN QUERY PLAN {compiled}"))
        return "\n".join(row.detail for row in rows)

    plan = await sqlite.units.read(explain)
    assert index in plan
    assert "SCAN jobs" not in plan.replace(f"USING COVERING INDEX {index}", "")
    assert "TEMP B-TREE" not in plan


async def test_however_many_jobs_are_added_other_nodes_hear_of_it_fifty_times_a_second_at_most(
    sqlite: Database,
) -> None:
    bus_metrics, clock = Metrics(), SystemClock()
    bus = MemoryBus(bus_metrics)
    async with open_jobs(sqlite, Jobs(), clock=clock, metrics=Metrics(), ids=IdGenerator(clock), bus=bus) as jobs:
        started = clock.monotonic()
        for _ in range(300):
            await jobs.queue.enqueue([NewJob("mail", b"")])
        elapsed = clock.monotonic() - started
    announced = bus_metrics.registry.get_sample_value("secureconnect_bus_events_published_total")
    assert announced is not None
    assert 1 <= announced <= elapsed * 50 + 2


async def test_the_migration_makes_the_columns_the_statements_are_written_for(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    async with opened(settings_for(url_for("sqlite", request)), tmp_path) as database:
        await upgrade(database)

        async def columns(transaction: SqlTransaction) -> set[str]:
            rows = await transaction.connection.execute(text("SELECT name FROM pragma_table_info('jobs')"))
            return set(rows.scalars())

        assert await database.units.read(columns) == {column.name for column in jobs_tables.JOBS.columns}


MOMENTS = st.floats(1e9, 4e9)
PERIODS = st.floats(0.01, 1e7)


@given(seen=MOMENTS, every=PERIODS, late=st.floats(0, 1e8))
def test_the_next_moment_is_the_first_on_the_grid_that_lies_ahead(seen: float, every: float, late: float) -> None:
    now = seen + late
    moment = next_moment(seen, every, now)
    # Floats of this size carry about a microsecond.
    assert now < moment <= now + every + 1e-5
    periods = (moment - seen) / every
    assert periods == pytest.approx(round(periods), abs=1e-3)
