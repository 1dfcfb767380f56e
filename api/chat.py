"""Everything that chat/ does here, put together on the platform's stores and on people."""

from __future__ import annotations

from dataclasses import dataclass

from adapters.sql.chat.conversations import SqlConversations
from adapters.sql.chat.invites import SqlInvites
from adapters.sql.chat.listing import SqlConversationLists
from adapters.sql.chat.members import SqlMembers
from adapters.sql.chat.rounds import SqlRounds
from adapters.sql.identity.accounts import SqlAccounts
from adapters.sql.identity.blocks import SqlBlocks
from api.people import People
from api.platform import Platform
from chat.conversations import Conversations
from chat.departure import Departure
from chat.invites import Invites
from chat.members import Members
from chat.modes import Modes
from chat.news import Newsroom
from chat.pictures import Ending, Pictures
from chat.reach import Reachability


@dataclass(frozen=True, slots=True)
class Chats:
    conversations: Conversations
    members: Members
    invites: Invites
    modes: Modes
    pictures: Pictures


def open_chats(platform: Platform, people: People) -> Chats:
    units, clock, ids, audit = platform.database.units, platform.clock, platform.ids, people.audit
    store, lists, members, rounds = SqlConversations(), SqlConversationLists(), SqlMembers(), SqlRounds()
    newsroom = Newsroom(units, people.announcer)
    reach = Reachability(SqlAccounts(), SqlBlocks())
    modes = Modes(
        units=units,
        newsroom=newsroom,
        store=store,
        lists=lists,
        member_lists=members,
        rounds=rounds,
        audit=audit,
        ids=ids,
        clock=clock,
    )
    ending = Ending(store, platform.jobs.queue)
    departure = Departure(ending=ending, members=members, member_lists=members, modes=modes)
    coming_and_going = Members(
        units=units,
        newsroom=newsroom,
        store=store,
        lists=lists,
        members=members,
        member_lists=members,
        people=reach,
        departure=departure,
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
            ids=ids,
            clock=clock,
        ),
        modes=modes,
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
