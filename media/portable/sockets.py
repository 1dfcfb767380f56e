"""UDP as the engine has it: one port, one socket for each address, read in batches.

Not by asyncio's datagram transports: they allocate 256 KiB for each datagram and queue without a bound what the kernel
does not take at once.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from kernel.clock import Clock
from media.engine import Address, Listening
from media.icevalues import Path

# Nothing longer comes over an Ethernet in one piece; browsers stay under 1,300.
LONGEST_DATAGRAM: Final = 1500
# How many are read, and for how long, before timers and other sockets have their turn. One packet for fifty
# subscribers takes half a millisecond.
BATCH: Final = 64
SLICE: Final = 0.005
SEND_BUFFER: Final = 4 * 1024 * 1024
# A free port of UDP may be taken for TCP or on another address.
ATTEMPTS: Final = 32
BACKLOG: Final = 256
# Addresses that are remembered for taking no runs; who is forgotten costs one more try.
MOST_SINGLE: Final = 1024

# Datagram, where from, now, and when it came to this machine.
Receive = Callable[[memoryview, Path, float, float], None]

# SO_TIMESTAMPNS of Linux, which the socket module does not know: the kernel says when a datagram came.
_STAMPED: Final = 35 if sys.platform == "linux" else None
_STAMP: Final = struct.Struct("@ll")
# SO_RXQ_OVFL: and how many it had no room for, once there were any.
_OVERFLOWS: Final = 40
_OVERFLOWN: Final = struct.Struct("@I")
_ANCILLARY_BYTES: Final = socket.CMSG_SPACE(_STAMP.size) + socket.CMSG_SPACE(_OVERFLOWN.size)
# UDP_SEGMENT of Linux, which the socket module does not know either.
_SEGMENT: Final = 103
_SEGMENT_SIZE: Final = struct.Struct("=H")
# A wall clock that was set meanwhile says nothing.
_MOST_DELAY: Final = 5.0


@dataclass(frozen=True, slots=True)
class Bound:
    """In the order of the addresses that were asked for; no TCP sockets without TCP."""

    udp: Sequence[socket.socket]
    tcp: Sequence[socket.socket]

    @property
    def local(self) -> tuple[Address, ...]:
        return tuple(Address(*one.getsockname()[:2]) for one in self.udp)


def bind(listening: Listening) -> Bound:
    """Raises OSError when an address or the port is not to be had, ValueError for what is no address."""
    if not listening.addresses:
        raise ValueError("an engine has an address")
    for _ in range(ATTEMPTS - 1 if listening.port == 0 else 0):
        try:
            return _bound(listening, _free_port(listening))
        except OSError:
            continue
    return _bound(listening, listening.port or _free_port(listening))


def _free_port(listening: Listening) -> int:
    with _socket(listening.addresses[0], socket.SOCK_DGRAM) as probe:
        probe.bind((listening.addresses[0], 0))
        port: int = probe.getsockname()[1]
        return port


def _bound(listening: Listening, port: int) -> Bound:
    with ExitStack() as opened:
        udp = [opened.enter_context(_socket(host, socket.SOCK_DGRAM)) for host in listening.addresses]
        kinds = listening.addresses if listening.tcp else ()
        tcp = [opened.enter_context(_socket(host, socket.SOCK_STREAM)) for host in kinds]
        for one, host in zip(udp, listening.addresses, strict=True):
            # The kernel gives what it may (net.core.rmem_max) and says nothing of the rest.
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, listening.receive_buffer)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            one.bind((host, port))
        for one, host in zip(tcp, kinds, strict=True):
            # Connections of the process before may still be in TIME_WAIT.
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind((host, port))
            one.listen(BACKLOG)
        opened.pop_all()
    return Bound(udp, tcp)


def _socket(host: str, kind: socket.SocketKind) -> socket.socket:
    is_six = ip_address(host.partition("%")[0]).version == 6
    made = socket.socket(socket.AF_INET6 if is_six else socket.AF_INET, kind)
    made.setblocking(False)
    if is_six:
        # One path has one name: an IPv4 peer is never written as a mapped address.
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return made


class UdpSocket:
    """``local`` is its name in paths. Nothing is queued here: what the kernel has no room for is dropped and counted
    as ``udp_full``, as a full queue on the way would drop it.

    A publisher's estimate is made of when its packets came. While this process was busy they lay in the kernel, so that
    it is the kernel's stamps that count."""

    def __init__(self, local: int, bound: socket.socket, receive: Receive, drops: Counter[str], clock: Clock) -> None:
        self._local = local
        self._socket = bound
        self._receive = receive
        self._drops = drops
        self._clock = clock
        self._buffer = bytearray(2048)
        self._view = memoryview(self._buffer)
        self._sendto = bound.sendto
        self._segments = _can_segment(bound)
        self._overflown = 0
        self._single: dict[tuple[str, int], None] = {}
        if _STAMPED is not None:
            bound.setsockopt(socket.SOL_SOCKET, _STAMPED, 1)
            bound.setsockopt(socket.SOL_SOCKET, _OVERFLOWS, 1)

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self) -> None:
        """At most a batch; what is left makes the socket readable again."""
        clock, buffers = self._clock, [self._buffer]
        now = clock.monotonic()
        until = now + SLICE
        # From the kernel's clock to ours.
        behind = now - clock.now()
        for _ in range(BATCH):
            try:
                length, ancillary, _, address = self._socket.recvmsg_into(buffers, _ANCILLARY_BYTES)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                # An ICMP error of some earlier datagram; reading on is right.
                self._drops["udp_receive_failed"] += 1
                return
            if len(ancillary) > 1:
                self._count_overflown(ancillary[1][2])
            if not length:
                self._drops["datagram_empty"] += 1
            elif length > LONGEST_DATAGRAM:
                self._drops["datagram_long"] += 1
            else:
                came = _came(ancillary, behind, now) if ancillary else now
                self._receive(self._view[:length], Path(self._local, address[0], address[1]), now, came)
            now = clock.monotonic()
            if now >= until:
                return

    def _count_overflown(self, said: bytes) -> None:
        (overflown,) = _OVERFLOWN.unpack(said)
        self._drops["udp_overflow"] += (overflown - self._overflown) & 0xFFFFFFFF
        self._overflown = overflown

    def send(self, data: bytes | memoryview, address: tuple[str, int]) -> bool:
        try:
            self._sendto(data, address)
        except BlockingIOError:
            self._drops["udp_full"] += 1
            return False
        except OSError:
            # No route, a firewall of this machine, a datagram longer than the path takes.
            self._drops["udp_send_failed"] += 1
            return False
        return True

    def send_run(self, run: memoryview, size: int, address: tuple[str, int]) -> int:
        """Datagrams of ``size`` bytes each, the last one may be shorter, in one message: most of what sending costs is
        for the message. How many went."""
        count = -(-len(run) // size)
        if count > 1 and self._segments and address not in self._single:
            try:
                self._socket.sendmsg((run,), ((socket.SOL_UDP, _SEGMENT, _SEGMENT_SIZE.pack(size)),), 0, address)
            except BlockingIOError:
                self._drops["udp_full"] += count
                return 0
            except OSError:
                # A path with a smaller MTU takes fragments, but no segments.
                self._remember_single(address)
            else:
                return count
        return sum(self.send(run[at : at + size], address) for at in range(0, len(run), size))

    def _remember_single(self, address: tuple[str, int]) -> None:
        self._single[address] = None
        if len(self._single) > MOST_SINGLE:
            del self._single[next(iter(self._single))]

    def close(self) -> None:
        self._socket.close()


def _can_segment(bound: socket.socket) -> bool:
    try:
        return sys.platform == "linux" and bound.getsockopt(socket.SOL_UDP, _SEGMENT) == 0
    except OSError:
        return False


def _came(ancillary: list[tuple[int, int, bytes]], behind: float, now: float) -> float:
    seconds, nanoseconds = _STAMP.unpack(ancillary[0][2])
    came: float = seconds + nanoseconds / 1e9 + behind
    return came if now - _MOST_DELAY < came < now else now
