"""What never reaches a log: secrets by the name of their field, by their shape, and this process's own by value.

Addresses and e-mail addresses become a keyed hash: the same one in two lines is the same person, and nobody
without the key can tell who. Everything here runs on the calling thread, so texts and collections are bounded.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, time
from enum import Enum
from functools import lru_cache
from hashlib import blake2b
from ipaddress import ip_address
from itertools import islice, pairwise
from pathlib import PurePath
from typing import cast
from uuid import UUID

import msgspec

from config.shapes import OPAQUE, OPAQUE_LENGTH, REDACTED, SHAPES, Becomes
from config.values import Secret

LONGEST_TEXT = 2048
# Items told of a collection, by how deep it lies; what lies deeper is not told. 10,000 values a line at worst.
_WIDTHS = (50, 20, 5, 2)
_LONGEST_KEY = 128
_PLAIN = frozenset({int, float, bool, type(None)})
# Their own text says what they are; of anything else, repr is told.
_SPEAKING = (str, int, float, Secret, UUID, date, time, PurePath)
# What is cut off is redacted first with this much more of it, so that no half of a token survives at the edge.
_OVERLAP = 512
# Shorter values of our own (a database user's "sc") would black out half of every line.
_SHORTEST_KNOWN = 8

_SECRET_WORDS = frozenset({
    "password", "passwd", "passphrase", "pwd", "token", "tokens", "jwt", "secret", "secrets", "authorization", "auth",
    "cookie", "cookies", "credential", "credentials", "apikey", "signature", "otp", "totp", "pin", "envelope",
    "ciphertext", "plaintext", "body", "content", "payload", "sdp", "offer", "answer", "candidate", "prekey",
    "privatekey", "ticket", "dsn",
})  # fmt: skip
_SECRET_PAIRS = frozenset({"api_key", "access_key", "private_key", "secret_key", "set_cookie", "recovery_code",
    "recovery_codes", "pre_key", "identity_key", "message_key", "media_key", "ice_pwd", "ice_ufrag"})  # fmt: skip
# A field about a secret thing is no secret when it only counts, measures, names or classifies it.
_MEASURES = frozenset({
    "type", "length", "size", "bytes", "count", "ttl", "seconds", "kind", "status", "state", "mode", "method", "id",
})  # fmt: skip
_ADDRESS_WORDS = frozenset({"ip", "address", "addr", "remote", "peer", "peername", "email", "phone"})

_KEY_WORDS = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")


class _Treatment(Enum):
    KEEP = 0
    HIDE = 1
    HASH = 2


@lru_cache(maxsize=1024)
def _treatment(key: str) -> _Treatment:
    words = [word.lower() for word in _KEY_WORDS.findall(key)]
    if words and words[-1] in _MEASURES:
        return _Treatment.KEEP
    pairs = {f"{first}_{second}" for first, second in pairwise(words)}
    if not _SECRET_WORDS.isdisjoint(words) or not _SECRET_PAIRS.isdisjoint(pairs):
        return _Treatment.HIDE
    return _Treatment.KEEP if _ADDRESS_WORDS.isdisjoint(words) else _Treatment.HASH


# Text of one word with nothing in it that any pattern below could begin with: most values of most lines.
_SHORT = 160
_harmless = re.compile(r"(?:[A-Za-z0-9_{}-]{0,39}(?:/|\Z))*+\Z").match


class Redactor:
    """``key`` makes the hashes this installation's own; ``known`` are secrets this process holds itself."""

    def __init__(self, key: bytes, known: Iterable[Secret] = ()) -> None:
        self._key = key[:64]
        plain = {secret.reveal() for secret in known if len(secret.reveal()) >= _SHORTEST_KNOWN}
        # As %r and exceptions such as KeyError spell it, quotes and backslashes escaped.
        texts = plain | {repr(text)[1:-1] for text in plain}
        # The longest first: a URL goes as a whole before the password inside it does.
        self._known = tuple(sorted(texts, key=len, reverse=True))
        escaped = {msgspec.json.encode(text)[1:-1] for text in self._known}
        spelled = escaped | {text.encode("utf-8", "replace") for text in self._known}
        self._known_bytes = tuple(sorted(spelled, key=len, reverse=True))
        # A URL need not be looked for where the password inside it is: fewer questions for every line.
        self._telltales = tuple(
            known for known in spelled if not any(other in known for other in spelled if other != known)
        )
        becomes: dict[Becomes, Callable[[re.Match[str]], str]] = {
            Becomes.REDACTED: lambda match: f"{match[1] if match.lastindex else ''}{REDACTED}",
            Becomes.HASH: lambda match: self.hash_address(match[0]),
            Becomes.HASH_IF_ADDRESS: self._if_address,
        }
        self._shapes = [(shape.clues, shape.pattern.sub, becomes[shape.becomes]) for shape in SHAPES]
        self.hash_address: Callable[[str], str] = lru_cache(maxsize=4096)(self._hash)
        self.event: Callable[[str], str] = lru_cache(maxsize=512)(self.text)

    def fields(self, fields: Mapping[str, object], line: dict[str, object]) -> None:
        """Add fields to a line, under another name where the line has theirs. The loop of every line: what most
        values are (plain, or text of one harmless word) is decided here without a call."""
        for key, value in fields.items():
            name = key if key not in line else f"{key}_"
            if _treatment(key) is _Treatment.KEEP and (
                type(value) in _PLAIN or (isinstance(value, str) and len(value) < _SHORT and _harmless(value))
            ):
                line[name] = value
            else:
                line[name] = self.shown(key, value)

    def shown(self, key: str, value: object) -> object:
        """As ``field``, for values nobody has tried to show before."""
        try:
            return self.field(key, value)
        except Exception:  # noqa: BLE001 - a value that cannot say what it is costs its text, not its caller
            return "(cannot be shown)"

    def field(self, key: str, value: object, depth: int = 0) -> object:
        """The value as it may be written under ``key``: plain JSON types, bounded in depth, width and length."""
        treatment = _treatment(key)
        if treatment is _Treatment.KEEP:
            return self.value(value, depth)
        if value is None or isinstance(value, bool | Secret):
            return value if value is None or value is True or value is False else str(value)
        if treatment is _Treatment.HIDE:
            return REDACTED
        return self.address(value) if isinstance(value, str) else self.value(value, depth)

    def address(self, text: str) -> str:
        """A hash in place of an address; those that name this machine only are told as they are."""
        return text if not text or _is_nobody(text) else self.hash_address(text)

    def value(self, value: object, depth: int = 0) -> object:
        if isinstance(value, str):
            return self.text(value)
        if type(value) in _PLAIN:
            return value
        fields = _as_fields(value)
        if fields is None and not isinstance(value, list | tuple | set | frozenset):
            return self._other(value)
        if depth >= len(_WIDTHS):
            return "..."
        if fields is not None:
            some = ((str(key)[:_LONGEST_KEY], item) for key, item in islice(fields.items(), _WIDTHS[depth]))
            return {self.text(key): self.field(key, item, depth + 1) for key, item in some}
        return [self.value(item, depth + 1) for item in islice(cast(Iterable[object], value), _WIDTHS[depth])]

    def _other(self, value: object) -> object:
        if isinstance(value, bytes | bytearray | memoryview):
            return f"[{len(value)} bytes]"
        if isinstance(value, Enum):
            return self.value(value.value, len(_WIDTHS))
        if isinstance(value, BaseException):
            return self.text(f"{type(value).__name__}: {value}")
        return self.text(str(value) if isinstance(value, _SPEAKING) else repr(value))

    def text(self, text: str) -> str:
        if len(text) < _SHORT and _harmless(text):
            return text
        cut = len(text) > LONGEST_TEXT
        if cut:
            text = text[: LONGEST_TEXT + _OVERLAP]
        for known in self._known:
            if known in text:
                text = text.replace(known, REDACTED)
        text = self._by_shape(text)
        return f"{text[:LONGEST_TEXT]}... [cut]" if cut else text

    def seal(self, line: bytes) -> bytes:
        """The last look at a finished line: none of our own secrets leaves, whatever way it got in."""
        for telltale in self._telltales:
            if telltale in line:
                for known in self._known_bytes:
                    line = line.replace(known, REDACTED.encode())
        return line

    def _by_shape(self, text: str) -> str:
        for clues, substitute, replacement in self._shapes:
            for clue in clues:
                if clue in text:
                    text = substitute(replacement, text)
                    break
        return OPAQUE.sub(REDACTED, text) if len(text) >= OPAQUE_LENGTH else text

    def _if_address(self, match: re.Match[str]) -> str:
        candidate = match[0].rstrip(":") if not match[0].endswith("::") else match[0]
        try:
            ip_address(candidate)
        except ValueError:
            return match[0]
        return self.address(candidate) + match[0][len(candidate) :]

    def _hash(self, text: str) -> str:
        digest = blake2b(text.strip().lower().encode("utf-8", "surrogatepass"), key=self._key, digest_size=6)
        return f"#{digest.hexdigest()}"


@lru_cache(maxsize=256)
def _is_nobody(text: str) -> bool:
    """Loopback and the unspecified address: they tell which socket, never which person."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _as_fields(value: object) -> Mapping[object, object] | None:
    """Things with named parts are told part by part, because their names say which are secret."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, msgspec.Struct):
        return {name: getattr(value, name) for name in value.__struct_fields__}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {name: getattr(value, name) for name in value._fields}
    return None
