"""What kind of picture some bytes are, by what they hold and not by what somebody calls them. Pure.

Only the frame is read: type and size. Nothing is decoded, so nothing can blow up here; the bound on the size keeps
those who do decode from a small file that unfolds to a gigabyte.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

MAX_SIDE = 4096
# Chunks or segments; encoders write some dozens. A file of nothing but empty ones would hold up everybody else.
MAX_PARTS = 1000


@dataclass(frozen=True, slots=True)
class Picture:
    content_type: str
    width: int
    height: int


def picture_of(data: bytes) -> Picture | None:
    """None for anything that is not a PNG, JPEG or WebP from its first byte on, with sides of 1 to MAX_SIDE."""
    for content_type, size_of in _READERS.items():
        try:
            size = size_of(data)
        except (struct.error, IndexError):
            size = None
        if size is not None:
            return Picture(content_type, *size) if all(1 <= side <= MAX_SIDE for side in size) else None
    return None


def _png(data: bytes) -> tuple[int, int] | None:
    # The signature, then the header as the first chunk; the end chunk stands last.
    if data[:8] != b"\x89PNG\r\n\x1a\n" or data[8:16] != b"\x00\x00\x00\rIHDR" or data[-8:-4] != b"IEND":
        return None
    return struct.unpack_from(">II", data, 16)


def _jpeg(data: bytes) -> tuple[int, int] | None:
    if data[:3] != b"\xff\xd8\xff":
        return None
    place = 2
    for _ in range(MAX_PARTS):
        if data[place] != 0xFF:
            return None
        marker = data[place + 1]
        if marker == 0xFF:  # padding
            place += 1
            continue
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, place + 5)
            return width, height
        if marker in _JPEG_BARE or marker in _JPEG_BEYOND:
            return None
        (length,) = struct.unpack_from(">H", data, place + 2)
        place += 2 + length
    return None


# Start of frame, in all its codings; but for DHT (C4), JPG (C8) and DAC (CC), which stand between them.
_JPEG_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Markers without a length, none of which stands before the frame, and those after which no frame begins.
_JPEG_BARE: Final = frozenset({0x00, 0x01, *range(0xD0, 0xD9)})
_JPEG_BEYOND: Final = frozenset({0xD9, 0xDA})


def _webp(data: bytes) -> tuple[int, int] | None:
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return None
    (length,) = struct.unpack_from("<I", data, 4)
    if length + 8 != len(data):
        return None
    if data[12:16] == b"VP8X":
        return _webp_extended(data)
    reader = _WEBP_FRAMES.get(data[12:16])
    return None if reader is None else reader(data, 12)


def _webp_lossy(data: bytes, place: int) -> tuple[int, int] | None:
    if data[place + 11 : place + 14] != b"\x9d\x01\x2a":
        return None
    width, height = struct.unpack_from("<HH", data, place + 14)
    return width & 0x3FFF, height & 0x3FFF


def _webp_lossless(data: bytes, place: int) -> tuple[int, int] | None:
    if data[place + 8] != 0x2F:
        return None
    (packed,) = struct.unpack_from("<I", data, place + 9)
    return (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1


def _webp_extended(data: bytes) -> tuple[int, int] | None:
    """None for an animation, each of whose frames would unfold, and for a frame that is not what its canvas says."""
    if len(data) < 30:
        raise IndexError
    canvas = int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if data[20] & _WEBP_ANIMATED:
        return None
    place = 30
    for _ in range(MAX_PARTS):
        if place == len(data):
            return canvas
        kind, length = struct.unpack_from("<4sI", data, place)
        reader = _WEBP_FRAMES.get(kind)
        if reader is not None and reader(data, place) != canvas:
            return None
        place += 8 + length + length % 2
    return None


_WEBP_ANIMATED: Final = 0x02
_WEBP_FRAMES: Final[Mapping[bytes, Callable[[bytes, int], tuple[int, int] | None]]] = {
    b"VP8 ": _webp_lossy,
    b"VP8L": _webp_lossless,
}
_READERS: Final[Mapping[str, Callable[[bytes], tuple[int, int] | None]]] = {
    "image/png": _png,
    "image/jpeg": _jpeg,
    "image/webp": _webp,
}

TYPES: Final = frozenset(_READERS)
