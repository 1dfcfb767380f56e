"""AV1 in RTP (RTP Payload Format For AV1, section 4): the aggregation header and the heads of the units behind it.

The payload tells key frames and layers, but of several frames of one picture not where each ends; the dependency
descriptor (media.dependency) does, and is what forwarding goes by where it is negotiated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from media.codecs.part import FramePart, Readable
from media.errors import BadPacket

_CONTINUES = 0x80
_CONTINUED = 0x40
_NEW_SEQUENCE = 0x08
# AV1 specification section 6.2.2
_SEQUENCE_HEADER = 1
_TEMPORAL_DELIMITER = 2
_FRAME_HEADER = 3
_METADATA = 5
_FRAME = 6
_STARTERS = frozenset({_SEQUENCE_HEADER, _TEMPORAL_DELIMITER, _FRAME_HEADER, _METADATA, _FRAME})
# AV1 specification section 4.10.5
_LONGEST_LEB128 = 8
_TRUNCATED = "av1_truncated"


@dataclass(frozen=True, slots=True)
class Unit:
    """An OBU that begins in this packet. ``begins_key`` is of frame headers, None in others or where it is cut off."""

    kind: int
    temporal_id: int | None
    spatial_id: int | None
    begins_key: bool | None


@dataclass(frozen=True, slots=True)
class Av1Payload:
    """``continues``: it begins in the middle of a unit; ``is_continued``: its last unit goes on in the next packet."""

    continues: bool
    is_continued: bool
    is_new_sequence: bool
    units: tuple[Unit, ...]

    @property
    def has_sequence_header(self) -> bool:
        return any(unit.kind == _SEQUENCE_HEADER for unit in self.units)

    def part(self, *, marker: bool) -> FramePart:
        starts = not self.continues and bool(self.units) and self.units[0].kind in _STARTERS
        # A key frame without the sequence header is of no use to who begins here.
        begins = self.is_new_sequence or (self.has_sequence_header and any(unit.begins_key for unit in self.units))
        layered = next((unit for unit in self.units if unit.spatial_id is not None), None)
        keyframe = starts and begins
        return FramePart(
            starts_frame=starts,
            ends_frame=marker,
            is_keyframe=keyframe,
            temporal_id=layered.temporal_id if layered else None,
            spatial_id=layered.spatial_id if layered else None,
            is_switching_point=keyframe,
            is_layer_sync=keyframe,
        )


def parse_av1(payload: Readable) -> Av1Payload:
    """Raises BadPacket."""
    if len(payload) < 2:
        raise BadPacket(_TRUNCATED)
    head = payload[0]
    continues, continued = bool(head & _CONTINUES), bool(head & _CONTINUED)
    new = bool(head & _NEW_SEQUENCE)
    if new and continues:
        raise BadPacket("av1_sequence_in_the_middle")
    units: list[Unit] = []
    for number, (at, end) in enumerate(_elements(payload, count=head >> 4 & 3)):
        if at == end or (number == 0 and continues):
            continue
        units.append(_unit(payload, at, end, may_be_cut=continued and end == len(payload)))
    return Av1Payload(continues, continued, new, tuple(units))


def read_av1(payload: Readable, *, marker: bool) -> FramePart:
    return parse_av1(payload).part(marker=marker)


def _elements(payload: Readable, *, count: int) -> Iterator[tuple[int, int]]:
    """Each has its length before it, but the last one where they are counted. Every turn takes a byte at least."""
    at, number = 1, 0
    while at < len(payload):
        number += 1
        if number == count:
            yield at, len(payload)
            return
        size, at = _leb128(payload, at)
        if at + size > len(payload):
            raise BadPacket(_TRUNCATED)
        yield at, at + size
        at += size
    if number < count:
        raise BadPacket(_TRUNCATED)


def _unit(payload: Readable, at: int, end: int, *, may_be_cut: bool) -> Unit:
    header = payload[at]
    if header & 0x80:
        raise BadPacket("av1_damaged")
    kind = header >> 3 & 0x0F
    temporal_id = spatial_id = None
    at += 1
    if header & 0x04:
        if at < end:
            temporal_id, spatial_id = payload[at] >> 5, payload[at] >> 3 & 3
        elif not may_be_cut:
            raise BadPacket(_TRUNCATED)
        at += 1
    if header & 0x02 and at < end:
        _, at = _leb128(payload, at)
    begins_key = None
    if kind in (_FRAME, _FRAME_HEADER) and at < end:
        # show_existing_frame and two bits of frame_type, of which 0 is KEY_FRAME (section 5.9.2). Still pictures have
        # neither, and nobody sends them in a call.
        begins_key = payload[at] >> 5 == 0
    return Unit(kind, temporal_id, spatial_id, begins_key)


def _leb128(payload: Readable, at: int) -> tuple[int, int]:
    value = 0
    for place in range(_LONGEST_LEB128):
        if at >= len(payload):
            raise BadPacket(_TRUNCATED)
        byte = payload[at]
        at += 1
        value |= (byte & 0x7F) << 7 * place
        if not byte & 0x80:
            return value, at
    raise BadPacket("av1_long_length")
