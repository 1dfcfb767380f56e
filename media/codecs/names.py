"""What a track carries, by the encoding names of session descriptions."""

from __future__ import annotations

from enum import Enum


class Kind(Enum):
    AUDIO = "audio"
    VIDEO = "video"


class CodecName(Enum):
    """RED is of audio (RFC 2198), and not a codec where a codec is asked for: it wraps Opus."""

    OPUS = "opus"
    RED = "red"
    VP8 = "VP8"
    VP9 = "VP9"
    H264 = "H264"
    AV1 = "AV1"
