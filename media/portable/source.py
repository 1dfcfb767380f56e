"""One published track: decrypted packets in, what is forwarded of them and what its publisher is to be told out.

The way of a packet: whose it is, its number, what it says of its frame, the gate, the cache. A number that came and is
not forwarded is told as a ``Gap``, whatever the reason, so that subscribers see no loss where nothing is missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from media.codecs.names import CodecName, Kind
from media.engine import AudioLevel, GateRule, SourceFormat, SourceStats
from media.errors import BadPacket
from media.extensions import ExtensionName
from media.portable.dependencies import AWAITS_STRUCTURE
from media.portable.gating import Gating
from media.portable.held import Held
from media.portable.keyframes import SOONEST_HIGH, SOONEST_LOW, KeyframeRequests
from media.portable.packet import Break, Gap, Incoming, Result
from media.portable.rates import LayerRates
from media.portable.reading import PacketReader, Placed
from media.portable.streams import SenderClock, Stream, Unplaced
from media.rtcp.packets import FullIntraRequest, IntraRequest, Nack, PictureLoss, ReportBlock
from media.rtp import FIXED_HEADER, Packet, unwrap_rtx

CLOCK_RATES: Final = {Kind.AUDIO: 48000, Kind.VIDEO: 90000}
# Between two SSRCs of one stream: encoders restart now and then, not with every packet.
SOONEST_REBINDING: Final = 1.0
# A packet that seems to begin another timeline is confirmed by the next one at once or never.
SUSPECT_FOR: Final = 1.0

_NOTHING: Final[Sequence[Result]] = ()


class Source:
    """``drops`` counts by name what was not forwarded. ``uses_fir``: the publisher knows no PLI."""

    def __init__(self, sent: SourceFormat, drops: Counter[str], *, uses_fir: bool = False) -> None:
        self.format: Final = sent
        self._drops = drops
        self._codecs = sent.payload_types
        self._uses_fir = uses_fir
        self._is_video = sent.kind is Kind.VIDEO
        # Browsers answer for audio only where it was negotiated with repairs.
        self._asks_repairs = self._is_video or bool(sent.repairs)
        count = max(1, len(sent.rids))
        self._streams = tuple(
            Stream(
                index,
                CLOCK_RATES[sent.kind],
                KeyframeRequests(SOONEST_HIGH if index and index == count - 1 else SOONEST_LOW),
            )
            for index in range(count)
        )
        self._primaries: dict[int, Stream] = {}
        self._repairs: dict[int, Stream] = {}
        self._reader = PacketReader(sent)
        self._unread: Held[Placed] = Held()
        self._rates = LayerRates()
        self._gating: Gating | None = None
        self._is_muted = False
        self._level: AudioLevel | None = None
        self._packets = self._bytes = self._repaired = 0
        self._codec: CodecName | None = None

    # Whose packets these are: asked and told by the router.

    @property
    def streams(self) -> int:
        return len(self._streams)

    @property
    def ssrcs(self) -> tuple[int, ...]:
        """Of everything that is bound."""
        return (*self._primaries, *self._repairs)

    def primary(self, stream: int) -> int | None:
        return self._streams[stream].ssrc

    def has_bound(self, stream: int, *, repair: bool) -> bool:
        one = self._streams[stream]
        return (one.repair_ssrc if repair else one.ssrc) is not None

    def may_bind(self, stream: int, now: float, *, repair: bool) -> bool:
        """Whether an SSRC may take the place of the one there is."""
        one = self._streams[stream]
        return repair or one.ssrc is None or now - one.bound_at >= SOONEST_REBINDING

    def bind(self, ssrc: int, stream: int, now: float, *, repair: bool) -> int | None:
        """The SSRC that had its place and is nobody's now."""
        one = self._streams[stream]
        if repair:
            before, one.repair_ssrc = one.repair_ssrc, ssrc
            self._repairs[ssrc] = one
        else:
            before = one.ssrc
            one.bind(ssrc, now)
            self._primaries[ssrc] = one
        if before is not None:
            (self._repairs if repair else self._primaries).pop(before, None)
        return before

    # Packets.

    def receive(self, packet: Packet, now: float) -> Sequence[Result]:
        """In the order in which sinks are to see them. ``packet`` is kept: its bytes must not be used again."""
        header = packet.header
        self._packets += 1
        self._bytes += _size(packet) + packet.padding
        stream = self._primaries.get(header.ssrc)
        if stream is None:
            return self._repair(packet, now)
        if stream.reception is not None:
            stream.reception.packet(header.sequence, header.timestamp, now)
        if stream.starts_anew:
            return self._begin(stream, packet, now)
        highest = stream.numbers.highest
        number = stream.numbers.place(header.sequence)
        if isinstance(number, Unplaced):
            return self._unplaced(stream, number, packet, now)
        if number > highest + 1 and highest >= 0:
            self._missed(stream, highest + 1, number - 1, now)
        elif number < highest:
            stream.nacks.arrived(number)
            stream.lost = max(0, stream.lost - 1)
        results: list[Result] = []
        self._take(stream, packet, number, now, results, is_repair=number < highest)
        return results

    def _repair(self, packet: Packet, now: float) -> Sequence[Result]:
        header = packet.header
        stream = self._repairs.get(header.ssrc)
        original = self.format.repairs.get(header.payload_type)
        if stream is None or stream.ssrc is None or original is None:
            self._drops["ssrc_unknown" if stream is None else "payload_type"] += 1
            return _NOTHING
        try:
            repaired = unwrap_rtx(packet, payload_type=original, ssrc=stream.ssrc)
        except BadPacket as bad:
            self._drops[bad.reason] += 1
            return _NOTHING
        sequence = repaired.header.sequence
        if stream.starts_anew or not stream.numbers.is_near(sequence):
            self._drops["rtx_unknown"] += 1
            return _NOTHING
        highest = stream.numbers.highest
        number = stream.numbers.place(sequence)
        if isinstance(number, Unplaced):
            self._drops["rtx_duplicate"] += 1
            return _NOTHING
        if number > highest + 1:
            self._missed(stream, highest + 1, number - 1, now)
        stream.nacks.arrived(number)
        self._repaired += 1
        results: list[Result] = []
        self._take(stream, repaired, number, now, results, is_repair=True)
        return results

    def _unplaced(self, stream: Stream, why: Unplaced, packet: Packet, now: float) -> Sequence[Result]:
        """Two in a row from far away are another timeline, and the first of them is not lost by it."""
        if why is Unplaced.DUPLICATE:
            self._drops[why.value] += 1
            return _NOTHING
        before, stream.suspect = stream.suspect, (packet, now)
        if before is None:
            return _NOTHING
        suspect, came = before
        follows = packet.header.sequence == (suspect.header.sequence + 1) & 0xFFFF
        if not follows or now - came > SUSPECT_FOR:
            self._drops[why.value] += 1
            return _NOTHING
        results = self._begin(stream, suspect, now)
        number = stream.numbers.place(packet.header.sequence)
        if isinstance(number, int):
            self._take(stream, packet, number, now, results)
        return results

    def _begin(self, stream: Stream, packet: Packet, now: float) -> list[Result]:
        stream.is_broken = True
        results: list[Result] = []
        self._take(stream, packet, stream.begin(packet.header.sequence), now, results)
        return results

    def _missed(self, stream: Stream, first: int, last: int, now: float) -> None:
        stream.lost += last - first + 1
        if not self._asks_repairs or stream.nacks.missed(first, last, now):
            return
        self._drops["nack_overflow"] += 1
        if self._is_video:
            stream.keyframes.wish(now)

    def _take(
        self, stream: Stream, packet: Packet, number: int, now: float, results: list[Result], *, is_repair: bool = False
    ) -> None:
        """What is not forwarded in the end is a gap from here on, for it has a number."""
        if self._is_muted:
            stream.is_broken = True
            results.append(Gap(stream.index, number))
            return
        if not packet.payload or number < stream.floor:
            results.append(Gap(stream.index, number))
            return
        codec = self._codecs.get(packet.header.payload_type)
        if codec is None:
            self._drops["payload_type"] += 1
            results.append(Gap(stream.index, number))
            return
        self._codec = codec
        self._read(Placed(packet, codec, stream.index, number, is_repair, now), now, results)
        if self._unread:
            self._give_up(self._unread.expire(now), results)

    def _read(self, placed: Placed, now: float, results: list[Result]) -> None:
        try:
            incoming = self._reader.read(placed)
        except BadPacket as bad:
            if bad.reason in AWAITS_STRUCTURE:
                self._give_up(self._unread.add(placed, placed.number, placed.stream, now), results)
                self._streams[placed.stream].keyframes.wish(now)
            else:
                self._drops[bad.reason] += 1
                results.append(Gap(placed.stream, placed.number))
            return
        self._rates.add(incoming, _size(placed.packet), now)
        self._pass_gate(incoming, now, results)
        if self._unread and incoming.dependency is not None and incoming.dependency.has_structure:
            self._read_again(placed.stream, now, results)

    def _read_again(self, stream: int, now: float, results: list[Result]) -> None:
        """What came before the structure it is read by."""
        for placed in self._unread.take(stream):
            try:
                incoming = self._reader.read(placed._replace(is_repair=True))
            except BadPacket:
                self._give_up([placed], results)
            else:
                self._rates.add(incoming, _size(placed.packet), now)
                self._pass_gate(incoming, now, results)

    def _give_up(self, packets: Iterable[Placed], results: list[Result]) -> None:
        for placed in packets:
            self._drops["dependency_no_structure"] += 1
            results.append(Gap(placed.stream, placed.number))

    def _pass_gate(self, incoming: Incoming, now: float, results: list[Result]) -> None:
        if self._gating is None:
            self._forward(incoming, results)
            return
        for outcome in self._gating.judge(incoming, now):
            if isinstance(outcome, Incoming):
                self._forward(outcome, results)
            else:
                results.append(outcome)
        if self._gating.muted:
            for stream in self._streams:
                stream.is_broken = True

    def _forward(self, incoming: Incoming, results: list[Result]) -> None:
        """The only way to the cache and to sinks."""
        stream = self._streams[incoming.stream]
        if stream.is_broken:
            if incoming.is_repair:
                # It belongs to what was before.
                results.append(Gap(incoming.stream, incoming.number))
                return
            stream.is_broken = False
            results.append(Break(incoming.stream))
        if self._is_video:
            if incoming.part.is_keyframe:
                stream.keyframes.came()
        else:
            self._hear(incoming)
        stream.cache.put(incoming)
        results.append(incoming)

    def _hear(self, incoming: Incoming) -> None:
        told = incoming.extensions.get(ExtensionName.AUDIO_LEVEL)
        if told is None:
            return
        loudness = told[0] & 0x7F
        if self._level is None or loudness < self._level.level:
            self._level = AudioLevel(loudness, told[0] >= 0x80)

    def repair(self, stream: int, number: int) -> Incoming | None:
        """What was forwarded lately, for a subscriber who lost it."""
        return self._streams[stream].cache.get(number)

    # What policy says.

    def set_gate(self, rule: GateRule | None) -> None:
        """Where a rule comes or goes, streams break, and nothing from before is repaired or let through later. Raises
        ValueError for key ids that cannot be announced; the rule before holds on then."""
        if rule is not None and self._gating is not None:
            self._gating.announce(rule)
            return
        self._gating = None if rule is None else Gating(rule, self._drops)
        for stream in self._streams:
            stream.cache.clear()
            stream.cut()
            stream.is_broken = stream.numbers.highest >= 0

    @property
    def is_muted(self) -> bool:
        """By policy or by the gate."""
        return self._is_muted or (self._gating is not None and self._gating.muted)

    def mute(self, *, muted: bool) -> None:
        """What is sent meanwhile is not forwarded afterwards either."""
        if self._is_muted and not muted:
            for stream in self._streams:
                stream.cut()
        self._is_muted = muted

    def wish_keyframe(self, now: float, spatial: int | None = None) -> None:
        """Of one layer, or of all. Whoever waits on says so again; how often does not matter. Sound has none."""
        if not self._is_video:
            return
        for stream in self._streams:
            if spatial is None or len(self._streams) == 1 or stream.index == spatial:
                stream.keyframes.wish(now)

    # What the publisher is told.

    def due(self) -> float | None:
        """When to ask next."""
        if self.is_muted:
            return None
        bound = [one for one in self._streams if one.ssrc is not None]
        dues = (*(one.nacks.due() for one in bound), *(one.keyframes.due() for one in bound))
        return min((due for due in dues if due is not None), default=None)

    def requests(
        self, now: float, round_trip: float | None, sender_ssrc: int
    ) -> list[Nack | PictureLoss | FullIntraRequest]:
        """What to send of RTCP; each was asked for when this returns. While nothing would be forwarded, nothing."""
        if self.is_muted:
            return []
        made: list[Nack | PictureLoss | FullIntraRequest] = []
        for stream in self._streams:
            if stream.ssrc is None:
                continue
            lost = stream.nacks.collect(now, round_trip)
            if lost:
                made.append(Nack(sender_ssrc, stream.ssrc, tuple(number & 0xFFFF for number in lost)))
            if stream.keyframes.ask(now):
                if self._uses_fir:
                    request = IntraRequest(stream.ssrc, stream.keyframes.sequence)
                    made.append(FullIntraRequest(sender_ssrc, (request,)))
                else:
                    made.append(PictureLoss(sender_ssrc, stream.ssrc))
        return made

    def reports(self, now: float) -> list[ReportBlock]:
        """Of the streams that came, for the interval since the last call; streams of repairs are not reported on."""
        return [block for one in self._streams if (block := one.report(now)) is not None]

    def sender_report(self, ssrc: int, ntp: int, rtp_timestamp: int, now: float) -> None:
        stream = self._primaries.get(ssrc)
        if stream is not None:
            stream.sender_report(ntp, rtp_timestamp, now)

    def clock(self, stream: int) -> SenderClock | None:
        """By the latest sender report of this timeline."""
        return self._streams[stream].clock

    # Figures.

    def take_level(self) -> AudioLevel | None:
        """The loudest since it was last asked for."""
        level, self._level = self._level, None
        return level

    def stats(self, now: float) -> SourceStats:
        return SourceStats(
            packets=self._packets,
            bytes=self._bytes,
            lost=sum(stream.lost for stream in self._streams),
            repaired=self._repaired,
            jitter=max(stream.jitter for stream in self._streams),
            layers=self._rates.read(now),
            codec=self._codec,
            keyframe_requests=sum(stream.keyframes.asked for stream in self._streams),
        )


def _size(packet: Packet) -> int:
    return FIXED_HEADER.size + len(packet.csrcs) + len(packet.extension_block) + len(packet.payload)
