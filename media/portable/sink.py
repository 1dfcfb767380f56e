"""One receive slot of one subscriber: packets of whatever is assigned to it in, packets for the subscriber out.

Numbers, timestamps and numbers of pictures go on evenly while what flows changes. No number is sent twice: what comes
late has its own, once; what was left out after its number had been passed is filled with padding; and repairs have a
stream of their own. A packet of the layer that flows, next in order, takes the short way through ``offer``.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, cast

from media.codecs.names import CodecName, Kind
from media.engine import Layer, SinkFormat, SinkId, SinkStats, SourceId
from media.portable.answers import Cached, Repairer
from media.portable.clocks import CLOCKS, Reports, shift_at_switch
from media.portable.packet import Incoming
from media.portable.passages import Passage, key_of
from media.portable.repairs import Numbers
from media.portable.rewriting import HEAD_BYTES, REWRITTEN, Layouts
from media.portable.selection import MOST_LAYERS, Flow, Limits, aimed, brings_nearer, limits_in_stream
from media.portable.streams import SenderClock
from media.portable.writing import LAYERED, Writer
from media.rtcp.packets import ReportBlock, SenderReport
from media.rtp import FIXED_HEADER
from media.sequence import SEQUENCE_MASK, TIMESTAMP_MASK

# RFC 3711 3.3.1 guesses the roll-over counter: begin in the lower half.
_FIRST_NUMBERS: Final = 1 << 15
# A key frame whose first packet came late is taken up if what came after it can still be had from the cache in one go.
_MOST_BEHIND: Final = 100
# Streams of former sources whose end is remembered.
_ENDS_KEPT: Final = 64
_PLAIN: Final = 0x80
_WITH_EXTENSIONS: Final = 0x90
_MARKER: Final = 0x80
_NOBODY: Final = SourceId(-1)

_pack: Final = FIXED_HEADER.pack


def _drawn(number: int | None) -> int:
    return secrets.randbelow(_FIRST_NUMBERS) if number is None else number


class Sink:
    """``drops`` is the engine's, by name. All times are of one clock that does not step."""

    def __init__(
        self,
        identifier: SinkId,
        wanted: SinkFormat,
        layouts: Layouts,
        drops: Counter[str],
        *,
        first_number: int | None = None,
        first_repair: int | None = None,
    ) -> None:
        self.id: Final = identifier
        self.format: Final = wanted
        self.reports: Final = Reports(CLOCKS[wanted.kind].rate)
        self._drops: Final = drops
        self._numbers: Final = Numbers(_drawn(first_number), drops)
        self._writer: Final = Writer(wanted, layouts)
        self._repairer: Final = Repairer(wanted, self._numbers, self._writer, drops, _drawn(first_repair))

        self._assigned: SourceId | None = None
        self._flow = Flow()
        self._ladder: Sequence[Layer] = ()
        self._allowed: Sequence[Layer] = ()
        self._rung: int | None = None
        self._aim = aimed((), ())
        self._is_paused = False
        self._is_foreign = False
        self._wants_refresh = False
        self._passage: Passage | None = None
        self._last: Incoming | None = None
        self._ends: dict[int, int] = {}
        self._top_spatial = self._top_temporal = 0
        self._mapped = -1
        self._has_gaps = False
        self._told: tuple[SourceId | None, Layer | None] = (None, None)
        self._asked = 0

        # What the short way looks at.
        self._ssrc: Final = wanted.ssrc
        self._blocks: Final = self._writer.blocks
        self._mid: Final = self._writer.mid_element
        self._flags: Final = _WITH_EXTENSIONS if self._blocks.has_block else _PLAIN
        self._source = _NOBODY
        self._stream = self._expected = -1
        self._codec: CodecName | None = None
        self._is_steady = False
        self._spatial = self._temporal = 0
        self._last_spatial = -1
        self._shift = self._timestamp_shift = self._payload_type = 0
        self._is_rewritten = False
        self._arrived: list[float] = self._flow.arrived
        self._head = self._head_sent = b""
        self._packets = self._octets = 0

    # What is to flow.

    @property
    def assigned(self) -> SourceId | None:
        return self._assigned

    @property
    def flowing(self) -> tuple[SourceId, int] | None:
        """The source and the stream of it that flows: whose sender reports count."""
        return None if self._passage is None else (self._passage.owner, self._passage.stream)

    @property
    def needs(self) -> frozenset[SourceId]:
        """The sources whose packets are to be offered."""
        flows = None if self._passage is None else self._passage.owner
        return frozenset(source for source in (self._assigned, flows) if source is not None)

    def assign(self, source: SourceId | None) -> None:
        """What flowed goes on until the new source has a key frame; sound, and with None everything, stops at once."""
        if source == self._assigned:
            return
        self._assigned = source
        self._is_foreign = False
        if self._passage is not None and self._passage.owner == source:
            self._flow = self._passage.flow
            return
        self._flow = Flow()
        if source is None or self.format.kind is Kind.AUDIO:
            self._stop()

    def forget(self, source: SourceId) -> None:
        """The source has ended. Its repairs go on as long as its caches do."""
        if self._assigned == source:
            self.assign(None)
        elif self._source == source:
            self._stop()

    def allow(self, layers: Sequence[Layer], now: float) -> None:
        """From the lowest up (engine.Ladder); none: the highest there is. A step down holds on."""
        self._ladder = tuple(layers)
        self._step(now)

    def limit(self, rung: int | None, now: float) -> None:
        """The engine's own step down: the index of the highest allowed layer that fits; None: all do."""
        self._rung = rung
        self._step(now)

    def _step(self, now: float) -> None:
        self._allowed = self._ladder if self._rung is None else self._ladder[: self._rung + 1]
        self.tick(now)

    def pause(self, *, paused: bool) -> None:
        """Goes on at a key frame."""
        self._is_paused = paused
        if paused:
            self._stop()

    def tick(self, now: float) -> None:
        """A few times a second: layers that stopped flowing are left, new ones taken up."""
        self._aim = aimed(self._allowed, self._flow.layers(now))
        passage = self._passage
        if passage is not None and passage.owner == self._assigned:
            passage.limits.aim(
                *limits_in_stream(self._allowed, self._aim, self._flow, stream=passage.stream, spatial=passage.spatial)
            )
            self._settle(passage)

    def refresh(self) -> None:
        """The subscriber asked for a key frame (PLI, FIR). Receivers of empty slots do so too: it means nothing."""
        if self._passage is not None:
            self._wants_refresh = True
            self._is_steady = False
            self._asked += 1

    def wanted_keyframes(self) -> list[tuple[SourceId, int]]:
        """Sources and streams of them that a key frame is waited for from; those who ask publishers merge and pace."""
        passage, source = self._passage, self._assigned
        wanted: list[tuple[SourceId, int]] = []
        if self._is_paused or self.format.kind is Kind.AUDIO:
            return wanted
        if source is not None and not self._is_foreign:
            stream = self._flow.streams[self._aim.spatial]
            if self.flowing != (source, stream) or (passage is not None and passage.limits.awaits_keyframe):
                wanted.append((source, stream))
        if passage is not None and self._wants_refresh:
            wanted.append((passage.owner, passage.stream))
        return wanted

    def switched(self) -> tuple[SourceId | None, Layer | None] | None:
        """What flows now, where that is something else than when it was last asked (engine.Switched)."""
        told = (None, None) if self._passage is None else (self._passage.owner, self.layer)
        if told == self._told:
            return None
        self._told = told
        return told

    @property
    def layer(self) -> Layer | None:
        """The highest that flows."""
        if self._passage is None:
            return None
        limits = self._passage.limits
        return Layer(min(self._top_spatial, limits.spatial), min(self._top_temporal, limits.temporal))

    # Packets.

    def offer(self, source: SourceId, packet: Incoming, now: float) -> bytes | None:
        """The packet to send to the subscriber, if any."""
        number = packet.number
        if not (
            number == self._expected
            and source == self._source
            and self._is_steady
            and packet.stream == self._stream
            and packet.temporal <= self._temporal
            and packet.spatial <= self._spatial
            and packet.codec is self._codec
        ):
            return self._offer_other(source, packet, now)
        self._expected = number + 1
        self._last = packet
        self._arrived[packet.spatial] = packet.arrived
        payload = packet.payload
        self._packets += 1
        self._octets += len(payload)
        ends = packet.marker or (packet.spatial == self._last_spatial and packet.part.ends_frame)
        fixed = _pack(
            self._flags,
            self._payload_type | _MARKER if ends else self._payload_type,
            (number + self._shift) & SEQUENCE_MASK,
            (packet.timestamp + self._timestamp_shift) & TIMESTAMP_MASK,
            self._ssrc,
        )
        blocks = self._blocks
        if packet.extensions is not blocks.extensions:
            blocks.take(packet.extensions)
        if now != blocks.stamped_at:
            blocks.stamp(now)
        if not self._is_rewritten:
            return b"".join((fixed, blocks.front, self._mid, blocks.rest, payload))
        head = payload[:HEAD_BYTES]
        if head != self._head:
            self._rewrite(packet, head)
        return b"".join((fixed, blocks.front, self._mid, blocks.rest, self._head_sent, payload[HEAD_BYTES:]))

    def gap(self, source: SourceId, stream: int, number: int, now: float) -> bytes | None:
        """This number of the stream came and is not forwarded. Where it was passed already, padding fills it."""
        if source == self._source and stream == self._stream:
            self._catch_up()
            if number >= self._expected:
                self._pass_over(number)
        elif not self._may_be_missing(source, stream, number):
            if source == self._assigned:
                self._flow.gaps.append((stream, number))
            return None
        to_fill = self._numbers.close(key_of(source, stream), number)
        if to_fill is None:
            return None
        timestamp = 0 if self._last is None else self._last.timestamp
        return self._writer.filled(cast("Passage", to_fill.turn), to_fill.number, timestamp, now)

    def interrupt(self, source: SourceId, stream: int) -> None:
        """The stream does not go on as it was: what comes next begins at a key frame."""
        if source == self._source and stream == self._stream:
            self._stop()

    def _offer_other(self, source: SourceId, packet: Incoming, now: float) -> bytes | None:
        if packet.spatial >= MOST_LAYERS:
            self._drops["sink_too_many_layers"] += 1
            return None
        if source == self._assigned:
            self._flow.saw(packet)
            if self._begins(source, packet):
                return self._begin(source, packet, now)
        if source != self._source or packet.stream != self._stream or packet.number < self._expected:
            return self._offer_late(source, packet, now)
        if packet.codec is not self._codec:
            self._stop()
            return None
        return self._offer_next(packet, now)

    def _begins(self, source: SourceId, packet: Incoming) -> bool:
        if self._is_paused:
            return False
        self._is_foreign = packet.codec not in self.format.payload_types
        if self._is_foreign:
            self._drops["codec_not_negotiated"] += 1
            if self._source != source:
                self._stop()
        if self._is_foreign or not packet.part.is_keyframe or not self._is_timely(source, packet):
            return False
        passage = self._passage
        if passage is None or passage.owner != source:
            highest = self._allowed[-1].spatial if self._allowed else self._aim.spatial
            return packet.spatial <= max(highest, self._aim.spatial)
        if packet.stream == passage.stream:
            return packet.codec is not passage.codec
        return brings_nearer(packet.spatial, current=passage.spatial, aim=self._aim.spatial)

    def _is_timely(self, source: SourceId, packet: Incoming) -> bool:
        """Nothing above it has flowed, and not much above it has been missed."""
        if packet.number < self._flow.highest[packet.stream] - _MOST_BEHIND:
            return False
        is_current = source == self._source and packet.stream == self._stream
        end = self._expected - 1 if is_current else self._ends.get(key_of(source, packet.stream), -1)
        return packet.number > end

    def _begin(self, source: SourceId, packet: Incoming, now: float) -> bytes | None:
        shift = 0
        if self._last is not None:
            shift = shift_at_switch(CLOCKS[self.format.kind], self._last, self._timestamp_shift, packet)
        self._stop()
        payload_type, rtx_payload_type = self.format.payload_types[packet.codec]
        limits = limits_in_stream(self._allowed, self._aim, self._flow, stream=packet.stream, spatial=packet.spatial)
        self._passage = Passage(
            source=key_of(source, packet.stream),
            first=packet.number,
            timestamp_shift=shift,
            owner=source,
            stream=packet.stream,
            spatial=packet.spatial,
            codec=packet.codec,
            payload_type=payload_type,
            rtx_payload_type=rtx_payload_type,
            pictures=self._writer.pictures.begin(packet),
            limits=Limits(*limits),
            flow=self._flow,
        )
        self._numbers.switch(self._passage)
        for stream, number in self._flow.gaps:
            if stream == packet.stream and number > packet.number:
                self._numbers.close(self._passage.source, number)
        self._source, self._stream, self._codec = source, packet.stream, packet.codec
        self._expected = packet.number
        self._mapped = packet.number - 1
        self._top_spatial = self._top_temporal = 0
        self._timestamp_shift = shift
        self._payload_type = payload_type
        self._is_rewritten = packet.codec in REWRITTEN
        self._arrived = self._flow.arrived
        self._head = b""
        self._last = packet
        return self._offer_next(packet, now)

    def _stop(self) -> None:
        """Nothing flows until the next key frame; the line of timestamps goes on from where it was."""
        if self._passage is None:
            return
        self._catch_up()
        key = self._passage.source
        # Behind all others, so that the oldest goes first.
        self._ends.pop(key, None)
        self._ends[key] = self._expected - 1
        if len(self._ends) > _ENDS_KEPT:
            del self._ends[next(iter(self._ends))]
        self._passage = None
        self._source = _NOBODY
        self._stream = self._expected = self._mapped = -1
        self._is_steady = self._has_gaps = self._wants_refresh = False

    def _offer_next(self, packet: Incoming, now: float) -> bytes | None:
        """Of the stream that flows, above all that came of it."""
        passage = self._passage
        if passage is None:
            return None
        self._catch_up()
        limits = passage.limits
        if self._last is None or packet.timestamp != self._last.timestamp:
            limits.enter(packet)
        self._last = packet
        if packet.spatial > limits.spatial or packet.temporal > limits.temporal:
            self._pass_over(packet.number)
            self._numbers.close(passage.source, packet.number)
            self._leave_picture_out(packet, passage)
            return None
        self._expected = packet.number + 1
        self._mapped = packet.number
        placed = self._numbers.place(passage.source, packet.number)
        if placed is None:
            return None
        self._has_gaps = False
        self._shift = placed.number - packet.number
        self._top_spatial = max(self._top_spatial, packet.spatial)
        self._top_temporal = max(self._top_temporal, packet.temporal)
        if packet.part.is_keyframe:
            self._wants_refresh = False
        self._settle(passage)
        return self._writer.sent(packet, passage, placed.number, now, is_latest=True)

    def _offer_late(self, source: SourceId, packet: Incoming, now: float) -> bytes | None:
        """Of a turn that is over, or below what came already."""
        is_current = source == self._source and packet.stream == self._stream
        if not is_current and not self._may_be_missing(source, packet.stream, packet.number):
            return None
        self._catch_up()
        key = key_of(source, packet.stream)
        passage = self._passage
        if is_current and passage is not None and not passage.limits.admits(packet):
            self._leave_picture_out(packet, passage)
            to_fill = self._numbers.close(key, packet.number)
            if to_fill is None:
                return None
            return self._writer.filled(passage, to_fill.number, packet.timestamp, now)
        placed = self._numbers.place(key, packet.number)
        if placed is None:
            return None
        return self._repairer.late(packet, cast("Passage", placed.turn), placed.number, now)

    def _may_be_missing(self, source: SourceId, stream: int, number: int) -> bool:
        """Of a turn that is over: what comes behind its end is not part of it."""
        return bool(self._numbers.missing) and number <= self._ends.get(key_of(source, stream), -1)

    def _pass_over(self, number: int) -> None:
        self._expected = number + 1
        self._mapped = number
        self._has_gaps = True
        self._is_steady = False

    def _leave_picture_out(self, packet: Incoming, passage: Passage) -> None:
        # Layers below are part of the same picture: only without all of them it is not sent.
        if packet.temporal > passage.limits.at(packet)[1]:
            self._writer.pictures.leave_out(packet, passage.pictures)

    def _settle(self, passage: Passage) -> None:
        limits = passage.limits
        # The first packet of a layer goes the long way, which takes note of it.
        self._spatial = min(limits.spatial, self._top_spatial)
        self._temporal = min(limits.temporal, self._top_temporal)
        self._last_spatial = limits.spatial if passage.codec in LAYERED else -1
        is_bare = not self._blocks.has_descriptor
        self._is_steady = limits.is_settled and not self._has_gaps and not self._wants_refresh and is_bare

    def _catch_up(self) -> None:
        """Tells of the packets that took the short way, all of them neighbours."""
        if self._expected - 1 > self._mapped:
            self._mapped = self._expected - 1
            self._numbers.went(key_of(self._source, self._stream), self._mapped)

    def _rewrite(self, packet: Incoming, head: bytes) -> None:
        if self._passage is not None:
            self._head = head
            self._head_sent = self._writer.pictures.head(packet, self._passage.pictures, is_latest=True) or head

    # What the subscriber says, and hears.

    def repair(self, lost: Iterable[int], cached: Cached, now: float) -> list[bytes]:
        """Of a NACK, as sequence numbers of the slot."""
        self._catch_up()
        return self._repairer.repair(lost, cached, now, self.reports.round_trip)

    def heard(self, block: ReportBlock, now: float) -> None:
        self.reports.heard(block, now)

    def report(self, clock: SenderClock | None, now: float) -> SenderReport | None:
        """``clock`` is of the source's stream that ``flowing`` names. None: there is nothing new to say."""
        if clock is None or self._passage is None:
            return None
        stats = self.stats()
        counted = stats.packets, stats.bytes
        return self.reports.sender_report(self._ssrc, clock, self._passage.timestamp_shift, counted, now)

    def stats(self) -> SinkStats:
        """``bytes`` of payload."""
        return SinkStats(
            source=None if self._passage is None else self._passage.owner,
            layer=self.layer,
            packets=self._packets + self._writer.packets,
            bytes=self._octets + self._writer.octets,
            repaired=self._repairer.repaired,
            keyframe_requests=self._asked,
            lost_fraction=self.reports.lost_fraction,
        )
