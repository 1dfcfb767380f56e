"""Every message of docs/signaling.md as a type: what a client may ask, and what the reference is made of.

Types are strict and fields have bounds; fields that are unknown are passed over, so that newer clients can speak to
older servers. What is only a matter of a room (whose track, how long a text) is left to the room.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from media.codecs.names import Kind
from sfu.notices import Joined, Limits, Participant, Room, Speaker
from sfu.sources import Source

LARGEST_FRAME: Final = 256_000
LONGEST_ID: Final = 64
LONGEST_SDP: Final = 200_000
LARGEST_PAYLOAD: Final = 15_000
LARGEST_PICTURE: Final = 16_384
MOST_SECTIONS: Final = 128
MOST_ADDRESSEES: Final = 1_000

Id = Annotated[str, Meta(min_length=1, max_length=LONGEST_ID)]
Word = Annotated[str, Meta(min_length=1, max_length=100)]
Sdp = Annotated[str, Meta(min_length=1, max_length=LONGEST_SDP)]
Pixels = Annotated[int, Meta(ge=0, le=LARGEST_PICTURE)]
Sections = Annotated[int, Meta(ge=0, le=MOST_SECTIONS)]
# Not ``$``, which Python would have match before the end of a last line.
SenderId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{16,64}(?![\s\S])")]
# Its highest bit is set, so that a key id always takes three bytes (media/framekeys.py).
KeyIdPrefix = Annotated[int, Meta(ge=0x8000, le=0xFFFF)]


class Envelope(Struct, frozen=True):
    """What stands around every frame of a client. ``data`` is read when the type is known."""

    type: Annotated[str, Meta(max_length=LONGEST_ID)]
    id: Id | None = None
    data: msgspec.Raw = msgspec.Raw(b"{}")


class Request(Struct, frozen=True, kw_only=True):
    """The data of a frame that a client sends."""


class Client(Struct, frozen=True):
    name: Word
    version: Word


class Announced(Struct, frozen=True):
    """What a participant encrypts with: never a key."""

    kid_prefix: KeyIdPrefix
    sender: SenderId


class Join(Request, frozen=True):
    client: Client
    e2ee: Announced | None = None


class Resume(Request, frozen=True):
    resume_token: Annotated[str, Meta(min_length=1, max_length=100)]
    after: Annotated[int, Meta(ge=0)]


class Encoding(Struct, frozen=True):
    rid: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,16}(?![\s\S])")]
    width: Pixels
    height: Pixels


class Publication(Struct, frozen=True):
    mid: Id
    cid: Id
    kind: Kind
    source: Source
    encrypted: bool
    layers: Annotated[tuple[Encoding, ...], Meta(max_length=8)] = ()


class Receive(Struct, frozen=True):
    audio: Sections = 0
    video: Sections = 0


class Negotiate(Request, frozen=True):
    sdp: Sdp
    publish: Annotated[tuple[Publication, ...], Meta(max_length=MOST_SECTIONS)]
    receive: Receive


class Candidate(Request, frozen=True):
    """An empty ``candidate`` is the end of them, as browsers say it."""

    candidate: Annotated[str, Meta(max_length=1_000)]
    mid: Annotated[str, Meta(max_length=LONGEST_ID)] | None = None


class Want(Request, frozen=True):
    track: Id
    width: Pixels
    height: Pixels
    fps: Annotated[float, Meta(gt=0, le=1_000)] | None = None
    priority: Annotated[int, Meta(ge=-100, le=100)] = 0


class Unwant(Request, frozen=True):
    track: Id


class Pin(Request, frozen=True):
    track: Id
    pinned: bool


class Mute(Request, frozen=True):
    track: Id
    muted: bool


class Unpublish(Request, frozen=True):
    track: Id


class SetMetadata(Request, frozen=True):
    """How many bytes of metadata are too many, and what a name may be made of, is said by what refuses it."""

    metadata: str | None
    name: Annotated[str, Meta(max_length=200)] | None = None


class RaiseHand(Request, frozen=True):
    raised: bool


class React(Request, frozen=True):
    emoji: Annotated[str, Meta(min_length=1, max_length=32)]


class SendData(Request, frozen=True):
    """``payload`` is base64, with its padding. Without ``to`` it is for everybody."""

    payload: Annotated[bytes, Meta(max_length=LARGEST_PAYLOAD)]
    to: Annotated[tuple[Id, ...], Meta(max_length=MOST_ADDRESSEES)] | None = None
    reliable: bool = True


class Leave(Request, frozen=True):
    pass


class IceServer(Struct, frozen=True, omit_defaults=True):
    urls: tuple[str, ...]
    username: str | None = None
    credential: str | None = None


class TrackView(Struct, frozen=True, omit_defaults=True):
    id: str
    cid: str
    participant: str
    kind: Kind
    source: Source
    muted: bool
    encrypted: bool
    width: int | None = None
    height: int | None = None


class JoinedView(Struct, frozen=True):
    """``participants`` are the others, ``joined_at`` of each in seconds since 1970."""

    participant: Participant
    room: Room
    participants: tuple[Participant, ...]
    tracks: tuple[TrackView, ...]
    speakers: tuple[Speaker, ...]
    ice_servers: tuple[IceServer, ...]
    resume_token: str
    limits: Limits


class WaitingView(Struct, frozen=True):
    """``waiting`` is always true: it tells this from what ``joined`` has."""

    waiting: bool
    resume_token: str


class Nothing(Struct, frozen=True):
    pass


class Fault(Struct, frozen=True, omit_defaults=True):
    """The data of an ``error`` frame."""

    code: str
    detail: str
    error_id: str | None = None


class DataView(Struct, frozen=True, rename={"sender": "from"}):
    sender: str
    payload: bytes
    reliable: bool


def joined_view(joined: Joined, resume_token: str) -> JoinedView:
    return JoinedView(
        participant=joined.participant,
        room=joined.room,
        participants=joined.participants,
        tracks=tuple(track_view(track) for track in joined.tracks),
        speakers=joined.speakers,
        ice_servers=(),
        resume_token=resume_token,
        limits=joined.limits,
    )


def track_view(track: object) -> TrackView:
    return msgspec.convert(track, TrackView, from_attributes=True)
