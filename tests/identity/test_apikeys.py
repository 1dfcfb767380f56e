"""API keys: shown once, good for their scopes, at their rate, until they are ended."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from adapters.memory.state import MemoryKeyValues
from adapters.sql.identity.apikeys import API_KEYS, SqlApiKeys
from adapters.sql.units import sql_of
from config.sections import Limits
from identity.apikeys import SCOPES, USE_NOTED_EVERY, _parts
from identity.audit import CONSOLE
from kernel.errors import Unauthenticated
from kernel.units import Transaction
from tests.identity.bench import Bench, bench
from tests.worlds import Answer, Caller, Person, World, world

READS_USERS = "/v1/admin/users"
READS_AUDIT = "/v1/admin/audit"


IMPOSSIBLE: Sequence[tuple[Mapping[str, Any], str]] = (
    ({"scopes": []}, "validation_failed"),
    ({"scopes": ["rooms:own"]}, "unknown_scope"),
    ({"name": " "}, "invalid_name"),
    ({"name": "a\u202eb"}, "invalid_name"),
    ({"rate": 0}, "validation_failed"),
    ({"expires_at": "2001-01-01T00:00:00Z"}, "invalid_expiry"),
    ({"expires_at": "2001-01-01T00:00:00"}, "validation_failed"),
    ({"roles": ["admin"]}, "validation_failed"),
)


async def made(admin: Person, **fields: Any) -> Answer:
    return await admin.post("/v1/admin/api-keys", {"name": "Billing", "scopes": ["users:read"], **fields})


def program(here: World, answer: Answer) -> Caller:
    assert answer.status == 201, answer.body
    return Caller(here.session, answer.body["token"])


async def test_a_key_does_what_its_scopes_name_and_nothing_else_until_it_is_ended(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        root = await here.admin("root.one")
        answer = await made(root)
        billing, path = program(here, answer), f"/v1/admin/api-keys/{answer.body['id']}"
        assert (await billing.get(READS_USERS)).status == 200
        refused = await billing.get(READS_AUDIT)
        assert (refused.status, refused.code) == (403, "insufficient_scope")
        for method, closed in (
            ("GET", "/v1/users/me"),
            ("GET", "/v1/auth/profile"),
            ("POST", "/v1/auth/logout"),
            ("GET", "/v1/admin/api-keys"),
            ("POST", "/v1/admin/api-keys"),
            ("POST", f"/v1/admin/users/{root.id}/logout"),
        ):
            answered = await billing.ask(method, closed, {"name": "x"} if method == "POST" else None)
            assert (answered.status, answered.code) == (403, "forbidden"), closed
        assert (await root.delete(path)).status == 204
        assert (await billing.get(READS_USERS)).code == "invalid_api_key"
        assert [(await root.ask(method, path)).status for method in ("GET", "DELETE")] == [404, 404]
        acts = [item["action"] for item in (await root.get(f"{READS_AUDIT}?subject={answer.body['id']}")).body["items"]]
        assert acts == ["api_key.delete", "api_key.create"]


async def test_each_route_that_lets_keys_in_wants_its_scope(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        root = await here.admin("root.one")
        everything = await made(root, scopes=sorted(SCOPES))
        assert everything.body["scopes"] == sorted(SCOPES)
        endpoints = [endpoint for resource in here.started.resources for endpoint in resource.endpoints]
        scoped = [endpoint for endpoint in endpoints if endpoint.scope is not None]
        assert {endpoint.scope for endpoint in scoped} <= set(SCOPES)
        for scope in SCOPES:
            without = program(here, await made(root, scopes=sorted(set(SCOPES) - {scope})))
            alone = program(here, await made(root, scopes=[scope]))
            for endpoint in scoped:
                path = endpoint.path.replace("{id}", str(root.id))
                answers = [await caller.ask(endpoint.method, path) for caller in (without, alone)]
                # Let in, it is asked for a body, or for something that is there.
                let_in = [answer.status in (200, 404, 415) for answer in answers]
                assert let_in == ([False, True] if endpoint.scope == scope else [True, False]), (scope, path)
                assert {answer.code for answer in answers if answer.status == 403} == {"insufficient_scope"}


async def test_a_key_is_shown_once_and_only_its_hash_is_kept(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        root = await here.admin("root.one")
        body = {"name": "Billing", "scopes": ["rooms:read", "tokens:mint"], "rate": 30}
        answer = await root.ask("POST", "/v1/admin/api-keys", body, **{"Idempotency-Key": "once"})
        token, key = answer.body.pop("token"), answer.body["id"]
        prefix, identifier, secret = token.split("_", 2)
        assert (prefix, UUID(identifier)) == ("sck", UUID(key))
        assert len(secret) >= 43
        assert (answer.body["scopes"], answer.body["rate"]) == (["rooms:read", "tokens:mint"], 30)
        assert (await root.get(f"/v1/admin/api-keys/{key}")).body == answer.body
        assert (await root.get("/v1/admin/api-keys")).body == {"items": [answer.body], "next_cursor": None}
        [row] = await rows(here)
        assert secret not in repr(row)
        assert secret.encode() not in row.digest
        # Whoever lost the answer gets it again, and nobody else: what is kept of it is encrypted under what they sent.
        again = await root.ask("POST", "/v1/admin/api-keys", body, **{"Idempotency-Key": "once"})
        assert (again.body["token"], len(await rows(here))) == (token, 1)
        words = here.platform.ephemeral.key_values
        assert isinstance(words, MemoryKeyValues)
        kept = [entry.value for entry in words._table._entries.values()]
        assert any(len(value) > len(secret) for value in kept)
        assert not any(secret.encode() in value for value in kept)
        await root.sign_in()
        assert (await root.ask("POST", "/v1/admin/api-keys", body, **{"Idempotency-Key": "once"})).body["id"] != key


async def test_a_key_says_who_made_it_and_whether_they_still_may(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        root, ada = await here.admin("root.one"), await here.person("ada")
        await root.patch(f"/v1/admin/users/{ada.id}", {"roles": ["admin"]})
        await ada.sign_in()
        billing = await made(ada)
        assert (billing.body["made_by"], billing.body["made_by_admin"]) == (str(ada.id), True)
        await here.started.people.api_keys.make(actor=CONSOLE, name="By hand", scopes=["webhooks"], expires_at=None)

        async def listed() -> list[tuple[str, bool]]:
            items = (await root.get("/v1/admin/api-keys")).body["items"]
            return [(item["made_by"], item["made_by_admin"]) for item in items]

        assert await listed() == [("console", True), (str(ada.id), True)]
        await root.patch(f"/v1/admin/users/{ada.id}", {"roles": []})
        assert await listed() == [("console", True), (str(ada.id), False)]
        assert (await root.get(f"/v1/admin/api-keys/{billing.body['id']}")).body["made_by_admin"] is False
        await ada.sign_in()
        assert (await ada.ask("DELETE", "/v1/users/me", {"password": ada.password})).status == 202
        async with asyncio.timeout(10):
            while (await listed())[1] == (str(ada.id), False):
                await asyncio.sleep(0.02)
        [_, (pseudonym, _)] = await listed()
        assert pseudonym.startswith("erased:")
        assert (await program(here, billing).get(READS_USERS)).status == 200


async def test_what_is_no_key_is_refused_and_so_is_what_cannot_become_one(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        root = await here.admin("root.one")
        for fields, code in IMPOSSIBLE:
            answer = await made(root, **fields)
            assert (answer.status, answer.code) == (422, code), fields
        assert await rows(here) == []
        soon = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        for moment in (soon, "9999-12-31T23:59:59.999999Z"):
            answer = await made(root, expires_at=moment)
            assert (await root.get(f"/v1/admin/api-keys/{answer.body['id']}")).status == 200
        one, other = [(await made(root)).body["token"].split("_", 2) for _ in range(2)]
        for token in (
            "_".join((one[0], one[1], other[2])),
            "_".join((one[0], one[1], "")),
            "_".join((one[0], uuid4().hex, one[2])),
            "_".join((one[0], str(UUID(one[1])), one[2])),
            "_".join((one[0], one[1].upper(), one[2])) if one[1].upper() != one[1] else "sck_",
            "sck_",
            "sck__",
            f"sck_{one[1]}",
            "_".join(one) + "x",
            "sck_" + "x" * 4000,
            "sck_\udcff".encode("utf-8", "surrogateescape").decode("latin-1"),
        ):
            answer = await Caller(here.session, token).get(READS_USERS)
            assert (answer.status, answer.code) == (401, "invalid_api_key"), token


async def test_pages_of_keys_come_newest_first(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        root = await here.admin("root.one")
        expected = [(await made(root, name=f"Key {number}")).body["id"] for number in range(3)][::-1]
        first = (await root.get("/v1/admin/api-keys?limit=2")).body
        await made(root, name="Later")
        rest = (await root.get(f"/v1/admin/api-keys?limit=2&cursor={first['next_cursor']}")).body
        assert [item["id"] for item in (*first["items"], *rest["items"])] == expected
        assert rest["next_cursor"] is None


async def test_a_key_has_one_rate_of_its_own_for_everything_it_asks(tmp_path: Path) -> None:
    async with world(tmp_path, limits=Limits(default=5)) as here:
        root = await here.admin("root.one")
        billing = program(here, await made(root, rate=7, scopes=["users:read", "audit:read"]))
        other = program(here, await made(root, rate=1, scopes=["users:read"]))
        answers = [await billing.get(path) for path in (READS_USERS, READS_AUDIT, "/v1/admin/stats", READS_USERS) * 2]
        assert [answer.status for answer in answers] == [200] * 7 + [429]
        assert answers[0].headers["RateLimit-Limit"] == "7"
        assert int(answers[-1].headers["Retry-After"]) > 0
        assert [(await other.get(READS_USERS)).status for _ in range(2)] == [200, 429]


# --- under a clock that is moved -------------------------------------------------------------------------------


async def test_a_key_is_good_until_it_expires_and_its_last_use_is_noted_once_a_minute(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        keys = here.people.api_keys
        _, token = await keys.make(
            actor="test", name="Short", scopes=["rooms:read"], expires_at=here.clock.now() + 60.0
        )
        here.clock.advance(59.0)
        assert (await keys.recognise(token)).name == "Short"
        here.clock.advance(1.0)
        with pytest.raises(Unauthenticated) as caught:
            await keys.recognise(token)
        assert caught.value.code == "api_key_expired"

        key, token = await keys.make(actor="test", name="Busy", scopes=["rooms:read"], expires_at=None)
        noted = []
        for _ in range(5):
            here.clock.advance(USE_NOTED_EVERY / 2)
            await keys.recognise(token)
            noted.append((await keys.get(key.id)).key.last_used_at)
        first = noted[0]
        assert first is not None
        assert noted == [first, first, first + USE_NOTED_EVERY, first + USE_NOTED_EVERY, first + 2 * USE_NOTED_EVERY]


async def test_of_many_requests_at_once_one_notes_the_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writes = []
    note = SqlApiKeys.note_use

    async def counted(store: SqlApiKeys, unit: Transaction, key: UUID, *, at: float, unless_after: float) -> None:
        writes.append(key)
        await note(store, unit, key, at=at, unless_after=unless_after)

    monkeypatch.setattr(SqlApiKeys, "note_use", counted)
    async with bench(tmp_path) as here:
        keys = here.people.api_keys
        key, token = await keys.make(actor="test", name="Busy", scopes=["rooms:read"], expires_at=None)
        for _ in range(2):
            await asyncio.gather(*(keys.recognise(token) for _ in range(50)))
            here.clock.advance(USE_NOTED_EVERY)
        assert writes == [key.id, key.id]


@given(st.text(max_size=300))
def test_no_text_breaks_the_reading_of_a_token(text: str) -> None:
    try:
        identifier, secret = _parts("sck_" + text)
    except Unauthenticated:
        return
    assert isinstance(identifier, UUID)
    assert secret in text


async def rows(here: World | Bench) -> list[Any]:
    async def work(unit: Transaction) -> list[Any]:
        return list((await sql_of(unit).connection.execute(select(API_KEYS))).all())

    return await here.platform.database.units.read(work)
