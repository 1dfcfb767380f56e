"""Which numbers of a stream its publisher is asked for again, and when. Pure: numbers and ``now`` in, numbers out.

What is overtaken on the way comes within moments: a number is asked for only after ``HOLDOFF``, then again once a round
trip as long as a decoder could still use it. Too many at once are no loss but an outage: they are all forgotten, and a
key frame does more for less.
"""

from __future__ import annotations

from typing import Final

# Wireless links reorder by a few frames of theirs; a repair that is asked for later costs as much delay.
HOLDOFF: Final = 0.02
USUAL_ROUND_TRIP: Final = 0.1
SHORTEST_ROUND_TRIP: Final = 0.02
MOST_TRIES: Final = 10
OLDEST: Final = 1.0
MOST_MISSING: Final = 500
# Each may need four bytes: one packet of RTCP within every path's limit.
MOST_AT_ONCE: Final = 250


class _Missing:
    __slots__ = ("due", "since", "tries")

    def __init__(self, now: float) -> None:
        self.since = now
        self.due = now + HOLDOFF
        self.tries = 0


class NackList:
    """Of one stream, by unwrapped numbers. What was asked for in vain, or for too long, is forgotten."""

    __slots__ = ("_due", "_missing")

    def __init__(self) -> None:
        self._missing: dict[int, _Missing] = {}
        # Never later than the first that is due; what arrived since may have been it.
        self._due: float | None = None

    def __len__(self) -> int:
        return len(self._missing)

    def __contains__(self, number: int) -> bool:
        return number in self._missing

    def missed(self, first: int, last: int, now: float) -> bool:
        """Both included. False when there are too many: nothing is asked for then, of these and of those before."""
        if len(self._missing) + last - first + 1 > MOST_MISSING:
            self.clear()
            return False
        for number in range(first, last + 1):
            self._missing[number] = _Missing(now)
        due = now + HOLDOFF
        if self._due is None or due < self._due:
            self._due = due
        return True

    def arrived(self, number: int) -> None:
        self._missing.pop(number, None)

    def clear(self) -> None:
        self._missing.clear()
        self._due = None

    def due(self) -> float | None:
        """When to collect; None while nothing is missing."""
        return self._due if self._missing else None

    def collect(self, now: float, round_trip: float | None) -> tuple[int, ...]:
        """What to ask for now, ascending in one packet."""
        if self._due is None or now < self._due:
            return ()
        pause = USUAL_ROUND_TRIP if round_trip is None else round_trip
        again = now + min(max(pause, SHORTEST_ROUND_TRIP), OLDEST)
        asked: list[int] = []
        for number, missing in list(self._missing.items()):
            if now - missing.since >= OLDEST or (missing.tries >= MOST_TRIES and missing.due <= now):
                del self._missing[number]
            elif missing.due <= now and len(asked) < MOST_AT_ONCE:
                missing.tries += 1
                missing.due = again
                asked.append(number)
        self._due = min((missing.due for missing in self._missing.values()), default=None)
        return tuple(sorted(asked))
