"""The keys of access tokens: one derived from the installation's secret, or key pairs from files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from config.problems import ConfigError, Problem
from identity.tokens import KeySet, SigningKey, VerifyingKey

Loaded = TypeVar("Loaded")

MIN_RSA_BITS = 2048
_CURE: Final = "make one with `openssl genpkey -algorithm ed25519`"


def shared_key_set(key: bytes) -> KeySet:
    """HS256, for an installation whose nodes share one secret."""
    name = hashlib.sha256(key).hexdigest()[:16]
    return KeySet(SigningKey(name, "HS256", key), {name: ("HS256", key)})


def file_key_set(signing: str, verifying: Sequence[str]) -> KeySet:
    """Blocks on the disk. Raises ConfigError."""
    private = _private(signing)
    public = private.public_key()
    name = _name(public)
    known: dict[str, tuple[str, VerifyingKey]] = {name: (_algorithm(public), public)}
    for path in verifying:
        further = _public(path)
        known[_name(further)] = (_algorithm(further), further)
    return KeySet(SigningKey(name, _algorithm(public), private), known)


def _private(path: str) -> Ed25519PrivateKey | RSAPrivateKey:
    key = "identity.signing_key_file"
    loaded = _loaded(key, path, "private", lambda data: load_pem_private_key(data, password=None))
    if not isinstance(loaded, Ed25519PrivateKey | RSAPrivateKey):
        raise _unusable(key, path, f"is neither an Ed25519 nor an RSA key; {_CURE}")
    if isinstance(loaded, RSAPrivateKey):
        _require_length(key, path, loaded.key_size)
    return loaded


def _public(path: str) -> Ed25519PublicKey | RSAPublicKey:
    key = "identity.verifying_key_files"
    loaded = _loaded(key, path, "public", load_pem_public_key)
    if not isinstance(loaded, Ed25519PublicKey | RSAPublicKey):
        raise _unusable(key, path, "is neither an Ed25519 nor an RSA key")
    if isinstance(loaded, RSAPublicKey):
        _require_length(key, path, loaded.key_size)
    return loaded


def _loaded(key: str, path: str, kind: str, load: Callable[[bytes], Loaded]) -> Loaded:
    try:
        return load(Path(path).read_bytes())
    except OSError as error:
        raise _unusable(key, path, f"cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:  # TypeError: it asks for a passphrase
        cure = _CURE if kind == "private" else "make it with `openssl pkey -in <private key> -pubout`"
        raise _unusable(key, path, f"is not a {kind} key in PEM without a passphrase; {cure}") from error


def _require_length(key: str, path: str, bits: int) -> None:
    if bits < MIN_RSA_BITS:
        raise _unusable(key, path, f"is an RSA key of {bits} bits; it needs {MIN_RSA_BITS}")


def _algorithm(key: Ed25519PublicKey | RSAPublicKey) -> str:
    return "EdDSA" if isinstance(key, Ed25519PublicKey) else "RS256"


def _name(key: Ed25519PublicKey | RSAPublicKey) -> str:
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()[:16]


def _unusable(key: str, path: str, why: str) -> ConfigError:
    return ConfigError([Problem(key, f"{path!r} {why}", "reading the keys of access tokens")])
