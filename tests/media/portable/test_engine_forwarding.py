"""To whom a packet goes, in which order, and what is told of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pytest

from media.engine import Event, Flowing, Layer, SourceId, Switched, TransportId
from media.icevalues import Path
from media.portable.containment import Containment
from media.portable.events import Events
from media.portable.forwarding import Forwarding
from media.portable.holdings import Holdings, Outlet, Track
from media.portable.outbox import Outbox
from media.portable.transport import Transport
from media.rtp import Packet
from tests.clocks import VirtualClock
from tests.media import peers
from tests.media.conformance.stage import VP8, camera_format, video_slot
from tests.media.tracks import Stream, TransportSequence, Vp8Track

PATH = Path(1, "192.0.2.1", 5000)
NOW = 50.0


@dataclass
class Recorder:
    """A wire that remembers in which order it was used among others."""

    name: int
    log: list[int]

    def send(self, data: bytes | memoryview, address: tuple[str, int]) -> bool:
        self.log.append(self.name)
        return True

    def send_run(self, run: memoryview, size: int, address: tuple[str, int]) -> int:
        self.log.append(self.name)
        return -(-len(run) // size)


@dataclass
class Room:
    drops: Counter[str] = field(default_factory=Counter)
    log: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.outbox = Outbox()
        self.holdings = Holdings(self.drops)
        self.told = Events(lambda: None, self.drops)
        self.forwarding = Forwarding(self.holdings, self.told, Containment(self.drops, VirtualClock()))

    def join(self, name: int) -> TransportId:
        handle = TransportId(name)
        transport = Transport(handle, name, outbox=self.outbox, drops=self.drops, now=0.0, rtp_per_second=1000)
        transport.set_keys(peers.Srtp().engine_keys)
        transport.move(PATH, Recorder(name, self.log))
        self.holdings.add_peer(transport)
        self.forwarding.begin(self.holdings.peers[handle], NOW)
        return handle

    def publish(self, name: int) -> Track:
        return self.holdings.tracks[self.holdings.add_track(self.holdings.peers[self.join(name)], camera_format(), 0.0)]

    def watch(self, name: int, source: SourceId) -> Outlet:
        (handle,) = self.holdings.add_outlets(self.holdings.peers[self.join(name)], [video_slot(0x9001)])
        outlet = self.holdings.outlets[handle]
        outlet.sink.assign(source)
        self.holdings.link(outlet)
        return outlet

    def send(self, track: Track, packets: list[bytes]) -> list[int]:
        """Who was sent something, in order; each packet is a batch of its own."""
        self.log.clear()
        for raw in packets:
            packet = Packet.parse(raw)
            assert track.peer.router.route(packet, NOW) is track.source
            self.forwarding.forward(track, track.source.receive(packet, NOW), NOW)
            self.outbox.flush()
        return list(self.log)

    def events(self) -> list[Event]:
        return list(self.told.fetch(100))


def camera() -> Vp8Track:
    return Vp8Track(Stream(5, VP8, "1", TransportSequence()))


def test_whoever_was_served_first_is_last_with_the_next_packet() -> None:
    room = Room()
    track, pictures = room.publish(1), camera()
    for name in (2, 3, 4):
        room.watch(name, track.id)
    order = room.send(track, pictures.frame(keyframe=True, packets=6))
    rounds = [order[at : at + 3] for at in range(0, 18, 3)]
    assert all(sorted(one) == [2, 3, 4] for one in rounds)
    assert [one[0] for one in rounds[:3]] == [one[0] for one in rounds[3:]]
    assert sorted(one[0] for one in rounds[:3]) == [2, 3, 4]


def test_a_switch_is_told_with_the_packet_that_makes_it_and_what_flowed_before_is_let_go() -> None:
    room = Room()
    first, second = room.publish(1), room.publish(2)
    outlet = room.watch(3, first.id)
    room.send(first, camera().frame(keyframe=True))
    outlet.sink.assign(second.id)
    room.holdings.link(outlet)
    assert set(outlet.tracks) == {first, second}
    assert room.events() == [Flowing(first.id), Switched(outlet.id, first.id, Layer(0))]
    pictures = camera()
    room.send(second, pictures.frame())
    assert room.events() == [Flowing(second.id)]
    room.send(second, pictures.frame(keyframe=True))
    assert room.events() == [Switched(outlet.id, second.id, Layer(0))]
    assert outlet.tracks == (second,)
    assert list(first.outlets) == []


def test_what_no_slot_needs_any_more_is_offered_to_none() -> None:
    room = Room()
    track, pictures = room.publish(1), camera()
    outlet = room.watch(2, track.id)
    room.send(track, pictures.frame(keyframe=True))
    room.holdings.remove_peer(TransportId(2))
    assert room.send(track, pictures.frame()) == []
    assert list(track.outlets) == []
    assert room.holdings.outlets.get(outlet.id) is None


def test_a_source_that_ends_takes_its_taps_along_and_frees_its_slots() -> None:
    room = Room()
    track, pictures = room.publish(1), camera()
    outlet = room.watch(2, track.id)
    tap = room.holdings.add_tap(track, 10_000)
    room.send(track, pictures.frame(keyframe=True))
    room.holdings.remove_track(track.id)
    assert room.holdings.taps.get(tap) is None
    assert outlet.tracks == ()
    room.events()
    room.forwarding.look(outlet, NOW)
    assert room.events() == [Switched(outlet.id, None, None)]
    assert outlet.flows is None


def test_an_ssrc_of_slots_is_never_used_twice_and_a_refused_set_adds_nothing() -> None:
    room = Room()
    peer = room.holdings.peers[room.join(1)]
    room.holdings.add_outlets(peer, [video_slot(10)])
    with pytest.raises(ValueError, match="SSRC"):
        room.holdings.add_outlets(peer, [video_slot(11), video_slot(10)])
    assert len(peer.outlets) == 1
    room.holdings.add_outlets(peer, [video_slot(11)])
    assert sorted(peer.outlets) == [10, 11]
