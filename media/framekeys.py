"""Keys of media, derived by every participant alike from the secret in the link's fragment, which no server sees.

What a page has to do to arrive at the same bytes (WebCrypto's HKDF is one ``deriveBits`` per line below):

- The secret: ``#k=`` and 32 random bytes in base64url without padding.
- A text: two bytes of length, most significant first, and its UTF-8. An epoch: four bytes, most significant first.
- HKDF is the one of RFC 5869 with SHA-512, an empty salt and the secret as its input; ``info`` and length differ:

  - base key of a track: ``secureconnect frame key 1`` + participant + track + epoch, 32 bytes
  - base key of data messages: ``secureconnect data key 1`` + participant + epoch, 32 bytes
  - prefix of key ids: ``secureconnect key id 1`` + participant, 2 bytes as a number, its highest bit set

- A key id is ``prefix * 256 + epoch % 256``: always three bytes in the header, announced by its prefix when joining;
  neighbouring epochs differ. Participants' prefixes may coincide: each track has a key of its own anyway.
- The base key and the key id go into RFC 9605, section 4.4.2 with the suite AES_256_GCM_SHA512_128.

An epoch's counter starts at zero, so a participant's track is published at most once under the same ids and epoch:
**the publisher makes the track id, at random and anew for each publication**. The server could say the same id twice,
and two frames under one nonce would tell it both.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from media import sframe
from media.errors import BadPacket

SUITE: Final = sframe.Suite.AES_256_GCM_SHA512_128
SECRET_LENGTH: Final = 32
_BASE_KEY_LENGTH: Final = 32
_LONGEST_ID: Final = 255
_LAST_EPOCH: Final = 2**32 - 1

_FRAME_LABEL: Final = b"secureconnect frame key 1"
_DATA_LABEL: Final = b"secureconnect data key 1"
_KEY_ID_LABEL: Final = b"secureconnect key id 1"


@dataclass(frozen=True, slots=True, repr=False)
class FrameKey:
    """Of one epoch; the next epoch's replaces it."""

    epoch: int
    key_id: int
    base_key: bytes

    def __repr__(self) -> str:
        return f"FrameKey(epoch={self.epoch}, key_id={self.key_id:#x})"

    def scheduled(self) -> sframe.Key:
        return sframe.Key(SUITE, self.key_id, self.base_key)


def parsed_secret(text: str) -> bytes:
    """The value of ``k`` in the fragment. Raises BadPacket ``bad_link_secret``, also for another spelling of the same
    bytes."""
    try:
        secret = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error) as wrong:
        raise BadPacket("bad_link_secret") from wrong
    if len(secret) != SECRET_LENGTH or written_secret(secret) != text:
        raise BadPacket("bad_link_secret")
    return secret


def written_secret(secret: bytes) -> str:
    return base64.urlsafe_b64encode(secret).rstrip(b"=").decode()


def key_id_prefix(secret: bytes, participant: str) -> int:
    """What the server is told: 16 bits, which say nothing of the secret."""
    drawn = _derived(secret, _KEY_ID_LABEL + _text(participant), 2)
    return int.from_bytes(drawn, "big") | 0x8000


def key_id(prefix: int, epoch: int) -> int:
    return prefix << 8 | epoch & 0xFF


def track_key(secret: bytes, participant: str, track: str, epoch: int = 0) -> FrameKey:
    """Raises ValueError for ids that are empty or longer than 255 bytes, and for epochs beyond 32 bits."""
    info = _FRAME_LABEL + _text(participant) + _text(track) + _epoch(epoch)
    return _frame_key(secret, participant, info, epoch)


def data_key(secret: bytes, participant: str, epoch: int = 0) -> FrameKey:
    """As ``track_key``, for the messages that a participant sends on all data channels."""
    return _frame_key(secret, participant, _DATA_LABEL + _text(participant) + _epoch(epoch), epoch)


def _frame_key(secret: bytes, participant: str, info: bytes, epoch: int) -> FrameKey:
    identifier = key_id(key_id_prefix(secret, participant), epoch)
    return FrameKey(epoch, identifier, _derived(secret, info, _BASE_KEY_LENGTH))


def _derived(secret: bytes, info: bytes, length: int) -> bytes:
    if len(secret) != SECRET_LENGTH:
        raise ValueError(f"the secret has {SECRET_LENGTH} bytes")
    return HKDF(algorithm=hashes.SHA512(), length=length, salt=b"", info=info).derive(secret)


def _text(text: str) -> bytes:
    encoded = text.encode()
    if not 0 < len(encoded) <= _LONGEST_ID:
        raise ValueError(f"an id has 1 to {_LONGEST_ID} bytes")
    return len(encoded).to_bytes(2, "big") + encoded


def _epoch(epoch: int) -> bytes:
    if not 0 <= epoch <= _LAST_EPOCH:
        raise ValueError("an epoch has 32 bits")
    return epoch.to_bytes(4, "big")
