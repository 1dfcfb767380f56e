"""Friendship as a machine: where two people stand, what one of them does, where they stand then. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol
from uuid import UUID

from kernel.units import Transaction


class Standing(Enum):
    """Where one person stands with another."""

    NONE = "none"
    OUTGOING = "outgoing"
    INCOMING = "incoming"
    ACCEPTED = "accepted"

    @property
    def mirrored(self) -> Standing:
        """The same as the other one sees it."""
        return _MIRRORED.get(self, self)


class Step(Enum):
    """What one of two people does."""

    ASK = "ask"
    ACCEPT = "accept"
    REJECT = "reject"
    REMOVE = "remove"
    BLOCK = "block"


_MIRRORED: Final[Mapping[Standing, Standing]] = {
    Standing.OUTGOING: Standing.INCOMING,
    Standing.INCOMING: Standing.OUTGOING,
}

# What is not in here cannot be done: there is no request to accept or reject, nobody to remove.
TRANSITIONS: Final[Mapping[tuple[Standing, Step], Standing]] = {
    (Standing.NONE, Step.ASK): Standing.OUTGOING,
    (Standing.OUTGOING, Step.ASK): Standing.OUTGOING,
    (Standing.INCOMING, Step.ASK): Standing.ACCEPTED,
    (Standing.ACCEPTED, Step.ASK): Standing.ACCEPTED,
    (Standing.INCOMING, Step.ACCEPT): Standing.ACCEPTED,
    (Standing.ACCEPTED, Step.ACCEPT): Standing.ACCEPTED,
    (Standing.INCOMING, Step.REJECT): Standing.NONE,
    (Standing.OUTGOING, Step.REMOVE): Standing.NONE,
    (Standing.ACCEPTED, Step.REMOVE): Standing.NONE,
    (Standing.NONE, Step.BLOCK): Standing.NONE,
    (Standing.OUTGOING, Step.BLOCK): Standing.NONE,
    (Standing.INCOMING, Step.BLOCK): Standing.NONE,
    (Standing.ACCEPTED, Step.BLOCK): Standing.NONE,
}

# What both are told of when they come to stand here from elsewhere.
NEWS: Final[Mapping[Standing, str]] = {
    Standing.OUTGOING: "friend_request",
    Standing.INCOMING: "friend_request",
    Standing.ACCEPTED: "friend_accepted",
    Standing.NONE: "friend_removed",
}


@dataclass(frozen=True, slots=True)
class Friendship:
    """Two people of whom one has asked the other; ``since`` is when the latest of the two things happened."""

    asker: UUID
    asked: UUID
    accepted: bool
    since: float

    def seen_by(self, person: UUID) -> Standing:
        if self.accepted:
            return Standing.ACCEPTED
        return Standing.OUTGOING if person == self.asker else Standing.INCOMING


class FriendStore(Protocol):
    """There is one friendship of two people at most, whoever asked."""

    async def get(self, unit: Transaction, person: UUID, other: UUID) -> Friendship | None: ...

    async def put(self, unit: Transaction, friendship: Friendship) -> None: ...

    async def remove(self, unit: Transaction, person: UUID, other: UUID) -> None: ...

    async def friends_of(self, unit: Transaction, person: UUID) -> frozenset[UUID]:
        """Accepted ones."""
        ...
