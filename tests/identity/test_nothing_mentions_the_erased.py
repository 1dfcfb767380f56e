"""Somebody who has used everything is erased; then they are nowhere any more."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from redis.asyncio import Redis

from tests.identity.lives import Life, lived
from tests.identity.traces import Names, everywhere
from tests.services.postgres import PostgresService
from tests.services.redis import RedisService
from tests.worlds import Answer, Caller, Person, World, world

# Says whose it is for thirty seconds; nothing leads from a person to it.
TICKET = "['identity:ticket:"

# Whose bodies are no JSON, so that they are asked for by hand.
PICTURES = {("PUT", "/v1/users/me/avatar"), ("PUT", "/v1/conversations/x/avatar")}

# Requests that change something and say nothing about whoever makes them.
NOT_ABOUT_ANYBODY = {
    ("POST", "/v1/auth/first-admin"): "made by the other admin",
    ("POST", "/v1/users/me/email/verify"): "what was mailed to a former address is found no more; see the docs",
    ("POST", "/v1/admin/users/{id}/erase"): "the end of a life, not a part of it; tested with erasures",
    ("DELETE", "/v1/users/me"): "the end of a life",
    ("PATCH", "/v1/admin/api-keys/{id}"): "of a key",
}


async def erased(life: Life) -> Answer:
    gone = await life.zebulon.ask("DELETE", "/v1/users/me", life.farewell)
    assert gone.status == 202, gone.body
    return await finished(life.admin, gone.body["id"])


async def finished(admin: Person, erasure: str) -> Answer:
    async with asyncio.timeout(20):
        while True:
            report = await admin.get(f"/v1/admin/erasures/{erasure}")
            assert report.status == 200, report.body
            if report.body["state"] == "finished":
                return report
            await asyncio.sleep(0.05)


async def test_nothing_mentions_the_erased(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: set[tuple[str, str]] = set()
    ask = Caller.ask

    async def recording(caller: Caller, method: str, path: str, body: object = None, **headers: str) -> Answer:
        asked.add((method, path.partition("?")[0]))
        return await ask(caller, method, path, body, **headers)

    monkeypatch.setattr(Caller, "ask", recording)
    async with world(tmp_path) as here:
        life = await lived(here)
        assert await unused(here, asked | PICTURES) == []
        before = await everywhere(here, life.names)
        report = await erased(life)
        assert (await life.zebulon.get("/v1/users/me")).code == "session_ended"
        # What was looked for was there: in each place that is looked at.
        places = {place.split(".")[0].split(":")[0] for place in before}
        assert {place[:16] for place in before} >= {"object: avatars/", "object: exports/"}
        assert {"accounts", "search_words", "audit_log", "conversation_members", "outbox", "object", "memory"} <= places
        assert [place for place in await everywhere(here, life.names) if TICKET not in place] == []
        assert report.body["erased"]["account"] == 1


async def test_nothing_in_postgresql_mentions_the_erased(tmp_path: Path, postgres: PostgresService) -> None:
    async with world(tmp_path, database_url=postgres.create_database()) as here:
        life = await lived(here)
        assert any(place.startswith("friendships.") for place in await everywhere(here, life.names))
        await erased(life)
        assert [place for place in await everywhere(here, life.names) if TICKET not in place] == []


async def test_nothing_in_redis_mentions_the_erased(tmp_path: Path, redis_server: RedisService) -> None:
    redis_server.flush()
    async with world(tmp_path, redis_url=redis_server.url) as here, Redis.from_url(redis_server.url) as client:
        life = await lived(here)
        # They are where we look.
        assert await in_redis(client, Names(life.zebulon.id, ["identity:session:"]))
        await erased(life)
        assert [place for place in await in_redis(client, life.names) if ":identity:ticket:" not in place] == []
        assert [place for place in await everywhere(here, life.names) if TICKET not in place] == []


async def in_redis(client: Redis, names: Names) -> list[str]:
    """Keys that name them, or whose values do."""
    reads: dict[str, Callable[[bytes], Awaitable[object]]] = {
        "string": client.get,
        "zset": lambda key: client.zrange(key, 0, -1),
        "hash": client.hgetall,
        "set": client.smembers,
        "stream": client.xrange,
    }
    found = []
    async for key in client.scan_iter():
        kind = await client.type(key)
        value = await reads[kind.decode() if isinstance(kind, bytes) else kind](key)
        if names.are_in(key) or names.are_in(value):
            found.append(f"{key!r}: {value!r}")
    return found


async def unused(here: World, asked: set[tuple[str, str]]) -> list[tuple[str, str]]:
    """Requests that could change something and that nobody has made."""
    document = (await here.stranger.get("/openapi.json")).body
    found = []
    for path, methods in document["paths"].items():
        pattern = re.compile(re.sub(r"\{\w+\}", "[^/]+", path))
        for method in {name.upper() for name in methods} & {"POST", "PUT", "PATCH", "DELETE"}:
            made = any(method == other and pattern.fullmatch(at) for other, at in asked)
            if not made and (method, path) not in NOT_ABOUT_ANYBODY and not path.startswith("/v1/objects"):
                found.append((method, path))
    return sorted(found)
