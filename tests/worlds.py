"""The whole embedded product with people in it, who speak to it over HTTP as any client does."""

from __future__ import annotations

import asyncio
import atexit
import email
import email.policy
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import UUID

import aiohttp

from adapters.sql import migrate, sqlite
from adapters.sql.engine import open_database
from api.listening import bind
from api.platform import Platform
from api.serve import Started, running_server
from config.sections import Database, Identity, Limits, Redis, Server, Settings
from config.values import Secret
from kernel.clock import SystemClock
from kernel.metrics import Metrics

SECRET = Secret("a secret of this world, long enough to be one")
PASSWORD = "a-horse-called-battery"
LINK = re.compile(r"(https?://\S+?)#token=([\w-]+)")


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: Any

    @property
    def code(self) -> str:
        assert isinstance(self.body, dict), self.body
        return str(self.body["code"])


@dataclass
class Caller:
    """Somebody with or without a token."""

    session: aiohttp.ClientSession
    token: str | None = None

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        if self.token is not None:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        async with self.session.request(method, path, json=body, headers=headers) as answer:
            text = await answer.read()
            is_json = "json" in answer.content_type
            found = await answer.json(content_type=None) if is_json and text else text
            return Answer(answer.status, dict(answer.headers), found)

    async def get(self, path: str) -> Answer:
        return await self.ask("GET", path)

    async def post(self, path: str, body: object = None) -> Answer:
        return await self.ask("POST", path, body)

    async def put(self, path: str, body: object = None) -> Answer:
        return await self.ask("PUT", path, body)

    async def patch(self, path: str, body: object = None) -> Answer:
        return await self.ask("PATCH", path, body)

    async def delete(self, path: str) -> Answer:
        return await self.ask("DELETE", path)


@dataclass
class Person(Caller):
    id: UUID = field(default=UUID(int=0))
    email: str = ""
    username: str = ""
    password: str = PASSWORD
    tokens: dict[str, Any] = field(default_factory=dict)

    async def sign_in(self, **more: object) -> Answer:
        """Anew; from then on with the new tokens."""
        answer = await self.ask("POST", "/v1/auth/login", {"email": self.email, "password": self.password, **more})
        if answer.status == 200:
            self.tokens = answer.body
            self.token = answer.body["access_token"]
        return answer


@dataclass
class World:
    url: str
    platform: Platform
    outbox: Path
    session: aiohttp.ClientSession
    started: Started

    @property
    def stranger(self) -> Caller:
        return Caller(self.session)

    async def person(self, name: str) -> Person:
        """Registered and signed in."""
        made = Person(self.session, email=f"{name}@example.org", username=name)
        body = {"email": made.email, "username": name, "password": made.password, "display_name": name.capitalize()}
        registered = await made.post("/v1/auth/register", body)
        assert registered.status == 201, registered.body
        made.id = UUID(registered.body["id"])
        assert (await made.sign_in()).status == 200
        return made

    async def admin(self, name: str) -> Person:
        """The first one, by the link that the console shows."""
        secret = await self.started.people.first_admin.secret()
        made = Person(self.session, email=f"{name}@example.org", username=name)
        body = {"token": secret, "email": made.email, "username": name, "password": made.password}
        claimed = await made.post("/v1/auth/first-admin", body)
        assert claimed.status == 201, claimed.body
        made.id = UUID(claimed.body["id"])
        assert (await made.sign_in()).status == 200
        return made

    async def people(self, *names: str) -> list[Person]:
        return [await self.person(name) for name in names]

    async def mailed(self, to: str, path: str, *, number: int = 1) -> str:
        """The secret of the latest link to ``path`` in mails to somebody, once there are ``number`` of them."""
        async with asyncio.timeout(10):
            while True:
                found = [secret for page, secret in await asyncio.to_thread(self._links, to) if page.endswith(path)]
                if len(found) >= number:
                    return found[-1]
                await asyncio.sleep(0.05)

    def _links(self, to: str) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        for file in sorted(self.outbox.glob("*.eml")):
            mail = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
            text = mail.get_body(("plain",))
            if text is not None and to in str(mail["To"]):
                found += LINK.findall(text.get_content())
        return found


@asynccontextmanager
async def world(
    folder: Path,
    *,
    database_url: str = "",
    identity: Identity | None = None,
    limits: Limits | None = None,
    redis_url: str = "",
) -> AsyncIterator[World]:
    """Without rate limits unless ``limits`` says so: people here do in a second what others do in a day. And with
    passwords that are hashed quickly: a thousand worlds with two people each would spend minutes on it."""
    data = folder / "data"
    if not database_url and not data.exists():
        await asyncio.to_thread(_furnish, data)
    settings = Settings(
        server=Server(port=0, media_port=0, data_dir=str(data)),
        limits=limits or Limits(enabled=False),
        identity=identity or Identity(),
        database=Database(url=Secret(database_url)),
        redis=Redis(url=Secret(redis_url)),
    )
    sockets = bind("127.0.0.1", 0)
    async with AsyncExitStack() as stack:
        stack.callback(sockets.close)
        stack.enter_context(mock.patch.multiple("identity.passwords", MEMORY_KIB=64, PASSES=1))
        stack.enter_context(mock.patch("api.server.POLL_SECONDS", 0.0))
        started = await stack.enter_async_context(
            running_server(settings, SECRET, sockets, access_log=None, announce=lambda _line: None)
        )
        session = await stack.enter_async_context(aiohttp.ClientSession(sockets.url))
        yield World(sockets.url, started.platform, data / "outbox", session, started)


def _furnish(data: Path) -> None:
    """With a database that is up to date: making it takes as long as all else that a world needs."""
    data.mkdir(parents=True)
    shutil.copyfile(_database(), data / sqlite.FILE_NAME)


@cache
def _database() -> Path:
    """Made once a process, by the product's own migrations."""
    folder = Path(tempfile.mkdtemp(prefix="secureconnect-world-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)

    async def make() -> None:
        async with open_database(Database(), data_dir=folder, clock=SystemClock(), metrics=Metrics()) as database:
            await migrate.upgrade(database)

    asyncio.run(make())
    return folder / sqlite.FILE_NAME
