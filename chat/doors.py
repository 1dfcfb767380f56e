"""Who may come into a group, by themselves or brought by others."""

from __future__ import annotations

from uuid import UUID

from chat.ports import BanStore, MemberLists, Reach
from chat.seats import no_conversation
from kernel.errors import Conflict, FieldError, Forbidden, Unprocessable
from kernel.units import Transaction

MOST_NAMED = 20


class Doors:
    def __init__(self, *, people: Reach, bans: BanStore, member_lists: MemberLists) -> None:
        self._people = people
        self._bans = bans
        self._member_lists = member_lists

    async def require_open(self, unit: Transaction, conversation: UUID, person: UUID) -> None:
        """For somebody who comes by their own will. Raises NotFound where the owner and they have blocked one another,
        Forbidden ``banned``."""
        await require_reachable(self._people, unit, person, frozenset({person}))
        owner = await self._member_lists.owner(unit, conversation)
        if owner is not None and await self._people.blocked(unit, person, frozenset({owner})):
            raise no_conversation()
        if await self._bans.among(unit, conversation, {person}):
            raise Forbidden("You are banned from this group; its admins can lift that.", code="banned")

    async def require_bringable(self, unit: Transaction, conversation: UUID, by: UUID, others: frozenset[UUID]) -> None:
        """Raises Unprocessable ``participant_unavailable``, Conflict ``participant_banned``."""
        await require_reachable(self._people, unit, by, others)
        banned = await self._bans.among(unit, conversation, others)
        if banned:
            raise Conflict(
                "Some of these people are banned from this group; lift that first.",
                code="participant_banned",
                fields=_naming(banned, "is banned"),
            )


async def require_reachable(people: Reach, unit: Transaction, person: UUID, others: frozenset[UUID]) -> None:
    """Raises Unprocessable ``participant_unavailable``: the same whether somebody is not there, was disabled, or has
    blocked whoever asks. ``person`` may be among ``others``: their account can have ended since they asked."""
    missing = others - await people.reachable(unit, person, others)
    if missing:
        raise unavailable(missing)


def unavailable(people: frozenset[UUID]) -> Unprocessable:
    return Unprocessable(
        "Some of these people cannot be reached by you.",
        code="participant_unavailable",
        fields=_naming(people, "cannot be reached by you"),
    )


def _naming(people: frozenset[UUID], why: str) -> list[FieldError]:
    return [FieldError("participant_ids", f"{person} {why}") for person in sorted(people)[:MOST_NAMED]]
