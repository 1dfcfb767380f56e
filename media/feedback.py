"""Collects when packets with a transport-wide sequence number came, and says when to tell their sender what.

Each feedback goes on where the last one ended, so that a gap between two is reported as lost. A packet that comes late
is not lost after all: the next feedback begins with it again, as far back as the arrivals are remembered.
"""

from __future__ import annotations

from media.rtcp.packets import TransportFeedback
from media.rtcp.transportwide import TICKS_PER_SECOND, Numbering, split_feedback
from media.sequence import sequence_distance

# A sender's estimate wants to hear often (every 50 to 100 ms), a busy one at the short end.
SOONEST = 0.05
LATEST = 0.1
BUSY = 20
# How late a packet may come and still be reported; libwebrtc remembers as long.
MEMORY = 0.5
# A tenth of a second of 40,000 packets a second.
MOST_KEPT = 4096
# So many late ones without a timely one between them, and the sender has begun anew.
RESTART_AFTER = 16


class FeedbackCollector:
    """For one transport. ``duplicates``, ``late`` and ``overflowed`` count what was left out."""

    def __init__(self, sender_ssrc: int) -> None:
        self.duplicates = 0
        self.late = 0
        self.overflowed = 0
        self._sender_ssrc = sender_ssrc
        self._media_ssrc = 0
        self._feedback_count = 0
        # Unwrapped sequence numbers and ticks, in the order in which they came.
        self._arrivals: dict[int, int] = {}
        self._highest: int | None = None
        # The first number of the next feedback, and the last one whose neighbours are no longer remembered.
        self._start = 0
        self._forgotten = -1
        self._pending = 0
        self._pending_since = 0.0
        self._sent_at: float | None = None
        self._late_in_a_row = 0

    def arrived(self, sequence: int, media_ssrc: int, now: float) -> bool:
        """Whether it will be reported."""
        number = self._unwrapped(sequence)
        if number in self._arrivals:
            self.duplicates += 1
            return False
        # First of all, because it may make the newcomer a late one.
        if len(self._arrivals) >= MOST_KEPT:
            self._forget_one()
        if number <= self._forgotten:
            return self._arrived_late(sequence, media_ssrc, now)
        self._late_in_a_row = 0
        self._arrivals[number] = round(now * TICKS_PER_SECOND)
        self._highest = number if self._highest is None else max(self._highest, number)
        self._start = min(self._start, number)
        self._media_ssrc = media_ssrc
        if not self._pending:
            self._pending_since = now
        self._pending += 1
        return True

    def due(self) -> float | None:
        """When to collect; None while there is nothing to say."""
        if not self._pending:
            return None
        if self._sent_at is None:
            return self._pending_since + SOONEST
        if self._pending >= BUSY:
            return self._sent_at + SOONEST
        return max(self._sent_at + SOONEST, self._pending_since + LATEST)

    def collect(self, now: float) -> tuple[TransportFeedback, ...]:
        """What to send now; nothing before it is due."""
        due = self.due()
        if due is None or now < due or self._highest is None:
            return ()
        reported = sorted((number, ticks) for number, ticks in self._arrivals.items() if number >= self._start)
        numbering = Numbering(self._sender_ssrc, self._media_ssrc, self._feedback_count)
        made = split_feedback(numbering, self._start, reported)
        self._feedback_count = (self._feedback_count + len(made)) & 0xFF
        self._start = self._highest + 1
        self._pending = 0
        self._sent_at = now
        self._forget_before(now - MEMORY)
        return made

    def _unwrapped(self, sequence: int) -> int:
        if self._highest is None:
            self._start = sequence
            self._forgotten = sequence - 0x8000
            return sequence
        return self._highest + sequence_distance(sequence, self._highest)

    def _arrived_late(self, sequence: int, media_ssrc: int, now: float) -> bool:
        self._late_in_a_row += 1
        if self._late_in_a_row < RESTART_AFTER:
            self.late += 1
            return False
        self._arrivals.clear()
        self._highest = None
        self._pending = 0
        return self.arrived(sequence, media_ssrc, now)

    def _forget_one(self) -> None:
        """The oldest. Unless it was reported, the next feedback begins behind it: to say nothing of what came is
        better than to call it lost."""
        number = next(iter(self._arrivals))
        del self._arrivals[number]
        self._forgotten = max(self._forgotten, number)
        if number >= self._start:
            self.overflowed += 1
            self._start = number + 1

    def _forget_before(self, then: float) -> None:
        """Everything has been reported when this is asked."""
        oldest = then * TICKS_PER_SECOND
        while self._arrivals:
            number = next(iter(self._arrivals))
            if self._arrivals[number] >= oldest:
                return
            del self._arrivals[number]
            self._forgotten = max(self._forgotten, number)
