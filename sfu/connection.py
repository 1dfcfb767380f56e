"""One participant's connection for media: its transport in the engine, DTLS, and what was negotiated over it."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from kernel.errors import Overloaded
from media.datachannels import DataChannels
from media.dtls import DtlsEndpoint, DtlsFailed
from media.engine import (
    Connected,
    ConsentLost,
    DtlsDatagram,
    GateRule,
    Gone,
    IceCredentials,
    Layer,
    SinkId,
    SourceFormat,
    SourceId,
    Switched,
    TransportId,
    TransportKind,
)
from media.sdp.answer import LocalTransport, SlotLine, answer
from media.sdp.model import BadOffer, Offer
from media.sdp.negotiation import Agreement, Data, is_ice_restart, require_successor
from sfu import describing
from sfu.admission import Admission, require_capacity
from sfu.describing import Given
from sfu.node import Node
from sfu.refusals import refused
from sfu.requests import OpenSlot, Publication, Receive
from sfu.rooms import Mode
from sfu.slots import Slot
from sfu.sources import Source

# The client's ICE comes first, and that takes browsers up to half a minute before they give up.
HANDSHAKE_SECONDS: Final = 30.0
# A section that was stopped may be used anew, with a sink that is new: so often until another connection is due.
MOST_SINKS: Final = 128


@dataclass(frozen=True, slots=True)
class Sending:
    """A track that the participant sends here."""

    announced: Publication
    source: SourceId
    format: SourceFormat


@dataclass(frozen=True, slots=True)
class Outcome:
    """``moved`` are tracks that were there before, and come by another source now. ``emptied`` are the mids in which
    nothing flows any more, though something may have."""

    sdp: str
    slots: tuple[OpenSlot, ...]
    added: tuple[Sending, ...] = ()
    moved: tuple[Sending, ...] = ()
    removed: tuple[str, ...] = ()
    emptied: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _OpenedSlot:
    given: Given
    line: SlotLine
    sink: SinkId

    @property
    def slot(self) -> Slot:
        return Slot(self.given.mid, self.given.kind, self.line.stream)


@dataclass(frozen=True, slots=True)
class _Plan:
    """A negotiation of which nothing is refused any more."""

    offer: Offer
    agreement: Agreement
    formats: Mapping[str, SourceFormat]
    slots: Sequence[Given]
    fresh: Sequence[Given]


def _nature(announced: Publication) -> tuple[Source, bool]:
    return announced.source, announced.encrypted


class Connection:
    """``on_lost`` is told once, and why, when the connection ended without us; ``on_text`` is given label and text of
    what comes over data channels. ``gate`` is for whatever is published; None lets clear media through."""

    def __init__(
        self,
        node: Node,
        gate: GateRule | None,
        *,
        on_lost: Callable[[str], None],
        on_text: Callable[[str, str], None],
    ) -> None:
        self.has_consent = False
        self.was_connected = False
        self.without_consent_since = node.now()
        self.is_secured = False
        self.is_closed = False
        self.sending: dict[str, Sending] = {}
        self.flowing: dict[SinkId, tuple[SourceId | None, Layer | None]] = {}
        self._node = node
        self._gate = gate
        self._on_lost = on_lost
        self._on_text = on_text
        self._channels: DataChannels | None = None
        self._data: Data | None = None
        self._transport: TransportId | None = None
        self._endpoint: DtlsEndpoint | None = None
        self._credentials = IceCredentials("", "")
        self._offer: Offer | None = None
        self._session = secrets.randbits(62)
        self._version = 0
        self._opened: dict[str, _OpenedSlot] = {}
        self._current: tuple[str, ...] = ()
        self._sinks: list[SinkId] = []
        self._rounds = 0
        self._ssrcs: set[int] = set()

    @property
    def transport(self) -> TransportId | None:
        return self._transport

    @property
    def slots(self) -> tuple[Slot, ...]:
        return tuple(self._opened[mid].slot for mid in self._current)

    def sink(self, mid: str) -> SinkId:
        return self._opened[mid].sink

    def is_given_up(self, offer: Offer) -> bool:
        """Nobody is at the other end, and the client comes with another certificate: its goodbye was lost."""
        if self._offer is None or self.has_consent or not self.was_connected:
            return False
        return offer.transport.fingerprints != self._offer.transport.fingerprints

    def negotiate(
        self, offer: Offer, mode: Mode, admission: Admission, publish: Sequence[Publication], receive: Receive
    ) -> Outcome:
        """Raises BadOffer and refusals, and has then changed nothing."""
        plan = self._plan(offer, mode, admission, publish, receive)
        self._connect(offer)
        added, moved, removed = self._publish(publish, plan.formats)
        emptied = self._open(plan)
        self._data = plan.agreement.data
        self._open_channels()
        self._offer = offer
        self._version += 1
        local = LocalTransport(
            self._session,
            self._version,
            self._credentials.ufrag,
            self._credentials.password,
            self._node.identity.fingerprint,
            self._node.advertised,
        )
        lines = {mid: self._opened[mid].line for mid in self._current}
        slots = tuple(OpenSlot(slot.mid, slot.kind, slot.stream) for slot in self.slots)
        return Outcome(answer(plan.agreement, local, lines), slots, added, moved, removed, emptied)

    def heard(self, event: DtlsDatagram | Connected | ConsentLost) -> None:
        match event:
            case DtlsDatagram(data=data):
                if self._endpoint is not None:
                    self._endpoint.receive(data)
            case Connected():
                self.has_consent = self.was_connected = True
            case ConsentLost():
                self.has_consent, self.without_consent_since = False, self._node.now()

    def switched(self, event: Switched) -> None:
        self.flowing[event.sink] = (event.source, event.layer)

    def has_channel(self, *, reliable: bool) -> bool:
        return self._channels is not None and self._channels.is_open(reliable=reliable)

    def send_text(self, text: str, *, reliable: bool) -> None:
        """Where that channel is open; else it is lost and counted."""
        if self._channels is not None:
            self._channels.send(text, reliable=reliable)

    def remove(self, cid: str) -> None:
        sending = self.sending.pop(cid)
        self._node.sources.pop(sending.source, None)
        self._node.engine.remove_source(sending.source)

    def close(self) -> None:
        """What was sent over it is gone when this returns; the transport itself as soon as goodbye was said."""
        if self.is_closed:
            return
        self.is_closed = True
        for cid in list(self.sending):
            self.remove(cid)
        if self._transport is None or self._endpoint is None:
            return
        del self._node.transports[self._transport]
        for sink in self._sinks:
            del self._node.sinks[sink]
        self._node.count(transports=-1, slots=-len(self._sinks))
        self._node.spawn(self._say_goodbye(self._transport, self._endpoint))

    def _plan(
        self, offer: Offer, mode: Mode, admission: Admission, publish: Sequence[Publication], receive: Receive
    ) -> _Plan:
        if self._offer is not None:
            require_successor(self._offer, offer)
        agreement = describing.agreed(offer, mode, admission, publish, receive, estimator=self._node.estimator)
        for one in publish:
            before = self.sending.get(one.cid)
            if before is not None and _nature(before.announced) != _nature(one):
                raise BadOffer("publication_changed", f"{one.cid} was announced as something else")
        slots = describing.given(agreement)
        known = {mid: opened.given for mid, opened in self._opened.items()}
        fresh = [one for one in slots if known.get(one.mid) != one]
        if len(self._sinks) + len(fresh) > MOST_SINKS:
            raise BadOffer("too_many_slots", "another connection is due")
        is_first = self._transport is None
        require_capacity(self._node.load, self._node.bounds, transports=int(is_first), slots=len(fresh))
        return _Plan(offer, agreement, describing.source_formats(agreement, publish), slots, fresh)

    def _connect(self, offer: Offer) -> None:
        remote = IceCredentials(offer.transport.ufrag, offer.transport.password)
        engine = self._node.engine
        if self._transport is not None:
            if self._offer is not None and is_ice_restart(self._offer, offer):
                self._credentials = engine.restart_ice(self._transport, remote)
            return
        try:
            self._transport, self._credentials = engine.create_transport(TransportKind.BROWSER, remote)
        except Overloaded as full:
            raise refused("node_overloaded", full.detail) from full
        self._node.transports[self._transport] = self
        self._node.count(transports=1)
        self._endpoint = DtlsEndpoint(
            self._node.identity, offer.transport.fingerprints, self._send_dtls, on_closed=self._lose
        )
        self._node.spawn(self._secure(self._transport, self._endpoint))

    def _publish(
        self, publish: Sequence[Publication], formats: Mapping[str, SourceFormat]
    ) -> tuple[tuple[Sending, ...], tuple[Sending, ...], tuple[str, ...]]:
        """What came, what moved and what is gone."""
        before = self.sending
        announced = {one.cid: one for one in publish}
        removed = tuple(cid for cid in before if cid not in announced)
        changed = [one for one in publish if one.cid in before and before[one.cid].format != formats[one.mid]]
        # A section may have changed hands: what was there makes room first.
        for cid in (*removed, *(one.cid for one in changed)):
            self.remove(cid)
        moved = tuple(self._add(one, formats[one.mid]) for one in changed)
        added = tuple(self._add(one, formats[one.mid]) for one in publish if one.cid not in self.sending)
        for one in publish:
            self.sending[one.cid] = replace(self.sending[one.cid], announced=one)
        return added, moved, removed

    def _add(self, announced: Publication, sent: SourceFormat) -> Sending:
        engine = self._node.engine
        source = engine.add_source(self._require_transport(), sent)
        if self._gate is not None:
            engine.set_gate(source, self._gate)
        sending = self.sending[announced.cid] = Sending(announced, source, sent)
        return sending

    def _open(self, plan: _Plan) -> frozenset[str]:
        fresh = {one.mid for one in plan.fresh}
        staying = {one.mid for one in plan.slots} - fresh
        emptied = frozenset(mid for mid in self._current if mid not in staying)
        for mid in emptied:
            self._node.engine.assign(self._opened[mid].sink, None)
        streams = describing.streams(plan.fresh, self._rounds)
        theirs = {ssrc for section in plan.offer.sections for ssrc in section.ssrcs}
        lines = [
            SlotLine(self._new_ssrc(theirs), self._new_ssrc(theirs), streams[one.mid], f"{one.kind.value}-{one.mid}")
            for one in plan.fresh
        ]
        formats = [one.sink_format(line) for one, line in zip(plan.fresh, lines, strict=True)]
        sinks = self._node.engine.add_sinks(self._require_transport(), formats) if formats else ()
        for one, line, sink in zip(plan.fresh, lines, sinks, strict=True):
            self._opened[one.mid] = _OpenedSlot(one, line, sink)
            self._node.sinks[sink] = self
        self._sinks.extend(sinks)
        self._rounds += bool(sinks)
        self._node.count(slots=len(sinks))
        self._current = tuple(one.mid for one in plan.slots)
        return emptied

    def _new_ssrc(self, theirs: set[int]) -> int:
        """Never one that was used with these keys before: the same number with other packets would break their
        secrecy (RFC 3711 section 9.1)."""
        while (ssrc := secrets.randbits(32)) in self._ssrcs or ssrc in theirs or not ssrc:
            pass
        self._ssrcs.add(ssrc)
        return ssrc

    def _require_transport(self) -> TransportId:
        if self._transport is None:
            raise Gone("there is no transport yet")
        return self._transport

    def _send_dtls(self, datagram: bytes) -> None:
        if self._transport is not None:
            self._node.engine.send_dtls(self._transport, datagram)

    async def _secure(self, transport: TransportId, endpoint: DtlsEndpoint) -> None:
        try:
            keys = await endpoint.connect(HANDSHAKE_SECONDS)
        except DtlsFailed as failed:
            self._node.meters.handshake(failed.code)
            return
        self._node.meters.handshake("done")
        if not self.is_closed:
            self._node.engine.set_srtp(transport, keys)
            self.is_secured = True
            self._open_channels()

    def _open_channels(self) -> None:
        if self._data is None or not self.is_secured or self._channels is not None or self._endpoint is None:
            return
        self._channels = DataChannels(self._endpoint, on_message=self._on_text)
        opening = self._channels.open(remote_port=self._data.port, largest_message=self._data.max_message_size)
        self._node.spawn(opening)

    def _lose(self, why: str) -> None:
        if not self.is_closed:
            self._on_lost(why)

    async def _say_goodbye(self, transport: TransportId, endpoint: DtlsEndpoint) -> None:
        drops = Counter(endpoint.drops)
        if self._channels is not None:
            await self._channels.close()
            drops += self._channels.drops
        await endpoint.close()
        self._node.engine.close_transport(transport)
        self._node.meters.connection_dropped(drops)
