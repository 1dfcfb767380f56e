"""From datagrams to transports and back: what came from whom, and where what is for whom goes.

Only checks of ICE are heard from anybody. DTLS and SRTP are taken from addresses that answered a check of ours, so
nobody can make us work, or answer, in the name of an address that is not theirs.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from itertools import count
from typing import Protocol

from kernel.clock import Clock
from media.engine import Address
from media.errors import BadPacket
from media.icelite import Agents
from media.icevalues import ConsentLost, Outcome, Path, Selected
from media.portable.containment import Containment
from media.portable.sockets import Bound, UdpSocket
from media.portable.tcp import TcpLimits, TcpPort
from media.rtp import Kind, kind_of

TCP_LOOKS_EVERY = 1.0


class Wire(Protocol):
    """What sends: a socket for many addresses or a connection to one. False when it was dropped, and counted."""

    def send(self, data: bytes | memoryview, address: tuple[str, int]) -> bool: ...

    def send_run(self, run: memoryview, size: int, address: tuple[str, int]) -> int:
        """Datagrams of ``size`` bytes each, but for the last; how many went."""
        ...


class Receiver(Protocol):
    """Whom datagrams of transports go to. ``data`` is good until it returns."""

    def dtls(self, transport: int, data: memoryview, path: Path) -> None: ...

    def rtp(self, transport: int, data: memoryview, now: float, came: float) -> None: ...

    def rtcp(self, transport: int, data: memoryview, now: float) -> None: ...

    def received(self) -> None:
        """There is nothing more to read for now."""
        ...

    def selected(self, transport: int, path: Path, now: float) -> None: ...

    def consent_lost(self, transport: int) -> None: ...


_STRANGERS = {Kind.DTLS: "dtls_stranger", Kind.RTP: "srtp_stranger", Kind.RTCP: "srtp_stranger"}


class Network:
    def __init__(
        self,
        agents: Agents,
        receiver: Receiver,
        *,
        drops: Counter[str],
        clock: Clock,
        containment: Containment,
        tcp: TcpLimits,
    ) -> None:
        self._agents = agents
        self._receiver = receiver
        self._drops = drops
        self._clock = clock
        self._containment = containment
        self._names = count(1)
        self._udp: dict[int, UdpSocket] = {}
        self._tcp = TcpPort(self._names, self.receive, self._received, drops=drops, clock=clock, limits=tcp)
        self._tcp_looked_at = 0.0
        self.local: Sequence[Address] = ()

    @property
    def connections(self) -> int:
        """Of TCP."""
        return len(self._tcp)

    async def open(self, bound: Bound) -> None:
        """Takes the sockets, also where it raises."""
        loop = asyncio.get_running_loop()
        self.local = bound.local
        for one in bound.udp:
            name = next(self._names)
            udp = self._udp[name] = UdpSocket(name, one, self.receive, self._drops, self._clock)
            loop.add_reader(udp.fileno(), self._read, udp)
        try:
            await self._tcp.listen(bound.tcp)
        except BaseException:
            for listener in bound.tcp:
                listener.close()
            raise

    async def close(self) -> None:
        loop = asyncio.get_running_loop()
        for udp in self._udp.values():
            loop.remove_reader(udp.fileno())
            udp.close()
        self._udp.clear()
        await self._tcp.close()

    def wire(self, path: Path) -> Wire | None:
        """None where the connection has ended."""
        return self._udp.get(path.local) or self._tcp.at(path.local)

    def is_tcp(self, path: Path) -> bool:
        return path.local not in self._udp

    def _read(self, udp: UdpSocket) -> None:
        self._containment.run(udp.read)
        self._received()

    def _received(self) -> None:
        self._containment.run(self._receiver.received)

    def receive(self, data: memoryview, path: Path, now: float, came: float) -> None:
        """Never raises: behind this datagram others wait. ``came``: when it did to this machine."""
        try:
            self._receive(data, path, now, came)
        except BadPacket as bad:
            self._drops[bad.reason] += 1
        except Exception as fault:  # noqa: BLE001 - the boundary: a datagram may not end the reading of all others
            self._containment.failed(fault)

    def _receive(self, data: memoryview, path: Path, now: float, came: float) -> None:
        kind = kind_of(data)
        if kind is Kind.STUN:
            self.act(self._agents.receive(data, path, now), now)
            return
        if kind not in _STRANGERS:
            self._drops["datagram_unknown"] += 1
            return
        transport = self._agents.transport_at(path)
        if transport is None:
            self._drops[_STRANGERS[kind]] += 1
        elif kind is Kind.RTP:
            self._receiver.rtp(transport, data, now, came)
        elif kind is Kind.RTCP:
            self._receiver.rtcp(transport, data, now)
        else:
            self._receiver.dtls(transport, data, path)

    def act(self, outcome: Outcome, now: float) -> None:
        """What ICE has decided."""
        for send in outcome.sends:
            wire = self.wire(send.path)
            if wire is None:
                self._drops["tcp_gone"] += 1
            else:
                wire.send(send.data, send.path.address)
        for event in outcome.events:
            if isinstance(event, Selected):
                self._receiver.selected(event.transport, event.path, now)
            elif isinstance(event, ConsentLost):
                self._receiver.consent_lost(event.transport)

    def tick(self, now: float) -> None:
        self.act(self._agents.tick(now), now)
        if now - self._tcp_looked_at >= TCP_LOOKS_EVERY:
            self._tcp_looked_at = now
            self._tcp.tick(now, self._is_known)

    def _is_known(self, path: Path) -> bool:
        return self._agents.transport_at(path) is not None
