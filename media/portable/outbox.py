"""Media that waits for the end of the batch it was made from: packets for one destination are sent together."""

from __future__ import annotations

from typing import Protocol


class Waiting(Protocol):
    def flush(self) -> None: ...


class Outbox:
    """Who has something to send. A batch is read in milliseconds, and as long is what waits here."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[Waiting] = []

    def add(self, one: Waiting) -> None:
        """Once until it is flushed."""
        self._waiting.append(one)

    def flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.flush()
