"""The embedded backend: one writer connection, several readers, all durable at commit."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, ExceptionContext, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from adapters.sql.lane import Mode

FILE_NAME = "secureconnect.db"
# Connections are threads that share the interpreter: more of them do not read faster, a few keep one slow query
# from delaying all others.
READERS = 4
# How long SQLite itself waits for a lock of another process, in a thread that nothing can interrupt meanwhile.
# Short, because the unit of work is run again anyway.
BUSY_SECONDS = 0.25

# FULL: WAL pages are synced before a commit returns, so what was acknowledged survives a power cut.
# ON: what is deleted is overwritten. FAST would leave whole pages that become free as they were; the difference is
# 4 % more bytes written by the job queue, and no processor time that could be measured.
_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY", "secure_delete=ON")

OPTIONS: Mapping[Mode, Mapping[str, Any]] = {mode: {} for mode in Mode}


def create_file(path: Path) -> None:
    """Readable by its owner only; SQLite gives its side files the same mode."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def writer_engine(path: Path) -> AsyncEngine:
    return _engine(path, size=1, begin="BEGIN IMMEDIATE", pragmas=_PRAGMAS)


def reader_engine(path: Path, *, size: int) -> AsyncEngine:
    return _engine(path, size=size, begin="BEGIN", pragmas=(*_PRAGMAS, "query_only=ON"))


class AiosqliteDriver:
    """adapters.sql.lane.Driver"""

    def is_dead(self, connection: Any) -> bool:
        return False

    def cut(self, connection: Any) -> None:
        """Interrupts the statement that runs in the connection's thread; what is queued behind it runs then."""
        interrupting = connection.driver_connection.interrupt()
        with suppress(StopIteration, ValueError):  # a coroutine that awaits nothing; a connection closed already
            interrupting.send(None)


def _engine(path: Path, *, size: int, begin: str, pragmas: tuple[str, ...]) -> AsyncEngine:
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{path}",
        pool_size=size,
        max_overflow=0,
        pool_reset_on_return=None,  # every unit ends with a commit or a roll-back of ours
        connect_args={"isolation_level": None, "timeout": BUSY_SECONDS, "cached_statements": 512},
    )

    # A streamed result that is left half read would keep its snapshot beyond its transaction and show it to the
    # next unit, so there are none: every store reads in pages.
    engine.dialect.supports_server_side_cursors = False

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    # The driver's own idea of when to begin leaves reads outside of transactions and upgrades locks midway.
    @event.listens_for(engine.sync_engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    # SQLAlchemy closes the connection of a cancelled statement at once. SQLite would keep it half open, with its
    # transaction and its lock, for as long as a traceback refers to a cursor: it has to be rolled back before.
    @event.listens_for(engine.sync_engine, "handle_error")
    def keep_for_rollback(context: ExceptionContext) -> None:
        if isinstance(context.original_exception, asyncio.CancelledError):
            context.is_disconnect = False

    return engine
