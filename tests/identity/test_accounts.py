"""Making an account, confirming its address, and the profile that others see."""

# ruff: noqa: RUF001 - look-alikes are tried

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest

from config.sections import Identity
from identity.accounts import Account, State
from identity.mails import AccountMails
from identity.onetime import DAY
from kernel.errors import Conflict, Unprocessable
from kernel.ids import IdGenerator
from kernel.mail import Mail
from kernel.units import Transaction
from tests.adapters.sql.relational import BACKENDS, url_for
from tests.clocks import VirtualClock
from tests.identity.bench import bench
from tests.worlds import PASSWORD, world


@pytest.fixture(params=BACKENDS)
def database_url(request: pytest.FixtureRequest) -> str:
    return url_for(request.param, request)


def registration(**changed: object) -> dict[str, object]:
    return {"email": "ada@example.org", "username": "ada", "password": PASSWORD, **changed}


async def test_somebody_registers_signs_in_and_is_who_they_say(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        profile = await ada.get("/v1/auth/profile")
        assert (profile.status, profile.body["username"]) == (200, "ada")
        assert profile.body["email_verified"] is False


async def test_a_new_account_is_answered_without_its_password(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        answer = await here.stranger.post("/v1/auth/register", registration(username="Ada", email="Ada@Example.org"))
        assert answer.status == 201
        assert answer.body["username"] == "ada"
        assert answer.body["display_name"] == "Ada"
        assert answer.body["email"] == "ada@example.org"
        assert answer.body["roles"] == ["user"]
        assert PASSWORD not in str(answer.body)
        assert "argon2" not in str(answer.body)


async def test_an_address_is_confirmed_by_its_mail_once(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        secret = await here.mailed(ada.email, "/verify-email")
        assert (await here.stranger.post("/v1/auth/verify-email", {"token": secret})).body["email_verified"] is True
        for used_or_made_up in (secret, "x", "\U0001f600", "a" * 200, "../..", "' OR 1=1"):
            refused = await here.stranger.post("/v1/auth/verify-email", {"token": used_or_made_up})
            assert (refused.status, refused.code) == (422, "invalid_link")


async def test_a_new_mail_ends_the_link_of_the_one_before_and_none_is_sent_once_confirmed(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        first = await here.mailed(ada.email, "/verify-email")
        assert (await ada.post("/v1/auth/verify-email/resend")).status == 204
        second = await here.mailed(ada.email, "/verify-email", number=2)
        assert first != second
        refused = await here.stranger.post("/v1/auth/verify-email", {"token": first})
        assert (refused.status, refused.code) == (422, "invalid_link")
        assert (await here.stranger.post("/v1/auth/verify-email", {"token": second})).status == 200
        assert (await ada.post("/v1/auth/verify-email/resend")).status == 204
        await asyncio.sleep(0.3)
        assert len(here._links(ada.email)) == 2
        assert (await here.stranger.post("/v1/auth/verify-email/resend")).status == 401


async def test_of_many_who_follow_one_link_at_once_one_is_told_that_it_worked(
    tmp_path: Path, database_url: str
) -> None:
    async with bench(tmp_path, database_url=database_url) as here:
        secrets: list[str] = []
        ada = await registered_with_links(here.people.accounts, secrets)
        outcomes = await asyncio.gather(
            *(here.people.accounts.verify_email(secrets[0]) for _ in range(8)), return_exceptions=True
        )
        confirmed = [outcome for outcome in outcomes if isinstance(outcome, Account)]
        assert [account.id for account in confirmed] == [ada.id]
        assert all(isinstance(outcome, Account | Unprocessable) for outcome in outcomes), outcomes


async def test_a_link_is_good_for_a_day_and_for_the_address_it_was_mailed_to(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        secrets: list[str] = []
        ada = await registered_with_links(here.people.accounts, secrets)
        here.clock.advance(DAY)
        with pytest.raises(Unprocessable) as caught:
            await here.people.accounts.verify_email(secrets[0])
        assert caught.value.code == "invalid_link"
        await here.people.accounts.resend_verification(ada.id)
        await here._set(ada.id, email="ada@elsewhere.example")
        with pytest.raises(Unprocessable) as caught:
            await here.people.accounts.verify_email(secrets[1])
        assert caught.value.code == "invalid_link"
        assert (await here.people.accounts.get(ada.id)).email_verified_at is None
        await here.people.accounts.resend_verification(ada.id)
        await here.set_state(ada.id, State.ERASING)
        with pytest.raises(Unprocessable) as caught:
            await here.people.accounts.verify_email(secrets[2])
        assert caught.value.code == "invalid_link"


async def registered_with_links(accounts: object, secrets: list[str]) -> Account:
    """Ada, and the secrets of the mails to her as they are written."""
    mails = accounts._mails  # type: ignore[attr-defined]

    async def verify(unit: Transaction, account: Account, secret: str) -> None:
        secrets.append(secret)

    mails.verify = verify
    account: Account = await accounts.register(  # type: ignore[attr-defined]
        email="ada@example.org", username="ada", password=PASSWORD, display_name=None
    )
    return account


async def test_what_cannot_be_registered_is_refused_with_its_field(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        for field, written, code in (
            ("email", "ada", "invalid_email"),
            ("email", "ada@example.org\r\nBcc: eve@evil.example", "invalid_email"),
            ("username", "admin", "invalid_username"),
            ("username", "аda", "invalid_username"),
            ("username", "a b c", "invalid_username"),
            ("display_name", "Ada\u202e", "invalid_display_name"),
            ("display_name", "Ada\r\nBcc: eve@evil.example", "invalid_display_name"),
            ("password", "short", "weak_password"),
            ("password", "ada-ada-ada", "weak_password"),
            ("roles", ["admin"], "validation_failed"),
        ):
            answer = await here.stranger.post("/v1/auth/register", registration(**{field: written}))
            assert (answer.status, answer.code) == (422, code), written
            assert answer.body["errors"][0]["field"] == field
        assert (await here.stranger.post("/v1/auth/register", registration())).status == 201


async def test_an_address_and_the_looks_of_a_name_belong_to_one_account(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await here.person("ada")
        grace: dict[str, object] = {"email": "grace@example.org", "username": "grace"}
        for field, written, code in (
            ("email", "ada@example.org", "email_taken"),
            ("email", "ADA@example.org", "email_taken"),
            ("username", "ada", "username_taken"),
            ("username", "ADA", "username_taken"),
            ("username", "a.da", "username_taken"),
            ("username", "áda", "username_taken"),
        ):
            answer = await here.stranger.post("/v1/auth/register", registration(**{**grace, field: written}))
            assert (answer.status, answer.code) == (409, code), written


async def test_where_registration_is_closed_nobody_registers(tmp_path: Path) -> None:
    async with world(tmp_path, identity=Identity(registration=False)) as here:
        answer = await here.stranger.post("/v1/auth/register", registration())
        assert (answer.status, answer.code) == (403, "registration_closed")


async def test_of_many_who_register_the_same_at_once_one_gets_it(tmp_path: Path, database_url: str) -> None:
    async with bench(tmp_path, database_url=database_url) as here:
        spellings = ["paypal", "paypa1", "pay.pal", "PayPal", "раураӏ"]
        by_name = await asyncio.gather(
            *(
                here.people.accounts.register(
                    email=f"p{number}@example.org", username=name, password=PASSWORD, display_name=None
                )
                for number, name in enumerate(spellings)
            ),
            return_exceptions=True,
        )
        by_address = await asyncio.gather(
            *(
                here.people.accounts.register(
                    email="ada@example.org", username=f"ada{word}", password=PASSWORD, display_name=None
                )
                for word in ("x", "y", "z", "v", "w")
            ),
            return_exceptions=True,
        )
        for outcomes, code in ((by_name, "username_taken"), (by_address, "email_taken")):
            assert len([outcome for outcome in outcomes if isinstance(outcome, Account)]) == 1
            refusals = [outcome for outcome in outcomes if not isinstance(outcome, Account)]
            assert all(isinstance(refusal, Conflict) for refusal in refusals), refusals
            assert {refusal.code for refusal in refusals if isinstance(refusal, Conflict)} == {code}


async def test_of_many_who_take_one_name_at_once_one_gets_it(tmp_path: Path, database_url: str) -> None:
    async with bench(tmp_path, database_url=database_url) as here:
        people = [await here.account(name) for name in ("ada", "bob", "cid", "dora", "emil")]
        outcomes = await asyncio.gather(
            *(here.people.accounts.change_profile(person.id, username="wanted") for person in people),
            return_exceptions=True,
        )
        assert len([outcome for outcome in outcomes if isinstance(outcome, Account)]) == 1
        refusals = [outcome for outcome in outcomes if not isinstance(outcome, Account)]
        assert {getattr(refusal, "code", refusal) for refusal in refusals} == {"username_taken"}


async def test_a_profile_is_changed_field_by_field(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        changed = await ada.patch("/v1/users/me", {"display_name": "Countess  Lovelace"})
        assert changed.status == 200
        assert (changed.body["display_name"], changed.body["username"]) == ("Countess Lovelace", "ada")
        assert (await ada.patch("/v1/users/me", {"searchable": False})).body["searchable"] is False
        assert (await ada.patch("/v1/users/me", {"username": "Lovelace"})).body["username"] == "lovelace"
        seen = (await bob.get(f"/v1/users/{ada.id}")).body
        assert (seen["username"], seen["display_name"]) == ("lovelace", "Countess Lovelace")
        assert not {"email", "roles", "searchable", "two_factor_enabled", "email_verified"} & set(seen)
        assert (await bob.patch("/v1/users/me", {"username": "ada"})).status == 200, "the name is free again"
        assert (await bob.patch("/v1/users/me", {"username": "love1ace"})).code == "username_taken"
        assert (await bob.patch("/v1/users/me", {"username": "root"})).code == "invalid_username"
        assert (await bob.patch("/v1/users/me", {"email": "x@example.org"})).code == "validation_failed"


async def test_nobody_is_there_for_strangers_or_under_an_id_that_is_none(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        assert (await here.stranger.get(f"/v1/users/{ada.id}")).status == 401
        assert (await ada.get("/v1/users/00000000-0000-7000-8000-000000000000")).code == "not_found"
        assert (await ada.get("/v1/users/nobody")).status == 404


class Posted:
    def __init__(self) -> None:
        self.mails: list[Mail] = []

    async def post(self, mail: Mail, *, within: Transaction | None = None) -> None:
        self.mails.append(mail)


@pytest.mark.parametrize(
    ("name", "greeting"),
    [
        ("Ada Lovelace", "Hello Ada Lovelace,"),
        ("J. R. R. Tolkien", "Hello J. R. R. Tolkien,"),
        ("Visit evil.example now", "Hello there,"),
        ("https://evil.example", "Hello there,"),
        ("eve@evil.example", "Hello there,"),
        ("evil.example", "Hello there,"),
        ("WWW evil", "Hello there,"),
        ("evil\u3002example", "Hello there,"),
        ("evil\uff0eexample", "Hello there,"),
        ("eve\uff20evil", "Hello there,"),
        ("evil, call 0 800-12", "Hello there,"),
        ("Ada 1815", "Hello Ada 1815,"),
    ],
)
async def test_no_name_makes_a_link_in_a_mail_to_somebody_who_never_asked_for_it(name: str, greeting: str) -> None:
    posted = Posted()
    mails = AccountMails(posted, IdGenerator(VirtualClock()), "https://chat.example")  # type: ignore[arg-type]
    unit: Transaction = None  # type: ignore[assignment]
    ada = Account(uuid4(), "ada@example.org", "ada", "ada", name, "", 0.0, 0.0)
    await mails.verify(unit, ada, "s")
    await mails.notice(unit, ada, "Your password was changed.")
    for mail in posted.mails:
        assert mail.text.startswith(greeting)
        assert "evil" not in mail.text + str(mail.html)
