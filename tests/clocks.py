"""Clocks that move when they are told to."""

from __future__ import annotations

import time


class VirtualClock:
    def __init__(self, now: float = 1_750_000_000.0) -> None:
        self._now = now
        self._monotonic = 1_000.0

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        self._now += seconds
        self._monotonic += seconds

    def set_back(self, seconds: float) -> None:
        """The wall clock is corrected; the monotonic one knows nothing of it."""
        self._now -= seconds


class MovableClock:
    """The real time, and what a test has added to the wall clock: for leases and delays that real stores keep."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        return time.time() + self.ahead

    def monotonic(self) -> float:
        return time.monotonic()
