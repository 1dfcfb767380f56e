"""Datagrams of peers that have passed ICE: decrypted, understood, handed to whom they concern."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from media import rtcp
from media.engine import Address, Connected, ConsentLost, DtlsDatagram, TransportId
from media.icevalues import Path
from media.portable.events import Events
from media.portable.forwarding import Forwarding
from media.portable.holdings import Holdings, Outlet, Peer
from media.portable.network import Network
from media.portable.outbox import Outbox
from media.rtcp import (
    FullIntraRequest,
    Nack,
    PictureLoss,
    ReceiverReport,
    Remb,
    ReportBlock,
    SenderReport,
)
from media.rtp import Kind, Packet


class Receiving:
    """media.portable.network.Receiver. ``connect`` says by which network answers go; there is one."""

    def __init__(
        self, holdings: Holdings, forwarding: Forwarding, events: Events, outbox: Outbox, drops: Counter[str]
    ) -> None:
        self._holdings = holdings
        self._forwarding = forwarding
        self._events = events
        self.received = outbox.flush
        self._drops = drops
        self._network: Network | None = None
        self._readers: Mapping[type[rtcp.Packet], Callable[[Peer, Any, float], None]] = {
            SenderReport: self._sender_report,
            ReceiverReport: self._receiver_report,
            Nack: self._nack,
            PictureLoss: self._picture_loss,
            FullIntraRequest: self._full_intra_request,
            Remb: self._remb,
        }

    def connect(self, network: Network) -> None:
        self._network = network

    def dtls(self, transport: int, data: memoryview, path: Path) -> None:
        peer = self._holdings.peers.get(TransportId(transport))
        if peer is None or self._network is None:
            return
        peer.transport.heard_dtls(path, self._network.wire(path))
        self._events.add(DtlsDatagram(TransportId(transport), bytes(data)))

    def selected(self, transport: int, path: Path, now: float) -> None:
        peer = self._holdings.peers.get(TransportId(transport))
        if peer is None or self._network is None:
            return
        peer.transport.move(path, self._network.wire(path))
        is_tcp = self._network.is_tcp(path)
        self._events.add(Connected(peer.transport.id, Address(path.host, path.port), is_tcp))
        self._forwarding.begin(peer, now)

    def consent_lost(self, transport: int) -> None:
        peer = self._holdings.peers.get(TransportId(transport))
        if peer is not None:
            peer.transport.halt()
            self._events.add(ConsentLost(peer.transport.id))

    def rtp(self, transport: int, data: bytes | memoryview, now: float, came: float) -> None:
        """Raises BadPacket."""
        peer = self._holdings.peers[TransportId(transport)]
        if not peer.transport.has_keys:
            peer.transport.keep_early(Kind.RTP, data)
            return
        # First of all who it is from: nobody else may use up what this peer may send.
        opened = peer.transport.unprotected(data)
        if not peer.transport.rtp_allowance.take(1, now):
            self._drops["rtp_flood"] += 1
            return
        came = peer.transport.in_order(came)
        packet = Packet.parse(opened)
        identifier = peer.transport.transport_wide
        if identifier is not None:
            counted = packet.extensions.get(identifier)
            if counted is not None and len(counted) == 2:
                peer.transport.feedback.arrived(counted[0] << 8 | counted[1], packet.header.ssrc, came)
        source = peer.router.route(packet, came)
        if source is not None:
            self._forwarding.forward(peer.tracks[source], source.receive(packet, came), now)

    def rtcp(self, transport: int, data: bytes | memoryview, now: float) -> None:
        """Raises BadPacket."""
        peer = self._holdings.peers[TransportId(transport)]
        if not peer.transport.has_keys:
            peer.transport.keep_early(Kind.RTCP, data)
            return
        compound = peer.transport.unprotected_rtcp(data)
        if not peer.transport.rtcp_allowance.take(1, now):
            self._drops["rtcp_flood"] += 1
            return
        for packet in rtcp.parse(compound).packets:
            reader = self._readers.get(type(packet))
            if reader is not None:
                reader(peer, packet, now)

    def _sender_report(self, peer: Peer, report: SenderReport, now: float) -> None:
        source = peer.router.source_of(report.ssrc)
        if source is not None:
            source.sender_report(report.ssrc, report.ntp, report.rtp_timestamp, now)
        self._heard(peer, report.blocks, now)

    def _receiver_report(self, peer: Peer, report: ReceiverReport, now: float) -> None:
        self._heard(peer, report.blocks, now)

    def _heard(self, peer: Peer, blocks: Sequence[ReportBlock], now: float) -> None:
        ours = [block for block in blocks if block.ssrc in peer.outlets]
        for block in ours:
            peer.outlets[block.ssrc].sink.heard(block, now)
        peer.congestion.heard(ours, now)

    def _remb(self, peer: Peer, remb: Remb, now: float) -> None:
        peer.congestion.estimated(remb.bitrate, now)

    def _nack(self, peer: Peer, nack: Nack, now: float) -> None:
        outlet = peer.outlets.get(nack.media_ssrc)
        if outlet is not None:
            self._forwarding.repair(outlet, nack.lost, now)

    def _picture_loss(self, peer: Peer, loss: PictureLoss, now: float) -> None:
        self._refresh(peer.outlets.get(loss.media_ssrc), now)

    def _full_intra_request(self, peer: Peer, request: FullIntraRequest, now: float) -> None:
        for one in request.requests:
            self._refresh(peer.outlets.get(one.ssrc), now)

    def _refresh(self, outlet: Outlet | None, now: float) -> None:
        if outlet is not None:
            outlet.sink.refresh()
            self._forwarding.look(outlet, now)
