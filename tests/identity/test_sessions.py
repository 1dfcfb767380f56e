"""Sessions: refresh tokens are good for one use, one's devices are listed and signed out, and nobody else's."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select

from adapters.sql.identity.sessions import LINKS, SESSIONS, SqlLinks, SqlSessions
from adapters.sql.jobs_tables import SCHEDULES
from adapters.sql.units import sql_of
from config.sections import Identity, Limits
from config.values import Duration
from identity import sweeping
from identity.accounts import State
from identity.onetime import Link, Purpose
from identity.sessions import Session
from identity.sweeping import SWEEP_JOB
from kernel.errors import Forbidden, Unauthenticated
from kernel.jobs import Job, NewJob
from kernel.units import Transaction
from tests.adapters.sql.relational import BACKENDS, url_for
from tests.identity.bench import Bench, bench
from tests.worlds import PASSWORD, Answer, Caller, Person, World, world

DAY = 86400.0


@pytest.fixture(params=BACKENDS[:2])
def database_url(request: pytest.FixtureRequest) -> str:
    return url_for(request.param, request)


async def refreshed(person: Person, token: str | None = None) -> Answer:
    return await person.post("/v1/auth/refresh", {"refresh_token": token or person.tokens["refresh_token"]})


async def another_device(here: World, person: Person) -> Person:
    device = Person(here.session, email=person.email, username=person.username, password=person.password, id=person.id)
    assert (await device.sign_in()).status == 200
    return device


async def listed(person: Person) -> list[dict[str, Any]]:
    answer = await person.get("/v1/auth/sessions")
    assert answer.status == 200, answer.body
    return list(answer.body["items"])


async def test_a_refresh_token_is_traded_for_a_new_pair_of_the_same_session(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        [before] = await listed(ada)
        answer = await refreshed(ada)
        assert answer.status == 200
        assert answer.body["refresh_token"] != ada.tokens["refresh_token"]
        assert answer.body["token_type"] == "Bearer"
        assert answer.headers["Cache-Control"] == "no-store"
        ada.token = answer.body["access_token"]
        [after] = await listed(ada)
        assert after["id"] == before["id"]
        assert after["last_used_at"] >= before["last_used_at"]
        assert after["expires_at"] > before["expires_at"]


async def test_a_refresh_token_that_was_used_before_ends_the_session_for_both(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        elsewhere = await another_device(here, ada)
        stolen = ada.tokens["refresh_token"]
        newer = (await refreshed(ada)).body
        ada.token = newer["access_token"]
        assert (await ada.get("/v1/auth/profile")).status == 200
        again = await refreshed(ada, stolen)
        assert (again.status, again.code) == (401, "refresh_token_reused")
        assert (await ada.get("/v1/auth/profile")).code == "session_ended"
        assert (await refreshed(ada, newer["refresh_token"])).code == "invalid_refresh_token"
        assert (await elsewhere.get("/v1/auth/profile")).status == 200


async def test_a_refresh_whose_answer_was_lost_is_repeated_with_its_key_and_ends_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        body, headers = {"refresh_token": ada.tokens["refresh_token"]}, {"Idempotency-Key": "a-random-one-of-a-client"}
        first, again = [await here.stranger.ask("POST", "/v1/auth/refresh", body, **headers) for _ in range(2)]
        assert (first.status, again.body) == (200, first.body)
        assert (await refreshed(ada, again.body["refresh_token"])).status == 200


async def test_what_is_no_refresh_token_is_refused_and_nothing_worse(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        somebodys = UUID(int=7).hex
        made_up = ["x", ".", "x.y", f"{somebodys}.abc", somebodys, f".{'a' * 43}", "\U0001f600.a", "a" * 200]
        for token in [*made_up, str(ada.token)[:200]]:
            answer = await refreshed(ada, token)
            assert (answer.status, answer.code) == (401, "invalid_refresh_token"), token


async def test_of_many_refreshes_at_once_with_one_token_one_succeeds_at_most_and_the_session_ends(
    tmp_path: Path, database_url: str
) -> None:
    async with bench(tmp_path, database_url=database_url) as here:
        await here.account("ada")
        for round_ in range(5):
            _, pair = await here.sign_in("ada")
            outcomes = await asyncio.gather(
                *(here.people.sessions.refresh(pair.refresh_token) for _ in range(8)), return_exceptions=True
            )
            won = [outcome for outcome in outcomes if isinstance(outcome, tuple)]
            lost = [outcome for outcome in outcomes if isinstance(outcome, Unauthenticated)]
            assert len(won) + len(lost) == len(outcomes), (round_, outcomes)
            assert len(won) == 1, round_
            codes = {error.code for error in lost}
            assert "refresh_token_reused" in codes
            assert codes <= {"refresh_token_reused", "invalid_refresh_token"}
            with pytest.raises(Unauthenticated) as caught:
                await here.people.sessions.refresh(won[0][1].refresh_token)
            assert caught.value.code == "invalid_refresh_token"
            claims = {"Authorization": f"Bearer {won[0][1].access_token}"}
            with pytest.raises(Unauthenticated) as caught:
                await here.people.authenticator.authenticate(claims)
            assert caught.value.code == "session_ended"


async def test_a_person_has_only_so_many_sessions_and_the_one_used_longest_ago_goes(
    tmp_path: Path, database_url: str
) -> None:
    async with bench(tmp_path, database_url=database_url, identity=Identity(max_sessions=3)) as here:
        ada, bob = await here.account("ada"), await here.account("bob")
        _, of_bob = await here.sign_in("bob")
        pairs = []
        for _ in range(3):
            pairs.append((await here.sign_in("ada"))[1])
            here.clock.advance(1)
        _, pairs[0] = await here.people.sessions.refresh(pairs[0].refresh_token)
        here.clock.advance(1)
        _, fourth = await here.sign_in("ada")
        kept = [session.id for session in await here.people.sessions.of(ada.id)]
        assert kept == [fourth.session, pairs[0].session, pairs[2].session]
        with pytest.raises(Unauthenticated) as caught:
            await here.people.authenticator.authenticate({"Authorization": f"Bearer {pairs[1].access_token}"})
        assert caught.value.code == "session_ended"
        assert [session.id for session in await here.people.sessions.of(bob.id)] == [of_bob.session]


async def test_the_new_session_stays_though_the_clock_went_back(tmp_path: Path) -> None:
    async with bench(tmp_path, identity=Identity(max_sessions=2)) as here:
        ada = await here.account("ada")
        await here.sign_in("ada")
        await here.sign_in("ada")
        here.clock.set_back(5)
        _, latest = await here.sign_in("ada")
        assert latest.session in [session.id for session in await here.people.sessions.of(ada.id)]


async def test_many_at_once_are_no_way_around_the_bound(tmp_path: Path, database_url: str) -> None:
    async with bench(tmp_path, database_url=database_url, identity=Identity(max_sessions=3)) as here:
        ada = await here.account("ada")
        await asyncio.gather(*(here.people.sessions.begin(ada, f"device {number}") for number in range(10)))
        assert len(await here.people.sessions.of(ada.id)) == 3


async def test_a_session_that_is_not_used_ends_and_one_that_is_goes_on(tmp_path: Path) -> None:
    async with bench(tmp_path, identity=Identity(session_lifetime=Duration(10 * DAY))) as here:
        ada = await here.account("ada")
        _, unused = await here.sign_in("ada")
        _, used = await here.sign_in("ada")
        for _ in range(3):
            here.clock.advance(9 * DAY)
            _, used = await here.people.sessions.refresh(used.refresh_token)
        assert [session.id for session in await here.people.sessions.of(ada.id)] == [used.session]
        with pytest.raises(Unauthenticated) as caught:
            await here.people.sessions.refresh(unused.refresh_token)
        assert caught.value.code == "invalid_refresh_token"
        here.clock.advance(10 * DAY)
        with pytest.raises(Unauthenticated):
            await here.people.sessions.refresh(used.refresh_token)


async def test_devices_are_listed_with_the_one_that_asks_marked(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        phone = await another_device(here, ada)
        items = await listed(phone)
        assert [item["current"] for item in items] == [True, False]
        assert len({item["id"] for item in items}) == 2
        for item in items:
            assert set(item) == {"id", "client", "created_at", "last_used_at", "expires_at", "current"}
            assert datetime.fromisoformat(item["created_at"]) < datetime.fromisoformat(item["expires_at"])


async def test_devices_are_listed_page_by_page_and_one_that_comes_meanwhile_repeats_none(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        for _ in range(4):
            await another_device(here, ada)
        everything = [item["id"] for item in await listed(ada)]
        first = (await ada.get("/v1/auth/sessions?limit=2")).body
        await another_device(here, ada)
        second = (await ada.get(f"/v1/auth/sessions?limit=2&cursor={first['next_cursor']}")).body
        third = (await ada.get(f"/v1/auth/sessions?limit=2&cursor={second['next_cursor']}")).body
        assert [item["id"] for page in (first, second, third) for item in page["items"]] == everything
        assert third["next_cursor"] is None
        assert (await ada.get("/v1/auth/sessions?cursor=nonsense")).code == "bad_cursor"
        assert (await ada.get("/v1/auth/sessions?limit=0")).status in (400, 422)


async def test_what_a_device_says_it_is_may_be_any_bytes(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        ada = await here.account("ada")
        await here.people.sessions.begin(ada, "Fire\udcfffox\0\r\n\u202e" + "x" * 500)
        [session] = await here.people.sessions.of(ada.id)
        assert session.client.startswith("Fire fox")
        assert session.client.isprintable()
        assert len(session.client) <= 200


async def test_one_device_is_signed_out_and_only_that(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        phone = await another_device(here, ada)
        [its] = [item["id"] for item in await listed(ada) if not item["current"]]
        assert (await ada.delete(f"/v1/auth/sessions/{its}")).status == 204
        assert (await phone.get("/v1/auth/profile")).code == "session_ended"
        assert (await refreshed(phone)).code == "invalid_refresh_token"
        assert (await ada.get("/v1/auth/profile")).status == 200
        assert (await ada.delete(f"/v1/auth/sessions/{its}")).status == 404


async def test_all_other_devices_are_signed_out_and_this_one_stays(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        others = [await another_device(here, ada) for _ in range(3)]
        assert (await ada.delete("/v1/auth/sessions")).status == 204
        for other in others:
            assert (await other.get("/v1/auth/profile")).code == "session_ended"
        assert [item["current"] for item in await listed(ada)] == [True]
        assert (await bob.get("/v1/auth/profile")).status == 200


async def test_other_peoples_sessions_are_not_there_and_are_not_harmed(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, eve = await here.people("ada", "eve")
        [its] = [item["id"] for item in await listed(ada)]
        refusal = await eve.delete(f"/v1/auth/sessions/{its}")
        nowhere = await eve.delete(f"/v1/auth/sessions/{uuid4()}")
        assert (refusal.status, refusal.code) == (nowhere.status, nowhere.code) == (404, "not_found")
        assert refusal.body["detail"] == nowhere.body["detail"]
        assert (await ada.get("/v1/auth/profile")).status == 200
        assert (await refreshed(ada)).status == 200
        assert (await eve.delete("/v1/auth/sessions/not-an-id")).status == 404
        assert (await here.stranger.delete(f"/v1/auth/sessions/{its}")).status == 401


async def test_the_store_removes_nobody_elses_sessions(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        ada, eve = await here.account("ada"), await here.account("eve")
        _, pair = await here.sign_in("ada")
        removing = here.platform.database.units.write
        assert await removing(lambda unit: SqlSessions().remove(unit, eve.id, [pair.session])) == []
        assert await removing(lambda unit: SqlSessions().remove(unit, ada.id, [pair.session])) == [pair.session]


async def test_signing_out_ends_this_session_only(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        phone = await another_device(here, ada)
        assert (await ada.post("/v1/auth/logout")).status == 204
        assert (await ada.post("/v1/auth/logout")).code == "session_ended"
        assert (await refreshed(ada)).code == "invalid_refresh_token"
        assert (await phone.get("/v1/auth/profile")).status == 200


async def test_nobody_begins_a_session_with_a_password_that_was_changed_meanwhile(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        ada = await here.account("ada")
        here.clock.advance(1)
        await here.people.credentials.change_password(  # as it is between verifying and beginning
            ada.id, session=None, current=PASSWORD, new="another-horse-now", address="192.0.2.9"
        )
        with pytest.raises(Unauthenticated) as caught:
            await here.people.sessions.begin(ada, "late")
        assert caught.value.code == "invalid_credentials"
        assert await here.people.sessions.of(ada.id) == []


async def test_a_person_who_is_disabled_neither_begins_nor_refreshes(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        ada = await here.account("ada")
        _, pair = await here.sign_in("ada")
        await here.set_state(ada.id, State.DISABLED)
        with pytest.raises(Forbidden) as forbidden:
            await here.people.sessions.begin(ada, "late")
        assert forbidden.value.code == "account_disabled"
        with pytest.raises(Unauthenticated) as caught:
            await here.people.sessions.refresh(pair.refresh_token)
        assert caught.value.code == "invalid_refresh_token"


# --- what has expired -------------------------------------------------------------------------------------


async def counted(here: Bench) -> tuple[int, int]:
    async def count(unit: Transaction) -> tuple[int, int]:
        connection = sql_of(unit).connection
        rows = [
            (await connection.execute(select(func.count()).select_from(table))).scalar_one()
            for table in (SESSIONS, LINKS)
        ]
        return rows[0], rows[1]

    return await here.platform.database.units.read(count)


def the_job() -> Job:
    return Job(uuid4(), SWEEP_JOB, b"", 1, 10, uuid4())


async def test_what_has_expired_is_swept_batch_by_batch_and_the_rest_is_kept(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "BATCH", 3)
    async with bench(tmp_path, database_url=database_url) as here:
        now = here.clock.now()
        sessions, links = SqlSessions(), SqlLinks()

        async def fill(unit: Transaction) -> None:
            for number in range(10):
                end = now + number - 7  # 0 to 7 have ended by now, the moment itself included
                session = Session(UUID(int=number), UUID(int=1), b"d", "c", now, now, end)
                await sessions.add(unit, session, most=99)
                link = Link(bytes([number]), Purpose.VERIFY_EMAIL.value, UUID(int=number), "", end)
                await links.replace(unit, link)

        await here.platform.database.units.write(fill)
        await here.people.sweep.run(the_job())
        assert await counted(here) == (2, 2)
        await here.people.sweep.run(the_job())
        assert await counted(here) == (2, 2)


async def test_the_sweep_is_on_the_schedule_of_every_server(tmp_path: Path) -> None:
    async with world(tmp_path) as here:

        async def schedules(unit: Transaction) -> list[tuple[str, str]]:
            found = await sql_of(unit).connection.execute(select(SCHEDULES.c.name, SCHEDULES.c.kind))
            return [(row.name, row.kind) for row in found]

        assert (SWEEP_JOB, SWEEP_JOB) in await here.platform.database.units.read(schedules)
        await here.platform.jobs.queue.enqueue([NewJob(SWEEP_JOB, b"")])
        async with asyncio.timeout(10):
            while (await here.platform.jobs.dead_letters.counts()).get("queued"):
                await asyncio.sleep(0.02)
        assert (await here.platform.jobs.dead_letters.counts()).get("dead", 0) == 0


async def test_guesses_at_tokens_are_counted_and_keep_nobody_out_who_has_a_good_one(tmp_path: Path) -> None:
    async with world(tmp_path, limits=Limits(default=4)) as here:
        ada = await here.person("ada")
        guesses = [f"guess.{number}.x" for number in range(3)] + ["sck_guess_of_a_key", ""]
        answers = [await Caller(here.session, token).get("/v1/users/me") for token in guesses]
        assert [answer.status for answer in answers] == [401, 401, 401, 401, 429]
        assert (await ada.get("/v1/users/me")).status == 200
