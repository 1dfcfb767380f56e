"""A walk over every route there is: each has a rule, a limit or a reason for none, and a line in the table."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from api import serve
from api.app import build_application
from api.http.access import Access
from api.http.endpoints import Endpoint
from api.http.rates import FAIL_CLOSED
from identity.apikeys import SCOPES
from tests.identity.routes import RULES, Rule, why_unlimited
from tests.worlds import World, world


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as started:
        yield started


def endpoints(here: World) -> Iterator[Endpoint]:
    for resource in here.started.resources:
        yield from resource.endpoints


async def test_every_route_has_a_line_that_says_who_may_and_every_line_a_route(here: World) -> None:
    found = {f"{item.method} {item.path}": Rule(item.access.value, item.limit, item.scope) for item in endpoints(here)}
    assert found == RULES


async def test_no_two_endpoints_are_one_route(here: World) -> None:
    routes = [(item.method, item.path) for item in endpoints(here)]
    assert len(routes) == len(set(routes))


async def test_what_has_no_limit_has_a_reason(here: World) -> None:
    for item in endpoints(here):
        if item.limit is None:
            assert why_unlimited(item.path), item.path


async def test_whatever_changes_something_is_limited(here: World) -> None:
    unlimited = {item.path for item in endpoints(here) if item.unsafe and item.limit is None}
    assert unlimited == {"/v1/objects/{key:.+}"}


async def test_nobody_guesses_a_password_or_a_secret_without_a_limit_that_fails_closed(here: World) -> None:
    """Whatever takes a proof from somebody who is not signed in, or asks for the password again."""
    for item in endpoints(here):
        if item.unsafe and item.access is Access.PUBLIC:
            assert item.limit in FAIL_CLOSED, item.path


async def test_scopes_are_known_and_open_nothing_to_people(here: World) -> None:
    for item in endpoints(here):
        assert item.scope is None or item.scope in SCOPES
        assert item.scope is None or item.access in (Access.ADMIN, Access.SIGNED_IN)


async def test_everything_under_admin_is_for_admins(here: World) -> None:
    for item in endpoints(here):
        assert (item.access is Access.ADMIN) is item.path.startswith("/v1/admin/"), item.path


async def test_nothing_is_served_past_the_declarations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[web.Application] = []

    def building(*arguments: Any) -> web.Application:
        made.append(build_application(*arguments))
        return made[-1]

    monkeypatch.setattr(serve, "build_application", building)
    async with world(tmp_path):
        [app] = made
        served = {f"{route.method} {_path(route)}" for route in app.router.routes()}
    twins = {line.replace("GET ", "HEAD ", 1) for line in RULES if line.startswith("GET ")}
    assert served == {*(_plain(line) for line in RULES), *(_plain(line) for line in twins)}


def _path(route: web.AbstractRoute) -> str:
    assert route.resource is not None
    return route.resource.canonical


def _plain(line: str) -> str:
    return line.replace(":.+}", "}")
