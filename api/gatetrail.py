"""What the gate of Secure rooms did, on the audit log. Rooms say it on the event loop and do not wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final
from uuid import UUID

import structlog

from identity.audit import SYSTEM, AuditLog
from kernel.metrics import Metrics
from kernel.units import Transaction, UnitsOfWork

ACTION: Final = "room.gate_mute"
MOST_WAITING: Final = 1_000
# For what waits when the server stops; stores close after us.
DRAIN_SECONDS: Final = 2.0

_log = structlog.stdlib.get_logger("api.calls")


@dataclass(frozen=True, slots=True)
class _Entry:
    room: UUID
    details: Mapping[str, str]


class GateTrail:
    """sfu.node.AuditTrail. What could not be kept is counted and stands in the log."""

    def __init__(self, units: UnitsOfWork, audit: AuditLog, metrics: Metrics) -> None:
        self._units = units
        self._audit = audit
        self._waiting: asyncio.Queue[_Entry] = asyncio.Queue(MOST_WAITING)
        self._lost = metrics.counter("gate_audit_lost_total", "Entries of the gate that the audit log did not get")

    def gate_muted(self, room: UUID, identity: str, track: str | None, reason: str) -> None:
        """The audit log names accounts alone: who somebody is to another system is not for it."""
        details = {"what": "messages" if track is None else "track", "reason": reason}
        account = _account(identity)
        if track is not None:
            details["track"] = track
        if account is not None:
            details["participant"] = account
        try:
            self._waiting.put_nowait(_Entry(room, details))
        except asyncio.QueueFull:
            self._lose(_Entry(room, details), None)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[GateTrail]:
        writer = asyncio.create_task(self._run(), name="audit of the gate")
        try:
            yield self
            await self._drain()
        finally:
            writer.cancel()
            await asyncio.wait({writer})

    async def _drain(self) -> None:
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._waiting.join()
        except TimeoutError:
            _log.error("the audit log did not take the last entries of the gate", left=self._waiting.qsize())

    async def _run(self) -> None:
        while True:
            entry = await self._waiting.get()
            try:
                await self._units.write(partial(self._keep, entry=entry))
            except Exception as error:  # noqa: BLE001 - the boundary: one entry may not end the keeping of all later ones
                self._lose(entry, error)
            finally:
                self._waiting.task_done()

    async def _keep(self, unit: Transaction, *, entry: _Entry) -> None:
        await self._audit.record(unit, actor=SYSTEM, action=ACTION, subject=str(entry.room), details=entry.details)

    def _lose(self, entry: _Entry, error: Exception | None) -> None:
        self._lost.inc()
        _log.error("the gate muted, unaudited", room=str(entry.room), details=dict(entry.details), exc_info=error)


def _account(identity: str) -> str | None:
    try:
        return str(UUID(identity))
    except ValueError:
        return None
