"""What a participant asks of its connection, typed, and what it is answered."""

from __future__ import annotations

from dataclasses import dataclass

from media.codecs.names import Kind
from sfu.sources import Source


@dataclass(frozen=True, slots=True)
class Encoding:
    """One layer of a simulcast."""

    rid: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Publication:
    """A section that the participant sends on. ``layers`` from the lowest up."""

    mid: str
    cid: str
    kind: Kind
    source: Source
    encrypted: bool
    layers: tuple[Encoding, ...] = ()


@dataclass(frozen=True, slots=True)
class Receive:
    audio: int = 0
    video: int = 0


@dataclass(frozen=True, slots=True)
class Published:
    cid: str
    track: str


@dataclass(frozen=True, slots=True)
class OpenSlot:
    mid: str
    kind: Kind
    stream: str


@dataclass(frozen=True, slots=True)
class Negotiated:
    sdp: str
    published: tuple[Published, ...]
    slots: tuple[OpenSlot, ...]
