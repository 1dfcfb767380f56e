"""The contract between policy and packets. Python decides, the engine does.

``sfu/`` calls an engine at human rates: joins, mutes, a tick of ten a second. What cannot wait (repairs, key frame
requests, layer switches within what is allowed, congestion) the engine does by itself, by the parameters it was given
last; so a Python that stands still for seconds changes nothing in what flows. Two engines implement this, and one
conformance suite (tests/media/conformance) runs on both.

Handles name what an engine holds. One that has ended is never handed out again; using it raises ``Gone``, for rooms and
packets end at different moments. Whatever a transport held ends with it. Every call returns at once and is made on the
thread that opened the engine; what follows is told by ``events``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NewType, Protocol

from media.codecs.names import CodecName, Kind
from media.extensions import ExtensionName
from media.gate import Reason

TransportId = NewType("TransportId", int)
SourceId = NewType("SourceId", int)
SinkId = NewType("SinkId", int)
TapId = NewType("TapId", int)


class Gone(LookupError):
    """What the handle named has ended."""


class TransportKind(Enum):
    """``PIPE`` carries a room to another node."""

    BROWSER = "browser"
    WHIP = "whip"
    WHEP = "whep"
    PIPE = "pipe"


class SrtpProfile(Enum):
    AEAD_AES_256_GCM = "AEAD_AES_256_GCM"
    AEAD_AES_128_GCM = "AEAD_AES_128_GCM"
    AES_CM_128_HMAC_SHA1_80 = "AES_CM_128_HMAC_SHA1_80"


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Listening:
    """What an engine is to be bound to: one ``port`` for UDP, and for TCP where ``tcp`` says so, on each of
    ``addresses``. Port 0 picks a free one, the same for all. ``receive_buffer`` is of each UDP socket, in bytes."""

    addresses: Sequence[str]
    port: int
    tcp: bool = True
    workers: int = 1
    receive_buffer: int = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class IceCredentials:
    """The owner worker is part of ours, so any worker knows whose a first packet is."""

    ufrag: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SrtpKeys:
    """Each is key and salt in one, as libsrtp has it. ``receive`` is what the peer sends with."""

    profile: SrtpProfile
    receive: bytes = field(repr=False)
    send: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, order=True)
class Layer:
    """``spatial`` counts the encodings of a simulcast, in the order of ``SourceFormat.rids``, or the spatial layers of
    a scalable stream; ``temporal`` the layers of frame rate. Zero is the lowest, and what has no layers has it only."""

    spatial: int
    temporal: int = 0


@dataclass(frozen=True, slots=True)
class SourceFormat:
    """How a publisher sends one track. Payload types and extension ids are the publisher's. Several codecs may come:
    the payload type of each packet says which. ``rids`` from the lowest encoding up; none without simulcast.
    ``ssrcs`` by rid (empty without) where the description says them, each with that of its repairs; otherwise they are
    learned from the packets' extensions."""

    mid: str
    kind: Kind
    payload_types: Mapping[int, CodecName]
    repairs: Mapping[int, int] = field(default_factory=dict)  # payload type of repairs -> the one it repairs
    rids: Sequence[str] = ()
    ssrcs: Mapping[str, tuple[int, int | None]] = field(default_factory=dict)
    extensions: Mapping[int, ExtensionName] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SinkFormat:
    """How a subscriber wants one slot. ``payload_types``: of each codec, and of its repairs. Sinks with the same
    ``extensions`` share their blocks. ``stream``: slots of one stream are played in step."""

    mid: str
    kind: Kind
    ssrc: int
    rtx_ssrc: int | None
    payload_types: Mapping[CodecName, tuple[int, int | None]]
    extensions: Mapping[ExtensionName, int] = field(default_factory=dict)
    stream: str = ""


@dataclass(frozen=True, slots=True)
class Ladder:
    """What a subscriber's transport may send, per sink from the lowest layer up. The engine sends the last; it steps
    down on its own when it must, along these, and up again to the last. A sink that is not named, or has none, gets the
    highest there is. ``desired_bitrate`` is what all of it would take, for the bandwidth estimator to probe up to."""

    allowed: Mapping[SinkId, Sequence[Layer]]
    desired_bitrate: int = 0


@dataclass(frozen=True, slots=True)
class GateRule:
    """Encrypted frames only, under one of these key ids: the current one and the next."""

    key_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DtlsDatagram:
    """To be handed to the DTLS endpoint of the transport; only from an address that has passed ICE."""

    transport: TransportId
    data: bytes


@dataclass(frozen=True, slots=True)
class Connected:
    """An address answered our check and was nominated; told again when media moves to another."""

    transport: TransportId
    remote: Address
    tcp: bool


@dataclass(frozen=True, slots=True)
class ConsentLost:
    """Nothing is sent any more until the peer comes back, from wherever, by checks of its own."""

    transport: TransportId


@dataclass(frozen=True, slots=True)
class Flowing:
    """The first packet of a source that is forwarded."""

    source: SourceId


@dataclass(frozen=True, slots=True)
class Gated:
    """A frame was not forwarded; at three the source is muted, until ``set_gate`` says a rule anew."""

    source: SourceId
    reason: Reason
    muted: bool


@dataclass(frozen=True, slots=True)
class Switched:
    """What flows into a sink now; None for nothing."""

    sink: SinkId
    source: SourceId | None
    layer: Layer | None


Event = DtlsDatagram | Connected | ConsentLost | Flowing | Gated | Switched


@dataclass(frozen=True, slots=True)
class LayerStats:
    """``bitrate`` in bits a second, over the last second, headers of RTP included; of this layer alone."""

    bitrate: int
    frames_per_second: float
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True)
class AudioLevel:
    """The loudest since it was last asked for: -dBov, 0 is the loudest, 127 silence. ``voice`` is None where the
    sender does not say."""

    level: int
    voice: bool | None = None


@dataclass(frozen=True, slots=True)
class SourceStats:
    """Counted since the source began. ``layers`` has those that flowed within the last second."""

    packets: int
    bytes: int
    lost: int
    repaired: int
    jitter: float
    layers: Mapping[Layer, LayerStats]
    codec: CodecName | None
    keyframe_requests: int = 0


@dataclass(frozen=True, slots=True)
class SinkStats:
    source: SourceId | None
    layer: Layer | None
    packets: int
    bytes: int
    repaired: int
    keyframe_requests: int
    lost_fraction: float


@dataclass(frozen=True, slots=True)
class TransportStats:
    """``available_bitrate``: what the engine believes fits towards the peer; None while it has no idea."""

    remote: Address | None
    tcp: bool
    round_trip: float | None
    available_bitrate: int | None
    sent_packets: int
    sent_bytes: int
    received_packets: int
    received_bytes: int
    lost_fraction: float


@dataclass(frozen=True, slots=True)
class Tapped:
    """A packet of a source as it would be forwarded: repaired, in the publisher's numbering, after the gate.
    ``sequence`` is counted on beyond 16 bits, and each encoding of a simulcast has numbers of its own."""

    layer: Layer
    codec: CodecName
    sequence: int
    timestamp: int
    marker: bool
    payload: bytes
    is_keyframe: bool


class Transports(Protocol):
    @property
    def local(self) -> Sequence[Address]:
        """What it is bound to."""
        ...

    def create_transport(self, kind: TransportKind, remote: IceCredentials) -> tuple[TransportId, IceCredentials]:
        """Raises kernel.errors.Overloaded when the engine takes no more."""
        ...

    def restart_ice(self, transport: TransportId, remote: IceCredentials) -> IceCredentials:
        """Media goes on over the old path until the new one is proven."""
        ...

    def send_dtls(self, transport: TransportId, data: bytes) -> None: ...

    def set_srtp(self, transport: TransportId, keys: SrtpKeys) -> None:
        """Once in the life of a transport."""
        ...

    def close_transport(self, transport: TransportId) -> None: ...


class Publishing(Protocol):
    """What comes in."""

    def add_source(self, transport: TransportId, sent: SourceFormat) -> SourceId: ...

    def remove_source(self, source: SourceId) -> None: ...

    def set_gate(self, source: SourceId, rule: GateRule | None) -> None:
        """Before the first packet, or something could pass. None: clear media too."""
        ...

    def mute_source(self, source: SourceId, *, muted: bool) -> None:
        """Nothing of it is forwarded while it is muted, whatever its publisher sends."""
        ...

    def request_keyframe(self, source: SourceId) -> None: ...

    def tap(self, source: SourceId, *, most_bytes: int) -> TapId:
        """Begins at a key frame. Holds the newest ``most_bytes`` that nobody fetched; what had to go is counted among
        the drops as ``tap_overflow``."""
        ...

    def read_tap(self, tap: TapId, most: int) -> Sequence[Tapped]: ...

    def close_tap(self, tap: TapId) -> None: ...


class Subscribing(Protocol):
    """What goes out."""

    def add_sinks(self, transport: TransportId, slots: Sequence[SinkFormat]) -> Sequence[SinkId]: ...

    def assign(self, sink: SinkId, source: SourceId | None) -> None:
        """What flowed there goes on until the new source has a key frame; with None it stops at once."""
        ...

    def set_policy(self, transport: TransportId, ladder: Ladder) -> None:
        """Replaces the one before."""
        ...

    def pause(self, sink: SinkId, *, paused: bool) -> None: ...


class Observing(Protocol):
    """What is told. Events are kept in order and none is lost: ``wake``, which the engine is opened with, is called
    when there are some, from any thread, and not again before they were fetched. Of figures there is the latest."""

    def events(self, most: int) -> Sequence[Event]: ...

    def audio_levels(self) -> Mapping[SourceId, AudioLevel]:
        """Of the sources that said one since the last time."""
        ...

    def source_stats(self) -> Mapping[SourceId, SourceStats]: ...

    def sink_stats(self) -> Mapping[SinkId, SinkStats]: ...

    def transport_stats(self) -> Mapping[TransportId, TransportStats]: ...

    def drops(self) -> Mapping[str, int]:
        """By name, since the start; media/drops.py says which there are and which honest networks cause."""
        ...


class Engine(Transports, Publishing, Subscribing, Observing, Protocol):
    """Opened and closed by its own module: media.portable.engine.open_portable."""
