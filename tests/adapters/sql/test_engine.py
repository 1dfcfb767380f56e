"""Opening the relational store, its pool, its replicas, and the limits on what a unit of work may hold up."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import trustme
from sqlalchemy import make_url, text

from adapters.sql import lane as lane_module
from adapters.sql.engine import Database, open_database
from adapters.sql.units import sql_of
from config.sections import Database as DatabaseSettings
from config.values import Duration, Secret
from kernel.clock import SystemClock
from kernel.errors import DependencyUnavailable, Overloaded
from kernel.metrics import Metrics
from kernel.units import Transaction
from tests.adapters.sql.relational import BACKENDS, add_note, create_notes, noted, opened, settings_for, url_for
from tests.services.cut import CutProxy
from tests.services.postgres import PostgresService


async def scalar(transaction: Transaction, statement: str) -> object:
    return (await sql_of(transaction).connection.execute(text(statement))).scalar_one()


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        (DatabaseSettings(url=Secret("no url")), "database.url: not a URL"),
        (DatabaseSettings(url=Secret("mysql://u:secret@host/db")), "database.url: 'mysql' is not supported"),
        (DatabaseSettings(url=Secret("postgresql://u:secret@host/db?sslmode=require")), "database.url: options after"),
        (
            DatabaseSettings(url=Secret("postgresql://host/db"), replica_urls=(Secret("sqlite://"),)),
            "database.replica_urls: 'sqlite' is not supported",
        ),
        (DatabaseSettings(replica_urls=(Secret("postgresql://host/db"),)), "database.replica_urls: SQLite has no"),
    ],
)
async def test_settings_that_cannot_work_are_named_and_never_shown(
    settings: DatabaseSettings, complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=complaint) as caught:
        async with opened(settings, tmp_path):
            pass
    assert "secret" not in str(caught.value)


async def test_opening_does_not_need_the_server(tmp_path: Path) -> None:
    async with opened(settings_for("postgresql://u:secret@127.0.0.1:1/db"), tmp_path) as database:
        probe = await database.dependency.probe()
        assert not probe.ok
        assert probe.error == "database is unavailable: StoreOutage (connection refused)"
        with pytest.raises(DependencyUnavailable, match="connection refused"):
            await database.units.read(noted)


@pytest.mark.parametrize("backend", BACKENDS)
async def test_who_comes_after_the_end_is_refused_and_leaves_no_connection_behind(
    backend: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """A request that outlives the shutdown, or a unit about to be run again: its connection would have no owner."""
    async with opened(settings_for(url_for(backend, request)), tmp_path) as database:
        await create_notes(database)
    with pytest.raises(DependencyUnavailable, match="it was closed"):
        await database.units.write(lambda unit: add_note(unit, 1))
    with pytest.raises(DependencyUnavailable, match="it was closed"):
        await database.units.read(noted)
    assert (database.writes.open_connections, database.reads.open_connections) == (0, 0)


@pytest.fixture(params=BACKENDS)
async def saturated(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Database, Metrics]]:
    """A store whose every connection for writing is held by a unit of work until the test ends."""
    metrics = Metrics()
    settings = settings_for(url_for(request.param, request), timeout=2.0, pool_size=1)
    async with opened(settings, tmp_path, metrics=metrics) as database:
        await create_notes(database)
        enough = asyncio.Event()

        async def hold(transaction: Transaction) -> None:
            await noted(transaction)
            await enough.wait()

        holders = [asyncio.create_task(database.units.write(hold, timeout=30)) for _ in range(database.writes.permits)]
        while database.writes.open_connections < len(holders):
            await asyncio.sleep(0.01)
        yield database, metrics
        enough.set()
        await asyncio.gather(*holders, return_exceptions=True)


def pool(database: Database) -> dict[str, str]:
    return {"pool": database.writes.name}


async def test_who_waits_in_vain_for_a_connection_is_told_in_time(saturated: tuple[Database, Metrics]) -> None:
    database, metrics = saturated
    waiting = [asyncio.create_task(database.units.write(noted)) for _ in range(3)]
    await asyncio.sleep(0)
    value = metrics.registry.get_sample_value
    assert value("secureconnect_database_pool_waiting", pool(database)) == 3
    assert value("secureconnect_database_pool_connections", pool(database)) == database.writes.permits
    started = time.monotonic()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert time.monotonic() - started < 2.4
    assert {type(outcome) for outcome in outcomes} == {DependencyUnavailable}
    assert value("secureconnect_database_pool_waiting", pool(database)) == 0
    assert value("secureconnect_database_pool_wait_seconds_count", pool(database)) == 3


async def test_the_queue_for_connections_is_bounded(
    saturated: tuple[Database, Metrics], monkeypatch: pytest.MonkeyPatch
) -> None:
    database, _ = saturated
    monkeypatch.setattr(lane_module, "MAX_WAITING", 2)
    waiting = [asyncio.create_task(database.units.write(noted)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded) as caught:
        await database.units.write(noted)
    assert caught.value.code == "database_overloaded"
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


# Each of these runs for minutes if nobody stops it.
FOREVER = {
    "sqlite": "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n WHERE x < 0",
    "postgresql": "SELECT count(*) FROM pg_sleep(100)",
    "cockroachdb": "SELECT count(*) FROM pg_sleep(100)",
}


@pytest.mark.parametrize("backend", BACKENDS)
async def test_a_statement_without_end_is_ended_and_the_next_unit_is_not_held_up(
    backend: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    async with opened(settings_for(url_for(backend, request), timeout=1.0, pool_size=1), tmp_path) as database:
        await create_notes(database)
        started = time.monotonic()
        with pytest.raises(DependencyUnavailable, match=r"no answer within|took too long"):
            await database.units.write(lambda unit: scalar(unit, FOREVER[backend]))
        assert time.monotonic() - started < 1.2 + 0.2
        await database.units.write(lambda unit: add_note(unit, 1))


async def test_the_server_ends_what_we_abandoned(postgres: PostgresService, tmp_path: Path) -> None:
    url = postgres.create_database()
    async with opened(settings_for(url, timeout=0.5), tmp_path) as database:
        unit = asyncio.create_task(database.units.write(lambda unit: scalar(unit, FOREVER["postgresql"])))
        await asyncio.sleep(0.1)
        unit.cancel()
        await asyncio.wait({unit})
        question = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{make_url(url).database}'"
        async with asyncio.timeout(1.5):
            while await asyncio.to_thread(postgres.execute, "postgres", question) != "0\n":
                await asyncio.sleep(0.05)


async def test_idle_connections_are_closed_by_the_server_in_time(postgres: PostgresService, tmp_path: Path) -> None:
    async with opened(settings_for(postgres.create_database()), tmp_path) as database:
        assert await database.units.read(lambda unit: scalar(unit, "SHOW idle_session_timeout")) == "10min"


async def test_reads_that_may_be_stale_take_turns_on_replicas_and_others_never_go_there(
    postgres: PostgresService, tmp_path: Path
) -> None:
    primary, one, two = (postgres.create_database() for _ in range(3))
    async with opened(settings_for(primary, replicas=(one, two)), tmp_path) as database:

        async def name(transaction: Transaction) -> object:
            return await scalar(transaction, "SELECT current_database()")

        names = {url: make_url(url).database for url in (primary, one, two)}
        stale = [await database.units.read(name, stale_ok=True) for _ in range(4)]
        assert sorted(map(str, stale)) == sorted([str(names[one]), str(names[two])] * 2)
        assert await database.units.read(name) == names[primary]
        assert await database.units.write(name) == names[primary]
        assert [replica.name for replica in database.replicas] == ["database_replica_1", "database_replica_2"]
        assert not any(replica.required for replica in database.replicas)


@pytest.mark.parametrize("fault", ["cut", "stall"])
async def test_when_a_replica_fails_the_primary_answers_in_time(
    postgres: PostgresService, tmp_path: Path, fault: str
) -> None:
    primary, replica = postgres.create_database(), postgres.create_database()
    async with CutProxy(postgres.host, postgres.port) as proxy:
        behind_proxy = make_url(replica).set(port=proxy.port).render_as_string(hide_password=False)
        settings = settings_for(primary, replicas=(behind_proxy,), timeout=1.0)
        async with opened(settings, tmp_path) as database:

            async def name(transaction: Transaction) -> object:
                return await scalar(transaction, "SELECT current_database()")

            assert await database.units.read(name, stale_ok=True) == make_url(replica).database
            getattr(proxy, fault)()
            for _ in range(8):
                started = time.monotonic()
                assert await database.units.read(name, stale_ok=True) == make_url(primary).database
                assert time.monotonic() - started < 0.7
            proxy.mend()
            assert (await database.replicas[0].probe()).ok
            assert await database.units.read(name, stale_ok=True) == make_url(replica).database


@pytest.fixture
def authority(postgres: PostgresService) -> Iterator[trustme.CA]:
    """The server speaks TLS with a certificate of this authority while the test lasts."""
    authority = trustme.CA()
    certificate = authority.issue_cert(postgres.host)
    key, chain = postgres.directory / "server.key", postgres.directory / "server.crt"
    certificate.private_key_pem.write_to_path(key)
    certificate.cert_chain_pems[0].write_to_path(chain)
    for path in (key, chain):
        path.chmod(0o600)
        shutil.chown(path, postgres.directory.stat().st_uid, postgres.directory.stat().st_gid)
    for setting in (f"ssl_key_file = '{key}'", f"ssl_cert_file = '{chain}'", "ssl = on"):
        postgres.execute("postgres", f"ALTER SYSTEM SET {setting}")
    postgres.execute("postgres", "SELECT pg_reload_conf()")
    yield authority
    postgres.execute("postgres", "ALTER SYSTEM RESET ALL")
    postgres.execute("postgres", "SELECT pg_reload_conf()")


def tls_settings(url: str, ca_file: Path) -> DatabaseSettings:
    return DatabaseSettings(url=Secret(url), tls=True, tls_ca=str(ca_file), timeout=Duration(5))


async def test_tls_is_verified_against_the_authority_that_was_named(
    postgres: PostgresService, authority: trustme.CA, tmp_path: Path
) -> None:
    named, other = tmp_path / "named.pem", tmp_path / "other.pem"
    authority.cert_pem.write_to_path(named)
    trustme.CA().cert_pem.write_to_path(other)
    url = postgres.create_database()
    encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    async with opened(tls_settings(url, named), tmp_path) as database:
        assert await database.units.read(lambda unit: scalar(unit, encrypted)) is True
    async with opened(tls_settings(url, other), tmp_path) as database:
        with pytest.raises(DependencyUnavailable, match=r"database\.tls_ca"):
            await database.units.read(lambda unit: scalar(unit, encrypted))


async def test_a_server_without_tls_is_refused_where_tls_was_asked_for(
    postgres: PostgresService, tmp_path: Path
) -> None:
    ca_file = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(ca_file)
    async with opened(tls_settings(postgres.create_database(), ca_file), tmp_path) as database:
        with pytest.raises(DependencyUnavailable):
            await database.units.read(lambda unit: scalar(unit, "SELECT 1"))


async def test_the_password_is_in_no_message(postgres: PostgresService, tmp_path: Path) -> None:
    url = make_url(postgres.create_database()).set(password="hunter2").render_as_string(hide_password=False)
    async with open_database(settings_for(url), data_dir=tmp_path, clock=SystemClock(), metrics=Metrics()) as database:
        with pytest.raises(DependencyUnavailable) as caught:
            await database.units.read(noted)
        assert caught.value.reason == "StoreOutage (the login was refused)"
        chain = [repr(database)]
        error: BaseException | None = caught.value
        while error is not None:
            chain.append(f"{error!r} {error}")
            error = error.__cause__
        assert "hunter2" not in "".join(chain)
