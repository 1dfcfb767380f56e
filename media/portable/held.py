"""Packets that cannot be understood before another has come."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from operator import attrgetter
from typing import Final, Generic, TypeVar

# The packets of a large key frame.
MOST_HELD: Final = 128
# A repair takes a round trip or two; after half a second a decoder has given up.
HELD_FOR: Final = 0.5

T = TypeVar("T")


class Held(Generic[T]):
    """By what they wait for. The oldest give way: ``MOST_HELD`` at a time, each for ``HELD_FOR``."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: deque[_Waiting[T]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, packet: T, number: int, waits_for: Hashable, now: float) -> list[T]:
        """Those that had to go."""
        gone = self.expire(now)
        self._waiting.append(_Waiting(now, waits_for, number, packet))
        if len(self._waiting) > MOST_HELD:
            gone.append(self._waiting.popleft().packet)
        return gone

    def expire(self, now: float) -> list[T]:
        """Those whose time is over; called with every packet that comes, so that they do not wait for their like."""
        gone: list[T] = []
        while self._waiting and now - self._waiting[0].since > HELD_FOR:
            gone.append(self._waiting.popleft().packet)
        return gone

    def take(self, came: Hashable) -> list[T]:
        """Those that waited for it, by number."""
        taken = sorted((one for one in self._waiting if one.waits_for == came), key=_NUMBER)
        if taken:
            self._waiting = deque(one for one in self._waiting if one.waits_for != came)
        return [one.packet for one in taken]


@dataclass(slots=True)
class _Waiting(Generic[T]):
    since: float
    waits_for: Hashable
    number: int
    packet: T


_NUMBER: Final = attrgetter("number")
