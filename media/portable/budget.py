"""What fits towards a subscriber, and who steps down when it is less than what is sent. Pure.

Receivers say what they believe fits (REMB) and how much was lost. Loss is answered as libwebrtc's senders always did:
a tenth or more means that we send too much, under a fiftieth there is room. There is no estimate by delay here: that
is the native engine's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from media.engine import Layer, SinkId
from media.rtcp.packets import ReportBlock

# Browsers repeat it every second; three that did not come are a receiver that stopped saying so.
REMB_HOLDS: Final = 4.0
# Of a road that is too narrow receivers say 0.85 of what came through, and they say less than before.
NARROW: Final = 0.8
_FALLING: Final = 0.97
HEAVY_LOSS: Final = 0.10
LIGHT_LOSS: Final = 0.02
# Under so many packets a fraction says nothing.
_FEWEST_PACKETS: Final = 20
_DOWN_EVERY: Final = 0.3
_UP_EVERY: Final = 1.0
_GROWTH: Final = 1.08
_GROWTH_AT_LEAST: Final = 1_000
LEAST_BITRATE: Final = 30_000

# A step up has to fit with this much to spare, for so long after the last step.
HEADROOM: Final = 1.15
UP_AFTER: Final = 3.0


class Available:
    """Of one transport. ``sent`` is what goes there now, in bits a second, ``desired`` what all of it would take."""

    __slots__ = ("_by_loss", "_changed_at", "_expected", "_grown_at", "_highest", "_lost", "_remb", "_remb_at", "_said")

    def __init__(self) -> None:
        self._remb = 0
        self._remb_at: float | None = None
        self._grown_at = float("-inf")
        self._said = float("inf")
        self._by_loss: int | None = None
        self._changed_at = float("-inf")
        self._highest: dict[int, int] = {}
        self._expected = 0
        self._lost = 0.0

    def bitrate(self, now: float) -> int | None:
        """None while there is no sign of a limit."""
        remb = self._remb if self._remb_at is not None and now - self._remb_at <= REMB_HOLDS else None
        return min((one for one in (remb, self._by_loss) if one is not None), default=None)

    def remb(self, bitrate: int, now: float, *, sent: int | None = None, desired: int = 0) -> None:
        """``sent`` is what goes there of that which it is about. Receivers raise what they say to half again of what
        comes and no further, and by eight percent a second: whoever is sent little says little, and whoever is sent
        more at once is slow to say so. Neither is a limit; taken for one, it would hold for ever. Without ``sent`` it
        always is."""
        is_falling = bitrate < _FALLING * self._said
        self._said = bitrate
        if sent is None or (is_falling and bitrate < NARROW * sent):
            self._remb, self._remb_at, self._grown_at = bitrate, now, now
        elif self._remb_at is not None:
            self._remb_at = now
            if now - self._grown_at >= _UP_EVERY:
                self._grown_at = now
                self._remb = max(bitrate, int(self._remb * _GROWTH) + _GROWTH_AT_LEAST)
            # Once everything fits there is nothing to limit.
            if max(bitrate, self._remb) > HEADROOM * max(sent, desired):
                self._remb_at = None

    def heard(self, blocks: Iterable[ReportBlock], *, sent: int, desired: int, now: float) -> None:
        """Of sinks of this transport only: whose blocks they are is remembered as long as they report."""
        for block in blocks:
            before = self._highest.get(block.ssrc)
            self._highest[block.ssrc] = block.highest_sequence
            if before is not None and block.highest_sequence > before:
                expected = block.highest_sequence - before
                self._expected += expected
                self._lost += expected * block.fraction_lost / 256
        if self._expected >= _FEWEST_PACKETS:
            fraction = self._lost / self._expected
            self._expected, self._lost = 0, 0.0
            self._judge(fraction, sent, desired, now)

    def forget(self, ssrc: int) -> None:
        self._highest.pop(ssrc, None)

    def _judge(self, fraction: float, sent: int, desired: int, now: float) -> None:
        since = now - self._changed_at
        if fraction > HEAVY_LOSS and since >= _DOWN_EVERY:
            believed = sent if self._by_loss is None else min(sent, self._by_loss)
            self._by_loss = max(LEAST_BITRATE, int(believed * (1 - 0.5 * fraction)))
            self._changed_at = now
        elif fraction < LIGHT_LOSS and since >= _UP_EVERY and self._by_loss is not None:
            grown = int(self._by_loss * _GROWTH) + _GROWTH_AT_LEAST
            # Once everything fits there is nothing to limit.
            self._by_loss = None if grown > HEADROOM * max(sent, desired) else grown
            self._changed_at = now


def costs(ladder: Sequence[Layer], bitrates: Mapping[Layer, int], *, is_scalable: bool) -> list[int]:
    """What each rung takes, by the bitrate of each layer alone. Layers of one scalable stream need those below;
    encodings of a simulcast replace each other."""
    return [
        sum(
            bitrate
            for layer, bitrate in bitrates.items()
            if layer.temporal <= rung.temporal
            and (layer.spatial <= rung.spatial if is_scalable else layer.spatial == rung.spatial)
        )
        for rung in ladder
    ]


class Survival:
    """Steps down at once when less fits than is sent, the most expensive first; up again one step at a time, and only
    with room to spare after a while. The lowest rung is never left."""

    __slots__ = ("_limits", "_stepped_at")

    def __init__(self) -> None:
        self._limits: dict[SinkId, int] = {}
        self._stepped_at = float("-inf")

    def limits(self, available: int | None, rungs: Mapping[SinkId, Sequence[int]], now: float) -> dict[SinkId, int]:
        """The highest rung of each sink that has to keep below its last. ``rungs`` are the costs of each sink's ladder
        (``costs``), ``available`` what is left for them."""
        self._limits = {
            sink: limit for sink, limit in self._limits.items() if sink in rungs and limit < len(rungs[sink]) - 1
        }
        at = {sink: self._limits.get(sink, len(ladder) - 1) for sink, ladder in rungs.items() if ladder}
        used = sum(rungs[sink][rung] for sink, rung in at.items())
        if available is not None and used > available:
            self._step_down(rungs, at, used - available, now)
        elif self._limits and now - self._stepped_at >= UP_AFTER:
            self._step_up(rungs, None if available is None else available / HEADROOM - used, now)
        return dict(self._limits)

    def _step_down(self, rungs: Mapping[SinkId, Sequence[int]], at: dict[SinkId, int], over: int, now: float) -> None:
        self._stepped_at = now
        while over > 0:
            lowerable = [sink for sink, rung in at.items() if rung > 0]
            if not lowerable:
                return
            sink = max(lowerable, key=lambda one: rungs[one][at[one]])
            over -= rungs[sink][at[sink]] - rungs[sink][at[sink] - 1]
            at[sink] -= 1
            self._limits[sink] = at[sink]

    def _step_up(self, rungs: Mapping[SinkId, Sequence[int]], room: float | None, now: float) -> None:
        steps = {sink: rungs[sink][limit + 1] - rungs[sink][limit] for sink, limit in self._limits.items()}
        sink = min(steps, key=lambda one: steps[one])
        if room is not None and steps[sink] > room:
            return
        self._stepped_at = now
        self._limits[sink] += 1
        if self._limits[sink] == len(rungs[sink]) - 1:
            del self._limits[sink]
