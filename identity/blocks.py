"""Who does not want to have to do with whom. A block counts in both directions, and only who made it knows of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from identity.accounts import Account
from kernel.units import Transaction


@dataclass(frozen=True, slots=True)
class Block:
    blocker: UUID
    blocked: UUID
    created_at: float


class BlockStore(Protocol):
    async def between(self, unit: Transaction, person: UUID, others: Collection[UUID]) -> frozenset[UUID]:
        """Those of ``others`` with a block in either direction."""
        ...

    async def by(self, unit: Transaction, blocker: UUID, blocked: UUID) -> bool:
        """Whether ``blocker`` has blocked ``blocked``."""
        ...

    async def add(self, unit: Transaction, block: Block, *, most: int) -> bool:
        """False when it was there already. Raises Unprocessable ``too_many_blocked`` beyond ``most``."""
        ...

    async def remove(self, unit: Transaction, blocker: UUID, blocked: UUID) -> bool: ...

    async def page(
        self, unit: Transaction, blocker: UUID, *, before: tuple[float, UUID] | None, limit: int
    ) -> Sequence[tuple[Block, Account]]:
        """The latest first, from behind the position ``before`` (when, whom)."""
        ...
