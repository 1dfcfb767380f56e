"""Keys of one stay in a room, all from the secret of its link: ours to seal with, the others' to open with."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from media import framekeys, sframe
from media.codecs.names import CodecName
from media.errors import BadPacket
from media.framecrypto import FrameDecryptor, FrameEncryptor, prefix_length
from secureconnect.model import Encryption, Track

# Epochs that may have passed while nothing of a track was received.
_MOST_EPOCHS_AHEAD: Final = 16


def new_sender() -> str:
    return secrets.token_urlsafe(18)


def new_cid() -> str:
    """Anew for each publication: a key is derived for it, and its counter starts at zero."""
    return secrets.token_urlsafe(12)


def read_secret(secret: str | bytes | None) -> bytes | None:
    """As it stands in a link (``#k=`` or what follows it), or its 32 bytes. Raises ValueError."""
    if isinstance(secret, str):
        return framekeys.parsed_secret(secret.removeprefix("#").removeprefix("k="))
    if secret is not None and len(secret) != framekeys.SECRET_LENGTH:
        raise ValueError(f"the secret has {framekeys.SECRET_LENGTH} bytes")
    return secret


@dataclass(slots=True)
class _Opener:
    """Of one track or one participant's messages."""

    epoch: int
    key_id: int
    decryptor: FrameDecryptor


@dataclass(slots=True)
class Keyring:
    """``announced_by`` tells what a participant has announced; ``sender`` is new for each join."""

    secret: bytes = field(repr=False)
    announced_by: Callable[[str], Encryption | None]
    sender: str = field(default_factory=new_sender)
    _tracks: dict[str, _Opener] = field(default_factory=dict)
    _messages: dict[str, _Opener] = field(default_factory=dict)
    _own_messages: FrameEncryptor = field(init=False)

    def __post_init__(self) -> None:
        self._own_messages = FrameEncryptor(framekeys.data_key(self.secret, self.sender))

    @property
    def announced(self) -> Encryption:
        return Encryption(framekeys.key_id_prefix(self.secret, self.sender), self.sender)

    def sealer(self, cid: str) -> FrameEncryptor:
        """Once for each publication."""
        return FrameEncryptor(framekeys.track_key(self.secret, self.sender, cid))

    def seal_message(self, message: bytes) -> bytes:
        return self._own_messages.seal_message(message)

    def open_message(self, participant: str, message: bytes) -> bytes:
        """Raises BadPacket, ``unknown_sender`` among its reasons."""
        key_id = sframe.parse_header(message).key_id
        sender = self._sender(participant)
        opener = self._messages.get(participant)
        if opener is None:
            self._messages[participant] = opener = _opener(framekeys.data_key(self.secret, sender))
        ahead = _ahead(opener, key_id)
        if ahead:
            _admit(opener, framekeys.data_key(self.secret, sender, opener.epoch + ahead))
        opened = opener.decryptor.open_message(message)
        _advance(opener, ahead, key_id)
        return opened

    def open_frame(self, frame: bytes, codec: CodecName, tracks: Iterable[Track]) -> tuple[Track, bytes]:
        """``tracks`` that it may be of, the likeliest first: the key id names the participant, and of their tracks only
        one key opens it. Raises BadPacket."""
        prefix = prefix_length(codec, frame[0])
        key_id = sframe.parse_header(frame, prefix).key_id
        refusal: BadPacket | None = None
        for track in tracks:
            announced = self.announced_by(track.participant)
            if announced is None or announced.kid_prefix != key_id >> 8:
                continue
            try:
                return track, self._open(frame, codec, track, announced.sender, key_id)
            except BadPacket as wrong:
                # Another track's frame may as well look like one of this that was here before.
                refusal = refusal or wrong
        raise refusal or BadPacket("unknown_key")

    def forget_track(self, track: str) -> None:
        self._tracks.pop(track, None)

    def forget_participant(self, participant: str) -> None:
        self._messages.pop(participant, None)

    def _open(self, frame: bytes, codec: CodecName, track: Track, sender: str, key_id: int) -> bytes:
        opener = self._tracks.get(track.id)
        if opener is None:
            self._tracks[track.id] = opener = _opener(framekeys.track_key(self.secret, sender, track.cid))
        ahead = _ahead(opener, key_id)
        if ahead:
            _admit(opener, framekeys.track_key(self.secret, sender, track.cid, opener.epoch + ahead))
        opened = opener.decryptor.open(frame, codec)
        _advance(opener, ahead, key_id)
        return opened

    def _sender(self, participant: str) -> str:
        announced = self.announced_by(participant)
        if announced is None:
            raise BadPacket("unknown_sender")
        return announced.sender


def _opener(key: framekeys.FrameKey) -> _Opener:
    return _Opener(key.epoch, key.key_id, FrameDecryptor(key))


def _ahead(opener: _Opener, key_id: int) -> int:
    """Epochs between the key we use and the one this was sealed with; 0 for ours and for what lies behind."""
    ahead = (key_id - opener.key_id) & 0xFF
    return ahead if key_id >> 8 == opener.key_id >> 8 and ahead <= _MOST_EPOCHS_AHEAD else 0


def _admit(opener: _Opener, key: framekeys.FrameKey) -> None:
    with suppress(ValueError):  # admitted already, by a frame before this one
        opener.decryptor.admit(key)


def _advance(opener: _Opener, ahead: int, key_id: int) -> None:
    """Only once something of that epoch was opened."""
    if ahead:
        opener.epoch += ahead
        opener.key_id = key_id
