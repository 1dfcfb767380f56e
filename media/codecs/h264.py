"""H.264 in RTP (RFC 6184): single NAL units, STAP-A and FU-A, which is all that packetization modes 0 and 1 have.

Nothing here says where a frame starts but the units themselves: what stands before the first slice of a picture does,
and so does that slice. Of a key frame it is the sequence parameter set: browsers send one before each, often in a
packet of its own, and who begins with the slices behind it decodes nothing. Layers are not told at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from media.codecs.part import FramePart, Readable
from media.errors import BadPacket

_SLICE = 1
_PARTITION_A = 2
_IDR = 5
_SEI = 6
_SPS = 7
_PPS = 8
_DELIMITER = 9
_LAST_SINGLE = 23
_STAP_A = 24
_FU_A = 28
_INTERLEAVED = frozenset({25, 26, 27, 29})
# Before the first slice of a picture stand these (ITU-T H.264 section 7.4.1.2.3); a PPS follows an SPS.
_HEADS = frozenset({_SEI, _SPS, _DELIMITER})
# An IDR slice follows its parameter sets.
_SLICES = frozenset({_SLICE, _PARTITION_A})
_TRUNCATED = "h264_truncated"


@dataclass(frozen=True, slots=True)
class NalUnit:
    """A unit or the fragment of one. ``first_byte`` follows the unit's header, None where nothing does."""

    kind: int
    reference: int
    starts: bool
    ends: bool
    first_byte: int | None

    @property
    def starts_picture(self) -> bool:
        """In a slice's first bits stands its first macroblock's number: 0 is the single bit 1."""
        if not self.starts:
            return False
        if self.kind in _HEADS:
            return True
        return self.kind in _SLICES and self.first_byte is not None and bool(self.first_byte & 0x80)


@dataclass(frozen=True, slots=True)
class H264Payload:
    units: tuple[NalUnit, ...]

    def has(self, kind: int) -> bool:
        return any(unit.kind == kind and unit.starts for unit in self.units)

    @property
    def has_sps(self) -> bool:
        return self.has(_SPS)

    @property
    def has_pps(self) -> bool:
        return self.has(_PPS)

    @property
    def has_idr(self) -> bool:
        return self.has(_IDR)

    def part(self, *, marker: bool) -> FramePart:
        starts = self.units[0].starts_picture
        keyframe = starts and self.has_sps
        return FramePart(
            starts_frame=starts,
            ends_frame=marker,
            is_keyframe=keyframe,
            is_discardable=all(unit.reference == 0 for unit in self.units),
            is_switching_point=keyframe,
            is_layer_sync=keyframe,
        )


def parse_h264(payload: Readable) -> H264Payload:
    """Raises BadPacket."""
    if not payload:
        raise BadPacket(_TRUNCATED)
    kind = _kind(payload[0])
    if kind == _STAP_A:
        return H264Payload(tuple(_aggregated(payload)))
    if kind == _FU_A:
        return H264Payload((_fragment(payload),))
    if kind in _INTERLEAVED:
        raise BadPacket("h264_interleaved")
    return H264Payload((_unit(payload, 0, len(payload)),))


def read_h264(payload: Readable, *, marker: bool) -> FramePart:
    return parse_h264(payload).part(marker=marker)


def _kind(header: int) -> int:
    if header & 0x80:
        # forbidden_zero_bit: whoever sent this says that the unit is damaged.
        raise BadPacket("h264_damaged")
    return header & 0x1F


def _unit(payload: Readable, at: int, end: int) -> NalUnit:
    kind = _kind(payload[at])
    if not 1 <= kind <= _LAST_SINGLE:
        raise BadPacket("h264_unknown_unit")
    first = payload[at + 1] if at + 1 < end else None
    return NalUnit(kind, payload[at] >> 5 & 3, starts=True, ends=True, first_byte=first)


def _aggregated(payload: Readable) -> Iterator[NalUnit]:
    """Section 5.7.1: units, each after its size in two bytes."""
    at = 1
    if at == len(payload):
        raise BadPacket(_TRUNCATED)
    while at < len(payload):
        if at + 2 > len(payload):
            raise BadPacket(_TRUNCATED)
        size = payload[at] << 8 | payload[at + 1]
        at += 2
        if not size or at + size > len(payload):
            raise BadPacket(_TRUNCATED)
        yield _unit(payload, at, at + size)
        at += size


def _fragment(payload: Readable) -> NalUnit:
    """Section 5.8: the unit's header is spread over two bytes; nothing need follow them."""
    if len(payload) < 2:
        raise BadPacket(_TRUNCATED)
    indicator, header = payload[0], payload[1]
    starts, ends = bool(header & 0x80), bool(header & 0x40)
    if starts and ends:
        raise BadPacket("h264_whole_fragment")
    kind = header & 0x1F
    if not 1 <= kind <= _LAST_SINGLE:
        raise BadPacket("h264_unknown_unit")
    first = payload[2] if len(payload) > 2 else None
    return NalUnit(kind, indicator >> 5 & 3, starts=starts, ends=ends, first_byte=first)
