"""Whom people know, and how they are found and seen, put together on the platform's stores."""

from __future__ import annotations

from dataclasses import dataclass

from adapters.sql.identity.blocks import SqlBlocks
from adapters.sql.identity.friendlists import SqlFriendLists
from adapters.sql.identity.friends import SqlFriends
from adapters.sql.identity.search import SqlSearch
from api.platform import Platform
from identity.accounts import AccountStore
from identity.announcements import Announcer
from identity.avatars import Avatars
from identity.befriending import Friends
from identity.blocking import Blocks
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
