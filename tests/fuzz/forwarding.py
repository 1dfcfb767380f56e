"""A source and a slot before what a hostile publisher and a hostile subscriber could do.

Bytes are read as steps over the packets of a capture: taken as it is, lost, changed, held back, repeated, wrapped as a
repair; time passes; the subscriber asks for this and that. Nothing may be raised, and no number may go out twice with
other bytes: under SRTP that would be one nonce used twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from media import rtp
from media.engine import GateRule, Layer, SinkFormat, SinkId, SourceFormat, SourceId
from media.errors import BadPacket
from media.extensions import ExtensionName
from media.portable.packet import Break, Gap, Incoming
from media.portable.rewriting import Layouts
from media.portable.router import Router
from media.portable.sink import Sink
from media.portable.source import Source
from tests.media import captures

SOURCE: Final = SourceId(1)
SSRC, RTX_SSRC = 7, 8
FRAME_SECONDS: Final = 0.005


@cache
def published(name: str) -> tuple[SourceFormat, tuple[bytes, ...]]:
    capture = captures.load(name)
    return capture.published, tuple(one.data for one in capture.packets if not one.is_rtcp)


def wanted(sent: SourceFormat) -> SinkFormat:
    return SinkFormat(
        mid="9",
        kind=sent.kind,
        ssrc=SSRC,
        rtx_ssrc=RTX_SSRC,
        payload_types={codec: (number, 120) for number, codec in sent.payload_types.items()},
        extensions={ExtensionName.MID: 1, ExtensionName.ABS_SEND_TIME: 2, ExtensionName.DEPENDENCY_DESCRIPTOR: 3},
    )


@dataclass
class Course:
    """Steps are bytes; those that need more than one take what follows."""

    steps: Iterator[int]
    packets: list[bytes]
    source: Source
    router: Router
    sink: Sink
    now: float = 0.0
    at: int = 0
    held: list[bytes] = field(default_factory=list)
    sent: dict[tuple[int, int], bytes] = field(default_factory=dict)

    def run(self) -> None:
        for step in self.steps:
            self.now += FRAME_SECONDS
            # One half of all values goes on, so that much of a capture is played.
            (Course.take if step >= 128 else _STEPS[step % len(_STEPS)])(self)

    def next_byte(self) -> int:
        return next(self.steps, 0)

    def current(self) -> bytes:
        self.at += 1
        return self.packets[self.at % len(self.packets)]

    def receive(self, data: bytes) -> None:
        with suppress(BadPacket):
            packet = rtp.Packet.parse(data)
            source = self.router.route(packet, self.now)
            if source is not None:
                self.forward(packet)

    def forward(self, packet: rtp.Packet) -> None:
        try:
            results = self.source.receive(packet, self.now)
        except BadPacket as bad:
            raise AssertionError("a source counts what it drops, and refuses nothing") from bad
        for result in results:
            if isinstance(result, Incoming):
                self.went(self.sink.offer(SOURCE, result, self.now))
            elif isinstance(result, Gap):
                self.went(self.sink.gap(SOURCE, result.stream, result.number, self.now))
            elif isinstance(result, Break):
                self.sink.interrupt(SOURCE, result.stream)

    def went(self, data: bytes | None) -> None:
        if data is None:
            return
        packet = rtp.Packet.parse(data)
        number = packet.header.ssrc, packet.header.sequence
        assert packet.header.ssrc in (SSRC, RTX_SSRC)
        assert self.sent.setdefault(number, data) == data, "one number, two packets"

    def take(self) -> None:
        self.receive(self.current())

    def lose(self) -> None:
        self.current()

    def change(self) -> None:
        data = bytearray(self.current())
        place, value = self.next_byte(), self.next_byte()
        data[place % len(data)] ^= value
        self.receive(bytes(data))

    def cut(self) -> None:
        data = self.current()
        self.receive(data[: self.next_byte() % (len(data) + 1)])

    def hold(self) -> None:
        self.held.append(self.current())

    def release(self) -> None:
        if self.held:
            self.receive(self.held.pop(self.next_byte() % len(self.held)))

    def again(self) -> None:
        self.at -= self.next_byte() % 32 + 1
        self.take()

    def as_repair(self) -> None:
        """Of something lately, by a stream of repairs that says it is its."""
        with suppress(BadPacket):
            packet = rtp.Packet.parse(self.packets[(self.at - self.next_byte() % 16) % len(self.packets)])
            repairs = next(iter(self.source.format.repairs), 0)
            self.receive(rtp.wrap_rtx(packet, payload_type=repairs, ssrc=99, sequence=self.at & 0xFFFF))

    def wait(self) -> None:
        self.now += self.next_byte() / 50
        self.sink.tick(self.now)

    def ask_again(self) -> None:
        first = self.next_byte() << 8 | self.next_byte()
        numbers = [number for ssrc, number in list(self.sent)[-self.next_byte() :] if ssrc == SSRC] or [first]
        for data in self.sink.repair(numbers, self.cached, self.now):
            self.went(data)

    def cached(self, _: SourceId, stream: int, number: int) -> Incoming | None:
        return self.source.repair(stream, number)

    def limit(self) -> None:
        value = self.next_byte()
        ladder = [Layer(spatial, 7) for spatial in range(value % 4)]
        self.sink.allow(ladder, self.now)

    def decide(self) -> None:
        value = self.next_byte()
        self.sink.pause(paused=bool(value & 1))
        self.source.mute(muted=value & 6 == 6)
        self.sink.assign(None if value & 24 == 24 else SOURCE)
        self.source.set_gate(GateRule((captures.KEY_ID,)) if value & 96 == 96 else None)

    def look(self) -> None:
        self.sink.refresh()
        self.sink.switched()
        for _, stream in self.sink.wanted_keyframes():
            self.source.wish_keyframe(self.now, stream)
        self.source.requests(self.now, 0.05, 1)
        self.source.reports(self.now)
        self.source.stats(self.now)
        self.sink.stats()


_STEPS: Final = (
    Course.lose,
    Course.change,
    Course.cut,
    Course.hold,
    Course.release,
    Course.again,
    Course.as_repair,
    Course.wait,
    Course.ask_again,
    Course.limit,
    Course.decide,
    Course.look,
)


def forwarding(data: bytes, _: bytes) -> None:
    """The first byte chooses the capture and where it begins."""
    steps = iter(data)
    choice = next(steps, 0)
    sent, packets = published(captures.NAMES[choice % len(captures.NAMES)])
    drops = Counter[str]()
    source, router = Source(sent, drops), Router(drops)
    router.add(source, 0.0)
    sink = Sink(SinkId(1), wanted(sent), Layouts(), drops, first_number=100, first_repair=100)
    sink.assign(SOURCE)
    Course(steps, list(packets), source, router, sink).run()


def seeds() -> list[bytes]:
    through = bytes([200]) * 60
    each = b"".join(bytes([200] * 12 + [step, 7, 3]) for step in range(len(_STEPS)))
    return [bytes([name]) + steps for name in range(len(captures.NAMES)) for steps in (through, each)]
