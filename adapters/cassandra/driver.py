"""The one module that knows the driver: connecting, what its errors mean, and the bridge to asyncio."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from cassandra import (
    AuthenticationFailed,
    ConsistencyLevel,
    CoordinationFailure,
    OperationTimedOut,
    Timeout,
    Unavailable,
    UnresolvableContactPoints,
)
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable
from cassandra.connection import ConnectionBusy, ConnectionException
from cassandra.policies import ConstantReconnectionPolicy, DCAwareRoundRobinPolicy, RetryPolicy, TokenAwarePolicy
from cassandra.pool import NoConnectionsAvailable
from cassandra.protocol import ErrorMessage
from cassandra.query import BatchStatement, BatchType

from adapters.cassandra.failures import StoreOutage
from config.sections import Messages

# The protocol of Cassandra 4 and 5. Named, because negotiating it costs a connection per refused version.
PROTOCOL = 5
# A node that is back is noticed within this; together with a half-open circuit's longest pause it stays well
# under the two seconds promised.
RECONNECT_SECONDS = 0.25
CONNECT_SECONDS = 2.0
# Reading the schema of a busy cluster. Requests do not wait for it, only a start does.
CONTROL_SECONDS = 5.0
# A connection whose other end is gone without a word is found out by a heartbeat within their sum.
HEARTBEAT_SECONDS = 5
HEARTBEAT_TIMEOUT_SECONDS = 3
SCHEMA_AGREEMENT_SECONDS = 30

# In order: the first that fits explains.
_EXPLANATIONS: Sequence[tuple[type[Exception], str]] = (
    (NoHostAvailable, "no node can be reached"),
    (UnresolvableContactPoints, "no host name of messages.cassandra_hosts can be resolved"),
    (AuthenticationFailed, "the login was refused"),
    (OperationTimedOut, "the cluster did not answer in time"),
    (Unavailable, "too few replicas are up for a quorum"),
    (Timeout, "too few replicas answered in time"),
    (CoordinationFailure, "replicas failed to carry out the request"),
    (NoConnectionsAvailable, "every connection is at its limit"),
    (ConnectionBusy, "every connection is at its limit"),
    (ConnectionException, "the connection broke"),
    # What the server calls overloaded, bootstrapping or an internal error. Requests it finds wrong have been
    # turned into exceptions of their own.
    (ErrorMessage, "the server reported an error of its own"),
)


def explain(error: BaseException) -> str | None:
    """Why the cluster cannot be used, or None when the error is not about that."""
    return next((reason for kind, reason in _EXPLANATIONS if isinstance(error, kind)), None)


class RetryIfIdempotent(RetryPolicy):  # type: ignore[misc]  # the driver ships no types
    """Once more for statements that may happen twice; never for those that may not."""

    def on_write_timeout(self, query: Any, *, retry_num: int, **_details: Any) -> tuple[int, None]:
        return self._once_more(query, self.RETRY, retry_num)

    def on_request_error(self, query: Any, _consistency: int, *, retry_num: int, **_details: Any) -> tuple[int, None]:
        return self._once_more(query, self.RETRY_NEXT_HOST, retry_num)

    def _once_more(self, query: Any, how: int, retry_num: int) -> tuple[int, None]:
        return (how if query.is_idempotent and retry_num == 0 else self.RETHROW), None


def make_cluster(settings: Messages) -> Cluster:
    # Every attempt at reconnecting is a warning there; health and metrics tell of the outage once.
    logging.getLogger("cassandra.pool").setLevel(logging.ERROR)
    profile = ExecutionProfile(
        load_balancing_policy=TokenAwarePolicy(DCAwareRoundRobinPolicy(settings.local_datacenter)),
        retry_policy=RetryIfIdempotent(),
        consistency_level=ConsistencyLevel.LOCAL_QUORUM,
        serial_consistency_level=ConsistencyLevel.LOCAL_SERIAL,
        request_timeout=settings.timeout,
    )
    return Cluster(
        contact_points=list(settings.cassandra_hosts),
        port=settings.cassandra_port,
        protocol_version=PROTOCOL,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        auth_provider=PlainTextAuthProvider(settings.username, settings.password.reveal())
        if settings.username
        else None,
        ssl_context=ssl.create_default_context(cafile=settings.tls_ca or None) if settings.tls else None,
        reconnection_policy=ConstantReconnectionPolicy(RECONNECT_SECONDS, max_attempts=None),
        connect_timeout=CONNECT_SECONDS,
        control_connection_timeout=CONTROL_SECONDS,
        idle_heartbeat_interval=HEARTBEAT_SECONDS,
        idle_heartbeat_timeout=HEARTBEAT_TIMEOUT_SECONDS,
        max_schema_agreement_wait=SCHEMA_AGREEMENT_SECONDS,
    )


def connect(cluster: Cluster) -> Any:
    """Blocks. A session, which has no keyspace yet."""
    session = cluster.connect()
    # Every read of ours is bounded by its LIMIT; the driver's paging would only hide a second request.
    session.default_fetch_size = None
    return session


def datacenter_of(session: Any) -> str:
    """Blocks. Where the node we talk to lies: the local one, by our load balancing."""
    (row,) = session.execute("SELECT data_center FROM system.local")
    return str(row.data_center)


class Bridge:
    """Runs statements of a session from the event loop, without blocking it; one hop back per answer."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def batch(self, *statements: Any) -> Any:
        """One conditional batch of bound statements on one partition, idempotent if they all are."""
        batch = BatchStatement(
            BatchType.UNLOGGED,
            consistency_level=ConsistencyLevel.LOCAL_QUORUM,
            serial_consistency_level=ConsistencyLevel.LOCAL_SERIAL,
        )
        for statement in statements:
            batch.add(statement)
        batch.is_idempotent = all(statement.is_idempotent for statement in statements)
        return batch

    async def execute(self, statement: Any) -> Sequence[Any]:
        """Its rows. StoreOutage when the cluster could not answer."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Sequence[Any]] = loop.create_future()
        response = self._session.execute_async(statement)
        response.add_callbacks(
            partial(_hop, loop, partial(_succeed, answer)), partial(_hop, loop, partial(_fail, answer))
        )
        try:
            return await answer
        except Exception as error:
            reason = explain(error)
            if reason is None:
                raise
            raise StoreOutage(reason) from error


def _hop(loop: asyncio.AbstractEventLoop, deliver: Callable[[Any], None], outcome: Any) -> None:
    # A loop that has ended has nobody waiting.
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(deliver, outcome)


def _succeed(answer: asyncio.Future[Sequence[Any]], rows: Sequence[Any] | None) -> None:
    if not answer.done():
        answer.set_result(rows or ())


def _fail(answer: asyncio.Future[Sequence[Any]], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
