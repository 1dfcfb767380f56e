"""Of one subscriber: what fits towards it, and which of its sinks keep below what they are allowed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from media.engine import Ladder, Layer, SinkId
from media.portable.budget import Available, Survival, costs
from media.rtcp import ReportBlock

# At five looks a second, what was sent in the last one.
_LOOKS_KEPT: Final = 6


class Congestion:
    def __init__(self) -> None:
        self.available: Final = Available()
        self.ladder = Ladder({})
        self._survival: Final = Survival()
        self._sent: deque[tuple[float, int]] = deque(maxlen=_LOOKS_KEPT)
        self._pictures: deque[tuple[float, int]] = deque(maxlen=_LOOKS_KEPT)
        self._limits: Mapping[SinkId, int] = {}

    def heard(self, blocks: Iterable[ReportBlock], now: float) -> None:
        self.available.heard(blocks, sent=self.sending, desired=self.ladder.desired_bitrate, now=now)

    @property
    def sending(self) -> int:
        """In bits a second, over the last."""
        return _rate(self._sent)

    def estimated(self, bitrate: int, now: float) -> None:
        """What the receiver believes of pictures: browsers say it of nothing else."""
        self.available.remb(bitrate, now, sent=_rate(self._pictures), desired=self.ladder.desired_bitrate)

    def measure(self, sent_bytes: int, now: float) -> None:
        """A few times a second."""
        if not self._sent or now > self._sent[-1][0]:
            self._sent.append((now, sent_bytes))

    def measure_pictures(self, sent_bytes: int, now: float) -> None:
        """As ``measure``. Less than before where a slot has ended."""
        if self._pictures and sent_bytes < self._pictures[-1][1]:
            self._pictures.clear()
        if not self._pictures or now > self._pictures[-1][0]:
            self._pictures.append((now, sent_bytes))

    def needs_rates(self, now: float) -> bool:
        """Whether ``limits`` could be others than none: the rates it asks for cost more than it does."""
        return bool(self._limits) or self.available.bitrate(now) is not None

    def limits(
        self, flowing: Mapping[SinkId, tuple[Mapping[Layer, int], bool]], now: float
    ) -> Mapping[SinkId, int | None]:
        """The rung of each sink whose limit is another than before. ``flowing`` has for each sink the bitrates of its
        source's layers, and whether these are of one scalable stream. What has no ladder is sent as it is."""
        rungs: dict[SinkId, Sequence[int]] = {}
        fixed = 0
        for sink, (bitrates, is_scalable) in flowing.items():
            ladder = self.ladder.allowed.get(sink, ())
            if ladder:
                rungs[sink] = costs(ladder, bitrates, is_scalable=is_scalable)
            else:
                fixed += sum(bitrates.values()) if is_scalable else max(bitrates.values(), default=0)
        bitrate = self.available.bitrate(now)
        fits = None if bitrate is None else max(0, bitrate - fixed)
        before, self._limits = self._limits, self._survival.limits(fits, rungs, now)
        return {
            sink: self._limits.get(sink)
            for sink in before.keys() | self._limits.keys()
            if before.get(sink) != self._limits.get(sink)
        }


def _rate(sums: Sequence[tuple[float, int]]) -> int:
    """In bits a second, of sums of bytes over time."""
    if len(sums) < 2:
        return 0
    (then, before), (now, after) = sums[0], sums[-1]
    return int((after - before) * 8 / (now - then))
