"""Publishers, lossy ways to us and on, and one subscriber's slot between them, in virtual time. Sources, caches and the
slot are the engine's; who publishes and who watches is played here."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from media.codecs.names import CodecName, Kind
from media.engine import Layer, SinkFormat, SinkId, SourceFormat, SourceId
from media.extensions import ExtensionName
from media.portable.packet import Break, Gap, Incoming
from media.portable.rewriting import Layouts
from media.portable.sink import Sink
from media.portable.source import Source
from media.rtcp import Nack, PictureLoss
from media.rtp import Header, Packet, build, wrap_rtx
from media.sequence import SEQUENCE_BITS, Unwrapper
from tests.emulator.link import Conditions, Link
from tests.media.portable.invariants import Tag, Watched

VP8, RTX = 96, 97
STEP = 0.005
PATTERN = (0, 2, 1, 2)
# How many frames back lies what each refers to: the base layer; the first of the top layer to the base, the second to
# the middle one.
NEEDS = (4, 1, 2, 1)
SYNC = (False, True, True, False)


@dataclass
class Encoder:
    """One encoding of VP8 in three temporal layers. All its numbers begin close to where they wrap."""

    source: int
    stream: int
    ssrc: int
    dice: random.Random
    watched: Watched
    layered: bool = True
    long_ids: bool = True
    is_paused: bool = False
    wants_key: bool = True
    sent: dict[int, bytes] = field(default_factory=dict)
    frames: int = 0
    places: int = 0
    cycle: int = len(PATTERN) - 1
    may_begin_anywhere: bool = True

    def __post_init__(self) -> None:
        self.sequence = 65_400 + self.dice.randrange(200)
        self.timestamp = (1 << 32) - self.dice.randrange(900_000)
        self.picture_id = (1 << (15 if self.long_ids else 7)) - 20 - self.dice.randrange(20)
        self.tl0 = 240
        self.rtx = 100
        self.now = 0.0

    def frame(self, now: float, began: float) -> list[bytes]:
        if self.is_paused:
            return []
        self.now = now
        key = self._begin()
        needs = 0 if key else NEEDS[self.cycle] if self.layered else 1
        temporal = PATTERN[self.cycle] if self.layered else 0
        self.tl0 += temporal == 0
        pieces = self.pieces(key=key)
        timestamp = (self.timestamp + round((now - began) * 90_000)) & 0xFFFFFFFF
        made = []
        for index, piece in enumerate(pieces):
            tag = Tag(self.source, self.stream, self.places, self.frames, index, len(pieces), temporal, key, needs)
            self.places += 1
            self.watched.made(tag, now)
            payload = self._descriptor(temporal, starts=index == 0) + piece + tag.write()
            made.append(self._packet(payload, timestamp, marker=index == len(pieces) - 1))
        if self.dice.random() < 0.1:
            self.watched.made_padding((self.source, self.stream), self.sequence & 0xFFFF, self.places - 1)
            made.append(self._packet(b"", timestamp, marker=False, padding=60))
        self.frames += 1
        self.picture_id += 1
        return made

    def _begin(self) -> bool:
        """The next frame; whether it is a key frame. Those begin the pattern of layers anew."""
        key = self.wants_key and (self.may_begin_anywhere or not self.layered or self.cycle == len(PATTERN) - 1)
        if key:
            self.wants_key = False
        self.cycle = 0 if key or not self.layered else (self.cycle + 1) % len(PATTERN)
        return key

    def pieces(self, *, key: bool) -> list[bytes]:
        """The packets of the next frame."""
        count = self.dice.randrange(4, 9) if key else self.dice.randrange(1, 3 + 2 * self.stream)
        first = bytes.fromhex("1002009d012a8002e001") if key else bytes.fromhex("310100")
        return [(b"" if index else first) + bytes(self.dice.randrange(200)) for index in range(count)]

    def _descriptor(self, temporal: int, *, starts: bool) -> bytes:
        picture = (0x8000 | self.picture_id & 0x7FFF).to_bytes(2, "big")
        if not self.long_ids:
            picture = bytes((self.picture_id & 0x7F,))
        sync = 0x20 * SYNC[self.cycle]
        return bytes((0x80 | 0x10 * starts, 0xE0, *picture, self.tl0 & 0xFF, temporal << 6 | sync))

    def _packet(self, payload: bytes, timestamp: int, *, marker: bool, padding: int = 0) -> bytes:
        header = Header(
            payload_type=VP8, sequence=self.sequence & 0xFFFF, timestamp=timestamp, ssrc=self.ssrc, marker=marker
        )
        data = build(header, payload, padding=padding)
        self.sent[self.sequence & 0xFFFF] = data
        self.sequence += 1
        return data

    def repair(self, sequence: int) -> bytes | None:
        data = self.sent.get(sequence)
        if data is None:
            return None
        self.rtx = (self.rtx + 1) & 0xFFFF
        return wrap_rtx(Packet.parse(data), payload_type=RTX, ssrc=self.ssrc + 500, sequence=self.rtx)


class Publisher:
    """One track, its way to us and back, and our source of it."""

    def __init__(
        self,
        source: SourceId,
        dice: random.Random,
        watched: Watched,
        conditions: Conditions,
        *,
        streams: int,
        now: float,
        made_by: type[Encoder] = Encoder,
    ) -> None:
        self.id = source
        self.began = now
        self._watched = watched
        rids = ("q", "h", "f")[:streams] if streams > 1 else ()
        sent = SourceFormat(str(source), Kind.VIDEO, {VP8: CodecName.VP8}, {RTX: VP8}, rids)
        self.drops: Counter[str] = Counter()
        self.source = Source(sent, self.drops)
        layered, long_ids = dice.random() < 0.7, dice.random() < 0.7
        self.encoders = [
            made_by(source, at, 1000 * source + at, dice, watched, layered, long_ids) for at in range(streams)
        ]
        for encoder in self.encoders:
            self.source.bind(encoder.ssrc, encoder.stream, now, repair=False)
            self.source.bind(encoder.ssrc + 500, encoder.stream, now, repair=True)
        self._up = Link(conditions, seed=dice.randrange(1 << 30), now=now)
        self._down: list[tuple[float, Nack | PictureLoss]] = []
        self._next_frame = now + dice.random() / 30
        self._highest: dict[int, int] = {}

    def step(self, now: float) -> Iterator[Incoming | Gap | Break]:
        if now >= self._next_frame:
            for encoder in self.encoders:
                for data in encoder.frame(now, self.began):
                    self._up.push(0, data, now=now)
            self._next_frame += 1 / 30
        for _, data in self._up.due(now):
            yield from self._received(data, now)
        self._ask(now)

    def _received(self, data: bytes, now: float) -> Iterator[Incoming | Gap | Break]:
        for result in self.source.receive(Packet.parse(data), now):
            if isinstance(result, Incoming):
                self._note(result)
            elif isinstance(result, Gap):
                self._watched.padding_came((self.id, result.stream), result.number & 0xFFFF)
            if isinstance(result, Incoming | Gap | Break):
                yield result

    def _ask(self, now: float) -> None:
        for request in self.source.requests(now, 0.2, 1):
            if isinstance(request, Nack | PictureLoss):
                self._down.append((now + 0.1, request))
        while self._down and self._down[0][0] <= now:
            self._answer(self._down.pop(0)[1], now)

    def _note(self, packet: Incoming) -> None:
        highest = self._highest.get(packet.stream, -1)
        self._watched.came(Tag.read(packet.payload), late=packet.number < highest)
        self._highest[packet.stream] = max(highest, packet.number)

    def _answer(self, request: Nack | PictureLoss, now: float) -> None:
        encoder = next(one for one in self.encoders if one.ssrc == request.media_ssrc)
        if isinstance(request, PictureLoss):
            encoder.wants_key = True
            return
        for lost in request.lost:
            data = encoder.repair(lost)
            if data is not None:
                self._up.push(0, data, now=now)


class Subscriber:
    """Asks for what is missing until it comes, ten times at most, as browsers do; and says so 100 ms later."""

    def __init__(self, conditions: Conditions, *, seed: int, now: float) -> None:
        self._link = Link(conditions, seed=seed, now=now)
        self._unwrapper = Unwrapper(SEQUENCE_BITS)
        self._asked: dict[int, tuple[int, float]] = {}
        self._under_way: list[tuple[float, list[int]]] = []
        self._newest: int | None = None

    def push(self, data: bytes, now: float) -> None:
        self._link.push(0, data, now=now)

    def step(self, now: float, rtx_ssrc: int) -> Iterator[list[int]]:
        for _, data in self._link.due(now):
            packet = Packet.parse(data)
            if packet.header.ssrc == rtx_ssrc:
                self._came(self._unwrapper.peek(int.from_bytes(packet.payload[:2], "big")), now)
            else:
                self._came(self._unwrapper.unwrap(packet.header.sequence), now)
        wanted = [number for number, (times, at) in self._asked.items() if at <= now and times < 10]
        for number in wanted:
            self._asked[number] = self._asked[number][0] + 1, now + 0.22
        if wanted:
            self._under_way.append((now + 0.1, [number & 0xFFFF for number in wanted]))
        while self._under_way and self._under_way[0][0] <= now:
            yield self._under_way.pop(0)[1]

    def _came(self, number: int, now: float) -> None:
        self._asked.pop(number, None)
        if self._newest is not None:
            for missing in range(max(self._newest + 1, number - 1000), number):
                self._asked[missing] = (0, now)
        self._newest = number if self._newest is None else max(self._newest, number)


@dataclass
class World:
    seed: int
    upstream: Conditions
    downstream: Conditions
    publishers: Sequence[int] = (1, 3, 3)
    has_rtx: bool = True
    extensions: Mapping[ExtensionName, int] = field(default_factory=dict)
    encoder: type[Encoder] = Encoder

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)  # noqa: S311
        self.now = 1000.0
        self.watched = Watched(7, 8)
        self.drops: Counter[str] = Counter()
        self.sources = {
            SourceId(number): Publisher(
                SourceId(number),
                self.dice,
                self.watched,
                self.upstream,
                streams=streams,
                now=self.now,
                made_by=self.encoder,
            )
            for number, streams in enumerate(self.publishers, 1)
        }
        wanted = SinkFormat(
            "3", Kind.VIDEO, 7, 8 if self.has_rtx else None, {CodecName.VP8: (120, 121)}, self.extensions
        )
        self.sink = Sink(SinkId(1), wanted, Layouts(), self.drops, first_number=65_500 - self.dice.randrange(100))
        self.subscriber = Subscriber(self.downstream, seed=self.seed, now=self.now)
        self.switches = 0

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now += STEP
            self.step()

    def step(self) -> None:
        for source, publisher in self.sources.items():
            for result in publisher.step(self.now):
                if isinstance(result, Incoming):
                    self._send(self.sink.offer(source, result, self.now))
                elif isinstance(result, Gap):
                    self._send(self.sink.gap(source, result.stream, result.number, self.now))
                else:
                    self.sink.interrupt(source, result.stream)
        for lost in self.subscriber.step(self.now, 8):
            for data in self.sink.repair(lost, self._cached, self.now):
                self._send(data)
        if round(self.now / STEP) % 20 == 0:
            self.sink.tick(self.now)
            self.switches += self.sink.switched() is not None
            for source, stream in self.sink.wanted_keyframes():
                self.sources[source].source.wish_keyframe(self.now, stream)

    def _cached(self, source: SourceId, stream: int, number: int) -> Incoming | None:
        return self.sources[source].source.repair(stream, number)

    def _send(self, data: bytes | None) -> None:
        if data is not None:
            self.watched.sent(data, self.now)
            self.subscriber.push(data, self.now)

    # What may happen.

    def settle(self) -> None:
        """Everything is sent and allowed again, and there is time for all repairs."""
        for publisher in self.sources.values():
            for encoder in publisher.encoders:
                encoder.is_paused = False
        self.sink.allow((), self.now)
        self.sink.assign(SourceId(len(self.sources)))
        self.run(3.0)

    def disturb(self) -> None:
        self.dice.choice(
            (
                self._assign,
                self._assign,
                self._assign,
                self._allow,
                self._allow,
                self._limit,
                self._refresh,
                self._pause,
            )
        )()

    def _assign(self) -> None:
        self.sink.assign(self.dice.choice([*self.sources, *self.sources, None]))

    def _allow(self) -> None:
        ladder = sorted({Layer(self.dice.randrange(3), self.dice.randrange(3)) for _ in range(3)})
        self.sink.allow(self.dice.choice(((), ladder)), self.now)

    def _limit(self) -> None:
        self.sink.limit(self.dice.choice((None, 0, 1)), self.now)

    def _refresh(self) -> None:
        self.sink.refresh()

    def _pause(self) -> None:
        encoder = self.dice.choice(self.dice.choice(list(self.sources.values())).encoders)
        encoder.is_paused = not encoder.is_paused
