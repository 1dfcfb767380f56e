"""Declaring an endpoint: what its handler's signature means, and what is refused at start-up instead of at night."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from msgspec import Meta

from api.http.access import Principal
from api.http.context import RequestContext
from api.http.endpoints import Call, Handler, Resource, shape_of
from api.http.wire import View, Wire
from tests.api.serving import endpoint, running


class Body(Wire, frozen=True):
    a: int


class Query(Wire, frozen=True):
    b: int = 0


class Path(Wire, frozen=True):
    name: Annotated[str, Meta(max_length=10)]


class Answer(View, frozen=True):
    name: str


async def everything(call: Call, body: Body, query: Query, path: Path) -> Answer:
    raise NotImplementedError


async def nothing(call: Call) -> None:
    raise NotImplementedError


async def by_itself(call: Call) -> web.StreamResponse:
    raise NotImplementedError


async def some_cases_by_itself(call: Call) -> Answer | web.Response:
    raise NotImplementedError


async def sometimes_nothing(call: Call) -> web.Response | None:
    raise NotImplementedError


async def one_of_two(call: Call) -> Answer | Body:
    raise NotImplementedError


async def strange_name(call: Call, payload: Body) -> None:
    raise NotImplementedError


async def no_call(body: Body) -> None:
    raise NotImplementedError


async def no_struct(call: Call, body: dict[str, int]) -> None:
    raise NotImplementedError


async def body_if_any(call: Call, body: Body | None) -> Answer:
    return Answer(name="nobody" if body is None else str(body.a))


async def echo(call: Call, path: Path) -> Answer:
    return Answer(name=path.name)


async def silent(call: Call) -> None:
    return None


def test_a_signature_says_what_is_read() -> None:
    shape = shape_of(endpoint("POST", "/a", everything))
    assert (shape.body, shape.query, shape.path, shape.reply) == (Body, Query, Path, Answer)
    assert shape.body_required
    optional = shape_of(endpoint("POST", "/a", body_if_any))
    assert (optional.body, optional.body_required) == (Body, False)
    bare = shape_of(endpoint("POST", "/a", nothing))
    assert (bare.body, bare.query, bare.path, bare.reply) == (None, None, None, None)


@pytest.mark.parametrize(
    ("handler", "reply"),
    [
        (by_itself, None),
        (some_cases_by_itself, Answer),
        (sometimes_nothing, None),
        (one_of_two, Answer | Body),
    ],
)
def test_a_signature_says_what_is_answered(handler: Handler, reply: object) -> None:
    assert shape_of(endpoint("GET", "/a", handler)).reply == reply


@pytest.mark.parametrize(
    ("handler", "why"), [(strange_name, "payload"), (no_call, "call, body"), (no_struct, "wire types are structs")]
)
def test_a_handler_that_cannot_be_served_is_refused_with_the_reason(handler: Handler, why: str) -> None:
    with pytest.raises(TypeError, match=why):
        shape_of(endpoint("POST", "/a", handler))


async def test_a_limit_that_does_not_exist_is_refused_at_start_up() -> None:
    resource = Resource("a", "A.", [endpoint("GET", "/a", silent, limit="serach")])
    with pytest.raises(ValueError, match="GET /a: there is no limit named 'serach'"):
        async with running(resources=[resource]):
            pass


@pytest.mark.parametrize(
    ("method", "unsafe"), [("GET", False), ("HEAD", False), ("OPTIONS", False), ("POST", True), ("DELETE", True)]
)
def test_methods_that_change_something_are_unsafe(method: str, unsafe: bool) -> None:
    assert endpoint(method, "/a", silent).unsafe is unsafe


def test_a_call_knows_its_principal_where_there_must_be_one() -> None:
    context = RequestContext("id", "203.0.113.1", False, 0.0)
    call = Call(make_mocked_request("GET", "/"), context)
    with pytest.raises(LookupError):
        call.principal.id  # noqa: B018 - asking is what raises
    context.principal = Principal("ada", "user")
    assert call.principal.id == "ada"
    call.set_header("ETag", '"1"')
    assert context.headers == {"ETag": '"1"'}


@pytest.mark.parametrize(
    ("asked", "status", "name"),
    [
        ("/echo/ada", 200, "ada"),
        ("/echo/a%20b", 200, "a b"),
        ("/echo/%C3%A9", 200, "é"),
        ("/echo/%00", 404, None),
        ("/echo/a%00b", 404, None),
        ("/echo/elevenchars", 404, None),
        ("/echo/", 404, None),
    ],
)
async def test_a_path_that_cannot_be_is_not_there(asked: str, status: int, name: str | None) -> None:
    resource = Resource("echo", "Echo.", [endpoint("GET", "/echo/{name}", echo)])
    async with running(resources=[resource]) as server, server.client.get(server.url + asked) as answer:
        assert answer.status == status
        if name is not None:
            assert await answer.json() == {"name": name}


async def test_nothing_to_say_is_204_and_a_get_answers_head_too() -> None:
    async with running(resources=[Resource("silent", "S.", [endpoint("GET", "/silent", silent)])]) as server:
        for method in ("GET", "HEAD"):
            async with server.client.request(method, "/silent") as answer:
                assert (answer.status, await answer.read()) == (204, b"")
        async with server.client.post("/silent") as answer:
            assert answer.status == 405


@pytest.mark.parametrize(
    ("sent", "status", "name"), [(None, 200, "nobody"), ({"a": 1}, 200, "1"), ({}, 422, None), ({"b": 1}, 422, None)]
)
async def test_a_body_that_may_be_left_out_is_still_checked_when_it_is_there(
    sent: object, status: int, name: str | None
) -> None:
    async with running(resources=[Resource("a", "A.", [endpoint("POST", "/a", body_if_any)])]) as server:
        async with server.client.post("/a", json=sent) as answer:
            assert answer.status == status
            assert (await answer.json(content_type=None)).get("name") == name


class ThingPath(Wire, frozen=True):
    id: UUID


async def change_thing(call: Call, path: ThingPath) -> Answer:
    return Answer(name=str(path.id))


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/things/new", 204),
        ("PATCH", "/things/new", 405),
        ("PATCH", "/things/old", 404),
        ("PATCH", "/things/01890000-0000-7000-8000-000000000000", 200),
        ("PATCH", "/things/0189000000007000800000000000000A", 200),
        ("PATCH", "/things/01890000-0000-7000-8000-00000000000-", 404),
    ],
)
async def test_what_stands_beside_ids_is_not_taken_for_one(method: str, path: str, status: int) -> None:
    endpoints = [endpoint("GET", "/things/new", silent), endpoint("PATCH", "/things/{id}", change_thing)]
    async with running(resources=[Resource("things", "T.", endpoints)]) as server:
        async with server.client.request(method, path) as answer:
            assert answer.status == status
            if status == 405:
                assert answer.headers["Allow"] == "GET,HEAD"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_an_endpoint_that_is_declared_twice_keeps_the_server_from_starting(method: str) -> None:
    twice = [endpoint("GET", "/silent", silent), endpoint(method, "/silent", silent)]
    with pytest.raises(ValueError, match="/silent is declared twice"):
        async with running(resources=[Resource("silent", "S.", twice)]):
            pass
