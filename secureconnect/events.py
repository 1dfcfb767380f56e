"""What happens in a room, one class each. ``room.events()`` gives them in order."""

from __future__ import annotations

from dataclasses import dataclass

from secureconnect.model import Participant, Speaker, Track


@dataclass(frozen=True, slots=True)
class ParticipantJoined:
    participant: Participant


@dataclass(frozen=True, slots=True)
class ParticipantUpdated:
    """A name, metadata or a hand."""

    participant: Participant


@dataclass(frozen=True, slots=True)
class ParticipantLeft:
    """``reason``: ``left``, ``replaced``, ``kicked``, ``connection_lost``."""

    participant: Participant
    reason: str


@dataclass(frozen=True, slots=True)
class TrackPublished:
    track: Track


@dataclass(frozen=True, slots=True)
class TrackUnpublished:
    track: Track


@dataclass(frozen=True, slots=True)
class TrackMuted:
    """``by``: ``publisher``, ``gate``, ``moderator``."""

    track: Track
    muted: bool
    by: str


@dataclass(frozen=True, slots=True)
class SpeakersChanged:
    """The loudest first."""

    speakers: tuple[Speaker, ...]


@dataclass(frozen=True, slots=True)
class DataReceived:
    """``participant`` is None for somebody who has left meanwhile."""

    participant: Participant | None
    payload: bytes
    reliable: bool


@dataclass(frozen=True, slots=True)
class DataRejected:
    """A message that cannot be opened with the room's secret; ``reason`` is a word of media.framecrypto."""

    sender: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReactionReceived:
    participant: Participant | None
    emoji: str


@dataclass(frozen=True, slots=True)
class LayersWanted:
    """Of a track of ours: the highest layer that anybody sees; None when nobody looks."""

    track: str
    wanted: int | None


@dataclass(frozen=True, slots=True)
class TrackQuality:
    """What is sent to us of a track, and why not more."""

    track: str
    layer: int | None
    width: int
    height: int
    why: str
    detail: str


@dataclass(frozen=True, slots=True)
class QualityChanged:
    """``connection``: ``good``, ``poor``, ``lost``."""

    tracks: tuple[TrackQuality, ...]
    connection: str
    why: str


@dataclass(frozen=True, slots=True)
class Gated:
    """A frame of ours was not encrypted as announced, and was not forwarded."""

    track: str
    verdict: str
    muted: bool


@dataclass(frozen=True, slots=True)
class ModeChanged:
    mode: str


@dataclass(frozen=True, slots=True)
class Reconnecting:
    """The socket is lost; media may still flow."""


@dataclass(frozen=True, slots=True)
class Reconnected:
    """``anew``: too much was missed, so that we joined again and are another participant now."""

    anew: bool


@dataclass(frozen=True, slots=True)
class RoomEnded:
    """The last event. ``reason``: ``room_ended``, ``kicked``, ``replaced``, ``expired``, ``server_stopping``,
    ``left``, ``unreachable``, or the code of a refusal."""

    reason: str


Event = (
    ParticipantJoined
    | ParticipantUpdated
    | ParticipantLeft
    | TrackPublished
    | TrackUnpublished
    | TrackMuted
    | SpeakersChanged
    | DataReceived
    | DataRejected
    | ReactionReceived
    | LayersWanted
    | QualityChanged
    | Gated
    | ModeChanged
    | Reconnecting
    | Reconnected
    | RoomEnded
)
