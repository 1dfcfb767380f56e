"""What a dependency says about itself, for ``/health`` and ``doctor``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from kernel.breaker import Circuit


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """``latency`` in seconds; ``error`` is one line that names the cause and, where known, the cure."""

    ok: bool
    latency: float
    circuit: Circuit
    error: str | None = None


class Dependency(Protocol):
    """A store or service this process cannot do (all of) its work without."""

    @property
    def name(self) -> str:
        """Stable, lower case, such as ``database`` or ``redis``."""
        ...

    @property
    def required(self) -> bool:
        """Whether the node should receive no traffic while this is down."""
        ...

    async def probe(self) -> ProbeResult:
        """A cheap round trip that bypasses the open circuit; never raises, bounded by the adapter's timeout."""
        ...
