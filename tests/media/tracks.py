"""Tracks as browsers send them, packet by packet: descriptors and header extensions are real, pictures are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from media.extensions import AudioLevel, ExtensionName, write_mid, write_rid, write_transport_sequence
from media.rtp import ExtensionLayout, Header, Packet, Slot, build
from media.sequence import distance

# As Chromium has them in an offer of today.
EXTENSIONS: Mapping[int, ExtensionName] = {
    1: ExtensionName.AUDIO_LEVEL,
    2: ExtensionName.ABS_SEND_TIME,
    3: ExtensionName.TRANSPORT_CC,
    4: ExtensionName.MID,
    10: ExtensionName.RID,
    11: ExtensionName.REPAIRED_RID,
    13: ExtensionName.ORIENTATION,
}
_IDS = {name: identifier for identifier, name in EXTENSIONS.items()}


class TransportSequence:
    """Counts what one connection sends, all its streams together."""

    def __init__(self) -> None:
        self.next = 0

    def take(self) -> int:
        self.next = (self.next + 1) & 0xFFFF
        return self.next


def extension_block(values: Mapping[ExtensionName, bytes]) -> bytes:
    slots = [Slot(_IDS[name], len(value)) for name, value in values.items()]
    return ExtensionLayout(slots).render({_IDS[name]: value for name, value in values.items()})


@dataclass
class Stream:
    """One RTP stream. ``said``: extensions that stand in every packet besides the mid and the transport's count."""

    ssrc: int
    payload_type: int
    mid: str
    counted: TransportSequence
    rid: str | None = None
    sequence: int = 1000
    timestamp: int = 90_000
    said: dict[ExtensionName, bytes] = field(default_factory=dict)

    def packet(self, payload: bytes, *, marker: bool, padding: int = 0) -> bytes:
        values = {ExtensionName.MID: write_mid(self.mid)}
        if self.rid is not None:
            values[ExtensionName.RID] = write_rid(self.rid)
        values[ExtensionName.TRANSPORT_CC] = write_transport_sequence(self.counted.take())
        header = Header(
            payload_type=self.payload_type,
            sequence=self.sequence,
            timestamp=self.timestamp,
            ssrc=self.ssrc,
            marker=marker,
        )
        self.sequence = (self.sequence + 1) & 0xFFFF
        return build(header, payload, extension_block=extension_block(values | self.said), padding=padding)

    def advance(self, ticks: int) -> None:
        self.timestamp = (self.timestamp + ticks) & 0xFFFFFFFF


@dataclass
class Vp8Track:
    """Frames of 30 a second, each of some packets; temporal layers 0, 2, 1, 2 where there are three."""

    stream: Stream
    size: tuple[int, int] = (640, 360)
    packet_bytes: int = 400
    temporal_layers: int = 1
    picture_id: int = 0x1234
    tl0: int = 7
    _place: int = 0

    def frame(self, *, keyframe: bool = False, packets: int = 2) -> list[bytes]:
        pattern = (0, 2, 1, 2)[: 4 if self.temporal_layers == 3 else 1]
        self._place = 0 if keyframe else (self._place + 1) % len(pattern)
        temporal = pattern[self._place]
        if temporal == 0:
            self.tl0 = (self.tl0 + 1) & 0xFF
        made = []
        for index in range(packets):
            start = index == 0
            descriptor = bytes(
                (
                    0x80 | (0x10 if start else 0),
                    0xE0,
                    0x80 | self.picture_id >> 8,
                    self.picture_id & 0xFF,
                    self.tl0,
                    temporal << 6 | (0x20 if temporal else 0),
                )
            )
            body = self._first_bytes(keyframe=keyframe) if start else b""
            filling = bytes(((index + 1) & 0xFF,)) * (self.packet_bytes - len(body))
            made.append(self.stream.packet(descriptor + body + filling, marker=index == packets - 1))
        self.picture_id = (self.picture_id + 1) & 0x7FFF
        self.stream.advance(3000)
        return made

    def _first_bytes(self, *, keyframe: bool) -> bytes:
        if not keyframe:
            return b"\x01\x00\x00"
        width, height = self.size
        return b"\x10\x00\x00\x9d\x01\x2a" + width.to_bytes(2, "little") + height.to_bytes(2, "little")


@dataclass
class OpusTrack:
    """Packets of 20 ms; the first byte is that of 20 ms of CELT, mono."""

    stream: Stream

    def packet(self, level: int = 30, *, voice: bool = True, first: bool = False) -> bytes:
        self.stream.said[ExtensionName.AUDIO_LEVEL] = AudioLevel(level, voice).write()
        made = self.stream.packet(b"\xf8" + bytes(79), marker=first)
        self.stream.advance(960)
        return made


def repair(lost: bytes, *, payload_type: int, ssrc: int, sequence: int, stream: Stream) -> bytes:
    """What the publisher sends again over RTX (RFC 4588), with extensions of its own."""
    packet = Packet.parse(lost)
    values = {ExtensionName.MID: write_mid(stream.mid)}
    if stream.rid is not None:
        values[ExtensionName.REPAIRED_RID] = write_rid(stream.rid)
    values[ExtensionName.TRANSPORT_CC] = write_transport_sequence(stream.counted.take())
    header = Header(
        payload_type=payload_type,
        sequence=sequence,
        timestamp=packet.header.timestamp,
        ssrc=ssrc,
        marker=packet.header.marker,
    )
    payload = packet.header.sequence.to_bytes(2, "big") + bytes(packet.payload)
    return build(header, payload, extension_block=extension_block(values))


def gaps(packets: Sequence[Packet]) -> list[int]:
    """Where the numbers of a stream do not rise by one, in the order in which they came."""
    numbers = [packet.header.sequence for packet in packets]
    return [at for at in range(1, len(numbers)) if distance(numbers[at], numbers[at - 1], 16) != 1]
