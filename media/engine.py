"""The contract between policy and packets. Python decides, the engine does.

``sfu/`` calls an engine at human rates: joins, mutes, a tick of ten a second. What cannot wait (repairs, key frame
requests, layer switches within what is allowed, congestion) the engine does by itself, by the parameters it was given
last; so a Python that stands still for seconds changes nothing in what flows. Two engines implement this, and one
conformance suite runs on both.

Handles name what an engine holds. One that is gone is never handed out again, and using it is not an error of the
engine's but a ``Gone`` for the caller: rooms and packets end at different moments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NewType, Protocol

TransportId = NewType("TransportId", int)
SourceId = NewType("SourceId", int)
SinkId = NewType("SinkId", int)
TapId = NewType("TapId", int)


class Gone(LookupError):
    """What the handle named has ended."""


class Kind(Enum):
    AUDIO = "audio"
    VIDEO = "video"


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
    """What an engine is bound to. ``advertised`` are the addresses clients are told, each once for UDP and once for
    TCP on the same port."""

    addresses: Sequence[str]
    port: int
    advertised: Sequence[str] = ()
    tcp: bool = True
    workers: int = 1


@dataclass(frozen=True, slots=True)
class IceCredentials:
    """The owner worker is part of ``ufrag``, so any worker knows whose a first packet is."""

    ufrag: str
    password: str


@dataclass(frozen=True, slots=True)
class SrtpKeys:
    profile: SrtpProfile
    receive: bytes = field(repr=False)
    send: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Layer:
    """A simulcast stream (``rid``) or a layer of a scalable one."""

    spatial: int
    temporal: int
    rid: str | None = None


@dataclass(frozen=True, slots=True)
class SourceFormat:
    """How a publisher sends one track: payload types and extension ids are the publisher's."""

    mid: str
    kind: Kind
    codec: str
    payload_type: int
    rtx_payload_type: int | None
    clock_rate: int
    rids: Sequence[str] = ()
    extensions: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SinkFormat:
    """How a subscriber wants one slot: sinks with the same map of extensions share their blocks."""

    mid: str
    kind: Kind
    ssrc: int
    rtx_ssrc: int | None
    payload_types: Mapping[str, int]
    rtx_payload_types: Mapping[int, int] = field(default_factory=dict)
    extensions: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ladder:
    """What a subscriber's transport may send, per sink from the lowest layer up: the engine steps down on its own when
    it must and never up beyond the last."""

    allowed: Mapping[SinkId, Sequence[Layer]]
    desired_bitrate: int


@dataclass(frozen=True, slots=True)
class GateRule:
    """Encrypted frames only, under one of these key ids."""

    key_ids: frozenset[int]


class Verdict(Enum):
    CLEAR_FRAME = "clear_frame"
    FOREIGN_KEY = "foreign_key"
    OLD_COUNTER = "old_counter"
    TOO_SHORT = "too_short"


@dataclass(frozen=True, slots=True)
class DtlsDatagram:
    """To be handed to the DTLS endpoint of the transport; only from an address that has passed ICE."""

    transport: TransportId
    data: bytes


@dataclass(frozen=True, slots=True)
class Connected:
    transport: TransportId
    remote: Address
    tcp: bool


@dataclass(frozen=True, slots=True)
class ConsentLost:
    transport: TransportId


@dataclass(frozen=True, slots=True)
class KeyframeWanted:
    """Nobody has one to give: the publisher of ``source`` was asked."""

    source: SourceId
    layer: Layer


@dataclass(frozen=True, slots=True)
class Gated:
    """A frame was not forwarded; at three the track is muted."""

    source: SourceId
    verdict: Verdict
    muted: bool


@dataclass(frozen=True, slots=True)
class Switched:
    sink: SinkId
    source: SourceId | None
    layer: Layer | None


Event = DtlsDatagram | Connected | ConsentLost | KeyframeWanted | Gated | Switched


@dataclass(frozen=True, slots=True)
class SourceStats:
    packets: int
    bytes: int
    lost: int
    repaired: int
    jitter: float
    bitrates: Mapping[Layer, int]
    level: int | None


@dataclass(frozen=True, slots=True)
class TransportStats:
    round_trip: float | None
    available_bitrate: int | None
    sent_packets: int
    sent_bytes: int
    lost: int


class Engine(Protocol):
    """Life of transports. Every call returns at once; what follows is told by ``events``."""

    def create_transport(self, kind: TransportKind) -> tuple[TransportId, IceCredentials]: ...

    def restart_ice(self, transport: TransportId) -> IceCredentials: ...

    def send_dtls(self, transport: TransportId, data: bytes) -> None: ...

    def set_srtp(self, transport: TransportId, keys: SrtpKeys) -> None: ...

    def close_transport(self, transport: TransportId) -> None: ...


class Publishing(Protocol):
    """What comes in."""

    def add_source(self, transport: TransportId, sent: SourceFormat) -> SourceId: ...

    def remove_source(self, source: SourceId) -> None: ...

    def set_gate(self, source: SourceId, rule: GateRule | None) -> None: ...

    def request_keyframe(self, source: SourceId) -> None: ...


class Subscribing(Protocol):
    """What goes out."""

    def add_sinks(self, transport: TransportId, slots: Sequence[SinkFormat]) -> Sequence[SinkId]: ...

    def assign(self, sink: SinkId, source: SourceId | None) -> None: ...

    def set_policy(self, transport: TransportId, ladder: Ladder) -> None: ...

    def pause(self, sink: SinkId, *, paused: bool) -> None: ...


class Observing(Protocol):
    """What is told. Events are kept in order and none is lost; of figures there is the latest only."""

    def events(self, most: int) -> Sequence[Event]: ...

    def source_stats(self) -> Mapping[SourceId, SourceStats]: ...

    def transport_stats(self) -> Mapping[TransportId, TransportStats]: ...

    def drops(self) -> Mapping[str, int]: ...
