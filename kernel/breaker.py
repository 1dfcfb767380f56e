"""A circuit breaker as a pure state machine: callers pass ``now`` and ask before, tell after."""

from __future__ import annotations

from enum import Enum


class Circuit(Enum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CircuitBreaker:
    """Opens after ``threshold`` failures in a row; after ``pause`` seconds lets one probe through.

    The pause grows with every failed probe up to ``longest_pause``: recovery is noticed within that time
    at the latest, and a store that is starting up is not hammered.
    """

    def __init__(self, *, threshold: int, pause: float, longest_pause: float) -> None:
        self._threshold = threshold
        self._first_pause = pause
        self._longest_pause = longest_pause
        self._pause = pause
        self._failures = 0
        self._opened_at: float | None = None
        self._probe_until: float | None = None

    def state(self, now: float) -> Circuit:
        if self._opened_at is None:
            return Circuit.CLOSED
        return Circuit.HALF_OPEN if now - self._opened_at >= self._pause else Circuit.OPEN

    def admits(self, now: float, *, probe_timeout: float) -> bool:
        """Whether a call may go ahead. In the half-open state only one may at a time; a probe that never
        reports back (its task was cancelled) blocks the next one for ``probe_timeout`` seconds only."""
        match self.state(now):
            case Circuit.CLOSED:
                return True
            case Circuit.OPEN:
                return False
            case Circuit.HALF_OPEN:
                if self._probe_until is not None and now < self._probe_until:
                    return False
                self._probe_until = now + probe_timeout
                return True

    def retry_after(self, now: float) -> float:
        return 0.0 if self._opened_at is None else max(0.0, self._opened_at + self._pause - now)

    def succeeded(self) -> None:
        self._failures = 0
        self._opened_at = None
        self._probe_until = None
        self._pause = self._first_pause

    def failed(self, now: float) -> None:
        self._failures += 1
        if self._opened_at is not None and self.state(now) is Circuit.HALF_OPEN:
            self._pause = min(self._pause * 2, self._longest_pause)
            self._opened_at, self._probe_until = now, None
        elif self._opened_at is None and self._failures >= self._threshold:
            self._opened_at, self._probe_until = now, None
