"""Who is in a conversation: coming, going, roles."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from chat.departure import Departure
from chat.doors import Doors
from chat.membership import Action, Member, Role, require
from chat.mode import Mode, require_known
from chat.modes import Modes
from chat.news import News, Newsroom
from chat.ports import Audit, ConversationLists, ConversationStore, MemberLists, MemberStore
from chat.positions import page_of, place_of
from chat.records import Conversation, Face, Listed
from chat.seats import no_conversation, seat_for
from kernel.clock import Clock
from kernel.cursors import Page
from kernel.errors import NotFound, Unprocessable
from kernel.units import Transaction, UnitsOfWork

MEMBERS = "participants"

Participant = tuple[Member, Face]


class Members:
    def __init__(
        self,
        *,
        units: UnitsOfWork,
        newsroom: Newsroom,
        store: ConversationStore,
        lists: ConversationLists,
        members: MemberStore,
        member_lists: MemberLists,
        doors: Doors,
        departure: Departure,
        modes: Modes,
        audit: Audit,
        clock: Clock,
    ) -> None:
        self._units = units
        self._newsroom = newsroom
        self._store = store
        self._lists = lists
        self._members = members
        self._member_lists = member_lists
        self._doors = doors
        self._departure = departure
        self._modes = modes
        self._audit = audit
        self._clock = clock

    async def page(self, conversation: UUID, person: UUID, *, cursor: str | None, limit: int) -> Page[Participant]:
        """The longest-standing first. Raises NotFound, Malformed ``bad_cursor``."""
        after = place_of(MEMBERS, cursor)

        async def look(unit: Transaction) -> Sequence[Participant]:
            await seat_for(self._store, unit, conversation, person)
            return await self._member_lists.page(unit, conversation, after=after, most=limit + 1)

        found = await self._units.read(look)
        return page_of(MEMBERS, found, limit, lambda item: (item[0].joined_at, item[0].person))

    async def add(self, conversation: UUID, person: UUID, others: frozenset[UUID]) -> Sequence[Participant]:
        """All of ``others`` as they are now; whoever was there already stays as they were. Raises NotFound, Forbidden,
        Unprocessable ``participant_unavailable`` or ``direct_conversation``, Conflict ``conversation_full`` or
        ``participant_banned``."""

        async def work(unit: Transaction, news: News) -> Sequence[Participant]:
            seat = await seat_for(self._store, unit, conversation, person, Action.ADD)
            # Of whoever is there already nothing is asked, so that it tells nothing.
            there = await self._member_lists.faces(unit, conversation, others)
            coming = others - {member.person for member, _ in there}
            await self._doors.require_bringable(unit, conversation, person, coming)
            await self._enter(unit, news, seat.conversation, coming, by=person)
            return await self._member_lists.faces(unit, conversation, others)

        return await self._newsroom.write(work)

    async def join(self, conversation: UUID, person: UUID, *, seen: Mode | None) -> Listed:
        """A public group; to be there already is as good. Raises NotFound for what is not public, and as
        ``enter_alone``."""

        async def work(unit: Transaction, news: News) -> Listed | None:
            found = await self._store.get(unit, conversation)
            seated = await self._member_lists.get(unit, conversation, person)
            if seated is None:
                if found is None or not found.is_public:
                    raise no_conversation()
                await self.enter_alone(unit, news, found, person, seen=seen)
            return await self._lists.one(unit, conversation, person)

        joined = await self._newsroom.write(work)
        if joined is None:
            raise no_conversation()
        return joined

    async def enter_alone(
        self, unit: Transaction, news: News, conversation: Conversation, person: UUID, *, seen: Mode | None
    ) -> None:
        """Somebody comes by their own will, into what they take to be ``seen``. Raises as ``Doors.require_open`` and
        Conflict ``mode_not_accepted`` or ``conversation_full``."""
        await self._doors.require_open(unit, conversation.id, person)
        require_known(conversation.mode, seen=seen)
        await self._enter(unit, news, conversation, frozenset({person}), by=person)

    async def remove(self, conversation: UUID, person: UUID, other: UUID) -> None:
        """Raises NotFound, Forbidden, Unprocessable ``direct_conversation``. To remove oneself is to leave."""
        if other == person:
            return await self.leave(conversation, person)

        async def work(unit: Transaction, news: News) -> None:
            seat = await seat_for(self._store, unit, conversation, person, Action.REMOVE)
            subject = await self._member(unit, conversation, other)
            require(seat.member.role, Action.REMOVE, subject.role)
            await self._departure.put_out(unit, news, seat.conversation, subject, by=seat.member)

        return await self._newsroom.write(work)

    async def leave(self, conversation: UUID, person: UUID) -> None:
        """An owner's place goes to the longest-standing admin, or else member. The last one takes the conversation
        along. Raises NotFound, Unprocessable ``direct_conversation``."""

        async def work(unit: Transaction, news: News) -> None:
            seat = await seat_for(self._store, unit, conversation, person, Action.LEAVE)
            await self._departure.leave(unit, news, seat.conversation, seat.member)

        await self._newsroom.write(work)

    async def set_role(self, conversation: UUID, person: UUID, other: UUID, role: Role) -> Participant:
        """To admin or member. Raises NotFound, Forbidden, Unprocessable ``direct_conversation``."""

        async def work(unit: Transaction, news: News) -> Participant:
            seat = await seat_for(self._store, unit, conversation, person, Action.SET_ROLE)
            subject = await self._member(unit, conversation, other)
            require(seat.member.role, Action.SET_ROLE, subject.role)
            await self._members.set_role(unit, conversation, other, role)
            await self._tell(unit, news, conversation, "role_changed", user_id=other, role=role.value, by=person)
            [changed] = await self._member_lists.faces(unit, conversation, {other})
            return changed

        return await self._newsroom.write(work)

    async def hand_over(self, conversation: UUID, person: UUID, other: UUID) -> Listed:
        """``other`` becomes the owner, who was it an admin. Raises NotFound, Forbidden, Unprocessable
        ``direct_conversation`` or ``owner_already``."""

        async def work(unit: Transaction, news: News) -> Listed | None:
            await seat_for(self._store, unit, conversation, person, Action.HAND_OVER)
            await self._member(unit, conversation, other)
            if other == person:
                raise Unprocessable("You are the owner.", code="owner_already")
            await self._members.set_role(unit, conversation, person, Role.ADMIN)
            await self._members.set_role(unit, conversation, other, Role.OWNER)
            await self._audit.record(
                unit,
                actor=str(person),
                action="conversation.owner",
                subject=str(conversation),
                details={"owner": str(other)},
            )
            await self._tell(unit, news, conversation, "owner_changed", user_id=other, by=person)
            return await self._lists.one(unit, conversation, person)

        found = await self._newsroom.write(work)
        if found is None:
            raise no_conversation()
        return found

    async def _enter(
        self, unit: Transaction, news: News, conversation: Conversation, people: frozenset[UUID], *, by: UUID
    ) -> None:
        now, identifier = self._clock.now(), conversation.id
        coming = [Member(identifier, person, Role.MEMBER, now) for person in sorted(people)]
        came = await self._members.add(unit, identifier, coming)
        if came:
            # Who was brought in hears with it what may be read here.
            mode, joined = conversation.mode.value, sorted(came)
            await self._tell(unit, news, identifier, "members_joined", user_ids=joined, mode=mode, by=by)
            await self._modes.ask(unit, news, identifier, came)

    async def _tell(self, unit: Transaction, news: News, conversation: UUID, change: str, **details: object) -> None:
        members = await self._member_lists.all(unit, conversation)
        news.add([member.person for member in members], conversation, change, **details)

    async def _member(self, unit: Transaction, conversation: UUID, person: UUID) -> Member:
        found = await self._member_lists.get(unit, conversation, person)
        if found is None:
            raise NotFound("There is no such participant.")
        return found
