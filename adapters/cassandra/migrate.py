"""Bringing the keyspace up to date: numbered scripts, one node at a time, each step agreed upon by the cluster.

Everything here blocks; it runs in the thread that opens the cluster.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from typing import Any

from adapters.cassandra import migrations
from config.sections import Messages
from kernel.errors import Conflict, DependencyUnavailable

# A node that dies while it holds the lease is replaced after this; each script renews it.
LEASE_SECONDS = 60
# Other nodes wait for the one that works.
WAIT_SECONDS = 120.0
POLL_SECONDS = 0.5
# A script may wait for the whole cluster to agree on its schema.
STATEMENT_SECONDS = 45.0

_FILE = re.compile(r"(\d{4})_(\w+)\.cql")
_BOOKKEEPING = {
    "schema_migrations": "version int PRIMARY KEY, name text, applied_at timestamp",
    "schema_leases": "name text PRIMARY KEY, holder uuid",
    "schema_facts": "name text PRIMARY KEY, value text",
}


@dataclass(frozen=True, slots=True)
class Script:
    version: int
    name: str
    statements: tuple[str, ...]


def scripts() -> list[Script]:
    found = []
    for file in resources.files(migrations).iterdir():
        matched = _FILE.fullmatch(file.name)
        if matched is not None:
            found.append(Script(int(matched[1]), matched[2], _statements(file.read_text(encoding="utf-8"))))
    return sorted(found, key=lambda script: script.version)


def upgrade(session: Any, settings: Messages, datacenter: str) -> None:
    """Creates the keyspace when it is missing, applies what is pending, and holds the cluster to what was decided
    when it was first used."""
    _Upgrade(session, settings).run(datacenter)


class _Upgrade:
    def __init__(self, session: Any, settings: Messages) -> None:
        self._session = session
        self._keyspace = settings.keyspace
        self._settings = settings
        self._holder = uuid.uuid4()

    def run(self, datacenter: str) -> None:
        self._create_keyspace(datacenter)
        for table, columns in _BOOKKEEPING.items():
            self._create_missing(table, columns)
        if self._pending():
            with self._lease():
                for script in self._pending():
                    self._apply(script)
        self._hold_to_bucket_span()

    def _create_keyspace(self, datacenter: str) -> None:
        if self._execute("SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = %s", self._keyspace):
            return
        # Neither name can be a bound value here; the data centre's comes from the cluster itself.
        replication = (
            f"{{'class': 'NetworkTopologyStrategy', {_quoted(datacenter)}: {self._settings.replication_factor}}}"
        )
        self._change(f"CREATE KEYSPACE IF NOT EXISTS $keyspace WITH replication = {replication}")

    def _create_missing(self, table: str, columns: str) -> None:
        found = self._execute(
            "SELECT table_name FROM system_schema.tables WHERE keyspace_name = %s AND table_name = %s",
            self._keyspace,
            table,
        )
        if not found:
            self._change(f"CREATE TABLE IF NOT EXISTS $keyspace.{table} ({columns})")

    def _pending(self) -> list[Script]:
        known = scripts()
        applied = {row.version for row in self._execute("SELECT version FROM $keyspace.schema_migrations")}
        unknown = applied - {script.version for script in known}
        if unknown:
            raise Conflict(
                f"The keyspace {self._keyspace} is at schema {max(unknown)}, which this version does not know: "
                "a newer version of SecureConnect has upgraded it. Run that version.",
                code="schema_too_new",
            )
        return [script for script in known if script.version not in applied]

    def _apply(self, script: Script) -> None:
        for statement in script.statements:
            self._renew()
            self._change(statement)
        self._execute(
            "INSERT INTO $keyspace.schema_migrations (version, name, applied_at) VALUES (%s, %s, toTimestamp(now()))",
            script.version,
            script.name,
        )

    def _hold_to_bucket_span(self) -> None:
        """Entries are found by computing their bucket: with another span they would not be found."""
        configured = f"{float(self._settings.bucket):g}"
        (row,) = self._execute(
            "INSERT INTO $keyspace.schema_facts (name, value) VALUES ('bucket_seconds', %s) IF NOT EXISTS", configured
        )
        if not row.applied and row.value != configured:
            raise Conflict(
                f"messages.bucket is {configured} s, but the keyspace {self._keyspace} was filled with buckets of "
                f"{row.value} s: set messages.bucket to '{row.value}s'.",
                code="bucket_span_changed",
            )

    @contextmanager
    def _lease(self) -> Iterator[None]:
        give_up_at = time.monotonic() + WAIT_SECONDS
        while not self._acquire():
            if time.monotonic() >= give_up_at:
                raise DependencyUnavailable(
                    "cassandra",
                    f"another node has been upgrading the schema for {WAIT_SECONDS:g} s; look at its log, "
                    "then start again",
                )
            time.sleep(POLL_SECONDS)
        try:
            yield
        finally:
            self._execute("DELETE FROM $keyspace.schema_leases WHERE name = 'schema' IF holder = %s", self._holder)

    def _acquire(self) -> bool:
        (row,) = self._execute(
            "INSERT INTO $keyspace.schema_leases (name, holder) VALUES ('schema', %s)"
            f" IF NOT EXISTS USING TTL {LEASE_SECONDS}",
            self._holder,
        )
        return bool(row.applied) or row.holder == self._holder

    def _renew(self) -> None:
        (row,) = self._execute(
            f"UPDATE $keyspace.schema_leases USING TTL {LEASE_SECONDS} SET holder = %s"
            " WHERE name = 'schema' IF holder = %s",
            self._holder,
            self._holder,
        )
        if not row.applied:
            raise Conflict("Another node has taken over the schema upgrade.", code="schema_lease_lost")

    def _change(self, statement: str) -> None:
        response = self._session.execute_async(self._named(statement), timeout=STATEMENT_SECONDS)
        response.result()
        if not response.is_schema_agreed:
            raise DependencyUnavailable(
                "cassandra", "its nodes do not agree on a schema; see `nodetool describecluster`, then start again"
            )

    def _execute(self, statement: str, *values: object) -> list[Any]:
        return list(self._session.execute(self._named(statement), values or None))

    def _named(self, statement: str) -> str:
        return statement.replace("$keyspace", self._keyspace)


def _statements(script: str) -> tuple[str, ...]:
    text = "\n".join(line for line in script.splitlines() if not line.lstrip().startswith("--"))
    return tuple(statement.strip() for statement in text.split(";") if statement.strip())


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
