"""What known header extensions say: bytes of one element to a value and back.

Which id stands for which extension is the client's choice, connection by connection. All readers raise BadPacket, whose
reason names the extension.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from math import floor
from typing import Final, Self

from media.errors import BadPacket
from media.sequence import distance


class ExtensionName(Enum):
    """By the URI that stands in a session description."""

    MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
    RID = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
    REPAIRED_RID = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
    TRANSPORT_CC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
    AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
    ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
    ORIENTATION = "urn:3gpp:video-orientation"
    PLAYOUT_DELAY = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
    CONTENT_TYPE = "http://www.webrtc.org/experiments/rtp-hdrext/video-content-type"
    DEPENDENCY_DESCRIPTOR = "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
    LAYERS_ALLOCATION = "http://www.webrtc.org/experiments/rtp-hdrext/video-layers-allocation00"


# Bytes of those whose values all have one length.
SIZES: Final[Mapping[ExtensionName, int]] = {
    ExtensionName.TRANSPORT_CC: 2,
    ExtensionName.AUDIO_LEVEL: 1,
    ExtensionName.ABS_SEND_TIME: 3,
    ExtensionName.ORIENTATION: 1,
    ExtensionName.PLAYOUT_DELAY: 3,
    ExtensionName.CONTENT_TYPE: 1,
}

# What fits into an element with a header of one byte, and what browsers accept.
LONGEST_NAME: Final = 16
# RFC 5888 4: a mid is a token, which RFC 8866 9 spells out.
_TOKEN: Final = re.compile(rb"[!#$%&'*+.0-9A-Z^_`a-z{|}~-]+")
# RFC 8851 10: letters, digits, hyphen, underscore.
_RID: Final = re.compile(rb"[0-9A-Za-z_-]+")


def read_mid(value: bytes | memoryview) -> str:
    return _name(value, _TOKEN, "extension_mid")


def read_rid(value: bytes | memoryview) -> str:
    """Of rid and of repaired-rid."""
    return _name(value, _RID, "extension_rid")


def write_mid(mid: str) -> bytes:
    return read_mid(_ascii(mid, "extension_mid")).encode()


def write_rid(rid: str) -> bytes:
    return read_rid(_ascii(rid, "extension_rid")).encode()


def _name(value: bytes | memoryview, allowed: re.Pattern[bytes], reason: str) -> str:
    if len(value) > LONGEST_NAME or allowed.fullmatch(value) is None:
        raise BadPacket(reason)
    return str(value, "ascii")


def _ascii(name: str, reason: str) -> bytes:
    try:
        return name.encode("ascii")
    except UnicodeEncodeError as error:
        raise BadPacket(reason) from error


def read_transport_sequence(value: bytes | memoryview) -> int:
    """Counts the packets of a connection, whatever their stream."""
    return _number(value, ExtensionName.TRANSPORT_CC, "extension_transport_sequence")


def write_transport_sequence(number: int) -> bytes:
    return (number & 0xFFFF).to_bytes(2, "big")


@dataclass(frozen=True, slots=True)
class AudioLevel:
    """RFC 6464 3. ``loudness`` in dBov below the loudest: 0 is as loud as can be, 127 is silence. ``voice`` is the
    sender's opinion."""

    loudness: int
    voice: bool

    @classmethod
    def read(cls, value: bytes | memoryview) -> Self:
        number = _number(value, ExtensionName.AUDIO_LEVEL, "extension_audio_level")
        return cls(number & 0x7F, number >= 0x80)

    def write(self) -> bytes:
        if not 0 <= self.loudness <= 127:
            raise BadPacket("extension_audio_level")
        return bytes((0x80 * self.voice | self.loudness,))


# Fixed point, six bits of seconds and eighteen of their fractions: it wraps every 64 seconds.
_SEND_TIME_BITS: Final = 24
_SEND_TIME_UNITS: Final = 1 << 18


def read_send_time(value: bytes | memoryview) -> int:
    return _number(value, ExtensionName.ABS_SEND_TIME, "extension_abs_send_time")


def write_send_time(now: float) -> bytes:
    """``now`` of any clock that does not jump: only differences are looked at."""
    return (floor(now * _SEND_TIME_UNITS) & ((1 << _SEND_TIME_BITS) - 1)).to_bytes(3, "big")


def seconds_between(newer: int, older: int) -> float:
    """Of two send times that are less than half a minute apart."""
    return distance(newer, older, _SEND_TIME_BITS) / _SEND_TIME_UNITS


class Rotation(Enum):
    """Clockwise, by the receiver."""

    NONE = 0
    QUARTER = 90
    HALF = 180
    THREE_QUARTERS = 270


_ROTATIONS: Final = tuple(Rotation)


@dataclass(frozen=True, slots=True)
class Orientation:
    """3GPP TS 26.114 7.4.5. ``back``: of a camera that looks away from its user. The upper four bits are reserved."""

    rotation: Rotation
    flipped: bool = False
    back: bool = False

    @classmethod
    def read(cls, value: bytes | memoryview) -> Self:
        number = _number(value, ExtensionName.ORIENTATION, "extension_orientation")
        return cls(_ROTATIONS[number & 0x03], bool(number & 0x04), bool(number & 0x08))

    def write(self) -> bytes:
        return bytes((0x08 * self.back | 0x04 * self.flipped | _ROTATIONS.index(self.rotation),))


_DELAY_STEP_MS: Final = 10
_LONGEST_DELAY_STEPS: Final = 0xFFF


@dataclass(frozen=True, slots=True)
class PlayoutDelay:
    """How long the receiver may hold frames back: two numbers of twelve bits, in steps of ten milliseconds."""

    least_ms: int
    most_ms: int

    @classmethod
    def read(cls, value: bytes | memoryview) -> Self:
        number = _number(value, ExtensionName.PLAYOUT_DELAY, "extension_playout_delay")
        least, most = number >> 12, number & _LONGEST_DELAY_STEPS
        if least > most:
            raise BadPacket("extension_playout_delay")
        return cls(least * _DELAY_STEP_MS, most * _DELAY_STEP_MS)

    def write(self) -> bytes:
        """Rounded down to whole steps."""
        least, most = self.least_ms // _DELAY_STEP_MS, self.most_ms // _DELAY_STEP_MS
        if not 0 <= least <= most <= _LONGEST_DELAY_STEPS:
            raise BadPacket("extension_playout_delay")
        return (least << 12 | most).to_bytes(3, "big")


class ContentType(Enum):
    UNSPECIFIED = 0
    SCREEN = 1

    @classmethod
    def read(cls, value: bytes | memoryview) -> ContentType:
        """The lowest bit; the others belong to experiments of the sender."""
        return cls(_number(value, ExtensionName.CONTENT_TYPE, "extension_content_type") & 1)

    def write(self) -> bytes:
        return bytes((self.value,))


def _number(value: bytes | memoryview, extension: ExtensionName, reason: str) -> int:
    if len(value) != SIZES[extension]:
        raise BadPacket(reason)
    return int.from_bytes(value, "big")
