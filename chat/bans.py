"""Bans: whoever was put out of a group for good. They are of accounts; somebody who registers anew is somebody new."""

from __future__ import annotations

from uuid import UUID

from chat.departure import Departure
from chat.doors import unavailable
from chat.membership import Action, require
from chat.news import News, Newsroom
from chat.ports import Audit, BanStore, ConversationStore, MemberLists, Reach
from chat.positions import page_of, place_of
from chat.records import Ban, Face
from chat.seats import seat_for
from kernel.clock import Clock
from kernel.cursors import Page
from kernel.errors import NotFound, Unprocessable
from kernel.units import Transaction, UnitsOfWork

BANS = "bans"
MOST_BANS = 5000


class Bans:
    def __init__(
        self,
        *,
        units: UnitsOfWork,
        newsroom: Newsroom,
        store: ConversationStore,
        member_lists: MemberLists,
        bans: BanStore,
        people: Reach,
        departure: Departure,
        audit: Audit,
        clock: Clock,
    ) -> None:
        self._units = units
        self._newsroom = newsroom
        self._store = store
        self._member_lists = member_lists
        self._bans = bans
        self._people = people
        self._departure = departure
        self._audit = audit
        self._clock = clock

    async def ban(self, conversation: UUID, person: UUID, other: UUID) -> None:
        """Whoever is there is put out; whoever is not can be kept out beforehand. Fine when it is so already. Raises
        NotFound, Forbidden, Unprocessable ``direct_conversation``, ``not_with_oneself``, ``participant_unavailable``
        or ``too_many_bans``."""
        if other == person:
            raise Unprocessable("Nobody bans themselves: leave.", code="not_with_oneself")
        ban = Ban(conversation, other, self._clock.now())

        async def work(unit: Transaction, news: News) -> None:
            seat = await seat_for(self._store, unit, conversation, person, Action.REMOVE)
            subject = await self._member_lists.get(unit, conversation, other)
            if subject is not None:
                require(seat.member.role, Action.REMOVE, subject.role)
            elif not await self._people.visible(unit, person, other):
                raise unavailable(frozenset({other}))
            if await self._bans.add(unit, ban, most=MOST_BANS):
                await self._record(unit, person, "ban", conversation, other)
            if subject is not None:
                await self._departure.put_out(unit, news, seat.conversation, subject, by=seat.member, banned=True)

        await self._newsroom.write(work)

    async def lift(self, conversation: UUID, person: UUID, other: UUID) -> None:
        """Raises NotFound, Forbidden, Unprocessable ``direct_conversation``."""

        async def work(unit: Transaction) -> None:
            await seat_for(self._store, unit, conversation, person, Action.REMOVE)
            if not await self._bans.remove(unit, conversation, other):
                raise NotFound("There is no such ban.")
            await self._record(unit, person, "unban", conversation, other)

        await self._units.write(work)

    async def page(self, conversation: UUID, person: UUID, *, cursor: str | None, limit: int) -> Page[tuple[Ban, Face]]:
        """The latest first. Raises NotFound, Forbidden, Malformed ``bad_cursor``."""
        before = place_of(BANS, cursor)

        async def look(unit: Transaction) -> list[tuple[Ban, Face]]:
            await seat_for(self._store, unit, conversation, person, Action.REMOVE)
            return list(await self._bans.page(unit, conversation, before=before, most=limit + 1))

        found = await self._units.read(look)
        return page_of(BANS, found, limit, lambda item: (item[0].banned_at, item[0].person))

    async def _record(self, unit: Transaction, person: UUID, what: str, conversation: UUID, other: UUID) -> None:
        await self._audit.record(
            unit,
            actor=str(person),
            action=f"conversation.{what}",
            subject=str(conversation),
            details={"user": str(other)},
        )
