"""One timer for everything that is due, however late it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from media.portable.containment import Containment

STEP = 0.02


@dataclass(slots=True, eq=False)
class Duty:
    """``work`` is told the time. After a standstill it is done once, not once for each period that was missed."""

    period: float
    work: Callable[[float], None]
    due: float = field(default=0.0)


class Ticking:
    def __init__(self, clock: Callable[[], float], containment: Containment, duties: Sequence[Duty]) -> None:
        self._clock = clock
        self._containment = containment
        self._duties = duties
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(STEP, self._tick)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        # First of all, so that nothing that happens below can be the last tick.
        self.start()
        now = self._clock()
        for duty in self._duties:
            if now >= duty.due:
                duty.due = now + duty.period
                self._containment.run(partial(duty.work, now))
