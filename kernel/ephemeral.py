"""Short-lived shared state: it may vanish with a restart of its store, and nothing durable depends on it.

Keys are text of at most 512 bytes, named ``room:thing:id`` by the room that owns them. TTLs are seconds,
greater than zero and at most ten years (ValueError otherwise). Every operation is atomic. A store that is full
refuses new entries with Overloaded; it never forgets living ones to make room.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

MAX_KEY_BYTES = 512
# Beyond this it is not short-lived; doubles hold the microseconds of any date within it.
MAX_TTL = 10 * 366 * 86400.0


def require_key(key: str) -> None:
    # Most keys are ASCII, which is known without encoding them; text that has no encoding is refused by encoding it.
    size = len(key) if key.isascii() else len(key.encode())
    if not 0 < size <= MAX_KEY_BYTES:
        raise ValueError(f"a key has 1 to {MAX_KEY_BYTES} bytes; hash what is longer")


def require_ttl(ttl: float) -> None:
    if not 0 < ttl <= MAX_TTL:
        raise ValueError(f"a TTL is above zero and at most {MAX_TTL:.0f} seconds, not {ttl}")


def require_bucket(capacity: int, per_second: float, cost: int) -> None:
    if not (0 < cost <= capacity <= per_second * MAX_TTL and per_second < math.inf):
        raise ValueError(f"{cost} of {capacity} tokens at {per_second} a second can never be taken")


class KeyValues(Protocol):
    async def get(self, key: str) -> bytes | None: ...

    async def get_many(self, keys: Collection[str]) -> Mapping[str, bytes]:
        """Only the keys that exist."""
        ...

    async def put(self, key: str, value: bytes, *, ttl: float, if_absent: bool = False) -> bool:
        """Write and (re)start the TTL. With ``if_absent``, False means that someone was first."""
        ...

    async def touch(self, key: str, *, ttl: float) -> bool:
        """Restart the TTL of a key; False when it no longer exists."""
        ...

    async def delete(self, key: str) -> bool:
        """Whether the key existed."""
        ...


class TimedSets(Protocol):
    """Sets whose members expire one by one, each by the TTL it was last added with."""

    async def add(self, key: str, member: str, *, ttl: float) -> bool:
        """True when the member was not in the set before."""
        ...

    async def remove(self, key: str, member: str) -> bool: ...

    async def members(self, key: str) -> frozenset[str]: ...

    async def members_of_many(self, keys: Collection[str]) -> Mapping[str, frozenset[str]]:
        """Of each of ``keys``, in one trip."""
        ...


class Counters(Protocol):
    async def increment(self, key: str, by: int = 1, *, ttl: float) -> int:
        """The value after adding; a new counter starts at zero. The TTL starts at creation and is not prolonged."""
        ...

    async def value(self, key: str) -> int: ...


@dataclass(frozen=True, slots=True)
class Lease:
    """A lock that is held. ``fence`` grows with every grant of the name: a store that remembers the highest
    fence it saw can refuse a holder whose lease ran out while it slept."""

    name: str
    holder: str
    fence: int


class Locks(Protocol):
    async def acquire(self, name: str, *, ttl: float) -> Lease | None:
        """None when someone else holds it; never waits."""
        ...

    async def renew(self, lease: Lease, *, ttl: float) -> bool:
        """False when the lease is no longer this holder's: stop at once."""
        ...

    async def release(self, lease: Lease) -> bool: ...


class Allowance(NamedTuple):
    """What a token bucket answered. ``remaining`` whole tokens are left; ``retry_after`` is 0 when allowed;
    ``full_after`` seconds without traffic fill the bucket."""

    allowed: bool
    remaining: int
    retry_after: float
    full_after: float


class TokenBuckets(Protocol):
    async def take(self, key: str, *, capacity: int, per_second: float, cost: int = 1) -> Allowance:
        """Take ``cost`` tokens or none. A bucket starts full and is forgotten once it is full again.
        A cost that is zero or above the capacity is a ValueError, and so is a bucket that takes years to fill."""
        ...
