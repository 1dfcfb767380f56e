"""What must hold of everything that a receive slot sends, whatever happens on the way to it.

Payloads carry a tag that says which packet of which frame they are. ``Watched`` is told what was sent and which packets
ever reached the sink, and judges at the end, in the order of the slot's numbers.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from media.codecs.vp8 import parse_vp8
from media.rtp import Packet
from media.sequence import SEQUENCE_BITS, Unwrapper, sequence_distance, timestamp_distance

_TAG = struct.Struct("!4sBBIIBBBBB")
_MAGIC = b"tag!"
TAG_BYTES = _TAG.size
FLAG_KEY, FLAG_SYNC = 1, 2


@dataclass(frozen=True, slots=True, order=True)
class Tag:
    """``place`` counts the packets of a stream, ``frame`` its frames; ``index`` of ``count`` is the packet within its
    frame. ``needs`` is how many frames back the latest one lies that this one refers to; 0 for a key frame."""

    source: int
    stream: int
    place: int
    frame: int
    index: int
    count: int
    temporal: int = 0
    is_key: bool = False
    needs: int = 0

    def write(self) -> bytes:
        return _TAG.pack(
            _MAGIC,
            self.source,
            self.stream,
            self.place,
            self.frame,
            self.index,
            self.count,
            self.temporal,
            self.is_key,
            self.needs,
        )

    @classmethod
    def read(cls, payload: bytes | memoryview) -> Tag:
        magic, source, stream, place, frame, index, count, temporal, key, needs = _TAG.unpack(payload[-TAG_BYTES:])
        assert magic == _MAGIC
        return cls(source, stream, place, frame, index, count, temporal, bool(key), needs)

    @property
    def from_(self) -> tuple[int, int]:
        return self.source, self.stream

    @property
    def of_frame(self) -> tuple[int, int, int]:
        return self.source, self.stream, self.frame


@dataclass(slots=True)
class Out:
    """A packet under its own number; ``tag`` is None for padding."""

    number: int
    packet: Packet
    tag: Tag | None
    at: float


@dataclass
class Watched:
    ssrc: int
    rtx_ssrc: int
    clock_rate: int = 90_000
    # How far a switch may be from the clock on the wall: the rounding, and what was reordered around it.
    slack: float = 0.05
    delay: float = 0.1
    arrived: set[tuple[int, int, int]] = field(default_factory=set)
    late: set[tuple[int, int, int]] = field(default_factory=set)
    # Of padding: behind which place it was sent, until it comes.
    padding: dict[tuple[int, int, int], int] = field(default_factory=dict)
    made_at: dict[tuple[int, int, int], float] = field(default_factory=dict)
    totals: dict[tuple[int, int], list[Tag]] = field(default_factory=lambda: defaultdict(list))
    out: dict[int, Out] = field(default_factory=dict)
    repairs: int = 0
    _unwrapper: Unwrapper = field(default_factory=lambda: Unwrapper(SEQUENCE_BITS))
    _last_repair: int | None = None

    # Told as it happens.

    def made(self, tag: Tag, at: float) -> None:
        """A publisher made it, in the order of places."""
        self.made_at[tag.of_frame] = at
        self.totals[tag.from_].append(tag)

    def came(self, tag: Tag, *, late: bool) -> None:
        """It reached the sink's source."""
        self.arrived.add((*tag.from_, tag.place))
        if late:
            self.late.add((*tag.from_, tag.place))

    def made_padding(self, from_: tuple[int, int], sequence: int, place: int) -> None:
        self.padding[(*from_, sequence)] = place

    def padding_came(self, from_: tuple[int, int], sequence: int) -> None:
        del self.padding[(*from_, sequence)]

    def sent(self, data: bytes, at: float) -> None:
        packet = Packet.parse(data)
        if packet.header.ssrc == self.rtx_ssrc:
            self._repaired(packet)
            return
        assert packet.header.ssrc == self.ssrc
        number = self._unwrapper.unwrap(packet.header.sequence)
        assert number not in self.out, f"number {number} was sent twice"
        tag = Tag.read(packet.payload) if packet.payload else None
        self.out[number] = Out(number, packet, tag, at)

    def _repaired(self, repair: Packet) -> None:
        sequence = repair.header.sequence
        if self._last_repair is not None:
            assert sequence_distance(sequence, self._last_repair) == 1
        self._last_repair = sequence
        number = self._unwrapper.peek(int.from_bytes(repair.payload[:2], "big"))
        assert number in self.out, "a repair of what was never sent"
        original = self.out[number].packet
        assert bytes(repair.payload[2:]) == bytes(original.payload), "a repair with other bytes"
        if original.payload:
            assert repair.header.timestamp == original.header.timestamp
            assert repair.header.marker == original.header.marker
        self.repairs += 1

    # Judged at the end.

    def judge(self) -> None:
        ordered = [self.out[number] for number in sorted(self.out)]
        tagged = [(one, one.tag) for one in ordered if one.tag is not None]
        for (before, old), (after, new) in pairwise(tagged):
            self._judge_step(before, old, after, new)
        self._judge_frames([tag for _, tag in tagged])
        self._judge_pictures(tagged)
        self._judge_references(tagged)

    def _between(self, old: Tag, new: Tag) -> Iterator[Tag]:
        return iter(self.totals[old.from_][old.place + 1 : new.place])

    def _lost(self, tags: Iterable[Tag]) -> int:
        return sum((*tag.from_, tag.place) not in self.arrived for tag in tags)

    def _lost_padding(self, old: Tag, new: Tag) -> int:
        return sum(
            (source, stream) == old.from_ and old.place <= place < new.place
            for (source, stream, _), place in self.padding.items()
        )

    def _judge_step(self, before: Out, old: Tag, after: Out, new: Tag) -> None:
        filled = sum(number in self.out for number in range(before.number + 1, after.number))
        holes = after.number - before.number - 1 - filled
        ahead = timestamp_distance(after.packet.header.timestamp, before.packet.header.timestamp)
        if old.from_ == new.from_ and (holes or not (new.is_key and new.index == 0)):
            assert new.place > old.place, "the order of the source is kept"
            lost = self._lost(self._between(old, new)) + self._lost_padding(old, new)
            assert holes == lost, "holes are what was lost on the way here"
        elif old.from_ != new.from_:
            assert holes == 0, "a switch leaves no hole"
        if old.of_frame == new.of_frame:
            assert ahead == 0
            return
        assert ahead > 0, "time goes on from frame to frame"
        if old.from_ != new.from_:
            assert new.index == 0, "a switch begins with the first packet"
            assert new.is_key, "of a key frame"
            # The last packet may have been sent again, long after the time that counts for it.
            passed = [after.at - came for came in (before.at, self.made_at[old.of_frame] + self.delay)]
            assert min(abs(ahead / self.clock_rate - one) for one in passed) <= self.slack

    def _judge_frames(self, tags: list[Tag]) -> None:
        sent: dict[tuple[int, int, int], list[Tag]] = defaultdict(list)
        for tag in tags:
            sent[tag.of_frame].append(tag)
        cut = {old.of_frame for old, new in pairwise(tags) if old.from_ != new.from_ or new.is_key}
        cut.update(tag.of_frame for tag in tags[-1:])
        for of_frame, parts in sent.items():
            indexes = [part.index for part in parts]
            assert indexes == sorted(set(indexes)), "the packets of a frame are in order"
            if len(parts) == parts[0].count or of_frame in cut:
                continue
            missing = [tag for tag in self.totals[parts[0].from_] if tag.of_frame == of_frame and tag not in parts]
            assert self._lost(missing) == len(missing), "of a frame that is sent everything is sent that came"

    def _judge_pictures(self, tagged: list[tuple[Out, Tag]]) -> None:
        frames = _first_packets(tagged)
        for (before, old), (after, new) in pairwise(frames):
            first, second = (parse_vp8(one.packet.payload) for one in (before, after))
            if first.picture_id is None or second.picture_id is None:
                continue
            bits = min(first.picture_id.bits, second.picture_id.bits)
            step = (second.picture_id.value - first.picture_id.value) % (1 << bits)
            between = [tag for tag in self._between(old, new) if tag.frame not in (old.frame, new.frame)]
            if old.from_ != new.from_ or new.is_key:
                between = []
            assert step >= 1
            filled = sum(one.tag is None for number, one in self.out.items() if before.number < number < after.number)
            # The picture of a packet that never came, or came when those behind it had been sent, keeps its id.
            unsure = {
                tag.frame
                for tag in between
                if (place := (*tag.from_, tag.place)) not in self.arrived or place in self.late
            }
            if not new.is_key:
                assert step - 1 <= len(unsure) + filled, (step, old, new)
            elif old.from_ != new.from_:
                assert step == 1, (step, old, new)
            if new.temporal and old.from_ == new.from_ and not unsure:
                assert second.tl0_pic_idx == first.tl0_pic_idx
            elif not unsure and not new.temporal:
                assert ((second.tl0_pic_idx or 0) - (first.tl0_pic_idx or 0)) % 256 == 1

    def _judge_references(self, tagged: list[tuple[Out, Tag]]) -> None:
        """What a frame refers to was sent, if it came."""
        since_key: dict[tuple[int, int], set[int]] = defaultdict(set)
        for _, tag in _first_packets(tagged):
            if tag.is_key:
                since_key[tag.from_] = set()
            since_key[tag.from_].add(tag.frame)
            if not tag.needs:
                continue
            needed = tag.frame - tag.needs
            if needed not in since_key[tag.from_]:
                parts = [one for one in self.totals[tag.from_] if one.frame == needed]
                assert self._lost(parts), f"{tag} refers to a frame that came and was not sent"


def _first_packets(tagged: list[tuple[Out, Tag]]) -> list[tuple[Out, Tag]]:
    seen: dict[tuple[int, int, int], tuple[Out, Tag]] = {}
    for one, tag in tagged:
        seen.setdefault(tag.of_frame, (one, tag))
    return list(seen.values())
