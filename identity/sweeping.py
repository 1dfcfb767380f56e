"""What has expired is deleted: sessions nobody used, links nobody followed. A job of every hour, batch by batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from kernel.clock import Clock
from kernel.jobs import Job
from kernel.units import Transaction, UnitsOfWork

SWEEP_JOB: Final = "identity.sweep"
EVERY_SECONDS: Final = 3600.0
# Small enough that nobody who signs in meanwhile has to wait for it.
BATCH: Final = 500


class Expiring(Protocol):
    async def remove_expired(self, unit: Transaction, *, now: float, most: int) -> int:
        """Delete up to ``most`` rows that ended at ``now`` or before; answers how many those were."""
        ...


class ExpirySweep:
    def __init__(self, units: UnitsOfWork, stores: Sequence[Expiring], clock: Clock) -> None:
        self._units = units
        self._stores = stores
        self._clock = clock

    async def run(self, _job: Job) -> None:
        """The handler of SWEEP_JOB: once more does no harm."""
        now = self._clock.now()
        for store in self._stores:
            while await self._batch(store, now) == BATCH:
                pass

    async def _batch(self, store: Expiring, now: float) -> int:
        return await self._units.write(lambda unit: store.remove_expired(unit, now=now, most=BATCH))
