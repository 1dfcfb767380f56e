"""One reader a codec, by the encoding name that session descriptions have (RFC 8866: case does not matter)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from media.codecs.av1 import read_av1
from media.codecs.h264 import read_h264
from media.codecs.opus import read_opus
from media.codecs.part import FramePart, Readable
from media.codecs.vp8 import read_vp8
from media.codecs.vp9 import read_vp9


class Reader(Protocol):
    def __call__(self, payload: Readable, *, marker: bool) -> FramePart:
        """``payload`` without RTP header and padding; ``marker`` is the header's bit. Raises BadPacket."""
        ...


READERS: Mapping[str, Reader] = MappingProxyType(
    {"vp8": read_vp8, "vp9": read_vp9, "h264": read_h264, "av1": read_av1, "opus": read_opus}
)
