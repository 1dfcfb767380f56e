"""The one secret of an installation: found or made on first start, and a key of its own for every use of it."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from config.checks import url_passwords
from config.problems import ConfigError, Problem
from config.schema import all_keys
from config.sections import Security, Settings
from config.strength import OWN_SECRET_BYTES
from config.values import Secret

FILE_NAME = "secret"
_GENERATED_BYTES = 48
_LARGEST_FILE = 4096
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def obtain_secret(security: Security, data_dir: Path) -> Secret:
    """The configured secret, or the one kept in ``data_dir/secret``, made there when there is none.

    Any number of processes may start at once: all of them get the same secret. Blocks on the disk; call it
    before the event loop runs. Raises ConfigError for a file that cannot be used.
    """
    if security.secret:
        return security.secret
    path = data_dir / FILE_NAME
    try:
        if not path.exists():
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            _generate(path)
        return _read(path)
    except OSError as error:
        raise _unusable(path, f"cannot be used: {error.strerror or error}: {error.filename}") from error


def known_secrets(settings: Settings, *more: Secret) -> tuple[Secret, ...]:
    """Every secret of the configuration, passwords inside URLs on their own too: what a log must never show."""
    known = list(more)
    for key in all_keys().values():
        if key.is_secret:
            value = getattr(getattr(settings, key.section), key.name)
            known.extend(value if isinstance(value, tuple) else (value,))
    passwords = [Secret(text) for secret in known for text in url_passwords(secret)]
    return tuple(secret for secret in (*known, *passwords) if secret)


def derive_key(secret: Secret, purpose: str, length: int = 32) -> bytes:
    """A key for one purpose (``"access tokens"``): knowing it tells nothing about the secret or another key."""
    if not secret or not purpose:
        raise ValueError("a key is derived from a secret that is set, for a purpose that is named")
    hkdf = HKDF(algorithm=SHA256(), length=length, salt=None, info=b"secureconnect/" + purpose.encode())
    return hkdf.derive(secret.reveal().encode())


def _generate(path: Path) -> None:
    """Written whole under another name first, then linked: linking fails if someone was faster, and nobody ever
    reads half a secret, not even after a power cut."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_urlsafe(_GENERATED_BYTES).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink()
    _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path) -> Secret:
    with path.open("rb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & _OTHERS:
            reason = (
                f"can be used by other accounts of this machine (mode {mode:04o}); run `chmod 600 {path}`, and if "
                "others may have read it, delete it: a new one is made, and everybody signs in again"
            )
            raise _unusable(path, reason)
        content = file.read(_LARGEST_FILE)
    try:
        text = content.decode("ascii").strip()
    except UnicodeDecodeError as error:
        raise _unusable(path, "is not text, so it is not the secret that was generated") from error
    if len(text) < OWN_SECRET_BYTES:
        raise _unusable(path, f"is shorter than {OWN_SECRET_BYTES} bytes: restore it from a backup, or delete it")
    return Secret(text)


def _unusable(path: Path, reason: str) -> ConfigError:
    return ConfigError([Problem("security.secret", f"the file {path} {reason}", "generated secret")])
