"""The arithmetic of reports: what a receiver says of a source (RFC 3550 appendix A), round trips, NTP times."""

from __future__ import annotations

from media.rtcp.packets import ReportBlock
from media.sequence import timestamp_distance

# RFC 3550 appendix A.1. There is no probation: whatever comes here was authenticated.
MAX_DROPOUT = 3000
MAX_MISORDER = 100
# A jump of the timestamps by more than this is another timeline, not jitter.
MOST_TRANSIT_CHANGE = 5.0

# Seconds from 1900, where NTP begins, to 1970.
NTP_EPOCH = 2_208_988_800
_ERA = 1 << 32
# A round trip above this is a broken or lying peer's.
MOST_ROUND_TRIP = 60.0


class Reception:
    """What came of one source. ``now`` is any clock that does not step."""

    def __init__(self, ssrc: int, clock_rate: int) -> None:
        if clock_rate <= 0:
            raise ValueError("a clock has a rate")
        self._ssrc = ssrc
        self._clock_rate = clock_rate
        self._first = 0
        self._highest = -1
        self._received = 0
        self._restart_at: int | None = None
        self._expected_before = 0
        self._received_before = 0
        self._transit: int | None = None
        self._jitter_16 = 0
        self._last_report = 0
        self._last_report_at = 0.0

    @property
    def received(self) -> int:
        return self._received

    @property
    def expected(self) -> int:
        return self._highest - self._first + 1 if self._highest >= 0 else 0

    @property
    def lost(self) -> int:
        """Negative where duplicates came."""
        return self.expected - self._received

    @property
    def highest_sequence(self) -> int:
        """Extended by the number of wraps; -1 before the first packet."""
        return self._highest

    @property
    def jitter(self) -> int:
        """In units of the timestamp."""
        return self._jitter_16 >> 4

    def packet(self, sequence: int, timestamp: int, now: float) -> bool:
        """Whether it counts: a jump far out of order does not, until the next packet confirms it (appendix A.1)."""
        if self._highest < 0:
            self._begin(sequence)
        elif not self._advanced(sequence):
            return False
        self._received += 1
        self._measure(timestamp, now)
        return True

    def sender_report(self, ntp: int, now: float) -> None:
        self._last_report = middle(ntp)
        self._last_report_at = now

    def report(self, now: float) -> ReportBlock | None:
        """The block for the interval since the last call; None before the first packet."""
        if self._highest < 0:
            return None
        return ReportBlock(
            ssrc=self._ssrc,
            fraction_lost=self._fraction_lost(),
            cumulative_lost=max(-0x800000, min(self.lost, 0x7FFFFF)),
            highest_sequence=self._highest & 0xFFFFFFFF,
            jitter=min(self.jitter, 0xFFFFFFFF),
            last_report=self._last_report,
            delay=self._delay(now),
        )

    def _begin(self, sequence: int) -> None:
        self._first = self._highest = sequence
        self._restart_at = None
        self._received = self._expected_before = self._received_before = 0
        self._transit = None

    def _advanced(self, sequence: int) -> bool:
        ahead = (sequence - self._highest) & 0xFFFF
        if ahead < MAX_DROPOUT:
            self._highest += ahead
            return True
        if ahead > 0x10000 - MAX_MISORDER:
            return True
        if sequence == self._restart_at:
            self._begin(sequence)
            return True
        self._restart_at = (sequence + 1) & 0xFFFF
        return False

    def _measure(self, timestamp: int, now: float) -> None:
        """Appendix A.8, in whole sixteenths so that every implementation has the same figure."""
        transit = (int(now * self._clock_rate) - timestamp) & 0xFFFFFFFF
        if self._transit is not None:
            change = abs(timestamp_distance(transit, self._transit))
            if change <= MOST_TRANSIT_CHANGE * self._clock_rate:
                self._jitter_16 += change - ((self._jitter_16 + 8) >> 4)
        self._transit = transit

    def _fraction_lost(self) -> int:
        """Appendix A.3; in 256ths. Under 256, because the packet that raised what is expected has come."""
        expected = self.expected - self._expected_before
        lost = expected - (self._received - self._received_before)
        self._expected_before = self.expected
        self._received_before = self._received
        return (lost << 8) // expected if expected > 0 and lost > 0 else 0

    def _delay(self, now: float) -> int:
        if not self._last_report:
            return 0
        return max(0, min(int((now - self._last_report_at) * 65536), 0xFFFFFFFF))


def round_trip(block: ReportBlock, ntp: int) -> float | None:
    """Seconds (RFC 3550 section 6.4.1), ``ntp`` being the time at which the block came, on the clock of our sender
    reports. None when the peer has heard none of them, or what it says cannot be. The peer's rounding may put an
    answer a little before its question: that is 0."""
    if not block.last_report:
        return None
    seconds = timestamp_distance(middle(ntp) - block.last_report, block.delay) / 65536
    if seconds > MOST_ROUND_TRIP or seconds < -1.0:
        return None
    return max(0.0, seconds)


def ntp_of(seconds: float) -> int:
    """All 64 bits of the NTP time of ``seconds`` since 1970."""
    whole, fraction = divmod(seconds, 1.0)
    return ((int(whole) + NTP_EPOCH << 32) + round(fraction * _ERA)) & 0xFFFFFFFFFFFFFFFF


def seconds_of(ntp: int, near: float) -> float:
    """Seconds since 1970, in the era of NTP (136 years each; the second begins in 2036) that is nearest to ``near``."""
    whole = (ntp >> 32) - NTP_EPOCH
    eras = round((near - whole) / _ERA)
    return whole + eras * _ERA + (ntp & 0xFFFFFFFF) / _ERA


def middle(ntp: int) -> int:
    """The 32 bits in the middle, in 65536ths of a second, that reports refer to."""
    return ntp >> 16 & 0xFFFFFFFF
