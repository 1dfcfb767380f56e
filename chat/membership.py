"""Who may do what in a conversation, and to whom. Pure; the tables below are the whole of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final
from uuid import UUID

from kernel.errors import Forbidden, Unprocessable


class Role(Enum):
    """``PEER`` is either of the two in a direct conversation, who have equal say."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    PEER = "peer"


class Action(Enum):
    READ = "read"
    CONSENT = "consent"
    LEAVE = "leave"
    EDIT = "edit"
    CHANGE_SETTINGS = "change_settings"
    PROPOSE_MODE = "propose_mode"
    ADD = "add"
    REMOVE = "remove"
    INVITE = "invite"
    SET_POLICY = "set_policy"
    SET_ROLE = "set_role"
    HAND_OVER = "hand_over"
    DELETE = "delete"


_EVERYBODY: Final = frozenset({Action.READ, Action.CONSENT})
_MEMBER: Final = _EVERYBODY | {Action.LEAVE}
_ADMIN: Final = _MEMBER | {
    Action.EDIT,
    Action.CHANGE_SETTINGS,
    Action.PROPOSE_MODE,
    Action.ADD,
    Action.REMOVE,
    Action.INVITE,
}
_OWNER: Final = _ADMIN | {Action.SET_POLICY, Action.SET_ROLE, Action.HAND_OVER, Action.DELETE}

ALLOWED: Final[Mapping[Role, frozenset[Action]]] = {
    Role.OWNER: _OWNER,
    Role.ADMIN: _ADMIN,
    Role.MEMBER: _MEMBER,
    Role.PEER: _EVERYBODY | {Action.CHANGE_SETTINGS, Action.PROPOSE_MODE, Action.DELETE},
}
# Whom somebody may remove, promote or demote: those below, never their equals.
BELOW: Final[Mapping[Role, frozenset[Role]]] = {
    Role.OWNER: frozenset({Role.ADMIN, Role.MEMBER}),
    Role.ADMIN: frozenset({Role.MEMBER}),
    Role.MEMBER: frozenset(),
    Role.PEER: frozenset(),
}
# Who follows an owner that leaves, the first of these that is there.
SUCCESSION: Final = (Role.ADMIN, Role.MEMBER)


@dataclass(frozen=True, slots=True)
class Member:
    """``last_read`` is the id of the last message they have seen, ``seen`` how many there had been by then. What was
    said before somebody came counts as seen."""

    conversation: UUID
    person: UUID
    role: Role
    joined_at: float
    last_read: UUID | None = None
    seen: int = 0


def may(actor: Role, action: Action) -> bool:
    return action in ALLOWED[actor]


def may_to(actor: Role, action: Action, subject: Role) -> bool:
    return may(actor, action) and subject in BELOW[actor]


def require(actor: Role, action: Action, subject: Role | None = None) -> None:
    """Raises Forbidden ``not_permitted``, or Unprocessable ``direct_conversation`` for what only groups have."""
    if may(actor, action) and (subject is None or subject in BELOW[actor]):
        return
    if actor is Role.PEER:
        raise Unprocessable("A direct conversation has no such thing.", code="direct_conversation")
    raise Forbidden("Your role in this conversation does not allow this.", code="not_permitted")


def successor(members: Collection[Member]) -> Member | None:
    """Who takes over from an owner: the longest-standing admin, or else the longest-standing member."""
    for role in SUCCESSION:
        candidates = [member for member in members if member.role is role]
        if candidates:
            return min(candidates, key=lambda member: (member.joined_at, member.person))
    return None
