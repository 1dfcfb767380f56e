"""Recovery codes: for who lost their authenticator. Pure: made, read as people type them, hashed."""

from __future__ import annotations

import hashlib
import secrets
from typing import Final
from uuid import UUID

COUNT: Final = 10
LENGTH: Final = 16
# Crockford's base 32: no letter that is read as another one. 16 of them are 80 bits.
_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_MISREAD: Final = str.maketrans({"o": "0", "i": "1", "l": "1", "-": None, " ": None})


def make() -> list[str]:
    return [_grouped("".join(secrets.choice(_ALPHABET) for _ in range(LENGTH))) for _ in range(COUNT)]


def digest_of(account: UUID, code: str) -> bytes:
    """80 random bits need no slow hash. No key either: the codes outlive a lost installation secret, which the
    authenticators' keys do not."""
    typed = code.strip().lower().translate(_MISREAD)
    return hashlib.sha256(account.bytes + typed.encode("utf-8", "surrogatepass")).digest()


def _grouped(code: str) -> str:
    return "-".join(code[start : start + 4] for start in range(0, LENGTH, 4))
