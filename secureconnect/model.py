"""What there is in a room, as the server tells of it (docs/signaling.md)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from media.codecs.names import Kind


class Source(Enum):
    """What a track shows or lets hear."""

    CAMERA = "camera"
    MICROPHONE = "microphone"
    SCREEN = "screen"
    SCREEN_AUDIO = "screen_audio"

    @property
    def kind(self) -> Kind:
        return Kind.VIDEO if self in (Source.CAMERA, Source.SCREEN) else Kind.AUDIO


@dataclass(frozen=True, slots=True)
class Encryption:
    """What a participant announced: the id that its keys are derived for, and how its key ids begin."""

    kid_prefix: int
    sender: str


@dataclass(frozen=True, slots=True)
class Participant:
    """``identity`` is the account, ``id`` is of this stay in the room."""

    id: str
    identity: str
    name: str | None
    metadata: str | None
    joined_at: float
    hand_raised: bool = False
    e2ee: Encryption | None = None


@dataclass(frozen=True, slots=True)
class Track:
    """``participant`` is the id of who publishes it; ``cid`` is what the publisher calls it."""

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
    """``level`` from 0 to 1."""

    participant: str
    level: float


@dataclass(frozen=True, slots=True)
class RoomInfo:
    id: str
    name: str
    mode: str
    metadata: str | None
    max_participants: int


@dataclass(frozen=True, slots=True)
class Limits:
    audio_slots: int
    video_slots: int
    message_bytes: int


@dataclass(frozen=True, slots=True)
class IceServer:
    urls: tuple[str, ...]
    username: str | None = None
    credential: str | None = None


@dataclass(frozen=True, slots=True)
class Joined:
    """``participants`` are the others."""

    participant: Participant
    room: RoomInfo
    participants: tuple[Participant, ...]
    tracks: tuple[Track, ...]
    speakers: tuple[Speaker, ...]
    ice_servers: tuple[IceServer, ...]
    resume_token: str
    limits: Limits


@dataclass(frozen=True, slots=True)
class Waiting:
    """In a room with a waiting room, until somebody admits us."""

    waiting: bool
    resume_token: str


@dataclass(frozen=True, slots=True)
class Published:
    cid: str
    track: str


@dataclass(frozen=True, slots=True)
class OpenSlot:
    mid: str
    kind: Kind
    stream: str


@dataclass(frozen=True, slots=True)
class Negotiated:
    sdp: str
    published: tuple[Published, ...]
    slots: tuple[OpenSlot, ...]


@dataclass(frozen=True, slots=True)
class SlotChange:
    mid: str
    track: str | None
    reason: str
