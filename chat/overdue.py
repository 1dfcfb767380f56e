"""Rounds of consent that nobody settled in time: a job of every minute ends them, so that whoever waits hears of it."""

from __future__ import annotations

from typing import Final

from chat.modes import Modes
from chat.ports import RoundLists
from kernel.clock import Clock
from kernel.jobs import Job
from kernel.units import UnitsOfWork

END_ROUNDS_JOB: Final = "mode_proposals.end"
EVERY_SECONDS: Final = 60.0
# In one run; the next one is a minute away.
MOST: Final = 500


class OverdueRounds:
    def __init__(self, *, units: UnitsOfWork, lists: RoundLists, modes: Modes, clock: Clock) -> None:
        self._units = units
        self._lists = lists
        self._modes = modes
        self._clock = clock

    async def end(self, _job: Job) -> None:
        """The handler of END_ROUNDS_JOB: once more does no harm."""
        now = self._clock.now()
        for overdue in await self._units.read(lambda unit: self._lists.overdue(unit, now=now, most=MOST)):
            await self._modes.end_overdue(overdue)
