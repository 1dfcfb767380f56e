"""What can be published without a device: a test pattern, a tone, a melody; and what comes from files and cameras.

All are tracks as aiortc has them: anything with ``kind`` and ``recv`` may be published.
"""

from __future__ import annotations

import asyncio
import math
from array import array
from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from aiortc import MediaStreamTrack
from aiortc.contrib.media import MediaPlayer
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, VideoFrame

SAMPLE_RATE: Final = 48_000
_FRAME_SECONDS: Final = 0.02
_SAMPLES: Final = int(SAMPLE_RATE * _FRAME_SECONDS)
_VIDEO_CLOCK: Final = 90_000
_LOUDNESS: Final = 0.3
# Of a note's beginning and end, so that it does not click.
_FADE_SECONDS: Final = 0.01


class _Paced(MediaStreamTrack):
    """Gives one frame each ``interval``. Who asks too late gets the next ones at once, up to a second of them."""

    def __init__(self, interval: float) -> None:
        super().__init__()
        self._interval = interval
        self._next_at: float | None = None

    async def _turn(self) -> None:
        if self.readyState != "live":
            raise MediaStreamError
        now = asyncio.get_running_loop().time()
        due = now if self._next_at is None else max(self._next_at, now - 1.0)
        self._next_at = due + self._interval
        await asyncio.sleep(due - now)


class TestPattern(_Paced):
    """Eight bars, and a bright square that travels across them: a picture that shows whether it moves."""

    __test__ = False  # no test of pytest's
    kind = "video"

    def __init__(self, width: int = 640, height: int = 360, fps: int = 30) -> None:
        super().__init__(1 / fps)
        self._size = width, height
        self._fps = fps
        self._count = 0
        self._bars = bytes(32 + 24 * (x * 8 // width) for x in range(width))

    async def recv(self) -> VideoFrame:
        await self._turn()
        width, height = self._size
        frame = VideoFrame(width, height, "yuv420p")
        luma, *chroma = frame.planes
        luma.update(self._luma(luma.line_size, width, height))
        for plane in chroma:
            plane.update(bytes((128,)) * plane.buffer_size)
        frame.pts = self._count * _VIDEO_CLOCK // self._fps
        frame.time_base = Fraction(1, _VIDEO_CLOCK)
        self._count += 1
        return frame

    def _luma(self, line: int, width: int, height: int) -> bytes:
        side = height // 4
        left = self._count * 4 % (width - side)
        plain = self._bars + bytes(line - width)
        marked = plain[:left] + b"\xeb" * side + plain[left + side :]
        above = (height - side) // 2
        return plain * above + marked * side + plain * (height - above - side)


class _Sound(_Paced):
    kind = "audio"

    def __init__(self) -> None:
        super().__init__(_FRAME_SECONDS)
        self._at = 0

    async def recv(self) -> AudioFrame:
        await self._turn()
        samples = self._samples(self._at, _SAMPLES)
        frame = AudioFrame(format="s16", layout="mono", samples=_SAMPLES)
        frame.planes[0].update(samples.tobytes())
        frame.sample_rate = SAMPLE_RATE
        frame.pts = self._at
        frame.time_base = Fraction(1, SAMPLE_RATE)
        self._at += _SAMPLES
        return frame

    def _samples(self, start: int, count: int) -> array[int]:
        raise NotImplementedError


class Tone(_Sound):
    def __init__(self, frequency: float = 440.0) -> None:
        super().__init__()
        self._frequency = frequency

    def _samples(self, start: int, count: int) -> array[int]:
        step = 2 * math.pi * self._frequency / SAMPLE_RATE
        return array("h", (int(32_767 * _LOUDNESS * math.sin(step * at)) for at in range(start, start + count)))


class Melody(_Sound):
    """``notes``: frequency (0 for a rest) and seconds. Ends after the last, unless ``repeats``."""

    def __init__(self, notes: Sequence[tuple[float, float]], *, repeats: bool = False) -> None:
        super().__init__()
        tune = array("h")
        for frequency, seconds in notes:
            tune.extend(_note(frequency, seconds))
        self._tune = tune
        self._repeats = repeats

    def _samples(self, start: int, count: int) -> array[int]:
        if self._repeats:
            start %= len(self._tune)
        elif start >= len(self._tune):
            self.stop()
            raise MediaStreamError
        samples = self._tune[start : start + count]
        samples.extend([0] * (count - len(samples)))
        return samples


def _note(frequency: float, seconds: float) -> array[int]:
    count, fade = int(seconds * SAMPLE_RATE), int(_FADE_SECONDS * SAMPLE_RATE)
    step = 2 * math.pi * frequency / SAMPLE_RATE
    return array(
        "h",
        (int(32_767 * _LOUDNESS * min(1, at / fade, (count - at) / fade) * math.sin(step * at)) for at in range(count)),
    )


def media_file(path: str, *, loop: bool = False) -> tuple[MediaStreamTrack | None, MediaStreamTrack | None]:
    """Sound and picture of a file, in real time: whatever FFmpeg reads, speech in a WAV file for one."""
    player = MediaPlayer(path, loop=loop)
    return player.audio, player.video


def camera(device: str = "/dev/video0", *, width: int = 640, height: int = 360, fps: int = 30) -> MediaStreamTrack:
    """Of Linux. Raises OSError (av.FFmpegError) where there is none."""
    options = {"video_size": f"{width}x{height}", "framerate": str(fps)}
    track = MediaPlayer(device, format="v4l2", options=options).video
    if track is None:
        raise OSError(f"{device} has no picture")
    return track
