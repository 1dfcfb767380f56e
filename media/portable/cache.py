"""The latest packets of one stream, for subscribers who lost some. Bounded by age and by bytes; the oldest go first."""

from __future__ import annotations

from collections import deque
from typing import Final

from media.portable.packet import Incoming

# Subscribers ask for repairs within a second; a slow path may need two tries.
OLDEST: Final = 2.0
MOST_BYTES: Final = 2 * 1024 * 1024
# What a packet takes besides its payload, so that small ones count too.
OVERHEAD: Final = 400


class PacketCache:
    """By unwrapped number. Age is by the clock of ``Incoming.arrived``, which does not step."""

    __slots__ = ("_bytes", "_most_bytes", "_order", "_packets")

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._packets: dict[int, Incoming] = {}
        self._order: deque[Incoming] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._order)

    @property
    def bytes(self) -> int:
        """What is held, with ``OVERHEAD`` for each."""
        return self._bytes

    def put(self, packet: Incoming) -> None:
        """A number that is there already stays as it was."""
        if packet.number in self._packets:
            return
        self._packets[packet.number] = packet
        self._order.append(packet)
        self._bytes += len(packet.payload) + OVERHEAD
        oldest = packet.arrived - OLDEST
        while self._order and (self._bytes > self._most_bytes or self._order[0].arrived < oldest):
            gone = self._order.popleft()
            del self._packets[gone.number]
            self._bytes -= len(gone.payload) + OVERHEAD

    def get(self, number: int) -> Incoming | None:
        return self._packets.get(number)

    def clear(self) -> None:
        self._packets.clear()
        self._order.clear()
        self._bytes = 0
