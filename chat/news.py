"""Units of work whose outcome others hear of, once it is durable."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

from chat.ports import Announcements
from kernel.units import Transaction, UnitsOfWork

Result = TypeVar("Result")

EVENT = "conversation"


@dataclass(slots=True)
class News:
    """What happened during one attempt at a unit of work."""

    items: list[tuple[frozenset[UUID], Mapping[str, object]]] = field(default_factory=list)

    def add(self, people: Collection[UUID], conversation: UUID, change: str, **details: object) -> None:
        self.items.append((frozenset(people), {"conversation_id": conversation, "change": change, **details}))


class Newsroom:
    def __init__(self, units: UnitsOfWork, announcements: Announcements) -> None:
        self._units = units
        self._announcements = announcements

    async def write(self, work: Callable[[Transaction, News], Awaitable[Result]]) -> Result:
        """Like ``UnitsOfWork.write``; then those concerned are told."""

        async def attempt(unit: Transaction) -> tuple[Result, News]:
            news = News()
            return await work(unit, news), news

        result, news = await self._units.write(attempt)
        for people, data in news.items:
            await self._announcements.to(people, EVENT, data)
        return result
