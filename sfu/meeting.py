"""One live room: who is in it, what they publish, and what each of them is told of the others.

Whoever is hidden is told everything and nobody is told of them. Of tracks only those are told who may hear them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from media.engine import Gated, GateRule
from media.framekeys import key_id
from media.gate import MessageGate
from media.sdp.model import Offer
from sfu import notices
from sfu.admission import AUDIO_SLOTS, MESSAGE_BYTES, VIDEO_SLOTS, Admission, may_hear, require_place
from sfu.connection import Connection, Outcome
from sfu.dynacast import Dynacast
from sfu.floor import Floor
from sfu.node import Node
from sfu.notices import Departure, Ended, Ending, MutedBy, Notice, Tell
from sfu.participants import LiveTrack, Participant, Seat
from sfu.refusals import refused
from sfu.requests import Negotiated, Publication, Published, Receive
from sfu.rooms import Mode, Room
from sfu.shortlist import Ranking
from sfu.slots import LAST_PLACE, Candidate
from sfu.speakers import Heard

_LIMITS: Final = notices.Limits(AUDIO_SLOTS, VIDEO_SLOTS, MESSAGE_BYTES)
# Of the key that one sends with now, and the next.
_EPOCHS: Final = (0, 1)
# Words of media.dtls; others come once it stands.
_HANDSHAKE_FAILURES: Final = frozenset(
    {"fingerprint_mismatch", "no_srtp_profile", "handshake_failed", "handshake_timeout"}
)


def key_ids(admission: Admission) -> tuple[int, ...]:
    """Under which somebody may send into a Secure room; none without what they announced."""
    if admission.e2ee is None:
        return ()
    return tuple(key_id(admission.e2ee.kid_prefix, epoch) for epoch in _EPOCHS)


class Meeting:
    """``version`` grows with whatever may change who has which slot. ``empty_since`` is None while anybody is there."""

    def __init__(self, node: Node, room: Room) -> None:
        self.room = room
        self.participants: dict[str, Participant] = {}
        self.waiting: dict[str, Participant] = {}
        self.tracks: dict[str, LiveTrack] = {}
        self.version = 0
        self.empty_since: float | None = node.now()
        self.floor = Floor()
        self.dynacast: Dynacast[str] = Dynacast()
        self._ranking: tuple[int, Ranking] | None = None
        self._node = node

    @property
    def mode(self) -> Mode:
        return self.room.plan.mode

    def may_hear(self, participant: Participant) -> bool:
        return may_hear(self.mode, participant.admission)

    @property
    def ranking(self) -> Ranking:
        """Made once for all subscribers, until the next change."""
        if self._ranking is None or self._ranking[0] != self.version:
            self._ranking = self.version, _ranked(self.tracks.values(), self.floor.heard)
        return self._ranking[1]

    def join(self, admission: Admission, tell: Tell) -> Participant:
        """Nothing is told to whoever joins. They wait where the room has a waiting room, unless they moderate it."""
        older = [one for one in self._everybody() if one.admission.identity == admission.identity]
        counted = sum(not one.is_hidden for one in self._everybody() if one not in older)
        load = replace(self._node.load, participants=self._node.load.participants - len(older))
        require_place(self.room.plan, 0 if admission.grants.hidden else counted, load, self._node.bounds)
        for one in older:
            self.depart(one, Departure.REPLACED, Ending.REPLACED)
        participant = Participant(
            id=str(self._node.ids.next()),
            admission=admission,
            joined_at=self._node.clock.now(),
            tell=tell,
            name=admission.name,
            metadata=admission.metadata,
        )
        if self.mode is Mode.SECURE and admission.e2ee is not None:
            participant.message_gate = MessageGate(key_ids(admission))
        self.empty_since = None
        self._node.count(participants=1)
        if self.room.plan.waiting_room and not admission.grants.moderate:
            self.waiting[participant.id] = participant
        else:
            self._enter(participant)
        return participant

    def admit(self, participant: str) -> None:
        """Lets somebody in who waits. Refused: ``unknown_participant``."""
        found = self.waiting.pop(participant, None)
        if found is None:
            raise refused("unknown_participant", "Nobody of that id is waiting.")
        self._enter(found)
        found.tell(notices.Admitted(self.joined(found)))

    def remove(self, participant: str) -> None:
        """Somebody who may has had them removed. Refused: ``unknown_participant``."""
        found = self.participants.get(participant) or self.waiting.get(participant)
        if found is None:
            raise refused("unknown_participant", "Nobody of that id is here.")
        self.depart(found, Departure.KICKED, Ending.KICKED)

    def joined(self, participant: Participant) -> notices.Joined:
        """How the room looks to them now."""
        plan = self.room.plan
        others = [one for one in self.participants.values() if one is not participant and not one.is_hidden]
        tracks = [track.view() for track in self.tracks.values() if track.publisher is not participant]
        return notices.Joined(
            participant=participant.view(),
            room=notices.Room(self.room.id, plan.name, plan.mode, plan.metadata, plan.max_participants),
            participants=tuple(one.view() for one in others),
            tracks=tuple(tracks) if self.may_hear(participant) else (),
            speakers=tuple(one for one in self.floor.told if one.participant in self.participants),
            limits=_LIMITS,
        )

    def depart(self, participant: Participant, reason: Departure, ending: Ending | None = None) -> None:
        """``ending`` is what they are told themselves, if anything. Somebody who is not there is passed over."""
        if self.waiting.pop(participant.id, None) is None and self.participants.get(participant.id) is not participant:
            return
        self._drop_connection(participant)
        is_known = self.participants.pop(participant.id, None) is not None and not participant.is_hidden
        if is_known:
            self.tell_all(notices.ParticipantLeft(participant.id, reason))
        self._node.count(participants=-1)
        self._node.meters.left(reason.value)
        self.version += 1
        if ending is not None:
            participant.tell(Ended(ending))
        if not self.participants and not self.waiting:
            self.empty_since = self._node.now()

    def end(self, reason: Ending) -> None:
        """For everybody at once: nobody is told of the others' leaving."""
        everybody = tuple(self._everybody())
        # First of all, or every track that ends would be looked for in what everybody wants.
        self.participants.clear()
        self.waiting.clear()
        for participant in everybody:
            self._drop_connection(participant, tells=False)
            self._node.count(participants=-1)
            self._node.meters.left(reason.value)
            participant.tell(Ended(reason))
        self.empty_since = self._node.now()

    def negotiate(
        self, participant: Participant, offer: Offer, publish: Sequence[Publication], receive: Receive
    ) -> Negotiated:
        """Raises BadOffer and refusals, and has then changed nothing."""
        connection = participant.connection
        if connection is None or connection.is_given_up(offer):
            rule = GateRule(key_ids(participant.admission)) if self.mode is Mode.SECURE else None
            connection = Connection(
                self._node, rule, on_lost=partial(self._lost_connection, participant), on_text=participant.on_text
            )
        outcome = connection.negotiate(offer, self.mode, participant.admission, publish, receive)
        if participant.connection is not connection:
            self._drop_connection(participant)
            participant.connection = connection
        self._take(participant, connection, outcome)
        ids = {track.announced.cid: track.id for track in participant.tracks.values()}
        return Negotiated(outcome.sdp, tuple(Published(one.cid, ids[one.cid]) for one in publish), outcome.slots)

    def unpublish(self, track: LiveTrack) -> None:
        connection = track.publisher.connection
        if connection is not None:
            connection.remove(track.announced.cid)
        self._forget(track)

    def set_muted(self, track: LiveTrack, by: MutedBy | None) -> None:
        """``by`` None lets it flow again; one that the gate had muted is judged anew."""
        if (track.muted_by is None) == (by is None):
            return
        if by is None and track.muted_by is MutedBy.GATE:
            self._node.engine.set_gate(track.source, GateRule(key_ids(track.publisher.admission)))
        self._node.engine.mute_source(track.source, muted=by is not None)
        if by is None:
            track.expect(track.asked, self._node.now())
        self._note_muted(track, by, told_by=by or MutedBy.PUBLISHER)

    def update(self, participant: Participant) -> None:
        """Something of them changed that the others see."""
        if not participant.is_hidden:
            self.tell_all(notices.ParticipantUpdated(participant.view()), but=participant)

    def tell_all(self, notice: Notice, but: Participant | None = None) -> None:
        for one in list(self.participants.values()):
            if one is not but:
                one.tell(notice)

    def tell_hearers(self, notice: Notice, but: Participant | None = None) -> None:
        for one in list(self.participants.values()):
            if one is not but and self.may_hear(one):
                one.tell(notice)

    def _everybody(self) -> Iterable[Participant]:
        return (*self.participants.values(), *self.waiting.values())

    def _enter(self, participant: Participant) -> None:
        self.participants[participant.id] = participant
        self.version += 1
        if not participant.is_hidden:
            self.tell_all(notices.ParticipantJoined(participant.view()), but=participant)

    def _take(self, participant: Participant, connection: Connection, outcome: Outcome) -> None:
        """What a negotiation changed."""
        by_cid = {track.announced.cid: track for track in participant.tracks.values()}
        for cid in outcome.removed:
            self._forget(by_cid[cid])
        for sending in connection.sending.values():
            track = by_cid.get(sending.announced.cid)
            if track is not None:
                track.announced, track.sending = sending.announced, sending
        for sending in outcome.moved:
            self._move(by_cid[sending.announced.cid])
        for sending in outcome.added:
            track = LiveTrack.published(str(self._node.ids.next()), participant, sending, self._node.now())
            self.tracks[track.id] = participant.tracks[track.id] = track
            self._own(track)
            self._node.meters.published(sending.announced.source, 1)
            self.tell_hearers(notices.TrackPublished(track.view()), but=participant)
        seat = participant.seat
        seat.held = {mid: track for mid, track in seat.held.items() if mid not in outcome.emptied}
        seat.is_stale = True
        self.version += bool(outcome.added)

    def _move(self, track: LiveTrack) -> None:
        """It comes by another source now; whoever has it in a slot keeps it there."""
        self._own(track)
        engine = self._node.engine
        if track.muted_by is not None:
            engine.mute_source(track.source, muted=True)
        for one in self.participants.values():
            for mid, held in one.seat.held.items():
                if held == track.id and one.connection is not None:
                    engine.assign(one.connection.sink(mid), track.source)

    def _own(self, track: LiveTrack) -> None:
        self._node.sources[track.source] = partial(self._gated, track)

    def _forget(self, track: LiveTrack, *, tells: bool = True) -> None:
        del self.tracks[track.id]
        del track.publisher.tracks[track.id]
        self.version += 1
        self._node.meters.published(track.announced.source, -1)
        for one in self.participants.values():
            one.forget(track.id)
        if tells:
            self.tell_hearers(notices.TrackUnpublished(track.id), but=track.publisher)

    def _gated(self, track: LiveTrack, event: Gated) -> None:
        self._node.meters.gated("track", event.reason.value, mutes=event.muted)
        track.publisher.tell(notices.Gate(track.id, event.reason.value, event.muted))
        if event.muted and track.muted_by is not MutedBy.GATE:
            identity = track.publisher.admission.identity
            self._node.audit.gate_muted(self.room.id, identity, track.id, event.reason.value)
            self._note_muted(track, MutedBy.GATE, told_by=MutedBy.GATE)

    def _note_muted(self, track: LiveTrack, by: MutedBy | None, *, told_by: MutedBy) -> None:
        track.muted_by = by
        self.version += 1
        notice = notices.TrackMuted(track.id, by is not None, told_by)
        publisher = track.publisher
        self.tell_hearers(notice, but=publisher)
        if told_by is not MutedBy.PUBLISHER:
            publisher.tell(notice)

    def _lost_connection(self, participant: Participant, why: str) -> None:
        """It ended without us; the participant may make another."""
        self._drop_connection(participant)
        known = "handshake_failed" if why in _HANDSHAKE_FAILURES else "closed"
        participant.tell(notices.Quality((), notices.ConnectionState.LOST, known))

    def _drop_connection(self, participant: Participant, *, tells: bool = True) -> None:
        for track in list(participant.tracks.values()):
            self._forget(track, tells=tells)
        if participant.connection is not None:
            participant.connection.close()
        participant.connection, participant.seat = None, Seat()


def _ranked(tracks: Collection[LiveTrack], heard: Heard[str]) -> Ranking:
    places = {participant: place for place, participant in enumerate(heard.order)}
    speaking = set(heard.speaking)
    candidates = [
        Candidate(
            track.id,
            track.publisher.id,
            track.announced.source,
            speaking=track.publisher.id in speaking,
            place=places.get(track.publisher.id, LAST_PLACE),
        )
        for track in tracks
    ]
    return Ranking(candidates, [track.id for track in tracks if track.muted_by is not None])
