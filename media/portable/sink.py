"""One receive slot of one subscriber: packets of whatever is assigned to it in, packets for the subscriber out.

Numbers, timestamps and numbers of pictures go on evenly while what flows changes. No number is sent twice: what comes
late has its own, once; what was left out before its number had to be filled is filled with padding; and repairs have a
stream of their own. A packet of the layer that flows, next in order, takes the short way through ``offer``.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from media.codecs.names import CodecName, Kind
from media.engine import Layer, SinkFormat, SinkId, SinkStats, SourceId
from media.extensions import ExtensionName
from media.portable.clocks import CLOCKS, Reports, shift_at_switch
from media.portable.packet import Incoming
from media.portable.repairs import Asked, Numbers, Pace, first_of
from media.portable.rewriting import HEAD_BYTES, REWRITTEN, Layouts, Pictures, PictureShifts, written_descriptor
from media.portable.selection import MOST_LAYERS, Flow, Limits, aimed, brings_nearer, limits_in_stream
from media.portable.streams import SenderClock
from media.rtcp.packets import ReportBlock, SenderReport
from media.rtp import FIXED_HEADER, Header, Packet, build, wrap_rtx
from media.sequence import SEQUENCE_MASK, TIMESTAMP_MASK, Turn

# RFC 3711 3.3.1 guesses the roll-over counter: begin in the lower half.
_FIRST_NUMBERS: Final = 1 << 15
_PLAIN: Final = 0x80
_WITH_EXTENSIONS: Final = 0x90
_MARKER: Final = 0x80
_NOBODY: Final = SourceId(-1)
# Codecs whose streams have spatial layers: what ends a picture depends on the layers that are left of it.
_LAYERED: Final = frozenset({CodecName.VP9, CodecName.AV1})

_pack: Final = FIXED_HEADER.pack


# What was forwarded lately under this number of this stream (Source.repair).
Cached = Callable[[SourceId, int, int], Incoming | None]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Passage(Turn):
    """What belongs to a stream's time in the slot, and to its repairs ever after."""

    owner: SourceId
    stream: int
    spatial: int
    codec: CodecName
    payload_type: int
    rtx_payload_type: int | None
    pictures: PictureShifts
    limits: Limits
    flow: Flow


def _key(source: SourceId, stream: int) -> int:
    return source * MOST_LAYERS + stream


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
        self._drops: Final = drops
        self._ssrc: Final = wanted.ssrc
        self._clock: Final = CLOCKS[wanted.kind]
        self._blocks: Final = layouts.blocks(wanted.extensions, wanted.mid)
        self._flags: Final = _WITH_EXTENSIONS if self._blocks.has_block else _PLAIN
        self._mid: Final = self._blocks.mid_element(wanted.mid)
        self._numbers: Final = Numbers(_drawn(first_number), drops)
        self._repair_number = _drawn(first_repair)
        self._pace: Final = Pace()
        self._pictures: Final = Pictures()
        self.reports: Final = Reports(self._clock.rate)

        self._assigned: SourceId | None = None
        self._flow = Flow()
        self._allowed: Sequence[Layer] = ()
        self._rungs: int | None = None
        self._aim = aimed((), ())
        self._is_paused = False
        self._wants_refresh = False
        self._passage: _Passage | None = None
        self._last: Incoming | None = None
        self._last_shift = 0

        # What the short way looks at: of the passage, and whether nothing is pending.
        self._source = _NOBODY
        self._stream = -1
        self._codec: CodecName | None = None
        self._expected = -1
        self._mapped = -1
        self._is_steady = False
        self._has_gaps = False
        self._spatial = self._temporal = 0
        self._shift = self._timestamp_shift = 0
        self._arrived: list[float] = self._flow.arrived
        self._payload_type = 0
        self._is_layered = self._is_rewritten = False
        self._head = self._head_sent = b""

        self._packets = self._octets = self._repaired = self._asked = 0
        self._told: tuple[SourceId | None, Layer | None] = (None, None)

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
        return frozenset(
            one for one in (self._assigned, None if self._passage is None else self._passage.owner) if one is not None
        )

    def assign(self, source: SourceId | None) -> None:
        """What flowed goes on until the new source has a key frame; sound, and with None everything, stops at once."""
        if source == self._assigned:
            return
        self._assigned = source
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
        elif self._passage is not None and self._passage.owner == source:
            self._stop()

    def allow(self, layers: Sequence[Layer], now: float) -> None:
        """From the lowest up (engine.Ladder); none: the highest there is."""
        self._allowed = tuple(layers)
        self._rungs = None
        self.tick(now)

    def limit(self, rung: int | None, now: float) -> None:
        """The engine's own step down: the index of the highest allowed layer that fits; None: all do."""
        self._rungs = None if rung is None else rung + 1
        self.tick(now)

    def pause(self, *, paused: bool) -> None:
        """Goes on at a key frame."""
        self._is_paused = paused
        if paused:
            self._stop()

    def tick(self, now: float) -> None:
        """A few times a second: layers that stopped flowing are left, new ones taken up."""
        allowed = self._allowed[: self._rungs]
        self._aim = aimed(allowed, self._flow.layers(now))
        passage = self._passage
        if passage is not None and passage.owner == self._assigned:
            passage.limits.aim(
                *limits_in_stream(allowed, self._aim, passage.flow, stream=passage.stream, spatial=passage.spatial)
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
        if source is None or self._is_paused or self.format.kind is Kind.AUDIO:
            return wanted
        aim_stream = self._flow.streams[self._aim.spatial]
        is_there = passage is not None and (passage.owner, passage.stream) == (source, aim_stream)
        if passage is None or not is_there or passage.limits.awaits_keyframe:
            wanted.append((source, aim_stream))
        if passage is not None and self._wants_refresh:
            wanted.append((passage.owner, passage.stream))
        return wanted

    def switched(self) -> tuple[SourceId | None, Layer | None] | None:
        """What flows now, where that is something else than when it was last asked (engine.Switched)."""
        passage = self._passage
        told = (None, None) if passage is None else (passage.owner, self.layer)
        if told == self._told:
            return None
        self._told = told
        return told

    @property
    def layer(self) -> Layer | None:
        """The highest that flows."""
        passage = self._passage
        if passage is None:
            return None
        if passage.stream:
            return Layer(passage.spatial, min(passage.limits.temporal, self._aim.temporal))
        spatial = max((s for s in range(passage.limits.spatial + 1) if self._has_seen(passage, s)), default=0)
        return Layer(spatial, passage.limits.temporal)

    def _has_seen(self, passage: _Passage, spatial: int) -> bool:
        return passage.flow.streams[spatial] == passage.stream and passage.flow.arrived[spatial] > 0

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
        marked = packet.marker or (self._is_layered and packet.spatial == self._spatial and packet.part.ends_frame)
        fixed = _pack(
            self._flags,
            self._payload_type | _MARKER if marked else self._payload_type,
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
            self._rewrite_head(packet, head)
        return b"".join((fixed, blocks.front, self._mid, blocks.rest, self._head_sent, payload[HEAD_BYTES:]))

    def gap(self, source: SourceId, stream: int, number: int, now: float) -> bytes | None:
        """This number of the stream came and is not forwarded. Where it was passed over already, padding fills it."""
        if source == self._source and stream == self._stream:
            self._catch_up()
            if number >= self._expected:
                self._pass_over(number)
        elif not self._numbers.missing:
            return None
        to_fill = self._numbers.close(_key(source, stream), number)
        return None if to_fill is None else self._fill(to_fill.number, cast("_Passage", to_fill.turn), None, now)

    def interrupt(self, source: SourceId, stream: int) -> None:
        """The stream does not go on as it was: what comes next begins at a key frame."""
        if source == self._source and stream == self._stream:
            self._stop()

    def _offer_other(self, source: SourceId, packet: Incoming, now: float) -> bytes | None:
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
        if packet.codec not in self.format.payload_types:
            self._drops["codec_not_negotiated"] += 1
            if packet.part.is_keyframe and self._source != source:
                self._stop()
            return False
        if not packet.part.is_keyframe:
            return False
        passage = self._passage
        if passage is None or passage.owner != source:
            highest = self._allowed[: self._rungs][-1].spatial if self._allowed else self._aim.spatial
            return packet.spatial <= max(highest, self._aim.spatial)
        if packet.stream == passage.stream:
            return packet.codec is not passage.codec
        return brings_nearer(packet.spatial, current=passage.spatial, aim=self._aim.spatial)

    def _begin(self, source: SourceId, packet: Incoming, now: float) -> bytes | None:
        self._catch_up()
        shift = 0
        if self._last is not None:
            shift = shift_at_switch(self._clock, self._last, self._last_shift, packet)
        allowed = self._allowed[: self._rungs]
        spatial, temporal = limits_in_stream(
            allowed, self._aim, self._flow, stream=packet.stream, spatial=packet.spatial
        )
        payload_type, rtx_payload_type = self.format.payload_types[packet.codec]
        passage = _Passage(
            source=_key(source, packet.stream),
            first=packet.number,
            timestamp_shift=shift,
            owner=source,
            stream=packet.stream,
            spatial=packet.spatial,
            codec=packet.codec,
            payload_type=payload_type,
            rtx_payload_type=rtx_payload_type,
            pictures=self._pictures.begin(packet),
            limits=Limits(spatial, temporal),
            flow=self._flow,
        )
        self._numbers.switch(passage)
        self._passage = passage
        self._source, self._stream, self._codec = source, packet.stream, packet.codec
        self._mapped = packet.number - 1
        self._expected = packet.number
        self._has_gaps = False
        self._timestamp_shift = self._last_shift = shift
        self._arrived = self._flow.arrived
        self._payload_type = payload_type
        self._is_layered = packet.codec in _LAYERED
        self._is_rewritten = packet.codec in REWRITTEN
        self._head = b""
        self._last = packet
        return self._offer_next(packet, now)

    def _stop(self) -> None:
        """Nothing flows until the next key frame; the line of timestamps goes on from where it was."""
        self._catch_up()
        self._passage = None
        self._source = _NOBODY
        self._stream = self._expected = self._mapped = -1
        self._is_steady = self._wants_refresh = False

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
        if packet.part.is_keyframe:
            self._wants_refresh = False
        self._settle(passage)
        return self._send(packet, passage, placed.number, now, is_latest=True)

    def _pass_over(self, number: int) -> None:
        self._expected = number + 1
        self._mapped = number
        self._has_gaps = True
        self._is_steady = False

    def _leave_picture_out(self, packet: Incoming, passage: _Passage) -> None:
        # Layers below are part of the same picture: only without all of them it is not sent.
        if packet.temporal > passage.limits.at(packet.number)[1]:
            self._pictures.leave_out(packet, passage.pictures)

    def _settle(self, passage: _Passage) -> None:
        limits = passage.limits
        self._spatial, self._temporal = limits.spatial, limits.temporal
        self._is_steady = (
            limits.is_settled and not self._has_gaps and not self._wants_refresh and not self._blocks.has_descriptor
        )

    def _offer_late(self, source: SourceId, packet: Incoming, now: float) -> bytes | None:
        """Of a turn that is over, or below what came already."""
        is_current = source == self._source and packet.stream == self._stream
        if not is_current and not self._numbers.missing:
            return None
        self._catch_up()
        key = _key(source, packet.stream)
        passage = self._passage
        if is_current and passage is not None and not passage.limits.admits(packet):
            self._leave_picture_out(packet, passage)
            to_fill = self._numbers.close(key, packet.number)
            return None if to_fill is None else self._fill(to_fill.number, passage, packet, now)
        placed = self._numbers.place(key, packet.number)
        return None if placed is None else self._send_late(packet, cast("_Passage", placed.turn), placed.number, now)

    def _send_late(self, packet: Incoming, passage: _Passage, number: int, now: float) -> bytes | None:
        if passage.limits.admits(packet):
            return self._send(packet, passage, number, now, is_latest=False)
        self._numbers.filled.add(number)
        return self._fill(number, passage, packet, now)

    def _catch_up(self) -> None:
        """Tells the map of the packets that took the short way, all of them neighbours."""
        if self._expected - 1 > self._mapped:
            self._mapped = self._expected - 1
            self._numbers.went(_key(self._source, self._stream), self._mapped)

    # Bytes.

    def _rewrite_head(self, packet: Incoming, head: bytes) -> None:
        if self._passage is None:
            return
        self._head = head
        self._head_sent = self._pictures.head(packet, self._passage.pictures, is_latest=True) or head

    def _send(self, packet: Incoming, passage: _Passage, number: int, now: float, *, is_latest: bool) -> bytes | None:
        written = self._write(packet, passage, number, now, is_latest=is_latest)
        if written is None:
            self._drops["sink_forgotten"] += 1
            return None
        self._packets += 1
        self._octets += len(packet.payload)
        return written

    def _write(self, packet: Incoming, passage: _Passage, number: int, now: float, *, is_latest: bool) -> bytes | None:
        """The same for a repair as for what it repairs, but for the send time."""
        payload = packet.payload
        if passage.codec in REWRITTEN:
            head = self._pictures.head(packet, passage.pictures, is_latest=is_latest)
            if head is None:
                return None
            payload = head + payload[HEAD_BYTES:]
        spatial, _ = passage.limits.at(packet.number)
        ends = passage.codec in _LAYERED and packet.spatial == spatial and packet.part.ends_frame
        header = Header(
            payload_type=passage.payload_type,
            sequence=number & SEQUENCE_MASK,
            timestamp=passage.timestamp(packet.timestamp),
            ssrc=self._ssrc,
            marker=packet.marker or ends,
        )
        return build(header, payload, extension_block=self._block(packet, passage, now, is_latest=is_latest))

    def _block(self, packet: Incoming, passage: _Passage, now: float, *, is_latest: bool) -> bytes:
        blocks = self._blocks
        dependency = packet.dependency
        raw = packet.extensions.get(ExtensionName.DEPENDENCY_DESCRIPTOR)
        if dependency is not None and raw is not None and blocks.has_descriptor:
            limits = passage.limits
            layers = limits.at(packet.number)
            frame = self._pictures.frame_number(dependency, passage.pictures, is_latest=is_latest)
            says_layers = dependency.has_structure or limits.changed_at(packet.number)
            descriptor = written_descriptor(raw, dependency, frame, layers if says_layers else None)
            return blocks.whole(packet.extensions, self.format.mid, descriptor, now)
        return self._plain_block(packet.extensions, now)

    def _plain_block(self, extensions: Mapping[ExtensionName, bytes], now: float) -> bytes:
        blocks = self._blocks
        if extensions is not blocks.extensions:
            blocks.take(extensions)
        if now != blocks.stamped_at:
            blocks.stamp(now)
        return blocks.front + self._mid + blocks.rest

    def _fill(self, number: int, passage: _Passage, packet: Incoming | None, now: float) -> bytes:
        self._packets += 1
        return self._padding(number, passage, packet, now)

    def _padding(self, number: int, passage: _Passage, packet: Incoming | None, now: float) -> bytes:
        """Padding under the number of what will never be sent, or the subscriber would ask for it again and again."""
        timestamp = self._last if packet is None else packet
        header = Header(
            payload_type=passage.payload_type,
            sequence=number & SEQUENCE_MASK,
            timestamp=0 if timestamp is None else passage.timestamp(timestamp.timestamp),
            ssrc=self._ssrc,
        )
        return build(header, b"", extension_block=self._plain_block({}, now), padding=1)

    # What the subscriber says.

    def repair(self, lost: Iterable[int], cached: Cached, now: float) -> list[bytes]:
        """Of a NACK, as sequence numbers of the slot."""
        self._catch_up()
        made = (self._repair(self._numbers.asked(sequence), cached, now) for sequence in first_of(lost))
        return [one for one in made if one is not None]

    def _repair(self, asked: Asked | None, cached: Cached, now: float) -> bytes | None:
        if asked is None:
            self._drops["nack_unknown"] += 1
            return None
        passage = cast("_Passage", asked.turn)
        if asked.number in self._numbers.filled:
            return self._sent_again(asked.number, passage, None, now)
        packet = cached(passage.owner, passage.stream, asked.of_source)
        if packet is None:
            self._drops["nack_not_cached"] += 1
            return None
        if self._numbers.missing.discard(asked.number):
            # It came when it had no place yet: before the first packet of its key frame did.
            return self._send_late(packet, passage, asked.number, now)
        return self._sent_again(asked.number, passage, packet, now)

    def _sent_again(self, number: int, passage: _Passage, packet: Incoming | None, now: float) -> bytes | None:
        if self.format.rtx_ssrc is None or passage.rtx_payload_type is None:
            self._drops["nack_without_rtx"] += 1
            return None
        if not self._pace.allows(number, now, self.reports.round_trip):
            self._drops["nack_repeated"] += 1
            return None
        if packet is None:
            sent: bytes | None = self._padding(number, passage, None, now)
        else:
            sent = self._write(packet, passage, number, now, is_latest=False)
        if sent is None:
            self._drops["sink_forgotten"] += 1
            return None
        self._repaired += 1
        self._repair_number = (self._repair_number + 1) & SEQUENCE_MASK
        return wrap_rtx(
            Packet.parse(sent),
            payload_type=passage.rtx_payload_type,
            ssrc=self.format.rtx_ssrc,
            sequence=self._repair_number,
        )

    def report(self, clock: SenderClock | None, now: float) -> SenderReport | None:
        """``clock`` is of the source's stream that ``flowing`` names. None: there is nothing new to say."""
        if clock is None or self._passage is None or not self._packets:
            return None
        return self.reports.sender_report(
            self._ssrc, clock, self._passage.timestamp_shift, (self._packets, self._octets), now
        )

    def heard(self, block: ReportBlock, now: float) -> None:
        self.reports.heard(block, now)

    def stats(self) -> SinkStats:
        """``bytes`` of payload."""
        return SinkStats(
            source=None if self._passage is None else self._passage.owner,
            layer=self.layer,
            packets=self._packets,
            bytes=self._octets,
            repaired=self._repaired,
            keyframe_requests=self._asked,
            lost_fraction=self.reports.lost_fraction,
        )
