"""Durable, replayable sequences: one ordered history per stream, numbered 1, 2, 3 ... without gaps.

Names and keys are text of at most 512 bytes; a payload is at most 1 MiB, larger things belong into objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StreamRecord:
    stream: str
    position: int
    payload: bytes
    appended_at: float


class DurableStreams(Protocol):
    async def append(self, stream: str, payload: bytes, *, key: str | None = None) -> int:
        """Durable when it returns; answers the position. The same ``key`` on the same stream is appended once
        and answers the first position again (remembered while the record itself is kept). Cancelled or failed,
        it may or may not have happened: try again with the same key."""
        ...

    async def read(self, stream: str, *, after: int = 0, limit: int = 100) -> Sequence[StreamRecord]:
        """Records with a position greater than ``after``, ascending; empty when there are none yet.
        A record is never seen before all smaller positions can be seen."""
        ...

    async def wait(self, stream: str, *, after: int, timeout: float) -> bool:
        """True as soon as there is a record behind ``after``; False when ``timeout`` seconds passed first."""
        ...

    async def last(self, stream: str) -> int:
        """The newest position, 0 for a stream that never had a record. Trimming does not change it."""
        ...

    async def trim(self, stream: str, *, through: int) -> int:
        """Forget records up to and including ``through``; answers how many were forgotten. Positions go on."""
        ...
