"""Who has the floor in one room: levels of tracks in, who speaks out, and when that is worth telling. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from sfu.notices import Speaker
from sfu.speakers import FLOOR, SILENCE, Heard, Level, Speakers

# At most five times a second.
TELL_EVERY: Final = 0.2
# A speaker's level is told anew when it differs by so much from what was told.
_STEP: Final = 0.15
# Beyond these places nobody has a slot for being loud.
_PLACES: Final = 16


class Floor:
    """``heard`` is the latest, ``told`` what was said of it last."""

    def __init__(self) -> None:
        self.heard: Heard[str] = Heard()
        self.told: tuple[Speaker, ...] = ()
        self._speakers: Speakers[str] = Speakers()
        self._told_at: float | None = None

    def hear(self, present: Collection[str], levels: Mapping[str, Level], now: float) -> bool:
        """Whether an order changed that slots depend on. Of everybody who can be heard at all."""
        before = self.heard
        self.heard = self._speakers.hear(present, levels, now)
        return (before.speaking, before.order[:_PLACES]) != (self.heard.speaking, self.heard.order[:_PLACES])

    def news(self, now: float) -> tuple[Speaker, ...] | None:
        """Who speaks, where that is another news than the last; None where it is not, or too early."""
        if self._told_at is not None and now - self._told_at < TELL_EVERY:
            return None
        current = tuple(Speaker(one, self._level(one)) for one in self.heard.speaking)
        same_order = [one.participant for one in current] == [one.participant for one in self.told]
        if same_order and all(abs(new.level - old.level) < _STEP for new, old in zip(current, self.told, strict=True)):
            return None
        self.told, self._told_at = current, now
        return current

    def _level(self, participant: str) -> float:
        above = (self._speakers.loudness(participant) - FLOOR) / (SILENCE - FLOOR)
        return round(min(max(above, 0.0), 1.0), 2)
