"""Where a frame begins in packets of RTP, and where its SFrame header must stand then. The gate reads no more of a
payload than this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from media.codecs.names import CodecName
from media.errors import BadPacket
from media.framecrypto import prefix_length

# RFC 9628, section 4.2: the scalability structure's flags and those of one of its pictures.
_SIZES_FOLLOW: Final = 0x10
_PICTURES_FOLLOW: Final = 0x08


@dataclass(frozen=True, slots=True)
class FramePart:
    """What a payload holds of a frame. ``layer``: which of the frames with one timestamp. ``header_at`` means something
    where ``starts``; ``ends`` where the payload itself says so."""

    starts: bool
    ends: bool
    layer: int
    header_at: int


def frame_part(codec: CodecName, payload: bytes | memoryview) -> FramePart:
    """Of a payload that is not empty. Raises BadPacket ``descriptor_short``, ``frame_short``."""
    if codec is CodecName.OPUS:
        return FramePart(starts=True, ends=True, layer=0, header_at=prefix_length(codec, payload[0]))
    try:
        return _vp8(payload) if codec is CodecName.VP8 else _vp9(payload)
    except IndexError as short:
        raise BadPacket("descriptor_short") from short


def _vp8(payload: bytes | memoryview) -> FramePart:
    """RFC 7741, section 4.2. The frame begins where the first partition does: S set and PID 0."""
    first = payload[0]
    at = 1
    if first & 0x80:
        extension = payload[at]
        at += 1
        if extension & 0x80:
            at += 2 if payload[at] & 0x80 else 1
        at += 1 if extension & 0x40 else 0
        at += 1 if extension & 0x30 else 0
    if first & 0x17 != 0x10:
        return FramePart(starts=False, ends=False, layer=0, header_at=at)
    return FramePart(starts=True, ends=False, layer=0, header_at=at + prefix_length(CodecName.VP8, payload[at]))


def _vp9(payload: bytes | memoryview) -> FramePart:
    """RFC 9628, section 4.2: every spatial layer's frame has a start and an end of its own."""
    first = payload[0]
    at, layer = 1, 0
    has_picture_id, is_predicted, has_layers, is_flexible = (first & bit for bit in (0x80, 0x40, 0x20, 0x10))
    if has_picture_id:
        at += 2 if payload[at] & 0x80 else 1
    if has_layers:
        layer = payload[at] >> 1 & 7
        at += 1 if is_flexible else 2
    if is_predicted and is_flexible:
        at = _after_references(payload, at)
    if first & 0x02:
        at = _after_structure(payload, at)
    return FramePart(starts=bool(first & 0x08), ends=bool(first & 0x04), layer=layer, header_at=at)


def _after_references(payload: bytes | memoryview, at: int) -> int:
    """At most three, each but the last with its lowest bit set."""
    for _ in range(3):
        at += 1
        if not payload[at - 1] & 1:
            return at
    raise BadPacket("descriptor_short")


def _after_structure(payload: bytes | memoryview, at: int) -> int:
    flags = payload[at]
    at += 1
    if flags & _SIZES_FOLLOW:
        at += 4 * ((flags >> 5) + 1)
    if flags & _PICTURES_FOLLOW:
        pictures = payload[at]
        at += 1
        for _ in range(pictures):
            at += 1 + (payload[at] >> 2 & 3)
    return at
