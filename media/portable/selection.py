"""Which layer of a source flows into a slot. Pure: what is allowed, what was seen and ``now`` in, limits out.

Encodings of a simulcast are streams of their own and are left only at a key frame of the next. Layers within one stream
are left at once, where a picture ends, and taken up where nothing older is needed: temporal ones at their sync frames,
one after another; spatial ones at key frames, because a picture's last packet is marked before it is known whether the
layer above could be taken up in it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

from media.engine import Layer
from media.portable.packet import Incoming

# Between two frames of the slowest layer that browsers send (5 a second, of screens) lie 0.2 s.
STALLED_AFTER: Final = 0.6
# What the layer numbers of every codec have room for.
MOST_LAYERS: Final = 8
_TOP: Final = MOST_LAYERS - 1
EVERYTHING: Final = Layer(_TOP, _TOP)
# A late packet is decided by the limits of its time; repairs come within a second, and limits change rarely.
_CHANGES_KEPT: Final = 16
# Padding and frames that were not forwarded, while the first packet of a key frame is repaired.
_GAPS_KEPT: Final = 32
_LONG_AGO: Final = float("-inf")


class Flow:
    """What was seen of one source: by spatial layer, when and in which stream; and of each stream that does not flow
    into the slot the highest number, and which lately are none of a packet that is forwarded."""

    __slots__ = ("arrived", "gaps", "highest", "streams")

    def __init__(self) -> None:
        self.arrived: Final = [_LONG_AGO] * MOST_LAYERS
        self.streams: Final = [0] * MOST_LAYERS
        self.highest: Final = [-1] * MOST_LAYERS
        self.gaps: Final = deque[tuple[int, int]](maxlen=_GAPS_KEPT)

    def saw(self, packet: Incoming) -> None:
        self.highest[packet.stream] = max(self.highest[packet.stream], packet.number)
        self.arrived[packet.spatial] = packet.arrived
        self.streams[packet.spatial] = packet.stream

    def layers(self, now: float) -> list[int]:
        """The spatial layers that flow, from the lowest up."""
        since = now - STALLED_AFTER
        return [spatial for spatial, at in enumerate(self.arrived) if at >= since]


def aimed(allowed: Sequence[Layer], flowing: Sequence[int]) -> Layer:
    """The highest allowed layer that flows. Where none of them does, the next below; or else the lowest that flows at
    all, since something is better than nothing."""
    highest = allowed[-1] if allowed else EVERYTHING
    if not flowing:
        return highest
    if not allowed:
        return Layer(flowing[-1], _TOP)
    for layer in reversed(allowed):
        if layer.spatial in flowing:
            return layer
    below = [spatial for spatial in flowing if spatial < highest.spatial]
    return Layer(below[-1] if below else flowing[0], highest.temporal)


def brings_nearer(spatial: int, *, current: int, aim: int) -> bool:
    """Whether a switch to this encoding lies on the way."""
    return current < spatial <= aim or aim <= spatial < current


class Limits:
    """The highest layers of one stream that flow, and those that they shall be. ``number`` is the stream's."""

    __slots__ = ("_changes", "_to_spatial", "_to_temporal", "spatial", "temporal")

    def __init__(self, spatial: int, temporal: int) -> None:
        self.spatial = self._to_spatial = spatial
        self.temporal = self._to_temporal = temporal
        self._changes: deque[tuple[int, int, int, int]] = deque(maxlen=_CHANGES_KEPT)

    @property
    def is_settled(self) -> bool:
        return self.spatial == self._to_spatial and self.temporal == self._to_temporal

    @property
    def awaits_keyframe(self) -> bool:
        return self.spatial < self._to_spatial

    def aim(self, spatial: int, temporal: int) -> None:
        self._to_spatial, self._to_temporal = spatial, temporal

    def enter(self, packet: Incoming) -> bool:
        """A picture begins with this packet, the first that came of it. Whether the limits are others now."""
        part = packet.part
        spatial, temporal = self._to_spatial, self._to_temporal
        if not part.is_keyframe:
            spatial = min(self.spatial, spatial)
            takes_up = packet.temporal == self.temporal + 1 <= temporal and part.is_layer_sync and part.starts_frame
            temporal = packet.temporal if takes_up else min(self.temporal, temporal)
        if spatial == self.spatial and temporal == self.temporal:
            return False
        # What held for the pictures before; of this one, packets with lower numbers may still come.
        self._changes.append((packet.number, packet.timestamp, self.spatial, self.temporal))
        self.spatial, self.temporal = spatial, temporal
        return True

    def admits(self, packet: Incoming) -> bool:
        spatial, temporal = self.at(packet)
        return packet.spatial <= spatial and packet.temporal <= temporal

    def changed_at(self, packet: Incoming) -> bool:
        return any(packet.timestamp == timestamp for _, timestamp, _, _ in self._changes)

    def at(self, packet: Incoming) -> tuple[int, int]:
        """Those that hold for this packet."""
        for number, timestamp, spatial, temporal in self._changes:
            if packet.number < number and packet.timestamp != timestamp:
                return spatial, temporal
        return self.spatial, self.temporal


def limits_in_stream(allowed: Sequence[Layer], aim: Layer, flow: Flow, *, stream: int, spatial: int) -> tuple[int, int]:
    """For the stream that flows, whose lowest layer is ``spatial``. Every stream but the first is an encoding of its
    own and has one spatial layer. Spatial layers that stop flowing are no reason to lower the limit: those below go on,
    and where the layer begins anew it needs nothing older."""
    highest = allowed[-1] if allowed else EVERYTHING
    if flow.streams[aim.spatial] == stream:
        temporal = aim.temporal
    else:
        temporal = max((layer.temporal for layer in allowed if layer.spatial == spatial), default=_TOP)
    return (_TOP if stream else highest.spatial), temporal
