"""Who speaks and who dominates. Pure: levels and ``now`` in, values out.

A level is what RFC 6464 puts on a packet: 0 to 127, the distance below the loudest in dBov, so 127 is silence, and a
flag for voice. Here loudness counts upwards: 127 minus the level.

- A level is smoothed: it rises fast, so that whoever begins is seen, and falls slowly, over the gaps between words.
- Somebody speaks from one threshold on until below a lower one, and for a moment at least.
- Somebody moves up in the order only when clearly louder than one ahead, and the silent keep their places: so the order
  among them is that of who spoke last.
- Whoever dominates does so for a while, unless they fall silent.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import exp
from typing import Final, Generic, TypeVar

SILENCE: Final = 127

RISE_SECONDS: Final = 0.15
FALL_SECONDS: Final = 0.6
# After a stall of ours one sample must not count for all the time that nobody looked.
LONGEST_STEP: Final = 0.5

# What is loud without being voice: a keyboard, a street. The flag is a guess, so it counts, but for less.
NOISE_DISCOUNT: Final = 20.0

SPEAKS_FROM: Final = 72.0
SPEAKS_UNTIL: Final = 62.0
SPEAKS_AT_LEAST: Final = 0.8

# Below this everybody is equally silent.
FLOOR: Final = 52.0
CLEARLY_LOUDER: Final = 6.0

DOMINATES_AT_LEAST: Final = 2.0

S = TypeVar("S", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Level:
    """Of one packet. ``voice`` is None where the sender does not say (RFC 6464 section 4: ``vad=off``)."""

    level: int
    voice: bool | None = None

    @property
    def loudness(self) -> float:
        loud = float(SILENCE - min(max(self.level, 0), SILENCE))
        return max(0.0, loud - NOISE_DISCOUNT) if self.voice is False else loud


@dataclass(frozen=True, slots=True)
class Heard(Generic[S]):
    """``order`` has everybody, the loudest first; ``speaking`` is in that order. ``dominant`` stays the last one who
    spoke while nobody does."""

    order: tuple[S, ...] = ()
    speaking: tuple[S, ...] = ()
    dominant: S | None = None


class _Voice:
    __slots__ = ("loudness", "since")

    def __init__(self) -> None:
        self.loudness = 0.0
        self.since: float | None = None

    def hear(self, loud: float, step: float, now: float) -> None:
        settling = RISE_SECONDS if loud > self.loudness else FALL_SECONDS
        self.loudness += (loud - self.loudness) * (1.0 - exp(-step / settling))
        if self.since is None:
            self.since = now if self.loudness >= SPEAKS_FROM else None
        elif self.loudness < SPEAKS_UNTIL and now - self.since >= SPEAKS_AT_LEAST:
            self.since = None

    @property
    def counted(self) -> float:
        return max(self.loudness, FLOOR)


class Speakers(Generic[S]):
    """Of one room; told the latest levels some ten times a second."""

    def __init__(self) -> None:
        self._voices: dict[S, _Voice] = {}
        self._order: list[S] = []
        self._dominant: S | None = None
        self._dominant_since = 0.0
        self._last: float | None = None

    def hear(self, present: Collection[S], levels: Mapping[S, Level], now: float) -> Heard[S]:
        """``levels`` of those who sent since the last time; whoever of ``present`` is not in it is silent. Whoever is
        not present is forgotten."""
        step = 0.0 if self._last is None else min(max(now - self._last, 0.0), LONGEST_STEP)
        self._last = now
        self._forget(set(present))
        for source in present:
            voice = self._voices.get(source)
            if voice is None:
                voice = self._voices[source] = _Voice()
                self._order.append(source)
            level = levels.get(source)
            voice.hear(0.0 if level is None else level.loudness, step, now)
        self._order = _reordered(self._order, {source: voice.counted for source, voice in self._voices.items()})
        speaking = tuple(source for source in self._order if self._voices[source].since is not None)
        self._dominate(speaking, now)
        return Heard(tuple(self._order), speaking, self._dominant)

    def loudness(self, source: S) -> float:
        """Smoothed; 0 for a stranger."""
        voice = self._voices.get(source)
        return 0.0 if voice is None else voice.loudness

    def _forget(self, present: set[S]) -> None:
        if self._voices.keys() <= present:
            return
        self._voices = {source: voice for source, voice in self._voices.items() if source in present}
        self._order = [source for source in self._order if source in present]
        if self._dominant not in present:
            self._dominant = None

    def _dominate(self, speaking: Sequence[S], now: float) -> None:
        if not speaking or speaking[0] == self._dominant:
            return
        still = self._dominant is not None and self._dominant in speaking
        if still and now - self._dominant_since < DOMINATES_AT_LEAST:
            return
        self._dominant, self._dominant_since = speaking[0], now


def _reordered(order: Sequence[S], loudness: Mapping[S, float]) -> list[S]:
    """Each moves ahead of the first one it is clearly louder than. Afterwards nobody stands behind somebody they are
    clearly louder than, so that doing it again changes nothing."""
    placed: list[S] = []
    for source in order:
        reach = loudness[source] - CLEARLY_LOUDER
        # The silent pass nobody; in a large room that is nearly everybody.
        ahead = [] if reach <= FLOOR else placed
        at = next((index for index, other in enumerate(ahead) if loudness[other] < reach), len(placed))
        placed.insert(at, source)
    return placed
