"""What participants are told, and how they see each other. One class per row of docs/signaling.md; whoever holds the
socket numbers and writes them. Fields have the names they have there; where that is a word of Python, it is said.

A notice that goes to many is one object, so that it can be written once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar
from uuid import UUID

from media.codecs.names import Kind
from sfu.rooms import Mode
from sfu.sources import Source


@dataclass(frozen=True, slots=True)
class Encryption:
    """What one announced with ``join``: the first 16 bits of its key ids, and the id its keys are derived for."""

    kid_prefix: int
    sender: str


@dataclass(frozen=True, slots=True)
class Participant:
    id: str
    identity: str
    name: str | None
    metadata: str | None
    joined_at: float
    hand_raised: bool
    e2ee: Encryption | None


@dataclass(frozen=True, slots=True)
class Track:
    """``width`` and ``height`` are those of its largest layer, where the publisher said them."""

    id: str
    cid: str
    participant: str
    kind: Kind
    source: Source
    muted: bool
    encrypted: bool
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True)
class Speaker:
    participant: str
    level: float


@dataclass(frozen=True, slots=True)
class Room:
    id: UUID
    name: str
    mode: Mode
    metadata: str | None
    max_participants: int


@dataclass(frozen=True, slots=True)
class Limits:
    audio_slots: int
    video_slots: int
    message_bytes: int


@dataclass(frozen=True, slots=True)
class Joined:
    """What the reply ``joined`` and the notice ``admitted`` say of the room; what is said of the socket besides
    (``ice_servers``, ``resume_token``) is added by whoever holds it. ``participants`` are the others."""

    participant: Participant
    room: Room
    participants: tuple[Participant, ...]
    tracks: tuple[Track, ...]
    speakers: tuple[Speaker, ...]
    limits: Limits


@dataclass(frozen=True, slots=True)
class Admitted:
    type: ClassVar[str] = "admitted"
    joined: Joined


@dataclass(frozen=True, slots=True)
class ParticipantJoined:
    """Its data is ``participant`` itself."""

    type: ClassVar[str] = "participant_joined"
    participant: Participant


@dataclass(frozen=True, slots=True)
class ParticipantUpdated:
    """Its data is ``participant`` itself."""

    type: ClassVar[str] = "participant_updated"
    participant: Participant


class Departure(Enum):
    """Why somebody is no longer there."""

    LEFT = "left"
    REPLACED = "replaced"
    KICKED = "kicked"
    CONNECTION_LOST = "connection_lost"


@dataclass(frozen=True, slots=True)
class ParticipantLeft:
    type: ClassVar[str] = "participant_left"
    participant: str
    reason: Departure


@dataclass(frozen=True, slots=True)
class TrackPublished:
    """Its data is ``track`` itself."""

    type: ClassVar[str] = "track_published"
    track: Track


@dataclass(frozen=True, slots=True)
class TrackUnpublished:
    type: ClassVar[str] = "track_unpublished"
    track: str


class MutedBy(Enum):
    PUBLISHER = "publisher"
    GATE = "gate"
    MODERATOR = "moderator"


@dataclass(frozen=True, slots=True)
class TrackMuted:
    type: ClassVar[str] = "track_muted"
    track: str
    muted: bool
    by: MutedBy


@dataclass(frozen=True, slots=True)
class SlotChange:
    mid: str
    track: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Slots:
    type: ClassVar[str] = "slots"
    slots: tuple[SlotChange, ...]


@dataclass(frozen=True, slots=True)
class MoreSlots:
    type: ClassVar[str] = "more_slots"
    audio: int
    video: int


@dataclass(frozen=True, slots=True)
class Layers:
    type: ClassVar[str] = "layers"
    track: str
    wanted: int | None


@dataclass(frozen=True, slots=True)
class TrackQuality:
    """``layer`` is None where nothing is sent. ``why`` is a reason of sfu.allocation; ``detail`` has its numbers, in
    words for people."""

    track: str
    layer: int | None
    width: int
    height: int
    why: str
    detail: str


class ConnectionState(Enum):
    GOOD = "good"
    POOR = "poor"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Quality:
    """``tracks`` has all that are shown to one, ``why`` is of the connection: ``fits``, ``loss``, ``delay``,
    ``bitrate``, ``no_consent``, ``handshake_failed`` or ``closed``; after the last two another connection is due."""

    type: ClassVar[str] = "quality"
    tracks: tuple[TrackQuality, ...]
    connection: ConnectionState
    why: str


@dataclass(frozen=True, slots=True)
class Speakers:
    type: ClassVar[str] = "speakers"
    speakers: tuple[Speaker, ...]


@dataclass(frozen=True, slots=True)
class Data:
    """``sender`` is ``from`` on the wire, ``payload`` is base64 there."""

    type: ClassVar[str] = "data"
    sender: str
    payload: bytes
    reliable: bool


@dataclass(frozen=True, slots=True)
class Reaction:
    type: ClassVar[str] = "reaction"
    participant: str
    emoji: str


@dataclass(frozen=True, slots=True)
class Gate:
    """``verdict`` is a reason of media.gate."""

    type: ClassVar[str] = "gate"
    track: str
    verdict: str
    muted: bool


@dataclass(frozen=True, slots=True)
class ModeChanged:
    type: ClassVar[str] = "mode"
    mode: Mode


class Ending(Enum):
    ROOM_ENDED = "room_ended"
    KICKED = "kicked"
    REPLACED = "replaced"
    EXPIRED = "expired"
    SERVER_STOPPING = "server_stopping"


@dataclass(frozen=True, slots=True)
class Ended:
    """The last that a participant is told. ``expired``: its socket and its media were gone for too long."""

    type: ClassVar[str] = "ended"
    reason: Ending


Notice = (
    Admitted
    | ParticipantJoined
    | ParticipantUpdated
    | ParticipantLeft
    | TrackPublished
    | TrackUnpublished
    | TrackMuted
    | Slots
    | MoreSlots
    | Layers
    | Quality
    | Speakers
    | Data
    | Reaction
    | Gate
    | ModeChanged
    | Ended
)

# Called in the order in which things happened, on the event loop; it keeps what it is told and neither waits, raises
# nor calls back.
Tell = Callable[[Notice], None]
