"""Who may come into a room, what they may do there, and how much a node takes. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from sfu.notices import Encryption
from sfu.refusals import refused
from sfu.rooms import Mode, Plan
from sfu.sources import Source

AUDIO_SLOTS: Final = 5
VIDEO_SLOTS: Final = 25
TRACKS_PUBLISHED: Final = 8
MESSAGE_BYTES: Final = 15_000


@dataclass(frozen=True, slots=True)
class Grants:
    """What is not named is not granted. Nobody is told of who is ``hidden``, and they send nothing."""

    publish: frozenset[Source] = frozenset()
    subscribe: bool = False
    data: bool = False
    moderate: bool = False
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Admission:
    """Who comes, as a room token said it and somebody has verified."""

    identity: str
    grants: Grants = field(default_factory=Grants)
    name: str | None = None
    metadata: str | None = None
    e2ee: Encryption | None = None


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of a node. ``slots`` bounds what it may have to forward: each is a stream that could flow."""

    participants: int = 5_000
    transports: int = 5_000
    slots: int = 50_000


@dataclass(frozen=True, slots=True)
class Load:
    participants: int = 0
    transports: int = 0
    slots: int = 0


def require_place(plan: Plan, present: int, load: Load, bounds: Bounds) -> None:
    """For one more. ``present`` are those of the room who count: the hidden do not, or they would show by it."""
    if present >= plan.max_participants:
        raise refused("room_full", f"This room takes {plan.max_participants} people.")
    if load.participants >= bounds.participants:
        raise refused("node_overloaded", "This server has as many participants as it takes.")


def require_capacity(load: Load, bounds: Bounds, *, transports: int, slots: int) -> None:
    """For so many more."""
    if load.transports + transports > bounds.transports or load.slots + slots > bounds.slots:
        raise refused("node_overloaded", "This server forwards as many streams as it takes.")


def may_hear(mode: Mode, admission: Admission) -> bool:
    return admission.grants.subscribe and not (mode is Mode.SECURE and admission.e2ee is None)
