"""Candidates that we offer: where this server is reached, over UDP and as the passive side of TCP."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv6Address, ip_address

from media.errors import BadPacket

# RFC 8445 section 5.1.2.2 for a host. TCP stands below every kind of UDP (peer reflexive 110, server reflexive 100):
# media over TCP waits for what is lost, so it is for those whom UDP does not reach.
_UDP_TYPE_PREFERENCE = 126
_TCP_TYPE_PREFERENCE = 90
# RFC 6544 section 4.2: direction of a passive host candidate, above 13 bits of other preference.
_PASSIVE_DIRECTION = 4
_MAX_OTHER_PREFERENCE = (1 << 13) - 1
# RTP and RTCP share one component (rtcp-mux).
COMPONENT = 1
MAX_ADVERTISED = 16
# A line of another is read up to here.
MAX_LINE_CHARACTERS = 512


class Protocol(Enum):
    UDP = "udp"
    TCP = "tcp"


@dataclass(frozen=True, slots=True)
class Advertised:
    """An address, and the ports that are open there; None: not over this protocol."""

    address: str
    udp_port: int | None
    tcp_port: int | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """``kind`` is host, srflx, prflx or relay; ``tcp_type`` is active, passive or so, and only there with TCP."""

    foundation: str
    component: int
    protocol: Protocol
    priority: int
    address: str
    port: int
    kind: str = "host"
    tcp_type: str | None = None

    @property
    def value(self) -> str:
        """As it stands behind ``a=`` (RFC 8839 section 5.1, RFC 6544 section 4.5)."""
        line = (
            f"candidate:{self.foundation} {self.component} {self.protocol.value} {self.priority} "
            f"{self.address} {self.port} typ {self.kind}"
        )
        return line if self.tcp_type is None else f"{line} tcptype {self.tcp_type}"


def priority(type_preference: int, local_preference: int, component: int = COMPONENT) -> int:
    """RFC 8445 section 5.1.2.1."""
    return (type_preference << 24) + (local_preference << 8) + (256 - component)


def offered(advertised: Iterable[Advertised]) -> tuple[Candidate, ...]:
    """In the order of preference: all of UDP in the order given, then all of TCP. Raises ValueError for an address that
    nobody can send to, for one that comes twice and for more than MAX_ADVERTISED."""
    given = [(_reachable(one.address), one) for one in advertised]
    if len(given) > MAX_ADVERTISED:
        raise ValueError(f"at most {MAX_ADVERTISED} addresses are advertised")
    if len({(address, one.udp_port, one.tcp_port) for address, one in given}) != len(given):
        raise ValueError("an address is advertised twice")
    udp = [
        (Protocol.UDP, priority(_UDP_TYPE_PREFERENCE, 0xFFFF - rank), address, one.udp_port)
        for rank, (address, one) in enumerate(given)
    ]
    tcp = [
        (Protocol.TCP, priority(_TCP_TYPE_PREFERENCE, _passive_preference(rank)), address, one.tcp_port)
        for rank, (address, one) in enumerate(given)
    ]
    # The foundation is one per base and protocol (RFC 8445 section 5.1.1.3): the place here is as good as any.
    return tuple(
        Candidate(
            str(place),
            COMPONENT,
            protocol,
            worth,
            address,
            port,
            tcp_type="passive" if protocol is Protocol.TCP else None,
        )
        for place, (protocol, worth, address, port) in enumerate(udp + tcp, start=1)
        if port is not None
    )


_LINE = re.compile(
    r"(?:a=)?candidate:([A-Za-z0-9+/]{1,32}) (\d{1,3}) (udp|tcp) (\d{1,10}) ([!-~]{1,255}) (\d{1,5})"
    r" typ (host|srflx|prflx|relay)((?: [!-~]+ [!-~]+)*)",
    re.ASCII | re.IGNORECASE,
)
_TCP_TYPES = frozenset({"active", "passive", "so"})


def parse(line: str) -> Candidate:
    """A candidate of anybody; its address may be a name (mDNS). Extensions are read over. Raises BadPacket."""
    match = _LINE.fullmatch(line) if len(line) <= MAX_LINE_CHARACTERS else None
    if match is None:
        raise BadPacket("candidate_form")
    foundation, component, protocol, worth, address, port, kind, more = match.groups()
    words = more.split(" ")[1:]
    extensions = dict(zip(words[::2], words[1::2], strict=True))
    tcp_type = extensions.get("tcptype")
    candidate = Candidate(
        foundation, int(component), Protocol(protocol.lower()), int(worth), address, int(port), kind.lower(), tcp_type
    )
    # RFC 8839 section 5.1: a component is 1 to 256, a priority 1 to 2^31 - 1.
    if not (1 <= candidate.component <= 256 and 1 <= candidate.priority < 1 << 31 and candidate.port <= 0xFFFF):
        raise BadPacket("candidate_range")
    if (candidate.protocol is Protocol.TCP) != (tcp_type in _TCP_TYPES) or (tcp_type and tcp_type not in _TCP_TYPES):
        raise BadPacket("candidate_tcptype")
    return candidate


def _passive_preference(rank: int) -> int:
    return (_PASSIVE_DIRECTION << 13) + _MAX_OTHER_PREFERENCE - rank


def _reachable(address: str) -> str:
    parsed = ip_address(address)
    if parsed.is_unspecified or parsed.is_multicast:
        raise ValueError(f"nobody can send to {address}")
    if isinstance(parsed, IPv6Address) and (parsed.is_link_local or parsed.ipv4_mapped is not None):
        raise ValueError(f"{address} means nothing elsewhere")
    return str(parsed)
