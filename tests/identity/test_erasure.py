"""Erasing an account: asked for with every proof, at work at once, and carried through whatever happens to the job."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, insert, select

from adapters.sql.identity.accounts import SqlAccounts
from adapters.sql.identity.datarights_stores import ERASURES, SqlErasures
from adapters.sql.identity.prekeys import ONE_TIME_KEYS
from adapters.sql.units import sql_of
from api.datarights import _scrubbing
from identity import erasure as module
from identity.accounts import State
from identity.erasure import ERASE_JOB, ROWS_A_TRANSACTION, Erasure, ErasureJob
from kernel.datarights import DataMap, ExportPage, NamedObject, Part, PersonalData, PersonalThings
from kernel.jobs import Job
from kernel.units import Transaction
from tests.chat.parties import at, direct, group, roles
from tests.identity.devices import Device
from tests.identity.lives import lived
from tests.identity.test_exports import EXPORT
from tests.identity.test_nothing_mentions_the_erased import finished, lasting
from tests.identity.test_second_factor import turned_on
from tests.identity.traces import Names, everywhere
from tests.services.postgres import PostgresService
from tests.worlds import PASSWORD, Answer, Person, World, world

ME = "/v1/users/me"


async def leave(person: Person, **proof: object) -> Answer:
    return await person.ask("DELETE", ME, {"password": PASSWORD, **proof})


async def begun(here: World, person: UUID, *, since: float | None = None) -> UUID:
    """An erasure whose job nobody has heard of yet."""
    ids, clock = here.platform.ids, here.platform.clock
    erasure = Erasure(ids.next(), person, None, "erased:somebody", "self", since or clock.now())

    async def work(unit: Transaction) -> None:
        account = await SqlAccounts().get(unit, person)
        assert account is not None
        await SqlAccounts().put(unit, replace(account, state=State.ERASING))
        await SqlErasures().add(unit, erasure)

    await here.platform.database.units.write(work)
    return erasure.id


NONE = UUID(int=0)


def job(erasure: UUID = NONE) -> Job:
    return Job(uuid4(), ERASE_JOB, erasure.bytes, 1, 1000, uuid4())


def carried_out(here: World, data: DataMap, *, scrub: Callable[[], Awaitable[None]] | None = None) -> ErasureJob:
    platform = here.platform
    return ErasureJob(
        units=platform.database.units,
        store=SqlErasures(),
        data=data,
        scrub=scrub or _scrubbing(platform),
        jobs=platform.jobs.queue,
        clock=platform.clock,
    )


async def report(here: World, erasure: UUID) -> Erasure:
    return await here.started.rights.erasing.report(erasure)


async def asked(here: World, query: Any) -> Any:
    async def read(unit: Transaction) -> Any:
        return (await sql_of(unit).connection.execute(query)).scalar_one()

    return await here.platform.database.units.read(read)


async def test_whoever_leaves_is_out_at_once_and_their_names_are_free_soon(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, grace = await here.person("ada"), await here.admin("grace")
        told = await leave(ada)
        assert (told.status, told.body["finished_at"]) == (202, None)
        assert (await ada.get("/v1/auth/profile")).code == "session_ended"
        renewed = await ada.post("/v1/auth/refresh", {"refresh_token": ada.tokens["refresh_token"]})
        assert renewed.code == "invalid_refresh_token"
        done = await finished(grace, told.body["id"])
        assert done.body["erased"]["account"] == 1
        assert (await ada.sign_in()).code == "invalid_credentials"
        assert (await grace.get(f"/v1/users/{ada.id}")).status == 404
        again = await here.person("ada")
        assert again.id != ada.id


async def test_it_takes_the_password_and_the_second_factor_and_guessing_locks_out(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob, eve = await here.people("ada", "bob", "eve")
        assert (await here.stranger.ask("DELETE", ME, {"password": PASSWORD})).status == 401
        authenticator, _ = await turned_on(ada)
        assert (await leave(ada)).code == "second_factor_required"
        assert (await leave(ada, totp=authenticator.wrong())).code == "invalid_second_factor"
        assert (await leave(ada, totp=authenticator.code())).status == 202
        _, codes = await turned_on(bob)
        assert (await leave(bob, recovery_code=codes[0])).status == 202
        guesses = [(await eve.ask("DELETE", ME, {"password": f"guess {turn}"})).code for turn in range(6)]
        # The wrong code was the first failure of five from here.
        assert guesses == ["wrong_password"] * 4 + ["locked_out"] * 2
        assert (await eve.get(ME)).status == 200


async def one_is_heard(here: World) -> None:
    ada = await here.person("ada")
    statuses = sorted([answer.status for answer in await asyncio.gather(*(leave(ada) for _ in range(5)))])
    assert statuses[0] == 202
    # The others come too late for their session, their account, or the same row.
    assert set(statuses[1:]) <= {401, 403, 404, 409}
    assert await asked(here, select(func.count()).select_from(ERASURES)) == 1


async def test_of_many_who_ask_at_once_one_is_heard(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await one_is_heard(here)


async def test_of_many_who_ask_at_once_one_is_heard_on_postgresql(tmp_path: Path, postgres: PostgresService) -> None:
    async with world(tmp_path, database_url=postgres.create_database()) as here:
        await one_is_heard(here)
        await the_last_admin_stays(here)


class Killed(Exception):
    """What a test does to a worker in the place of SIGKILL: nothing of it runs on."""


@dataclass
class Fuse:
    """Burns with the first step that erases something; the next one is not begun."""

    burnt: bool = False
    steps: int = 0

    def before(self) -> None:
        if self.burnt:
            raise Killed

    def after(self, erased: int) -> int:
        self.burnt = erased > 0
        self.steps += erased > 0
        return erased


@dataclass
class Rows:
    part: PersonalData
    fuse: Fuse

    @property
    def name(self) -> str:
        return self.part.name

    @property
    def says(self) -> str:
        return self.part.says

    @property
    def tables(self) -> frozenset[str]:
        return self.part.tables

    async def export(self, unit: Transaction, person: UUID, *, after: object | None, most: int) -> ExportPage:
        return await self.part.export(unit, person, after=after, most=most)

    async def erase(self, unit: Transaction, person: UUID, *, most: int) -> int:
        self.fuse.before()
        return self.fuse.after(await self.part.erase(unit, person, most=most))


@dataclass
class Things:
    part: PersonalThings
    fuse: Fuse

    @property
    def name(self) -> str:
        return self.part.name

    async def objects(self, person: UUID) -> Sequence[NamedObject]:
        return await self.part.objects(person)

    async def erase(self, person: UUID) -> int:
        self.fuse.before()
        erased = self.fuse.after(await self.part.erase(person))
        if erased:
            raise Killed  # before anybody could count it
        return erased


@dataclass
class Scale(Fuse):
    """Lets everything go on, and writes down how much each step was."""

    erased: list[int] = field(default_factory=list)

    def after(self, erased: int) -> int:
        self.erased.append(erased)
        return erased


def weighed(scale: Scale, here: World) -> Sequence[Part]:
    return [Rows(part, scale) for part in here.started.rights.data.in_tables if part.name == "one_time_keys"]


def under(fuse: Fuse, data: DataMap) -> DataMap:
    things = {part.name: Things(part, fuse) for part in data.elsewhere}
    rows = {part.name: Rows(part, fuse) for part in data.in_tables}
    return replace(data, parts=[things.get(part.name) or rows[part.name] for part in data.parts])


async def test_killed_after_every_single_step_it_still_gets_to_the_end(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        life = await lived(here)
        owned = select(func.count()).select_from(ONE_TIME_KEYS).where(ONE_TIME_KEYS.c.account == life.zebulon.id)
        keys = await asked(here, owned)
        erasure = await begun(here, life.zebulon.id)
        starts, done = 0, False
        scrubs: list[bool] = []

        async def scrub() -> None:
            """Killed right after it the first time, before the report could say that it is finished."""
            await _scrubbing(here.platform)()
            scrubs.append(not scrubs)
            if scrubs[-1]:
                raise Killed

        while not done:
            starts += 1
            try:
                data = under(Fuse(), here.started.rights.data)
                await carried_out(here, data, scrub=scrub).run(job(erasure))
                done = True
            except Killed:
                assert (await report(here, erasure)).finished_at is None
        assert starts > 15
        assert scrubs == [True, False]
        found = await report(here, erasure)
        assert found.person is None
        assert found.finished_at is not None
        # A row is erased and counted in one transaction: none twice, none not at all.
        assert found.counts["one_time_keys"] == keys > 0
        assert found.counts["account"] == 1
        assert lasting(await everywhere(here, life.names)) == []
        # Run once more, by a worker whose claim was lost: nothing happens.
        await carried_out(here, here.started.rights.data).run(job(erasure))
        assert await report(here, erasure) == found


async def test_however_much_there_is_each_transaction_is_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(tmp_path) as here:
        ada, grace = await here.person("ada"), await here.admin("grace")
        many = 2 * ROWS_A_TRANSACTION + 7
        row = {"account": ada.id, "device_id": "phone"}
        rows = [
            {**row, "key_id": number, "position": number, "public_key": number.to_bytes(32, "big")}
            for number in range(many)
        ]
        await here.platform.database.units.write(
            lambda unit: sql_of(unit).connection.execute(insert(ONE_TIME_KEYS), rows)
        )
        # So that one attempt of the job is not enough either.
        monkeypatch.setattr(module, "STEPS_AN_ATTEMPT", 2)
        erasure, scale = await begun(here, ada.id), Scale()
        await carried_out(here, replace(here.started.rights.data, parts=weighed(scale, here))).run(job(erasure))
        done = await finished(grace, str(erasure))
        assert scale.erased == [ROWS_A_TRANSACTION, ROWS_A_TRANSACTION]
        assert done.body["erased"]["one_time_keys"] == many


async def test_an_erasure_whose_job_was_lost_goes_on(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob, grace = await here.person("ada"), await here.person("bob"), await here.admin("grace")
        now = here.platform.clock.now()
        lost, fresh = await begun(here, ada.id, since=now - 7200), await begun(here, bob.id)
        await here.started.rights.erasures.resume(job())
        await finished(grace, str(lost))
        assert (await report(here, fresh)).finished_at is None
        # And nothing new is written about somebody who is being erased.
        about = f"/v1/admin/users/{bob.id}"
        for answer in (
            await grace.patch(about, {"state": "active"}),
            await grace.put(f"{about}/plan", {"plan": "pro"}),
            await grace.post(f"{about}/reset-second-factor"),
        ):
            assert (answer.status, answer.code) == (409, "account_erasing")
        assert (await grace.post(f"{about}/erase")).status == 404
        [listed] = (await grace.get("/v1/admin/users?state=erasing")).body["items"]
        assert listed["id"] == str(bob.id)


async def pestered(here: World) -> None:
    """Bob does what he can to be near Ada, who is erased meanwhile, and she herself does not stop either."""
    ada, bob, grace = await here.person("ada"), await here.person("bob"), await here.admin("grace")
    shared = await group(bob, title="Ours")
    stop = asyncio.Event()
    again: Sequence[tuple[Person, str, str, object]] = [
        (bob, "POST", f"/v1/users/{ada.id}/friend", None),
        (bob, "POST", f"/v1/users/{ada.id}/block", None),
        (bob, "DELETE", f"/v1/users/{ada.id}/block", None),
        (bob, "POST", "/v1/conversations", {"type": "direct", "participant_ids": [str(ada.id)]}),
        (bob, "POST", at(shared, "/participants"), {"user_id": str(ada.id)}),
        (grace, "POST", f"/v1/admin/users/{ada.id}/reset-second-factor", None),
        (grace, "PUT", f"/v1/admin/users/{ada.id}/plan", {"plan": "pro"}),
        (ada, "POST", f"/v1/users/{bob.id}/block", None),
        (ada, "POST", "/v1/conversations", {"type": "group", "participant_ids": []}),
        (ada, "POST", "/v1/keys/upload", Device("phone").body(range(1, 9))),
        (ada, "POST", "/v1/presence", {"state": "online"}),
        (ada, "POST", EXPORT, None),
        (ada, "POST", "/v1/auth/2fa/enable", None),
    ]

    async def pester(who: Person, method: str, path: str, body: object) -> None:
        while not stop.is_set():
            await who.ask(method, path, body)
            await asyncio.sleep(0.04)

    pests = [asyncio.create_task(pester(*asked)) for asked in again]
    try:
        await asyncio.sleep(0.3)
        told = await leave(ada)
        assert told.status == 202, told.body
        await finished(grace, told.body["id"])
    finally:
        stop.set()
        await asyncio.gather(*pests)
    assert await everywhere(here, Names(ada.id, [ada.email])) == []


async def test_whoever_keeps_pestering_the_erased_leaves_no_trace_of_them(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await pestered(here)


async def test_whoever_keeps_pestering_leaves_no_trace_in_postgresql_either(
    tmp_path: Path, postgres: PostgresService
) -> None:
    async with world(tmp_path, database_url=postgres.create_database()) as here:
        await pestered(here)


async def held_back(who: Person, path: str, body: object) -> tuple[asyncio.Event, asyncio.Task[int]]:
    """A request whose body comes to its end when it is told to."""
    end, data = asyncio.Event(), json.dumps(body).encode()

    async def pieces() -> AsyncIterator[bytes]:
        yield data[:5]
        await end.wait()
        yield data[5:]

    async def ask() -> int:
        headers = {"Authorization": f"Bearer {who.token}", "Content-Type": "application/json"}
        async with who.session.post(path, data=pieces(), headers=headers) as answer:
            return answer.status

    return end, asyncio.create_task(ask())


async def test_what_was_on_its_way_when_somebody_was_erased_comes_too_late(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob, grace = await here.person("ada"), await here.person("bob"), await here.admin("grace")
        public = await group(bob, title="Open", is_public=True)
        link = (await bob.post(at(public, "/invites"), {})).body["token"]
        on_their_way = [
            await held_back(ada, path, body)
            for path, body in (
                ("/v1/conversations", {"type": "group", "participant_ids": [], "title": "Late"}),
                ("/v1/conversations", {"type": "direct", "participant_ids": [str(bob.id)]}),
                ("/v1/conversations/join", {"token": link}),
                ("/v1/keys/upload", Device("phone").body(range(1, 4))),
                ("/v1/presence", {"state": "online"}),
                ("/v1/users/me/email", {"email": "late@example.org", "password": PASSWORD}),
            )
        ]
        await asyncio.sleep(0.1)
        await finished(grace, (await leave(ada)).body["id"])
        for end, _ in on_their_way:
            end.set()
        statuses = [await task for _, task in on_their_way]
        assert all(400 <= status < 500 for status in statuses), statuses
        assert await everywhere(here, Names(ada.id, [ada.email, "late@"])) == []


async def test_groups_go_to_their_next_owner_and_direct_conversations_end(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        (ada, bob, eve), grace = await here.people("ada", "bob", "eve"), await here.admin("grace")
        shared, between, alone = await group(ada, bob, eve), await direct(ada, bob), await group(ada)
        await ada.patch(at(shared, f"/participants/{eve.id}"), {"role": "admin"})
        await finished(grace, (await leave(ada)).body["id"])
        assert await roles(bob, shared) == {bob.id: "member", eve.id: "owner"}
        assert (await bob.get(at(between))).status == 404
        assert [item["id"] for item in (await bob.get("/v1/conversations")).body["items"]] == [shared["id"]]
        assert await everywhere(here, Names(UUID(alone["id"]), [])) == []


async def test_a_round_of_consent_goes_on_without_whoever_is_erased_and_ends_with_its_proposer(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        (ada, bob, eve), grace = await here.people("ada", "bob", "eve"), await here.admin("grace")
        shared = await group(ada, bob, eve)
        asked = (await ada.post(at(shared, "/mode/proposals"), {"mode": "intelligent"})).body["id"]
        place = at(shared, f"/mode/proposals/{asked}")
        assert (await bob.post(f"{place}/consent", {"answer": "consent"})).status == 200
        await finished(grace, (await leave(eve)).body["id"])
        assert (await bob.get(place)).body["state"] == "accepted"
        assert (await bob.get(at(shared))).body["mode"] == "intelligent"
        await bob.patch(at(shared, "/settings"), {"mode": "secure"})
        await ada.patch(at(shared, "/settings"), {"mode": "secure"})
        again = (await ada.post(at(shared, "/mode/proposals"), {"mode": "intelligent"})).body["id"]
        await finished(grace, (await leave(ada)).body["id"])
        left = (await bob.get(at(shared, f"/mode/proposals/{again}"))).body
        assert (left["state"], left["proposed_by"]) == ("withdrawn", None)
        assert (await bob.get(at(shared))).body["mode"] == "secure"


async def test_an_admin_erases_somebody_and_the_report_forgets_that_admin_too(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        grace, ada, bob = await here.admin("grace"), await here.person("ada"), await here.person("bob")
        assert (await bob.post(f"/v1/admin/users/{ada.id}/erase")).status == 403
        assert (await grace.post(f"/v1/admin/users/{uuid4()}/erase")).status == 404
        told = await grace.post(f"/v1/admin/users/{ada.id}/erase")
        assert told.status == 202
        await finished(grace, told.body["id"])
        assert (await grace.post(f"/v1/admin/users/{ada.id}/erase")).status == 404
        assert (await report(here, UUID(told.body["id"]))).asked_by == str(grace.id)
        await grace.patch(f"/v1/admin/users/{bob.id}", {"roles": ["admin"]})
        await bob.sign_in()
        left = await leave(grace)
        await finished(bob, left.body["id"])
        assert (await report(here, UUID(told.body["id"]))).asked_by == left.body["pseudonym"]
        newest = (await bob.get("/v1/admin/erasures?limit=1")).body
        rest = (await bob.get(f"/v1/admin/erasures?cursor={newest['next_cursor']}")).body
        reports = [*newest["items"], *rest["items"]]
        assert [item["id"] for item in reports] == [left.body["id"], told.body["id"]]
        assert (await bob.get(f"/v1/admin/erasures?pseudonym={told.body['pseudonym']}")).body["items"] == reports[1:]
        assert (await bob.get("/v1/admin/erasures?cursor=x")).code == "bad_cursor"


async def the_last_admin_stays(here: World) -> None:
    grace, ada = await here.admin("grace"), await here.person("another")
    assert (await leave(grace)).code == "last_admin"
    assert (await grace.post(f"/v1/admin/users/{grace.id}/erase")).code == "last_admin"
    assert (await grace.get(ME)).status == 200
    # Of two who leave at the same moment one stays, and stays signed in.
    await grace.patch(f"/v1/admin/users/{ada.id}", {"roles": ["admin"]})
    await ada.sign_in()
    answers = await asyncio.gather(leave(grace), leave(ada))
    assert sorted(answer.status for answer in answers) == [202, 409]
    [stays] = [who for who, answer in zip((grace, ada), answers, strict=True) if answer.status == 409]
    assert (await stays.sign_in()).status == 200
    assert (await stays.get("/v1/admin/stats")).body["users"]["admins"] == 1


async def test_the_last_admin_stays(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await the_last_admin_stays(here)
