"""What a driver's exception means for a unit of work: run it again, the store is gone, or it is ours to fix."""

from __future__ import annotations

import ssl
from enum import Enum

from sqlalchemy.exc import DBAPIError


class Phase(Enum):
    """How far a unit of work had come when it failed."""

    CONNECTING = "connecting"
    WORKING = "working"
    COMMITTING = "committing"


class StoreOutage(Exception):
    """The store cannot be used now. The message reaches clients, so it names the cause and no address.

    ``stale_connection``: an established connection broke before anything was asked to be committed, as they
    all do when a server restarts; the next attempt uses a new one.
    """

    def __init__(self, reason: str, *, stale_connection: bool = False) -> None:
        super().__init__(reason)
        self.stale_connection = stale_connection


class Contention(Exception):
    """Nothing is wrong but that others were at the same rows: the unit can simply be run again.

    ``foreign_lock``: not rows of ours, but a whole database file that another process has locked.
    """

    def __init__(self, reason: str, *, foreign_lock: bool = False) -> None:
        super().__init__(reason)
        self.foreign_lock = foreign_lock


# SQLSTATEs. 40001 serialization failure (CockroachDB's retry errors too), 40P01 deadlock, CR000 what
# CockroachDB called a retry error before it was 40001, 55P03 lock not available. 23505: what a unit did not see when it
# looked has been committed since, and PostgreSQL finds the key before it finds the conflict; run again, the unit sees
# it. (SQLite has one writer, so there it is a mistake of the unit's.)
_CONTENTION = {
    "23505": "a unique key was taken meanwhile",
    "40001": "serialization failure",
    "40P01": "deadlock",
    "CR000": "restart",
    "55P03": "lock timeout",
}

_OUTAGES = {
    "25P03": "the server gave up on an idle transaction",
    "28000": "the login was refused",
    "28P01": "the login was refused",
    "3D000": "the database does not exist",
    "40003": "the outcome of the statement is unknown",
    "42501": "the database user lacks a privilege",
    "53100": "the server's disk is full",
    "53200": "the server is out of memory",
    "53300": "the server has no connection left",
    "57014": "a statement took too long",
    "57P01": "the server is shutting down",
    "57P02": "the server crashed",
    "57P03": "the server is starting up",
}

# SQLite's primary result codes.
_SQLITE_CONTENTION = {5: "the file is locked", 6: "a table is locked"}
_SQLITE_OUTAGES = {
    9: "a statement was interrupted",
    10: "the disk reported an error",
    11: "the database file is damaged",
    13: "the disk is full",
    14: "the database file cannot be opened",
    26: "the database file is not a database",
}


# In a unit that may write these mean that the server has become a standby, or that somebody took the file's
# permissions away; in a read-only unit they are a mistake of the unit's.
_REFUSES_WRITES: dict[str | int, str] = {"25006": "the server accepts no writes", 8: "the database file is read-only"}


def translate(error: Exception, phase: Phase, *, read_only: bool) -> Exception | None:
    """The exception to raise in place of ``error``, or None when it is not about the store's health."""
    if not isinstance(error, DBAPIError):
        return _translate_connecting(error) if phase is Phase.CONNECTING and isinstance(error, OSError) else None
    sqlite_code = getattr(error.orig, "sqlite_errorcode", None)
    code = getattr(error.orig, "sqlstate", None) or "" if sqlite_code is None else sqlite_code & 0xFF
    if code in _REFUSES_WRITES:
        return None if read_only else StoreOutage(_REFUSES_WRITES[code])
    return _translate_sqlstate(error, code, phase) if isinstance(code, str) else _translate_sqlite(code)


def _translate_sqlite(code: int) -> Exception | None:
    if code in _SQLITE_CONTENTION:
        return Contention(_SQLITE_CONTENTION[code], foreign_lock=True)
    return StoreOutage(_SQLITE_OUTAGES[code]) if code in _SQLITE_OUTAGES else None


def _translate_sqlstate(error: DBAPIError, state: str, phase: Phase) -> Exception | None:
    if state in _CONTENTION:
        return Contention(_CONTENTION[state])
    if state in _OUTAGES:
        return StoreOutage(_OUTAGES[state], stale_connection=state == "57P01" and phase is Phase.WORKING)
    if type(error.orig).__name__ == "InvalidCachedStatementError":
        return Contention("the schema changed under a prepared statement")
    if error.connection_invalidated or state.startswith("08"):
        return StoreOutage("the connection was lost", stale_connection=phase is Phase.WORKING)
    return None


def _translate_connecting(error: OSError) -> StoreOutage:
    if isinstance(error, ConnectionRefusedError):
        return StoreOutage("connection refused")
    if isinstance(error, TimeoutError):
        return StoreOutage("connecting took too long")
    if isinstance(error, ssl.SSLError):
        return StoreOutage("TLS could not be agreed on; does database.tls_ca belong to the server's certificate?")
    return StoreOutage("the connection could not be made")
