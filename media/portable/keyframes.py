"""When a publisher is asked for a key frame. Pure: wishes, key frames and ``now`` in, the moment to ask out.

However many subscribers wait, a stream is asked once in a while: a key frame costs as much as a second of pictures.
Wishes are merged, and one that is not fulfilled is repeated ever more slowly, until a key frame comes or nobody has
wished for so long that whoever did must have left.
"""

from __future__ import annotations

from typing import Final

SOONEST_LOW: Final = 0.5
SOONEST_HIGH: Final = 1.0
LONGEST_WAIT: Final = 4.0
# Somebody who still waits says so again well within this.
FORGOTTEN_AFTER: Final = 20.0


class KeyframeRequests:
    """Of one stream; ``soonest`` is the time between two requests. ``asked`` counts them, ``sequence`` what they asked
    for: one that is repeated has the number of the first (RFC 5104 4.3.1.1)."""

    __slots__ = ("_asked_at", "_due", "_is_repeated", "_soonest", "_wait", "_wished_at", "asked", "sequence")

    def __init__(self, soonest: float) -> None:
        self.asked = 0
        self.sequence = 0
        self._soonest = soonest
        self._wait = soonest
        self._asked_at: float | None = None
        self._wished_at: float | None = None
        self._due: float | None = None
        self._is_repeated = False

    def wish(self, now: float) -> None:
        if self._wished_at is None:
            self._due = now if self._asked_at is None else max(now, self._asked_at + self._soonest)
        self._wished_at = now

    def came(self) -> None:
        """A key frame has: whoever finds it was not theirs wishes again."""
        self._wished_at = None
        self._due = None
        self._wait = self._soonest
        self._is_repeated = False

    def due(self) -> float | None:
        """When to ask; None while nobody waits."""
        return self._due

    def ask(self, now: float) -> bool:
        """Whether to ask now; it counts as done then."""
        if self._due is None or self._wished_at is None or now < self._due:
            return False
        if now - self._wished_at > FORGOTTEN_AFTER:
            self.came()
            return False
        self.asked += 1
        if not self._is_repeated:
            self.sequence = (self.sequence + 1) & 0xFF
        self._is_repeated = True
        self._asked_at = now
        self._due = now + self._wait
        self._wait = min(2 * self._wait, LONGEST_WAIT)
        return True
