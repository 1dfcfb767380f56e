"""Time as the tables have it: which bucket an id lies in, which buckets are known to be indexed, timestamps."""

from __future__ import annotations

from collections import OrderedDict
from uuid import UUID

from kernel.ids import milliseconds_of

# How long this node relies on having written a bucket's index row before it writes it again. An erasure removes
# only index rows older than twice that (STALE_AFTER), so no append ever relies on a row that is being removed,
# whatever the nodes' clocks differ by within that margin.
TRUSTED_FOR = 600.0
STALE_AFTER = 2 * TRUSTED_FOR
# Conversations that are being written to on one node; a forgotten bucket costs one small write.
MAX_KNOWN = 50_000

FIRST = -(1 << 62)
LAST = 1 << 62


class Buckets:
    def __init__(self, span: float) -> None:
        self._milliseconds = int(span * 1000)
        if self._milliseconds < 1:
            raise ValueError("messages.bucket: a bucket spans at least a millisecond")

    def of(self, identifier: UUID) -> int:
        return milliseconds_of(identifier) // self._milliseconds


class KnownBuckets:
    """Index rows this node has written a short while ago."""

    def __init__(self) -> None:
        self._written: OrderedDict[tuple[UUID, int], float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._written)

    def trusts(self, conversation: UUID, bucket: int, now: float) -> bool:
        written = self._written.get((conversation, bucket))
        return written is not None and now - written < TRUSTED_FOR

    def remember(self, conversation: UUID, bucket: int, written: float) -> None:
        """``written`` is the time the row carries, taken before it was sent."""
        self._written[conversation, bucket] = written
        self._written.move_to_end((conversation, bucket))
        if len(self._written) > MAX_KNOWN:
            self._written.popitem(last=False)


def microseconds(seconds: float) -> int:
    """The unit of Cassandra's write timestamps."""
    return int(seconds * 1_000_000)
