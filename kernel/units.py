"""Relational units of work: what must be true together is written together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

Result = TypeVar("Result")


class Transaction(Protocol):
    """An open transaction, passed on to the stores that take part in it; opaque to rooms."""

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` once the transaction is durable, in order of registration; never on roll-back.

        For waking things up (a worker, a bus). What must not be lost goes through the outbox instead.
        """
        ...


class UnitsOfWork(Protocol):
    """Runs a function inside a transaction.

    ``work`` may run more than once (serialization failures are retried), so it touches nothing but the
    transaction. It is committed when it returns, rolled back when it raises or is cancelled.
    """

    async def write(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        """Durable when this returns. Raises DependencyUnavailable; then it may or may not have happened."""
        ...

    async def read(self, work: Callable[[Transaction], Awaitable[Result]], *, stale_ok: bool = False) -> Result:
        """A read-only transaction; ``stale_ok`` allows a replica that may lag behind."""
        ...
