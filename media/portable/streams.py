"""One RTP stream of a source: its numbers, what is missing of it, and the clock its sender tells."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from media.portable.cache import PacketCache
from media.portable.keyframes import KeyframeRequests
from media.portable.nacks import NackList
from media.reports import MAX_DROPOUT, Reception
from media.rtcp.packets import ReportBlock
from media.rtp import Packet

# How far back a packet may be and still be taken: two thirds of a second at 3,000 packets a second.
WINDOW: Final = 2048
_WINDOW_MASK: Final = (1 << WINDOW) - 1
# A repair may overtake what was sent after it by this much; more is another timeline.
MOST_AHEAD_BY_REPAIR: Final = 100


class Unplaced(Enum):
    """Why a sequence number is none of the stream's; the values name drops."""

    DUPLICATE = "duplicate"
    JUMP = "sequence_jump"


@dataclass(frozen=True, slots=True)
class SenderClock:
    """Of the latest sender report: ``ntp`` has all 64 bits, and is the moment of ``rtp_timestamp`` in this stream."""

    ntp: int
    rtp_timestamp: int
    arrived: float


class Numbers:
    """Sequence numbers to unwrapped ones, each of them once. One far from the others is not taken until the next one
    confirms it: ``begin`` is for that, and what it counts is above all before by more than half a turn."""

    __slots__ = ("_seen", "highest")

    def __init__(self) -> None:
        self.highest = -1
        self._seen = 0

    def place(self, sequence: int) -> int | Unplaced:
        """The lowest 16 bits of what is returned are ``sequence``."""
        highest = self.highest
        if highest < 0:
            return self.begin(sequence)
        ahead = (sequence - highest) & 0xFFFF
        if 0 < ahead < MAX_DROPOUT:
            self._seen = (self._seen << ahead | 1) & _WINDOW_MASK
            self.highest = highest + ahead
            return self.highest
        behind = (highest - sequence) & 0xFFFF
        if behind >= WINDOW:
            return Unplaced.JUMP
        if self._seen >> behind & 1:
            return Unplaced.DUPLICATE
        self._seen |= 1 << behind
        return highest - behind

    def begin(self, sequence: int) -> int:
        # One turn up from the start, so that nothing that was overtaken by the first is below zero.
        turn = 1 << 16
        number = (self.highest & -turn) + turn + sequence if self.highest >= 0 else turn + sequence
        if number - self.highest < turn >> 1:
            number += turn
        self.highest = number
        self._seen = 1
        return number

    def is_near(self, sequence: int) -> bool:
        """Whether a repair may have it."""
        ahead = (sequence - self.highest) & 0xFFFF
        return self.highest >= 0 and (ahead <= MOST_AHEAD_BY_REPAIR or ahead > 0x10000 - WINDOW)


class Stream:
    """What its source keeps of one stream. ``starts_anew``: its next packet begins another timeline. ``suspect``: one
    that might, and when it came. ``is_broken``: something was withheld, so that what follows is no continuation; below
    ``floor`` nothing is forwarded any more."""

    __slots__ = (
        "bound_at",
        "cache",
        "clock",
        "clock_rate",
        "floor",
        "index",
        "is_broken",
        "keyframes",
        "lost",
        "nacks",
        "numbers",
        "reception",
        "repair_ssrc",
        "ssrc",
        "starts_anew",
        "suspect",
    )

    def __init__(self, index: int, clock_rate: int, keyframes: KeyframeRequests) -> None:
        self.index: Final = index
        self.clock_rate: Final = clock_rate
        self.keyframes: Final = keyframes
        self.nacks: Final = NackList()
        self.numbers: Final = Numbers()
        self.cache: Final = PacketCache()
        self.ssrc: int | None = None
        self.repair_ssrc: int | None = None
        self.bound_at = 0.0
        self.reception: Reception | None = None
        self.clock: SenderClock | None = None
        self.starts_anew = False
        self.suspect: tuple[Packet, float] | None = None
        self.is_broken = False
        self.floor = 0
        # Without those that only came late; what was repaired was lost all the same.
        self.lost = 0

    def bind(self, ssrc: int, now: float) -> None:
        """Packets of another SSRC are another timeline."""
        self.starts_anew = self.ssrc is not None
        self.ssrc = ssrc
        self.bound_at = now
        self.reception = Reception(ssrc, self.clock_rate)
        self.clock = None

    @property
    def jitter(self) -> float:
        """In seconds."""
        return self.reception.jitter / self.clock_rate if self.reception else 0.0

    def begin(self, sequence: int) -> int:
        self.starts_anew = False
        self.suspect = None
        self.nacks.clear()
        self.clock = None
        return self.numbers.begin(sequence)

    def cut(self) -> None:
        """What was sent until now is not wanted, even if it comes later."""
        self.floor = self.numbers.highest + 1
        self.nacks.clear()

    def sender_report(self, ntp: int, rtp_timestamp: int, now: float) -> None:
        self.clock = SenderClock(ntp, rtp_timestamp, now)
        if self.reception is not None:
            self.reception.sender_report(ntp, now)

    def report(self, now: float) -> ReportBlock | None:
        return self.reception.report(now) if self.reception else None
