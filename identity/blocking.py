"""Blocking somebody ends what there was between the two, and nothing new begins."""

from __future__ import annotations

from uuid import UUID

from identity.accounts import Account, AccountStore
from identity.announcements import Announcer
from identity.befriending import (
    Change,
    announce,
    decode_moment,
    encode_moment,
    require_both,
    require_two,
    take_step,
)
from identity.blocks import Block, BlockStore
from identity.friends import FriendStore, Step
from kernel.clock import Clock
from kernel.cursors import Page
from kernel.units import Transaction, UnitsOfWork

MAX_BLOCKED = 5000

LISTING = "blocked"


class Blocks:
    def __init__(
        self,
        *,
        units: UnitsOfWork,
        store: BlockStore,
        friends: FriendStore,
        accounts: AccountStore,
        announcer: Announcer,
        clock: Clock,
    ) -> None:
        self._units = units
        self._store = store
        self._friends = friends
        self._accounts = accounts
        self._announcer = announcer
        self._clock = clock

    async def block(self, person: UUID, other: UUID) -> None:
        """Fine when it is so already. Raises NotFound, Unprocessable ``not_with_oneself`` or ``too_many_blocked``.

        The blocked one hears that the friendship ended, as when it is ended otherwise, and nothing of the block."""
        require_two(person, other)
        now = self._clock.now()

        async def work(unit: Transaction) -> Change:
            await require_both(self._accounts, unit, person, other)
            await self._store.add(unit, Block(person, other, now), most=MAX_BLOCKED)
            return await take_step(self._friends, unit, person, other, step=Step.BLOCK, now=now)

        await announce(self._announcer, person, other, await self._units.write(work))

    async def unblock(self, person: UUID, other: UUID) -> None:
        """Fine when there was no block."""
        await self._units.write(lambda unit: self._store.remove(unit, person, other))

    async def page(self, person: UUID, *, cursor: str | None, limit: int) -> Page[tuple[Block, Account]]:
        before = decode_moment(LISTING, cursor)
        found = await self._units.read(lambda unit: self._store.page(unit, person, before=before, limit=limit + 1))
        items = list(found[:limit])
        if len(found) <= limit:
            return Page(items, None)
        block, account = items[-1]
        return Page(items, encode_moment(LISTING, block.created_at, account.id))
