"""The other side of DTLS, as clients are: aiortc's transport, joined to our endpoint by callbacks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from aiortc import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport

from media.dtls import DtlsEndpoint, DtlsIdentity
from media.sdp.model import Fingerprint

Loss = Callable[[bytes], bool]


def nothing_is_lost(_datagram: bytes) -> bool:
    return False


def losing(*numbers: int) -> Loss:
    """The datagrams of these numbers, counted from 0."""
    count = iter(range(10_000))
    return lambda _datagram: next(count) in numbers


@dataclass
class Wire:
    """What aiortc calls an ICE transport. ``lost`` decides on what the client says."""

    deliver: Callable[[bytes], None]
    lost: Loss = nothing_is_lost
    role: str = "controlling"
    inbox: asyncio.Queue[bytes | None] = field(default_factory=asyncio.Queue)
    sent: list[bytes] = field(default_factory=list)

    async def _recv(self) -> bytes:
        datagram = await self.inbox.get()
        if datagram is None:
            raise ConnectionError
        return datagram

    async def _send(self, datagram: bytes) -> None:
        self.sent.append(datagram)
        if not self.lost(datagram):
            self.deliver(datagram)


@dataclass
class Pair:
    """An endpoint of ours and a client on one wire."""

    endpoint: DtlsEndpoint
    client: RTCDtlsTransport
    wire: Wire
    expected: RTCDtlsParameters
    said: list[bytes]
    ends: list[str]

    async def shake_hands(self) -> None:
        await asyncio.gather(self.client.start(self.expected), self.endpoint.connect(10))

    async def close(self) -> None:
        await self.endpoint.close()
        self.wire.inbox.put_nowait(None)
        pump = self.client._task
        await self.client.stop()
        if pump is not None:
            with suppress(asyncio.CancelledError):
                await pump


def fingerprints(certificate: RTCCertificate, *algorithms: str) -> Iterator[Fingerprint]:
    for one in certificate.getFingerprints():
        if one.algorithm in algorithms:
            yield Fingerprint(one.algorithm, bytes.fromhex(one.value.replace(":", "")))


def made_pair(
    identity: DtlsIdentity,
    *,
    lost_up: Loss = nothing_is_lost,
    lost_down: Loss = nothing_is_lost,
    expect_client: tuple[Fingerprint, ...] | None = None,
) -> Pair:
    certificate = RTCCertificate.generateCertificate()
    said: list[bytes] = []
    ends: list[str] = []

    def to_client(datagram: bytes) -> None:
        said.append(datagram)
        if not lost_down(datagram):
            wire.inbox.put_nowait(datagram)

    expected = tuple(fingerprints(certificate, "sha-256")) if expect_client is None else expect_client
    endpoint = DtlsEndpoint(identity, expected, to_client, on_closed=ends.append)
    wire = Wire(endpoint.receive, lost_up)
    client = RTCDtlsTransport(wire, [certificate])  # type: ignore[arg-type]
    client._set_role("client")
    ours = identity.fingerprint
    return Pair(
        endpoint,
        client,
        wire,
        RTCDtlsParameters([RTCDtlsFingerprint(ours.algorithm, ours.digest.hex(":").upper())]),
        said,
        ends,
    )
