"""Each operation of the stores of chat/ once, for the snapshots of their statements."""

from __future__ import annotations

from uuid import UUID

from adapters.sql.chat.activity import SqlActivity
from adapters.sql.chat.bans import SqlBans
from adapters.sql.chat.companions import SqlCompanions
from adapters.sql.chat.conversations import SqlConversations
from adapters.sql.chat.invites import SqlInvites
from adapters.sql.chat.listing import SqlConversationLists
from adapters.sql.chat.members import SqlMembers
from adapters.sql.chat.modes import SqlModes
from adapters.sql.chat.rounds import SqlRounds
from adapters.sql.engine import Database
from chat import mode as rules
from chat.membership import Member, Role
from chat.mode import Mode, Policy
from chat.records import Ban, Conversation, Invite, Kind, pair_of
from kernel.units import Transaction

ADA, BOB, ROOM = UUID(int=1), UUID(int=2), UUID(int=3)
CONVERSATION = Conversation(
    id=ROOM,
    kind=Kind.DIRECT,
    pair=pair_of(ADA, BOB),
    title=None,
    description=None,
    mode=Mode.SECURE,
    mode_version=1,
    mode_policy=Policy.ALL_CONSENT,
    ai_enabled=False,
    recording_enabled=False,
    retention=None,
    is_public=False,
    allow_invites=False,
    max_members=2,
    member_count=0,
    created_at=1.0,
    active_at=1.0,
)


async def tour_of_the_conversations(database: Database) -> None:
    async def visit(unit: Transaction) -> None:
        await _members(unit)
        await _lists(unit)
        await _invites(unit)
        await _bans(unit)
        await _rounds(unit)
        await _for_other_rooms(unit)
        await SqlConversations().remove(unit, ROOM)

    await database.units.write(visit)


async def _members(unit: Transaction) -> None:
    conversations, members = SqlConversations(), SqlMembers()
    await conversations.add(unit, CONVERSATION)
    await conversations.put(unit, CONVERSATION)
    await conversations.get(unit, ROOM)
    await members.add(unit, ROOM, [Member(ROOM, person, Role.PEER, 1.0) for person in (ADA, BOB)])
    await conversations.seat(unit, ROOM, ADA)
    await members.remove(unit, ROOM, BOB)
    await members.set_role(unit, ROOM, ADA, Role.PEER)
    await members.get(unit, ROOM, ADA)
    await members.owner(unit, ROOM)
    await members.all(unit, ROOM)
    await members.page(unit, ROOM, after=None, most=10)
    await members.page(unit, ROOM, after=(1.0, ADA), most=10)
    await members.faces(unit, ROOM, {ADA})


async def _lists(unit: Transaction) -> None:
    lists = SqlConversationLists()
    await lists.one(unit, ROOM, ADA)
    await lists.between(unit, pair_of(ADA, BOB), ADA)
    await lists.of(unit, ADA, before=None, most=10)
    await lists.of(unit, ADA, before=(1.0, ROOM), most=10)
    await lists.count(unit, ADA)
    await lists.public(unit, ADA, "", before=None, most=10)
    await lists.public(unit, ADA, "two words", before=(1.0, ROOM), most=10)


async def _invites(unit: Transaction) -> None:
    invites = SqlInvites()
    await invites.add(unit, Invite(UUID(int=4), ROOM, b"digest", ADA, 1.0, 2.0, None), most=10)
    await invites.find(unit, b"digest")
    await invites.use(unit, UUID(int=4), 1.0)
    await invites.page(unit, ROOM, before=None, most=10)
    await invites.page(unit, ROOM, before=UUID(int=4), most=10)
    await invites.remove(unit, ROOM, UUID(int=4))


async def _rounds(unit: Transaction) -> None:
    rounds = SqlRounds()
    asked = rules.proposed(UUID(int=5), ROOM, mode=Mode.INTELLIGENT, by=ADA, now=1.0)
    await rounds.add(unit, asked)
    await rounds.open_in(unit, ROOM)
    answered = rules.answered(asked, BOB, consents=False, members=[ADA, BOB], now=1.0)
    await rounds.put(unit, answered, before=asked)
    await rounds.get(unit, ROOM, asked.id)
    await rounds.count(unit, ROOM, since=asked.id)
    await rounds.overdue(unit, now=1.0, most=10)
    await rounds.page(unit, ROOM, before=None, most=10)
    await rounds.page(unit, ROOM, before=asked.id, most=10)


async def _bans(unit: Transaction) -> None:
    bans = SqlBans()
    await bans.add(unit, Ban(ROOM, BOB, 1.0), most=10)
    await bans.among(unit, ROOM, {ADA, BOB})
    await bans.page(unit, ROOM, before=None, most=10)
    await bans.page(unit, ROOM, before=(1.0, BOB), most=10)
    await bans.remove(unit, ROOM, BOB)


async def _for_other_rooms(unit: Transaction) -> None:
    await SqlModes().mode_of(unit, ROOM)
    await SqlActivity().said(unit, ROOM, by=ADA, at=2.0)
    await SqlActivity().read(unit, ROOM, ADA, up_to=UUID(int=6), left=0)
    await SqlCompanions().of(unit, ADA, after=None, limit=10)
    await SqlCompanions().of(unit, ADA, after=BOB, limit=10)
