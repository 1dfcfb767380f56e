"""Numbers that wrap, and the numbers a slot sends for those that its sources sent.

Serial arithmetic is RFC 1982's. Two numbers half the circle apart have no order there; here neither is the newer one.

``SequenceMap`` is one per receive slot. What it promises: a source's packet keeps the number it was given, so that its
repair is what was sent before, and numbers rise by one from packet to packet except where a packet may still come.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from enum import Enum
from operator import attrgetter
from typing import Final, NamedTuple

SEQUENCE_BITS: Final = 16
TIMESTAMP_BITS: Final = 32
SEQUENCE_MASK: Final = 0xFFFF
TIMESTAMP_MASK: Final = 0xFFFFFFFF

# Closed gaps that are remembered: with every second frame of 30 a second left out, about seventeen seconds.
USUAL_CAPACITY: Final = 256
# What is further back is another number once both are cut to 16 bits.
_REACH: Final = 1 << (SEQUENCE_BITS - 1)


def distance(newer: int, older: int, bits: int) -> int:
    """How far ``newer`` is ahead of ``older`` on a circle of ``bits``: negative when it is behind."""
    half = 1 << (bits - 1)
    return ((newer - older + half) & ((1 << bits) - 1)) - half


def sequence_distance(newer: int, older: int) -> int:
    return distance(newer, older, SEQUENCE_BITS)


def timestamp_distance(newer: int, older: int) -> int:
    return distance(newer, older, TIMESTAMP_BITS)


class Unwrapper:
    """Wrapped numbers to signed 64-bit ones. What is older than the first may come out negative. A late number does not
    move what the next one is measured from."""

    __slots__ = ("_bits", "_highest")

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self._highest: int | None = None

    @property
    def highest(self) -> int | None:
        return self._highest

    def unwrap(self, number: int) -> int:
        if self._highest is None:
            self._highest = number
            return number
        unwrapped = self.peek(number)
        self._highest = max(self._highest, unwrapped)
        return unwrapped

    def peek(self, number: int) -> int:
        """What ``unwrap`` would say, without having seen it: for a number that has not been authenticated."""
        return number if self._highest is None else self._highest + distance(number, self._highest, self._bits)


class Late(Enum):
    """Why a packet has no number to be sent under; the label of a drop counter."""

    CLOSED = "closed_gap"  # It was left out, and those around it have been sent as neighbours.
    OUTSIDE = "outside_turn"  # Its source did not flow into the slot then.
    FORGOTTEN = "forgotten"  # So long ago that nothing is known.


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """A source's time in the slot, from its number ``first`` on. What is added to its timestamps belongs to it too: a
    repair needs both."""

    source: int
    first: int
    timestamp_shift: int = 0

    def timestamp(self, of_source: int) -> int:
        return (of_source + self.timestamp_shift) & TIMESTAMP_MASK


class Sent(NamedTuple):
    """``number`` is unwrapped; its lowest 16 bits stand in the packet."""

    number: int
    turn: Turn


class Origin(NamedTuple):
    """The source's unwrapped number."""

    number: int
    turn: Turn


@dataclass(slots=True)
class _Run:
    """Numbers of a source that were sent as neighbours, ``last`` included; none yet while it is below ``first``."""

    turn: Turn
    first: int
    last: int
    shift: int


@dataclass(slots=True)
class _Closed:
    """Numbers above all that were sent, which will be left out, ``last`` included."""

    first: int
    last: int


_BY_FIRST: Final = attrgetter("first")


class SequenceMap:
    """Source numbers are unwrapped ones, per source and not per slot. ``first`` is the first number to send: RFC 3711
    3.3.1 guesses the roll-over counter, so begin in the lower half of the 16 bits."""

    __slots__ = ("_capacity", "_closed", "_first", "_forgot", "_runs", "_starts")

    def __init__(self, first: int, *, capacity: int = USUAL_CAPACITY) -> None:
        self._first = first
        self._capacity = capacity
        self._runs: list[_Run] = []
        self._starts: list[int] = []  # What the first of each run was sent as.
        self._closed: list[_Closed] = []
        self._forgot = False

    @property
    def next_number(self) -> int:
        """Above all that were given."""
        return self._runs[-1].last + self._runs[-1].shift + 1 if self._runs else self._first

    @property
    def turn(self) -> Turn | None:
        """Whose turn it is."""
        return self._runs[-1].turn if self._runs else None

    def switch(self, turn: Turn) -> None:
        """From now on ``turn.source`` flows. The number of its first packet follows the last that was given, whatever
        of the former source was lost after that."""
        self._closed.clear()
        self._begin(turn, turn.first)

    def send(self, source: int, number: int) -> Sent | Late:
        """The number to send this packet under: the same one every time it is asked for."""
        if not self._runs:
            return Late.OUTSIDE
        run = self._runs[-1]
        if source != run.turn.source or number <= run.last:
            return self._given(source, number)
        if self._closed:
            if self._is_closed(number):
                return Late.CLOSED
            self._settle(number)
            run = self._runs[-1]
        run.last = number
        return Sent(number + run.shift, run.turn)

    def close(self, source: int, number: int) -> bool:
        """This packet will not be sent, and its neighbours become neighbours. False when later ones were sent already:
        its number stays open, and something else has to fill it, or the receiver will ask for it."""
        if not self._runs:
            return True
        run = self._runs[-1]
        if source != run.turn.source or number <= run.last:
            return not isinstance(self._given(source, number), Sent)
        self._leave_out(number)
        return True

    def origin(self, sequence: int) -> Origin | None:
        """Whose packet was sent under these 16 bits, by the nearest number that was given. None when it is not known;
        a number that was given may belong to a packet that never came."""
        newest = self.next_number - 1
        sent = newest + sequence_distance(sequence, newest & SEQUENCE_MASK)
        if sent > newest:
            return None
        at = bisect_right(self._starts, sent) - 1
        if at < 0:
            return None
        run = self._runs[at]
        return Origin(sent - run.shift, run.turn)

    def _given(self, source: int, number: int) -> Sent | Late:
        above: Turn | None = None
        for run in reversed(self._runs):
            if run.turn.source != source:
                continue
            if number > run.last:
                return Late.CLOSED if above is run.turn else Late.OUTSIDE
            if number >= run.first:
                sent = number + run.shift
                return Sent(sent, run.turn) if sent >= self.next_number - _REACH else Late.FORGOTTEN
            above = run.turn
        if self._forgot:
            return Late.FORGOTTEN
        return Late.CLOSED if above is not None and above.first <= number else Late.OUTSIDE

    def _begin(self, turn: Turn, first: int) -> None:
        start = self.next_number
        if self._runs and self._runs[-1].last < self._runs[-1].first:
            self._runs.pop()
            self._starts.pop()
        self._runs.append(_Run(turn, first, first - 1, start - first))
        self._starts.append(start)
        self._forget()

    def _leave_out(self, number: int) -> None:
        at = bisect_right(self._closed, number, key=_BY_FIRST)
        before = self._closed[at - 1] if at else None
        after = self._closed[at] if at < len(self._closed) else None
        if before is not None and number <= before.last + 1:
            before.last = max(before.last, number)
            if after is not None and after.first == before.last + 1:
                before.last = after.last
                del self._closed[at]
        elif after is not None and after.first == number + 1:
            after.first = number
        else:
            self._closed.insert(at, _Closed(number, number))
            if len(self._closed) > self._capacity:
                self._settle(self._closed[0].last + 1)

    def _is_closed(self, number: int) -> bool:
        at = bisect_right(self._closed, number, key=_BY_FIRST) - 1
        return at >= 0 and number <= self._closed[at].last

    def _settle(self, below: int) -> None:
        """Closes for good what lies below a number that is about to be sent. Those between that have not come keep
        their numbers."""
        settled = 0
        for gap in self._closed:
            if gap.first >= below:
                break
            run = self._runs[-1]
            run.last = gap.first - 1
            self._begin(run.turn, gap.last + 1)
            settled += 1
        del self._closed[:settled]

    def _forget(self) -> None:
        gone = len(self._runs) - self._capacity
        if gone > 0:
            del self._runs[:gone], self._starts[:gone]
            self._forgot = True
