"""A packet between the two halves of the engine: understood once by its source, sent on by however many sinks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from media.codecs.names import CodecName
from media.codecs.part import FramePart
from media.extensions import ExtensionName


@dataclass(slots=True, eq=False)
class Incoming:
    """``stream``: which RTP stream of its source this is, the index of its rid, 0 without simulcast. ``number`` is the
    sequence number within that stream, counted on beyond 16 bits, with padding-only packets still in the count.
    ``payload`` has no padding. ``spatial`` and ``temporal`` are those of engine.Layer. ``extensions`` has what is
    passed on to subscribers as it is, by name: audio level, orientation, content type, playout delay, dependency
    descriptor. ``is_repair``: it came late, over RTX or out of order."""

    stream: int
    number: int
    timestamp: int
    marker: bool
    codec: CodecName
    payload: bytes
    part: FramePart
    spatial: int
    temporal: int
    extensions: Mapping[ExtensionName, bytes]
    arrived: float
    is_repair: bool = False
