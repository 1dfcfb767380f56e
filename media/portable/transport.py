"""One peer connection: its keys, its way out, and what it has sent and received."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from media.allowance import Allowance
from media.engine import SrtpKeys, TransportId
from media.errors import BadPacket
from media.feedback import FeedbackCollector
from media.icevalues import Path
from media.portable.network import Wire
from media.portable.outbox import MOST_WAITING, Outbox
from media.portable.srtp import Srtp
from media.rtcp import Packet as RtcpPacket
from media.rtcp import build
from media.rtp import Kind

# Media may overtake the end of the handshake by a round trip: some frames of a camera.
MOST_EARLY: Final = 64
# RTCP of a subscriber of fifty slots in trouble stays below; each packet may cost us a search for repairs.
RTCP_PER_SECOND: Final = 400
# IPv6's smallest path, less what IP, UDP and SRTCP add.
MOST_RTCP_BYTES: Final = 1200


class Transport:
    """``ssrc`` is what we speak under in RTCP. ``transport_wide`` is the id of the extension that counts the peer's
    packets, once a source of its has said so."""

    __slots__ = (
        "_came",
        "_drops",
        "_dtls",
        "_early",
        "_outbox",
        "_srtp",
        "_waiting",
        "_wire",
        "address",
        "feedback",
        "id",
        "path",
        "received_bytes",
        "received_packets",
        "rtcp_allowance",
        "rtp_allowance",
        "sent_bytes",
        "sent_packets",
        "ssrc",
        "transport_wide",
    )

    def __init__(
        self,
        handle: TransportId,
        ssrc: int,
        *,
        outbox: Outbox,
        drops: Counter[str],
        now: float,
        rtp_per_second: float,
    ) -> None:
        self.id = handle
        self.ssrc = ssrc
        self.rtp_allowance = Allowance(rtp_per_second, now)
        self.rtcp_allowance = Allowance(RTCP_PER_SECOND, now)
        self.feedback = FeedbackCollector(ssrc)
        self.transport_wide: int | None = None
        self.path: Path | None = None
        self.address = ("", 0)
        self.sent_packets = self.sent_bytes = 0
        self.received_packets = self.received_bytes = 0
        self._came = now
        self._drops = drops
        self._srtp: Srtp | None = None
        self._wire: Wire | None = None
        self._dtls: tuple[Wire, tuple[str, int]] | None = None
        self._outbox = outbox
        self._waiting: list[bytes] = []
        self._early: list[tuple[Kind, bytes]] = []

    @property
    def has_keys(self) -> bool:
        return self._srtp is not None

    @property
    def can_send(self) -> bool:
        return self._wire is not None and self._srtp is not None

    def set_keys(self, keys: SrtpKeys) -> Sequence[tuple[Kind, bytes]]:
        """What has waited for them, in the order in which it came. Raises ValueError the second time, and for keys
        that do not fit: a sequence number that is used twice under one key gives away both packets."""
        if self._srtp is not None:
            raise ValueError("the keys of a transport are set once")
        self._srtp = Srtp(keys, self._outbox.scratch)
        early, self._early = self._early, []
        return early

    def keep_early(self, kind: Kind, data: bytes | memoryview) -> None:
        """The first ones are kept: with a key frame they are of more use than the last."""
        if len(self._early) < MOST_EARLY:
            self._early.append((kind, bytes(data)))
        else:
            self._drops["early_full"] += 1

    def move(self, path: Path, wire: Wire | None) -> None:
        self.path = path
        self.address = path.address
        self._wire = wire

    def heard_dtls(self, path: Path, wire: Wire | None) -> None:
        """Browsers begin the handshake on a path that works, before they choose one: it is answered there."""
        self._dtls = None if wire is None else (wire, path.address)

    def halt(self) -> None:
        """Nothing is sent until it moves again, or is heard of."""
        self.path = None
        self._wire = None
        self._dtls = None

    def in_order(self, came: float) -> float:
        """Of packets by two sockets the later may be read first; whoever counts by time wants it to go on."""
        self._came = max(came, self._came)
        return self._came

    def unprotected(self, data: bytes | memoryview) -> bytes:
        """An RTP packet of its own bytes. Raises BadPacket."""
        packet = bytes(self._keyed().unprotect(data))
        self.received_packets += 1
        self.received_bytes += len(data)
        return packet

    def unprotected_rtcp(self, data: bytes | memoryview) -> bytes:
        """As ``unprotected``."""
        packet = bytes(self._keyed().unprotect_rtcp(data))
        self.received_bytes += len(data)
        return packet

    def _keyed(self) -> Srtp:
        if self._srtp is None:
            raise BadPacket("srtp_no_keys")
        return self._srtp

    def send(self, data: bytes) -> None:
        """As it is: DTLS has its own protection."""
        if self._wire is not None:
            self._wire.send(data, self.address)
        elif self._dtls is not None:
            wire, address = self._dtls
            wire.send(data, address)
        else:
            raise BadPacket("dtls_no_path")

    def send_rtp(self, packet: bytes) -> None:
        """With the others of its batch. What is dropped is counted."""
        if self._wire is None or self._srtp is None:
            self._drops["no_path"] += 1
            return
        waiting = self._waiting
        if not waiting:
            self._outbox.add(self)
        waiting.append(packet)
        if len(waiting) >= MOST_WAITING:
            self._send_waiting(self._wire, self._srtp)

    def flush(self) -> None:
        if self._wire is None or self._srtp is None:
            self._drops["no_path"] += len(self._waiting)
            self._waiting.clear()
        else:
            self._send_waiting(self._wire, self._srtp)

    def _send_waiting(self, wire: Wire, srtp: Srtp) -> None:
        """Neighbours of one length go as one run; a shorter one ends it."""
        packets, self._waiting = self._waiting, []
        run = self._outbox.run
        end = size = 0
        for packet in packets:
            try:
                data = srtp.protect(packet)
            except BadPacket as bad:
                self._drops[bad.reason] += 1
                continue
            length = len(data)
            if end and (length > size or end % size):
                self._send_run(wire, end, size)
                end = 0
            if not end:
                size = length
            run[end : end + length] = data
            end += length
        if end:
            self._send_run(wire, end, size)

    def _send_run(self, wire: Wire, end: int, size: int) -> None:
        sent = wire.send_run(self._outbox.run[:end], size, self.address)
        self.sent_packets += sent
        self.sent_bytes += min(end, sent * size)

    def send_rtcp(self, groups: Iterable[Sequence[RtcpPacket]]) -> None:
        """In as few datagrams as there must be; a group is never divided."""
        if self._wire is None or self._srtp is None:
            return
        for datagram in bundled(groups):
            data = self._srtp.protect_rtcp(datagram)
            if self._wire.send(data, self.address):
                self.sent_bytes += len(data)


def bundled(groups: Iterable[Sequence[RtcpPacket]], most_bytes: int = MOST_RTCP_BYTES) -> Iterator[bytes]:
    waiting = b""
    for group in groups:
        built = build(group)
        if waiting and len(waiting) + len(built) > most_bytes:
            yield waiting
            waiting = b""
        waiting += built
    if waiting:
        yield waiting
