"""Whom somebody may bring into a conversation, by what identity/ knows of people."""

from __future__ import annotations

from uuid import UUID

from identity.accounts import AccountStore, State
from identity.blocks import BlockStore
from kernel.units import Transaction


class Reachability:
    """chat.ports.Reach."""

    def __init__(self, accounts: AccountStore, blocks: BlockStore) -> None:
        self._accounts = accounts
        self._blocks = blocks

    async def reachable(self, unit: Transaction, person: UUID, others: frozenset[UUID]) -> frozenset[UUID]:
        active = await self.active(unit, others)
        return active - await self.blocked(unit, person, active)

    async def active(self, unit: Transaction, people: frozenset[UUID]) -> frozenset[UUID]:
        found = await self._accounts.many(unit, people)
        return frozenset(person for person, account in found.items() if account.state is State.ACTIVE)

    async def visible(self, unit: Transaction, person: UUID, other: UUID) -> bool:
        found = await self._accounts.get(unit, other)
        there = found is not None and found.state is not State.ERASING
        return there and not await self._blocks.by(unit, other, person)

    async def blocked(self, unit: Transaction, person: UUID, others: frozenset[UUID]) -> frozenset[UUID]:
        return await self._blocks.between(unit, person, others)
