"""Which layers a publisher needs to send at all: those that somebody gets, and those below, which the engine falls back
to by itself. Pure: demands and ``now`` in, changes out.

More is asked for at once, since somebody waits for it. Less is asked for only after a while, and then down to the most
that was needed meanwhile: starting a layer again costs a key frame.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

LOWER_AFTER: Final = 5.0
# A track that nobody wants starts slower again than one that lacks its upper layers.
PAUSE_AFTER: Final = 10.0

T = TypeVar("T", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Wanted(Generic[T]):
    """The publisher of ``track`` sends its lowest ``layers`` layers; none pauses it. ``reason`` is ``needed``,
    ``unused`` or ``unwatched``."""

    track: T
    layers: int
    reason: str


@dataclass(slots=True)
class _Demand:
    layers: int
    # Since when less is needed, and the most that was needed meanwhile.
    less_since: float | None = None
    peak: int = 0


class Dynacast(Generic[T]):
    """Of one room. A publisher begins with everything it has, so that the first to come has it at once."""

    def __init__(self) -> None:
        self._demands: dict[T, _Demand] = {}

    def layers(self, track: T) -> int | None:
        """How many it was asked for; None for a stranger."""
        demand = self._demands.get(track)
        return None if demand is None else demand.layers

    def look(self, tracks: Mapping[T, int], needed: Iterable[tuple[T, int]], now: float) -> tuple[Wanted[T], ...]:
        """``tracks`` has how many layers each one can send; those missing are forgotten. ``needed`` has how many of the
        lowest layers of a track each of its subscribers may be sent."""
        most = dict.fromkeys(tracks, 0)
        for track, layers in needed:
            if track in most:
                most[track] = max(most[track], min(layers, tracks[track]))
        self._demands = {
            track: self._demands.get(track) or _Demand(all_of_them) for track, all_of_them in tracks.items()
        }
        changes = (_looked(track, self._demands[track], most[track], now) for track in tracks)
        return tuple(change for change in changes if change is not None)


def _looked(track: T, demand: _Demand, needed: int, now: float) -> Wanted[T] | None:
    if needed >= demand.layers:
        demand.less_since = None
        if needed == demand.layers:
            return None
        demand.layers = needed
        return Wanted(track, needed, "needed")
    if demand.less_since is None:
        demand.less_since, demand.peak = now, needed
    demand.peak = max(demand.peak, needed)
    if now - demand.less_since < (LOWER_AFTER if demand.peak else PAUSE_AFTER):
        return None
    demand.layers = demand.peak
    demand.less_since, demand.peak = (now, needed) if needed < demand.layers else (None, 0)
    return Wanted(track, demand.layers, "unused" if demand.layers else "unwatched")
