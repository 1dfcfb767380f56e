"""What peers are told: what came of theirs, what is missing, when a key frame is needed, the clock of what is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from media.portable.holdings import Holdings, Outlet, Peer
from media.rtcp import Description, Packet, ReceiverReport, ReportBlock, SenderReport, SourceDescription

# RFC 3550 section 6.2 has five seconds at least, RFC 4585 section 3.5.2 lets it be less; browsers tell as often.
REPORTS_EVERY: Final = 1.0
# The count of an RTCP header has five bits.
MOST_BLOCKS: Final = 31


class Reporting:
    """``round_trip`` is that of ICE. ``name`` is our canonical name as a receiver (RFC 7022)."""

    def __init__(self, holdings: Holdings, round_trip: Callable[[int], float | None], name: str) -> None:
        self._holdings = holdings
        self._round_trip = round_trip
        self._name = name

    def tell(self, now: float) -> None:
        """Some times in each round trip: whatever is due."""
        for peer in self._holdings.peers:
            if peer.transport.can_send:
                groups = [*self._feedback(peer, now), *self._reports(peer, now)]
                if groups:
                    peer.transport.send_rtcp(groups)

    def ask(self, peer: Peer, now: float) -> None:
        """What cannot wait: somebody sees nothing until the key frame has come."""
        if peer.transport.can_send:
            peer.transport.send_rtcp([[request] for request in self._requests(peer, now)])

    def _feedback(self, peer: Peer, now: float) -> Iterator[Sequence[Packet]]:
        for feedback in peer.transport.feedback.collect(now):
            yield (feedback,)
        for request in self._requests(peer, now):
            yield (request,)

    def _requests(self, peer: Peer, now: float) -> Iterator[Packet]:
        round_trip = self._round_trip(peer.transport.id)
        for source in peer.tracks:
            due = source.due()
            if due is not None and now >= due:
                yield from source.requests(now, round_trip, peer.transport.ssrc)

    def _reports(self, peer: Peer, now: float) -> Iterator[Sequence[Packet]]:
        """Each group can stand at the head of a compound packet."""
        if now - peer.reported_at < REPORTS_EVERY:
            return
        peer.reported_at = now
        blocks = [block for source in peer.tracks for block in source.reports(now)]
        for at in range(0, len(blocks), MOST_BLOCKS):
            yield self._receiver_report(peer, blocks[at : at + MOST_BLOCKS])
        for outlet in peer.outlets.values():
            report = self._sender_report(outlet, now)
            if report is not None:
                yield report, _described(report.ssrc, outlet.sink.format.stream)

    def _receiver_report(self, peer: Peer, blocks: Sequence[ReportBlock]) -> Sequence[Packet]:
        ssrc = peer.transport.ssrc
        return ReceiverReport(ssrc, tuple(blocks)), _described(ssrc, self._name)

    def _sender_report(self, outlet: Outlet, now: float) -> SenderReport | None:
        """By the clock of what flows: none before its publisher has told it."""
        flowing = outlet.sink.flowing
        track = None if flowing is None else self._holdings.tracks.get(flowing[0])
        if flowing is None or track is None:
            return None
        return outlet.sink.report(track.source.clock(flowing[1]), now)


def _described(ssrc: int, name: str) -> SourceDescription:
    return SourceDescription((Description(ssrc, cname=name),))
