"""SFrame (RFC 9605): the header, the cipher suites and the keys that they are used with. Bytes in, bytes out.

Who seals chooses the counter and never uses one twice with a key; ``media/framecrypto.py`` does so.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher as BlockCipher
from cryptography.hazmat.primitives.ciphers import algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from media.errors import BadPacket

LARGEST_FIELD: Final = 2**64 - 1
# A value up to here stands in the config byte itself (RFC 9605, section 4.3).
_LARGEST_INLINE: Final = 7
_NONCE_LENGTH: Final = 12


@dataclass(frozen=True, slots=True)
class Header:
    """``size``: bytes that it took."""

    key_id: int
    counter: int
    size: int


def parse_header(data: bytes | memoryview, offset: int = 0) -> Header:
    """RFC 9605, section 4.3. One value has one encoding: longer ones are refused, as the section demands the minimum.
    Raises BadPacket ``sframe_short``, ``sframe_not_minimal``."""
    if offset >= len(data):
        raise BadPacket("sframe_short")
    config = data[offset]
    key_id, after = _field(data, offset + 1, config >> 4)
    counter, end = _field(data, after, config & 0xF)
    return Header(key_id, counter, end - offset)


def build_header(key_id: int, counter: int) -> bytes:
    """Both from 0 to LARGEST_FIELD."""
    upper, key_bytes = _encoded(key_id)
    lower, counter_bytes = _encoded(counter)
    return bytes((upper << 4 | lower,)) + key_bytes + counter_bytes


def _field(data: bytes | memoryview, at: int, nibble: int) -> tuple[int, int]:
    if nibble <= _LARGEST_INLINE:
        return nibble, at
    end = at + (nibble & 7) + 1
    if end > len(data):
        raise BadPacket("sframe_short")
    value = int.from_bytes(data[at:end], "big")
    if data[at] == 0 or value <= _LARGEST_INLINE:
        raise BadPacket("sframe_not_minimal")
    return value, end


def _encoded(value: int) -> tuple[int, bytes]:
    if not 0 <= value <= LARGEST_FIELD:
        raise ValueError("a field of the header has 64 bits")
    if value <= _LARGEST_INLINE:
        return value, b""
    length = (value.bit_length() + 7) // 8
    return 8 | (length - 1), value.to_bytes(length, "big")


class Suite(Enum):
    """RFC 9605, section 4.5; the values are those of the IANA registry."""

    AES_128_CTR_HMAC_SHA256_80 = 0x0001
    AES_128_CTR_HMAC_SHA256_64 = 0x0002
    AES_128_CTR_HMAC_SHA256_32 = 0x0003
    AES_128_GCM_SHA256_128 = 0x0004
    AES_256_GCM_SHA512_128 = 0x0005

    @property
    def tag_length(self) -> int:
        return _FIGURES[self].tag_length


@dataclass(frozen=True, slots=True)
class _Figures:
    """Nk, Nt and the hash (RFC 9605, section 4.5)."""

    key_length: int
    tag_length: int
    hashed: type[hashes.SHA256 | hashes.SHA512]


_FIGURES: Final = {
    Suite.AES_128_CTR_HMAC_SHA256_80: _Figures(48, 10, hashes.SHA256),
    Suite.AES_128_CTR_HMAC_SHA256_64: _Figures(48, 8, hashes.SHA256),
    Suite.AES_128_CTR_HMAC_SHA256_32: _Figures(48, 4, hashes.SHA256),
    Suite.AES_128_GCM_SHA256_128: _Figures(16, 16, hashes.SHA256),
    Suite.AES_256_GCM_SHA512_128: _Figures(32, 16, hashes.SHA512),
}


class Aead(Protocol):
    """``open`` raises BadPacket ``sframe_unauthentic``. AES-GCM needs a tag's length of bytes at least to say so."""

    def seal(self, nonce: bytes, plaintext: bytes | memoryview, aad: bytes) -> bytes: ...

    def open(self, nonce: bytes, sealed: bytes | memoryview, aad: bytes) -> bytes: ...


class _Gcm:
    __slots__ = ("_aead",)

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)

    def seal(self, nonce: bytes, plaintext: bytes | memoryview, aad: bytes) -> bytes:
        return self._aead.encrypt(nonce, plaintext, aad)

    def open(self, nonce: bytes, sealed: bytes | memoryview, aad: bytes) -> bytes:
        try:
            return self._aead.decrypt(nonce, sealed, aad)
        except InvalidTag as wrong:
            raise BadPacket("sframe_unauthentic") from wrong


class CtrHmac:
    """AES in counter mode and a truncated HMAC over all (RFC 9605, section 4.5.1)."""

    __slots__ = ("_auth_key", "_cipher_key", "_tag_length")

    def __init__(self, key: bytes, tag_length: int) -> None:
        self._cipher_key = algorithms.AES(key[:16])
        self._auth_key = key[16:]
        self._tag_length = tag_length

    def seal(self, nonce: bytes, plaintext: bytes | memoryview, aad: bytes) -> bytes:
        ciphertext = self._crypt(nonce, plaintext)
        return ciphertext + self._tag(nonce, aad, ciphertext)

    def open(self, nonce: bytes, sealed: bytes | memoryview, aad: bytes) -> bytes:
        ciphertext, tag = sealed[: -self._tag_length], sealed[-self._tag_length :]
        if not hmac.compare_digest(self._tag(nonce, aad, ciphertext), tag):
            raise BadPacket("sframe_unauthentic")
        return self._crypt(nonce, ciphertext)

    def _crypt(self, nonce: bytes, data: bytes | memoryview) -> bytes:
        # The nonce fills the upper 96 bits of the first counter block.
        stream = BlockCipher(self._cipher_key, modes.CTR(nonce + bytes(4))).encryptor()
        return stream.update(data) + stream.finalize()

    def _tag(self, nonce: bytes, aad: bytes, ciphertext: bytes | memoryview) -> bytes:
        lengths = b"".join(n.to_bytes(8, "big") for n in (len(aad), len(ciphertext), self._tag_length))
        digest = hmac.new(self._auth_key, lengths + nonce + aad, "sha256")
        digest.update(ciphertext)
        return digest.digest()[: self._tag_length]


@dataclass(frozen=True, slots=True, repr=False)
class Material:
    """What RFC 9605, section 4.4.2 derives from a base key for one key id."""

    key: bytes
    salt: bytes


def derived(suite: Suite, key_id: int, base_key: bytes) -> Material:
    """The extraction has an empty salt; the labels end with the key id and the suite."""
    figures = _FIGURES[suite]
    suffix = key_id.to_bytes(8, "big") + suite.value.to_bytes(2, "big")

    def expanded(label: bytes, length: int) -> bytes:
        kdf = HKDF(algorithm=figures.hashed(), length=length, salt=b"", info=label + suffix)
        return kdf.derive(base_key)

    return Material(
        expanded(b"SFrame 1.0 Secret key ", figures.key_length), expanded(b"SFrame 1.0 Secret salt ", _NONCE_LENGTH)
    )


def nonce_for(salt: bytes, counter: int) -> bytes:
    return (int.from_bytes(salt, "big") ^ counter).to_bytes(_NONCE_LENGTH, "big")


class Key:
    """A key id with its keys. ``metadata`` is bound to the frame and travels beside it (section 4.4.3)."""

    __slots__ = ("_aead", "_salt", "key_id", "suite")

    def __init__(self, suite: Suite, key_id: int, base_key: bytes) -> None:
        material = derived(suite, key_id, base_key)
        self.suite = suite
        self.key_id = key_id
        self._salt = material.salt
        self._aead: Aead = (
            _Gcm(material.key)
            if suite in (Suite.AES_128_GCM_SHA256_128, Suite.AES_256_GCM_SHA512_128)
            else CtrHmac(material.key, suite.tag_length)
        )

    def seal(self, counter: int, plaintext: bytes | memoryview, metadata: bytes = b"") -> bytes:
        """Header, ciphertext and tag."""
        header = build_header(self.key_id, counter)
        return header + self._aead.seal(nonce_for(self._salt, counter), plaintext, header + metadata)

    def open(self, data: bytes | memoryview, header: Header, metadata: bytes = b"") -> bytes:
        """``data`` begins with the ``header`` that was parsed from it, under this key's id. Raises BadPacket
        ``sframe_short``, ``sframe_unauthentic``."""
        if len(data) < header.size + self.suite.tag_length:
            raise BadPacket("sframe_short")
        aad = bytes(data[: header.size]) + metadata
        return self._aead.open(nonce_for(self._salt, header.counter), memoryview(data)[header.size :], aad)
