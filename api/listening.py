"""Binding the HTTP port, before anything else is opened: a taken port is the first thing a person should hear of."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass


class CannotListen(Exception):
    """The port cannot be had; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class BoundSockets:
    """Bound, not listening yet. ``addresses`` are what was really bound, with the port the system chose for 0."""

    sockets: Sequence[socket.socket]

    @property
    def addresses(self) -> list[tuple[str, int]]:
        return [(name[0], name[1]) for name in (item.getsockname() for item in self.sockets)]

    @property
    def url(self) -> str:
        host, port = self.addresses[0]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def close(self) -> None:
        for item in self.sockets:
            item.close()


def bind(host: str, port: int) -> BoundSockets:
    """Every address that ``host`` names. Raises CannotListen."""
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise CannotListen(f"{host} is not a name this machine can resolve; set HOST=... (server.host).") from error
    with ExitStack() as unwinding:
        bound: list[socket.socket] = []
        for family, kind, protocol, _, address in dict.fromkeys(found):
            item = unwinding.enter_context(socket.socket(family, kind, protocol))
            item.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                item.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            chosen = bound[0].getsockname()[1] if bound and port == 0 else port
            try:
                item.bind((address[0], chosen, *address[2:]))
            except OSError as error:
                raise cannot_listen(error, host, port) from error
            item.setblocking(False)
            bound.append(item)
        unwinding.pop_all()
    return BoundSockets(bound)


def cannot_listen(error: OSError, host: str, port: int) -> CannotListen:
    where = f"{host or 'every address'} port {port}"
    reasons = {
        errno.EADDRINUSE: f"{where} is taken by another program; stop it, or choose another: PORT=... (server.port).",
        errno.EACCES: f"{where} needs privileges (ports below 1024 do); choose another: PORT=... (server.port).",
        errno.EADDRNOTAVAIL: f"This machine has no address {host}; set HOST=... (server.host) to one it has.",
    }
    return CannotListen(reasons.get(error.errno or 0, f"Cannot listen on {where}: {error.strerror or error}."))
