"""Pictures of people: shown to those who may see them, and gone when they are."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import msgspec
import pytest
from sqlalchemy import Select, select

from adapters.sql.identity.accounts import SqlAccounts
from adapters.sql.jobs_tables import JOBS
from adapters.sql.units import sql_of
from api.acquaintances import acquaintances
from identity.accounts import Account
from identity.announcements import Announcer
from identity.avatars import ABANDONED_SECONDS, DROP_JOB, MAX_BYTES, Drop, prefix_of
from kernel.errors import DependencyUnavailable
from kernel.jobs import Job
from kernel.units import Transaction
from tests.identity.pictures import chunk, jpeg, png, segment, webp
from tests.worlds import Answer, Caller, Person, World, world


async def show(who: Caller, data: bytes, content_type: str = "image/png", **headers: str) -> Answer:
    if who.token is not None:
        headers["Authorization"] = f"Bearer {who.token}"
    headers["Content-Type"] = content_type
    async with who.session.put("/v1/users/me/avatar", data=data, headers=headers) as answer:
        return Answer(answer.status, dict(answer.headers), await answer.json(content_type=None))


async def url_of(person: Person) -> object:
    return (await person.get("/v1/users/me")).body["avatar_url"]


async def kept(here: World, person: Person) -> list[str]:
    return list(await here.platform.objects.objects.keys(prefix_of(person.id)))


async def test_others_see_the_picture_that_somebody_shows(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        assert await url_of(ada) is None
        for content_type, data in (("image/png", png()), ("image/jpeg", jpeg()), ("image/webp", webp())):
            shown = await show(ada, data, content_type)
            assert shown.status == 200, shown.body
            url = (await bob.get(f"/v1/users/{ada.id}")).body["avatar_url"]
            assert url == shown.body["avatar_url"]
            seen = await bob.get(url)
            assert (seen.status, seen.body, seen.headers["Content-Type"]) == (200, data, content_type)
            assert "sandbox" in seen.headers["Content-Security-Policy"]
            assert seen.headers["X-Content-Type-Options"] == "nosniff"
            assert seen.headers["Cache-Control"] == "private, max-age=300", "a block is felt within minutes"
            again = await bob.ask("GET", url, **{"If-None-Match": seen.headers["Etag"]})
            assert (again.status, again.body) == (304, b"")
            head = await bob.ask("HEAD", url)
            assert (head.status, head.headers["Content-Length"]) == (200, str(len(data)))
            part = await bob.ask("GET", url, Range="bytes=1-3")
            assert (part.status, part.body) == (206, data[1:4])

        # Not where a photograph was taken, and strangers and the blocked nothing at all.
        url = (await show(ada, jpeg(beside=segment(0xE1, b"Exif\0\0at home")), "image/jpeg")).body["avatar_url"]
        assert (await ada.get(url)).body == jpeg()
        assert (await here.stranger.get(url)).status == 401
        await ada.post(f"/v1/users/{bob.id}/block")
        assert (await bob.get(url)).code == "not_found"


async def test_another_picture_has_another_address_and_the_old_one_is_dropped(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        first = (await show(ada, png(3, 3))).body["avatar_url"]
        second = (await show(ada, png(4, 4))).body["avatar_url"]
        assert first != second
        assert (await ada.get(second)).body == png(4, 4)
        await _until(lambda: kept(here, ada), 1)
        assert (await ada.delete("/v1/users/me/avatar")).status == 204
        assert await url_of(ada) is None
        assert (await ada.get(second)).code == "not_found"
        await _until(lambda: kept(here, ada), 0)
        assert (await ada.delete("/v1/users/me/avatar")).status == 204


async def _until(look: Callable[[], Awaitable[list[str]]], count: int) -> None:
    async with asyncio.timeout(10):
        while len(await look()) != count:
            await asyncio.sleep(0.05)


async def test_what_is_no_such_picture_is_refused_and_nothing_is_kept(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        for data, content_type, status, code in (
            (png(), "image/gif", 415, "unsupported_media_type"),
            (png(), "image/svg+xml", 415, "unsupported_media_type"),
            (png(), "application/json", 415, "unsupported_media_type"),
            (png(), "image/jpeg", 422, "invalid_image"),
            (b"<html>", "image/png", 422, "invalid_image"),
            (b"", "image/png", 422, "invalid_image"),
            (png()[:40] + png()[-12:], "image/png", 422, "invalid_image"),
            (png(5000, 1), "image/png", 422, "invalid_image"),
        ):
            answer = await show(ada, data, content_type)
            assert (answer.status, answer.code) == (status, code), (content_type, data[:10])
        assert await kept(here, ada) == []
        assert (await show(here.stranger, png())).status == 401


async def test_one_that_is_too_large_is_refused_whether_it_says_so_or_not(tmp_path: Path) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield bytes(MAX_BYTES // 10)

    async with world(tmp_path) as here:
        ada = await here.person("ada")
        headers = {"Authorization": f"Bearer {ada.token}", "Content-Type": "image/png"}
        for data in (io.BytesIO(bytes(MAX_BYTES + 1)), pieces()):
            # Whoever goes on talking may find the connection closed before they read the answer.
            with suppress(aiohttp.ClientError):
                async with ada.session.put("/v1/users/me/avatar", data=data, headers=headers) as answer:
                    assert (answer.status, (await answer.json(content_type=None))["code"]) == (413, "avatar_too_large")
        assert await kept(here, ada) == []
        at_most = png(beside=chunk(b"tRNS", bytes(MAX_BYTES - len(png()) - 12)))
        assert len(at_most) == MAX_BYTES
        assert (await show(ada, at_most)).status == 200


class Unreachable(SqlAccounts):
    """Reads, and cannot be written to."""

    async def put(self, unit: Transaction, account: Account) -> None:
        raise DependencyUnavailable("database", "away")


async def test_an_upload_that_its_account_never_heard_of_is_dropped_later(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        units = here.platform.database.units
        avatars = acquaintances(here.platform, Unreachable(), Announcer(here.platform.bus)).avatars
        with pytest.raises(DependencyUnavailable):
            await avatars.put(ada.id, png(), "image/png")
        [key] = await kept(here, ada)
        waiting = select(JOBS.c.payload, JOBS.c.due_at).where(JOBS.c.kind == DROP_JOB)
        [(payload, due)] = await units.read(lambda unit: _rows(unit, waiting))
        assert msgspec.json.decode(payload, type=Drop) == Drop(ada.id, key)
        assert due > here.platform.clock.now() + ABANDONED_SECONDS / 2
        await avatars.drop_unused(job(payload))
        assert await kept(here, ada) == []

        # What an account shows is not dropped.
        await show(ada, png())
        [key] = await kept(here, ada)
        await avatars.drop_unused(job(msgspec.json.encode(Drop(ada.id, key))))
        assert await kept(here, ada) == [key]


def job(payload: bytes) -> Job:
    return Job(id=uuid4(), kind=DROP_JOB, payload=payload, attempt=1, max_attempts=1, claim=uuid4())


async def _rows(unit: Transaction, statement: Select[Any]) -> list[Any]:
    return [tuple(row) for row in await sql_of(unit).connection.execute(statement)]
