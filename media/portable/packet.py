"""Packets between the two halves of the engine: understood once by their source, sent on by however many sinks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from media.codecs.names import CodecName
from media.codecs.part import FramePart
from media.codecs.vp8 import Vp8Descriptor
from media.codecs.vp9 import Vp9Descriptor
from media.dependency import DependencyDescriptor
from media.extensions import ExtensionName
from media.gate import Reason


@dataclass(slots=True, eq=False)
class Incoming:
    """``stream``: which RTP stream of its source this is, the index of its rid, 0 without simulcast. ``number`` is the
    sequence number within that stream, counted on beyond 16 bits, with padding-only packets still in the count.
    ``payload`` has no padding. ``spatial`` and ``temporal`` are those of engine.Layer. ``extensions`` has what is
    passed on to subscribers as it is, by name: audio level, orientation, content type, playout delay, dependency
    descriptor. ``is_repair``: it came late, over RTX or out of order. ``descriptor`` and ``dependency`` are what was
    read of the payload and of its dependency descriptor, for whoever rewrites them: None where there is none."""

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
    descriptor: Vp8Descriptor | Vp9Descriptor | None = None
    dependency: DependencyDescriptor | None = None


@dataclass(slots=True)
class Gap:
    """A number of the stream that came and is not forwarded, now or ever: sinks close it."""

    stream: int
    number: int


@dataclass(slots=True)
class Break:
    """The stream does not go on as it was: its encoder or its numbers began anew, or it was muted meanwhile. Numbers
    from here on are above all before, timestamps may have another base, and it is taken up at a key frame."""

    stream: int


@dataclass(slots=True)
class Refused:
    """The gate found a frame that is not what was announced: engine.Gated, but for the source."""

    reason: Reason
    muted: bool


Result: TypeAlias = Incoming | Gap | Break | Refused
