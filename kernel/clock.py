"""Time as an argument. Everything below the shell is handed a clock or a ``now``; nothing calls ``time`` itself."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    def now(self) -> float:
        """Seconds since the Unix epoch, in whole microseconds as stores keep them: what is answered before it was
        stored and what is read afterwards are the same. May step when the machine's clock is corrected."""
        ...

    def monotonic(self) -> float:
        """Seconds that never step back; only differences mean anything."""
        ...


class SystemClock:
    monotonic = staticmethod(time.monotonic)

    @staticmethod
    def now() -> float:
        return time.time_ns() // 1000 / 1e6
