"""What waits for one participant: frames that go out on a socket, and those said lately, should the socket be lost."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

from signaling.frames import numbered

# A client that has not read that much is not reading: its socket is cut, and it may resume.
MOST_PENDING: Final = 64
MOST_PENDING_BYTES: Final = 1_000_000

# For as long as a participant stays without a socket (a minute), if it is not told more than usual.
MOST_KEPT: Final = 1_024
MOST_KEPT_BYTES: Final = 1_000_000


class Outbox:
    """Of one socket, oldest first. What it begins with does not count: it is bounded by what made it."""

    def __init__(self) -> None:
        self._beginning: deque[bytes] = deque()
        self._pending: deque[bytes] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._beginning) + len(self._pending)

    def begin(self, frames: Iterable[bytes]) -> None:
        self._beginning.extend(frames)

    def put(self, frame: bytes) -> bool:
        """False when it is full, and nothing was taken. One frame fits into an empty one however large it is."""
        if self._pending and (
            len(self._pending) >= MOST_PENDING or self._bytes + len(frame) > MOST_PENDING_BYTES
        ):  # fmt: skip
            return False
        self._pending.append(frame)
        self._bytes += len(frame)
        return True

    def take(self) -> bytes | None:
        if self._beginning:
            return self._beginning.popleft()
        if not self._pending:
            return None
        frame = self._pending.popleft()
        self._bytes -= len(frame)
        return frame

    def drop(self) -> None:
        self._beginning.clear()
        self._pending.clear()
        self._bytes = 0


class Record:
    """Numbers what a participant is told, from 1 without gaps, and keeps the last of it. Data is shared between all
    who were told the same; a frame is put together when it is sent."""

    def __init__(self) -> None:
        self._kept: deque[tuple[str, bytes]] = deque()
        self._bytes = 0
        self.last = 0

    def add(self, kind: str, data: bytes) -> bytes:
        """The frame to be sent."""
        self.last += 1
        self._kept.append((kind, data))
        self._bytes += len(data)
        while len(self._kept) > MOST_KEPT or (self._bytes > MOST_KEPT_BYTES and len(self._kept) > 1):
            self._bytes -= len(self._kept.popleft()[1])
        return numbered(kind, self.last, data)

    def after(self, number: int) -> Sequence[bytes] | None:
        """The frames said after that one; None when they are no longer all there, or it was never said."""
        missed = self.last - number
        if not 0 <= missed <= len(self._kept):
            return None
        said = islice(self._kept, len(self._kept) - missed, None)
        return [numbered(kind, place, data) for place, (kind, data) in enumerate(said, number + 1)]


class Budget:
    """A token bucket: so many requests a second, and a burst."""

    def __init__(self, *, rate: float, burst: int, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left = float(burst)
        self._at = now

    def take(self, now: float, cost: int = 1) -> bool:
        self._left = min(float(self._burst), self._left + max(0.0, now - self._at) * self._rate)
        self._at = max(self._at, now)
        if self._left < cost:
            return False
        self._left -= cost
        return True
