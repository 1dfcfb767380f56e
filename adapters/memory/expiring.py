"""A bounded table whose entries end by themselves. Time is passed in; nothing here awaits or looks at a clock."""

from __future__ import annotations

import heapq
from typing import Generic, TypeVar

from kernel.errors import Overloaded

Key = TypeVar("Key", str, tuple[str, str])
Value = TypeVar("Value")

# Entries looked at per write: more than a write can add, so what has ended is gone before the table fills up,
# and no single write pays for an hour of idleness.
SWEEP = 8
# The heap may hold this many stale dates beyond one per entry before it is rebuilt.
SLACK = 64


class Entry(Generic[Value]):
    __slots__ = ("due", "expires_at", "value", "weight")

    def __init__(self, value: Value, expires_at: float, weight: int) -> None:
        self.value = value
        self.expires_at = expires_at
        self.weight = weight
        self.due = expires_at


class ExpiringTable(Generic[Key, Value]):
    """At most ``entries`` entries weighing at most ``weight`` together.

    A living entry is never evicted for a newcomer: what is kept here guards things (a used ticket, a lockout, a
    held lock), and someone able to create keys must not be able to make the table forget others'. A full table
    refuses with Overloaded, as a store does that is out of memory.

    Each entry has one date in the heap. Prolonging an entry leaves that date as it is; when it comes up, the
    entry is put back at its true end. So prolonging, by far the most frequent change, costs nothing.
    """

    def __init__(self, name: str, *, entries: int, weight: int = 0) -> None:
        self._name = name
        self._max_entries = entries
        self._max_weight = weight
        self._weight = 0
        self._entries: dict[Key, Entry[Value]] = {}
        self._heap: list[tuple[float, Key]] = []

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def weight(self) -> int:
        return self._weight

    def get(self, key: Key, now: float) -> Entry[Value] | None:
        entry = self._entries.get(key)
        return entry if entry is not None and entry.expires_at > now else None

    def held(self, key: Key) -> Entry[Value] | None:
        """The entry, ended or not, while it has not been swept away."""
        return self._entries.get(key)

    def put(self, key: Key, value: Value, expires_at: float, now: float, *, weight: int = 0) -> list[Key]:
        """Write an entry; answers the keys whose entries had ended and were swept away meanwhile."""
        swept = self.sweep(now, SWEEP)
        old = self._entries.get(key)
        if not self._has_room(old, weight):
            swept += self.sweep(now, len(self._heap))
            old = self._entries.get(key)
            if not self._has_room(old, weight):
                raise Overloaded(f"too much {self._name} is kept in this process; try again later")
        if old is None:
            self._entries[key] = entry = Entry(value, expires_at, weight)
            heapq.heappush(self._heap, (entry.due, key))
            self._weight += weight
        else:
            self._weight += weight - old.weight
            old.value, old.weight = value, weight
            self.expire(key, old, expires_at)
        return swept

    def expire(self, key: Key, entry: Entry[Value], expires_at: float) -> None:
        """Set a new end."""
        entry.expires_at = expires_at
        if expires_at < entry.due:
            entry.due = expires_at
            self._schedule(key, entry)

    def pop(self, key: Key, now: float) -> bool:
        """Remove an entry; False when it was not there or had ended."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return False
        self._weight -= entry.weight
        self._drop_stale_dates()
        return entry.expires_at > now

    def sweep(self, now: float, most: int) -> list[Key]:
        """Look at up to ``most`` dates that have come; remove and answer the entries that really ended."""
        ended = []
        while most and self._heap and self._heap[0][0] <= now:
            most -= 1
            due, key = heapq.heappop(self._heap)
            entry = self._entries.get(key)
            if entry is None or entry.due != due:
                continue
            if entry.expires_at > now:
                entry.due = entry.expires_at
                heapq.heappush(self._heap, (entry.due, key))
                continue
            del self._entries[key]
            self._weight -= entry.weight
            ended.append(key)
        return ended

    def _has_room(self, old: Entry[Value] | None, weight: int) -> bool:
        if old is None and len(self._entries) >= self._max_entries:
            return False
        return self._weight + weight - (old.weight if old else 0) <= self._max_weight

    def _schedule(self, key: Key, entry: Entry[Value]) -> None:
        heapq.heappush(self._heap, (entry.due, key))
        self._drop_stale_dates()

    def _drop_stale_dates(self) -> None:
        if len(self._heap) > 2 * len(self._entries) + SLACK:
            self._heap = [(entry.due, key) for key, entry in self._entries.items()]
            heapq.heapify(self._heap)
