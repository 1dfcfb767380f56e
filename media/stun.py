"""Messages of STUN (RFC 8489) as ICE (RFC 8445) uses them: Binding, short-term credentials, nothing else.

``parse`` reads what is there and judges only its form. Whether a message is from whom it says to be from is asked of
the result, with a password: nothing in it may be believed before that.
"""

from __future__ import annotations

import hmac
import struct
from binascii import crc32
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_address

from media.errors import BadPacket

_TYPE_AND_LENGTH = struct.Struct("!HH")
_HEADER = struct.Struct("!HHI12s")
_WORD = struct.Struct("!I")
_LONG = struct.Struct("!Q")
_SHORTS = struct.Struct("!HH")

# RFC 8489 section 5.
COOKIE = 0x2112A442
HEADER_BYTES = 20
TRANSACTION_BYTES = 12
# What we read at most: checks of browsers have 100 to 200 bytes, and section 6.1 asks to stay below the path's MTU.
MAX_BYTES = 1280
# RFC 8489 section 14.7: the word "STUN", so that the sum differs from another protocol's CRC-32 at the same place.
_FINGERPRINT_MASK = 0x5354554E
# RFC 8489 section 14.3: fewer than 509 bytes.
MAX_USERNAME_BYTES = 508
# RFC 8489 section 14.8: fewer than 128 characters, which are up to 763 bytes.
_MAX_REASON_BYTES = 763

_MAPPED_ADDRESS = 0x0001
_USERNAME = 0x0006
_INTEGRITY = 0x0008
_ERROR_CODE = 0x0009
_UNKNOWN_ATTRIBUTES = 0x000A
_INTEGRITY_SHA256 = 0x001C
_XOR_MAPPED_ADDRESS = 0x0020
_PRIORITY = 0x0024
_USE_CANDIDATE = 0x0025
_FINGERPRINT = 0x8028
_CONTROLLED = 0x8029
_CONTROLLING = 0x802A
# Attributes below this must be understood (RFC 8489 section 14).
_OPTIONAL_FROM = 0x8000
_INTEGRITY_BYTES = 20
_FINGERPRINT_BYTES = 4

BAD_REQUEST = 400
UNKNOWN_ATTRIBUTE = 420
ROLE_CONFLICT = 487

Bytes = bytes | memoryview
# Host and port. The host is written as `ipaddress` writes it; never as an IPv4-mapped IPv6 address.
Address = tuple[str, int]


class Kind(Enum):
    """The four message types of Binding."""

    REQUEST = 0x0001
    INDICATION = 0x0011
    SUCCESS = 0x0101
    ERROR = 0x0111


class Role(Enum):
    CONTROLLED = _CONTROLLED
    CONTROLLING = _CONTROLLING


@dataclass(frozen=True, slots=True)
class Claim:
    """The role that a side takes itself to have, and what settles a conflict (RFC 8445 section 7.3.1.1)."""

    role: Role
    tie_breaker: int


@dataclass(frozen=True, slots=True)
class Failure:
    code: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """``unknown`` is what an error answer lists as not understood."""

    kind: Kind
    transaction: bytes
    username: bytes | None = None
    priority: int | None = None
    nominates: bool = False
    claim: Claim | None = None
    mapped: Address | None = None
    failure: Failure | None = None
    unknown: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Received:
    """A message as it came. ``not_understood``: attributes that its sender requires us to know and we do not."""

    message: Message
    not_understood: tuple[int, ...]
    has_fingerprint: bool
    _covered: bytes | None
    _tag: bytes

    @property
    def has_integrity(self) -> bool:
        return self._covered is not None

    def is_authentic(self, password: bytes) -> bool:
        if self._covered is None:
            return False
        return hmac.compare_digest(_integrity(password, self._covered), self._tag)


def is_stun(datagram: Bytes) -> bool:
    """RFC 7983 section 7 tells by the first byte; the cookie excludes accidents."""
    return len(datagram) >= HEADER_BYTES and datagram[0] < 4 and _WORD.unpack_from(datagram, 4)[0] == COOKIE


def parse(datagram: Bytes) -> Received:
    """Raises BadPacket."""
    if len(datagram) < HEADER_BYTES:
        raise BadPacket("stun_short")
    if len(datagram) > MAX_BYTES:
        raise BadPacket("stun_long")
    number, length, cookie, transaction = _HEADER.unpack_from(datagram)
    kind = _KINDS.get(number)
    if cookie != COOKIE or number >= 0x4000:
        raise BadPacket("stun_cookie")
    if kind is None:
        raise BadPacket("stun_method")
    if length % 4 or length != len(datagram) - HEADER_BYTES:
        raise BadPacket("stun_length")
    view = memoryview(datagram)
    reading = _Reading(transaction)
    for attribute, at, size in _attributes(view):
        reading.take(view, attribute, at, size)
    return reading.result(kind)


def build(message: Message, password: bytes | None) -> bytes:
    """With a fingerprint, and with integrity if there is a password."""
    out = bytearray(_HEADER.pack(message.kind.value, 0, COOKIE, message.transaction))
    if message.username is not None:
        if len(message.username) > MAX_USERNAME_BYTES:
            raise ValueError("a user name has at most 508 bytes")
        _put(out, _USERNAME, message.username)
    if message.priority is not None:
        _put(out, _PRIORITY, _WORD.pack(message.priority))
    if message.claim is not None:
        _put(out, message.claim.role.value, _LONG.pack(message.claim.tie_breaker))
    if message.nominates:
        _put(out, _USE_CANDIDATE, b"")
    if message.failure is not None:
        hundreds, rest = divmod(message.failure.code, 100)
        _put(out, _ERROR_CODE, bytes((0, 0, hundreds, rest)) + message.failure.reason.encode())
    if message.unknown:
        _put(out, _UNKNOWN_ATTRIBUTES, struct.pack(f"!{len(message.unknown)}H", *message.unknown))
    if message.mapped is not None:
        _put(out, _XOR_MAPPED_ADDRESS, _mapped_bytes(message.mapped, message.transaction))
    if password is not None:
        covered = _with_length(out, _INTEGRITY_BYTES)
        _put(out, _INTEGRITY, _integrity(password, covered))
    _put(out, _FINGERPRINT, _WORD.pack(crc32(_with_length(out, _FINGERPRINT_BYTES)) ^ _FINGERPRINT_MASK))
    return _with_length(out, -_TYPE_AND_LENGTH.size)


_KINDS = {kind.value: kind for kind in Kind}


def _attributes(view: memoryview) -> Iterator[tuple[int, int, int]]:
    """Type, place of the value and its length. Values are padded to four bytes (RFC 8489 section 14)."""
    at = HEADER_BYTES
    while at < len(view):
        attribute, size = _TYPE_AND_LENGTH.unpack_from(view, at)
        at += _TYPE_AND_LENGTH.size
        if at + size > len(view):
            raise BadPacket("stun_attribute")
        yield attribute, at, size
        at += size + (-size % 4)


class _Reading:
    """What was read so far. Of an attribute that comes twice only the first counts (RFC 8489 section 14)."""

    def __init__(self, transaction: bytes) -> None:
        self.transaction = transaction
        self.seen: set[int] = set()
        self.has_fingerprint = False
        self.covered: bytes | None = None
        self.tag = b""
        self.username: bytes | None = None
        self.priority: int | None = None
        self.nominates = False
        self.claim: Claim | None = None
        self.mapped: Address | None = None
        self.failure: Failure | None = None
        self.unknown: tuple[int, ...] = ()
        self.not_understood: list[int] = []

    def take(self, view: memoryview, attribute: int, at: int, size: int) -> None:
        if self.has_fingerprint:
            # RFC 8489 section 14.7: it is the last one.
            raise BadPacket("stun_fingerprint")
        value = view[at : at + size]
        if attribute == _FINGERPRINT:
            self._check_fingerprint(view, at, value)
        elif attribute in self.seen or self.covered is not None:
            # RFC 8489 section 14.5: what follows the integrity is not protected by it, and is not read.
            return
        elif attribute == _INTEGRITY:
            if size != _INTEGRITY_BYTES:
                raise BadPacket("stun_attribute")
            self.covered = _with_length(view[: at - _TYPE_AND_LENGTH.size], _INTEGRITY_BYTES)
            self.tag = bytes(value)
        elif (reader := _READERS.get(attribute)) is not None:
            reader(self, value)
        elif attribute < _OPTIONAL_FROM:
            self.not_understood.append(attribute)
        self.seen.add(attribute)

    def result(self, kind: Kind) -> Received:
        message = Message(
            kind,
            self.transaction,
            username=self.username,
            priority=self.priority,
            nominates=self.nominates,
            claim=self.claim,
            mapped=self.mapped,
            failure=self.failure,
            unknown=self.unknown,
        )
        if (kind is Kind.ERROR) != (self.failure is not None):
            raise BadPacket("stun_error_code")
        return Received(message, tuple(self.not_understood), self.has_fingerprint, self.covered, self.tag)

    def _check_fingerprint(self, view: memoryview, at: int, value: memoryview) -> None:
        covered = _with_length(view[: at - _TYPE_AND_LENGTH.size], _FINGERPRINT_BYTES)
        if len(value) != _FINGERPRINT_BYTES or _WORD.unpack(value)[0] != crc32(covered) ^ _FINGERPRINT_MASK:
            raise BadPacket("stun_fingerprint")
        self.has_fingerprint = True


def _read_username(reading: _Reading, value: memoryview) -> None:
    if len(value) > MAX_USERNAME_BYTES:
        raise BadPacket("stun_attribute")
    reading.username = bytes(value)


def _read_priority(reading: _Reading, value: memoryview) -> None:
    reading.priority = _number(_WORD, value)


def _read_use_candidate(reading: _Reading, value: memoryview) -> None:
    if value:
        raise BadPacket("stun_attribute")
    reading.nominates = True


def _read_controlled(reading: _Reading, value: memoryview) -> None:
    _claim(reading, Role.CONTROLLED, value)


def _read_controlling(reading: _Reading, value: memoryview) -> None:
    _claim(reading, Role.CONTROLLING, value)


def _claim(reading: _Reading, role: Role, value: memoryview) -> None:
    if reading.claim is not None:
        raise BadPacket("stun_two_roles")
    reading.claim = Claim(role, _number(_LONG, value))


def _read_failure(reading: _Reading, value: memoryview) -> None:
    """RFC 8489 section 14.8."""
    if not 4 <= len(value) <= 4 + _MAX_REASON_BYTES:
        raise BadPacket("stun_attribute")
    hundreds, rest = value[2] & 7, value[3]
    if not 3 <= hundreds <= 6 or rest > 99:
        raise BadPacket("stun_error_code")
    reading.failure = Failure(hundreds * 100 + rest, bytes(value[4:]).decode(errors="replace"))


def _read_unknown(reading: _Reading, value: memoryview) -> None:
    if len(value) % 2:
        raise BadPacket("stun_attribute")
    reading.unknown = struct.unpack(f"!{len(value) // 2}H", value)


def _read_mapped(reading: _Reading, value: memoryview) -> None:
    """RFC 8489 section 14.2."""
    if len(value) < 4 or len(value) != _ADDRESS_BYTES.get(value[1]):
        raise BadPacket("stun_attribute")
    port = _SHORTS.unpack_from(value)[1] ^ (COOKIE >> 16)
    reading.mapped = (str(_plain(ip_address(_masked(bytes(value[4:]), reading.transaction)))), port)


def _ignore(reading: _Reading, value: memoryview) -> None:
    """Known, and of no use here: the clear twin of an address, and a second integrity beside the one that we check."""


_ADDRESS_BYTES = {1: 8, 2: 20}
_READERS: dict[int, Callable[[_Reading, memoryview], None]] = {
    _MAPPED_ADDRESS: _ignore,
    _USERNAME: _read_username,
    _ERROR_CODE: _read_failure,
    _UNKNOWN_ATTRIBUTES: _read_unknown,
    _INTEGRITY_SHA256: _ignore,
    _XOR_MAPPED_ADDRESS: _read_mapped,
    _PRIORITY: _read_priority,
    _USE_CANDIDATE: _read_use_candidate,
    _CONTROLLED: _read_controlled,
    _CONTROLLING: _read_controlling,
}


def _number(form: struct.Struct, value: memoryview) -> int:
    if len(value) != form.size:
        raise BadPacket("stun_attribute")
    (number,) = form.unpack(value)
    return int(number)


def _mapped_bytes(address: Address, transaction: bytes) -> bytes:
    host, port = address
    parsed = _plain(ip_address(host))
    family = 1 if parsed.version == 4 else 2
    return _SHORTS.pack(family, port ^ (COOKIE >> 16)) + _masked(parsed.packed, transaction)


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """A socket of both families writes an IPv4 peer as an IPv6 address, which the peer knows nothing of."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def _masked(packed: bytes, transaction: bytes) -> bytes:
    mask = _WORD.pack(COOKIE) + transaction
    return bytes(one ^ other for one, other in zip(packed, mask, strict=False))


def _put(out: bytearray, attribute: int, value: bytes) -> None:
    out += _TYPE_AND_LENGTH.pack(attribute, len(value)) + value + bytes(-len(value) % 4)


def _with_length(message: bytearray | memoryview, value_bytes: int) -> bytes:
    """Its header says the length that it has once one more attribute is there (RFC 8489 section 14.5)."""
    length = len(message) - HEADER_BYTES + _TYPE_AND_LENGTH.size + value_bytes
    return bytes(message[:2]) + length.to_bytes(2, "big") + bytes(message[4:])


def _integrity(password: bytes, covered: bytes) -> bytes:
    return hmac.digest(password, covered, "sha1")
