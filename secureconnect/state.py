"""Who and what is in the room, kept up by what the server says. Pure: a notice in, events out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgspec

from secureconnect import events
from secureconnect.events import Event
from secureconnect.model import Joined, Participant, RoomInfo, Speaker, Track

Events = Sequence[Event]


@dataclass(slots=True)
class RoomState:
    """``participants`` and ``tracks`` are those of the others, by id."""

    me: Participant | None = None
    info: RoomInfo | None = None
    participants: dict[str, Participant] = field(default_factory=dict)
    tracks: dict[str, Track] = field(default_factory=dict)
    speakers: tuple[Speaker, ...] = ()

    def join(self, joined: Joined) -> None:
        """Replaces everything: after an absence that was too long it may be another room to look at."""
        self.me, self.info, self.speakers = joined.participant, joined.room, joined.speakers
        self.participants.clear()
        self.participants.update((one.id, one) for one in joined.participants)
        self.tracks.clear()
        self.tracks.update((track.id, track) for track in joined.tracks if self._is_others(track))

    def apply(self, kind: str, data: bytes) -> Events:
        """Of kinds that newer servers know, nothing."""
        known = _NOTICES.get(kind)
        return () if known is None else known.apply(self, msgspec.json.decode(data, type=known.data))

    def _is_others(self, track: Track) -> bool:
        return self.me is None or track.participant != self.me.id

    def participant_came(self, participant: Participant) -> Events:
        self.participants[participant.id] = participant
        return [events.ParticipantJoined(participant)]

    def participant_changed(self, participant: Participant) -> Events:
        if self.me is not None and participant.id == self.me.id:
            self.me = participant
        else:
            self.participants[participant.id] = participant
        return [events.ParticipantUpdated(participant)]

    def participant_left(self, left: _Left) -> Events:
        participant = self.participants.pop(left.participant, None)
        return [] if participant is None else [events.ParticipantLeft(participant, left.reason)]

    def track_came(self, track: Track) -> Events:
        if not self._is_others(track):
            return []
        self.tracks[track.id] = track
        return [events.TrackPublished(track)]

    def track_gone(self, gone: _Gone) -> Events:
        track = self.tracks.pop(gone.track, None)
        return [] if track is None else [events.TrackUnpublished(track)]

    def track_muted(self, muted: _Muted) -> Events:
        track = self.tracks.get(muted.track)
        if track is None:
            return []
        track = self.tracks[track.id] = replace(track, muted=muted.muted)
        return [events.TrackMuted(track, muted.muted, muted.by)]

    def speakers_changed(self, changed: events.SpeakersChanged) -> Events:
        self.speakers = changed.speakers
        return [changed]

    def reacted(self, reaction: _Reaction) -> Events:
        participant = self.participants.get(reaction.participant)
        return [events.ReactionReceived(participant, reaction.emoji)]

    def mode_changed(self, changed: events.ModeChanged) -> Events:
        if self.info is not None:
            self.info = replace(self.info, mode=changed.mode)
        return [changed]

    def passed_on(self, event: Event) -> Events:
        return [event]


class _Left(msgspec.Struct):
    participant: str
    reason: str


class _Gone(msgspec.Struct):
    track: str


class _Muted(msgspec.Struct):
    track: str
    muted: bool
    by: str


class _Reaction(msgspec.Struct):
    participant: str
    emoji: str


@dataclass(frozen=True, slots=True)
class _Known:
    data: Any
    apply: Callable[[RoomState, Any], Events]


_NOTICES: Final[Mapping[str, _Known]] = {
    "participant_joined": _Known(Participant, RoomState.participant_came),
    "participant_updated": _Known(Participant, RoomState.participant_changed),
    "participant_left": _Known(_Left, RoomState.participant_left),
    "track_published": _Known(Track, RoomState.track_came),
    "track_unpublished": _Known(_Gone, RoomState.track_gone),
    "track_muted": _Known(_Muted, RoomState.track_muted),
    "speakers": _Known(events.SpeakersChanged, RoomState.speakers_changed),
    "reaction": _Known(_Reaction, RoomState.reacted),
    "mode": _Known(events.ModeChanged, RoomState.mode_changed),
    "layers": _Known(events.LayersWanted, RoomState.passed_on),
    "quality": _Known(events.QualityChanged, RoomState.passed_on),
    "gate": _Known(events.Gated, RoomState.passed_on),
}
