"""Somebody who has used everything is erased; then they are nowhere any more."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path

import msgspec
import pytest
from redis.asyncio import Redis

from api.http.rates import RATES
from config.sections import Limits
from tests.identity.lives import Life, lived
from tests.identity.test_exports import everything_is_in_it, many_at_once_are_one
from tests.identity.traces import Names, everywhere
from tests.services.postgres import PostgresService
from tests.services.redis import RedisService
from tests.worlds import Answer, Caller, Person, World, world

# What ends by itself, and when: the ticket of a socket says for thirty seconds whose it is, a bucket is forgotten when
# it is full again, and that a session has ended is remembered for as long as a token of it could be shown.
ENDING = {"identity:ticket:": 30.0, "rate:": 60.0, "identity:session:": 16 * 60.0}

# Whose bodies are no JSON, so that they are asked for by hand.
PICTURES = {("PUT", "/v1/users/me/avatar"), ("PUT", "/v1/conversations/x/avatar")}

# Requests that change something and say nothing about whoever makes them.
NOT_ABOUT_ANYBODY = {
    ("POST", "/v1/auth/first-admin"): "made by the other admin",
    ("POST", "/v1/admin/users/{id}/erase"): "the end of a life, not a part of it; tested with erasures",
    ("DELETE", "/v1/users/me"): "the end of a life",
    ("PATCH", "/v1/admin/api-keys/{id}"): "of a key",
}


def many() -> Limits:
    """Buckets for whoever asks, and none that is empty within a test."""
    return msgspec.structs.replace(Limits(), **dict.fromkeys(RATES, 100_000))


def lasting(places: list[str]) -> list[str]:
    """Without what ends by itself."""
    return [place for place in places if not any(key in place for key in ENDING)]


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
            await asyncio.sleep(0.02)


async def test_nothing_mentions_the_erased(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    asked: set[tuple[str, str]] = set()
    ask, numbers = Caller.ask, count()

    async def recording(caller: Caller, method: str, path: str, body: object = None, **headers: str) -> Answer:
        asked.add((method, path.partition("?")[0]))
        # Each answer is kept for its repetition, also those to others that name zebulon.
        headers["Idempotency-Key"] = f"request-{next(numbers)}"
        return await ask(caller, method, path, body, **headers)

    caplog.set_level("INFO")
    async with world(tmp_path, limits=many()) as here:
        monkeypatch.setattr(Caller, "ask", recording)
        life = await lived(here)
        monkeypatch.setattr(Caller, "ask", ask)
        assert await unused(here, asked | PICTURES) == []
        before = await everywhere(here, life.names)
        others = await everywhere(here, Names(life.friend.id, ["frieda@"]))
        report = await erased(life)
        assert (await life.zebulon.get("/v1/users/me")).code == "session_ended"
        # What was looked for was there: in each place that is looked at.
        places = {place.split(".")[0].split(":")[0] for place in before}
        assert {place[:16] for place in before} >= {"object: avatars/", "object: exports/"}
        assert {"accounts", "search_words", "audit_log", "conversation_members", "object", "memory"} <= places
        assert {place[:8] for place in before} >= {"file out", "file sec", "file obj"}
        assert any("idempotency:" in key for key in kept_answers(here))
        assert lasting(await everywhere(here, life.names)) == []
        assert report.body["erased"]["account"] == 1
        await others_have_what_they_had(here, life, others)
        await the_audit_log_has_a_pseudonym(life, report.body["pseudonym"])
        # What is logged names requests and jobs.
        logged = [*caplog.messages, *capsys.readouterr().out.splitlines()]
        assert [line for line in logged if life.names.are_in(line)] == []


def kept_answers(here: World) -> list[str]:
    return [key for key in here.platform.ephemeral.key_values._table._entries if key.startswith("idempotency:")]  # type: ignore[attr-defined]


async def others_have_what_they_had(here: World, life: Life, before: list[str]) -> None:
    after = await everywhere(here, Names(life.friend.id, ["frieda@"]))
    for table in ("accounts", "sessions", "search_words"):
        rows = [sorted(place for place in places if place.startswith(f"{table}.")) for places in (before, after)]
        assert rows[0] == rows[1] != []


async def the_audit_log_has_a_pseudonym(life: Life, pseudonym: str) -> None:
    did = await life.admin.get(f"/v1/admin/audit?actor={pseudonym}&limit=100")
    assert {"api_key.create", "conversation.mode", "user.erase"} <= {item["action"] for item in did.body["items"]}
    suffered = await life.admin.get(f"/v1/admin/audit?subject={pseudonym}&limit=100")
    assert "user.logout" in {item["action"] for item in suffered.body["items"]}


async def test_nothing_in_postgresql_and_redis_mentions_the_erased(
    tmp_path: Path, postgres: PostgresService, redis_server: RedisService
) -> None:
    redis_server.flush()
    url = redis_server.url
    scaled = world(tmp_path, limits=many(), database_url=postgres.create_database(), redis_url=url)
    async with scaled as here, Redis.from_url(url) as client:
        await many_at_once_are_one(here, await here.person("newcomer"))
        life = await lived(here)
        await everything_is_in_it(here, life)
        assert any(place.startswith("friendships.") for place in await everywhere(here, life.names))
        # They are where we look.
        assert await in_redis(client, Names(life.zebulon.id, ["identity:session:"]))
        await erased(life)
        assert lasting(await everywhere(here, life.names)) == []
        left = await in_redis(client, life.names)
        assert lasting([key for key, _ in left]) == []
        for key, seconds in left:
            assert 0 < seconds <= next(most for name, most in ENDING.items() if name in key), key


async def in_redis(client: Redis, names: Names) -> list[tuple[str, float]]:
    """Keys that name them, or whose values do, and for how much longer they are there."""
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
            found.append((repr(key), await client.pttl(key) / 1000))
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
