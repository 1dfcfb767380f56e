"""What conversations need of others: stores that take part in a unit of work, people, audit, announcements."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from chat.membership import Member, Role
from chat.mode import ModeState, Question, Round, Tally
from chat.records import Ban, Conversation, Face, Invite, Listed, Seat
from kernel.units import Transaction


class ConversationStore(Protocol):
    async def add(self, unit: Transaction, conversation: Conversation) -> None:
        """Of two units that add the same pair one finds the other's when it is run again."""
        ...

    async def put(self, unit: Transaction, conversation: Conversation) -> None:
        """Write what is changed by people: neither the count of members nor when it was last active."""
        ...

    async def remove(self, unit: Transaction, conversation: UUID) -> None:
        """With everything in it."""
        ...

    async def get(self, unit: Transaction, conversation: UUID) -> Conversation | None: ...

    async def seat(self, unit: Transaction, conversation: UUID, person: UUID) -> Seat | None:
        """None for whoever is not a member."""
        ...


class ConversationLists(Protocol):
    """Each of them is one query, what it shows of each conversation included."""

    async def one(self, unit: Transaction, conversation: UUID, viewer: UUID) -> Listed | None:
        """None for whoever is not a member."""
        ...

    async def between(self, unit: Transaction, pair: bytes, viewer: UUID) -> Listed | None: ...

    async def of(
        self, unit: Transaction, viewer: UUID, *, before: tuple[float, UUID] | None, most: int
    ) -> Sequence[Listed]:
        """The latest active first, strictly after the position ``before``."""
        ...

    async def count(self, unit: Transaction, person: UUID) -> int:
        """How many somebody is in."""
        ...

    async def public(
        self, unit: Transaction, viewer: UUID, words: str, *, before: tuple[float, UUID] | None, most: int
    ) -> Sequence[Listed]:
        """Public groups whose title or description has ``words`` in it, whatever their case."""
        ...


class MemberStore(Protocol):
    async def add(self, unit: Transaction, conversation: UUID, members: Sequence[Member]) -> frozenset[UUID]:
        """Who of them was not there before. Raises Conflict ``conversation_full``."""
        ...

    async def remove(self, unit: Transaction, conversation: UUID, person: UUID) -> bool: ...

    async def set_role(self, unit: Transaction, conversation: UUID, person: UUID, role: Role) -> None: ...


class MemberLists(Protocol):
    async def get(self, unit: Transaction, conversation: UUID, person: UUID) -> Member | None: ...

    async def owner(self, unit: Transaction, conversation: UUID) -> UUID | None:
        """None for a direct conversation."""
        ...

    async def all(self, unit: Transaction, conversation: UUID) -> Sequence[Member]: ...

    async def page(
        self, unit: Transaction, conversation: UUID, *, after: tuple[float, UUID] | None, most: int
    ) -> Sequence[tuple[Member, Face]]:
        """The longest-standing first."""
        ...

    async def faces(
        self, unit: Transaction, conversation: UUID, people: Collection[UUID]
    ) -> Sequence[tuple[Member, Face]]: ...


class InviteStore(Protocol):
    async def add(self, unit: Transaction, invite: Invite, *, most: int) -> None:
        """Those of the conversation that have expired by then are gone. Raises Unprocessable ``too_many_invites`` when
        ``most`` are left."""
        ...

    async def find(self, unit: Transaction, digest: bytes) -> Invite | None: ...

    async def use(self, unit: Transaction, invite: UUID, now: float) -> bool:
        """Count one use; False when it has expired or has none left."""
        ...

    async def page(self, unit: Transaction, conversation: UUID, *, before: UUID | None, most: int) -> Sequence[Invite]:
        """The latest first."""
        ...

    async def remove(self, unit: Transaction, conversation: UUID, invite: UUID) -> bool: ...


class BanStore(Protocol):
    async def add(self, unit: Transaction, ban: Ban, *, most: int) -> bool:
        """False when it was there already. Invites that the banned one made to the conversation are gone. Raises
        Unprocessable ``too_many_bans`` beyond ``most`` of a conversation."""
        ...

    async def remove(self, unit: Transaction, conversation: UUID, person: UUID) -> bool: ...

    async def among(self, unit: Transaction, conversation: UUID, people: Collection[UUID]) -> frozenset[UUID]:
        """Those of ``people`` who are banned."""
        ...

    async def page(
        self, unit: Transaction, conversation: UUID, *, before: tuple[float, UUID] | None, most: int
    ) -> Sequence[tuple[Ban, Face]]:
        """The latest first."""
        ...


class RoundStore(Protocol):
    async def add(self, unit: Transaction, asked: Round) -> None:
        """There is at most one open round in a conversation: of two units that begin one, one is run again."""
        ...

    async def put(self, unit: Transaction, asked: Round, *, before: Round) -> None:
        """Write how it stands, and the answers that ``before`` does not have."""
        ...

    async def open_in(self, unit: Transaction, conversation: UUID) -> Round | None:
        """The one that nobody has ended; it may have expired."""
        ...

    async def get(self, unit: Transaction, conversation: UUID, identifier: UUID) -> Round | None: ...

    async def count(self, unit: Transaction, conversation: UUID, *, since: UUID) -> int:
        """How many begun since then, decisions among them."""
        ...


class RoundLists(Protocol):
    async def page(
        self, unit: Transaction, conversation: UUID, *, before: UUID | None, most: int
    ) -> Sequence[tuple[Question, Tally]]:
        """The latest first. Without the answers: those are as many as members, each time."""
        ...

    async def overdue(self, unit: Transaction, *, now: float, most: int) -> Sequence[Question]:
        """Those that are open though their time is over, the longest overdue first."""
        ...


class ModeReader(Protocol):
    """For rooms in which something may only happen under a mode; messages have it from ``Activity``. Nobody else reads
    the tables."""

    async def mode_of(self, unit: Transaction, conversation: UUID) -> ModeState | None:
        """None when there is no such conversation. Only in a unit that may write, and a short one: the mode is held
        until it ends, so a change waits for it and is not acknowledged before what relied on the mode is done. Others
        who ask for it so wait too."""
        ...


class Activity(Protocol):
    """What messages change about conversations: the order of lists and what is unread. Whoever keeps messages calls it
    in the unit that accepts one, and nobody else writes these columns."""

    async def said(self, unit: Transaction, conversation: UUID, *, by: UUID, at: float) -> ModeState | None:
        """One more message, unread for everybody there but ``by``, and the mode that it is said under. None when there
        is no such conversation. The first thing that a unit does: from then on nobody changes the mode or comes and
        goes until it ends, also in one that is not serializable, and those who speak at once wait for one another."""
        ...

    async def read(self, unit: Transaction, conversation: UUID, person: UUID, *, up_to: UUID, left: int) -> bool:
        """``person`` has seen the message ``up_to``, and ``left`` came after it. False when they had seen as much
        already, or are not there."""
        ...


class Reach(Protocol):
    async def reachable(self, unit: Transaction, person: UUID, others: frozenset[UUID]) -> frozenset[UUID]:
        """Those of ``others`` who are there, active, and not blocked by ``person`` nor blocking them."""
        ...

    async def active(self, unit: Transaction, people: frozenset[UUID]) -> frozenset[UUID]:
        """Those of ``people`` who are there and not disabled."""
        ...

    async def blocked(self, unit: Transaction, person: UUID, others: frozenset[UUID]) -> frozenset[UUID]:
        """Those of ``others`` who have blocked ``person``, or whom ``person`` has blocked."""
        ...

    async def visible(self, unit: Transaction, person: UUID, other: UUID) -> bool:
        """Whether ``other`` is there, disabled or not, and has not blocked ``person``."""
        ...


class Audit(Protocol):
    async def record(
        self, unit: Transaction, *, actor: str, action: str, subject: str, details: Mapping[str, str] = ...
    ) -> None: ...


class Announcements(Protocol):
    async def to(self, people: Collection[UUID], kind: str, data: Mapping[str, object]) -> None:
        """To each of them who listens now; never fails."""
        ...
