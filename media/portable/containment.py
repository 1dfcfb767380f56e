"""A fault of ours ends the packet it was found with, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import structlog

from kernel.clock import Clock
from media.errors import BadPacket

_log = structlog.stdlib.get_logger("media.portable")

# One packet a microsecond may find the same fault; the counter has them all.
QUIET = 60.0


class Containment:
    """Runs what reads packets and what timers do. BadPacket is an ordinary drop, by its reason; all else is a fault,
    counted as ``internal_error`` and logged with its stack, once a minute."""

    def __init__(self, drops: Counter[str], clock: Clock) -> None:
        self._drops = drops
        self._clock = clock
        self._logged_at: float | None = None

    def run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BadPacket as bad:
            self._drops[bad.reason] += 1
        except Exception as fault:  # noqa: BLE001 - the boundary: a packet may not end the reading of all others
            self.failed(fault)

    def failed(self, fault: Exception) -> None:
        self._drops["internal_error"] += 1
        now = self._clock.monotonic()
        if self._logged_at is None or now - self._logged_at >= QUIET:
            self._logged_at = now
            _log.error("the engine has a fault", exc_info=fault, faults=self._drops["internal_error"])
