"""A stream's time in a slot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from media.codecs.names import CodecName
from media.engine import SourceId
from media.portable.rewriting import PictureShifts
from media.portable.selection import Flow, Limits
from media.sequence import Turn

# A session description names at most 32 encodings of one source.
_STREAM_BITS: Final = 8


def key_of(source: SourceId, stream: int) -> int:
    """What ``media.sequence`` calls a source: every stream counts for itself."""
    return source << _STREAM_BITS | stream


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Passage(Turn):
    """What belongs to it, and to its repairs ever after. ``spatial`` is the stream's lowest layer."""

    owner: SourceId
    stream: int
    spatial: int
    codec: CodecName
    payload_type: int
    rtx_payload_type: int | None
    pictures: PictureShifts
    limits: Limits
    flow: Flow
