"""Presences over a store in memory, in time that a test moves; and a store that counts, waits or is away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from adapters.memory import MemoryState
from adapters.sql.chat.presence import SqlSeen
from adapters.sql.identity.accounts import SqlAccounts
from adapters.sql.identity.blocks import SqlBlocks
from adapters.sql.identity.friendlists import SqlFriendLists
from adapters.sql.identity.friends import SqlFriends
from chat.presence import Presences
from kernel.ephemeral import TimedSets
from kernel.errors import DependencyUnavailable, Unauthenticated
from kernel.metrics import Metrics
from tests.clocks import VirtualClock
from tests.worlds import World


class Counted:
    """kernel.ephemeral.TimedSets that counts trips, or does not answer."""

    def __init__(self, sets: TimedSets) -> None:
        self._sets = sets
        self.trips: list[str] = []
        self.away = False
        # Additions wait for it.
        self.road = asyncio.Event()
        self.road.set()

    def _trip(self, name: str) -> None:
        self.trips.append(name)
        if self.away:
            raise DependencyUnavailable("redis", "away")

    async def add(self, key: str, member: str, *, ttl: float) -> bool:
        self._trip("add")
        await asyncio.sleep(0)
        await self.road.wait()
        return await self._sets.add(key, member, ttl=ttl)

    async def remove(self, key: str, member: str) -> bool:
        self._trip("remove")
        await asyncio.sleep(0)
        return await self._sets.remove(key, member)

    async def members(self, key: str) -> frozenset[str]:
        self._trip("members")
        await asyncio.sleep(0)
        return await self._sets.members(key)

    async def members_of_many(self, keys: Collection[str]) -> Mapping[str, frozenset[str]]:
        self._trip("members_of_many")
        await asyncio.sleep(0)
        return await self._sets.members_of_many(keys)


class Alive:
    """chat.presence.SignedIn for sessions that go on, but for those named."""

    def __init__(self) -> None:
        self.ended: set[UUID] = set()

    async def require_alive(self, session: UUID) -> None:
        await asyncio.sleep(0)
        if session in self.ended:
            raise Unauthenticated("It has ended.", code="session_ended")


@dataclass
class Told:
    """chat.ports.Announcements."""

    events: list[tuple[UUID, str]] = field(default_factory=list)

    async def to(self, people: Collection[UUID], kind: str, data: Mapping[str, object]) -> None:
        self.events += [(person, str(data["status"])) for person in people]

    def take(self, person: UUID) -> list[str]:
        found = [status for to, status in self.events if to == person]
        self.events.clear()
        return found


@dataclass
class Desk:
    """Presences in time that a test moves."""

    here: World
    clock: VirtualClock
    alive: Alive
    told: Told
    presences: Presences

    @classmethod
    def of(cls, here: World, leases: Callable[[TimedSets], TimedSets] = lambda sets: sets) -> Desk:
        clock, alive, told = VirtualClock(), Alive(), Told()
        presences = Presences(
            leases=leases(MemoryState(clock).sets),
            seen=SqlSeen(),
            signed_in=alive,
            units=here.platform.database.units,
            accounts=SqlAccounts(),
            friends=SqlFriends(),
            lists=SqlFriendLists(),
            blocks=SqlBlocks(),
            announcements=told,
            clock=clock,
            metrics=Metrics(),
        )
        return cls(here, clock, alive, told, presences)

    async def last_seen(self, person: UUID) -> float | None:
        found = await self.here.platform.database.units.read(lambda unit: SqlSeen().of(unit, [person]))
        return found.get(person)
