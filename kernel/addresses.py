"""Network addresses as what is counted by: one key for all that one customer can change at will."""

from __future__ import annotations

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def limit_key(address: str) -> str:
    """An IPv4 address as it is, of IPv6 the /64; what is no address is its own key."""
    if ":" not in address:
        return address
    parsed = parsed_address(address.partition("%")[0])
    if not isinstance(parsed, ipaddress.IPv6Address):
        return address if parsed is None else str(parsed)
    return str(ipaddress.IPv6Network((parsed, 64), strict=False).network_address)


def parsed_address(text: str) -> Address | None:
    """An IPv4 address in IPv6 clothes is the IPv4 address; None for what is no address."""
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed
