"""An engine with synthetic browsers around it: what the tests of this folder play on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count, pairwise
from typing import Protocol, TypeVar

from media.codecs.names import CodecName, Kind
from media.engine import (
    Address,
    Connected,
    Engine,
    Event,
    IceCredentials,
    Listening,
    SinkFormat,
    SinkId,
    SourceFormat,
    SourceId,
    SrtpProfile,
    Switched,
    TransportId,
    TransportKind,
)
from media.extensions import ExtensionName
from media.icevalues import Limits
from media.rtp import Packet
from tests.media.peers import PATIENCE, Peer, Srtp, TcpWire, UdpWire
from tests.media.tracks import EXTENSIONS, OpusTrack, Stream, TransportSequence, Vp8Track

Happened = TypeVar("Happened", bound=Event)

VP8, VP8_RTX, OPUS = 96, 97, 111
# Those of a subscriber are never the publisher's: what is not rewritten is found at once.
SINK_VP8, SINK_VP8_RTX, SINK_OPUS = 120, 124, 109
SINK_EXTENSIONS: Mapping[ExtensionName, int] = {
    ExtensionName.MID: 3,
    ExtensionName.AUDIO_LEVEL: 5,
    ExtensionName.ABS_SEND_TIME: 6,
    ExtensionName.TRANSPORT_CC: 7,
    ExtensionName.ORIENTATION: 8,
}


class Opens(Protocol):
    """One engine or another. ``ice`` are bounds of its ICE where a test cannot wait as long as people can."""

    def __call__(
        self, listening: Listening, *, wake: Callable[[], None], ice: Limits | None = None
    ) -> AbstractAsyncContextManager[Engine]: ...


@dataclass
class Member:
    """A participant: its transport in the engine and its own side of it."""

    transport: TransportId
    peer: Peer
    counted: TransportSequence = field(default_factory=TransportSequence)


@dataclass
class Stage:
    engine: Engine
    remote: Address
    woken: asyncio.Event
    happened: list[Event] = field(default_factory=list)
    peers: list[Peer] = field(default_factory=list)
    ssrcs: count[int] = field(default_factory=lambda: count(0x51_0000))

    def told(self, kind: type[Happened]) -> list[Happened]:
        self.happened.extend(self.engine.events(1000))
        return [event for event in self.happened if isinstance(event, kind)]

    async def until(self, holds: Callable[[], object], patience: float = PATIENCE) -> None:
        async with asyncio.timeout(patience):
            while not holds():
                await asyncio.sleep(0.005)

    async def settle(self, seconds: float = 0.15) -> None:
        """Long enough for what is on its way on this machine: for what must not happen."""
        await asyncio.sleep(seconds)

    async def wire(self, peer: Peer, *, tcp: bool = False) -> None:
        """Another way to the engine for this peer; it uses it from now on."""
        if tcp:
            peer.wire = await TcpWire.connect(peer.receive, self.remote)
        else:
            peer.wire = UdpWire(peer.receive, self.remote)
        peer.wires.append(peer.wire)

    async def newcomer(
        self, *, tcp: bool = False, kind: TransportKind = TransportKind.BROWSER, srtp: Srtp | None = None
    ) -> Member:
        """Nothing has been said yet."""
        peer = Peer(srtp=srtp or Srtp())
        self.peers.append(peer)
        transport, peer.engine_ice = self.engine.create_transport(kind, peer.ice)
        await self.wire(peer, tcp=tcp)
        return Member(transport, peer)

    async def connect(self, member: Member) -> None:
        before = len(self.connections(member))
        member.peer.check()
        await self.until(lambda: len(self.connections(member)) > before)

    def connections(self, member: Member) -> list[Connected]:
        return [event for event in self.told(Connected) if event.transport == member.transport]

    async def join(self, *, tcp: bool = False, profile: SrtpProfile = SrtpProfile.AEAD_AES_128_GCM) -> Member:
        """Connected and with keys."""
        member = await self.newcomer(tcp=tcp, srtp=Srtp(profile))
        await self.connect(member)
        self.engine.set_srtp(member.transport, member.peer.srtp.engine_keys)
        return member

    def camera(self, member: Member, *, mid: str = "1", ssrc: int | None = None) -> tuple[SourceId, Vp8Track]:
        stream = Stream(ssrc or next(self.ssrcs), VP8, mid, member.counted)
        return self.engine.add_source(member.transport, camera_format(mid)), Vp8Track(stream)

    def microphone(self, member: Member, *, mid: str = "0") -> tuple[SourceId, OpusTrack]:
        sent = SourceFormat(mid, Kind.AUDIO, {OPUS: CodecName.OPUS}, extensions=EXTENSIONS)
        stream = Stream(next(self.ssrcs), OPUS, mid, member.counted, timestamp=48_000)
        return self.engine.add_source(member.transport, sent), OpusTrack(stream)

    def screen(self, member: Member, slots: Sequence[SinkFormat] | None = None) -> Sequence[SinkId]:
        """Slots of a subscriber; one for video where nothing else is said."""
        return self.engine.add_sinks(member.transport, slots or [video_slot(0x9001)])

    def leave(self, member: Member) -> None:
        self.engine.close_transport(member.transport)


def camera_format(mid: str = "1", rids: Sequence[str] = ()) -> SourceFormat:
    return SourceFormat(mid, Kind.VIDEO, {VP8: CodecName.VP8}, repairs={VP8_RTX: VP8}, rids=rids, extensions=EXTENSIONS)


def video_slot(ssrc: int, *, mid: str = "a", rtx: bool = True) -> SinkFormat:
    return SinkFormat(
        mid,
        Kind.VIDEO,
        ssrc,
        ssrc + 0x1000 if rtx else None,
        {CodecName.VP8: (SINK_VP8, SINK_VP8_RTX if rtx else None)},
        extensions=SINK_EXTENSIONS,
        stream="person",
    )


def audio_slot(ssrc: int, *, mid: str = "b") -> SinkFormat:
    return SinkFormat(
        mid, Kind.AUDIO, ssrc, None, {CodecName.OPUS: (SINK_OPUS, None)}, extensions=SINK_EXTENSIONS, stream="person"
    )


def send(member: Member, packets: Sequence[bytes]) -> None:
    for packet in packets:
        member.peer.send_rtp(packet)


async def frames(member: Member, track: Vp8Track, number: int, *, packets: int = 2, keyframe: bool = False) -> None:
    for index in range(number):
        send(member, track.frame(keyframe=keyframe and index == 0, packets=packets))
        await asyncio.sleep(0.002)


def has(peer: Peer, packets: int) -> Callable[[], bool]:
    return lambda: len(peer.rtp) == packets


def told_by(stage: Stage, sink: SinkId) -> list[Switched]:
    return [event for event in stage.told(Switched) if event.sink == sink]


def steps(numbers: Sequence[int]) -> list[int]:
    return [later - earlier for earlier, later in pairwise(numbers)]


def payloads(packets: Sequence[Packet]) -> list[bytes]:
    return [bytes(packet.payload) for packet in packets]


def ice_of(peer: Peer) -> IceCredentials:
    assert peer.engine_ice is not None
    return peer.engine_ice


@asynccontextmanager
async def staged(opens: Opens, *hosts: str, ice: Limits | None = None) -> AsyncIterator[Stage]:
    """On 127.0.0.1 where nothing else is said."""
    woken = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wake() -> None:
        loop.call_soon_threadsafe(woken.set)

    async with opens(Listening(hosts or ("127.0.0.1",), 0), wake=wake, ice=ice) as engine:
        stage = Stage(engine, engine.local[0], woken)
        try:
            yield stage
        finally:
            for peer in stage.peers:
                await peer.close()
