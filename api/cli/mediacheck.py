"""The doctor's look at media: which engine runs, whether its port is free, and whether clients will find it."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from importlib import import_module
from ipaddress import ip_address
from typing import Final

from api.cli.findings import Finding, Verdict
from api.listening import CannotListen, bind
from api.media_addresses import of_this_machine, to_bind
from config.sections import Settings

# What the portable engine and the handshakes stand on, each with a library of its own beneath.
_PARTS: Final = ("pylibsrtp", "OpenSSL", "aiortc", "media.portable.engine")


def media(settings: Settings) -> Iterator[Finding]:
    yield _engine()
    addresses = _addresses(settings)
    yield _port(settings, addresses)
    yield _reach(settings, addresses)


def _engine() -> Finding:
    for part in _PARTS:
        try:
            import_module(part)
        except ImportError as error:
            cure = "install again: `make install`"
            return Finding(Verdict.BROKEN, "media engine", f"portable, and {part} cannot be loaded: {error}; {cure}")
    return Finding(Verdict.FINE, "media engine", "portable: this version has no native one; made for small calls")


def _addresses(settings: Settings) -> Sequence[str]:
    try:
        with_port = bind(settings.server.host, 0)
    except CannotListen:
        return ()
    hosts = [host for host, _ in with_port.addresses]
    with_port.close()
    return to_bind(settings.media, hosts, of_this_machine())


def _port(settings: Settings, addresses: Sequence[str]) -> Finding:
    port = settings.server.media_port
    kinds = [(socket.SOCK_DGRAM, "UDP"), *([(socket.SOCK_STREAM, "TCP")] if settings.media.tcp else [])]
    for address in addresses:
        for kind, name in kinds:
            error = _taken(address, port, kind)
            if error is not None:
                cure = "stop what holds it, or choose another: MEDIA_PORT=... (server.media_port)"
                text = f"{name} {port} at {address}: {error.strerror}; {cure}"
                return Finding(Verdict.BROKEN, "media port", text)
    names = " and ".join(name for _, name in kinds)
    return Finding(Verdict.FINE, "media port", f"{names} {port} is free at {', '.join(addresses)}")


def _taken(address: str, port: int, kind: socket.SocketKind) -> OSError | None:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind) as probe:
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            return error
    return None


def _reach(settings: Settings, addresses: Sequence[str]) -> Finding:
    told = settings.media.advertised or addresses
    shown, parsed = ", ".join(told), [ip_address(address) for address in told]
    if all(ip.is_loopback for ip in parsed):
        return Finding(Verdict.ODD, "media address", f"{shown}: only browsers on this machine get there")
    if settings.server.public_url and not any(ip.is_global for ip in parsed):
        cure = "name the public address in media.advertised if calls come from elsewhere"
        return Finding(Verdict.ODD, "media address", f"{shown}: none is reached from the internet; {cure}")
    return Finding(Verdict.FINE, "media address", f"clients are told {shown}")
