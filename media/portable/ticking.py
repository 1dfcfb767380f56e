"""One timer for everything that is due, however late it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from kernel.clock import Clock
from media.portable.containment import Containment

STEP = 0.02
LATE = 0.2
SHORTEST = 0.001


@dataclass(slots=True, eq=False)
class Duty:
    """``work`` is told the time. After a standstill it is done once, not once for each period that was missed."""

    period: float
    work: Callable[[float], None]
    due: float = field(default=0.0)


class Ticking:
    def __init__(self, clock: Clock, containment: Containment, duties: Sequence[Duty]) -> None:
        self._clock = clock
        self._containment = containment
        self._duties = duties
        self._timer: asyncio.TimerHandle | None = None
        self._expected = 0.0

    def start(self) -> None:
        self._wait(STEP)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self, seconds: float) -> None:
        self._expected = self._clock.monotonic() + seconds
        self._timer = asyncio.get_running_loop().call_later(seconds, self._tick)

    def _tick(self) -> None:
        now = self._clock.monotonic()
        if now - self._expected >= LATE:
            # This process stood still. What came meanwhile is read first, or silence would be concluded from it.
            self._wait(SHORTEST)
            return
        # First of all, so that nothing that happens below can be the last tick.
        self._wait(STEP)
        for duty in self._duties:
            if now >= duty.due:
                duty.due = now + duty.period
                self._containment.run(partial(duty.work, now))
