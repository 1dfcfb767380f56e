"""What flows in each layer of a source: bits and frames of the last second."""

from __future__ import annotations

from typing import Final

from media.codecs.vp9 import Vp9Descriptor
from media.engine import Layer, LayerStats
from media.portable.packet import Incoming

# A second in tenths: what is told is of the last ten that are over.
_TENTHS: Final = 10
_KEPT: Final = _TENTHS + 1


class _Meter:
    __slots__ = ("_bytes", "_frames", "_tenth")

    def __init__(self, tenth: int) -> None:
        self._tenth = tenth
        self._bytes = [0] * _KEPT
        self._frames = [0] * _KEPT

    def add(self, size: int, frames: int, tenth: int) -> None:
        if tenth != self._tenth:
            self._move_to(tenth)
        place = tenth % _KEPT
        self._bytes[place] += size
        self._frames[place] += frames

    def read(self, tenth: int) -> tuple[int, int]:
        """Bytes and frames."""
        if tenth != self._tenth:
            self._move_to(tenth)
        place = tenth % _KEPT
        return sum(self._bytes) - self._bytes[place], sum(self._frames) - self._frames[place]

    def _move_to(self, tenth: int) -> None:
        for passed in range(max(self._tenth + 1, tenth - _TENTHS), tenth + 1):
            self._bytes[passed % _KEPT] = self._frames[passed % _KEPT] = 0
        self._tenth = tenth


def _sizes(packet: Incoming, own: tuple[int, int]) -> dict[int, tuple[int, int]]:
    """By spatial layer: the lowest of a scalable stream speaks for those above. An encoding of a simulcast has its own
    only."""
    if isinstance(packet.descriptor, Vp9Descriptor) and packet.descriptor.scalability is not None:
        told = packet.descriptor.scalability.sizes
    elif packet.dependency is not None:
        told = packet.dependency.structure.resolutions
    else:
        told = ()
    return dict(enumerate(told)) if len(told) > 1 else {packet.spatial: own}


class LayerRates:
    """``now`` never goes back."""

    __slots__ = ("_meters", "_sizes")

    def __init__(self) -> None:
        self._meters: dict[tuple[int, int], _Meter] = {}
        self._sizes: dict[int, tuple[int, int]] = {}

    def add(self, packet: Incoming, size: int, now: float) -> None:
        """``size`` in bytes, with the RTP header."""
        tenth = int(now * _TENTHS)
        part, layer = packet.part, (packet.spatial, packet.temporal)
        meter = self._meters.get(layer)
        if meter is None:
            # The layer numbers of every codec have two or three bits: there are at most 64 of them.
            meter = self._meters[layer] = _Meter(tenth)
        meter.add(size, part.ends_frame, tenth)
        if part.size is not None:
            self._sizes.update(_sizes(packet, part.size))

    def read(self, now: float) -> dict[Layer, LayerStats]:
        """Of the layers that flowed within the second."""
        tenth = int(now * _TENTHS)
        found: dict[Layer, LayerStats] = {}
        for (spatial, temporal), meter in sorted(self._meters.items()):
            octets, frames = meter.read(tenth)
            if octets:
                width, height = self._sizes.get(spatial, (None, None))
                found[Layer(spatial, temporal)] = LayerStats(8 * octets, float(frames), width, height)
        return found
