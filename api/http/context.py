"""What the shell knows about a request while it is being answered."""

from __future__ import annotations

import ipaddress
import itertools
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from aiohttp import web

from api.http.access import Principal
from kernel.addresses import parsed_address

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


@dataclass(slots=True)
class RequestContext:
    id: str
    address: str
    secure: bool
    started: float
    route: str = ""
    principal: Principal | None = None
    headers: dict[str, str] = field(default_factory=dict)


CONTEXT = web.RequestKey("context", RequestContext)


class RequestIds:
    """The caller's id when it is a sane one, so that a trace spans proxies; else this process's next one."""

    def __init__(self) -> None:
        self._process = os.urandom(6).hex()
        self._numbers = itertools.count(1)

    def of(self, request: web.Request) -> str:
        offered = request.headers.get("X-Request-Id")
        if offered is not None and _REQUEST_ID.fullmatch(offered):
            return offered
        return f"{self._process}-{next(self._numbers):x}"


class ClientAddresses:
    """Who is really asking: believes forwarding headers only from the proxies that were named."""

    def __init__(self, trusted_proxies: Sequence[str]) -> None:
        self._trusted = tuple(ipaddress.ip_network(network) for network in trusted_proxies)

    def of(self, request: web.Request) -> tuple[str, bool]:
        """The client's address, and whether it spoke to us over TLS."""
        peer, secure = request.remote or "", request.secure
        if not self._trusted or not self._is_trusted(peer):
            return peer, secure
        forwarded = ",".join(request.headers.getall("X-Forwarded-For", ())).split(",")
        address = peer
        for hop in reversed(forwarded):  # the nearest proxy appends last; stop at the first one not ours
            parsed = parsed_address(hop.strip())
            if parsed is None:
                break
            address = str(parsed)
            if not self._is_trusted(address):
                break
        return address, request.headers.get("X-Forwarded-Proto", "").lower() == "https"

    def is_local(self, request: web.Request) -> bool:
        """A program on this machine, not something a proxy on this machine passed on."""
        headers = request.headers
        if "X-Forwarded-For" in headers or "Forwarded" in headers:
            return False
        peer = parsed_address(request.remote or "")
        return peer is not None and peer.is_loopback

    def _is_trusted(self, address: str) -> bool:
        parsed = parsed_address(address)
        return parsed is not None and any(parsed in network for network in self._trusted)
