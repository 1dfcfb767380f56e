"""The matrix: every route, asked by everybody. Each is answered as its rule says, and never with a fault of ours."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from api.http.access import OPEN, Access
from api.http.endpoints import Endpoint, shape_of
from api.people import token_keys
from config.sections import Identity
from identity.administration import ADMIN, Change
from identity.apikeys import SCOPES
from identity.tokens import KeySet
from tests.identity.devices import Device
from tests.identity.forging import expired, forgeries
from tests.worlds import Answer, Caller, Person, World, world

# A program on another machine: on this one it is an operator without saying who it is.
ELSEWHERE = {"X-Forwarded-For": "203.0.113.9"}
_PLACE = re.compile(r"\{[^{}]+\}")


@dataclass
class Matrix:
    here: World
    keys: KeySet
    root: Person
    ada: Person

    def endpoints(self, *rules: Access) -> Iterator[Endpoint]:
        for resource in self.here.started.resources:
            yield from (item for item in resource.endpoints if item.access in rules)

    async def ask(self, item: Endpoint, token: str | None, *, method: str | None = None) -> Answer:
        """With ids that are nobody's and a body that says nothing."""
        path = _PLACE.sub(lambda _: str(uuid4()), item.path)
        body: Any = {} if method is None and shape_of(item).body is not None else None
        caller = Caller(self.here.session, token)
        answer = await caller.ask(method or item.method, path, body, **ELSEWHERE)
        assert answer.status not in (500, 501, 502), (item.method, item.path, answer.body)
        return answer

    async def fresh(self, who: Person) -> str:
        """An access token of a session that nothing has ended yet."""
        people = self.here.started.people
        return (await people.sessions.begin(await people.accounts.get(who.id), "matrix")).access_token

    async def key(self, *scopes: str) -> str:
        _, token = await self.here.started.people.api_keys.make(
            actor="test", name="Matrix", scopes=scopes, expires_at=None
        )
        return token


@asynccontextmanager
async def opened(folder: Path, *, identity: Identity | None = None) -> AsyncIterator[Matrix]:
    async with world(folder, identity=identity) as here:
        root, ada = await here.admin("root.one"), await here.person("ada")
        yield Matrix(here, await token_keys(here.platform.settings.identity, here.platform.secret), root, ada)


@pytest.fixture
async def matrix(tmp_path: Path) -> AsyncIterator[Matrix]:
    async with opened(tmp_path) as made:
        yield made


GUARDED = tuple(rule for rule in Access if rule not in OPEN)


def tried_everywhere(kind: str) -> bool:
    """On every single route. What else may be wrong with a token is found out by what all routes share, and is tried
    on one of each rule."""
    chosen = {"wrong audience", "a room token", "alg none", "roles added", "another session"}
    return kind in chosen or kind.startswith("HS256 with")


def told(item: Endpoint, answer: Answer) -> str:
    return f"{item.method} {item.path}: {answer.status} {answer.body!r}"


async def test_without_credentials_nobody_gets_past_a_rule(matrix: Matrix) -> None:
    for item in matrix.endpoints(*GUARDED):
        answer = await matrix.ask(item, None)
        assert (answer.status, answer.code) == (401, "unauthenticated"), told(item, answer)
        if item.method == "GET":
            assert (await matrix.ask(item, None, method="HEAD")).status == 401


async def refuses_forgeries(matrix: Matrix) -> None:
    root = await matrix.fresh(matrix.root)
    forged = forgeries(root, matrix.keys)
    expected = dict.fromkeys(forged, "invalid_token")
    expected |= {"another session": "session_ended", "an API key of nobody": "invalid_api_key"}
    seen: set[Access] = set()
    for item in matrix.endpoints(*GUARDED):
        for kind, token in forged.items():
            if item.access in seen and not tried_everywhere(kind):
                continue
            answer = await matrix.ask(item, token)
            assert (answer.status, answer.code) == (401, expected[kind]), f"{kind}: {told(item, answer)}"
        seen.add(item.access)
    assert seen == set(GUARDED)


async def test_no_forged_token_gets_past_a_rule(matrix: Matrix) -> None:
    await refuses_forgeries(matrix)


async def test_no_forged_token_does_where_a_key_pair_signs(tmp_path: Path) -> None:
    file = tmp_path / "signing.pem"
    key = Ed25519PrivateKey.generate()
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    async with opened(tmp_path, identity=Identity(signing_key_file=str(file))) as matrix:
        await refuses_forgeries(matrix)


async def test_no_token_gets_past_a_rule_when_its_time_or_its_session_is_over(matrix: Matrix) -> None:
    root = await matrix.fresh(matrix.root)
    late = expired(root, matrix.keys)
    ended = await matrix.fresh(matrix.root)
    assert (await Caller(matrix.here.session, ended).post("/v1/auth/logout")).status == 204
    for item in matrix.endpoints(*GUARDED):
        for token, code in ((late, "token_expired"), (ended, "session_ended")):
            answer = await matrix.ask(item, token)
            assert (answer.status, answer.code) == (401, code), told(item, answer)


async def test_what_is_no_access_token_is_none_however_it_is_said(matrix: Matrix) -> None:
    ticket = (await matrix.ada.post("/v1/auth/ws-ticket")).body["ticket"]
    for other in (matrix.ada.tokens["refresh_token"], ticket):
        assert (await Caller(matrix.here.session, other).get("/v1/users/me")).code == "invalid_token"
    token = await matrix.fresh(matrix.ada)
    refused = [token, f"Basic {token}", f"Token {token}", f"Bearer {token} {token}", "Bearer", "Bearer ", "bearer"]
    for said in [*refused, "Basic YTpi", "\xff"]:
        answer = await matrix.here.stranger.ask("GET", "/v1/users/me", Authorization=said)
        assert (answer.status, answer.code) == (401, "invalid_token"), said
    for scheme in ("bearer", "BEARER", "Bearer "):
        answer = await matrix.here.stranger.ask("GET", "/v1/users/me", Authorization=f"{scheme} {token}")
        assert answer.status == 200, scheme


async def test_a_user_is_let_in_where_users_are_and_an_admin_everywhere(matrix: Matrix) -> None:
    for item in matrix.endpoints(*GUARDED):
        answer = await matrix.ask(item, await matrix.fresh(matrix.ada))
        if item.access is Access.SIGNED_IN:
            assert is_past_the_rule(item, answer), told(item, answer)
        else:
            assert (answer.status, answer.code) == (403, "forbidden"), told(item, answer)
        answer = await matrix.ask(item, await matrix.fresh(matrix.root))
        assert is_past_the_rule(item, answer), told(item, answer)


async def test_who_was_an_admin_is_none_with_any_token_they_kept(matrix: Matrix) -> None:
    people = matrix.here.started.people
    await people.administration.change(matrix.ada.id, Change(roles=frozenset({ADMIN})), actor="test")
    kept = await matrix.fresh(matrix.ada)
    await people.administration.change(matrix.ada.id, Change(roles=frozenset()), actor="test")
    fresh = await matrix.fresh(matrix.ada)
    for item in matrix.endpoints(Access.ADMIN, Access.OPERATOR):
        assert (await matrix.ask(item, kept)).code == "session_ended"
        assert (await matrix.ask(item, fresh)).code == "forbidden"


async def test_a_service_is_let_in_by_the_scope_of_a_route_and_by_no_other(matrix: Matrix) -> None:
    everything = await matrix.key(*SCOPES)
    alone = {scope: await matrix.key(scope) for scope in SCOPES}
    for item in matrix.endpoints(*GUARDED):
        if item.scope is None:
            answer = await matrix.ask(item, everything)
            assert (answer.status, answer.code) == (403, "forbidden"), told(item, answer)
            continue
        for scope, token in alone.items():
            answer = await matrix.ask(item, token)
            if item.scope == scope:
                assert is_past_the_rule(item, answer), told(item, answer)
            else:
                assert (answer.status, answer.code) == (403, "insufficient_scope"), f"{scope}: {told(item, answer)}"


async def test_a_service_whose_key_was_ended_is_let_in_nowhere(matrix: Matrix) -> None:
    token = await matrix.key(*SCOPES)
    [key] = (await matrix.root.get("/v1/admin/api-keys")).body["items"]
    await matrix.root.delete(f"/v1/admin/api-keys/{key['id']}")
    for item in matrix.endpoints(*GUARDED):
        answer = await matrix.ask(item, token)
        assert (answer.status, answer.code) == (401, "invalid_api_key"), told(item, answer)


async def test_open_routes_answer_whatever_token_comes_with_a_request(matrix: Matrix) -> None:
    root = await matrix.fresh(matrix.root)
    tokens = [None, root, expired(root, matrix.keys), "garbage", await matrix.key("rooms:read")]
    for item in matrix.endpoints(*OPEN):
        answers = [await matrix.ask(item, token) for token in tokens]
        assert len({answer.status for answer in answers}) == 1, (item.path, answers)
        assert is_past_the_rule(item, answers[0]), told(item, answers[0])


# A right body for each route on a conversation that takes one.
BODIES: Mapping[str, Any] = {
    "PATCH /v1/conversations/{id}": {"title": "Mine"},
    "PATCH /v1/conversations/{id}/settings": {"ai_enabled": True},
    "POST /v1/conversations/{id}/participants": {"participant_ids": [str(uuid4())]},
    "PATCH /v1/conversations/{id}/participants/{user_id}": {"role": "member"},
    "POST /v1/conversations/{id}/owner": {"user_id": str(uuid4())},
    "POST /v1/conversations/{id}/mode/proposals": {"mode": "intelligent"},
    "POST /v1/conversations/{id}/mode/proposals/{proposal_id}/consent": {"answer": "consent"},
}


async def test_a_conversation_of_others_is_not_there_whatever_is_asked_of_it(matrix: Matrix) -> None:
    ada, eve = matrix.ada, await matrix.here.person("eve")
    ours = {"type": "group", "participant_ids": [], "title": "Ours"}
    group = (await ada.post("/v1/conversations", ours)).body
    invite = (await ada.post(f"/v1/conversations/{group['id']}/invites")).body
    proposal = (await ada.post(f"/v1/conversations/{group['id']}/mode/proposals", {"mode": "intelligent"})).body
    real = {"{id}": group["id"], "{invite_id}": invite["id"], "{user_id}": str(ada.id)}
    real["{proposal_id}"] = proposal["id"]
    routes = [f"{item.method} {item.path}" for item in matrix.endpoints(Access.SIGNED_IN)]
    asked = [route for route in routes if "/v1/conversations/{id}" in route]
    assert set(BODIES) <= set(asked)
    for route in asked:
        method, path = _PLACE.sub(lambda found: real[found[0]], route).split(" ")
        answer = await eve.ask(method, path, BODIES.get(route))
        assert (answer.status, answer.code) == (404, "not_found"), f"{route}: {answer.body}"
    left = (await ada.get(f"/v1/conversations/{group['id']}")).body
    assert (left["title"], left["member_count"]) == ("Ours", 1)


# Where a path names a person. Who was blocked may block, too, and so learns no more than that.
PERSON = re.compile(r"/v1/(users|users/me/friends|keys)/\{(id|user_id)\}")
BLOCKING_BACK = "POST /v1/users/{id}/block"


async def test_to_the_blocked_whoever_blocked_them_is_nobody(matrix: Matrix) -> None:
    ada, eve = matrix.ada, await matrix.here.person("eve")
    assert (await ada.post("/v1/keys/upload", Device("phone").body([1]))).status < 300
    assert (await ada.post(f"/v1/users/{eve.id}/block")).status == 204
    routes = [f"{item.method} {item.path}" for item in matrix.endpoints(Access.SIGNED_IN) if PERSON.match(item.path)]
    assert {BLOCKING_BACK, "GET /v1/users/{id}", "GET /v1/keys/{user_id}"} <= set(routes)
    for route in routes:
        method, path = route.split(" ")
        of_ada, of_nobody = [await eve.ask(method, PERSON.sub(rf"/v1/\1/{who}", path)) for who in (ada.id, uuid4())]
        if route != BLOCKING_BACK:
            assert (of_ada.status, of_ada.body) == (of_nobody.status, of_nobody.body) or (
                of_ada.code == of_nobody.code == "not_found" and of_ada.body["detail"] == of_nobody.body["detail"]
            ), f"{route}: {of_ada.body} {of_nobody.body}"


async def test_what_else_is_somebody_elses_is_not_there_either(matrix: Matrix) -> None:
    ada, eve = matrix.ada, await matrix.here.person("eve")
    [session, *_] = (await ada.get("/v1/auth/sessions")).body["items"]
    for method, path in (
        ("DELETE", f"/v1/auth/sessions/{session['id']}"),
        ("POST", f"/v1/users/me/friends/{ada.id}/accept"),
        ("DELETE", f"/v1/users/me/friends/{ada.id}/reject"),
        ("DELETE", f"/v1/users/me/friends/{ada.id}"),
        ("DELETE", "/v1/keys/devices/phone"),
    ):
        assert (await eve.ask(method, path)).status == 404, (method, path)
    assert (await ada.get("/v1/users/me")).status == 200


def is_past_the_rule(item: Endpoint, answer: Answer) -> bool:
    """Whatever the handler made of an empty body and of ids of nobody: it was asked."""
    if answer.status not in (401, 403):
        return True
    codes = {code for status in (401, 403) for code in item.errors.get(status, ())}
    return item.access is Access.SIGNED_URL or answer.code in codes
