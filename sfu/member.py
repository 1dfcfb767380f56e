"""A participant as whoever holds its socket sees it: what it may ask for. Everything raises errors of
``sfu.refusals`` and has then changed nothing; after the end of its stay all of it raises ``not_joined``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from media import candidates
from media.errors import BadPacket
from media.sdp.model import BadOffer
from media.sdp.parse import parse_offer
from sfu.describing import require_granted
from sfu.meeting import Meeting
from sfu.messages import Messages
from sfu.node import Node
from sfu.notices import Departure, Joined, MutedBy, Reaction
from sfu.participants import USUAL_FPS, LiveTrack, Participant, Want
from sfu.refusals import refused
from sfu.requests import Negotiated, Publication, Receive
from sfu.rooms import MAX_METADATA_BYTES, MAX_NAME


class Member(Protocol):
    @property
    def id(self) -> str: ...

    @property
    def joined(self) -> Joined | None:
        """As it was on coming in; None for one who waits to be let in, who is told ``Admitted`` later."""
        ...

    async def negotiate(self, sdp: str, publish: Sequence[Publication], receive: Receive) -> Negotiated:
        """Returns before anything is told that the answer is needed for. Refused: ``invalid_sdp`` (the detail begins
        with the reason), ``negotiation_in_progress``, ``not_granted``, ``encryption_required``,
        ``mode_forbids_clear_media``, ``too_many_tracks``, ``node_overloaded``."""
        ...

    def take_candidate(self, candidate: str, mid: str) -> None:
        """Checked for its form and forgotten: addresses are learned from checks. Refused: ``invalid_sdp``."""
        ...

    def want(self, track: str, width: int, height: int, fps: float | None = None, priority: int = 0) -> None:
        """``unknown_track``. 0 x 0 for one that is not seen and keeps its slot."""
        ...

    def unwant(self, track: str) -> None: ...

    def pin(self, track: str, *, pinned: bool) -> None: ...

    def mute(self, track: str, *, muted: bool) -> None:
        """Its own. One that the gate muted may be tried anew this way, once it says that it is not muted."""
        ...

    def unpublish(self, track: str) -> None: ...

    def set_metadata(self, metadata: str | None, name: str | None = None) -> None:
        """Without a name that stays. ``metadata_too_long``, ``invalid_name``."""
        ...

    def raise_hand(self, *, raised: bool) -> None: ...

    def react(self, emoji: str) -> None: ...

    def send_data(self, payload: bytes, to: Sequence[str] | None = None, *, reliable: bool = True) -> None:
        """``not_granted``, ``encryption_required``, ``mode_forbids_clear_media``, ``unknown_participant``,
        ``rate_limited``."""
        ...

    def leave(self) -> None:
        """Tells the others. It is not told ``Ended`` itself."""
        ...

    def socket_lost(self) -> None:
        """It stays for as long as docs/signaling.md says, is told things meanwhile, and is told ``Ended`` when that was
        too long."""
        ...

    def socket_back(self) -> None: ...


class LiveMember:
    """``Member`` of a meeting on this node."""

    def __init__(self, node: Node, meeting: Meeting, participant: Participant) -> None:
        is_inside = participant.id in meeting.participants
        self.joined = meeting.joined(participant) if is_inside else None
        self._node = node
        self._meeting = meeting
        self._participant = participant
        self._messages = Messages(node, meeting, participant)
        self._is_negotiating = False
        participant.on_text = self._messages.receive

    @property
    def id(self) -> str:
        return self._participant.id

    async def negotiate(self, sdp: str, publish: Sequence[Publication], receive: Receive) -> Negotiated:
        me = self._require_inside()
        if self._is_negotiating:
            raise refused("negotiation_in_progress", "Another negotiation is not finished.")
        require_granted(self._meeting.mode, me.admission, publish, receive)
        self._is_negotiating = True
        try:
            # Half a megabyte of lines takes longer to read than others should wait.
            offer = await asyncio.to_thread(parse_offer, sdp)
            return self._meeting.negotiate(self._require_inside(), offer, publish, receive)
        except BadOffer as bad:
            code = bad.reason if bad.reason == "too_many_tracks" else "invalid_sdp"
            raise refused(code, f"{bad.reason}: {bad.detail}") from bad
        finally:
            self._is_negotiating = False

    def take_candidate(self, candidate: str, mid: str) -> None:
        self._require_inside()
        if not candidate:
            return  # RFC 8840 section 8.2: there are no more
        try:
            candidates.parse(candidate)
        except BadPacket as bad:
            raise refused("invalid_sdp", f"{bad.reason}: a candidate for {mid[:16]}") from bad

    def want(self, track: str, width: int, height: int, fps: float | None = None, priority: int = 0) -> None:
        me = self._require_foreign(track)
        me.unwanted.discard(track)
        me.wants[track] = Want(width, height, USUAL_FPS if fps is None else fps, priority)
        me.seat.is_stale = True

    def unwant(self, track: str) -> None:
        me = self._require_foreign(track)
        me.unwanted.add(track)
        me.seat.is_stale = True

    def pin(self, track: str, *, pinned: bool) -> None:
        me = self._require_foreign(track)
        (me.pinned.add if pinned else me.pinned.discard)(track)
        me.seat.is_stale = True

    def mute(self, track: str, *, muted: bool) -> None:
        own = self._require_own(track)
        if own.muted_by is MutedBy.MODERATOR:
            raise refused("not_granted", "Whoever moderates this room has muted it.")
        self._meeting.set_muted(own, MutedBy.PUBLISHER if muted else None)

    def unpublish(self, track: str) -> None:
        self._meeting.unpublish(self._require_own(track))

    def set_metadata(self, metadata: str | None, name: str | None = None) -> None:
        me = self._require_visible()
        if metadata is not None and len(metadata.encode("utf-8", "surrogatepass")) > MAX_METADATA_BYTES:
            raise refused("metadata_too_long", f"Metadata has at most {MAX_METADATA_BYTES} bytes.")
        # What cannot be seen includes what turns the text around: one could look like another (Unicode TR 36).
        if name is not None and not (1 <= len(name.strip()) <= MAX_NAME and name.isprintable()):
            raise refused("invalid_name", f"A name has 1 to {MAX_NAME} characters that can be seen.")
        me.metadata = metadata
        me.name = me.name if name is None else name
        self._meeting.update(me)

    def raise_hand(self, *, raised: bool) -> None:
        me = self._require_visible()
        if me.hand_raised != raised:
            me.hand_raised = raised
            self._meeting.update(me)

    def react(self, emoji: str) -> None:
        me = self._require_visible()
        self._meeting.tell_all(Reaction(me.id, emoji), but=me)

    def send_data(self, payload: bytes, to: Sequence[str] | None = None, *, reliable: bool = True) -> None:
        self._require_inside()
        self._messages.send(payload, to, reliable=reliable)

    def leave(self) -> None:
        self._meeting.depart(self._participant, Departure.LEFT)

    def socket_lost(self) -> None:
        self._participant.socket_lost_at = self._node.now()

    def socket_back(self) -> None:
        self._participant.socket_lost_at = None

    def _require_inside(self) -> Participant:
        if self._meeting.participants.get(self._participant.id) is not self._participant:
            raise refused("not_joined", "You are not in this room.")
        return self._participant

    def _require_visible(self) -> Participant:
        me = self._require_inside()
        if me.is_hidden:
            raise refused("not_granted", "Nobody sees who is hidden.")
        return me

    def _require_own(self, track: str) -> LiveTrack:
        own = self._require_inside().tracks.get(track)
        if own is None:
            raise refused("unknown_track", "You publish no such track.")
        return own

    def _require_foreign(self, track: str) -> Participant:
        me = self._require_inside()
        found = self._meeting.tracks.get(track)
        if found is None or found.publisher is me or not self._meeting.may_hear(me):
            raise refused("unknown_track", "There is no such track to be had.")
        return me
