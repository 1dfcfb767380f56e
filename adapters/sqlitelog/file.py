"""The database file: how it is opened, brought up to date, and what its errors mean to an operator."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

Preparation = Callable[[sqlite3.Connection], None]

# Another process holding the file (a backup tool, a second server) is waited for this long, then named as the cause.
BUSY_SECONDS = 1.0

# Measured with 1 KiB bodies over 1,000 conversations: pages of 4 KiB write a quarter less per entry than those of
# 8 KiB (15 KB, checkpoints included; most of it is index pages) and are no slower. A checkpoint every 16 MiB keeps
# the batch that makes it near 10 ms on a quiet disk.
PAGE_SIZE = 4096
CHECKPOINT_PAGES = 4000
WAL_KEPT = 64 << 20

# A rowid table with two narrow indexes: bodies are appended in the order they come, where a table clustered by
# conversation rewrites a page of bodies for each entry (a third of the speed, three times the file).
_MIGRATIONS = (
    """
    CREATE TABLE entries (
        conversation BLOB NOT NULL,
        id BLOB NOT NULL,
        key TEXT NOT NULL,
        version INTEGER NOT NULL,
        body BLOB NOT NULL
    );
    CREATE UNIQUE INDEX entries_by_id ON entries (conversation, id);
    CREATE UNIQUE INDEX entries_by_key ON entries (conversation, key);
    CREATE TABLE heartbeat (only INTEGER PRIMARY KEY CHECK (only = 1), beats INTEGER NOT NULL);
    INSERT INTO heartbeat VALUES (1, 0);
    """,
)
SCHEMA_VERSION = len(_MIGRATIONS)

_EXPLANATIONS = {
    sqlite3.SQLITE_FULL: "its disk is full; free some space",
    sqlite3.SQLITE_IOERR: "its disk reports an input/output error",
    sqlite3.SQLITE_CORRUPT: "its file is damaged; stop the server and restore it from a backup",
    sqlite3.SQLITE_NOTADB: "its file is not a SQLite database; stop the server and restore it from a backup",
    sqlite3.SQLITE_BUSY: "another process holds its file locked; is a second server using the same data directory?",
    sqlite3.SQLITE_LOCKED: "another process holds its file locked; is a second server using the same data directory?",
    sqlite3.SQLITE_CANTOPEN: "its file cannot be opened; its directory must exist and belong to the server's user",
    sqlite3.SQLITE_READONLY: "its file is read-only; it must be writable for the server's user",
    sqlite3.SQLITE_PERM: "its file may not be used by the server's user",
    sqlite3.SQLITE_PROTOCOL: "its file's locks do not work; a network file system cannot hold it",
    sqlite3.SQLITE_NOMEM: "the machine is out of memory",
    sqlite3.SQLITE_INTERRUPT: "the call was interrupted",
}


class FileTrouble(Exception):
    """The file or its disk did not do its part; the message says which and what helps."""


def trouble_in(error: BaseException) -> FileTrouble | None:
    """What an error means when the file is to blame; None when the statement is."""
    # The module's own complaints (a closed connection, a value that cannot be bound) carry no code.
    code = getattr(error, "sqlite_errorcode", None) if isinstance(error, sqlite3.Error) else None
    explanation = _EXPLANATIONS.get(code & 0xFF) if code is not None else None
    return None if explanation is None else FileTrouble(explanation)


def open_for_writing(path: Path) -> sqlite3.Connection:
    try:
        # Bodies are people's messages; SQLite gives the files beside this one the same mode.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise FileTrouble(f"its file cannot be opened ({error.strerror})") from error
    return _opened(path, _prepare_writer)


def open_for_reading(path: Path) -> sqlite3.Connection:
    return _opened(path, _prepare_reader)


def _opened(path: Path, prepare: Preparation) -> sqlite3.Connection:
    # Connections move between the threads of a pool, one at a time.
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        prepare(connection)
    except BaseException as error:
        connection.close()
        trouble = trouble_in(error)
        if trouble is not None:
            raise trouble from error
        raise
    return connection


def _prepare_writer(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit = {WAL_KEPT}")
    # What is forgotten is overwritten, not only unlinked.
    connection.execute("PRAGMA secure_delete = ON")
    _migrate(connection)


def _prepare_reader(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA query_only = ON")


def _migrate(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found > SCHEMA_VERSION:
        connection.execute("ROLLBACK")
        raise FileTrouble(f"its file was written by a newer release (schema {found}, this one knows {SCHEMA_VERSION})")
    for script in _MIGRATIONS[found:]:
        for statement in script.split(";"):
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")
