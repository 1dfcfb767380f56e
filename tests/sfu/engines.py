"""An engine for tests of policy: it forwards nothing, keeps exactly what it was told, and refuses what the contract
refuses. What flows through a real one is tested with real ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from kernel.errors import Overloaded
from media.engine import (
    Address,
    AudioLevel,
    Event,
    GateRule,
    Gone,
    IceCredentials,
    Ladder,
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


@dataclass
class Transport:
    remote: IceCredentials
    restarts: int = 0
    ladder: Ladder | None = None
    policies: int = 0


@dataclass
class Source:
    transport: TransportId
    format: SourceFormat
    gates: list[GateRule | None] = field(default_factory=list)
    is_muted: bool = False


@dataclass
class Sink:
    transport: TransportId
    format: SinkFormat
    source: SourceId | None = None
    is_paused: bool = False


NO_STATS = TransportStats(None, False, None, None, 0, 0, 0, 0, 0.0)


@dataclass
class RecordingEngine:
    local: Sequence[Address] = (Address("192.0.2.1", 3478),)
    transports: dict[TransportId, Transport] = field(default_factory=dict)
    sources: dict[SourceId, Source] = field(default_factory=dict)
    sinks: dict[SinkId, Sink] = field(default_factory=dict)
    levels: dict[SourceId, AudioLevel] = field(default_factory=dict)
    stats: dict[SourceId, SourceStats] = field(default_factory=dict)
    figures: dict[TransportId, TransportStats] = field(default_factory=dict)
    waiting: list[Event] = field(default_factory=list)
    counted: dict[str, int] = field(default_factory=dict)
    calls: int = 0
    most_transports: int = 10_000
    numbers: count[int] = field(default_factory=lambda: count(1))

    def create_transport(self, kind: TransportKind, remote: IceCredentials) -> tuple[TransportId, IceCredentials]:
        assert kind is TransportKind.BROWSER
        if len(self.transports) >= self.most_transports:
            raise Overloaded("full")
        transport = TransportId(next(self.numbers))
        self.transports[transport] = Transport(remote)
        return transport, IceCredentials(f"u{transport}", "p" * 24)

    def restart_ice(self, transport: TransportId, remote: IceCredentials) -> IceCredentials:
        one = self._transport(transport)
        one.remote, one.restarts = remote, one.restarts + 1
        return IceCredentials(f"u{transport}r{one.restarts}", "q" * 24)

    def send_dtls(self, transport: TransportId, data: bytes) -> None:
        self._transport(transport)

    def set_srtp(self, transport: TransportId, keys: SrtpKeys) -> None:
        self._transport(transport)

    def close_transport(self, transport: TransportId) -> None:
        self._transport(transport)
        del self.transports[transport]
        for source in [one for one, held in self.sources.items() if held.transport == transport]:
            self.remove_source(source)
        self.sinks = {one: held for one, held in self.sinks.items() if held.transport != transport}

    def add_source(self, transport: TransportId, sent: SourceFormat) -> SourceId:
        self._transport(transport)
        taken = [one for one in self.sources.values() if one.transport == transport and one.format.mid == sent.mid]
        assert not taken, "two sources of one section"
        source = SourceId(next(self.numbers))
        self.sources[source] = Source(transport, sent)
        return source

    def remove_source(self, source: SourceId) -> None:
        self._source(source)
        del self.sources[source]
        for sink in self.sinks.values():
            if sink.source == source:
                sink.source = None

    def set_gate(self, source: SourceId, rule: GateRule | None) -> None:
        self._source(source).gates.append(rule)

    def mute_source(self, source: SourceId, *, muted: bool) -> None:
        self._source(source).is_muted = muted

    def request_keyframe(self, source: SourceId) -> None:
        self._source(source)

    def tap(self, source: SourceId, *, most_bytes: int) -> TapId:
        raise AssertionError("rooms tap nothing")

    def read_tap(self, tap: TapId, most: int) -> Sequence[Tapped]:
        raise AssertionError("rooms tap nothing")

    def close_tap(self, tap: TapId) -> None:
        raise AssertionError("rooms tap nothing")

    def add_sinks(self, transport: TransportId, slots: Sequence[SinkFormat]) -> Sequence[SinkId]:
        self._transport(transport)
        made = [SinkId(next(self.numbers)) for _ in slots]
        self.sinks.update({sink: Sink(transport, slot) for sink, slot in zip(made, slots, strict=True)})
        return made

    def assign(self, sink: SinkId, source: SourceId | None) -> None:
        if source is not None:
            self._source(source)
        self._sink(sink).source = source
        self.calls += 1

    def set_policy(self, transport: TransportId, ladder: Ladder) -> None:
        for sink in ladder.allowed:
            assert self._sink(sink).transport == transport, "a sink of somebody else"
        one = self._transport(transport)
        one.ladder, one.policies = ladder, one.policies + 1
        self.calls += 1

    def pause(self, sink: SinkId, *, paused: bool) -> None:
        self._sink(sink).is_paused = paused

    def events(self, most: int) -> Sequence[Event]:
        fetched, self.waiting = self.waiting[:most], self.waiting[most:]
        return fetched

    def audio_levels(self) -> Mapping[SourceId, AudioLevel]:
        said, self.levels = self.levels, {}
        return said

    def source_stats(self) -> Mapping[SourceId, SourceStats]:
        return {source: stats for source, stats in self.stats.items() if source in self.sources}

    def sink_stats(self) -> Mapping[SinkId, SinkStats]:
        return {}

    def transport_stats(self) -> Mapping[TransportId, TransportStats]:
        return {one: self.figures.get(one, NO_STATS) for one in self.transports}

    def drops(self) -> Mapping[str, int]:
        return self.counted

    def fits(self, transport: TransportId, bitrate: int) -> None:
        """From now on so much fits towards this peer."""
        self.figures[transport] = replace(NO_STATS, available_bitrate=bitrate)

    def _transport(self, transport: TransportId) -> Transport:
        if transport not in self.transports:
            raise Gone(transport)
        return self.transports[transport]

    def _source(self, source: SourceId) -> Source:
        if source not in self.sources:
            raise Gone(source)
        return self.sources[source]

    def _sink(self, sink: SinkId) -> Sink:
        if sink not in self.sinks:
            raise Gone(sink)
        return self.sinks[sink]
