"""Time-ordered identifiers (UUIDv7, RFC 9562 section 5.7).

Messages are ordered by their id, so ids of one node never go backwards and ids of other nodes are only
accepted within a bounded skew: no counter is hot, and none can be lost with a cache.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable

from kernel.clock import Clock
from kernel.errors import DependencyUnavailable

# A clock stepped back by NTP is ridden out by counting on from the last id; beyond this the node's ids would
# run visibly ahead of everyone else's, which is worse than refusing.
MAX_CLOCK_STEP_BACK_MS = 10_000
MAX_PEER_SKEW_MS = 10_000

_SEQUENCE_BITS = 12
_SEQUENCE_LIMIT = 1 << _SEQUENCE_BITS
_RANDOM_BYTES = 8
_RANDOM_MASK = (1 << 62) - 1
_VERSION = 0x7 << 76
_VARIANT = 0x2 << 62


class BufferedRandomness:
    """``os.urandom`` in blocks: a system call for each id costs more than everything else about it."""

    def __init__(self, block: int = 4096) -> None:
        self._block = block
        self._bytes = b""
        self._used = 0

    def __call__(self, count: int) -> bytes:
        if self._used + count > len(self._bytes):
            self._bytes, self._used = os.urandom(max(self._block, count)), 0
        self._used += count
        return self._bytes[self._used - count : self._used]


class IdGenerator:
    """Strictly increasing UUIDv7s of one node: 48 bits of milliseconds, 12 of sequence, 62 random."""

    def __init__(self, clock: Clock, randomness: Callable[[int], bytes] | None = None) -> None:
        self._clock = clock
        self._randomness = randomness or BufferedRandomness()
        self._last_ms = -1
        self._sequence = 0

    def next(self) -> uuid.UUID:
        now_ms = int(self._clock.now() * 1000)
        if now_ms > self._last_ms:
            self._last_ms, self._sequence = now_ms, 0
        else:
            if self._last_ms - now_ms > MAX_CLOCK_STEP_BACK_MS:
                raise DependencyUnavailable("clock", "this machine's clock went back by more than 10 s")
            self._sequence += 1
            if self._sequence == _SEQUENCE_LIMIT:
                self._last_ms, self._sequence = self._last_ms + 1, 0
        noise = int.from_bytes(self._randomness(_RANDOM_BYTES), "big") & _RANDOM_MASK
        value = (self._last_ms << 80) | _VERSION | (self._sequence << 64) | _VARIANT | noise
        return uuid.UUID(int=value)


def milliseconds_of(identifier: uuid.UUID) -> int:
    """The creation time that a UUIDv7 carries."""
    return identifier.int >> 80


def floor_at(milliseconds: int) -> uuid.UUID:
    """The smallest UUIDv7 of a millisecond: a bound for range reads by time."""
    return uuid.UUID(int=(milliseconds << 80) | _VERSION | _VARIANT)


def is_plausible(identifier: uuid.UUID, now: float) -> bool:
    """Whether an id made by another node may enter an ordered log here (version 7, not from the future)."""
    return identifier.version == 7 and milliseconds_of(identifier) <= now * 1000 + MAX_PEER_SKEW_MS
