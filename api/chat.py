"""Everything that chat/ does here, put together on the platform's stores and on people."""

from __future__ import annotations

from dataclasses import dataclass

from adapters.sql.chat.bans import SqlBans
from adapters.sql.chat.conversations import SqlConversations
from adapters.sql.chat.invites import SqlInvites
from adapters.sql.chat.listing import SqlConversationLists
from adapters.sql.chat.members import SqlMembers
from adapters.sql.chat.rounds import SqlRounds
from adapters.sql.identity.accounts import SqlAccounts
from adapters.sql.identity.blocks import SqlBlocks
from api.people import People
from api.platform import Platform
from chat.bans import Bans
from chat.conversations import Conversations
from chat.departure import Departure
from chat.doors import Doors
from chat.invites import Invites
from chat.members import Members
from chat.modes import Modes
from chat.news import Newsroom
from chat.overdue import OverdueRounds
from chat.pictures import Ending, Pictures
from chat.reach import Reachability


@dataclass(frozen=True, slots=True)
class Chats:
    conversations: Conversations
    members: Members
    invites: Invites
    bans: Bans
    modes: Modes
    overdue_rounds: OverdueRounds
    pictures: Pictures


def open_chats(platform: Platform, people: People) -> Chats:
    units, clock, ids, audit = platform.database.units, platform.clock, platform.ids, people.audit
    store, lists, members, rounds = SqlConversations(), SqlConversationLists(), SqlMembers(), SqlRounds()
    bans = SqlBans()
    newsroom = Newsroom(units, people.announcer)
    reach = Reachability(SqlAccounts(), SqlBlocks())
    doors = Doors(people=reach, bans=bans, member_lists=members)
    ending = Ending(store, platform.jobs.queue)
    modes = Modes(
        units=units,
        newsroom=newsroom,
        store=store,
        lists=lists,
        member_lists=members,
        rounds=rounds,
        round_lists=rounds,
        people=reach,
        audit=audit,
        ids=ids,
        clock=clock,
    )
    departure = Departure(ending=ending, members=members, member_lists=members, people=reach, modes=modes, audit=audit)
    coming_and_going = Members(
        units=units,
        newsroom=newsroom,
        store=store,
        lists=lists,
        members=members,
        member_lists=members,
        doors=doors,
        departure=departure,
        modes=modes,
        audit=audit,
        clock=clock,
    )
    return Chats(
        conversations=Conversations(
            units=units,
            newsroom=newsroom,
            store=store,
            lists=lists,
            members=members,
            member_lists=members,
            people=reach,
            ending=ending,
            audit=audit,
            ids=ids,
            clock=clock,
        ),
        members=coming_and_going,
        invites=Invites(
            units=units,
            newsroom=newsroom,
            store=store,
            lists=lists,
            member_lists=members,
            invites=SqlInvites(),
            members=coming_and_going,
            doors=doors,
            ids=ids,
            clock=clock,
        ),
        bans=Bans(
            units=units,
            newsroom=newsroom,
            store=store,
            member_lists=members,
            bans=bans,
            people=reach,
            departure=departure,
            audit=audit,
            clock=clock,
        ),
        modes=modes,
        overdue_rounds=OverdueRounds(units=units, lists=rounds, modes=modes, clock=clock),
        pictures=Pictures(
            units=units,
            newsroom=newsroom,
            store=store,
            lists=lists,
            member_lists=members,
            objects=platform.objects.objects,
            jobs=platform.jobs.queue,
            ids=ids,
            clock=clock,
        ),
    )
