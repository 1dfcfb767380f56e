"""Frames of media in Secure rooms: ``clear prefix | SFrame header | ciphertext | tag``.

The prefix is what packetisers and the server read of a frame; it is bound as the metadata of RFC 9605. The header
follows at once, so that it stands in the frame's first packet, where the server's gate looks for it. A nonce comes from
key and counter alone, because the server rewrites SSRCs and timestamps: one encryptor serves all layers of a track.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from media import sframe
from media.codecs.names import CodecName
from media.errors import BadPacket
from media.framekeys import FrameKey

# Frames of one key that may arrive in another order than they were sealed in: eleven seconds of three layers.
REPLAY_WINDOW: Final = 1024
# A year and a half of three layers at 30 frames a second: who gets here has lost count, not run out of nonces.
MOST_FRAMES: Final = 2**32

_VP8_KEY_FRAME_PREFIX: Final = 10
_VP8_DELTA_FRAME_PREFIX: Final = 3


# The packetisers of H264 and AV1 need structure that encryption hides.
SEALED_CODECS: Final = (CodecName.VP8, CodecName.VP9, CodecName.OPUS)


def prefix_length(codec: CodecName, first_byte: int) -> int:
    """Of a frame that begins with ``first_byte``. VP8 says there whether it is a key frame (RFC 6386, section 9.1), and
    a key frame has its size in the header that stays clear."""
    if codec is CodecName.VP8:
        return _VP8_DELTA_FRAME_PREFIX if first_byte & 1 else _VP8_KEY_FRAME_PREFIX
    return 1 if codec is CodecName.OPUS else 0


@dataclass(slots=True)
class ReplayWindow:
    """Counters that were seen; those too far below the highest count as seen."""

    size: int = REPLAY_WINDOW
    highest: int = -1
    _seen: int = 0

    def was_seen(self, counter: int) -> bool:
        behind = self.highest - counter
        return behind >= 0 and (behind >= self.size or bool(self._seen >> behind & 1))

    def see(self, counter: int) -> None:
        behind = self.highest - counter
        if behind >= self.size:
            return
        if behind >= 0:
            self._seen |= 1 << behind
            return
        # A jump beyond the window forgets all of it; shifting by the jump itself would take memory at will.
        kept = self._seen << -behind if -behind < self.size else 0
        self._seen = (kept | 1) & ((1 << self.size) - 1)
        self.highest = counter


class FrameEncryptor:
    """Of one track, for all its layers."""

    __slots__ = ("_counter", "_epoch", "_key")

    def __init__(self, key: FrameKey) -> None:
        self._epoch = key.epoch
        self._key = key.scheduled()
        self._counter = 0

    @property
    def key_id(self) -> int:
        return self._key.key_id

    def renew(self, key: FrameKey) -> None:
        """Raises ValueError for a key that is not of a later epoch: its counter would start again."""
        if key.epoch <= self._epoch:
            raise ValueError("keys move to later epochs only")
        self._epoch = key.epoch
        self._key = key.scheduled()
        self._counter = 0

    def seal(self, frame: bytes | memoryview, codec: CodecName) -> bytes:
        """An empty frame stays empty. Raises BadPacket ``frame_short``, ``key_exhausted``."""
        if not frame:
            return b""
        prefix = _prefix(frame, codec)
        return prefix + self._sealed(memoryview(frame)[len(prefix) :], prefix)

    def seal_message(self, message: bytes) -> bytes:
        """For data channels, under a key of ``framekeys.data_key``: nothing of it stays clear."""
        return self._sealed(message, b"")

    def _sealed(self, plaintext: bytes | memoryview, metadata: bytes) -> bytes:
        if self._counter >= MOST_FRAMES:
            raise BadPacket("key_exhausted")
        counter = self._counter
        self._counter += 1
        return self._key.seal(counter, plaintext, metadata)


@dataclass(slots=True)
class _Held:
    epoch: int
    key: sframe.Key
    window: ReplayWindow = field(default_factory=ReplayWindow)


class FrameDecryptor:
    """Of one track: the current key and, once admitted, the next. The first frame that the next one opens retires the
    current one, so that nobody can bring frames of an older key afterwards; frames reach it in decoding order."""

    __slots__ = ("_current", "_next", "_retired")

    def __init__(self, key: FrameKey) -> None:
        self._current = _Held(key.epoch, key.scheduled())
        self._next: _Held | None = None
        self._retired: int | None = None

    def admit(self, key: FrameKey) -> None:
        """The next key; one that was never used is replaced. Raises ValueError unless it is of a later epoch and has
        another key id than the current one."""
        if key.epoch <= (self._next or self._current).epoch or key.key_id == self._current.key.key_id:
            raise ValueError("keys move to later epochs only")
        self._next = _Held(key.epoch, key.scheduled())

    def open(self, frame: bytes | memoryview, codec: CodecName) -> bytes:
        """An empty frame stays empty. Raises BadPacket ``frame_short``, ``sframe_short``, ``sframe_not_minimal``,
        ``unknown_key``, ``retired_key``, ``frame_replayed``, ``sframe_unauthentic``."""
        if not frame:
            return b""
        prefix = _prefix(frame, codec)
        return prefix + self._opened(memoryview(frame)[len(prefix) :], prefix)

    def open_message(self, message: bytes) -> bytes:
        """As ``open``, but nothing of it is clear."""
        return self._opened(message, b"")

    def _opened(self, sealed: bytes | memoryview, metadata: bytes) -> bytes:
        header = sframe.parse_header(sealed)
        held = self._held(header.key_id)
        if held.window.was_seen(header.counter):
            raise BadPacket("frame_replayed")
        plaintext = held.key.open(sealed, header, metadata)
        # Only now is it known to be the publisher's: a forged counter must not move the window.
        held.window.see(header.counter)
        if held is self._next:
            self._retired = self._current.key.key_id
            self._current, self._next = held, None
        return plaintext

    def _held(self, key_id: int) -> _Held:
        if key_id == self._current.key.key_id:
            return self._current
        if self._next is not None and key_id == self._next.key.key_id:
            return self._next
        raise BadPacket("retired_key" if key_id == self._retired else "unknown_key")


def _prefix(frame: bytes | memoryview, codec: CodecName) -> bytes:
    length = prefix_length(codec, frame[0])
    if len(frame) < length:
        raise BadPacket("frame_short")
    return bytes(frame[:length])
