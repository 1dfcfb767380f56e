"""API keys: shown once, good for their scopes, at their rate, until they are ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from adapters.sql.identity.apikeys import API_KEYS
from adapters.sql.units import sql_of
from config.sections import Limits
from identity.apikeys import SCOPES, USE_NOTED_EVERY, _parts
from kernel.errors import Unauthenticated
from kernel.units import Transaction
from tests.identity.bench import Bench, bench
from tests.worlds import Answer, Caller, Person, World, world

READS_USERS = "/v1/admin/users"
READS_AUDIT = "/v1/admin/audit"


async def made(admin: Person, **fields: Any) -> Answer:
    return await admin.post("/v1/admin/api-keys", {"name": "Billing", "scopes": ["users:read"], **fields})


def program(here: World, answer: Answer) -> Caller:
    assert answer.status == 201, answer.body
    return Caller(here.session, answer.body["token"])


async def test_a_key_does_what_its_scopes_name_and_nothing_else(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        root = await here.admin("root.one")
        billing = program(here, await made(root))
        assert (await billing.get(READS_USERS)).status == 200
        refused = await billing.get(READS_AUDIT)
        assert (refused.status, refused.code) == (403, "insufficient_scope")
        for method, path in (
            ("GET", "/v1/users/me"),
            ("GET", "/v1/auth/profile"),
            ("POST", "/v1/auth/logout"),
            ("GET", "/v1/admin/api-keys"),
            ("POST", "/v1/admin/api-keys"),
            ("POST", f"/v1/admin/users/{root.id}/logout"),
        ):
            answer = await billing.ask(method, path, {"name": "x"} if method == "POST" else None)
            assert (answer.status, answer.code) == (403, "forbidden"), path


async def test_a_key_is_shown_once_and_only_its_hash_is_kept(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        root = await here.admin("root.one")
        answer = await made(root, scopes=["rooms:read", "tokens:mint"], rate=30)
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


async def test_a_key_that_was_ended_is_worth_nothing_at_once(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        root = await here.admin("root.one")
        answer = await made(root)
        billing, path = program(here, answer), f"/v1/admin/api-keys/{answer.body['id']}"
        assert (await billing.get(READS_USERS)).status == 200
        assert (await root.delete(path)).status == 204
        assert (await billing.get(READS_USERS)).code == "invalid_api_key"
        assert [(await root.ask(method, path)).status for method in ("GET", "DELETE")] == [404, 404]
        acts = [item["action"] for item in (await root.get(f"{READS_AUDIT}?subject={answer.body['id']}")).body["items"]]
        assert acts == ["api_key.delete", "api_key.create"]


async def test_the_secret_of_another_key_does_not_fit(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        root = await here.admin("root.one")
        one, other = [(await made(root)).body["token"].split("_", 2) for _ in range(2)]
        for token in (
            "_".join((one[0], one[1], other[2])),
            "_".join((one[0], one[1], "")),
            "_".join((one[0], uuid4().hex, one[2])),
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


async def test_every_scope_there_is_can_be_given(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        root = await here.admin("root.one")
        assert (await made(root, scopes=sorted(SCOPES))).body["scopes"] == sorted(SCOPES)
        scoped = {endpoint.scope for resource in here.started.resources for endpoint in resource.endpoints}
        assert scoped - {None} <= set(SCOPES)


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


async def test_what_cannot_be_a_key_is_refused(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        root = await here.admin("root.one")
        for fields, code in IMPOSSIBLE:
            answer = await made(root, **fields)
            assert (answer.status, answer.code) == (422, code), fields
        assert await rows(here) == []


async def test_a_key_may_expire_as_late_as_anybody_can_say(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        root = await here.admin("root.one")
        soon = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        for moment in (soon, "9999-12-31T23:59:59.999999Z"):
            answer = await made(root, expires_at=moment)
            assert (await root.get(f"/v1/admin/api-keys/{answer.body['id']}")).status == 200


async def test_a_key_has_one_rate_of_its_own_for_everything_it_asks(tmp_path: Path) -> None:
    async with world(tmp_path, limits=Limits(default=3)) as here:
        root = await here.admin("root.one")
        billing = program(here, await made(root, rate=5, scopes=["users:read", "audit:read"]))
        answers = [await billing.get(path) for path in (READS_USERS, READS_AUDIT, "/v1/admin/stats") * 2]
        assert [answer.status for answer in answers] == [200] * 5 + [429]
        assert answers[0].headers["RateLimit-Limit"] == "5"
        assert int(answers[-1].headers["Retry-After"]) > 0


# --- under a clock that is moved -------------------------------------------------------------------------------


async def test_a_key_is_good_until_it_expires(tmp_path: Path) -> None:
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


async def test_the_last_use_is_noted_once_a_minute(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        keys = here.people.api_keys
        key, token = await keys.make(actor="test", name="Busy", scopes=["rooms:read"], expires_at=None)
        noted = []
        for _ in range(5):
            here.clock.advance(USE_NOTED_EVERY / 2)
            await keys.recognise(token)
            noted.append((await keys.get(key.id)).last_used_at)
        first = noted[0]
        assert first is not None
        assert noted == [first, first, first + USE_NOTED_EVERY, first + USE_NOTED_EVERY, first + 2 * USE_NOTED_EVERY]


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
