"""Pictures without what cameras and programs write beside the pixels: where and when, by whom and with what. Pure.

What stays is what the pixels of one still picture need to look right, by name: whatever nobody has thought of goes.
Pixels are copied, not decoded, so nothing can blow up here.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Mapping
from typing import Final

from identity.images import MAX_PARTS

# The pixels, and what says how to show them. Without its chunks an animation is its first picture.
_PNG_PIXELS: Final = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})
_PNG_SHOWN: Final = _PNG_PIXELS | {b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"sBIT", b"pHYs", b"bKGD"}
# What a colour profile of a PNG may unfold to; those of cameras and printers have less.
_MAX_PROFILE: Final = 1 << 20
_WEBP_SHOWN: Final = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ICCP"})
_WEBP_EXIF_AND_XMP: Final = 0x08 | 0x04
# Application segments that stay, by how they begin: JFIF's, colour profiles, and Adobe's, which says how colours are
# coded. Others use the same markers for small copies of the picture as it was before somebody cut it.
_JPEG_SHOWN: Final[Mapping[int, bytes]] = {0xE0: b"JFIF\0", 0xE2: b"ICC_PROFILE", 0xEE: b"Adobe"}
_JPEG_NOTES: Final = frozenset({*range(0xE0, 0xF0), 0xFE})
_JFIF_WITHOUT_COPY: Final = 16
# What ends the bytes of a scan: neither an FF of theirs, written FF 00, nor a place to begin anew, nor padding.
_JPEG_MARKER: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_JPEG_JFIF, _JPEG_EXIF, _JPEG_SCAN, _JPEG_END = 0xE0, 0xE1, 0xDA, 0xD9
_ORIENTATION: Final = 0x0112


def without_metadata(content_type: str, data: bytes) -> bytes | None:
    """None for a picture that is not put together as its format says."""
    try:
        return _CLEANERS[content_type](data)
    except (struct.error, IndexError):
        return None


def _png(data: bytes) -> bytes | None:
    kept, place, profiles = bytearray(data[:8]), 8, 0
    for _ in range(MAX_PARTS):
        length, kind = struct.unpack_from(">I4s", data, place)
        end = place + 12 + length
        if end > len(data):
            return None
        profiles += kind == b"iCCP"
        is_good = kind != b"iCCP" or (profiles == 1 and _is_profile(data[place + 8 : end - 4]))
        if kind in _PNG_SHOWN and is_good:
            kept += data[place:end]
        place = end
        if kind == b"IEND":
            return bytes(kept) if place == len(data) else None
    return None


def _is_profile(chunk: bytes) -> bool:
    """A name of at most 79 bytes, how it is compressed (there is one way), and a profile that is no bomb."""
    name, _, rest = chunk.partition(b"\0")
    unfolding = zlib.decompressobj()
    try:
        unfolding.decompress(rest[1:], _MAX_PROFILE)
    except zlib.error:
        return False
    return len(name) <= 79 and rest[:1] == b"\0" and unfolding.eof


def _webp(data: bytes) -> bytes | None:
    kept, place = bytearray(), 12
    for _ in range(MAX_PARTS):
        if place == len(data):
            return b"RIFF" + struct.pack("<I", len(kept) + 4) + b"WEBP" + bytes(kept)
        kind, length = struct.unpack_from("<4sI", data, place)
        end = place + 8 + length + length % 2
        if end > len(data):
            return None
        if kind in _WEBP_SHOWN:
            start = len(kept)
            kept += data[place:end]
            if kind == b"VP8X":
                kept[start + 8] &= ~_WEBP_EXIF_AND_XMP & 0xFF
        place = end
    return None


def _jpeg(data: bytes) -> bytes | None:
    kept, place = bytearray(data[:2]), 2
    for _ in range(MAX_PARTS):
        if data[place] != 0xFF:
            return None
        marker = data[place + 1]
        if marker == 0xFF:  # padding
            place += 1
            continue
        if marker == _JPEG_END:  # telephones put further pictures behind it, with notes of their own
            return bytes(kept) + data[place : place + 2]
        (length,) = struct.unpack_from(">H", data, place + 2)
        end = place + 2 + length
        if length < 2 or end > len(data):
            return None
        if marker == _JPEG_EXIF:
            kept += _turned(data[place + 4 : end])
        elif marker not in _JPEG_NOTES or _is_shown(marker, data[place + 4 : end]):
            kept += data[place:end]
        place = end
        if marker == _JPEG_SCAN:
            behind = _JPEG_MARKER.search(data, place)
            if behind is None:
                return None
            kept += data[place : behind.start()]
            place = behind.start()
    return None


def _is_shown(marker: int, segment: bytes) -> bool:
    beginning = _JPEG_SHOWN.get(marker)
    if beginning is None or not segment.startswith(beginning):
        return False
    return marker != _JPEG_JFIF or len(segment) + 2 == _JFIF_WITHOUT_COPY


def _turned(exif: bytes) -> bytes:
    """Of what a camera wrote only how it was held, so that the picture does not lie on its side."""
    orientation = _orientation(exif)
    if orientation is None:
        return b""
    entry = struct.pack(">HHHIHHI", 1, _ORIENTATION, 3, 1, orientation, 0, 0)
    body = b"Exif\0\0MM\0*" + struct.pack(">I", 8) + entry
    return bytes((0xFF, _JPEG_EXIF)) + struct.pack(">H", len(body) + 2) + body


def _orientation(exif: bytes) -> int | None:
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[6:10])
    if exif[:6] != b"Exif\0\0" or order is None:
        return None
    try:
        (directory,) = struct.unpack_from(f"{order}I", exif, 10)
        (count,) = struct.unpack_from(f"{order}H", exif, 6 + directory)
        for number in range(count):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", exif, 8 + directory + 12 * number)
            if tag == _ORIENTATION:
                return value if kind == 3 and 1 <= value <= 8 else None
    except struct.error:
        pass
    return None


_CLEANERS: Final[Mapping[str, Callable[[bytes], bytes | None]]] = {
    "image/png": _png,
    "image/jpeg": _jpeg,
    "image/webp": _webp,
}
