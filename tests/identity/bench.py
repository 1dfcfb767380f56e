"""People on real stores, without a server in front of them, under a clock that a test moves; their passwords are hashed
quickly."""

from __future__ import annotations

import asyncio
from base64 import b32decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock
from uuid import UUID

from sqlalchemy import update

from adapters.sql.identity.accounts import ACCOUNTS
from adapters.sql.units import sql_of
from api.people import People, open_people
from api.platform import Platform, open_platform
from config.sections import Database, Identity, Redis, Server, Settings
from config.values import Secret
from identity.accounts import Account, State
from identity.login import Credentials
from identity.sessions import TokenPair
from identity.totp import PERIOD_SECONDS, hotp, step_at
from kernel.metrics import Metrics
from kernel.units import Transaction
from tests.clocks import VirtualClock
from tests.worlds import PASSWORD, SECRET, _furnish

ADDRESS = "192.0.2.7"


@dataclass
class Bench:
    people: People
    platform: Platform
    clock: VirtualClock

    async def account(self, name: str) -> Account:
        return await self.people.accounts.register(
            email=f"{name}@example.org", username=name, password=PASSWORD, display_name=None
        )

    async def sign_in(
        self, name: str, password: str = PASSWORD, *, address: str = ADDRESS, **codes: str
    ) -> tuple[Account, TokenPair]:
        return await self.people.login.sign_in(
            Credentials(f"{name}@example.org", password, **codes), address=address, client="a test"
        )

    async def second_factor(self, account: UUID) -> tuple[bytes, list[str]]:
        """Turned on: the authenticator's key, and the recovery codes."""
        key = b32decode((await self.people.second_factor.enable(account)).secret)
        codes = await self.people.second_factor.confirm(account, self.code(key))
        self.clock.advance(PERIOD_SECONDS)
        return key, list(codes)

    def code(self, key: bytes) -> str:
        return hotp(key, step_at(self.clock.now()))

    async def set_hash(self, account: UUID, password_hash: str) -> None:
        """As an older system left it."""
        await self._set(account, password_hash=password_hash)

    async def set_state(self, account: UUID, state: State) -> None:
        await self._set(account, state=state.value)

    async def _set(self, account: UUID, **values: str) -> None:
        async def work(unit: Transaction) -> None:
            await sql_of(unit).connection.execute(update(ACCOUNTS).where(ACCOUNTS.c.id == account).values(**values))

        await self.platform.database.units.write(work)


@asynccontextmanager
async def bench(
    folder: Path, *, database_url: str = "", redis_url: str = "", identity: Identity | None = None
) -> AsyncIterator[Bench]:
    clock = VirtualClock()
    data = folder / "data"
    if not database_url and not data.exists():
        await asyncio.to_thread(_furnish, data)
    settings = Settings(
        server=Server(port=0, media_port=0, data_dir=str(data)),
        identity=identity or Identity(),
        database=Database(url=Secret(database_url)),
        redis=Redis(url=Secret(redis_url)),
    )
    quickly = mock.patch.multiple("identity.passwords", MEMORY_KIB=64, PASSES=1)
    async with open_platform(
        settings,
        SECRET,
        base_url="http://127.0.0.1",
        clock=clock,
        metrics=Metrics(),
        announce=lambda _line: None,
    ) as platform:
        with quickly:
            async with open_people(platform, "http://127.0.0.1") as people:
                yield Bench(people, platform, clock)
