"""Which addresses media is bound to and which are told to clients, where the configuration leaves that open.

Each address is bound by itself: from a socket of all addresses an answer leaves by the one that the system chooses, and
a browser that sent its check to another takes it for a stranger's.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

from config.sections import Media
from media.candidates import MAX_ADVERTISED, Advertised
from media.engine import Address


def to_bind(media: Media, listening: Sequence[str], machine: Sequence[str]) -> tuple[str, ...]:
    """``listening`` are the addresses of pages and REST, ``machine`` those that this machine has."""
    if media.addresses:
        return media.addresses
    parsed = [ip_address(host) for host in listening]
    if any(ip.is_unspecified for ip in parsed):
        return _usual(machine, with_loopback=False)
    if any(ip.is_loopback for ip in parsed):
        return _usual(machine, with_loopback=True)
    return tuple(dict.fromkeys(listening))


def to_advertise(media: Media, bound: Sequence[Address]) -> tuple[Advertised, ...]:
    """In the order in which they are preferred."""
    hosts = media.advertised or tuple(dict.fromkeys(place.host for place in bound))
    port = bound[0].port
    return tuple(Advertised(host, port, port if media.tcp else None) for host in hosts[:MAX_ADVERTISED])


def of_this_machine() -> tuple[str, ...]:
    """Those that can be bound now: one of IPv6 that was added a moment ago cannot."""
    import ifaddr  # noqa: PLC0415 - it loads the system's library in its own way, only when it is asked

    found = [
        ip.ip if isinstance(ip.ip, str) else ip.ip[0] for adapter in ifaddr.get_adapters() for ip in adapter.ips
    ]  # fmt: skip
    return tuple(address for address in dict.fromkeys(found) if _can_be_bound(address))


def _usual(machine: Sequence[str], *, with_loopback: bool) -> tuple[str, ...]:
    """A browser on this machine connects to the loopback address if it is Chromium, to another if it is Firefox. Links
    of one cable are left out: a client would have to know which of its own cables that is."""
    parsed = [(address, ip_address(address)) for address in machine]
    others = [(address, ip) for address, ip in parsed if not (ip.is_loopback or ip.is_link_local or ip.is_unspecified)]
    others.sort(key=_preference)
    chosen = [address for address, _ in others[: MAX_ADVERTISED - 2]]
    loopback = [address for address, ip in sorted(parsed, key=_preference) if ip.is_loopback][:2]
    return tuple([*chosen, *loopback] if with_loopback or not chosen else chosen)


def _preference(item: tuple[str, IPv4Address | IPv6Address]) -> int:
    return item[1].version


def _can_be_bound(address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True
