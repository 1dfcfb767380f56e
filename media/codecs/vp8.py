"""VP8 in RTP (RFC 7741 section 4.2), and the first bytes of its frames (RFC 6386 section 9.1).

The frame's first bytes are the clear prefix of encrypted media, so key frames and their size are readable there too.
"""

from __future__ import annotations

from dataclasses import dataclass

from media.codecs.part import FramePart, Readable, Writable
from media.codecs.pictureid import PictureId, read_picture_id, write_picture_id
from media.errors import BadPacket

_EXTENDED = 0x80
_NON_REFERENCE = 0x20
_START_OF_PARTITION = 0x10
_PARTITION = 0x07
_HAS_PICTURE_ID = 0x80
_HAS_TL0 = 0x40
_HAS_TID = 0x20
_HAS_KEYIDX = 0x10
_START_CODE = b"\x9d\x01\x2a"
_KEYFRAME_HEADER = 10
_TRUNCATED = "vp8_truncated"


@dataclass(frozen=True, slots=True)
class Vp8Descriptor:
    """``length`` is that of the descriptor: the frame's bytes follow. ``tl0_at`` is where TL0PICIDX stands."""

    length: int
    is_non_reference: bool
    starts_partition: bool
    partition: int
    picture_id: PictureId | None
    tl0_pic_idx: int | None
    tl0_at: int
    temporal_id: int | None
    is_layer_sync: bool
    key_idx: int | None
    is_keyframe: bool
    size: tuple[int, int] | None

    @property
    def starts_frame(self) -> bool:
        return self.starts_partition and self.partition == 0

    def part(self, *, marker: bool) -> FramePart:
        return FramePart(
            starts_frame=self.starts_frame,
            ends_frame=marker,
            is_keyframe=self.is_keyframe,
            temporal_id=self.temporal_id,
            is_discardable=self.is_non_reference,
            is_switching_point=self.is_keyframe,
            is_layer_sync=self.is_layer_sync or self.is_keyframe,
            size=self.size,
            frame_at=self.length,
        )


def parse_vp8(payload: Readable) -> Vp8Descriptor:
    """Raises BadPacket."""
    first = _byte(payload, 0)
    extensions = _byte(payload, 1) if first & _EXTENDED else 0
    at = 2 if first & _EXTENDED else 1
    picture_id = tl0 = temporal_id = key_idx = None
    tl0_at, sync = 0, False
    if extensions & _HAS_PICTURE_ID:
        picture_id = read_picture_id(payload, at, truncated=_TRUNCATED)
        at += picture_id.length
    if extensions & _HAS_TL0:
        tl0, tl0_at = _byte(payload, at), at
        at += 1
    if extensions & (_HAS_TID | _HAS_KEYIDX):
        layers = _byte(payload, at)
        at += 1
        # Each part of this byte is to be ignored where its bit does not announce it.
        if extensions & _HAS_TID:
            temporal_id, sync = layers >> 6, bool(layers & 0x20)
        if extensions & _HAS_KEYIDX:
            key_idx = layers & 0x1F
    if at >= len(payload):
        raise BadPacket("vp8_no_frame")
    starts = bool(first & _START_OF_PARTITION)
    # The lowest bit of a frame's first byte is 0 in key frames.
    keyframe = starts and not first & _PARTITION and not payload[at] & 1
    return Vp8Descriptor(
        length=at,
        is_non_reference=bool(first & _NON_REFERENCE),
        starts_partition=starts,
        partition=first & _PARTITION,
        picture_id=picture_id,
        tl0_pic_idx=tl0,
        tl0_at=tl0_at,
        temporal_id=temporal_id,
        is_layer_sync=sync,
        key_idx=key_idx,
        is_keyframe=keyframe,
        size=_size(payload, at) if keyframe else None,
    )


def read_vp8(payload: Readable, *, marker: bool) -> FramePart:
    return parse_vp8(payload).part(marker=marker)


def rewrite_vp8(payload: Writable, descriptor: Vp8Descriptor, *, picture_id: int, tl0_pic_idx: int) -> None:
    """In place, no byte moves. What the publisher left out stays out; numbers wrap to their field's width."""
    if descriptor.picture_id is not None:
        write_picture_id(payload, descriptor.picture_id, picture_id)
    if descriptor.tl0_pic_idx is not None:
        payload[descriptor.tl0_at] = tl0_pic_idx & 0xFF


def _size(payload: Readable, at: int) -> tuple[int, int] | None:
    if len(payload) < at + _KEYFRAME_HEADER:
        return None
    if bytes(payload[at + 3 : at + 6]) != _START_CODE:
        raise BadPacket("vp8_no_start_code")
    # Fourteen bits each, little-endian; the upper two say how to scale, which is the viewer's matter.
    width = payload[at + 6] | (payload[at + 7] & 0x3F) << 8
    height = payload[at + 8] | (payload[at + 9] & 0x3F) << 8
    return width, height


def _byte(payload: Readable, at: int) -> int:
    if at >= len(payload):
        raise BadPacket(_TRUNCATED)
    return payload[at]
