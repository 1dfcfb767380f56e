"""What a slot's subscriber says of it, and what it is answered: repairs and reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final, cast

from media.engine import SinkFormat, SourceId
from media.portable.packet import Incoming
from media.portable.passages import Passage
from media.portable.repairs import Asked, Numbers, Pace, first_of
from media.portable.writing import Writer
from media.rtp import Packet, wrap_rtx
from media.sequence import SEQUENCE_MASK

# What was forwarded lately under this number of this stream (Source.repair).
Cached = Callable[[SourceId, int, int], Incoming | None]


class Repairer:
    """``repaired`` counts what went out again."""

    def __init__(
        self, wanted: SinkFormat, numbers: Numbers, writer: Writer, drops: Counter[str], first_number: int
    ) -> None:
        self._ssrc: Final = wanted.rtx_ssrc
        self._numbers: Final = numbers
        self._writer: Final = writer
        self._drops: Final = drops
        self._pace: Final = Pace()
        self._next_number = first_number
        self.repaired = 0

    def repair(self, lost: Iterable[int], cached: Cached, now: float, round_trip: float | None) -> list[bytes]:
        made = (self._one(self._numbers.asked(sequence), cached, now, round_trip) for sequence in first_of(lost))
        return [one for one in made if one is not None]

    def late(self, packet: Incoming, passage: Passage, number: int, now: float) -> bytes | None:
        """A packet that has never been sent, under the number that was kept for it."""
        if passage.limits.admits(packet):
            sent = self._writer.sent(packet, passage, number, now, is_latest=False)
            if sent is not None:
                return sent
            self._drops["sink_forgotten"] += 1
        self._numbers.filled.add(number)
        return self._writer.filled(passage, number, packet.timestamp, now)

    def _one(self, asked: Asked | None, cached: Cached, now: float, round_trip: float | None) -> bytes | None:
        if asked is None:
            self._drops["nack_unknown"] += 1
            return None
        # Every turn here is one.
        passage = cast("Passage", asked.turn)
        is_filled = asked.number in self._numbers.filled
        packet = None if is_filled else cached(passage.owner, passage.stream, asked.of_source)
        if packet is None and not is_filled:
            self._drops["nack_not_cached"] += 1
            return None
        if packet is not None and self._numbers.missing.discard(asked.number):
            # It came when it had no place yet: before the first packet of its key frame did.
            return self.late(packet, passage, asked.number, now)
        if self._ssrc is None or passage.rtx_payload_type is None:
            self._drops["nack_without_rtx"] += 1
            return None
        if not self._pace.allows(asked.number, now, round_trip):
            self._drops["nack_repeated"] += 1
            return None
        return self._again(packet, passage, asked.number, (self._ssrc, passage.rtx_payload_type), now)

    def _again(
        self, packet: Incoming | None, passage: Passage, number: int, form: tuple[int, int], now: float
    ) -> bytes | None:
        if packet is None:
            sent: bytes | None = self._writer.padding(passage, number, 0, now)
        else:
            sent = self._writer.written(packet, passage, number, now, is_latest=False)
        if sent is None:
            self._drops["sink_forgotten"] += 1
            return None
        self.repaired += 1
        ssrc, payload_type = form
        sequence = self._next_number
        self._next_number = (sequence + 1) & SEQUENCE_MASK
        return wrap_rtx(Packet.parse(sent), payload_type=payload_type, ssrc=ssrc, sequence=sequence)
