"""What became of people's identity keys: a record that anybody can read, and news to everybody whom it concerns.

A device that somebody has not added themselves is how messages are read by others, so all who write to them hear of
each change: friends, and whoever shares a conversation with them. That may be many, so a job tells them page by page;
it was queued in the unit that recorded the change. Some hear it twice when a node or the bus dies meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol
from uuid import UUID

import msgspec

from identity.announcements import Announcer
from identity.blocks import BlockStore
from identity.friends import FriendStore
from kernel.ids import milliseconds_of
from kernel.jobs import Job, JobQueue, NewJob
from kernel.units import Transaction, UnitsOfWork

NEWS_JOB: Final = "keys.changed"
PEOPLE_A_PAGE: Final = 500
# Who has more acquaintances than this has joined groups for its own sake. The others see it in the record.
MAX_TOLD: Final = 100_000


class ChangeKind(Enum):
    ADDED = "added"
    # The device is known, but not by this identity: a new installation, or somebody in between.
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class KeyChange:
    id: UUID
    account: UUID
    device_id: str
    kind: ChangeKind
    fingerprint: str

    @property
    def at(self) -> float:
        return milliseconds_of(self.id) / 1000


class KeyChangeStore(Protocol):
    async def add(self, unit: Transaction, change: KeyChange) -> None: ...

    async def get(self, unit: Transaction, account: UUID, change: UUID) -> KeyChange | None: ...

    async def latest(self, unit: Transaction, account: UUID, device_id: str) -> KeyChange | None: ...

    async def count(self, unit: Transaction, account: UUID, *, since: UUID) -> int: ...

    async def page(self, unit: Transaction, account: UUID, *, before: UUID | None, limit: int) -> Sequence[KeyChange]:
        """The latest first."""
        ...


class Companions(Protocol):
    async def of(self, unit: Transaction, person: UUID, *, after: UUID | None, limit: int) -> Sequence[UUID]:
        """Whoever shares a conversation with ``person``, each once, by id, from behind ``after``."""
        ...


class News(msgspec.Struct, frozen=True):
    """What the job is about."""

    account: UUID
    change: UUID


class KeyChanges:
    def __init__(
        self,
        *,
        units: UnitsOfWork,
        store: KeyChangeStore,
        friends: FriendStore,
        companions: Companions,
        blocks: BlockStore,
        announcer: Announcer,
        jobs: JobQueue,
    ) -> None:
        self._units = units
        self._store = store
        self._friends = friends
        self._companions = companions
        self._blocks = blocks
        self._announcer = announcer
        self._jobs = jobs

    async def record(self, unit: Transaction, change: KeyChange) -> None:
        """It is told once the unit has committed."""
        await self._store.add(unit, change)
        news = msgspec.json.encode(News(change.account, change.id))
        await self._jobs.enqueue([NewJob(NEWS_JOB, news)], within=unit)

    async def tell(self, job: Job) -> None:
        """Runs a NEWS_JOB."""
        news = msgspec.json.decode(job.payload, type=News)
        change = await self._units.read(lambda unit: self._store.get(unit, news.account, news.change))
        if change is None:
            return  # they are gone, and their record with them
        # Jobs run side by side, so that news may come in another order than changes: their ids have it.
        data = {
            "id": change.id,
            "user_id": change.account,
            "device_id": change.device_id,
            "kind": change.kind.value,
            "fingerprint": change.fingerprint,
        }
        # Their own devices first: whoever did not do this should hear of it.
        await self._announcer.surely([change.account], "key_changed", data)
        after: UUID | None = None
        for _ in range(0, MAX_TOLD, PEOPLE_A_PAGE):
            page, told = await self._page(change.account, after)
            await self._announcer.surely(told, "key_changed", data)
            if len(page) < PEOPLE_A_PAGE:
                return
            after = page[-1]

    async def _page(self, account: UUID, after: UUID | None) -> tuple[Sequence[UUID], Sequence[UUID]]:
        """The next ones by id, and those of them without a block."""

        async def work(unit: Transaction) -> tuple[Sequence[UUID], Sequence[UUID]]:
            friends = await self._friends.friends_of(unit, account)
            companions = await self._companions.of(unit, account, after=after, limit=PEOPLE_A_PAGE)
            further = {friend for friend in friends if after is None or friend > after}
            page = sorted(further.union(companions))[:PEOPLE_A_PAGE]
            blocked = await self._blocks.between(unit, account, page)
            return page, [person for person in page if person not in blocked]

        return await self._units.read(work)
