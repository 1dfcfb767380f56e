"""What came of a source goes to its taps and to the sinks that need it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from media.codecs.names import Kind
from media.engine import Flowing, Gated, Layer, SourceId, Switched
from media.portable.containment import Containment
from media.portable.events import Events
from media.portable.holdings import Holdings, Outlet, Peer, Track
from media.portable.packet import Break, Gap, Incoming, Refused, Result


class Forwarding:
    def __init__(self, holdings: Holdings, events: Events, containment: Containment) -> None:
        self._holdings = holdings
        self._events = events
        self._containment = containment

    def forward(self, track: Track, results: Iterable[Result], now: float) -> None:
        for result in results:
            if isinstance(result, Incoming):
                self._incoming(track, result, now)
            elif isinstance(result, Gap):
                for outlet in track.outlets:
                    self._send(outlet, outlet.sink.gap(track.id, result.stream, result.number, now))
            elif isinstance(result, Break):
                for outlet in track.outlets:
                    outlet.sink.interrupt(track.id, result.stream)
            elif isinstance(result, Refused):
                self._events.add(Gated(track.id, result.reason, result.muted))
            for tap in track.taps.values():
                tap.take(result)

    def _incoming(self, track: Track, packet: Incoming, now: float) -> None:
        if not track.is_flowing:
            track.is_flowing = True
            self._events.add(Flowing(track.id))
        # Whoever was served first is last with the next one.
        track.outlets.rotate(-1)
        source = track.id
        for outlet in track.outlets:
            try:
                made = outlet.sink.offer(source, packet, now)
            except Exception as fault:  # noqa: BLE001 - a slot with a fault may not cost the others theirs
                self._containment.failed(fault)
                continue
            if made is not None:
                outlet.peer.transport.send_rtp(made)
        if packet.part.is_keyframe:
            self._look_at_begun(track, now)

    def _look_at_begun(self, track: Track, now: float) -> None:
        """Where something begins to flow, what flowed before is needed no longer. All packets of sound are key frames;
        they have no layers, so that a sink that has it already has nothing new."""
        is_video = track.source.format.kind is Kind.VIDEO
        for outlet in list(track.outlets):
            if is_video or outlet.flows is not track:
                self.look(outlet, now)

    @staticmethod
    def _send(outlet: Outlet, packet: bytes | None) -> None:
        if packet is not None:
            outlet.peer.transport.send_rtp(packet)

    def repair(self, outlet: Outlet, lost: Iterable[int], now: float) -> None:
        for packet in outlet.sink.repair(lost, self._cached, now):
            self._send(outlet, packet)

    def _cached(self, source: SourceId, stream: int, number: int) -> Incoming | None:
        track = self._holdings.tracks.get(source)
        return None if track is None else track.source.repair(stream, number)

    def begin(self, peer: Peer, now: float) -> None:
        """Whenever the peer has got keys or a path: with both it is given what was assigned to it."""
        if peer.is_ready or not peer.transport.can_send:
            return
        peer.is_ready = True
        for outlet in peer.outlets.values():
            self._holdings.link(outlet)
            self.look(outlet, now)

    def keep_up(self, now: float) -> None:
        """A few times a second: nobody is sent more than fits."""
        rates: dict[Track, Mapping[Layer, int]] = {}
        for peer in self._holdings.peers:
            congestion = peer.congestion
            congestion.measure(peer.transport.sent_bytes, now)
            shown = (outlet.sink for outlet in peer.outlets.values() if outlet.sink.format.kind is Kind.VIDEO)
            congestion.measure_pictures(sum(sink.stats().bytes for sink in shown), now)
            if not congestion.needs_rates(now):
                continue
            flowing = {}
            for outlet in peer.outlets.values():
                track = outlet.flows
                if track is not None:
                    if track not in rates:
                        rates[track] = {layer: one.bitrate for layer, one in track.source.stats(now).layers.items()}
                    flowing[outlet.id] = rates[track], track.source.streams == 1
            for sink, rung in congestion.limits(flowing, now).items():
                self._holdings.outlets[sink].sink.limit(rung, now)

    def look(self, outlet: Outlet, now: float) -> None:
        """What a sink wants and what flows into it now: asked some times a second, and after whatever changed it."""
        switched = outlet.sink.switched()
        if switched is not None:
            self._events.add(Switched(outlet.id, *switched))
            outlet.flows = None if switched[0] is None else self._holdings.tracks.get(switched[0])
            self._holdings.link(outlet)
        if not outlet.peer.is_ready:
            return
        for source, stream in outlet.sink.wanted_keyframes():
            track = self._holdings.tracks.get(source)
            if track is not None:
                track.source.wish_keyframe(now, stream)
