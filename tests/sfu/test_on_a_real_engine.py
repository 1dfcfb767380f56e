"""Live rooms on the portable engine, with synthetic browsers on real sockets: what was told is what flows."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import uuid4

import pytest

from kernel.clock import SystemClock
from kernel.ids import IdGenerator
from kernel.metrics import Metrics
from media.candidates import Advertised
from media.engine import Engine, IceCredentials, Listening, TransportId
from media.portable.engine import open_portable
from media.rtp import Packet
from sfu.admission import Admission
from sfu.choices import choices
from sfu.live import Doorbell, LiveRooms, live_rooms
from sfu.member import Member
from sfu.metering import Meters
from sfu.node import Node
from sfu.notices import Encryption, Ended, Gate, MutedBy, Notice, Slots, Speakers, TrackMuted
from sfu.participants import Participant
from sfu.requests import Negotiated, Receive
from sfu.rooms import Mode, Plan, Room
from sfu.sources import Source
from tests.media.peers import Peer, UdpWire
from tests.media.tracks import OpusTrack, Stream, TransportSequence, Vp8Track
from tests.sfu.stage import (
    CAMERA,
    EVERYTHING,
    KID_PREFIX,
    MICROPHONE,
    Audit,
    browser_offer,
    dtls_identity,
    publications,
)

Said = TypeVar("Said", bound=Notice)

FRAME = 1 / 30
# A picture is told from another's by the size of its packets.
SIZES = {"ada": 300, "ben": 420}
LAYER_SIZES = {"q": 200, "h": 350, "f": 500}


@dataclass
class Guest:
    world: World
    member: Member
    told: list[Notice]
    peer: Peer = field(default_factory=Peer)
    counted: TransportSequence = field(default_factory=TransportSequence)
    answer: Negotiated | None = None
    senders: list[asyncio.Task[None]] = field(default_factory=list)

    def all(self, kind: type[Said]) -> list[Said]:
        return [one for one in self.told if isinstance(one, kind)]

    @property
    def transport(self) -> TransportId:
        connection = self.world.participant(self).connection
        assert connection is not None
        assert connection.transport is not None
        return connection.transport

    def holds(self, mid: str) -> str | None:
        """The track that this slot was last said to have."""
        changes = [change.track for notice in self.all(Slots) for change in notice.slots if change.mid == mid]
        return changes[-1] if changes else None

    def track(self, source: Source) -> str:
        own = self.world.participant(self).tracks.values()
        return next(one.id for one in own if one.announced.source is source)

    def received(self, mid: str) -> list[Packet]:
        """The media of one slot."""
        assert self.answer is not None
        section = next(one for one in self.answer.sdp.split("\r\nm=") if f"a=mid:{mid}\r\n" in one)
        first = re.search(r"a=ssrc:(\d+) cname", section)
        assert first is not None
        return self.peer.packets_of(int(first[1]))

    def sizes(self, mid: str, last: int) -> Counter[int]:
        """Of its last packets, without their VP8 descriptor, whose length is six here."""
        return Counter(len(packet.payload) - 6 for packet in self.received(mid)[-last:])

    def send(self, frames: Callable[[int], list[bytes]]) -> None:
        """Thirty times a second until the end."""

        async def run() -> None:
            number = 0
            while True:
                for packet in frames(number):
                    self.peer.send_rtp(packet)
                number += 1
                await asyncio.sleep(FRAME)

        self.senders.append(asyncio.get_running_loop().create_task(run()))

    def show(self, packet_bytes: int, ssrc: int, rid: str | None = None) -> None:
        track = Vp8Track(Stream(ssrc, 96, "v0", self.counted, rid=rid), packet_bytes=packet_bytes)
        self.send(lambda number: track.frame(keyframe=number % 5 == 0))

    def talk(self, level: Callable[[], int], ssrc: int) -> None:
        track = OpusTrack(Stream(ssrc, 111, "a0", self.counted))
        self.send(lambda _: [track.packet(level(), voice=level() < 60)])


@dataclass
class World:
    engine: Engine
    rooms: LiveRooms
    audit: Audit
    room: Room
    guests: list[Guest] = field(default_factory=list)

    def participant(self, guest: Guest) -> Participant:
        meeting = self.rooms.find(self.room.id)
        assert meeting is not None
        return meeting.participants[guest.member.id]

    async def join(
        self, identity: str, sources: Sequence[Source] = (), slots: tuple[int, int] = (0, 0), *, simulcast: bool = False
    ) -> Guest:
        """Negotiated, connected, with keys: those of DTLS are tested where DTLS is."""
        told: list[Notice] = []
        admission = Admission(identity, EVERYTHING, e2ee=Encryption(KID_PREFIX, f"sender-of-{identity}"))
        guest = Guest(self, self.rooms.join(self.room, admission, told.append), told)
        self.guests.append(guest)
        ice = guest.peer.ice
        kinds = Counter(one.kind.value for one in sources)
        offer = browser_offer(kinds["audio"], kinds["video"], slots, simulcast=simulcast)
        offer = offer.replace("a=ice-ufrag:abcd", f"a=ice-ufrag:{ice.ufrag}")
        offer = offer.replace("a=ice-pwd:abcdefghijklmnopqrstuvwx", f"a=ice-pwd:{ice.password}")
        announced = publications(identity, sources, simulcast=simulcast, encrypted=True)
        guest.answer = await guest.member.negotiate(offer, announced, Receive(*slots))
        ufrag, password = (re.search(rf"a=ice-{name}:(\S+)", guest.answer.sdp) for name in ("ufrag", "pwd"))
        assert ufrag is not None
        assert password is not None
        guest.peer.engine_ice = IceCredentials(ufrag[1], password[1])
        guest.peer.wire = UdpWire(guest.peer.receive, self.engine.local[0])
        guest.peer.wires.append(guest.peer.wire)
        guest.peer.check()
        connection = self.participant(guest).connection
        assert connection is not None
        await guest.peer.until(lambda: connection.has_consent)
        self.engine.set_srtp(guest.transport, guest.peer.srtp.engine_keys)
        return guest


@asynccontextmanager
async def world(mode: Mode) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        doorbell = Doorbell(asyncio.get_running_loop())
        engine = await stack.enter_async_context(open_portable(Listening(("127.0.0.1",), 0), wake=doorbell.ring))
        local, clock, audit = engine.local[0], SystemClock(), Audit()
        node = Node(
            engine=engine,
            identity=dtls_identity(),
            advertised=(Advertised(local.host, local.port, local.port),),
            ids=IdGenerator(clock),
            clock=clock,
            meters=Meters(Metrics()),
            audit=audit,
        )
        rooms = await stack.enter_async_context(live_rooms(node, doorbell))
        made = World(engine, rooms, audit, Room(uuid4(), None, Plan("Stand-up", mode), clock.now()))
        try:
            yield made
        finally:
            for guest in made.guests:
                for sender in guest.senders:
                    sender.cancel()
                    with suppress(asyncio.CancelledError):
                        await sender
                await guest.peer.close()
            await rooms.close()
            assert not engine.transport_stats()
            assert not engine.source_stats()
            assert not engine.sink_stats()


@pytest.fixture
async def here() -> AsyncIterator[World]:
    async with world(Mode.INTELLIGENT) as made:
        yield made


async def until(holds: Callable[[], object], patience: float = 8.0) -> None:
    async with asyncio.timeout(patience):
        while not holds():
            await asyncio.sleep(0.02)


async def test_whoever_speaks_flows_into_the_slots_and_the_slots_are_told(here: World) -> None:
    ada = await here.join("ada", [MICROPHONE, CAMERA])
    ben = await here.join("ben", [MICROPHONE, CAMERA])
    eve = await here.join("eve", [], (1, 1))
    loud = {"ada": 20, "ben": 127}
    for name, guest, ssrc in (("ada", ada, 0x100), ("ben", ben, 0x200)):
        guest.show(SIZES[name], ssrc)
        guest.talk(lambda name=name: loud[name], ssrc + 1)  # type: ignore[misc]
    await until(lambda: eve.holds("rv0") == ada.track(CAMERA) and eve.holds("ra0") == ada.track(MICROPHONE))
    await until(lambda: eve.sizes("rv0", 20) == {SIZES["ada"]: 20})
    await until(lambda: eve.all(Speakers))
    assert [one.participant for one in eve.all(Speakers)[-1].speakers] == [ada.member.id]
    loud.update(ada=127, ben=20)
    await until(lambda: eve.holds("rv0") == ben.track(CAMERA) and eve.holds("ra0") == ben.track(MICROPHONE))
    await until(lambda: eve.sizes("rv0", 20) == {SIZES["ben"]: 20})
    ben.member.mute(ben.track(CAMERA), muted=True)
    await asyncio.sleep(0.3)
    count = len(eve.received("rv0"))
    await asyncio.sleep(0.3)
    assert len(eve.received("rv0")) == count


async def test_a_larger_picture_is_sent_when_it_is_wanted_and_the_reason_can_be_read(here: World) -> None:
    ada = await here.join("ada", [CAMERA], simulcast=True)
    eve = await here.join("eve", [], (0, 1))
    for number, (rid, size) in enumerate(LAYER_SIZES.items()):
        ada.show(size, 0x100 + number, rid)
    await until(lambda: eve.sizes("rv0", 20) == {LAYER_SIZES["h"]: 20})
    eve.member.want(ada.track(CAMERA), 320, 180)
    await until(lambda: eve.sizes("rv0", 20) == {LAYER_SIZES["q"]: 20})
    eve.member.want(ada.track(CAMERA), 1280, 720)
    await until(lambda: eve.sizes("rv0", 20) == {LAYER_SIZES["f"]: 20})
    meeting = here.rooms.find(here.room.id)
    assert meeting is not None
    found = {one.participant: one for one in choices(meeting)}[eve.member.id]
    layer = found.flowing["rv0"]
    assert layer is not None
    assert layer.spatial == 2
    assert found.layers[ada.track(CAMERA)].rung == 2
    eve.member.want(ada.track(CAMERA), 0, 0)
    await asyncio.sleep(0.4)
    count = len(eve.received("rv0"))
    await asyncio.sleep(0.3)
    assert len(eve.received("rv0")) == count


async def test_clear_media_reaches_nobody_in_a_secure_room_and_mutes_itself() -> None:
    async with world(Mode.SECURE) as here:
        ada = await here.join("ada", [MICROPHONE, CAMERA])
        eve = await here.join("eve", [], (1, 1))
        ada.show(300, 0x100)
        await until(lambda: eve.all(TrackMuted))
        camera = ada.track(CAMERA)
        assert eve.all(TrackMuted) == [TrackMuted(camera, True, MutedBy.GATE)]
        assert [(one.track, one.muted) for one in ada.all(Gate)] == [(camera, False), (camera, False), (camera, True)]
        assert [entry[1:3] for entry in here.audit.entries] == [("ada", camera)]
        assert eve.peer.rtp == []


async def test_who_leaves_stops_flowing_and_who_is_gone_hears_it(here: World) -> None:
    ada = await here.join("ada", [CAMERA])
    eve = await here.join("eve", [], (0, 1))
    ada.show(300, 0x100)
    await until(lambda: len(eve.received("rv0")) > 10)
    transports = set(here.engine.transport_stats())
    gone = ada.transport
    ada.member.leave()
    await until(lambda: eve.holds("rv0") is None)
    await until(lambda: set(here.engine.transport_stats()) == transports - {gone})
    assert not here.engine.source_stats()
    here.rooms.end(here.room.id)
    assert len(eve.all(Ended)) == 1
