"""Media that waits for the end of the batch it was made from: packets for one destination are sent together."""

from __future__ import annotations

from collections import deque
from typing import Final, Protocol

from media.portable.srtp import Scratch

# Of one destination in one batch; together they have to stay below the 64 KiB of one message.
MOST_WAITING: Final = 32


class Waiting(Protocol):
    def flush(self) -> None: ...


class Outbox:
    """Who has something to send. A batch is read in milliseconds, and as long is what waits here. All who wait work on
    the same bytes, one after another: they are of one thread."""

    __slots__ = ("_waiting", "run", "scratch")

    def __init__(self) -> None:
        self.scratch: Final = Scratch()
        self.run: Final = memoryview(bytearray(MOST_WAITING * 2048))
        self._waiting: deque[Waiting] = deque()

    def add(self, one: Waiting) -> None:
        """Once until it is flushed."""
        self._waiting.append(one)

    def flush(self) -> None:
        """Whoever has a fault ends it; the others are still there for the next time."""
        while self._waiting:
            self._waiting.popleft().flush()
