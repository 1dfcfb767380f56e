"""Ephemeral state of a single process: what Redis keeps for several nodes. It ends with the process."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from adapters.memory.bucket import take
from adapters.memory.expiring import ExpiringTable
from kernel.clock import Clock
from kernel.ephemeral import Allowance, Lease, require_bucket, require_key, require_ttl
from kernel.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Bounds:
    """Most entries of each kind (members, for sets), and bytes of all values together."""

    key_values: int = 200_000
    value_bytes: int = 256 << 20
    members: int = 500_000
    counters: int = 200_000
    locks: int = 50_000
    buckets: int = 200_000


class MemoryState:
    """Implements the ports of kernel.ephemeral, one attribute each."""

    def __init__(self, clock: Clock, metrics: Metrics | None = None, bounds: Bounds | None = None) -> None:
        bounds = bounds or Bounds()
        metrics = metrics or Metrics()
        self.key_values = MemoryKeyValues(clock, bounds)
        self.sets = MemoryTimedSets(clock, bounds)
        self.counters = MemoryCounters(clock, bounds)
        self.locks = MemoryLocks(clock, bounds)
        self.buckets = MemoryTokenBuckets(clock, metrics, bounds)
        kept = metrics.gauge("memory_state_entries", "Entries of in-process state, ended ones included", ("kind",))
        for kind, part in (
            ("key_values", self.key_values),
            ("set_members", self.sets),
            ("counters", self.counters),
            ("locks", self.locks),
            ("buckets", self.buckets),
        ):
            kept.labels(kind).set_function(part.__len__)


class MemoryKeyValues:
    def __init__(self, clock: Clock, bounds: Bounds) -> None:
        self._clock = clock
        self._table: ExpiringTable[str, bytes] = ExpiringTable(
            "short-lived data", entries=bounds.key_values, weight=bounds.value_bytes
        )

    def __len__(self) -> int:
        return len(self._table)

    async def get(self, key: str) -> bytes | None:
        require_key(key)
        entry = self._table.get(key, self._clock.monotonic())
        return None if entry is None else entry.value

    async def get_many(self, keys: Collection[str]) -> Mapping[str, bytes]:
        now = self._clock.monotonic()
        found = {}
        for key in keys:
            require_key(key)
            if (entry := self._table.get(key, now)) is not None:
                found[key] = entry.value
        return found

    async def put(self, key: str, value: bytes, *, ttl: float, if_absent: bool = False) -> bool:
        require_key(key)
        require_ttl(ttl)
        now = self._clock.monotonic()
        if if_absent and self._table.get(key, now) is not None:
            return False
        self._table.put(key, bytes(value), now + ttl, now, weight=len(value))
        return True

    async def touch(self, key: str, *, ttl: float) -> bool:
        require_key(key)
        require_ttl(ttl)
        now = self._clock.monotonic()
        entry = self._table.get(key, now)
        if entry is None:
            return False
        self._table.expire(key, entry, now + ttl)
        return True

    async def delete(self, key: str) -> bool:
        require_key(key)
        return self._table.pop(key, self._clock.monotonic())


class MemoryTimedSets:
    def __init__(self, clock: Clock, bounds: Bounds) -> None:
        self._clock = clock
        self._ends: ExpiringTable[tuple[str, str], None] = ExpiringTable("presence", entries=bounds.members)
        self._members: dict[str, set[str]] = {}

    def __len__(self) -> int:
        return len(self._ends)

    async def add(self, key: str, member: str, *, ttl: float) -> bool:
        require_key(key)
        require_ttl(ttl)
        now = self._clock.monotonic()
        fresh = self._ends.get((key, member), now) is None
        for ended in self._ends.put((key, member), None, now + ttl, now):
            self._forget(*ended)
        self._members.setdefault(key, set()).add(member)
        return fresh

    async def remove(self, key: str, member: str) -> bool:
        require_key(key)
        removed = self._ends.pop((key, member), self._clock.monotonic())
        self._forget(key, member)
        return removed

    async def members(self, key: str) -> frozenset[str]:
        require_key(key)
        now = self._clock.monotonic()
        return frozenset(
            member for member in self._members.get(key, ()) if self._ends.get((key, member), now) is not None
        )

    async def members_of_many(self, keys: Collection[str]) -> Mapping[str, frozenset[str]]:
        return {key: await self.members(key) for key in keys}

    def _forget(self, key: str, member: str) -> None:
        members = self._members.get(key)
        if members is not None:
            members.discard(member)
            if not members:
                del self._members[key]


class MemoryCounters:
    def __init__(self, clock: Clock, bounds: Bounds) -> None:
        self._clock = clock
        self._table: ExpiringTable[str, int] = ExpiringTable("counting", entries=bounds.counters)

    def __len__(self) -> int:
        return len(self._table)

    async def increment(self, key: str, by: int = 1, *, ttl: float) -> int:
        require_key(key)
        require_ttl(ttl)
        now = self._clock.monotonic()
        entry = self._table.get(key, now)
        if entry is None:
            self._table.put(key, by, now + ttl, now)
            return by
        entry.value += by
        return entry.value

    async def value(self, key: str) -> int:
        require_key(key)
        entry = self._table.get(key, self._clock.monotonic())
        return 0 if entry is None else entry.value


class MemoryLocks:
    def __init__(self, clock: Clock, bounds: Bounds) -> None:
        self._clock = clock
        self._held: ExpiringTable[str, Lease] = ExpiringTable("locking", entries=bounds.locks)
        self._last_fence = 0

    def __len__(self) -> int:
        return len(self._held)

    async def acquire(self, name: str, *, ttl: float) -> Lease | None:
        require_key(name)
        require_ttl(ttl)
        now = self._clock.monotonic()
        if self._held.get(name, now) is not None:
            return None
        lease = Lease(name, secrets.token_hex(8), self._next_fence())
        self._held.put(name, lease, now + ttl, now)
        return lease

    async def renew(self, lease: Lease, *, ttl: float) -> bool:
        require_ttl(ttl)
        now = self._clock.monotonic()
        entry = self._held.get(lease.name, now)
        if entry is None or entry.value != lease:
            return False
        self._held.expire(lease.name, entry, now + ttl)
        return True

    async def release(self, lease: Lease) -> bool:
        now = self._clock.monotonic()
        entry = self._held.get(lease.name, now)
        return entry is not None and entry.value == lease and self._held.pop(lease.name, now)

    def _next_fence(self) -> int:
        # Microseconds of the wall clock, so that the fences of the next process (or of Redis, once the node
        # moves to it) are above those that a durable store has already seen from this one.
        self._last_fence = max(self._last_fence + 1, int(self._clock.now() * 1_000_000))
        return self._last_fence


# Keys that find the table full share this many buckets per limit.
OVERFLOW_SLOTS = 4096


class MemoryTokenBuckets:
    """A bucket is forgotten only once it is full again, when forgetting loses nothing: someone who makes up keys
    cannot push out the bucket that slows down their password guesses.

    When the table is full of buckets that are not, a key without one shares a bucket with other such keys, chosen
    by Python's per-process secret hash. Limits stay limits: those keys get fewer tokens, never more.
    """

    def __init__(self, clock: Clock, metrics: Metrics, bounds: Bounds) -> None:
        self._clock = clock
        self._most = bounds.buckets
        self._table: ExpiringTable[str, None] = ExpiringTable("rate limiting", entries=bounds.buckets)
        self._overflow: dict[tuple[int, int, float], float] = {}
        self._shared = metrics.counter(
            "memory_buckets_shared_total", "Rate limit decisions in a shared bucket because the table was full"
        )

    def __len__(self) -> int:
        return len(self._table)

    async def take(self, key: str, *, capacity: int, per_second: float, cost: int = 1) -> Allowance:
        require_key(key)
        require_bucket(capacity, per_second, cost)
        now = self._clock.monotonic()
        entry = self._table.held(key)
        if entry is not None:  # one that has ended is a full bucket, which is what its date says
            full_at, allowance = take(entry.expires_at, now, capacity=capacity, per_second=per_second, cost=cost)
            self._table.expire(key, entry, full_at)
            return allowance
        if len(self._table) >= self._most and not self._table.sweep(now, most=64):
            return self._take_shared(key, now, capacity, per_second, cost)
        full_at, allowance = take(now, now, capacity=capacity, per_second=per_second, cost=cost)
        self._table.put(key, None, full_at, now)
        return allowance

    def _take_shared(self, key: str, now: float, capacity: int, per_second: float, cost: int) -> Allowance:
        self._shared.inc()
        slot = (hash(key) % OVERFLOW_SLOTS, capacity, per_second)
        full_at, allowance = take(
            self._overflow.get(slot, now), now, capacity=capacity, per_second=per_second, cost=cost
        )
        self._overflow[slot] = full_at
        return allowance
