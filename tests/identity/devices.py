"""Devices of people, with the private halves of their keys; and the key directory on a store of its own."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from adapters.memory import MemoryBus, MemoryState
from adapters.sql.chat.companions import SqlCompanions
from adapters.sql.engine import Database
from adapters.sql.identity.accounts import SqlAccounts
from adapters.sql.identity.blocks import SqlBlocks
from adapters.sql.identity.friends import SqlFriends
from adapters.sql.identity.prekeys import SqlBundles, SqlKeyChanges, SqlKeyDevices, SqlOneTimeKeys, SqlRetiredKeys
from adapters.sql.jobs import SqlJobs, open_jobs
from adapters.sql.metadata import metadata
from config.sections import Database as DatabaseSettings
from config.sections import Jobs
from identity.accounts import Account
from identity.announcements import Announcer
from identity.keychanges import NEWS_JOB, KeyChanges
from identity.keydirectory import KeyDirectory, Upload
from identity.prekeys import SIGNED_PREFIX, OneTimeKey, SignedKey
from kernel.clock import SystemClock
from kernel.ids import IdGenerator
from kernel.jobs import JobDone
from kernel.metrics import Metrics
from kernel.units import Transaction
from tests.adapters.sql.relational import opened
from tests.clocks import MovableClock


def text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def agreement_key() -> bytes:
    return X25519PrivateKey.generate().public_key().public_bytes_raw()


@dataclass
class Device:
    """One that makes its keys as it is asked for them, always the same for the same id."""

    id: str = "phone"
    identity: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    _made: dict[object, bytes] = field(default_factory=dict)

    @property
    def identity_key(self) -> bytes:
        return self.identity.public_key().public_bytes_raw()

    def public(self, name: object) -> bytes:
        return self._made.setdefault(name, agreement_key())

    def signed(self, key_id: int = 1) -> SignedKey:
        key = self.public(("signed", key_id))
        return SignedKey(key_id, key, self.identity.sign(SIGNED_PREFIX + key))

    def one_time(self, ids: Iterable[int]) -> tuple[OneTimeKey, ...]:
        return tuple(OneTimeKey(key_id, self.public(key_id)) for key_id in ids)

    def upload(self, ids: Iterable[int] = (), *, signed: int = 1) -> Upload:
        return Upload(self.id, self.identity_key, self.signed(signed), self.one_time(ids))

    def signed_body(self, key_id: int = 1) -> dict[str, Any]:
        key = self.signed(key_id)
        return {"key_id": key_id, "public_key": text(key.public_key), "signature": text(key.signature)}

    def body(self, ids: Iterable[int] = (), *, signed: int = 1) -> dict[str, Any]:
        """Of POST /v1/keys/upload."""
        return {
            "device_id": self.id,
            "identity_key": text(self.identity_key),
            "signed_pre_key": self.signed_body(signed),
            "one_time_pre_keys": [
                {"key_id": key.key_id, "public_key": text(key.public_key)} for key in self.one_time(ids)
            ],
        }


@dataclass
class Directory:
    """On a store of its own."""

    keys: KeyDirectory
    changes: KeyChanges
    jobs: SqlJobs
    database: Database
    bus: MemoryBus
    clock: MovableClock
    ids: IdGenerator

    async def person(self) -> UUID:
        """An account that nobody can sign in to."""
        [made] = await self.crowd(1)
        return made

    async def crowd(self, size: int) -> list[UUID]:
        """By id."""
        people = [self.ids.next() for _ in range(size)]
        accounts = [Account(who, f"{who.hex}@example.org", who.hex, who.hex, who.hex, "", 0.0, 0.0) for who in people]

        async def work(unit: Transaction) -> None:
            for account in accounts:
                await SqlAccounts().add(unit, account)

        await self.database.units.write(work, timeout=30.0)
        return people

    async def tell(self) -> int:
        """What waits to be told of changes, at once; answers how many changes that were."""
        waiting = await self.jobs.queue.claim([NEWS_JOB], limit=100, lease=60.0)
        for job in waiting:
            await self.changes.tell(job)
        await self.jobs.queue.settle([JobDone(job) for job in waiting])
        return len(waiting)


@asynccontextmanager
async def directory(settings: DatabaseSettings, folder: Path) -> AsyncIterator[Directory]:
    clock, metrics = MovableClock(), Metrics()
    ids, bus = IdGenerator(SystemClock()), MemoryBus(metrics)
    async with opened(settings, folder, metrics=metrics) as database:
        # Migrations come to the same, slowly.
        await database.units.write(lambda unit: unit.connection.run_sync(metadata.create_all), timeout=30.0)
        async with open_jobs(database, Jobs(), clock=clock, metrics=metrics, ids=ids) as jobs:
            units, announcer, record = database.units, Announcer(bus), SqlKeyChanges()
            changes = KeyChanges(
                units=units,
                store=record,
                friends=SqlFriends(),
                companions=SqlCompanions(),
                blocks=SqlBlocks(),
                announcer=announcer,
                jobs=jobs.queue,
            )
            keys = KeyDirectory(
                units=units,
                devices=SqlKeyDevices(),
                bundles=SqlBundles(),
                one_time=SqlOneTimeKeys(),
                retired=SqlRetiredKeys(),
                record=record,
                changes=changes,
                announcer=announcer,
                counters=MemoryState(clock, metrics).counters,
                ids=ids,
                clock=clock,
            )
            yield Directory(keys, changes, jobs, database, bus, clock, ids)
