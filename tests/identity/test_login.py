"""Signing in: what each who tries is told, and nothing more."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.sections import Identity, Limits
from identity import lockout
from identity.accounts import State
from kernel.errors import Forbidden, Unauthenticated
from tests.identity.bench import bench
from tests.identity.places import elsewhere
from tests.worlds import PASSWORD, world


async def test_who_signs_in_gets_tokens_and_hears_who_they_are(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        answer = await ada.sign_in()
        assert answer.status == 200
        assert set(answer.body) == {"access_token", "refresh_token", "expires_in", "token_type", "user"}
        assert answer.body["expires_in"] == 900
        assert answer.body["token_type"] == "Bearer"
        assert answer.body["user"]["id"] == str(ada.id)
        assert answer.body["user"]["two_factor_enabled"] is False
        assert "password" not in str(answer.body)
        assert answer.headers["Cache-Control"] == "no-store"


async def test_the_address_may_be_written_as_people_write_it(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        for spelling in ("ADA@Example.ORG", " ada@example.org "):
            body = {"email": spelling, "password": PASSWORD}
            assert (await here.stranger.post("/v1/auth/login", body)).status == 200
        assert ada.email == "ada@example.org"


async def test_a_wrong_password_and_an_account_that_is_not_there_sound_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lockout, "FAILURES", 1000)
    async with world(tmp_path) as here:
        await here.person("ada")
        for email, password in (
            ("ada@example.org", "not-" + PASSWORD),
            ("ada@example.org", PASSWORD.upper()),
            ("ada@example.org", PASSWORD + " "),
            ("nobody@example.org", PASSWORD),
            ("no address", PASSWORD),
            ("ada", PASSWORD),
            ("' OR 1=1 --", PASSWORD),
            ("ada@example.org\r\n", PASSWORD),
            ("\U0001f600" * 10, "\U0001f600" * 10),
        ):
            answer = await here.stranger.post("/v1/auth/login", {"email": email, "password": password})
            assert (answer.status, answer.code) == (401, "invalid_credentials"), email
            assert answer.body["detail"] == "The e-mail address or the password is wrong."
            assert "errors" not in answer.body


async def test_what_is_no_login_is_refused_by_its_shape(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        for body in (
            {},
            {"email": "ada@example.org"},
            {"password": PASSWORD},
            {"email": None, "password": PASSWORD},
            {"email": "ada@example.org", "password": ""},
            {"email": "", "password": PASSWORD},
            {"email": 7, "password": 7},
            {"email": "ada@example.org", "password": "x" * 257},
            {"email": "a" * 255 + "@example.org", "password": PASSWORD},
            {"email": "ada@example.org", "password": PASSWORD, "admin": True},
        ):
            answer = await here.stranger.post("/v1/auth/login", body)
            assert (answer.status, answer.code) == (422, "validation_failed"), answer.body


async def test_a_disabled_account_is_told_to_those_who_know_its_password_only(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        ada = await here.account("ada")
        await here.set_state(ada.id, State.DISABLED)
        with pytest.raises(Forbidden) as forbidden:
            await here.sign_in("ada")
        assert forbidden.value.code == "account_disabled"
        with pytest.raises(Unauthenticated) as caught:
            await here.sign_in("ada", "not-" + PASSWORD)
        assert caught.value.code == "invalid_credentials"


async def test_where_addresses_have_to_be_confirmed_nobody_signs_in_before(tmp_path: Path) -> None:
    async with world(tmp_path, identity=Identity(require_verified_email=True)) as here:
        body = {"email": "ada@example.org", "username": "ada", "password": PASSWORD}
        assert (await here.stranger.post("/v1/auth/register", body)).status == 201
        login = {"email": "ada@example.org", "password": PASSWORD}
        early = await here.stranger.post("/v1/auth/login", login)
        assert (early.status, early.code) == (403, "email_not_verified")
        wrong = {**login, "password": "not-" + PASSWORD}
        assert (await here.stranger.post("/v1/auth/login", wrong)).code == "invalid_credentials"
        secret = await here.mailed("ada@example.org", "/verify-email")
        assert (await here.stranger.post("/v1/auth/verify-email", {"token": secret})).status == 200
        assert (await here.stranger.post("/v1/auth/login", login)).status == 200


async def test_who_missed_the_day_to_confirm_their_address_gets_in_by_asking_for_a_new_password(tmp_path: Path) -> None:
    async with world(tmp_path, identity=Identity(require_verified_email=True)) as here:
        body = {"email": "ada@example.org", "username": "ada", "password": PASSWORD}
        assert (await here.stranger.post("/v1/auth/register", body)).status == 201
        assert (await here.stranger.post("/v1/auth/forgot-password", {"email": "ada@example.org"})).status < 300
        new = {"token": await here.mailed("ada@example.org", "/reset-password"), "password": "another-horse-entirely"}
        assert (await here.stranger.post("/v1/auth/reset-password", new)).status < 300
        login = {"email": "ada@example.org", "password": "another-horse-entirely"}
        assert (await here.stranger.post("/v1/auth/login", login)).status == 200


async def test_a_stale_token_does_not_keep_anybody_from_signing_in(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        await ada.post("/v1/auth/logout")
        assert (await ada.sign_in()).status == 200
        ada.token = "rubbish"
        assert (await ada.sign_in()).status == 200


async def test_too_many_logins_a_minute_are_refused_by_address_and_by_account(tmp_path: Path) -> None:
    async with world(tmp_path, limits=Limits(login=4, register=100)) as here, elsewhere(here) as there:
        ada, bob = await here.people("ada", "bob")
        for spelling in ("ada@example.org", " ADA@example.org", "Ada@Example.org"):
            assert (await there.post("/v1/auth/login", {"email": spelling, "password": PASSWORD})).status == 200
        answer = await ada.sign_in()
        assert (answer.status, answer.code) == (429, "rate_limited"), "so often as this account, from wherever"
        assert int(answer.headers["Retry-After"]) >= 1
        as_bob = {"email": bob.email, "password": PASSWORD}
        said = [(await caller.post("/v1/auth/login", as_bob)).status for caller in (there, there, bob)]
        assert said == [200, 429, 200], "so often from this address, as whomever"


async def test_an_account_of_ones_own_buys_no_more_tries_at_what_anybody_may_ask(tmp_path: Path) -> None:
    async with world(tmp_path, limits=Limits()) as here:
        ada = await here.person("ada")
        bodies = [{"email": f"p{n}@example.org", "username": f"person-{n}x", "password": PASSWORD} for n in "bcd"]
        assert [(await ada.post("/v1/auth/register", body)).status for body in bodies] == [201, 201, 429]
