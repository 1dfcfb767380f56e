"""Public keys as devices send them: what may stand in the directory and what may not. Pure.

An identity key is Ed25519 and signs; mapped to X25519 it agrees too. Pre-keys are X25519. A point of small order makes
every agreement come out the same whatever the other side's secret is, and a point written in a second way would make
one key look like two: both are refused here, and clients refuse them again.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from kernel.errors import FieldError, Unprocessable

KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
# What a device signs with its identity key: these words, then the raw signed pre-key.
SIGNED_PREFIX: Final = b"secureconnect-spk-v1"

DEVICE_ID: Final = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$"
_DEVICE_ID = re.compile(DEVICE_ID)

_P: Final = 2**255 - 19
# The u-coordinates of small order on Curve25519 and its twist: 0, 1, -1 and two of order eight.
SMALL_ORDER: Final = frozenset(
    {
        0,
        1,
        _P - 1,
        325606250916557431795983626356110631294008115727848805560023387167927233504,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
    }
)
_SIGN_BIT: Final = 1 << 255


@dataclass(frozen=True, slots=True)
class OneTimeKey:
    key_id: int
    public_key: bytes


@dataclass(frozen=True, slots=True)
class SignedKey:
    key_id: int
    public_key: bytes
    signature: bytes

    def is_same_key(self, other: SignedKey) -> bool:
        """A signature may be made anew; the key stays the same."""
        return (self.key_id, self.public_key) == (other.key_id, other.public_key)


def device_id(text: str) -> str:
    """Raises Unprocessable ``invalid_device_id``."""
    if not _DEVICE_ID.fullmatch(text):
        message = "has 1 to 64 letters, digits, dots, colons, hyphens and underscores, a letter or digit first"
        raise Unprocessable(
            f"A device id {message}.", code="invalid_device_id", fields=[FieldError("device_id", message)]
        )
    return text


def identity_key(text: str, field: str = "identity_key") -> bytes:
    """Raises Unprocessable ``invalid_key``."""
    raw = _raw(text, KEY_BYTES, field)
    y = int.from_bytes(raw, "little") & ~_SIGN_BIT
    if y >= _P:
        raise _invalid(field, "is not written in the one way a point has")
    if y == 1 or (1 + y) * pow(1 - y, -1, _P) % _P in SMALL_ORDER:
        raise _invalid(field, "is a point of small order")
    return raw


def agreement_key(text: str, field: str) -> bytes:
    """An X25519 public key. Raises Unprocessable ``invalid_key``."""
    raw = _raw(text, KEY_BYTES, field)
    u = int.from_bytes(raw, "little")
    if u >= _P:
        raise _invalid(field, "is not written in the one way a point has")
    if u in SMALL_ORDER:
        raise _invalid(field, "is a point of small order")
    return raw


def signed_key(key_id: int, public_key: str, signature: str) -> SignedKey:
    """Not yet checked against an identity. Raises Unprocessable ``invalid_key`` or ``invalid_signature``."""
    key = agreement_key(public_key, "signed_pre_key.public_key")
    made = _decoded(signature)
    if made is None or len(made) != SIGNATURE_BYTES:
        raise _not_signed()
    return SignedKey(key_id, key, made)


def require_signed_by(identity: bytes, key: SignedKey) -> None:
    """Raises Unprocessable ``invalid_signature``."""
    try:
        Ed25519PublicKey.from_public_bytes(identity).verify(key.signature, SIGNED_PREFIX + key.public_key)
    except (InvalidSignature, ValueError):
        raise _not_signed() from None


def one_time_keys(sent: Sequence[tuple[int, str]], signed: bytes = b"") -> tuple[OneTimeKey, ...]:
    """``signed`` is not for one use. Raises Unprocessable ``invalid_key`` or ``duplicate_key``."""
    keys = tuple(
        OneTimeKey(key_id, agreement_key(public_key, f"one_time_pre_keys[{place}].public_key"))
        for place, (key_id, public_key) in enumerate(sent)
    )
    ids, distinct = {key.key_id for key in keys}, {key.public_key for key in keys} - {signed}
    if len(ids) < len(keys) or len(distinct) < len(keys):
        message = "names an id or a key twice"
        raise Unprocessable(
            f"This upload {message}.", code="duplicate_key", fields=[FieldError("one_time_pre_keys", message)]
        )
    return keys


def fingerprint(identity: bytes) -> str:
    """What people compare: SHA-256 of the raw identity key, in hexadecimal."""
    return hashlib.sha256(identity).hexdigest()


def encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _raw(text: str, size: int, field: str) -> bytes:
    raw = _decoded(text)
    if raw is None:
        raise _invalid(field, "is not base64 with its padding")
    if len(raw) != size:
        raise _invalid(field, f"has {size} bytes, not {len(raw)}")
    return raw


def _decoded(text: str) -> bytes | None:
    """One text a value: other alphabets, missing padding and stray bits behind the last byte are none."""
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return None
    return raw if encoded(raw) == text else None


def _invalid(field: str, message: str) -> Unprocessable:
    return Unprocessable(f"{field} {message}.", code="invalid_key", fields=[FieldError(field, message)])


def _not_signed() -> Unprocessable:
    return Unprocessable(
        "The signed pre-key is not signed by the device's identity key.",
        code="invalid_signature",
        fields=[FieldError("signed_pre_key.signature", "is not the identity key's over this key")],
    )
