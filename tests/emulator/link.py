"""One direction of an emulated link, in time that is passed in. What happens to a packet, in this order: it is lost or
not, it waits for the bottleneck, it travels, it may be overtaken or arrive twice.

All randomness is of the link's own seeded dice, one throw a packet and question whatever the answers were, so that two
runs with the same packets differ in nothing.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

# What IPv4 and UDP add to each datagram: a link carries them too.
HEADERS: Final = 28
# Datagrams that may be under way at a time, whatever the bottleneck: the emulator's own bound.
MOST_UNDER_WAY: Final = 65_536


@dataclass(frozen=True, slots=True)
class Bursts:
    """Gilbert and Elliott: the link turns bad with ``enter`` and good again with ``leave``, both asked once a packet.
    A mean burst is ``1 / leave`` packets long."""

    enter: float
    leave: float
    loss: float = 1.0
    loss_between: float = 0.0

    @property
    def mean_loss(self) -> float:
        bad = self.enter / (self.enter + self.leave)
        return bad * self.loss + (1 - bad) * self.loss_between


@dataclass(frozen=True, slots=True)
class Step:
    """So many bits a second (0: nothing moves) for so long."""

    seconds: float
    bits_per_second: float


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """``trace`` begins when it is set and repeats. What does not fit into ``queue_bytes`` is dropped at the tail; the
    packet that is on the wire is not in the queue any more."""

    trace: tuple[Step, ...]
    queue_bytes: int

    def __post_init__(self) -> None:
        if not self.trace or any(step.seconds <= 0 or step.bits_per_second < 0 for step in self.trace):
            raise ValueError("a trace is made of steps that last")
        if not any(step.bits_per_second for step in self.trace):
            raise ValueError("a trace that never moves anything: pause the link instead")


def constant(bits_per_second: float, *, queue_seconds: float = 0.2) -> Bottleneck:
    """A queue that holds as much as the link carries in ``queue_seconds``."""
    return Bottleneck((Step(1.0, bits_per_second),), round(bits_per_second * queue_seconds / 8))


@dataclass(frozen=True, slots=True)
class Conditions:
    """``loss``, ``reorder`` and ``duplicate`` are probabilities a packet. ``jitter`` is the most that is added to
    ``delay``, evenly, and keeps the order; what ``reorder`` hits is held back ``reorder_by`` more and overtaken."""

    loss: float = 0.0
    bursts: Bursts | None = None
    delay: float = 0.0
    jitter: float = 0.0
    reorder: float = 0.0
    reorder_by: float = 0.02
    duplicate: float = 0.0
    bottleneck: Bottleneck | None = None


PERFECT: Final = Conditions()


@dataclass(frozen=True, slots=True)
class Counts:
    """With nothing under way any more, ``taken`` is ``lost + overflowed + delivered - duplicated``."""

    taken: int = 0
    lost: int = 0
    overflowed: int = 0
    reordered: int = 0
    duplicated: int = 0
    delivered: int = 0
    delivered_bytes: int = 0


@dataclass(slots=True, order=True)
class _Travelling:
    at: float
    number: int
    to: int = field(compare=False)
    data: bytes = field(compare=False)


class Link:
    """Datagrams of ``to`` (whoever that is) in by ``push``, out by ``due``. ``now`` never goes back."""

    def __init__(self, conditions: Conditions, *, seed: int, now: float) -> None:
        self._dice = random.Random(seed)  # noqa: S311
        self._is_bad = False
        self._counted = Counter[str]()
        self._numbers = 0
        self._queue: deque[tuple[float, int, bytes]] = deque()
        self._queued_bytes = 0
        self._travelling: list[_Travelling] = []
        self._last_in_order = now
        self._paused_until = now
        self.change(conditions, now=now)

    @property
    def counts(self) -> Counts:
        return Counts(**self._counted)

    def change(self, conditions: Conditions, *, now: float) -> None:
        """For what comes from now on, and for what waits at the bottleneck."""
        self._transmit(now)
        self._conditions = conditions
        self._trace_began = now
        # What is on the wire starts over: an error of one packet a change.
        self._free_at = now
        if conditions.bottleneck is None:
            self._transmit(now)

    def pause(self, seconds: float, *, now: float) -> None:
        """Nothing leaves the bottleneck; what travels already arrives. Without a bottleneck everything waits."""
        self._transmit(now)
        self._paused_until = max(self._paused_until, now + seconds)

    def push(self, to: int, data: bytes, *, now: float) -> None:
        self._transmit(now)
        self._counted["taken"] += 1
        if self._is_lost():
            self._counted["lost"] += 1
        elif self._is_full(len(data)):
            self._counted["overflowed"] += 1
        else:
            self._queue.append((now, to, data))
            self._queued_bytes += len(data) + HEADERS
            self._transmit(now)

    def due(self, now: float) -> Iterator[tuple[int, bytes]]:
        self._transmit(now)
        while self._travelling and self._travelling[0].at <= now:
            one = heapq.heappop(self._travelling)
            self._counted["delivered"] += 1
            self._counted["delivered_bytes"] += len(one.data)
            yield one.to, one.data

    def next_at(self) -> float | None:
        """When ``due`` may have something, at the earliest."""
        moments = [self._travelling[0].at] if self._travelling else []
        if self._queue:
            moments.append(self._finish())
        return min(moments, default=None)

    def _is_lost(self) -> bool:
        at_random = self._dice.random() < self._conditions.loss
        turn, throw = self._dice.random(), self._dice.random()
        bursts = self._conditions.bursts
        if bursts is None:
            return at_random
        self._is_bad = turn >= bursts.leave if self._is_bad else turn < bursts.enter
        return at_random or throw < (bursts.loss if self._is_bad else bursts.loss_between)

    def _is_full(self, size: int) -> bool:
        if len(self._queue) + len(self._travelling) >= MOST_UNDER_WAY:
            return True
        bottleneck = self._conditions.bottleneck
        if bottleneck is None or not self._queue:
            return False
        head = len(self._queue[0][2]) + HEADERS
        return self._queued_bytes - head + size + HEADERS > bottleneck.queue_bytes

    def _transmit(self, now: float) -> None:
        """Everything that has left the bottleneck by now."""
        while self._queue and (left := self._finish()) <= now:
            _, to, data = self._queue.popleft()
            self._queued_bytes -= len(data) + HEADERS
            self._free_at = left
            self._travel(to, data, left)

    def _finish(self) -> float:
        """When the first of the queue has left the bottleneck."""
        arrived, _, data = self._queue[0]
        start = max(arrived, self._free_at, self._paused_until)
        bottleneck = self._conditions.bottleneck
        if bottleneck is None:
            return start
        return _sent(bottleneck.trace, self._trace_began, start, 8 * (len(data) + HEADERS))

    def _travel(self, to: int, data: bytes, left: float) -> None:
        conditions = self._conditions
        at = left + conditions.delay + conditions.jitter * self._dice.random()
        is_late, is_double = (self._dice.random() < odds for odds in (conditions.reorder, conditions.duplicate))
        if is_late:
            self._counted["reordered"] += 1
            at += conditions.reorder_by
        else:
            # A path that only jitters keeps the order: its queues do.
            at = self._last_in_order = max(at, self._last_in_order)
        self._counted["duplicated"] += is_double
        for _ in range(1 + is_double):
            self._numbers += 1
            heapq.heappush(self._travelling, _Travelling(at, self._numbers, to, data))


def _sent(trace: tuple[Step, ...], began: float, start: float, bits: float) -> float:
    """When ``bits`` are through that began to go at ``start``."""
    length = sum(step.seconds for step in trace)
    into = (start - began) % length
    at = start
    while True:
        for step in trace:
            if into >= step.seconds:
                into -= step.seconds
                continue
            carried = (step.seconds - into) * step.bits_per_second
            if carried >= bits and step.bits_per_second:
                return at + bits / step.bits_per_second
            bits -= carried
            at += step.seconds - into
            into = 0.0
