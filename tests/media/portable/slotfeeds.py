"""Packets as sources hand them to slots, and a slot that is told the time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from media.codecs.names import CodecName, Kind
from media.codecs.opus import read_opus
from media.codecs.vp8 import parse_vp8
from media.engine import Layer, SinkFormat, SinkId, SourceId
from media.extensions import ExtensionName
from media.portable.packet import Incoming
from media.portable.rewriting import Layouts
from media.portable.sink import Sink
from media.rtp import Packet

ANNE, BEN = SourceId(1), SourceId(2)
SSRC, RTX_SSRC = 7, 8
PAYLOAD_TYPES = {
    CodecName.VP8: (120, 121),
    CodecName.VP9: (98, 99),
    CodecName.AV1: (45, 46),
    CodecName.OPUS: (109, None),
}
FRAME = 3000


@dataclass
class Feed:
    """One stream of VP8. ``at`` is when its next frame arrives."""

    stream: int = 0
    number: int = 1000
    timestamp: int = 500_000
    picture_id: int = 0x100
    tl0: int = 10
    at: float = 100.0
    has_ids: bool = True

    def frame(
        self,
        *,
        key: bool = False,
        temporal: int = 0,
        sync: bool = False,
        packets: int = 2,
        extensions: Mapping[ExtensionName, bytes] | None = None,
    ) -> list[Incoming]:
        self.tl0 += temporal == 0
        made = []
        for index in range(packets):
            payload = self._payload(key, temporal, sync, index)
            descriptor = parse_vp8(payload)
            marker = index == packets - 1
            made.append(
                Incoming(
                    stream=self.stream,
                    number=self.number,
                    timestamp=self.timestamp & 0xFFFFFFFF,
                    marker=marker,
                    codec=CodecName.VP8,
                    payload=payload,
                    part=descriptor.part(marker=marker),
                    spatial=self.stream,
                    temporal=temporal,
                    extensions=extensions or {},
                    arrived=self.at,
                    descriptor=descriptor,
                )
            )
            self.number += 1
        self.picture_id += 1
        self.timestamp += FRAME
        self.at += FRAME / 90_000
        return made

    def key(self, packets: int = 2) -> list[Incoming]:
        return self.frame(key=True, packets=packets)

    def _payload(self, key: bool, temporal: int, sync: bool, index: int) -> bytes:
        first = 0x10 * (index == 0)
        body = bytes.fromhex("1002009d012a8002e001") if key else bytes.fromhex("310100")
        body = (body if index == 0 else b"") + bytes((index & 0xFF,)) * 20
        if not self.has_ids:
            return bytes((first,)) + body
        picture = (0x8000 | self.picture_id & 0x7FFF).to_bytes(2, "big")
        return bytes((0x80 | first, 0xE0, *picture, self.tl0 & 0xFF, temporal << 6 | 0x20 * sync)) + body


@dataclass
class Sound:
    number: int = 300
    timestamp: int = 96_000
    at: float = 100.0

    def packet(self, level: int | None = None, *, marker: bool = False) -> Incoming:
        payload = b"\x78" + bytes(60)
        said = {} if level is None else {ExtensionName.AUDIO_LEVEL: bytes((level,))}
        made = Incoming(
            stream=0,
            number=self.number,
            timestamp=self.timestamp,
            marker=marker,
            codec=CodecName.OPUS,
            payload=payload,
            part=read_opus(payload, marker=marker),
            spatial=0,
            temporal=0,
            extensions=said,
            arrived=self.at,
        )
        self.number += 1
        self.timestamp += 960
        self.at += 0.02
        return made


@dataclass
class Slot:
    kind: Kind = Kind.VIDEO
    extensions: Mapping[ExtensionName, int] = field(default_factory=dict)
    rtx_ssrc: int | None = RTX_SSRC
    first_number: int = 100
    mid: str = "4"
    payload_types: Mapping[CodecName, tuple[int, int | None]] = field(default_factory=lambda: PAYLOAD_TYPES)
    now: float = 100.0

    def __post_init__(self) -> None:
        self.drops: Counter[str] = Counter()
        self.seen: dict[tuple[SourceId, int, int], Incoming] = {}
        wanted = SinkFormat(self.mid, self.kind, SSRC, self.rtx_ssrc, self.payload_types, self.extensions)
        self.sink = Sink(SinkId(1), wanted, Layouts(), self.drops, first_number=self.first_number, first_repair=5)

    def offer(self, source: SourceId, *packets: Incoming) -> list[Packet]:
        """What was sent of them."""
        sent = []
        for packet in packets:
            self.seen[source, packet.stream, packet.number] = packet
            self.now = max(self.now, packet.arrived)
            data = self.sink.offer(source, packet, self.now)
            if data is not None:
                sent.append(Packet.parse(data))
        return sent

    def gap(self, source: SourceId, number: int, stream: int = 0) -> Packet | None:
        data = self.sink.gap(source, stream, number, self.now)
        return None if data is None else Packet.parse(data)

    def repair(self, *sequences: int) -> list[Packet]:
        return [Packet.parse(data) for data in self.sink.repair(sequences, self.cached, self.now)]

    def cached(self, source: SourceId, stream: int, number: int) -> Incoming | None:
        return self.seen.get((source, stream, number))

    def allow(self, *layers: tuple[int, int]) -> None:
        self.sink.allow([Layer(*layer) for layer in layers], self.now)

    def tick(self) -> None:
        self.sink.tick(self.now)


def numbers(packets: Iterable[Packet]) -> list[int]:
    return [packet.header.sequence for packet in packets]


def pictures(packets: Sequence[Packet]) -> list[tuple[int | None, int | None]]:
    """Picture id and TL0PICIDX of each."""
    found = [parse_vp8(packet.payload) for packet in packets]
    return [(None if one.picture_id is None else one.picture_id.value, one.tl0_pic_idx) for one in found]
