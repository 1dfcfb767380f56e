"""Conversations: making them, finding them, what they are called, ending them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from chat import texts
from chat.doors import require_reachable
from chat.membership import Action, Member, Role
from chat.mode import UNCHANGED, Features, Mode, Policy, Wish, wished
from chat.news import News, Newsroom
from chat.pictures import Ending
from chat.ports import Audit, ConversationLists, ConversationStore, MemberLists, MemberStore, Reach
from chat.positions import page_of, place_of
from chat.records import DIRECT_MEMBERS, Conversation, Kind, Listed, pair_of
from chat.seats import no_conversation, seat_for
from kernel.clock import Clock
from kernel.cursors import Page
from kernel.errors import Conflict, Unprocessable
from kernel.ids import IdGenerator
from kernel.units import Transaction, UnitsOfWork

USUAL_MEMBERS = 250
MOST_MEMBERS = 1000
# That somebody is in and still begins another. Others may bring them into more.
MOST_CONVERSATIONS = 10_000

MINE = "conversations"
PUBLIC = "public conversations"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupPlan:
    """A group that somebody wants to make."""

    others: frozenset[UUID]
    title: str | None = None
    description: str | None = None
    wish: Wish = UNCHANGED
    policy: Policy = Policy.ALL_CONSENT
    retention: int | None = None
    is_public: bool = False
    allow_invites: bool = True
    max_members: int = USUAL_MEMBERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """None leaves a field as it is; an empty title or description removes it."""

    title: str | None = None
    description: str | None = None
    is_public: bool | None = None
    allow_invites: bool | None = None
    max_members: int | None = None


class Conversations:
    def __init__(
        self,
        *,
        units: UnitsOfWork,
        newsroom: Newsroom,
        store: ConversationStore,
        lists: ConversationLists,
        members: MemberStore,
        member_lists: MemberLists,
        people: Reach,
        ending: Ending,
        audit: Audit,
        ids: IdGenerator,
        clock: Clock,
    ) -> None:
        self._units = units
        self._newsroom = newsroom
        self._store = store
        self._lists = lists
        self._members = members
        self._member_lists = member_lists
        self._people = people
        self._ending = ending
        self._audit = audit
        self._ids = ids
        self._clock = clock

    async def direct(self, person: UUID, other: UUID, *, wish: Wish, retention: int | None) -> tuple[Listed, bool]:
        """The conversation of these two, and whether it was made now; one that is there is answered as it is, whatever
        is wished. Raises Unprocessable ``participant_unavailable``, ``mode_contradiction``,
        ``too_many_conversations``.

        One that begins may begin Intelligent, as a group may: nothing has been said in it, the other sees what it is
        before they say anything, and turns it Secure without asking."""
        features = wished(Features(), wish)
        pair = pair_of(person, other)

        async def find(unit: Transaction) -> Listed | None:
            await require_reachable(self._people, unit, person, frozenset({person, other}))
            return await self._lists.between(unit, pair, person)

        # Nearly always it is there, and reading disturbs nobody.
        found = await self._units.read(find)
        if found is not None:
            return found, False
        await self._require_room(person)
        now = self._clock.now()
        conversation = _new(self._ids.next(), Kind.DIRECT, now, pair=pair, retention=retention).under(features)

        async def make(unit: Transaction, news: News) -> tuple[Listed | None, bool]:
            found = await find(unit)
            if found is None:
                await self._store.add(unit, conversation)
                await self._admit(unit, news, conversation, {person: Role.PEER, other: Role.PEER})
                await self._record_beginning(unit, person, conversation)
            return found or await self._lists.one(unit, conversation.id, person), found is None

        made, is_new = await self._newsroom.write(make)
        if made is None:
            raise no_conversation()
        return made, is_new

    async def group(self, person: UUID, plan: GroupPlan) -> Listed:
        """Raises Unprocessable ``participant_unavailable``, ``mode_contradiction``, ``invalid_title``,
        ``too_many_conversations``; Conflict ``conversation_full``.

        Nobody is asked about the mode of a group that begins: its maker is the only one there, and whoever comes
        sees what it is."""
        conversation = replace(
            _new(self._ids.next(), Kind.GROUP, self._clock.now(), retention=plan.retention),
            title=texts.title(plan.title) if plan.title is not None else None,
            description=texts.description(plan.description) if plan.description is not None else None,
            is_public=plan.is_public,
            allow_invites=plan.allow_invites,
            max_members=plan.max_members,
            mode_policy=plan.policy,
        ).under(wished(Features(), plan.wish))
        others = plan.others - {person}
        await self._require_room(person)

        async def make(unit: Transaction, news: News) -> Listed | None:
            await require_reachable(self._people, unit, person, others | {person})
            await self._store.add(unit, conversation)
            await self._admit(
                unit, news, conversation, {person: Role.OWNER, **dict.fromkeys(sorted(others), Role.MEMBER)}
            )
            await self._record_beginning(unit, person, conversation)
            return await self._lists.one(unit, conversation.id, person)

        made = await self._newsroom.write(make)
        if made is None:
            raise no_conversation()
        return made

    async def get(self, conversation: UUID, person: UUID) -> Listed:
        """Raises NotFound for whoever is not a member."""
        found = await self._units.read(lambda unit: self._lists.one(unit, conversation, person))
        if found is None:
            raise no_conversation()
        return found

    async def mine(self, person: UUID, *, cursor: str | None, limit: int) -> Page[Listed]:
        """The latest active first. Raises Malformed ``bad_cursor``."""
        before = place_of(MINE, cursor)
        found = await self._units.read(lambda unit: self._lists.of(unit, person, before=before, most=limit + 1))
        return page_of(MINE, found, limit, _place)

    async def public(self, person: UUID, words: str, *, cursor: str | None, limit: int) -> Page[Listed]:
        """Groups that anybody may join. Raises Malformed ``bad_cursor``."""
        before = place_of(PUBLIC, cursor)
        found = await self._units.read(
            lambda unit: self._lists.public(unit, person, words, before=before, most=limit + 1), stale_ok=True
        )
        return page_of(PUBLIC, found, limit, _place)

    async def change(self, conversation: UUID, person: UUID, change: Change) -> Listed:
        """Raises NotFound, Forbidden; Unprocessable ``direct_conversation``, ``invalid_title``; Conflict
        ``more_members_than_that``."""

        async def work(unit: Transaction, news: News) -> Listed | None:
            seat = await seat_for(self._store, unit, conversation, person, Action.EDIT)
            changed = _changed(seat.conversation, change)
            await self._store.put(unit, changed)
            members = await self._member_lists.all(unit, conversation)
            news.add([member.person for member in members], conversation, "updated", by=person)
            return await self._lists.one(unit, conversation, person)

        found = await self._newsroom.write(work)
        if found is None:
            raise no_conversation()
        return found

    async def delete(self, conversation: UUID, person: UUID) -> None:
        """A group by its owner, a direct conversation by either of the two, each time for everybody."""

        async def work(unit: Transaction, news: News) -> None:
            await seat_for(self._store, unit, conversation, person, Action.DELETE)
            members = await self._member_lists.all(unit, conversation)
            await self._ending.end(unit, conversation)
            await self._audit.record(
                unit, actor=str(person), action="conversation.delete", subject=str(conversation), details={}
            )
            news.add([member.person for member in members], conversation, "deleted", by=person)

        await self._newsroom.write(work)

    async def _require_room(self, person: UUID) -> None:
        """Before the unit: those who begin many at once would fail each other over a bound that need not be exact."""
        if await self._units.read(lambda unit: self._lists.count(unit, person)) >= MOST_CONVERSATIONS:
            raise Unprocessable(
                f"You are in {MOST_CONVERSATIONS} conversations; leave or end some.", code="too_many_conversations"
            )

    async def _record_beginning(self, unit: Transaction, person: UUID, conversation: Conversation) -> None:
        """Secure is what conversations are; anything else is a change of mode to be found again."""
        if conversation.mode is not Mode.SECURE:
            await self._audit.record(
                unit,
                actor=str(person),
                action="conversation.mode",
                subject=str(conversation.id),
                details={
                    "to": conversation.mode.value,
                    "version": "1",
                    "way": "created",
                    **conversation.features.recorded,
                },
            )

    async def _admit(self, unit: Transaction, news: News, conversation: Conversation, roles: dict[UUID, Role]) -> None:
        now = self._clock.now()
        seated = [Member(conversation.id, person, role, now) for person, role in roles.items()]
        await self._members.add(unit, conversation.id, seated)
        news.add(roles, conversation.id, "created", kind=conversation.kind.value, mode=conversation.mode.value)


def _new(identifier: UUID, kind: Kind, now: float, *, pair: bytes | None = None, retention: int | None) -> Conversation:
    """Empty and Secure: the store counts members as they come."""
    return Conversation(
        id=identifier,
        kind=kind,
        pair=pair,
        title=None,
        description=None,
        mode=Mode.SECURE,
        mode_version=1,
        mode_policy=Policy.ALL_CONSENT,
        ai_enabled=False,
        recording_enabled=False,
        retention=retention,
        is_public=False,
        allow_invites=False,
        max_members=DIRECT_MEMBERS,
        member_count=0,
        created_at=now,
        active_at=now,
    )


def _changed(found: Conversation, change: Change) -> Conversation:
    if change.title is not None:
        found = replace(found, title=texts.title(change.title) if change.title.strip() else None)
    if change.description is not None:
        found = replace(found, description=texts.description(change.description))
    if change.max_members is not None and change.max_members < found.member_count:
        raise Conflict(f"There are {found.member_count} members already.", code="more_members_than_that")
    chosen = {
        name: value
        for name in ("is_public", "allow_invites", "max_members")
        if (value := getattr(change, name)) is not None
    }
    return replace(found, **chosen)


def _place(listed: Listed) -> tuple[float, UUID]:
    return listed.conversation.active_at, listed.conversation.id
