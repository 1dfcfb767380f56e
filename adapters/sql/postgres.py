"""PostgreSQL, and what CockroachDB shares with it: asyncpg connections that are checked without a round trip."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

from sqlalchemy import URL, event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from adapters.sql.lane import Mode

APPLICATION = "secureconnect"

# Serializable writes: the promise SQLite and CockroachDB make anyway, so that no code works on one of them only.
# Reads take one snapshot, which needs no predicate locks and never fails.
OPTIONS: Mapping[Mode, Mapping[str, Any]] = {
    Mode.WRITE: {"isolation_level": "SERIALIZABLE"},
    Mode.QUEUE: {"isolation_level": "READ COMMITTED"},
    Mode.READ: {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
}


def tls_context(ca_file: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file or None)


def create_engine(url: URL, *, size: int, overflow: int, timeout: float, tls: ssl.SSLContext | None) -> AsyncEngine:
    # The server gives up on what this process has abandoned (a cut cable, a stopped process), so that no lock
    # outlives its owner for long. Not on what merely runs: those are bounded by our own timeout first.
    server_settings = {
        "application_name": APPLICATION,
        "statement_timeout": str(int(timeout * 1000)),
        "idle_in_transaction_session_timeout": str(int(timeout * 2000)),
    }
    engine = create_async_engine(
        url,
        pool_size=size,
        max_overflow=overflow,
        pool_use_lifo=True,
        pool_reset_on_return=None,  # every unit ends with a commit or a roll-back of ours
        connect_args={"ssl": tls or False, "timeout": timeout, "server_settings": server_settings},
    )

    @event.listens_for(engine.sync_engine, "checkout")
    def refuse_dead(connection: Any, _record: object, _proxy: object) -> None:
        # A killed server closes its sockets, which asyncpg has seen by the time a unit asks: no ping needed.
        if connection.driver_connection.is_closed():
            raise InvalidatePoolError

    return engine


def cut(connection: AsyncConnection) -> None:
    """Drops the socket. The server rolls back; the driver has nobody left to wait for."""
    sync = connection.sync_connection
    if sync is None or sync.closed or sync.invalidated:
        return
    driver = sync.connection.driver_connection
    if driver is not None:
        driver.terminate()
