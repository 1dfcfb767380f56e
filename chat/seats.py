"""Finding somebody's place in a conversation: the first step of everything that is done there."""

from __future__ import annotations

from uuid import UUID

from chat.membership import Action, require
from chat.ports import ConversationStore
from chat.records import Seat
from kernel.errors import NotFound
from kernel.units import Transaction


def no_conversation() -> NotFound:
    return NotFound("There is no such conversation.")


async def seat_for(
    store: ConversationStore, unit: Transaction, conversation: UUID, person: UUID, action: Action = Action.READ
) -> Seat:
    """Raises NotFound for whoever is not a member, and as ``membership.require`` does for whoever may not."""
    seat = await store.seat(unit, conversation, person)
    if seat is None:
        raise no_conversation()
    require(seat.member.role, action)
    return seat
