"""What our side of ICE takes and gives: paths, credentials that name their worker, bounds, and what happened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from media.stun import Address

# RFC 8839 section 5.4: 64 characters that cost no thought; a user name fragment has at least 24 bits of chance in it,
# a password at least 128.
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_WORKER_CHARACTERS = 2
_CHANCE_CHARACTERS = 10
_PASSWORD_CHARACTERS = 24
MAX_WORKERS = len(_ALPHABET) ** _WORKER_CHARACTERS

# Drops that honest networks cause; the others are errors or attacks.
EXPECTED_DROPS = frozenset({"ice_late_answer", "ice_probe_held", "ice_unknown_ufrag"})

Randomness = Callable[[int], bytes]


class Path(NamedTuple):
    """Where a peer is, seen from one of our sockets. A tuple because each packet is looked up by one. ``local`` names
    the socket; a TCP connection is a socket of its own."""

    local: int
    host: str
    port: int

    @property
    def address(self) -> Address:
        return self.host, self.port


@dataclass(frozen=True, slots=True)
class Credentials:
    ufrag: bytes
    password: bytes


@dataclass(frozen=True, slots=True)
class Limits:
    """Times are seconds. ``consent_timeout`` is half of what RFC 7675 section 5.1 allows at most."""

    transports: int = 4096
    paths: int = 16
    pending: int = 65536
    probed_addresses: int = 8192
    probe_interval: float = 0.25
    probes: int = 4
    probe_lifetime: float = 5.0
    check_lifetime: float = 5.0
    consent_interval: float = 2.5
    consent_timeout: float = 15.0
    consent_checks: int = 3
    connect_timeout: float = 30.0
    idle_path: float = 30.0


@dataclass(frozen=True, slots=True)
class Send:
    path: Path
    data: bytes


@dataclass(frozen=True, slots=True)
class Selected:
    """Media of this transport goes here from now on."""

    transport: int
    path: Path


@dataclass(frozen=True, slots=True)
class Restarted:
    """The credentials before the last restart are no longer taken."""

    transport: int


@dataclass(frozen=True, slots=True)
class ConsentLost:
    """The peer has stopped to answer; nothing goes there until it nominates a path anew."""

    transport: int


@dataclass(frozen=True, slots=True)
class Unreached:
    """Nobody came in ``connect_timeout``."""

    transport: int


Event = Selected | Restarted | ConsentLost | Unreached


@dataclass(slots=True)
class Outcome:
    sends: list[Send] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)


class Full(Exception):
    """There are as many transports as this worker may have."""


def local_ufrag(username: bytes | None) -> bytes:
    """A request names its receiver first (RFC 8445 section 7.2.2)."""
    return (username or b"").partition(b":")[0]


def worker_of(ufrag: bytes) -> int | None:
    """Who made this name."""
    if len(ufrag) != _WORKER_CHARACTERS + _CHANCE_CHARACTERS:
        return None
    high, low = (_ALPHABET.find(ufrag[at : at + 1]) for at in range(_WORKER_CHARACTERS))
    return None if high < 0 or low < 0 else high * len(_ALPHABET) + low


def made_credentials(worker: int, randomness: Randomness) -> Credentials:
    high, low = divmod(worker, len(_ALPHABET))
    chance = _characters(_CHANCE_CHARACTERS, randomness)
    password = _characters(_PASSWORD_CHARACTERS, randomness)
    return Credentials(bytes((_ALPHABET[high], _ALPHABET[low])) + chance, password)


def _characters(number: int, randomness: Randomness) -> bytes:
    return bytes(_ALPHABET[one & 63] for one in randomness(number))
