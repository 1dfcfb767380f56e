"""What a published picture can be had in: the rungs that a subscriber's layers are chosen from. Pure.

Of the lowest encoding or spatial layer every frame rate is a rung, of the others the full one only: who sees a large
picture wants it fluent, and who must save takes a smaller one first.

A layer that nobody needed is not sent, so it does not show in what flows; it can be had all the same. One that was
asked for and has not come after a while cannot: the publisher has no bitrate or no power for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from media import engine
from media.engine import LayerStats
from sfu.allocation import Layer

PATIENCE: Final = 5.0

# Of video calls: 640 x 360 at 30 frames a second takes half a megabit.
_GUESSED_BITS_A_PIXEL: Final = 0.07
_GUESSED_FPS: Final = 30.0
_GUESSED_SIZE: Final = (1280, 720)
# What a stream may have without saying so before it flows; where it has fewer, all of it comes.
_MOST_TEMPORAL: Final = 2


@dataclass(frozen=True, slots=True)
class _Seen:
    """Of one spatial layer when it flowed last: bits and frames a second up to each temporal layer."""

    temporal: tuple[int, ...]
    bitrates: tuple[int, ...]
    fps: tuple[float, ...]
    size: tuple[int, int] | None


class Rungs:
    """Of one track. ``sizes`` are what the publisher announced, from the lowest up. ``encodings`` counts those of a
    simulcast; 0 for one stream, whose layers build on each other and may be more than were announced."""

    def __init__(self, sizes: Sequence[tuple[int, int]], encodings: int) -> None:
        self._sizes = tuple(sizes)
        self._encodings = encodings
        self._seen: dict[int, _Seen] = {}
        self._flowing: frozenset[int] = frozenset()

    @property
    def count(self) -> int:
        """How many layers of size there are, as far as is known."""
        return self._encodings or max(len(self._sizes), max(self._seen, default=0) + 1)

    def note(self, layers: Mapping[engine.Layer, LayerStats]) -> None:
        """What flowed within the last second."""
        spatial = {layer.spatial for layer in layers}
        if self._encodings:
            spatial = {one for one in spatial if one < self._encodings}
        self._flowing = frozenset(spatial)
        for one in spatial:
            self._seen[one] = _seen(one, layers, self._seen.get(one))

    def rungs(self, *, asked: int, asked_for: float) -> tuple[Layer, ...]:
        """``asked`` is how many of the lowest layers the publisher was asked for, ``asked_for`` since how many seconds.
        None at all when none of those come."""
        found: list[Layer] = []
        below = 0
        for spatial in range(self.count):
            if spatial not in self._flowing and spatial < asked and asked_for > PATIENCE:
                continue
            steps = self._steps(spatial)
            chosen = steps if not found else steps[-1:]
            for step in chosen:
                # Layers of one stream come on top of each other; encodings instead of each other.
                bitrate = step.bitrate + (0 if self._encodings else below)
                least = found[-1].bitrate if found else 0
                found.append(Layer(step.spatial, step.temporal, max(bitrate, least), step.width, step.height, step.fps))
            below += steps[-1].bitrate
        return tuple(found)

    def _steps(self, spatial: int) -> tuple[Layer, ...]:
        width, height = self._size(spatial)
        seen = self._seen.get(spatial)
        if seen is None:
            bitrate = round(width * height * _GUESSED_FPS * _GUESSED_BITS_A_PIXEL)
            temporal = max((one.temporal[-1] for one in self._seen.values()), default=_MOST_TEMPORAL)
            return (Layer(spatial, temporal, bitrate, width, height, _GUESSED_FPS),)
        steps = zip(seen.temporal, seen.bitrates, seen.fps, strict=True)
        return tuple(Layer(spatial, temporal, bitrate, width, height, fps) for temporal, bitrate, fps in steps)

    def _size(self, spatial: int) -> tuple[int, int]:
        seen = self._seen.get(spatial)
        if seen is not None and seen.size is not None:
            return seen.size
        if len(self._sizes) == self.count:
            return self._sizes[spatial]
        width, height = self._sizes[-1] if self._sizes else _GUESSED_SIZE
        down = max(0, self.count - 1 - spatial)
        return max(1, width >> down), max(1, height >> down)


def _seen(spatial: int, layers: Mapping[engine.Layer, LayerStats], before: _Seen | None) -> _Seen:
    own = sorted((layer.temporal, stats) for layer, stats in layers.items() if layer.spatial == spatial)
    bitrates, fps, bits, frames = [], [], 0, 0.0
    for _, stats in own:
        bits, frames = bits + stats.bitrate, frames + stats.frames_per_second
        bitrates.append(bits)
        fps.append(frames)
    sizes = [(stats.width, stats.height) for _, stats in own if stats.width and stats.height]
    size = next(((width, height) for width, height in sizes if width and height), before.size if before else None)
    return _Seen(tuple(temporal for temporal, _ in own), tuple(bitrates), tuple(fps), size)
