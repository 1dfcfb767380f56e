"""A source's packets for somebody in this process: a recorder. Bounded by bytes; the oldest go first."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence

from media.engine import Layer, Tapped
from media.portable.packet import Break, Incoming, Result

# What a packet takes besides its payload, so that small ones count too.
OVERHEAD = 300


class Tap:
    """Each stream of the source begins at a key frame, and again after a break."""

    def __init__(self, most_bytes: int, drops: Counter[str]) -> None:
        if most_bytes <= 0:
            raise ValueError("a tap holds something")
        self._most_bytes = most_bytes
        self._drops = drops
        self._waiting: deque[Tapped] = deque()
        self._bytes = 0
        self._begun: set[int] = set()

    @property
    def is_waiting(self) -> bool:
        """For its first key frame."""
        return not self._begun

    def take(self, result: Result) -> None:
        if isinstance(result, Break):
            self._begun.discard(result.stream)
        elif isinstance(result, Incoming):
            self._take(result)

    def _take(self, packet: Incoming) -> None:
        if packet.stream not in self._begun:
            if not packet.part.is_keyframe:
                return
            self._begun.add(packet.stream)
        self._waiting.append(
            Tapped(
                layer=Layer(packet.spatial, packet.temporal),
                codec=packet.codec,
                sequence=packet.number,
                timestamp=packet.timestamp,
                marker=packet.marker,
                payload=packet.payload,
                is_keyframe=packet.part.is_keyframe,
            )
        )
        self._bytes += len(packet.payload) + OVERHEAD
        while self._bytes > self._most_bytes:
            self._bytes -= len(self._waiting.popleft().payload) + OVERHEAD
            self._drops["tap_overflow"] += 1

    def read(self, most: int) -> Sequence[Tapped]:
        taken = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
        self._bytes -= sum(len(packet.payload) + OVERHEAD for packet in taken)
        return taken
