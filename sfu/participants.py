"""A participant of a live room and its tracks: what is known of them, and what each one wants to see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from media.engine import Ladder, SourceId
from media.gate import MessageGate
from sfu import allocation, notices
from sfu.admission import Admission
from sfu.connection import Connection, Sending
from sfu.notices import MutedBy, Quality, Tell
from sfu.requests import Publication
from sfu.rungs import Rungs
from sfu.slots import Change

# The socket is gone and nothing else tells that somebody is there.
GONE_AFTER: Final = 15.0
# The socket is gone, and media still flows.
MEDIA_ONLY_AT_MOST: Final = 60.0
USUAL_FPS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Want:
    """How large a picture is shown, in device pixels."""

    width: int = 640
    height: int = 360
    fps: float = USUAL_FPS
    priority: int = 0


@dataclass(slots=True, eq=False)
class LiveTrack:
    """``rungs`` is what can be had of it, from the lowest up, and ``asked`` how many of its layers the publisher was
    asked for last, since when."""

    id: str
    publisher: Participant
    announced: Publication
    sending: Sending
    layers: Rungs
    rungs: tuple[allocation.Layer, ...] = ()
    asked: int = 1
    asked_at: float = 0.0
    muted_by: MutedBy | None = None

    @classmethod
    def published(cls, identifier: str, publisher: Participant, sending: Sending, now: float) -> LiveTrack:
        announced = sending.announced
        rids = sending.format.rids
        sizes = [(one.width, one.height) for one in announced.layers if not rids or one.rid in rids]
        layers = Rungs(sizes, len(rids))
        track = cls(identifier, publisher, announced, sending, layers)
        track.expect(layers.count, now)
        return track

    def expect(self, asked: int, now: float) -> None:
        """Its publisher sends so many of its layers from now on, or will in a moment."""
        self.asked, self.asked_at = asked, now
        self.measure(now)

    def measure(self, now: float) -> None:
        self.rungs = self.layers.rungs(asked=self.asked, asked_for=now - self.asked_at)

    @property
    def source(self) -> SourceId:
        return self.sending.source

    def view(self) -> notices.Track:
        announced = self.announced
        largest = announced.layers[-1] if announced.layers else None
        return notices.Track(
            id=self.id,
            cid=announced.cid,
            participant=self.publisher.id,
            kind=announced.kind,
            source=announced.source,
            muted=self.muted_by is not None,
            encrypted=announced.encrypted,
            width=None if largest is None else largest.width,
            height=None if largest is None else largest.height,
        )


@dataclass(slots=True)
class Seat:
    """What a subscriber has: which track is in which slot and why, which layers of it, and what it was told of them.
    ``is_stale``: it wants something else since this was last looked at."""

    held: Mapping[str, str] = field(default_factory=dict)
    reasons: dict[str, Change] = field(default_factory=dict)
    layers: allocation.Allocation[str] = field(default_factory=allocation.Allocation)
    is_stale: bool = True
    placed_version: int = -1
    looked_at: float | None = None
    more_slots: tuple[int, int] = (0, 0)
    quality: Quality | None = None
    quality_at: float = 0.0
    paused: frozenset[str] = frozenset()
    ladder: Ladder | None = None


def _nobody_listens(_label: str, _text: str) -> None:
    """Until its member is made, which is before anything can come."""


@dataclass(slots=True, eq=False)
class Participant:
    """``socket_lost_at`` is None while there is one."""

    id: str
    admission: Admission
    joined_at: float
    tell: Tell
    name: str | None = None
    metadata: str | None = None
    hand_raised: bool = False
    tracks: dict[str, LiveTrack] = field(default_factory=dict)
    wants: dict[str, Want] = field(default_factory=dict)
    unwanted: set[str] = field(default_factory=set)
    pinned: set[str] = field(default_factory=set)
    connection: Connection | None = None
    message_gate: MessageGate | None = None
    socket_lost_at: float | None = None
    seat: Seat = field(default_factory=Seat)
    on_text: Callable[[str, str], None] = _nobody_listens

    @property
    def is_hidden(self) -> bool:
        return self.admission.grants.hidden

    def view(self) -> notices.Participant:
        return notices.Participant(
            id=self.id,
            identity=self.admission.identity,
            name=self.name,
            metadata=self.metadata,
            joined_at=self.joined_at,
            hand_raised=self.hand_raised,
            e2ee=self.admission.e2ee,
        )

    def forget(self, track: str) -> None:
        """It is no longer there to be wanted."""
        self.wants.pop(track, None)
        self.unwanted.discard(track)
        self.pinned.discard(track)

    def is_gone(self, now: float) -> bool:
        """Whether it has been without socket for too long."""
        if self.socket_lost_at is None:
            return False
        if now - self.socket_lost_at >= MEDIA_ONLY_AT_MOST:
            return True
        if self.connection is not None and self.connection.has_consent:
            return False
        alone_since = self.socket_lost_at
        if self.connection is not None:
            alone_since = max(alone_since, self.connection.without_consent_since)
        return now - alone_since >= GONE_AFTER
