"""Somebody goes. What follows from that is the same whether they leave, are put out, or their account is erased: the
owner's place is filled, an open question about the mode is looked at again, and nobody leaves an empty room behind."""

from __future__ import annotations

from chat.membership import Member, Role, successor
from chat.modes import Modes
from chat.news import News
from chat.pictures import Ending
from chat.ports import Audit, MemberLists, MemberStore, Reach
from chat.records import Conversation
from kernel.units import Transaction


class Departure:
    def __init__(
        self,
        *,
        ending: Ending,
        members: MemberStore,
        member_lists: MemberLists,
        people: Reach,
        modes: Modes,
        audit: Audit,
    ) -> None:
        self._ending = ending
        self._members = members
        self._member_lists = member_lists
        self._people = people
        self._modes = modes
        self._audit = audit

    async def leave(self, unit: Transaction, news: News, conversation: Conversation, member: Member) -> None:
        left = await self._go(unit, news, conversation, member, change="member_left", by=member)
        if left:
            people = [other.person for other in left]
            await self._modes.after_leaving(unit, news, conversation, member.person, members=people)

    async def put_out(
        self,
        unit: Transaction,
        news: News,
        conversation: Conversation,
        member: Member,
        *,
        by: Member,
        banned: bool = False,
    ) -> None:
        left = await self._go(unit, news, conversation, member, change="member_removed", by=by, banned=banned)
        members = [other.person for other in left]
        await self._modes.withdraw(unit, news, conversation, by=by.person, members=members)

    async def _go(
        self,
        unit: Transaction,
        news: News,
        conversation: Conversation,
        member: Member,
        *,
        change: str,
        by: Member,
        **told: object,
    ) -> list[Member]:
        """Those who stay."""
        await self._members.remove(unit, conversation.id, member.person)
        left = list(await self._member_lists.all(unit, conversation.id))
        people = [other.person for other in left]
        news.add([*people, member.person], conversation.id, change, user_id=member.person, by=by.person, **told)
        if not left:
            await self._ending.end(unit, conversation.id)
        heir = await self._heir(unit, left) if member.role is Role.OWNER else None
        if heir is not None:
            await self._members.set_role(unit, conversation.id, heir.person, Role.OWNER)
            await self._audit.record(
                unit,
                actor=str(member.person),
                action="conversation.owner",
                subject=str(conversation.id),
                details={"owner": str(heir.person)},
            )
            news.add(people, conversation.id, "owner_changed", user_id=heir.person, by=member.person)
        return left

    async def _heir(self, unit: Transaction, left: list[Member]) -> Member | None:
        """Somebody who can act as an owner, where there is anybody."""
        active = await self._people.active(unit, frozenset(member.person for member in left))
        return successor([member for member in left if member.person in active]) or successor(left)
