"""Synthetic browsers for engines: the controlling side of ICE, SRTP both ways, tracks to send and streams to look at.

Nothing here is the engine's own but the parsers of STUN, RTP and RTCP: SRTP goes through pylibsrtp as it stands.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

import pylibsrtp

from media import stun
from media.engine import Address, IceCredentials, SrtpKeys, SrtpProfile
from media.errors import BadPacket
from media.framing import Deframer, framed
from media.rtcp import Compound, build
from media.rtcp import Packet as RtcpPacket
from media.rtcp import parse as parse_rtcp
from media.rtp import Kind, Packet, kind_of
from media.stun import Claim, Message, Role

Said = TypeVar("Said", bound=RtcpPacket)

PATIENCE = 5.0
CONTROLLING = Claim(Role.CONTROLLING, 0x1122334455667788)

_PROFILES = {
    SrtpProfile.AEAD_AES_256_GCM: (pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_256_GCM, 44),
    SrtpProfile.AEAD_AES_128_GCM: (pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 28),
    SrtpProfile.AES_CM_128_HMAC_SHA1_80: (pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 30),
}


class Srtp:
    """The peer's half: what the engine receives with, it sends with."""

    def __init__(self, profile: SrtpProfile = SrtpProfile.AEAD_AES_128_GCM) -> None:
        number, length = _PROFILES[profile]
        self.engine_keys = SrtpKeys(profile, receive=os.urandom(length), send=os.urandom(length))
        self._out = _session(number, self.engine_keys.receive, pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
        self._in = _session(number, self.engine_keys.send, pylibsrtp.Policy.SSRC_ANY_INBOUND)
        self.protect = self._out.protect
        self.protect_rtcp = self._out.protect_rtcp
        self.unprotect = self._in.unprotect
        self.unprotect_rtcp = self._in.unprotect_rtcp


def _session(profile: int, key: bytes, direction: int) -> pylibsrtp.Session:
    policy = pylibsrtp.Policy(key, direction, srtp_profile=profile)
    policy.window_size = 1024
    policy.allow_repeat_tx = True
    return pylibsrtp.Session(policy)


class Wire:
    """A way to the engine: datagrams out, datagrams in."""

    def __init__(self, receive: Callable[[bytes], None]) -> None:
        self.receive = receive

    def send(self, datagram: bytes) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError


class UdpWire(Wire):
    def __init__(self, receive: Callable[[bytes], None], remote: Address, local_host: str | None = None) -> None:
        super().__init__(receive)
        family = socket.AF_INET6 if ":" in remote.host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)
        self._socket.bind((local_host or ("::1" if family == socket.AF_INET6 else "127.0.0.1"), 0))
        self._socket.connect((remote.host, remote.port))
        asyncio.get_running_loop().add_reader(self._socket, self._read)

    @property
    def address(self) -> Address:
        return Address(*self._socket.getsockname()[:2])

    def send(self, datagram: bytes) -> None:
        self._socket.send(datagram)

    def _read(self) -> None:
        for _ in range(64):
            try:
                datagram = self._socket.recv(4096)
            except (BlockingIOError, ConnectionRefusedError):
                return
            self.receive(datagram)

    async def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()


class TcpWire(Wire):
    def __init__(
        self, receive: Callable[[bytes], None], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        super().__init__(receive)
        self._reader = reader
        self._writer = writer
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def connect(cls, receive: Callable[[bytes], None], remote: Address) -> TcpWire:
        return cls(receive, *await asyncio.open_connection(remote.host, remote.port))

    @property
    def is_closed(self) -> bool:
        return self._reading.done()

    def send(self, datagram: bytes) -> None:
        self._writer.write(framed(datagram))

    def send_unframed(self, data: bytes) -> None:
        self._writer.write(data)

    def pause(self) -> None:
        """Reads nothing any more: the kernel's buffers fill, then the engine's."""
        self._writer.transport.pause_reading()  # type: ignore[attr-defined]  # a stream's transport can

    async def _read(self) -> None:
        deframer = Deframer()
        try:
            while data := await self._reader.read(65536):
                for frame in deframer.feed(data):
                    self.receive(frame)
        except ConnectionError:
            return

    async def close(self) -> None:
        self._writer.transport.abort()
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)


@dataclass
class Peer:
    """One participant's side of a transport. ``answers``: whether it answers checks, as a browser does that is there.
    What it receives is kept by kind, decrypted."""

    wire: Wire | None = None
    ice: IceCredentials = field(default_factory=lambda: IceCredentials(os.urandom(4).hex(), os.urandom(12).hex()))
    engine_ice: IceCredentials | None = None
    srtp: Srtp = field(default_factory=Srtp)
    answers: bool = True
    stun_answers: list[Message] = field(default_factory=list)
    checks: list[Message] = field(default_factory=list)
    dtls: list[bytes] = field(default_factory=list)
    rtp: list[Packet] = field(default_factory=list)
    compounds: list[Compound] = field(default_factory=list)
    unreadable: int = 0
    wires: list[Wire] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def rtcp(self) -> list[RtcpPacket]:
        return [packet for compound in self.compounds for packet in compound.packets]

    def said(self, kind: type[Said]) -> list[Said]:
        return [packet for packet in self.rtcp if isinstance(packet, kind)]

    def packets_of(self, ssrc: int) -> list[Packet]:
        return [packet for packet in self.rtp if packet.header.ssrc == ssrc]

    def check(self, *, nominates: bool = True, ice: IceCredentials | None = None, password: str | None = None) -> None:
        remote = ice or self.engine_ice
        assert remote is not None
        message = Message(
            stun.Kind.REQUEST,
            os.urandom(12),
            username=f"{remote.ufrag}:{self.ice.ufrag}".encode(),
            priority=1,
            nominates=nominates,
            claim=CONTROLLING,
        )
        self.send(stun.build(message, (password or remote.password).encode()))

    def send(self, datagram: bytes) -> None:
        assert self.wire is not None
        self.wire.send(datagram)

    def send_rtp(self, packet: bytes) -> None:
        self.send(self.srtp.protect(packet))

    def send_rtcp(self, packets: Iterable[RtcpPacket]) -> None:
        self.send(self.srtp.protect_rtcp(build(packets)))

    def receive(self, datagram: bytes) -> None:
        kind = kind_of(datagram)
        try:
            if kind is Kind.STUN:
                self._stun(datagram)
            elif kind is Kind.DTLS:
                self.dtls.append(datagram)
            elif kind is Kind.RTCP:
                self.compounds.append(parse_rtcp(self.srtp.unprotect_rtcp(datagram)))
            else:
                self.rtp.append(Packet.parse(self.srtp.unprotect(datagram)))
        except (pylibsrtp.Error, BadPacket):
            self.unreadable += 1
        self._changed.set()

    def _stun(self, datagram: bytes) -> None:
        received = stun.parse(datagram)
        message = received.message
        if message.kind is not stun.Kind.REQUEST:
            self.stun_answers.append(message)
            return
        assert received.is_authentic(self.ice.password.encode())
        self.checks.append(message)
        if self.answers:
            self.answer(message)

    def answer(self, check: Message) -> None:
        # What the address looks like from here is of no interest to the engine.
        answer = Message(stun.Kind.SUCCESS, check.transaction, mapped=("192.0.2.1", 9))
        self.send(stun.build(answer, self.ice.password.encode()))

    async def close(self) -> None:
        for wire in self.wires:
            await wire.close()

    async def until(self, holds: Callable[[], object], patience: float = PATIENCE) -> None:
        """Looked at whenever something came, and ten times a second."""
        async with asyncio.timeout(patience):
            while not holds():
                self._changed.clear()
                try:
                    await asyncio.wait_for(self._changed.wait(), 0.1)
                except TimeoutError:
                    continue
