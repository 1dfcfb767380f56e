"""What an engine holds, by handle: peers, and the tracks, sinks and taps that end with them."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

from media.engine import SinkFormat, SinkId, SourceFormat, SourceId, TapId, TransportId
from media.portable.congestion import Congestion
from media.portable.handles import Handles
from media.portable.rewriting import Layouts
from media.portable.router import Router
from media.portable.sink import Sink
from media.portable.source import Source
from media.portable.taps import Tap
from media.portable.transport import Transport


@dataclass(slots=True, eq=False)
class Peer:
    """A transport, what comes over it and what goes. ``outlets`` by the SSRC of their media. ``reported_at``: when it
    was last told what came. ``is_ready`` from when it had keys and a path for the first time."""

    transport: Transport
    router: Router
    tracks: dict[Source, Track] = field(default_factory=dict)
    outlets: dict[int, Outlet] = field(default_factory=dict)
    used_ssrcs: set[int] = field(default_factory=set)
    congestion: Congestion = field(default_factory=Congestion)
    reported_at: float = 0.0
    is_ready: bool = False


@dataclass(slots=True, eq=False)
class Track:
    """A source, and who is given what comes of it."""

    id: SourceId
    source: Source
    peer: Peer
    outlets: deque[Outlet] = field(default_factory=deque)
    taps: dict[TapId, Tap] = field(default_factory=dict)
    is_flowing: bool = False


@dataclass(slots=True, eq=False)
class Outlet:
    """A sink, and the tracks that it is given packets of: what ``flows``, and what is to flow."""

    id: SinkId
    sink: Sink
    peer: Peer
    tracks: tuple[Track, ...] = ()
    flows: Track | None = None


class Holdings:
    def __init__(self, drops: Counter[str]) -> None:
        self.drops = drops
        self.peers: Handles[TransportId, Peer] = Handles()
        self.tracks: Handles[SourceId, Track] = Handles()
        self.outlets: Handles[SinkId, Outlet] = Handles()
        self.taps: Handles[TapId, tuple[Track, Tap]] = Handles()
        self._layouts = Layouts()
        self._numbers = count(1)

    def add_peer(self, transport: Transport) -> None:
        self.peers.put(transport.id, Peer(transport, Router(self.drops)))

    def remove_peer(self, handle: TransportId) -> None:
        peer = self.peers[handle]
        for track in list(peer.tracks.values()):
            self.remove_track(track.id)
        for outlet in peer.outlets.values():
            self._unlink(outlet)
            self.outlets.end(outlet.id)
        self.peers.end(handle)

    def add_track(self, peer: Peer, sent: SourceFormat, now: float) -> SourceId:
        """Raises ValueError for what is no format, or has the mid of another."""
        source = Source(sent, self.drops)
        peer.router.add(source, now)
        track = Track(SourceId(next(self._numbers)), source, peer)
        peer.tracks[source] = track
        self.tracks.put(track.id, track)
        return track.id

    def remove_track(self, handle: SourceId) -> None:
        track = self.tracks[handle]
        for tap in list(track.taps):
            self.remove_tap(tap)
        for outlet in list(track.outlets):
            outlet.sink.forget(handle)
            self.link(outlet)
        track.peer.router.remove(track.source)
        del track.peer.tracks[track.source]
        self.tracks.end(handle)

    def add_outlets(self, peer: Peer, slots: Sequence[SinkFormat]) -> list[SinkId]:
        """All of them or none. Raises ValueError for an SSRC that is in use: under one key it may count only once."""
        ssrcs = [ssrc for slot in slots for ssrc in (slot.ssrc, slot.rtx_ssrc) if ssrc is not None]
        if len(set(ssrcs)) < len(ssrcs) or not peer.used_ssrcs.isdisjoint(ssrcs):
            raise ValueError("an SSRC is of one sink, and never used again on its transport")
        peer.used_ssrcs.update(ssrcs)
        made = []
        for slot in slots:
            handle = SinkId(next(self._numbers))
            outlet = Outlet(handle, Sink(handle, slot, self._layouts, self.drops), peer)
            peer.outlets[slot.ssrc] = outlet
            self.outlets.put(handle, outlet)
            made.append(handle)
        return made

    def link(self, outlet: Outlet) -> None:
        """After whatever may have changed what the sink needs. Nothing before its peer is ready: a key frame that it
        cannot be sent would be missing at its decoder for as long as the next one takes."""
        needs = outlet.sink.needs if outlet.peer.is_ready else ()
        needed = tuple(track for source in needs if (track := self.tracks.get(source)) is not None)
        if set(needed) == set(outlet.tracks):
            return
        self._unlink(outlet)
        outlet.tracks = needed
        for track in needed:
            track.outlets.append(outlet)

    @staticmethod
    def _unlink(outlet: Outlet) -> None:
        for track in outlet.tracks:
            track.outlets.remove(outlet)
        outlet.tracks = ()

    def add_tap(self, track: Track, most_bytes: int) -> TapId:
        """Raises ValueError for one that holds nothing."""
        tap = Tap(most_bytes, self.drops)
        handle = TapId(next(self._numbers))
        track.taps[handle] = tap
        self.taps.put(handle, (track, tap))
        return handle

    def remove_tap(self, handle: TapId) -> None:
        track, _ = self.taps[handle]
        del track.taps[handle]
        self.taps.end(handle)
