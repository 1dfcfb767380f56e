"""The gate of Secure rooms: only frames that are framed as encrypted, under a key id that their publisher announced,
come through. Pure: packets in, verdicts out; it holds no key and sees no plaintext.

Order is that of sequence numbers, not of arrival: a repaired packet comes late and is judged by its neighbours.
Counters rise along it, and once a later key is in use an earlier one is not. Packets that continue a frame share the
fate of its start; while that has not come they are held: the caller asks again when it has, or lets go of them.

What it cannot know: whether bytes behind a valid header are ciphertext.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from media import sframe
from media.codecs.names import CodecName
from media.codecs.part import FramePart
from media.errors import BadPacket
from media.framecrypto import ReplayWindow, prefix_length
from media.framekeys import SUITE

FAILURES_TO_MUTE: Final = 3
# Three layers, their predecessors after a restart of the encoder, and room.
MOST_STREAMS: Final = 16
# Frame starts remembered of a stream: more than a second of three spatial layers; later repairs come to nobody's use.
REMEMBERED: Final = 128
# It takes 16 bits in the header; fewer are met by chance in clear media.
SMALLEST_KEY_ID: Final = 0x100
# The current key and the next; the rest is for ids that were announced again.
MOST_KEY_IDS: Final = 4


class Action(Enum):
    FORWARD = "forward"
    HOLD = "hold"
    DROP = "drop"


class Reason(Enum):
    """Stable words. The first four are failures and lead to muting; the others are the network's doing, or follow."""

    CLEAR_FRAME = "clear_frame"
    FOREIGN_KEY = "foreign_key"
    OLD_COUNTER = "old_counter"
    TOO_SHORT = "too_short"
    START_UNSEEN = "start_unseen"
    FRAME_REFUSED = "frame_refused"
    LATE = "late"
    TOO_MANY_STREAMS = "too_many_streams"
    MUTED = "muted"


@dataclass(frozen=True, slots=True)
class Judgement:
    """``failed``: to be counted and told; ``mutes``: with this one the track is muted, to be audited."""

    action: Action
    reason: Reason | None = None
    failed: bool = False
    mutes: bool = False


@dataclass(frozen=True, slots=True)
class Arrival:
    """A packet of media after repair: ``sequence`` is counted on beyond 16 bits, and no padding is in ``payload``.
    ``part`` is what the codec's reader says of it (media.codecs.readers); what that refuses never comes here."""

    ssrc: int
    sequence: int
    timestamp: int
    codec: CodecName
    payload: bytes | memoryview
    part: FramePart

    @property
    def frame(self) -> tuple[int, int]:
        """Frames of one timestamp differ in their spatial layer."""
        return self.timestamp, self.part.spatial_id or 0


_FORWARD: Final = Judgement(Action.FORWARD)


class _Announced:
    """Key ids with their order: that of being announced."""

    __slots__ = ("_count", "_orders")

    def __init__(self, key_ids: Sequence[int]) -> None:
        self._orders: dict[int, int] = {}
        self._count = 0
        self.replace(key_ids)

    def replace(self, key_ids: Sequence[int]) -> None:
        if not 0 < len(key_ids) <= MOST_KEY_IDS:
            raise ValueError(f"1 to {MOST_KEY_IDS} key ids are announced at a time")
        if any(not SMALLEST_KEY_ID <= one <= sframe.LARGEST_FIELD for one in key_ids):
            raise ValueError("a key id has at least 16 bits")
        orders = {}
        for one in key_ids:
            self._count += one not in self._orders
            orders[one] = self._orders.get(one, self._count)
        self._orders = orders

    def position(self, data: bytes | memoryview, at: int) -> tuple[tuple[int, int], int] | Reason:
        """Order of the key and counter, which rise together, and where the header ends; or why it is none."""
        try:
            header = sframe.parse_header(data, at)
        except BadPacket as bad:
            return Reason.TOO_SHORT if bad.reason == "sframe_short" else Reason.CLEAR_FRAME
        order = self._orders.get(header.key_id)
        if order is None:
            return Reason.FOREIGN_KEY if _width(header.key_id) in map(_width, self._orders) else Reason.CLEAR_FRAME
        return (order, header.counter), at + header.size


def _width(key_id: int) -> int:
    """Clear bytes often parse as some header, seldom as one with an id of the announced length."""
    return (key_id.bit_length() + 7) // 8


class _Failures:
    """Of one track. Muting lasts until somebody decides otherwise."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    @property
    def muted(self) -> bool:
        return self.count >= FAILURES_TO_MUTE

    def add(self, reason: Reason) -> Judgement:
        self.count += 1
        return Judgement(Action.DROP, reason, failed=True, mutes=self.count == FAILURES_TO_MUTE)


@dataclass(slots=True)
class _Stream:
    """Of one SSRC: positions of the starts that passed, by sequence; whether each recent frame passed so far."""

    sequences: list[int] = field(default_factory=list)
    positions: list[tuple[int, int]] = field(default_factory=list)
    frames: dict[tuple[int, int], bool] = field(default_factory=dict)
    # The last start that was forgotten: nothing is judged at or below it, and counters stay above its position.
    floor: int | None = None
    floor_position: tuple[int, int] = (0, -1)

    def is_late(self, sequence: int) -> bool:
        return self.floor is not None and sequence <= self.floor

    def fits(self, sequence: int, position: tuple[int, int]) -> bool:
        at = bisect_left(self.sequences, sequence)
        if at < len(self.sequences) and self.sequences[at] == sequence:
            return self.positions[at] == position
        before = self.positions[at - 1] if at else self.floor_position
        return before < position and (at == len(self.sequences) or position < self.positions[at])

    def remember(self, sequence: int, position: tuple[int, int]) -> None:
        """What ``fits``."""
        at = bisect_left(self.sequences, sequence)
        if at < len(self.sequences) and self.sequences[at] == sequence:
            return
        self.sequences.insert(at, sequence)
        self.positions.insert(at, position)
        if len(self.sequences) > REMEMBERED:
            self.floor = self.sequences.pop(0)
            self.floor_position = self.positions.pop(0)

    def settle(self, frame: tuple[int, int], *, passed: bool) -> bool:
        """Whether all of the frame passed until now. A second start never redeems a first that failed."""
        self.frames[frame] = passed and self.frames.get(frame, True)
        if len(self.frames) > REMEMBERED:
            del self.frames[next(iter(self.frames))]
        return self.frames.get(frame, False)


class TrackGate:
    """Of one published track with all its layers: they share a key, and one clear layer mutes all."""

    __slots__ = ("_announced", "_failures", "_streams")

    def __init__(self, key_ids: Sequence[int]) -> None:
        """Raises ValueError as ``announce`` does."""
        self._announced = _Announced(key_ids)
        self._failures = _Failures()
        self._streams: dict[int, _Stream] = {}

    @property
    def muted(self) -> bool:
        return self._failures.muted

    def announce(self, key_ids: Sequence[int]) -> None:
        """From now on these alone, in the order in which they will be used. Raises ValueError for none, for too many
        and for those below 16 bits."""
        self._announced.replace(key_ids)

    def forget(self, ssrc: int) -> None:
        """Its stream has ended."""
        self._streams.pop(ssrc, None)

    def unmute(self) -> None:
        """The publisher has said that it encrypts again; what was seen of its counters stays."""
        self._failures = _Failures()

    def judge(self, packet: Arrival) -> Judgement:
        if self.muted:
            return Judgement(Action.DROP, Reason.MUTED)
        stream = self._stream(packet.ssrc)
        if stream is None:
            return Judgement(Action.DROP, Reason.TOO_MANY_STREAMS)
        if stream.is_late(packet.sequence):
            return Judgement(Action.DROP, Reason.LATE)
        return self._start(stream, packet) if packet.part.starts_frame else _continuation(stream, packet)

    def _stream(self, ssrc: int) -> _Stream | None:
        stream = self._streams.get(ssrc)
        if stream is None and len(self._streams) < MOST_STREAMS:
            stream = self._streams[ssrc] = _Stream()
        return stream

    def _start(self, stream: _Stream, packet: Arrival) -> Judgement:
        position = self._position(packet)
        if not isinstance(position, Reason) and not stream.fits(packet.sequence, position):
            position = Reason.OLD_COUNTER
        if isinstance(position, Reason):
            stream.settle(packet.frame, passed=False)
            return self._failures.add(position)
        stream.remember(packet.sequence, position)
        if stream.settle(packet.frame, passed=True):
            return _FORWARD
        return Judgement(Action.DROP, Reason.FRAME_REFUSED)

    def _position(self, packet: Arrival) -> tuple[int, int] | Reason:
        payload, at = packet.payload, packet.part.frame_at
        if at >= len(payload):
            return Reason.TOO_SHORT
        found = self._announced.position(payload, at + prefix_length(packet.codec, payload[at]))
        if isinstance(found, Reason):
            return found
        position, end = found
        # The tag of a frame of several packets ends in a later one.
        return Reason.TOO_SHORT if packet.part.ends_frame and len(payload) < end + SUITE.tag_length else position


def _continuation(stream: _Stream, packet: Arrival) -> Judgement:
    passed = stream.frames.get(packet.frame)
    if passed is None:
        return Judgement(Action.HOLD, Reason.START_UNSEEN)
    return _FORWARD if passed else Judgement(Action.DROP, Reason.FRAME_REFUSED)


class MessageGate:
    """Of the data messages of one participant: nothing of one is clear, and unordered channels bring them in any order,
    so no counter twice instead of rising ones."""

    __slots__ = ("_announced", "_failures", "_windows")

    def __init__(self, key_ids: Sequence[int]) -> None:
        """Raises ValueError as ``announce`` does."""
        self._announced = _Announced(key_ids)
        self._failures = _Failures()
        self._windows: dict[int, ReplayWindow] = {}

    @property
    def muted(self) -> bool:
        return self._failures.muted

    def announce(self, key_ids: Sequence[int]) -> None:
        """As for a track."""
        self._announced.replace(key_ids)

    def unmute(self) -> None:
        """As for a track."""
        self._failures = _Failures()

    def judge(self, message: bytes | memoryview) -> Judgement:
        if self.muted:
            return Judgement(Action.DROP, Reason.MUTED)
        found = self._announced.position(message, 0)
        if isinstance(found, Reason):
            return self._failures.add(found)
        (order, counter), end = found
        if len(message) < end + SUITE.tag_length:
            return self._failures.add(Reason.TOO_SHORT)
        window = self._window(order)
        if window is None or window.was_seen(counter):
            return self._failures.add(Reason.OLD_COUNTER)
        window.see(counter)
        return _FORWARD

    def _window(self, order: int) -> ReplayWindow | None:
        """None for keys whose successor's successor is in use: what is kept has a bound."""
        window = self._windows.get(order)
        if window is None:
            if len(self._windows) >= MOST_KEY_IDS:
                oldest = min(self._windows)
                if order < oldest:
                    return None
                del self._windows[oldest]
            window = self._windows[order] = ReplayWindow()
        return window
