"""PostgreSQL, and what CockroachDB shares with it: asyncpg."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from adapters.sql.lane import Mode

APPLICATION = "secureconnect"
# Idle connections are closed by the server, well before balancers and firewalls forget about them.
IDLE_SECONDS = 600

# Serializable writes: the promise SQLite and CockroachDB make anyway, so that no code works on one of them only.
# Reads take one snapshot, which needs no predicate locks and never fails.
OPTIONS: Mapping[Mode, Mapping[str, Any]] = {
    Mode.WRITE: {"isolation_level": "SERIALIZABLE"},
    Mode.QUEUE: {"isolation_level": "READ COMMITTED"},
    Mode.READ: {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
}


def tls_context(ca_file: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file or None)


def create_engine(url: URL, *, size: int, timeout: float, tls: ssl.SSLContext | None) -> AsyncEngine:
    # The server gives up on what this process has abandoned (a cut cable, a stopped process), so that no lock
    # outlives its owner for long. Not on what merely runs: those are bounded by our own timeout first.
    server_settings = {
        "application_name": APPLICATION,
        "statement_timeout": str(int(timeout * 1000)),
        "idle_in_transaction_session_timeout": str(int(timeout * 2000)),
        "idle_session_timeout": str(IDLE_SECONDS * 1000),
    }
    return create_async_engine(
        url,
        pool_size=size,
        max_overflow=0,  # SQLAlchemy closes overflow at once: under load it would do nothing but reconnect
        pool_use_lifo=True,  # so that what a peak needed falls idle, and the server closes it
        pool_reset_on_return=None,  # every unit ends with a commit or a roll-back of ours
        connect_args={"ssl": tls or False, "timeout": timeout, "server_settings": server_settings},
    )


class AsyncpgDriver:
    """adapters.sql.lane.Driver"""

    def is_dead(self, connection: Any) -> bool:
        closed: bool = connection.driver_connection.is_closed()
        return closed

    def cut(self, connection: Any) -> None:
        connection.driver_connection.terminate()
