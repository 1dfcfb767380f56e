"""A publisher's packets, as browsers build them, parsed as they come out of SRTP."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from media import rtp
from media.codecs.names import CodecName, Kind
from media.engine import SourceFormat
from media.extensions import ExtensionName
from media.portable.packet import Gap, Incoming, Result
from media.portable.router import Router
from media.portable.source import Source

VP8, VP9, H264, AV1, OPUS, RED = (
    CodecName.VP8,
    CodecName.VP9,
    CodecName.H264,
    CodecName.AV1,
    CodecName.OPUS,
    CodecName.RED,
)
PAYLOAD_TYPES = {VP8: 96, VP9: 98, H264: 102, AV1: 45, OPUS: 111, RED: 63}
RTX = 97

MID, RID, REPAIRED_RID, LEVEL, ORIENTATION, DEPENDENCY, TRANSPORT_CC = 4, 10, 11, 1, 13, 12, 3
EXTENSIONS = {
    MID: ExtensionName.MID,
    RID: ExtensionName.RID,
    REPAIRED_RID: ExtensionName.REPAIRED_RID,
    LEVEL: ExtensionName.AUDIO_LEVEL,
    ORIENTATION: ExtensionName.ORIENTATION,
    TRANSPORT_CC: ExtensionName.TRANSPORT_CC,
}

KEY_FRAME = bytes.fromhex("1002009d012a8002e001") + bytes(range(200))
DELTA_FRAME = bytes.fromhex("310100") + bytes(range(200, 0, -1))
SOUND = b"\x78" + bytes(range(80))


def video(
    mid: str = "1",
    *,
    rids: Sequence[str] = (),
    codec: CodecName = VP8,
    ssrcs: Mapping[str, tuple[int, int | None]] | None = None,
    payload_types: Mapping[int, CodecName] | None = None,
    extensions: Mapping[int, ExtensionName] = EXTENSIONS,
) -> SourceFormat:
    kind = PAYLOAD_TYPES[codec]
    if codec in (VP9, AV1):
        extensions = {**extensions, DEPENDENCY: ExtensionName.DEPENDENCY_DESCRIPTOR}
    return SourceFormat(mid, Kind.VIDEO, payload_types or {kind: codec}, {RTX: kind}, rids, ssrcs or {}, extensions)


def audio(mid: str = "0", *, codec: CodecName = OPUS, repairs: Mapping[int, int] | None = None) -> SourceFormat:
    return SourceFormat(mid, Kind.AUDIO, {PAYLOAD_TYPES[codec]: codec}, repairs or {}, extensions=EXTENSIONS)


def packet(
    ssrc: int,
    sequence: int,
    payload: bytes = b"",
    *,
    timestamp: int = 0,
    marker: bool = False,
    kind: int = PAYLOAD_TYPES[VP8],
    extensions: Mapping[int, bytes] | None = None,
    padding: int = 0,
) -> rtp.Packet:
    values = extensions or {}
    layout = rtp.ExtensionLayout([rtp.Slot(identifier, max(1, len(value))) for identifier, value in values.items()])
    header = rtp.Header(
        payload_type=kind, sequence=sequence & 0xFFFF, timestamp=timestamp & 0xFFFFFFFF, ssrc=ssrc, marker=marker
    )
    return rtp.Packet.parse(rtp.build(header, payload, extension_block=layout.render(values), padding=padding))


def repair_of(lost: rtp.Packet, ssrc: int, sequence: int, extensions: Mapping[int, bytes] | None = None) -> rtp.Packet:
    values = extensions or {}
    layout = rtp.ExtensionLayout([rtp.Slot(identifier, len(value)) for identifier, value in values.items()])
    block = layout.render(values)
    wrapped = rtp.wrap_rtx(lost, payload_type=RTX, ssrc=ssrc, sequence=sequence, extension_block=block)
    return rtp.Packet.parse(wrapped)


def padding(ssrc: int, sequence: int, *, kind: int = PAYLOAD_TYPES[VP8]) -> rtp.Packet:
    return packet(ssrc, sequence, padding=200, kind=kind)


@dataclass(slots=True)
class Sender:
    """One SSRC: frames to packets."""

    ssrc: int = 1000
    codec: CodecName = VP8
    sequence: int = 5000
    timestamp: int = 90_000
    pieces: int = 3
    extensions: dict[int, bytes] = field(default_factory=dict)
    frames: int = 0

    def frame(self, data: bytes, *, temporal: int = 0) -> list[rtp.Packet]:
        self.timestamp += 3000
        self.frames += 1
        size = -(-len(data) // self.pieces)
        parts = [data[at : at + size] for at in range(0, len(data), size)]
        made = []
        for index, part in enumerate(parts):
            first, last = index == 0, index == len(parts) - 1
            payload = self._descriptor(temporal, first=first, last=last) + part
            made.append(self._packet(payload, marker=last and self.codec is not OPUS))
        return made

    def key_frame(self) -> list[rtp.Packet]:
        return self.frame(KEY_FRAME)

    def delta(self, *, temporal: int = 0) -> list[rtp.Packet]:
        return self.frame(DELTA_FRAME, temporal=temporal)

    def padding(self) -> rtp.Packet:
        self.sequence += 1
        return padding(self.ssrc, self.sequence - 1)

    def _packet(self, payload: bytes, *, marker: bool) -> rtp.Packet:
        self.sequence += 1
        return packet(
            self.ssrc,
            self.sequence - 1,
            payload,
            timestamp=self.timestamp,
            marker=marker,
            kind=PAYLOAD_TYPES[self.codec],
            extensions=self.extensions,
        )

    def _descriptor(self, temporal: int, *, first: bool, last: bool) -> bytes:
        if self.codec is VP8:
            # X; I, L and T; a long picture id, TL0PICIDX, TID.
            picture_id = (0x8000 | self.frames).to_bytes(2, "big")
            return bytes((0x80 | 0x10 * first, 0xE0, *picture_id, 2, temporal << 6))
        if self.codec is VP9:
            return bytes((0x80 | 0x08 * first | 0x04 * last, 0x81, 7))
        return b""


def sound(ssrc: int = 2000) -> Sender:
    return Sender(ssrc, OPUS, pieces=1)


@dataclass(slots=True)
class Ingress:
    """A router and what its sources make of packets, on a clock that tests move."""

    drops: Counter[str] = field(default_factory=Counter)
    now: float = 100.0
    router: Router = field(init=False)

    def __post_init__(self) -> None:
        self.router = Router(self.drops)

    def add(self, sent: SourceFormat) -> Source:
        source = Source(sent, self.drops)
        self.router.add(source, self.now)
        return source

    def receive(self, *packets: rtp.Packet, every: float = 0.0) -> list[Result]:
        results: list[Result] = []
        for one in packets:
            source = self.router.route(one, self.now)
            if source is not None:
                results.extend(source.receive(one, self.now))
            self.now += every
        return results


def forwarded(results: Sequence[Result]) -> list[Incoming]:
    return [one for one in results if isinstance(one, Incoming)]


def gaps(results: Sequence[Result]) -> list[int]:
    """The lowest 16 bits of their numbers."""
    return [one.number & 0xFFFF for one in results if isinstance(one, Gap)]


def sequences(results: Sequence[Result]) -> list[int]:
    return [one.number & 0xFFFF for one in forwarded(results)]


def kinds(results: Sequence[Result]) -> list[str]:
    return [type(one).__name__ for one in results]
