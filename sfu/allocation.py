"""Which layer of each track a subscriber gets within a bitrate. Pure: what was, what is wanted and ``now`` in, choices
out.

- Every visible track has its lowest layer, even where that alone is too much: it is never stopped silently.
- The rest goes to screens first, then by priority, to whoever speaks, and to the largest. Those alike rise in turns.
- Nobody gets more than they can see: the least layer that fills the tile.
- What a track has it keeps while it fits; more than that needs headroom, so that a bitrate that trembles switches
  nothing.
- A track is switched once in two seconds, except down, when there is no other way to fit.
- Every choice has its reason: a stable word, and the numbers behind it.

The engine may step down from a choice by itself, along ``ladder``, and up again to it; never beyond.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import groupby
from typing import Final, Generic, TypeVar

DWELL_SECONDS: Final = 2.0
HEADROOM: Final = 1.15
# A tile a little larger than a layer is filled by it well enough.
FILLS: Final = 0.9

T = TypeVar("T", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Layer:
    """One rung of what can be had of a track: an encoding or a spatial layer, with a temporal one. ``bitrate`` is of
    all that is sent when this one is chosen."""

    spatial: int
    temporal: int
    bitrate: int
    width: int
    height: int
    fps: float = 30.0


@dataclass(frozen=True, slots=True)
class Visible(Generic[T]):
    """A track as a subscriber sees it: ``width`` and ``height`` in device pixels, 0 when it is not seen. ``layers``
    from the lowest on. A higher ``priority`` comes first."""

    track: T
    layers: Sequence[Layer]
    width: int
    height: int
    fps: float = 30.0
    priority: int = 0
    is_screen: bool = False
    is_speaker: bool = False

    @property
    def is_seen(self) -> bool:
        return self.width > 0 and self.height > 0


class Reason(Enum):
    """Why a track has the layer that it has. Words, since they travel to clients and into metrics."""

    FILLS_TILE = "fills_tile"
    HIGHEST = "highest"
    BITRATE = "bitrate"
    HEADROOM = "headroom"
    LOWEST_KEPT = "lowest_kept"
    DWELL = "dwell"
    SURVIVAL = "survival"
    NOT_VISIBLE = "not_visible"
    NO_LAYERS = "no_layers"


@dataclass(frozen=True, slots=True)
class Why:
    """``wanted`` is the rung for the tile and ``needs`` its bitrate; ``missing`` how many bits a second it lacks to
    rise, and ``wait`` for how many seconds it is not switched."""

    reason: Reason
    wanted: int | None = None
    needs: int = 0
    missing: int = 0
    wait: float = 0.0


@dataclass(frozen=True, slots=True)
class Choice:
    """``rung`` is an index into the layers of the track; None: nothing is sent."""

    rung: int | None
    ladder: tuple[Layer, ...]
    switched_at: float | None
    why: Why

    @property
    def bitrate(self) -> int:
        return self.ladder[-1].bitrate if self.ladder else 0


@dataclass(frozen=True, slots=True)
class Allocation(Generic[T]):
    """``desired`` is what everything that is wanted would need: as far as it is worth probing."""

    choices: Mapping[T, Choice] = field(default_factory=dict)
    budget: int = 0
    used: int = 0
    desired: int = 0


@dataclass(slots=True)
class _Rising(Generic[T]):
    """A visible track while it is decided. ``had`` is its rung so far, None for one that had nothing."""

    seen: Visible[T]
    had: int | None
    switched_at: float | None
    wait: float
    target: int
    rung: int = 0
    stopped: Reason | None = None
    missing: int = 0

    @property
    def is_held(self) -> bool:
        return self.wait > 0 and self.had is not None

    def costs(self, rung: int) -> int:
        return self.seen.layers[rung].bitrate

    @property
    def rank(self) -> tuple[bool, int, bool, int]:
        seen = self.seen
        return (not seen.is_screen, -seen.priority, not seen.is_speaker, -seen.width * seen.height)


def allocated(before: Allocation[T], wanted: Sequence[Visible[T]], budget: int, now: float) -> Allocation[T]:
    """``budget`` in bits a second, for video alone. Of two tracks alike the one earlier in ``wanted`` comes first."""
    choices: dict[T, Choice] = {}
    rising: list[_Rising[T]] = []
    for seen in wanted:
        old = before.choices.get(seen.track)
        if seen.is_seen and seen.layers:
            rising.append(_begun(seen, old, now))
            continue
        reason = Reason.NO_LAYERS if seen.is_seen else Reason.NOT_VISIBLE
        choices[seen.track] = Choice(None, (), None if old is None else old.switched_at, Why(reason))
    rising.sort(key=lambda one: one.rank)
    _fit_held(rising, budget)
    _raise(rising, budget)
    for one in rising:
        choices[one.seen.track] = _chosen(one, now, over=_used(rising) > budget)
    return Allocation(choices, budget, _used(rising), sum(one.costs(one.target) for one in rising))


def _begun(seen: Visible[T], old: Choice | None, now: float) -> _Rising[T]:
    had = None if old is None or old.rung is None else min(old.rung, len(seen.layers) - 1)
    switched_at = None if old is None else old.switched_at
    wait = 0.0 if switched_at is None else max(0.0, switched_at + DWELL_SECONDS - now)
    one = _Rising(seen, had, switched_at, wait, _target(seen))
    one.rung = had if one.is_held and had is not None else 0
    return one


def _target(seen: Visible[T]) -> int:
    """The least rung that fills the tile and is as fluent as wanted, or else the highest."""
    for index, layer in enumerate(seen.layers):
        if _fills(layer, seen) and layer.fps >= FILLS * min(seen.fps, seen.layers[-1].fps):
            return index
    return len(seen.layers) - 1


def _fills(layer: Layer, seen: Visible[T]) -> bool:
    """One side is enough: a picture of another shape stands between bars."""
    return layer.width >= FILLS * seen.width or layer.height >= FILLS * seen.height


def _used(rising: Sequence[_Rising[T]]) -> int:
    return sum(one.costs(one.rung) for one in rising)


def _fit_held(rising: Sequence[_Rising[T]], budget: int) -> None:
    """Those that were switched lately stay as they are, unless the lowest layers of the others do not fit then: the
    last in rank give way first."""
    over = _used(rising) - budget
    for one in reversed(rising):
        while over > 0 and one.is_held and one.rung > 0:
            over -= one.costs(one.rung) - one.costs(one.rung - 1)
            one.rung -= 1
            one.stopped = Reason.SURVIVAL


def _raise(rising: Sequence[_Rising[T]], budget: int) -> None:
    used = _used(rising)
    for _, alike in groupby(rising, key=lambda one: one.rank[:3]):
        climbing = [one for one in alike if not one.is_held]
        while climbing:
            climbing = [one for one in climbing if one.rung < one.target]
            for one in list(climbing):
                step = one.costs(one.rung + 1) - one.costs(one.rung)
                is_new = one.had is not None and one.rung + 1 > one.had
                missing = _missing(used + step, budget, is_new=is_new)
                if missing > 0:
                    fits = used + step <= budget
                    one.stopped, one.missing = Reason.HEADROOM if fits else Reason.BITRATE, missing
                    climbing.remove(one)
                    continue
                one.rung += 1
                used += step


def _missing(total: int, budget: int, *, is_new: bool) -> int:
    return max(0, round(total * HEADROOM) - budget if is_new else total - budget)


def _chosen(one: _Rising[T], now: float, *, over: bool) -> Choice:
    is_switched = one.had is not None and one.rung != one.had
    # The first layer of all is no switch: a track that has just come may rise at once.
    switched_at = now if is_switched else one.switched_at
    wait = DWELL_SECONDS if is_switched else one.wait
    why = Why(_reason(one, over=over), one.target, one.costs(one.target), one.missing, round(wait, 3))
    return Choice(one.rung, tuple(one.seen.layers[: one.rung + 1]), switched_at, why)


def _reason(one: _Rising[T], *, over: bool) -> Reason:
    if one.stopped is Reason.SURVIVAL:
        return Reason.LOWEST_KEPT if over and one.rung == 0 else Reason.SURVIVAL
    if one.is_held and one.rung != one.target:
        return Reason.DWELL
    if over and one.rung == 0:
        return Reason.LOWEST_KEPT
    if one.rung < one.target:
        return one.stopped or Reason.BITRATE
    return Reason.FILLS_TILE if _fills(one.seen.layers[one.target], one.seen) else Reason.HIGHEST
