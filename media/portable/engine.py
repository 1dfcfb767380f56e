"""media.engine.Engine in one thread: opened on the running loop, which it holds only as long as its packets take."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from kernel.clock import Clock, SystemClock
from kernel.errors import Overloaded
from media.engine import (
    Address,
    AudioLevel,
    Event,
    GateRule,
    Gone,
    IceCredentials,
    Ladder,
    Listening,
    SinkFormat,
    SinkId,
    SinkStats,
    SourceFormat,
    SourceId,
    SourceStats,
    SrtpKeys,
    TapId,
    Tapped,
    TransportId,
    TransportKind,
    TransportStats,
)
from media.extensions import ExtensionName
from media.icelite import Agents
from media.icevalues import Credentials, Full, Limits, Randomness
from media.portable.containment import Containment
from media.portable.events import Events
from media.portable.forwarding import Forwarding
from media.portable.holdings import Holdings, Peer
from media.portable.network import Network
from media.portable.outbox import Outbox
from media.portable.receiving import Receiving
from media.portable.reporting import Reporting
from media.portable.sockets import bind
from media.portable.tcp import TcpLimits
from media.portable.ticking import Duty, Ticking
from media.portable.transport import Transport
from media.rtp import Kind

# A worker of the native engine has four times as many; here the interpreter is the bound long before.
TRANSPORTS = 1000
# 40 Mbit/s of full packets, which no camera sends; whoever floods must not take the time of all others.
RTP_PER_SECOND = 4000
# Sinks are looked at for layers that stalled or came back, and for key frames that they still wait for.
LOOKS_EVERY = 0.1
KEEPS_UP_EVERY = 0.2
ICE_EVERY = 0.1


@dataclass(frozen=True, slots=True)
class Bounds:
    """``rtp_per_second``: packets of one peer; twice as many at once."""

    ice: Limits = field(default_factory=lambda: Limits(transports=TRANSPORTS))
    tcp: TcpLimits = field(default_factory=TcpLimits)
    rtp_per_second: int = RTP_PER_SECOND


@asynccontextmanager
async def open_portable(
    listening: Listening,
    *,
    wake: Callable[[], None],
    randomness: Randomness = secrets.token_bytes,
    clock: Clock | None = None,
    bounds: Bounds | None = None,
) -> AsyncIterator[PortableEngine]:
    """One worker, whatever ``listening`` says of them, and the same for transports of all kinds. Raises OSError when an
    address or the port is not to be had."""
    engine = PortableEngine(wake, randomness, clock or SystemClock(), bounds or Bounds())
    try:
        await engine.open(listening)
        yield engine
    finally:
        await engine.close()


class PortableEngine:
    def __init__(self, wake: Callable[[], None], randomness: Randomness, clock: Clock, bounds: Bounds) -> None:
        self._drops: Counter[str] = Counter()
        self._randomness = randomness
        self._bounds = bounds
        self._clock = clock
        self._agents = Agents(0, randomness, bounds.ice)
        self._events = Events(wake, self._drops)
        self._containment = Containment(self._drops, clock)
        self._holdings = Holdings(self._drops)
        self._forwarding = Forwarding(self._holdings, self._events, self._containment)
        self._outbox = Outbox()
        self._receiving = Receiving(self._holdings, self._forwarding, self._events, self._outbox, self._drops)
        self._reporting = Reporting(self._holdings, self._agents.round_trip, randomness(12).hex())
        self._network = Network(
            self._agents,
            self._receiving,
            drops=self._drops,
            clock=clock,
            containment=self._containment,
            tcp=bounds.tcp,
        )
        self._receiving.connect(self._network)
        self._ticking = Ticking(
            clock,
            self._containment,
            (
                Duty(0.0, self._reporting.tell),
                Duty(LOOKS_EVERY, self._look),
                Duty(KEEPS_UP_EVERY, self._forwarding.keep_up),
                Duty(ICE_EVERY, self._network.tick),
            ),
        )

    async def open(self, listening: Listening) -> None:
        await self._network.open(bind(listening))
        self._ticking.start()

    async def close(self) -> None:
        self._ticking.stop()
        for peer in self._holdings.peers:
            self.close_transport(peer.transport.id)
        await self._network.close()

    @property
    def local(self) -> Sequence[Address]:
        return self._network.local

    def create_transport(self, kind: TransportKind, remote: IceCredentials) -> tuple[TransportId, IceCredentials]:
        now = self._clock.monotonic()
        try:
            number, ours = self._agents.create(_encoded(remote), now)
        except Full as full:
            raise Overloaded("this server has as many connections as it may have") from full
        handle = TransportId(number)
        ssrc = int.from_bytes(self._randomness(4), "big")
        self._holdings.add_peer(
            Transport(
                handle,
                ssrc,
                outbox=self._outbox,
                drops=self._drops,
                now=now,
                rtp_per_second=self._bounds.rtp_per_second,
            )
        )
        return handle, _decoded(ours)

    def restart_ice(self, transport: TransportId, remote: IceCredentials) -> IceCredentials:
        try:
            return _decoded(self._agents.restart(transport, _encoded(remote)))
        except KeyError as gone:
            raise Gone(transport) from gone

    def send_dtls(self, transport: TransportId, data: bytes) -> None:
        peer = self._holdings.peers[transport]
        self._containment.run(partial(peer.transport.send, data))

    def set_srtp(self, transport: TransportId, keys: SrtpKeys) -> None:
        now = self._clock.monotonic()
        peer = self._holdings.peers[transport]
        early = peer.transport.set_keys(keys)
        self._containment.run(partial(self._forwarding.begin, peer, now))
        for kind, data in early:
            if kind is Kind.RTP:
                self._containment.run(partial(self._receiving.rtp, transport, data, now, now))
            else:
                self._containment.run(partial(self._receiving.rtcp, transport, data, now))
        self._containment.run(self._outbox.flush)

    def close_transport(self, transport: TransportId) -> None:
        self._holdings.remove_peer(transport)
        self._agents.remove(transport)

    def add_source(self, transport: TransportId, sent: SourceFormat) -> SourceId:
        peer = self._holdings.peers[transport]
        handle = self._holdings.add_track(peer, sent, self._clock.monotonic())
        for identifier, name in sent.extensions.items():
            if name is ExtensionName.TRANSPORT_CC:
                peer.transport.transport_wide = identifier
        return handle

    def remove_source(self, source: SourceId) -> None:
        self._holdings.remove_track(source)

    def set_gate(self, source: SourceId, rule: GateRule | None) -> None:
        self._holdings.tracks[source].source.set_gate(rule)

    def mute_source(self, source: SourceId, *, muted: bool) -> None:
        self._holdings.tracks[source].source.mute(muted=muted)

    def request_keyframe(self, source: SourceId) -> None:
        track = self._holdings.tracks[source]
        track.source.wish_keyframe(self._clock.monotonic())
        self._reporting.ask(track.peer, self._clock.monotonic())

    def tap(self, source: SourceId, *, most_bytes: int) -> TapId:
        handle = self._holdings.add_tap(self._holdings.tracks[source], most_bytes)
        self.request_keyframe(source)
        return handle

    def read_tap(self, tap: TapId, most: int) -> Sequence[Tapped]:
        return self._holdings.taps[tap][1].read(most)

    def close_tap(self, tap: TapId) -> None:
        self._holdings.remove_tap(tap)

    def add_sinks(self, transport: TransportId, slots: Sequence[SinkFormat]) -> Sequence[SinkId]:
        return self._holdings.add_outlets(self._holdings.peers[transport], slots)

    def assign(self, sink: SinkId, source: SourceId | None) -> None:
        outlet = self._holdings.outlets[sink]
        track = None if source is None else self._holdings.tracks[source]
        outlet.sink.assign(source)
        self._holdings.link(outlet)
        now = self._clock.monotonic()
        self._forwarding.look(outlet, now)
        if track is not None:
            self._reporting.ask(track.peer, now)

    def set_policy(self, transport: TransportId, ladder: Ladder) -> None:
        now = self._clock.monotonic()
        peer = self._holdings.peers[transport]
        peer.congestion.ladder = ladder
        for outlet in peer.outlets.values():
            outlet.sink.allow(ladder.allowed.get(outlet.id, ()), now)
            self._forwarding.look(outlet, now)

    def pause(self, sink: SinkId, *, paused: bool) -> None:
        outlet = self._holdings.outlets[sink]
        outlet.sink.pause(paused=paused)
        self._forwarding.look(outlet, self._clock.monotonic())

    def _look(self, now: float) -> None:
        for outlet in self._holdings.outlets:
            outlet.sink.tick(now)
            self._forwarding.look(outlet, now)

    def events(self, most: int) -> Sequence[Event]:
        return self._events.fetch(most)

    def audio_levels(self) -> Mapping[SourceId, AudioLevel]:
        levels = ((track.id, track.source.take_level()) for track in self._holdings.tracks)
        return {source: level for source, level in levels if level is not None}

    def source_stats(self) -> Mapping[SourceId, SourceStats]:
        now = self._clock.monotonic()
        return {track.id: track.source.stats(now) for track in self._holdings.tracks}

    def sink_stats(self) -> Mapping[SinkId, SinkStats]:
        return {outlet.id: outlet.sink.stats() for outlet in self._holdings.outlets}

    def transport_stats(self) -> Mapping[TransportId, TransportStats]:
        return {peer.transport.id: self._stats(peer) for peer in self._holdings.peers}

    def _stats(self, peer: Peer) -> TransportStats:
        transport = peer.transport
        path = transport.path
        return TransportStats(
            remote=None if path is None else Address(path.host, path.port),
            tcp=path is not None and self._network.is_tcp(path),
            round_trip=self._agents.round_trip(transport.id),
            available_bitrate=peer.congestion.available.bitrate(self._clock.monotonic()),
            sent_packets=transport.sent_packets,
            sent_bytes=transport.sent_bytes,
            received_packets=transport.received_packets,
            received_bytes=transport.received_bytes,
            lost_fraction=max((outlet.sink.reports.lost_fraction for outlet in peer.outlets.values()), default=0.0),
        )

    def drops(self) -> Mapping[str, int]:
        return dict(self._drops + self._agents.drops)


def _encoded(credentials: IceCredentials) -> Credentials:
    return Credentials(credentials.ufrag.encode(), credentials.password.encode())


def _decoded(credentials: Credentials) -> IceCredentials:
    return IceCredentials(credentials.ufrag.decode(), credentials.password.decode())
