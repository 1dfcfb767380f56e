"""Live rooms in virtual time, and people who come into them with offers as browsers make them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from typing import TypeVar
from uuid import UUID

from kernel.ids import IdGenerator
from kernel.metrics import Metrics
from media.candidates import Advertised
from media.codecs.names import CodecName, Kind
from media.dtls import DtlsIdentity
from media.engine import Connected, ConsentLost, Layer, LayerStats, SourceStats, TransportId
from sfu.admission import Admission, Bounds, Grants
from sfu.live import LiveRooms
from sfu.meeting import Meeting
from sfu.member import Member
from sfu.metering import Meters
from sfu.node import Node
from sfu.notices import Encryption, Notice, Slots
from sfu.participants import LiveTrack, Participant
from sfu.requests import Encoding, Negotiated, Publication, Receive
from sfu.rooms import Mode, Plan, Room
from sfu.sources import Source
from tests.clocks import VirtualClock
from tests.media.sdp_offers import DATA, joined, offer, section, slot, without
from tests.sfu.engines import RecordingEngine

Said = TypeVar("Said", bound=Notice)

EVERYTHING = Grants(publish=frozenset(Source), subscribe=True, data=True)
MICROPHONE, CAMERA, SCREEN = Source.MICROPHONE, Source.CAMERA, Source.SCREEN
SIMULCAST = (Encoding("q", 320, 180), Encoding("h", 640, 360), Encoding("f", 1280, 720))
KID_PREFIX = 0x8123

_OF_THE_TRANSPORT = ("candidate", "end-of-candidates", "ice-ufrag", "ice-pwd", "ice-options", "fingerprint", "setup")
_TRANSPORT = (
    "a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=setup:actpass\r\n"
    f"a=fingerprint:sha-256 {':'.join(['AB'] * 32)}\r\n"
)


@cache
def dtls_identity() -> DtlsIdentity:
    return DtlsIdentity.make()


def browser_offer(
    audio: int = 0, video: int = 0, slots: tuple[int, int] = (0, 0), *, simulcast: bool = False, data: bool = False
) -> str:
    """Sections ``a0``... and ``v0``... to send on, then ``ra0``... and ``rv0``... to receive in. Of one browser."""
    whole = offer("simulcast")
    for attribute in _OF_THE_TRANSPORT:
        whole = without(whole, attribute)
    head = without(whole.split("\r\nm=")[0] + "\r\n", "group")
    own = head + _TRANSPORT + "a=group:BUNDLE\r\n"
    sent = [_sending(whole, 0, f"a{index}") for index in range(audio)]
    sent += [_sending(whole, 1, f"v{index}", simulcast=simulcast) for index in range(video)]
    received = [slot(whole, 0, f"ra{index}") for index in range(slots[0])]
    received += [slot(whole, 1, f"rv{index}") for index in range(slots[1])]
    return joined(own, *sent, *received, *([DATA] if data else []))


def _sending(text: str, index: int, mid: str, *, simulcast: bool = False) -> str:
    own = section(text, index)
    for attribute in ("ssrc", "ssrc-group", *(() if simulcast else ("rid", "simulcast"))):
        own = without(own, attribute)
    return own.replace(f"a=mid:{index}\r\n", f"a=mid:{mid}\r\n")


class Audit:
    def __init__(self) -> None:
        self.entries: list[tuple[UUID, str, str | None, str]] = []

    def gate_muted(self, room: UUID, identity: str, track: str | None, reason: str) -> None:
        self.entries.append((room, identity, track, reason))


@dataclass
class Person:
    """``told`` is everything since the beginning."""

    identity: str
    stage: Stage
    room: Room
    told: list[Notice] = field(default_factory=list)
    member: Member | None = None
    negotiated: Negotiated | None = None
    offer: str = ""

    @property
    def here(self) -> Member:
        assert self.member is not None
        return self.member

    @property
    def id(self) -> str:
        return self.here.id

    @property
    def me(self) -> Participant:
        return self.stage.meeting(self.room).participants[self.id]

    @property
    def transport(self) -> TransportId:
        connection = self.me.connection
        assert connection is not None
        assert connection.transport is not None
        return connection.transport

    @property
    def slots(self) -> dict[str, str]:
        """What was told to be in each slot, as a client would keep it."""
        slots: dict[str, str] = {}
        for notice in self.all(Slots):
            for change in notice.slots:
                if change.track is None:
                    slots.pop(change.mid, None)
                else:
                    slots[change.mid] = change.track
        return slots

    def all(self, kind: type[Said]) -> list[Said]:
        return [one for one in self.told if isinstance(one, kind)]

    def track(self, source: Source) -> LiveTrack:
        return next(one for one in self.me.tracks.values() if one.announced.source is source)

    async def publish(
        self,
        *sources: Source,
        slots: tuple[int, int] = (0, 0),
        simulcast: bool = False,
        encrypted: bool | None = None,
        data: bool = False,
    ) -> Negotiated:
        """With room to receive. The first offer, or one more."""
        announced = publications(
            self.identity,
            sources,
            simulcast=simulcast,
            encrypted=self.room.plan.mode is Mode.SECURE if encrypted is None else encrypted,
        )
        kinds = [one.kind for one in sources]
        self.offer = browser_offer(
            kinds.count(Kind.AUDIO), kinds.count(Kind.VIDEO), slots, simulcast=simulcast, data=data
        )
        self.negotiated = await self.here.negotiate(self.offer, announced, Receive(*slots))
        return self.negotiated

    def connect(self) -> None:
        self.stage.engine.waiting.append(Connected(self.transport, self.stage.engine.local[0], tcp=False))
        self.stage.rooms.drain()

    def lose_consent(self) -> None:
        self.stage.engine.waiting.append(ConsentLost(self.transport))
        self.stage.rooms.drain()


def publications(
    who: str, sources: Sequence[Source], *, simulcast: bool = False, encrypted: bool = False
) -> list[Publication]:
    numbers = {kind: count() for kind in Kind}
    return [
        Publication(
            mid=f"{one.kind.value[0]}{next(numbers[one.kind])}",
            cid=f"{who}-{one.value}",
            kind=one.kind,
            source=one,
            encrypted=encrypted,
            layers=SIMULCAST if simulcast and one.kind is Kind.VIDEO else (),
        )
        for one in sources
    ]


class Stage:
    def __init__(self, *, bounds: Bounds | None = None) -> None:
        self.clock = VirtualClock()
        self.engine = RecordingEngine()
        self.audit = Audit()
        self.metrics = Metrics()
        self.node = Node(
            engine=self.engine,
            identity=dtls_identity(),
            advertised=(Advertised("192.0.2.1", 3478, 3478),),
            ids=IdGenerator(self.clock),
            clock=self.clock,
            meters=Meters(self.metrics),
            audit=self.audit,
            bounds=bounds or Bounds(),
        )
        self.rooms = LiveRooms(self.node)
        self._numbers = count(1)

    def room(self, mode: Mode = Mode.INTELLIGENT, **more: int | bool) -> Room:
        plan = Plan(
            "Stand-up",
            mode,
            max_participants=int(more.get("max_participants", 1000)),
            empty_timeout=int(more.get("empty_timeout", 300)),
            waiting_room=bool(more.get("waiting_room", False)),
        )
        return Room(UUID(int=next(self._numbers)), None, plan, self.clock.now())

    def meeting(self, room: Room) -> Meeting:
        found = self.rooms.find(room.id)
        assert found is not None
        return found

    def join(
        self, room: Room, identity: str, grants: Grants = EVERYTHING, e2ee: Encryption | bool | None = None
    ) -> Person:
        """``e2ee``: whether they announce it; by default where the room asks for it."""
        if e2ee is None:
            e2ee = room.plan.mode is Mode.SECURE
        announced = Encryption(KID_PREFIX, f"sender-of-{identity}") if e2ee is True else (e2ee or None)
        person = Person(identity, self, room)
        person.member = self.rooms.join(
            room, Admission(identity, grants, identity.title(), None, announced), person.told.append
        )
        return person

    def pass_time(self, seconds: float, step: float = 0.1) -> None:
        """With a look every tenth of a second, or rarer."""
        for _ in range(round(seconds / step)):
            self.clock.advance(step)
            self.rooms.tick(self.clock.monotonic())

    async def settle(self) -> None:
        """Goodbyes are said: nobody is waited for, so a few turns of the loop are enough."""
        for _ in range(5):
            await asyncio.sleep(0)

    def require_empty(self) -> None:
        """Nothing is held for anybody, here or in the engine."""
        assert not self.engine.transports
        assert not self.engine.sources
        assert not self.engine.sinks
        assert not self.node.transports
        assert not self.node.sources
        assert not self.node.sinks
        assert (self.node.load.transports, self.node.load.slots) == (0, 0)

    def metric(self, name: str, /, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"secureconnect_{name}", labels) or 0.0


def flowing(layers: Iterable[tuple[int, int, int, int, float]]) -> SourceStats:
    """Spatial layers from the lowest up: bitrate, width, height and frames a second of each, in one temporal layer."""
    told = {
        Layer(spatial, 0): LayerStats(bitrate, fps, width, height) for spatial, bitrate, width, height, fps in layers
    }
    return SourceStats(0, 0, 0, 0, 0.0, told, CodecName.VP8)
