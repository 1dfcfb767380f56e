"""Which numbers of a slot were sent, which may still be, and which are asked for again.

Repairs go over a stream of their own only: a number with other bytes under it would use one nonce of SRTP twice. What
was never sent is the only thing that may still be sent under its own number.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable
from typing import Final, NamedTuple

from media.sequence import SEQUENCE_MASK, Late, Sent, SequenceMap, Turn, sequence_distance

# Before the first report. Browsers ask again after one round trip, and not sooner than after 20 ms.
USUAL_ROUND_TRIP: Final = 0.1
SHORTEST_ROUND_TRIP: Final = 0.02
# What one message may ask for, and what is remembered: a second of 1,000 packets.
MOST_AT_ONCE: Final = 256
_REMEMBERED: Final = 1024


class Bounded:
    """Numbers of packets; the oldest entry gives way."""

    __slots__ = ("_most", "_numbers")

    def __init__(self, most: int = _REMEMBERED) -> None:
        self._most = most
        self._numbers: OrderedDict[int, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._numbers)

    def __contains__(self, number: int) -> bool:
        return number in self._numbers

    def add(self, number: int) -> None:
        self._numbers[number] = None
        if len(self._numbers) > self._most:
            self._numbers.popitem(last=False)

    def discard(self, number: int) -> bool:
        """Whether it was there."""
        return self._numbers.pop(number, number) is None


class Asked(NamedTuple):
    """``number`` is the slot's, unwrapped; ``of_source`` that of the source's stream."""

    number: int
    of_source: int
    turn: Turn


class Numbers:
    """Every number at most once. ``missing`` were passed over and may still come; ``filled`` went out as padding."""

    __slots__ = ("_drops", "_map", "filled", "missing")

    def __init__(self, first: int, drops: Counter[str]) -> None:
        self._map: Final = SequenceMap(first)
        self._drops: Final = drops
        self.missing: Final = Bounded()
        self.filled: Final = Bounded()

    def switch(self, turn: Turn) -> None:
        self._map.switch(turn)

    def went(self, source: int, number: int) -> None:
        """All up to this one were sent, as neighbours."""
        self._map.send(source, number)

    def place(self, source: int, number: int) -> Sent | None:
        """What to send this packet under, if it may be sent."""
        following = self._map.next_number
        sent = self._map.send(source, number)
        if isinstance(sent, Late):
            self._drops[f"sink_{sent.value}"] += 1
            return None
        if sent.number >= following:
            for passed_over in range(max(following, sent.number - _REMEMBERED), sent.number):
                self.missing.add(passed_over)
        elif not self.missing.discard(sent.number):
            self._drops["sink_duplicate"] += 1
            return None
        return sent

    def close(self, source: int, number: int) -> Sent | None:
        """This packet is left out. The number that has to be filled, where later ones were sent already."""
        if self._map.close(source, number):
            return None
        sent = self._map.send(source, number)
        if not isinstance(sent, Sent) or not self.missing.discard(sent.number):
            return None
        self.filled.add(sent.number)
        return sent

    def asked(self, sequence: int) -> Asked | None:
        """Whose packet was sent, or would have been, under these 16 bits."""
        origin = self._map.origin(sequence)
        if origin is None:
            return None
        newest = self._map.next_number - 1
        number = newest + sequence_distance(sequence, newest & SEQUENCE_MASK)
        return Asked(number, origin.number, origin.turn)


class Pace:
    """Each number once in a round trip: what is asked for again sooner has been sent and is underway."""

    __slots__ = ("_repaired",)

    def __init__(self) -> None:
        self._repaired: OrderedDict[int, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._repaired)

    def allows(self, number: int, now: float, round_trip: float | None) -> bool:
        """It counts as repaired then."""
        wait = USUAL_ROUND_TRIP if round_trip is None else max(SHORTEST_ROUND_TRIP, round_trip)
        before = self._repaired.pop(number, None)
        if before is not None and now - before < wait:
            self._repaired[number] = before
            return False
        self._repaired[number] = now
        if len(self._repaired) > _REMEMBERED:
            self._repaired.popitem(last=False)
        return True


def first_of(lost: Iterable[int]) -> list[int]:
    """As many as one message may ask for."""
    return [number for number, _ in zip(lost, range(MOST_AT_ONCE), strict=False)]
