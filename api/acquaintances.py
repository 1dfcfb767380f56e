"""Whom people know, how they are found and seen, and who is there, put together on the platform's stores."""

from __future__ import annotations

from dataclasses import dataclass

from adapters.sql.chat.presence import SqlSeen
from adapters.sql.identity.blocks import SqlBlocks
from adapters.sql.identity.friendlists import SqlFriendLists
from adapters.sql.identity.friends import SqlFriends
from adapters.sql.identity.search import SqlSearch
from api.platform import Platform
from chat.presence import Presences
from identity.accounts import AccountStore
from identity.announcements import Announcer
from identity.avatars import Avatars
from identity.befriending import Friends
from identity.blocking import Blocks
from identity.revocations import Revocations
from identity.search import Search


@dataclass(frozen=True, slots=True)
class Acquaintances:
    friends: Friends
    blocks: Blocks
    search: Search
    avatars: Avatars


def acquaintances(platform: Platform, accounts: AccountStore, announcer: Announcer) -> Acquaintances:
    units, clock = platform.database.units, platform.clock
    friends, lists, blocks = SqlFriends(), SqlFriendLists(), SqlBlocks()
    return Acquaintances(
        friends=Friends(
            units=units,
            store=friends,
            lists=lists,
            blocks=blocks,
            accounts=accounts,
            announcer=announcer,
            clock=clock,
        ),
        blocks=Blocks(units=units, store=blocks, friends=friends, accounts=accounts, announcer=announcer, clock=clock),
        search=Search(
            units=units,
            store=SqlSearch(),
            lists=lists,
            clock=clock,
            require_verified_email=platform.settings.identity.require_verified_email,
        ),
        avatars=Avatars(
            units=units,
            accounts=accounts,
            objects=platform.objects.objects,
            jobs=platform.jobs.queue,
            ids=platform.ids,
            clock=clock,
        ),
    )


def presences(platform: Platform, accounts: AccountStore, announcer: Announcer, revocations: Revocations) -> Presences:
    return Presences(
        leases=platform.ephemeral.sets,
        seen=SqlSeen(),
        signed_in=revocations,
        units=platform.database.units,
        accounts=accounts,
        friends=SqlFriends(),
        lists=SqlFriendLists(),
        blocks=SqlBlocks(),
        announcements=announcer,
        clock=platform.clock,
        metrics=platform.metrics,
    )
