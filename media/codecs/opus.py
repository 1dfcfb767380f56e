"""Opus in RTP (RFC 7587) and its table of contents byte (RFC 6716 section 3.1).

Encrypted media leaves that byte clear and adds a header and a tag: ``sealed`` is how many bytes they take, 0 in the
clear. What stands behind the first byte cannot be read then.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from media.codecs.part import FramePart, Readable
from media.errors import BadPacket

# An encoder that pauses gives one byte, or two with several frames: a decoder hears silence, not speech.
_DTX_LENGTH = 2
# 120 ms, of 48 samples each (RFC 6716 section 3.2.5, R5).
_LONGEST = 5760
_SILK = (480, 960, 1920, 2880)
_HYBRID = (480, 960)
_CELT = (120, 240, 480, 960)


class OpusMode(Enum):
    SILK = "silk"
    HYBRID = "hybrid"
    CELT = "celt"


@dataclass(frozen=True, slots=True)
class OpusPacket:
    """``samples`` are of 48 kHz; None where encryption hides how many frames there are."""

    mode: OpusMode
    is_stereo: bool
    frame_samples: int
    frames: int | None
    is_dtx: bool

    @property
    def samples(self) -> int | None:
        return None if self.frames is None else self.frames * self.frame_samples


def parse_opus(payload: Readable, *, sealed: int = 0) -> OpusPacket:
    """Raises BadPacket."""
    if len(payload) <= sealed:
        raise BadPacket("opus_empty")
    toc = payload[0]
    mode, frame_samples = _configuration(toc >> 3)
    frames = _frames(payload, sealed=sealed)
    if frames is not None and frames * frame_samples > _LONGEST:
        raise BadPacket("opus_too_long")
    return OpusPacket(
        mode=mode,
        is_stereo=bool(toc & 0x04),
        frame_samples=frame_samples,
        frames=frames,
        is_dtx=len(payload) - sealed <= _DTX_LENGTH,
    )


def read_opus(payload: Readable, *, marker: bool) -> FramePart:
    """A packet is a frame and starts afresh. The marker begins a talkspurt (RFC 3551 section 4.1): it ends nothing."""
    if not payload:
        raise BadPacket("opus_empty")
    return _WHOLE


_WHOLE = FramePart(starts_frame=True, ends_frame=True, is_keyframe=True, is_switching_point=True, is_layer_sync=True)


def _configuration(number: int) -> tuple[OpusMode, int]:
    """RFC 6716 table 2."""
    if number < 12:
        return OpusMode.SILK, _SILK[number % 4]
    if number < 16:
        return OpusMode.HYBRID, _HYBRID[number % 2]
    return OpusMode.CELT, _CELT[number % 4]


def _frames(payload: Readable, *, sealed: int) -> int | None:
    code = payload[0] & 3
    if code < 3:
        return 2 if code else 1
    if sealed:
        return None
    if len(payload) < 2:
        raise BadPacket("opus_truncated")
    count = payload[1] & 0x3F
    if not count:
        raise BadPacket("opus_no_frames")
    return count
