"""The first admin: one link, printed while there is none, that works once for one caller."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import uuid4

import pytest

from api.serve import serve, welcome_lines
from config.sections import Identity, Server, Settings
from identity.administration import ADMIN, Change
from identity.onetime import DAY
from kernel.errors import Unprocessable
from tests.identity.bench import Bench, bench
from tests.services.postgres import PostgresService
from tests.worlds import PASSWORD, SECRET, Answer, World, world

WEEK = 7 * 86400.0


async def claim(here: World, token: str | None, name: str = "ada", **fields: Any) -> Answer:
    body = {"token": token, "email": f"{name}@example.org", "username": name, "password": PASSWORD}
    return await here.stranger.post("/v1/auth/first-admin", body | fields)


async def test_whoever_has_the_link_becomes_the_admin_and_nobody_after_them(tmp_path: Path) -> None:
    async with world(tmp_path, identity=Identity(registration=False)) as here:
        secret = await here.started.people.first_admin.secret()
        answer = await claim(here, secret)
        assert (answer.status, answer.body["roles"]) == (201, ["admin"])
        assert (await claim(here, secret, "bob")).code == "invalid_link"
        assert await here.started.people.first_admin.secret() is None


async def test_the_link_outlives_a_slip_and_says_nothing_to_those_without_it(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await here.person("ada")
        secret = await here.started.people.first_admin.secret()
        hashed = "identity.passwords.PasswordHasher.hash"
        with mock.patch(hashed, side_effect=AssertionError("work done for somebody without a link")):
            assert (await claim(here, "guessed", "ada")).code == "invalid_link"
        assert (await claim(here, secret, "ada")).code == "email_taken"
        assert (await claim(here, secret, "bob", password="short")).code == "weak_password"
        assert (await claim(here, secret, "bob")).status == 201


async def every_start_has_the_same_link(one: Bench, other: Bench) -> None:
    first = one.people.first_admin
    at_once = await asyncio.gather(*(node.people.first_admin.secret() for node in (one, other, one, other)))
    old = at_once[0]
    assert old is not None
    assert set(at_once) == {old}
    # Of one that would end within a day nobody should begin to read.
    one.clock.advance(WEEK - DAY + 1)
    new = await first.secret()
    assert new is not None
    assert new != old
    with pytest.raises(Unprocessable, match="used before or is too old"):
        await first.claim(old, email="a@example.org", username="ada", password=PASSWORD)
    one.clock.advance(WEEK)
    with pytest.raises(Unprocessable, match="used before or is too old"):
        await first.claim(new, email="a@example.org", username="ada", password=PASSWORD)


async def test_every_node_has_the_same_link_and_none_outlives_a_week(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        await every_start_has_the_same_link(here, here)


async def test_nodes_that_start_together_have_the_same_link_on_postgresql(
    tmp_path: Path, postgres: PostgresService
) -> None:
    url = postgres.create_database()
    async with bench(tmp_path / "one", database_url=url) as one, bench(tmp_path / "two", database_url=url) as two:
        await every_start_has_the_same_link(one, two)


async def test_a_link_is_worth_nothing_once_there_is_an_admin_by_another_way(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        secret = await here.started.people.first_admin.secret()
        bob = await here.person("bob")
        await here.started.people.administration.change(bob.id, Change(roles=frozenset({ADMIN})), actor="test")
        assert (await claim(here, secret)).code == "admin_exists"


async def many_claim_at_once(here: World) -> None:
    secret = await here.started.people.first_admin.secret()
    answers = await asyncio.gather(*(claim(here, secret, f"person{letter}") for letter in "abcdefgh"))
    assert sorted(answer.status for answer in answers) == [201] + [422] * 7
    assert {answer.code for answer in answers if answer.status != 201} == {"invalid_link"}
    winner = next(answer.body for answer in answers if answer.status == 201)
    root = here.stranger
    signed_in = await root.post("/v1/auth/login", {"email": winner["email"], "password": PASSWORD})
    root.token = signed_in.body["access_token"]
    assert (await root.get("/v1/admin/stats")).body["users"]["admins"] == 1
    [entry] = (await root.get("/v1/admin/audit")).body["items"]
    assert (entry["actor"], entry["action"], entry["subject"]) == (winner["id"], "user.create", winner["id"])


async def test_of_many_at_once_one_becomes_it(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await many_claim_at_once(here)


async def test_of_many_at_once_one_becomes_it_on_postgresql(tmp_path: Path, postgres: PostgresService) -> None:
    async with world(tmp_path, database_url=postgres.create_database()) as here:
        await many_claim_at_once(here)


async def test_the_link_is_shown_at_the_console_and_leads_to_a_page(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        settings = Settings(server=Server(data_dir=str(tmp_path), public_url="https://meet.example.org"))
        lines = welcome_lines(settings, here.started)
        assert any(f"  https://meet.example.org/first-admin#token={here.started.first_admin}" in line for line in lines)
        assert (await claim(here, here.started.first_admin)).status == 201
        page = await here.stranger.get("/first-admin")
        assert page.status == 200
        assert b"data-path='/v1/auth/first-admin'" in page.body
        assert all(f"name={field}".encode() in page.body for field in ("email", "username", "password"))


async def test_a_server_prints_it_only_while_there_is_no_admin(tmp_path: Path) -> None:
    async def printed() -> str:
        lines: list[str] = []
        settings = Settings(server=Server(port=0, media_port=0, data_dir=str(tmp_path / "data")))
        serving = asyncio.create_task(serve(settings, SECRET, access_log=None, announce=lines.append))
        try:
            async with asyncio.timeout(20):
                while not any("Ctrl+C" in line for line in lines):
                    await asyncio.sleep(0.02)
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
        return "\n".join(lines)

    assert "/first-admin#token=" in await printed()
    async with world(tmp_path) as here:
        await here.admin(f"root{uuid4().hex[:4]}x")
    assert "/first-admin" not in await printed()
