"""What all live rooms of a process share: the engine, what is in it, and what may be."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol
from uuid import UUID

from kernel.clock import Clock
from kernel.ids import IdGenerator
from media.candidates import Advertised
from media.dtls import DtlsIdentity
from media.engine import Connected, ConsentLost, DtlsDatagram, Engine, Gated, SinkId, SourceId, Switched, TransportId
from media.sdp.codecs import Estimator
from sfu.admission import Bounds, Load
from sfu.metering import Meters

# Ten looks a second may find the same fault; the counter has them all.
QUIET_SECONDS: Final = 60.0

_log = logging.getLogger(__name__)


class AuditTrail(Protocol):
    """What must be on record. Returns at once and raises nothing."""

    def gate_muted(self, room: UUID, identity: str, track: str | None, reason: str) -> None:
        """Somebody sent what was not encrypted into a Secure room, three times; ``track`` is None for messages."""
        ...


class TransportOwner(Protocol):
    def heard(self, event: DtlsDatagram | Connected | ConsentLost) -> None: ...


class SinkOwner(Protocol):
    def switched(self, event: Switched) -> None: ...


@dataclass(slots=True)
class Node:
    """``transports``, ``sources`` and ``sinks`` say by handle whom an event is for; others are nobody's.
    ``estimator`` is what the engine can work with: the portable one has the subscriber estimate."""

    engine: Engine
    identity: DtlsIdentity
    advertised: tuple[Advertised, ...]
    ids: IdGenerator
    clock: Clock
    meters: Meters
    audit: AuditTrail
    estimator: Estimator = Estimator.RECEIVER
    bounds: Bounds = field(default_factory=Bounds)
    load: Load = field(default_factory=Load)
    transports: dict[TransportId, TransportOwner] = field(default_factory=dict)
    sources: dict[SourceId, Callable[[Gated], None]] = field(default_factory=dict)
    sinks: dict[SinkId, SinkOwner] = field(default_factory=dict)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    logged_at: float | None = None

    def now(self) -> float:
        return self.clock.monotonic()

    def spawn(self, work: Coroutine[object, object, None]) -> None:
        """Kept until it ends, and waited for when the node stops."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._ended)

    @contextmanager
    def contained(self, where: str) -> Iterator[None]:
        """A fault of ours in here costs what is in here: one event, one subscriber, one room's look."""
        try:
            yield
        except Exception as fault:  # noqa: BLE001 - the boundary: one room may not end the looks at all others
            self._failed(where, fault)

    def count(self, *, participants: int = 0, transports: int = 0, slots: int = 0) -> None:
        old = self.load
        self.load = Load(old.participants + participants, old.transports + transports, old.slots + slots)
        self.meters.loaded(self.load)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            self._failed("connection", fault)

    def _failed(self, where: str, fault: BaseException) -> None:
        self.meters.fault(where)
        now = self.now()
        if self.logged_at is None or now - self.logged_at >= QUIET_SECONDS:
            self.logged_at = now
            _log.error("live rooms have a fault: %s", where, exc_info=fault)
