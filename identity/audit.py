"""The audit log: who did what to whom. Entries are added and read; nothing changes or removes one. When a person is
erased, a pseudonym stands for them from then on, and the entries stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from kernel.cursors import Page, decode_cursor, encode_cursor
from kernel.ids import IdGenerator, floor_at, milliseconds_of
from kernel.units import Transaction, UnitsOfWork

LISTING = "audit"

# Actors that are neither an account nor an API key.
CONSOLE = "console"
SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """``actor`` and ``subject`` are ids (of an account, a key, a conversation ...) or a word such as ``console``,
    never names or addresses: those change, and people may ask to have them erased."""

    id: UUID
    actor: str
    action: str
    subject: str
    details: Mapping[str, str]

    @property
    def at(self) -> float:
        return milliseconds_of(self.id) / 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """None leaves open. ``since`` is included, ``until`` is not."""

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    since: float | None = None
    until: float | None = None

    def bounds(self, before: UUID | None) -> tuple[UUID | None, UUID | None]:
        """The ids that may be listed: the first is included, the second is not."""
        tops = [top for top in (before, _floor(self.until)) if top is not None]
        return _floor(self.since), min(tops, default=None)


class AuditStore(Protocol):
    async def append(self, unit: Transaction, entry: AuditEntry) -> None: ...

    async def find(
        self, unit: Transaction, wanted: AuditFilter, *, before: UUID | None, most: int
    ) -> Sequence[AuditEntry]:
        """Newest first, older than ``before``."""
        ...


class AuditLog:
    def __init__(self, *, units: UnitsOfWork, store: AuditStore, ids: IdGenerator) -> None:
        self._units = units
        self._store = store
        self._ids = ids

    async def record(
        self, unit: Transaction, *, actor: str, action: str, subject: str, details: Mapping[str, str] = {}
    ) -> None:
        """Within the unit of what it tells of: neither is there without the other. ``action`` reads like
        ``user.disable``."""
        await self._store.append(unit, AuditEntry(self._ids.next(), actor, action, subject, dict(details)))

    async def page(self, wanted: AuditFilter, *, cursor: str | None, limit: int) -> Page[AuditEntry]:
        """Newest first. Raises Malformed ``bad_cursor``."""
        before = None if cursor is None else decode_cursor(LISTING, cursor, UUID)
        found = await self._units.read(
            lambda unit: self._store.find(unit, wanted, before=before, most=limit + 1), stale_ok=True
        )
        items = list(found[:limit])
        return Page(items, encode_cursor(LISTING, items[-1].id) if len(found) > limit else None)


def _floor(at: float | None) -> UUID | None:
    return None if at is None else floor_at(max(0, round(at * 1000)))
