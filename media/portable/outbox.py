"""Media that waits for the end of the batch it was made from: packets for one destination are sent together."""

from __future__ import annotations

from collections import deque
from typing import Protocol


class Waiting(Protocol):
    def flush(self) -> None: ...


class Outbox:
    """Who has something to send. A batch is read in milliseconds, and as long is what waits here."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: deque[Waiting] = deque()

    def add(self, one: Waiting) -> None:
        """Once until it is flushed."""
        self._waiting.append(one)

    def flush(self) -> None:
        """Whoever has a fault ends it; the others are still there for the next time."""
        while self._waiting:
            self._waiting.popleft().flush()
