"""Where a source's time stands on a slot's line of timestamps, and what is told about it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from media.codecs.names import Kind
from media.portable.packet import Incoming
from media.portable.streams import SenderClock
from media.reports import round_trip
from media.rtcp.packets import ReportBlock, SenderReport
from media.sequence import TIMESTAMP_MASK


@dataclass(frozen=True, slots=True)
class Clock:
    """A switch advances by multiples of ``step``, and by ``least`` at least. Sound that is not in step with the packets
    before costs 9 to 30 ms of concealment."""

    rate: int
    step: int
    least: int


CLOCKS: Final = {Kind.AUDIO: Clock(48_000, step=960, least=960), Kind.VIDEO: Clock(90_000, step=1, least=90)}


def shift_at_switch(clock: Clock, last: Incoming, last_shift: int, first: Incoming) -> int:
    """What to add to the timestamps of the source that begins with ``first``. The line goes on by as much as passed
    between the two: by less, and every switch would make the receiver wait longer."""
    elapsed = (first.arrived - last.arrived) * clock.rate
    advance = max(clock.least, round(elapsed / clock.step) * clock.step)
    return (last.timestamp + last_shift + advance - first.timestamp) & TIMESTAMP_MASK


# Receivers answer the last report they have; at one a second, this many cover every round trip that is believed.
_REPORTS_KEPT: Final = 8
_NTP_SECOND: Final = 1 << 32


class Reports:
    """Sender reports of one slot, and what its subscriber reports of it. The source's NTP time is kept, so that sound
    and picture of one publisher stay in step; how long reports are underway is measured by our own clock."""

    __slots__ = ("_clock_rate", "_sent", "_told", "jitter", "lost_fraction", "round_trip")

    def __init__(self, clock_rate: int) -> None:
        self._clock_rate = clock_rate
        self._sent: deque[tuple[int, float]] = deque(maxlen=_REPORTS_KEPT)
        self._told: tuple[SenderClock, int] | None = None
        self.lost_fraction = 0.0
        self.jitter = 0.0
        self.round_trip: float | None = None

    def sender_report(
        self, ssrc: int, clock: SenderClock, shift: int, counted: tuple[int, int], now: float
    ) -> SenderReport | None:
        """``counted`` are packets and octets. None when that was told before: one NTP time twice would leave open which
        of the two reports an answer is to."""
        if self._told == (clock, shift):
            return None
        self._told = clock, shift
        self._sent.append((clock.ntp, now))
        packets, octets = counted
        return SenderReport(
            ssrc=ssrc,
            ntp=clock.ntp,
            rtp_timestamp=(clock.rtp_timestamp + shift) & TIMESTAMP_MASK,
            packet_count=packets & 0xFFFFFFFF,
            octet_count=octets & 0xFFFFFFFF,
        )

    def heard(self, block: ReportBlock, now: float) -> None:
        self.lost_fraction = block.fraction_lost / 256
        self.jitter = block.jitter / self._clock_rate
        for ntp, sent_at in reversed(self._sent):
            if ntp >> 16 & 0xFFFFFFFF == block.last_report:
                measured = round_trip(block, ntp + round((now - sent_at) * _NTP_SECOND))
                self.round_trip = self.round_trip if measured is None else measured
                return
