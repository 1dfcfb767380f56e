"""What real browsers sent, decrypted, as files of ``fixtures/captures``.

A file is gzip over one line of JSON and then one record a packet, in the order of arrival: microseconds since the first
(4 bytes), 0 for RTP or 1 for RTCP (1), length (2), how many bytes of it are kept (2), those bytes. Of RTP all headers
are kept and the first KEPT bytes of payload, or all of it where a codec has structure throughout; the rest is zeros
here. Pictures are not what is tested, and files stay small. ``tests/media/capturing.py`` makes them anew.
"""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from media.codecs.names import CodecName, Kind
from media.engine import SourceFormat
from media.extensions import ExtensionName
from media.rtp import Packet

FOLDER: Final = Path(__file__).parent / "fixtures" / "captures"
CLEAR: Final = ("vp8_simulcast", "vp9_svc", "av1", "h264", "opus_dtx", "screen")
SEALED: Final = ("sealed_vp8", "sealed_vp9", "sealed_opus")
NAMES: Final = CLEAR + SEALED
# What the frames of sealed ones name their key by.
KEY_ID: Final = 0xC0FFEE
KEPT: Final = 48
LOWEST_FIRST: Final = ("q", "h", "f")
_KEPT_WHOLE: Final = frozenset({CodecName.AV1, CodecName.H264})

_RECORD: Final = struct.Struct("!IBHH")


class Sent(msgspec.Struct, frozen=True):
    """What the browser itself said of one of its streams at the end. ``rid`` is empty without simulcast."""

    ssrc: int
    rid: str
    packets: int
    retransmitted: int
    frames: int = 0
    keyframes: int = 0
    width: int = 0
    height: int = 0


class About(msgspec.Struct, frozen=True):
    """``payload_types`` names those of media, ``repairs`` those of repairs and what they repair; ``extensions`` by id,
    as the names of ``ExtensionName``."""

    browser: str
    payload_types: Mapping[int, CodecName]
    repairs: Mapping[int, int]
    extensions: Mapping[int, str]
    sent: Sequence[Sent]


@dataclass(frozen=True, slots=True)
class Captured:
    """``at`` in seconds since the first packet."""

    at: float
    is_rtcp: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class Capture:
    about: About
    packets: Sequence[Captured]

    @property
    def extension_ids(self) -> Mapping[ExtensionName, int]:
        return {ExtensionName[name]: number for number, name in self.about.extensions.items()}

    @property
    def published(self) -> SourceFormat:
        """As an engine is told of it."""
        about = self.about
        rids = {one.rid for one in about.sent}
        return SourceFormat(
            mid="0",
            kind=Kind.AUDIO if CodecName.OPUS in about.payload_types.values() else Kind.VIDEO,
            payload_types=about.payload_types,
            repairs=about.repairs,
            rids=[rid for rid in LOWEST_FIRST if rid in rids],
            extensions={number: ExtensionName[name] for number, name in about.extensions.items()},
        )

    def rtp(self) -> Iterator[Packet]:
        return (Packet.parse(one.data) for one in self.packets if not one.is_rtcp)

    def media(self) -> Iterator[Packet]:
        """Without repairs and without packets that only fill the path."""
        return (one for one in self.rtp() if one.header.payload_type in self.about.payload_types and one.payload)


def path_of(name: str) -> Path:
    return FOLDER / f"{name}.capture.gz"


def load(name: str) -> Capture:
    text, _, rest = gzip.decompress(path_of(name).read_bytes()).partition(b"\n")
    packets = []
    at = 0
    while at < len(rest):
        moment, is_rtcp, length, kept = _RECORD.unpack_from(rest, at)
        at += _RECORD.size
        packets.append(Captured(moment / 1e6, bool(is_rtcp), rest[at : at + kept].ljust(length, b"\0")))
        at += kept
    return Capture(msgspec.json.decode(text, type=About), packets)


def save(name: str, capture: Capture) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    records = [msgspec.json.encode(capture.about) + b"\n"]
    for one in capture.packets:
        kept = one.data if one.is_rtcp else one.data[: _kept(one.data, capture.about)]
        records += [_RECORD.pack(round(one.at * 1e6), one.is_rtcp, len(one.data), len(kept)), kept]
    # Without a time of day, so that the same packets are the same file.
    path_of(name).write_bytes(gzip.compress(b"".join(records), 9, mtime=0))


def _kept(data: bytes, about: About) -> int:
    packet = Packet.parse(data)
    codec = about.payload_types.get(packet.header.payload_type)
    # The last byte of padding counts.
    return len(data) if packet.padding or codec in _KEPT_WHOLE else len(data) - max(0, len(packet.payload) - KEPT)
