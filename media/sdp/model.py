"""What an offer says, typed. Nothing here is agreed yet; see ``negotiation``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from media.candidates import Candidate


class BadOffer(ValueError):
    """``reason`` is a stable word that a client may act on; ``detail`` says to people where the fault is."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Direction(Enum):
    """As seen by who wrote it."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @property
    def sends(self) -> bool:
        return self in (Direction.SENDRECV, Direction.SENDONLY)

    @property
    def receives(self) -> bool:
        return self in (Direction.SENDRECV, Direction.RECVONLY)

    @property
    def reversed(self) -> Direction:
        return _REVERSED.get(self, self)


_REVERSED = {Direction.SENDONLY: Direction.RECVONLY, Direction.RECVONLY: Direction.SENDONLY}


@dataclass(frozen=True, slots=True)
class Codec:
    """``parameters`` is the whole ``fmtp`` value, ``feedback`` the ``rtcp-fb`` values in their order."""

    payload_type: int
    name: str
    clock_rate: int
    channels: int
    parameters: str = ""
    feedback: tuple[str, ...] = ()

    def parameter(self, name: str) -> str | None:
        for pair in self.parameters.split(";"):
            key, _, value = pair.strip().partition("=")
            if key.lower() == name:
                return value
        return None


@dataclass(frozen=True, slots=True)
class Extension:
    """``direction`` is None where the offer names none, which means both."""

    id: int
    uri: str
    direction: Direction | None = None

    @property
    def sends(self) -> bool:
        return self.direction is None or self.direction.sends

    @property
    def receives(self) -> bool:
        return self.direction is None or self.direction.receives


@dataclass(frozen=True, slots=True)
class Rid:
    """``restrictions`` as they stand in the offer; ``payload_types`` are those its ``pt=`` names, if it does."""

    id: str
    sends: bool
    restrictions: str = ""
    payload_types: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Simulcast:
    """The streams of each direction, each a choice of rids, the preferred one first."""

    send: tuple[tuple[str, ...], ...] = ()
    recv: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class SsrcGroup:
    semantics: str
    ssrcs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Msid:
    """``stream`` is ``-`` for a track that belongs to none."""

    stream: str
    track: str = ""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    algorithm: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Transport:
    """One for the whole bundle."""

    ufrag: str
    password: str
    options: tuple[str, ...]
    fingerprints: tuple[Fingerprint, ...]
    setup: str


@dataclass(frozen=True, slots=True)
class Section:
    """One m-line. A rejected one keeps its place and nothing else, perhaps not even its mid, which is empty then.
    Nobody is asked for the names of multicast DNS among ``candidates``: an ICE-lite server learns from checks."""

    kind: str
    mid: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    direction: Direction
    codecs: tuple[Codec, ...] = ()
    extensions: tuple[Extension, ...] = ()
    rids: tuple[Rid, ...] = ()
    simulcast: Simulcast = Simulcast()
    ssrcs: tuple[int, ...] = ()
    ssrc_groups: tuple[SsrcGroup, ...] = ()
    msids: tuple[Msid, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    sctp_port: int | None = None
    max_message_size: int | None = None
    bundle_only: bool = False
    rtcp_mux: bool = False
    rtcp_rsize: bool = False
    allows_mixed: bool = False

    @property
    def is_rejected(self) -> bool:
        """By who offers: the track was stopped. A section that is bundle-only has port zero and lives."""
        return self.port == 0 and not self.bundle_only


@dataclass(frozen=True, slots=True)
class Offer:
    """``allows_mixed``: one- and two-byte header extensions in one stream (RFC 8285), said for the whole session."""

    session_id: int
    version: int
    bundle: tuple[str, ...]
    allows_mixed: bool
    transport: Transport
    sections: tuple[Section, ...]
