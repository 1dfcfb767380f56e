"""Secrets that have to be read again, encrypted at rest and tied to whom they belong to."""

from __future__ import annotations

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

# Which form the bytes have, so that another can come after it.
_FORM: Final = b"\x01"
_NONCE_BYTES: Final = 12


class Sealer:
    """AES-256-GCM under a key of this installation. ``owner`` is authenticated: in another's row it stays shut."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, secret: bytes, owner: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return _FORM + nonce + self._cipher.encrypt(nonce, secret, _FORM + owner)

    def open(self, sealed: bytes, owner: bytes) -> bytes | None:
        """None for what was sealed under another key or for somebody else, or was changed since."""
        form, nonce, text = sealed[:1], sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        if form != _FORM or len(nonce) != _NONCE_BYTES:
            return None
        try:
            return self._cipher.decrypt(nonce, text, form + owner)
        except InvalidTag:
            return None
