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
from adapters.sql.engine import Database
from adapters.sql.identity.accounts import SqlAccounts
from adapters.sql.identity.blocks import SqlBlocks
from adapters.sql.identity.friends import SqlFriends
from adapters.sql.identity.prekeys import SqlKeyChanges, SqlKeyDevices, SqlOneTimeKeys, SqlRetiredKeys
from adapters.sql.migrate import upgrade
from config.sections import Database as DatabaseSettings
from identity.accounts import Account
from identity.announcements import Announcer
from identity.keydirectory import KeyDirectory, Upload
from identity.prekeys import SIGNED_PREFIX, OneTimeKey, SignedKey
from kernel.clock import SystemClock
from kernel.ids import IdGenerator
from kernel.metrics import Metrics
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
    database: Database
    bus: MemoryBus
    clock: MovableClock
    ids: IdGenerator

    async def person(self) -> UUID:
        """An account that nobody can sign in to."""
        identifier = self.ids.next()
        name = identifier.hex
        account = Account(identifier, f"{name}@example.org", name, name, name, "", 0.0, 0.0)
        await self.database.units.write(lambda unit: SqlAccounts().add(unit, account))
        return identifier


@asynccontextmanager
async def directory(settings: DatabaseSettings, folder: Path) -> AsyncIterator[Directory]:
    clock, metrics = MovableClock(), Metrics()
    ids, bus = IdGenerator(SystemClock()), MemoryBus(metrics)
    async with opened(settings, folder, metrics=metrics) as database:
        await upgrade(database)
        keys = KeyDirectory(
            units=database.units,
            devices=SqlKeyDevices(),
            one_time=SqlOneTimeKeys(),
            retired=SqlRetiredKeys(),
            changes=SqlKeyChanges(),
            blocks=SqlBlocks(),
            friends=SqlFriends(),
            announcer=Announcer(bus),
            counters=MemoryState(clock, metrics).counters,
            ids=ids,
            clock=clock,
        )
        yield Directory(keys, database, bus, clock, ids)
