"""Taking one's data along: one archive of everything, without secrets and without what is others' to know."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import re
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update

from adapters.objects import ObjectStore, open_objects
from adapters.sql.identity.accounts import ACCOUNTS, SqlAccounts
from adapters.sql.identity.datarights_stores import EXPORTS, SqlExports
from adapters.sql.identity.second_factor import FACTORS, RECOVERY_CODES
from adapters.sql.identity.sessions import SESSIONS
from adapters.sql.jobs_tables import JOBS
from adapters.sql.units import sql_of
from config.sections import Objects
from identity.archive import PART_BYTES, Copy, Table, keep, zipped
from identity.exports import DAY, EXPORT_JOB, FORGET_JOB, KEPT_SECONDS, Exports, key_of
from kernel.clock import SystemClock
from kernel.datarights import ExportPage, NamedObject, Record
from kernel.errors import NotFound
from kernel.jobs import Job
from kernel.metrics import Metrics
from kernel.units import Transaction
from tests.clocks import MovableClock
from tests.identity.lives import Life, lived
from tests.identity.pictures import png
from tests.worlds import Answer, Person, World, world

EXPORT = "/v1/users/me/export"


async def collected(person: Person) -> Answer:
    async with asyncio.timeout(20):
        while (found := await person.get(EXPORT)).body["state"] == "running":
            await asyncio.sleep(0.05)
    return found


async def fetched(here: World, url: str) -> zipfile.ZipFile:
    """By anybody who has the link: no token is sent."""
    async with here.session.get(url) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Disposition"].startswith("attachment")
        return zipfile.ZipFile(io.BytesIO(await answer.read()))


def records(archive: zipfile.ZipFile, name: str) -> Any:
    return json.loads(archive.read(f"{name}.json"))


async def exported(here: World, person: Person) -> zipfile.ZipFile:
    assert (await person.post(EXPORT)).status in (202, 429)
    return await fetched(here, (await collected(person)).body["url"])


async def rows(here: World, query: Any) -> list[Any]:
    async def read(unit: Transaction) -> list[Any]:
        return list((await sql_of(unit).connection.execute(query)).all())

    return await here.platform.database.units.read(read)


async def everything_is_in_it(here: World, life: Life) -> None:
    zebulon = life.zebulon
    archive = await exported(here, zebulon)
    assert archive.testzip() is None
    [account] = records(archive, "account")
    assert account["email"] == zebulon.email
    assert account["created_at"].endswith("Z")
    assert {item["username"]: item["accepted"] for item in records(archive, "friends")} == {
        "frieda": True,
        "suitor": False,
    }
    assert [item["username"] for item in records(archive, "blocked")] == ["nuisance"]
    assert "Ours" in {item["title"] for item in records(archive, "conversations_of_yours")}
    assert archive.read("avatar/avatar.png") == png(24, 24)
    assert {item["action"] for item in records(archive, "audit_log")} >= {"user.plan", "user.logout"}
    assert {item["at"][:4] for item in records(archive, "audit_log")} == {account["created_at"][:4]}
    # Whatever the walker knows of that there is something of, but for what has nothing to show.
    there = {name.removesuffix(".json") for name in archive.namelist() if name.endswith(".json")}
    shown = {part.name for part in here.started.rights.data.in_tables if part.says}
    assert there == shown
    await it_can_be_read(archive)


async def it_can_be_read(archive: zipfile.ZipFile) -> None:
    """By somebody with a browser: a page with links to all there is, and a page for each kind."""
    index = archive.read("index.html").decode()
    linked = set(re.findall(r'<a href="([^"]+)">', index))
    assert linked == {name for name in archive.namelist() if not name.endswith(".json")} - {"index.html"}
    friends = archive.read("friends.html").decode()
    assert "<td>frieda" in friends
    assert "<th>Asked by you" in friends
    assert " UTC" in friends


async def test_everything_about_somebody_is_in_one_archive_and_no_secret(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        life = await lived(here)
        await everything_is_in_it(here, life)
        archive = await exported(here, life.zebulon)
        content = b"".join(archive.read(name) for name in archive.namelist())
        account = await here.started.people.accounts.get(life.zebulon.id)
        kept = [account.password_hash.encode()]
        for query in (select(SESSIONS.c.refresh_digest), select(FACTORS.c.secret), select(RECOVERY_CODES.c.digest)):
            kept += [row[0] for row in await rows(here, query)]
        assert len(kept) > 10
        encoded = [
            form for secret in kept for form in (secret, json.dumps(secret.hex()).encode(), base64.b64encode(secret))
        ]
        assert [form for form in encoded if form in content] == []


async def test_who_has_blocked_somebody_is_not_told_to_them(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob, eve = await here.people("ada", "bob", "eve")
        await bob.post(f"/v1/users/{ada.id}/block")
        await ada.post(f"/v1/users/{eve.id}/block")
        assert [item["id"] for item in records(await exported(here, ada), "blocked")] == [str(eve.id)]
        assert "blocked.json" not in (await exported(here, eve)).namelist()


async def many_at_once_are_one(here: World, ada: Person) -> None:
    answers = await asyncio.gather(*(ada.post(EXPORT) for _ in range(5)))
    # All of them ask for the same one, as long as it is being made.
    assert {answer.status for answer in answers} <= {202, 429}
    told = [datetime.fromisoformat(answer.body["requested_at"]) for answer in answers if answer.status == 202]
    assert (max(told) - min(told)).total_seconds() < 0.0001, "stores keep whole microseconds"
    [one] = await rows(here, select(EXPORTS.c.id).where(EXPORTS.c.person == ada.id))
    jobs = await rows(here, select(JOBS.c.payload).where(JOBS.c.kind.in_((EXPORT_JOB, FORGET_JOB))))
    assert {job.payload for job in jobs} == {one.id.bytes}


async def test_one_is_made_a_day_and_everybody_sees_their_own(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        assert (await ada.get(EXPORT)).code == "no_export"
        await many_at_once_are_one(here, ada)
        assert (await collected(ada)).body["state"] == "ready"
        again = await ada.post(EXPORT)
        assert again.code == "one_export_a_day"
        assert 0 < int(again.headers["Retry-After"]) <= DAY
        assert (await bob.get(EXPORT)).code == "no_export"
        assert (await here.stranger.get(EXPORT)).status == 401


def later(here: World, clock: MovableClock) -> Exports:
    """What the server does, by another clock."""
    platform = here.platform
    return Exports(
        units=platform.database.units,
        accounts=SqlAccounts(),
        store=SqlExports(),
        objects=platform.objects.objects,
        uploads=platform.objects.multipart,
        signer=platform.objects.signer,
        jobs=platform.jobs.queue,
        ids=platform.ids,
        clock=clock,
    )


def job(kind: str, export: UUID, *, attempt: int = 1) -> Job:
    return Job(uuid4(), kind, export.bytes, attempt, 10, uuid4())


async def test_an_archive_is_gone_after_a_week(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, clock = await here.person("ada"), MovableClock()
        await exported(here, ada)
        service = later(here, clock)
        export, url = await service.status(ada.id)
        assert url is not None
        assert url.expires_at <= clock.now() + 3601
        [forgetting] = await rows(here, select(JOBS.c.due_at, JOBS.c.payload).where(JOBS.c.kind == FORGET_JOB))
        assert forgetting.due_at == pytest.approx(export.requested_at + KEPT_SECONDS)
        assert export.expires_at == pytest.approx(forgetting.due_at)
        await service.forget(job(FORGET_JOB, UUID(bytes=forgetting.payload)))
        assert (await ada.get(EXPORT)).code == "no_export"
        assert await here.platform.objects.objects.stat(key_of(export.id)) is None


async def test_the_next_one_takes_the_place_of_the_last(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, clock = await here.person("ada"), MovableClock()
        await exported(here, ada)
        first, _ = await later(here, clock).status(ada.id)
        clock.ahead = DAY + 60
        second = await later(here, clock).ask(ada.id)
        await collected(ada)
        async with asyncio.timeout(10):
            while await here.platform.objects.objects.stat(key_of(first.id)) is not None:
                await asyncio.sleep(0.05)
        assert await here.platform.objects.objects.stat(key_of(second.id)) is not None


class Failing:
    name, says, tables = "failing", "Nothing.", frozenset({"none"})

    async def export(self, unit: Transaction, person: UUID, *, after: object | None, most: int) -> ExportPage:
        raise LookupError("a page that cannot be read")

    async def erase(self, unit: Transaction, person: UUID, *, most: int) -> int:
        return 0


class Meanwhile:
    """Something that happens while somebody's data is collected."""

    name = "meanwhile"

    def __init__(self, happens: Callable[[], Awaitable[object]]) -> None:
        self._happens = happens

    async def objects(self, person: UUID) -> list[NamedObject]:
        await self._happens()
        return []

    async def erase(self, person: UUID) -> int:
        return 0


async def asked_in_silence(here: World, person: Person) -> UUID:
    """An export whose job nobody has heard of: that of the server is done already."""
    await exported(here, person)
    clock = MovableClock()
    clock.ahead = DAY + 60
    export = await later(here, clock).ask(person.id)
    await collected(person)
    await here.platform.database.units.write(lambda unit: _run_again(unit, export.id))
    await here.platform.objects.objects.delete(key_of(export.id))
    return export.id


async def _run_again(unit: Transaction, export: UUID) -> None:
    await sql_of(unit).connection.execute(update(EXPORTS).where(EXPORTS.c.id == export).values(state="running"))


async def test_one_that_cannot_be_made_says_so_and_may_be_asked_for_again(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        export = await asked_in_silence(here, ada)
        broken = replace(here.started.rights.data, parts=[Failing()])
        exports = here.started.rights.exports
        with pytest.raises(LookupError):
            await exports.make(broken, job(EXPORT_JOB, export))
        assert (await ada.get(EXPORT)).body["state"] == "running"
        with pytest.raises(LookupError):
            await exports.make(broken, job(EXPORT_JOB, export, attempt=10))
        assert (await ada.get(EXPORT)).body["state"] == "failed"
        assert (await ada.post(EXPORT)).status == 202
        assert (await collected(ada)).body["state"] == "ready"


async def test_of_somebody_who_is_erased_meanwhile_no_archive_stays(tmp_path: Path) -> None:
    """Wherever the erasure is when the archive is made: past the archives, past the row, or past a worker's death."""
    async with world(tmp_path) as here:
        data, objects = here.started.rights.data, here.platform.objects.objects
        [archives] = [part for part in data.elsewhere if part.name == "archives"]
        [row] = [part for part in data.in_tables if part.name == "exports"]
        for name in ("ada", "bob", "eve"):
            person = await here.person(name)
            export = await asked_in_silence(here, person)

            async def row_gone(person: Person = person) -> None:
                await here.platform.database.units.write(partial(row.erase, person=person.id, most=10))

            async def all_gone(person: Person = person) -> None:
                await archives.erase(person.id)
                await row_gone(person)

            happens = all_gone if name == "bob" else partial(archives.erase, person.id)
            during = replace(data, parts=[*data.parts, Meanwhile(happens)])
            await here.started.rights.exports.make(during, job(EXPORT_JOB, export))
            if name == "eve":
                # Killed between the object and the row, and run again.
                await objects.put(key_of(export), some(b"x"), size=1, content_type="application/zip")
                await here.started.rights.exports.make(during, job(EXPORT_JOB, export, attempt=2))
            await row_gone(person)
            assert await objects.stat(key_of(export)) is None, name


async def some(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def test_nobody_who_is_being_erased_asks_for_one(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        await asked_in_silence(here, ada)
        await here.platform.database.units.write(partial(_erasing, person=ada.id))
        with pytest.raises(NotFound):
            await later(here, MovableClock()).ask(ada.id)


async def _erasing(unit: Transaction, person: UUID) -> None:
    await sql_of(unit).connection.execute(update(ACCOUNTS).where(ACCOUNTS.c.id == person).values(state="erasing"))


# --- archives -----------------------------------------------------------------------------------------------


async def entries(size: int, *, broken: bool = False) -> AsyncIterator[Table | Copy]:
    async def pages() -> AsyncIterator[list[Record]]:
        yield [{"n": 1}, {"n": 2}]
        yield []
        yield [{"n": 3}]

    async def empty() -> AsyncIterator[list[Record]]:
        yield []

    async def strange() -> AsyncIterator[list[Record]]:
        when = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        yield [{"a<b": "<script>", "bytes": b"\0", "when": when, "yes": True, "none": None, "map": {"a": "&"}}]

    async def noise() -> AsyncIterator[bytes]:
        for start in range(0, size, 1 << 18):
            await asyncio.sleep(0)
            yield os.urandom(min(1 << 18, size - start))
        if broken:
            raise OSError("the object went away")

    yield Table("numbers", "What was counted.", pages)
    yield Table("nothing", "What was not.", empty)
    yield Table("strange", "What <others> wrote.", strange)
    yield Copy("noise", noise)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[ObjectStore]:
    opened = open_objects(
        Objects(), data_dir=tmp_path, signing_key=b"k" * 32, base_url="http://x", clock=SystemClock(), metrics=Metrics()
    )
    async with opened as objects:
        yield objects


@pytest.mark.parametrize("size", [0, 1000, PART_BYTES, 2 * PART_BYTES + 12345])
async def test_an_archive_of_any_size_is_whole(size: int, store: ObjectStore, tmp_path: Path) -> None:
    async with aclosing(zipped(entries(size), now=SystemClock().now())) as chunks:
        info = await keep(store.objects, store.multipart, "exports/a.zip", chunks)
    async with store.objects.open("exports/a.zip") as read:
        content = b"".join([chunk async for chunk in read])
    assert len(content) == info.size
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert await asyncio.to_thread(archive.testzip) is None
    assert json.loads(archive.read("numbers.json")) == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert json.loads(archive.read("nothing.json")) == []
    assert archive.getinfo("noise").file_size == size
    page = archive.read("strange.html").decode()
    cells = ["&lt;script&gt;", "AA==", "2026-01-02 03:04:05 UTC", "yes", "", "{&quot;a&quot;:&quot;&amp;&quot;}"]
    assert "".join(f"<td>{cell}" for cell in cells) in page
    assert "What &lt;others&gt; wrote." in page
    assert "<th>A&lt;b" in page


@pytest.mark.parametrize("size", [1000, 2 * PART_BYTES])
async def test_of_an_archive_that_fails_nothing_is_left(size: int, store: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="went away"):
        async with aclosing(zipped(entries(size, broken=True), now=SystemClock().now())) as chunks:
            await keep(store.objects, store.multipart, "exports/a.zip", chunks)
    assert await store.objects.keys("") == []
    uploads = tmp_path / "objects" / "uploads"
    assert await asyncio.to_thread(lambda: list(uploads.iterdir()) if uploads.exists() else []) == []
