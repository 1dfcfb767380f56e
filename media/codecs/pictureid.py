"""The picture id of VP8 and VP9: one byte for 7 bits, two for 15 (RFC 7741 section 4.2, RFC 9628 section 4.2)."""

from __future__ import annotations

from dataclasses import dataclass

from media.codecs.part import Readable, Writable
from media.errors import BadPacket

_LONG = 0x80


@dataclass(frozen=True, slots=True)
class PictureId:
    """``at`` is where it stands in the payload."""

    value: int
    at: int
    bits: int

    @property
    def length(self) -> int:
        return 2 if self.bits == 15 else 1


def read_picture_id(payload: Readable, at: int, *, truncated: str) -> PictureId:
    if at >= len(payload):
        raise BadPacket(truncated)
    first = payload[at]
    if not first & _LONG:
        return PictureId(first, at, 7)
    if at + 1 >= len(payload):
        raise BadPacket(truncated)
    return PictureId((first & 0x7F) << 8 | payload[at + 1], at, 15)


def write_picture_id(payload: Writable, field: PictureId, value: int) -> None:
    """Keeps the field's width, so that no byte moves; ``value`` wraps to it."""
    if field.bits == 7:
        payload[field.at] = value & 0x7F
        return
    payload[field.at] = _LONG | (value >> 8) & 0x7F
    payload[field.at + 1] = value & 0xFF
