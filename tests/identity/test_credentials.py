"""Changing password and e-mail address, and a new password for who forgot theirs."""

from __future__ import annotations

import asyncio
import email
import email.policy
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sql.identity.accounts import SqlAccounts
from adapters.sql.identity.sessions import SqlLinks
from api.people import People, open_people
from config.sections import Limits
from identity import names
from identity.credentials import FORGOTTEN_PASSWORD_JOB, Credentials
from identity.mails import AccountMails
from identity.onetime import LIFETIMES, OneTimeLinks, Purpose
from kernel.errors import Unauthenticated, Unprocessable
from kernel.jobs import Job, NewJob
from kernel.mailqueue import MailQueue
from kernel.units import Transaction
from tests.clocks import MovableClock
from tests.identity.mailbox import mails_to, told
from tests.identity.places import elsewhere
from tests.identity.test_second_factor import turned_on
from tests.services.postgres import PostgresService
from tests.worlds import PASSWORD, Answer, Caller, Person, World, world

NEW = "quite-another-phrase"
Result = TypeVar("Result")


async def change_password(person: Person, new: str = NEW, current: str | None = None) -> Answer:
    body = {"current_password": current or person.password, "new_password": new}
    answer = await person.post("/v1/users/me/password", body)
    if answer.status == 204:
        person.password = new
    return answer


async def forgotten(here: World, person: Person, *, number: int = 1) -> str:
    """The secret of the link they were mailed."""
    assert (await here.stranger.post("/v1/auth/forgot-password", {"email": person.email})).status == 204
    return await here.mailed(person.email, "/reset-password", number=number)


async def asked_for(here: World, person: Person, address: str, *, number: int = 1) -> str:
    body = {"email": address, "password": person.password}
    assert (await person.post("/v1/users/me/email", body)).status == 204
    return await here.mailed(address, "/change-email", number=number)


async def reset(here: World, secret: str, password: str = NEW) -> Answer:
    return await here.stranger.post("/v1/auth/reset-password", {"token": secret, "password": password})


async def test_a_new_password_signs_every_other_device_out(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        old, old_refresh = ada.token, ada.tokens["refresh_token"]
        await ada.sign_in()
        assert (await change_password(ada)).status == 204
        assert (await ada.get("/v1/auth/profile")).status == 200
        own = await ada.post("/v1/auth/refresh", {"refresh_token": ada.tokens["refresh_token"]})
        assert own.status == 200
        ada.token = old
        assert (await ada.get("/v1/auth/profile")).code == "session_ended"
        assert (await ada.post("/v1/auth/refresh", {"refresh_token": old_refresh})).code == "invalid_refresh_token"
        assert (await ada.sign_in(password="a-horse-called-battery")).code == "invalid_credentials"
        assert (await ada.sign_in()).status == 200
        await told(here, ada.email, "Your password was changed.")


async def test_a_password_is_changed_by_who_knows_it_to_one_that_will_do(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada-lovelace")
        other = ada.token
        await ada.sign_in()
        wrong = await change_password(ada, current="not-her-password")
        assert (wrong.status, wrong.code) == (403, "wrong_password")
        for weak in ("short", "password123", "ada-lovelace", "aaaaaaaaaaaa"):
            refused = await change_password(ada, new=weak)
            assert (refused.status, refused.code) == (422, "weak_password")
        ada.token = other
        assert (await ada.get("/v1/auth/profile")).status == 200, "nothing was changed, so nobody is signed out"


async def test_guesses_at_the_current_password_lock_like_failed_logins(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        said = [(await change_password(ada, current="a-guess-at-it")).code for _ in range(6)]
        assert said == ["wrong_password"] * 5 + ["locked_out"]
        locked = await ada.post("/v1/users/me/email", {"email": "new@example.org", "password": ada.password})
        assert (locked.status, locked.code) == (429, "locked_out")
        assert int(locked.headers["Retry-After"]) >= 1
        assert (await ada.sign_in()).code == "locked_out"


async def test_who_proved_the_old_password_too_slowly_does_not_get_in(tmp_path: Path) -> None:
    async with opened(tmp_path) as (here, people):
        ada = await here.person("ada")
        proved = await people.accounts.get(ada.id)
        assert (await change_password(ada)).status == 204
        with pytest.raises(Unauthenticated) as refused:
            await people.sessions.begin(proved, "a slow login")
        assert refused.value.code == "invalid_credentials"


async def test_an_address_is_changed_by_a_link_to_the_new_one(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        secret = await asked_for(here, ada, "Countess@Example.org ".strip().lower())
        await told(here, ada.email, "asked to use another e-mail address")
        assert (await ada.get("/v1/users/me")).body["email"] == ada.email
        assert (await here.stranger.post("/v1/users/me/email/verify", {"token": secret})).status == 204
        me = (await ada.get("/v1/users/me")).body
        assert (me["email"], me["email_verified"]) == ("countess@example.org", True)
        await told(here, ada.email, "this one is no longer used")
        assert (await ada.sign_in()).code == "invalid_credentials"
        ada.email = "countess@example.org"
        assert (await ada.sign_in()).status == 200
        again = await here.stranger.post("/v1/users/me/email/verify", {"token": secret})
        assert (again.status, again.code) == (422, "invalid_link")


async def test_an_address_is_changed_by_who_knows_the_password_to_a_free_one(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, grace = await here.people("ada", "grace")

        async def ask(address: str, password: str = ada.password) -> tuple[int, str]:
            answer = await ada.post("/v1/users/me/email", {"email": address, "password": password})
            return answer.status, answer.code

        assert await ask("new@example.org", "not-her-password") == (403, "wrong_password")
        assert await ask(grace.email) == (409, "email_taken")
        assert await ask(" ADA@example.org") == (422, "email_unchanged")
        assert mails_to(here, "new@example.org") == []


async def test_of_two_who_want_an_address_the_first_to_confirm_has_it(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await one_has_it(here)


async def test_of_two_who_want_an_address_one_has_it_on_postgres(tmp_path: Path, postgres: PostgresService) -> None:
    async with world(tmp_path, database_url=postgres.create_database()) as here:
        await one_has_it(here)


async def one_has_it(here: World) -> None:
    ada, grace = await here.people("ada", "grace")
    for attempt in range(5):
        wanted = f"wanted-{attempt}@example.org"
        secrets = [await asked_for(here, ada, wanted), await asked_for(here, grace, wanted, number=2)]
        answers = await asyncio.gather(
            *(here.stranger.post("/v1/users/me/email/verify", {"token": secret}) for secret in secrets)
        )
        assert sorted(answer.status for answer in answers) == [204, 409]
        assert [answer.code for answer in answers if answer.status == 409] == ["email_taken"]
        for person in (ada, grace):
            person.email = (await person.get("/v1/users/me")).body["email"]


async def test_the_old_address_can_do_nothing_more(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        verifying = await here.mailed(ada.email, "/verify-email")
        resetting = await forgotten(here, ada)
        secret = await asked_for(here, ada, "new@example.org")
        assert (await here.stranger.post("/v1/users/me/email/verify", {"token": secret})).status == 204
        assert (await here.stranger.post("/v1/auth/verify-email", {"token": verifying})).code == "invalid_link"
        assert (await reset(here, resetting)).code == "invalid_link"


async def test_a_changed_password_ends_links_that_somebody_else_may_have_asked_for(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        resetting = await forgotten(here, ada)
        changing = await asked_for(here, ada, "mallory@example.org")
        assert (await change_password(ada)).status == 204
        assert (await reset(here, resetting, "yet-another-phrase")).code == "invalid_link"
        answer = await here.stranger.post("/v1/users/me/email/verify", {"token": changing})
        assert answer.code == "invalid_link"
        assert (await ada.sign_in()).status == 200


async def test_who_forgot_their_password_chooses_another_and_is_signed_out_everywhere(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        secret = await forgotten(here, ada)
        assert (await ada.get("/v1/auth/profile")).status == 200, "asking alone changes nothing"
        weak = await reset(here, secret, "short")
        assert (weak.status, weak.code) == (422, "weak_password")
        assert (await reset(here, secret)).status == 204
        assert (await ada.get("/v1/auth/profile")).code == "session_ended"
        refreshed = await ada.post("/v1/auth/refresh", {"refresh_token": ada.tokens["refresh_token"]})
        assert refreshed.code == "invalid_refresh_token"
        assert (await ada.sign_in()).code == "invalid_credentials"
        ada.password = NEW
        signed_in = await ada.sign_in()
        # They read a mail to it.
        assert signed_in.body["user"]["email_verified"] is True
        again = await reset(here, secret, "yet-another-phrase")
        assert (again.status, again.code) == (422, "invalid_link")
        await told(here, ada.email, "Your password was changed.")


async def test_choosing_a_new_password_opens_a_locked_account(tmp_path: Path) -> None:
    async with opened(tmp_path) as (here, people):
        ada = await here.person("ada")
        lockout = people.credentials._lockout
        for machine in range(5):
            await lockout.failed(account=ada.email, address=f"198.51.{machine}.1")
        assert (await ada.sign_in()).code == "locked_out"
        assert (await reset(here, await forgotten(here, ada))).status == 204
        ada.password = NEW
        assert (await ada.sign_in()).status == 200


async def test_a_new_password_does_not_replace_the_second_factor(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        link = {"token": await here.mailed(ada.email, "/verify-email")}
        assert (await here.stranger.post("/v1/auth/verify-email", link)).status == 200
        authenticator, _ = await turned_on(ada)
        assert (await reset(here, await forgotten(here, ada))).status == 204
        ada.password = NEW
        assert (await ada.sign_in()).code == "second_factor_required"
        assert (await ada.sign_in(totp=authenticator.code())).status == 200


async def test_who_made_an_account_with_the_address_of_another_does_not_keep_them_out(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        squatter = await here.person("ada")
        await turned_on(squatter)
        assert (await reset(here, await forgotten(here, squatter))).status == 204
        assert (await squatter.get("/v1/auth/profile")).status == 401
        owner = Person(here.session, email=squatter.email, password=NEW)
        assert (await owner.sign_in()).status == 200
        assert (await owner.get("/v1/auth/2fa")).body == {"enabled": False, "recovery_codes_left": 0}


async def test_only_the_latest_link_for_a_password_works(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        first = await forgotten(here, ada)
        second = await forgotten(here, ada, number=2)
        assert (await reset(here, first)).code == "invalid_link"
        assert (await reset(here, second)).status == 204


async def test_of_many_who_use_a_link_at_once_one_chooses_the_password(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        await one_chooses(here, await forgotten(here, ada))


async def test_of_many_who_use_a_link_at_once_one_does_on_postgres(tmp_path: Path, postgres: PostgresService) -> None:
    async with world(tmp_path, database_url=postgres.create_database()) as here:
        ada = await here.person("ada")
        await one_chooses(here, await forgotten(here, ada))


async def one_chooses(here: World, secret: str) -> None:
    answers = await asyncio.gather(*(reset(here, secret, f"a-phrase-of-number-{number}") for number in range(6)))
    assert sorted(answer.status for answer in answers) == [204, *[422] * 5]
    assert {answer.code for answer in answers if answer.status == 422} == {"invalid_link"}


async def test_an_unknown_address_is_answered_and_worked_for_like_a_known_one(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        answers = [
            await here.stranger.post("/v1/auth/forgot-password", {"email": address})
            for address in (ada.email, "nobody@example.org", "not an address at all")
        ]
        assert {(answer.status, answer.body) for answer in answers} == {(204, b"")}
        assert len({tuple(sorted(set(answer.headers) - {"Date"})) for answer in answers}) == 1
        await here.mailed(ada.email, "/reset-password")
        assert mails_to(here, "nobody@example.org") == []


class _Noted:
    """A queue that notes what it is asked for: what happens before the answer, and nothing else."""

    def __init__(self) -> None:
        self.jobs: list[NewJob] = []

    async def enqueue(self, jobs: Sequence[NewJob], *, within: Transaction | None = None) -> Sequence[UUID]:
        self.jobs += jobs
        return []

    async def claim(self, kinds: Sequence[str], *, limit: int, lease: float) -> Sequence[Job]:
        raise NotImplementedError

    async def renew(self, jobs: Sequence[Job], *, lease: float) -> frozenset[UUID]:
        raise NotImplementedError

    async def settle(self, outcomes: object) -> frozenset[UUID]:
        raise NotImplementedError

    async def wait(self, *, timeout: float) -> None:
        raise NotImplementedError


class _Untouched:
    """Stores that are not to be asked."""

    async def write(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        raise AssertionError("asked a store before the answer")

    async def read(self, work: Callable[[Transaction], Awaitable[Result]], *, stale_ok: bool = False) -> Result:
        raise AssertionError("asked a store before the answer")


async def test_before_the_answer_nobody_looks_whether_there_is_such_an_account(tmp_path: Path) -> None:
    """Or the time it takes would tell."""
    async with opened(tmp_path) as (here, people):
        ada = await here.person("ada")
        queue = _Noted()
        made = people.credentials
        credentials = Credentials(
            units=_Untouched(),
            accounts=made._accounts,
            hasher=made._hasher,
            proof=made._proof,
            second=made._second,
            lockout=made._lockout,
            links=made._links,
            mails=made._mails,
            sessions=made._sessions,
            jobs=queue,
            clock=made._clock,
        )
        await credentials.forgot(ada.email.upper())
        await credentials.forgot("nobody@example.org")
        assert queue.jobs == [
            NewJob(FORGOTTEN_PASSWORD_JOB, address.encode()) for address in (ada.email, "nobody@example.org")
        ]


@pytest.mark.parametrize(("purpose", "path"), [(Purpose.RESET_PASSWORD, "reset"), (Purpose.CHANGE_EMAIL, "change")])
async def test_links_are_too_old_after_their_time(tmp_path: Path, purpose: Purpose, path: str) -> None:
    async with opened(tmp_path) as (here, people):
        ada = await here.person("ada")
        clock = MovableClock()
        units = here.platform.database.units
        links = OneTimeLinks(SqlLinks(), clock)
        credentials = Credentials(
            units=units,
            accounts=SqlAccounts(),
            hasher=people.credentials._hasher,
            proof=people.proof,
            second=people.second_factor,
            lockout=people.credentials._lockout,
            links=links,
            mails=AccountMails(MailQueue(here.platform.jobs.queue), here.platform.ids, here.url),
            sessions=people.sessions,
            jobs=here.platform.jobs.queue,
            clock=clock,
        )
        secret = await units.write(lambda unit: links.make(unit, purpose, ada.id, "new@example.org"))
        clock.ahead = LIFETIMES[purpose] + 1
        with pytest.raises(Unprocessable) as refused:
            await (credentials.reset_password(secret, NEW) if path == "reset" else credentials.change_email(secret))
        assert refused.value.code == "invalid_link"
        clock.ahead = LIFETIMES[purpose] - 60
        await (credentials.reset_password(secret, NEW) if path == "reset" else credentials.change_email(secret))


async def test_a_link_is_good_for_what_it_was_made_for_alone(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        secrets = {
            "/v1/auth/verify-email": await here.mailed(ada.email, "/verify-email"),
            "/v1/auth/reset-password": await forgotten(here, ada),
            "/v1/users/me/email/verify": await asked_for(here, ada, "new@example.org"),
        }
        for path in secrets:
            more = {"password": NEW} if path.endswith("password") else {}
            others = [secret for made_for, secret in secrets.items() if made_for != path]
            for secret in [*others, "made-up", "\U0001f511"]:
                answer = await here.stranger.post(path, {"token": secret, **more})
                assert (answer.status, answer.code) == (422, "invalid_link"), path


INJECTIONS = [
    "ada@example.org\r\nBcc: everyone@example.org",
    "ada@example.org\nSubject: You won",
    "ada@example.org%0aBcc:x@example.org",
    "ada@example.org,eve@example.org",
    "ada@example.org eve@example.org",
    "Ada <ada@example.org>",
    '"a\r\nb"@example.org',
    "ada@example.org\u2028Bcc: x@example.org",
    "ada@exam\u0000ple.org",
]


async def test_no_address_carries_a_header_into_a_mail(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        await here.mailed(ada.email, "/verify-email")
        for address in INJECTIONS:
            answer = await ada.post("/v1/users/me/email", {"email": address, "password": ada.password})
            assert (answer.status, answer.code) in {
                (422, "invalid_email"),
                (400, "unstorable_text"),
                (400, "malformed_json"),
            }, address
            asked = await here.stranger.post("/v1/auth/forgot-password", {"email": address})
            assert asked.status in {204, 400}, address
        recipients = {
            str(email.message_from_bytes(file.read_bytes(), policy=email.policy.default)["To"])
            for file in here.outbox.glob("*.eml")
        }
        assert recipients == {ada.email}


@given(st.text(max_size=80) | st.emails() | st.from_regex(r"[^@]{1,10}@[^@]{1,20}\.org", fullmatch=True))
def test_an_address_that_is_taken_is_one_line_of_one_recipient(text: str) -> None:
    try:
        address = names.email(text)
    except Unprocessable:
        return
    assert address.isprintable()
    assert address.isascii()
    assert not set(address) & set(' ,;:<>"()[]\\\r\n')
    assert address.count("@") == 1


async def test_how_often_one_may_ask_is_bounded_for_an_address_wherever_it_comes_from(tmp_path: Path) -> None:
    async with world(tmp_path, limits=Limits()) as here, elsewhere(here) as there:

        async def ask(caller: Caller, address: str) -> int:
            return (await caller.post("/v1/auth/forgot-password", {"email": address})).status

        assert [await ask(here.stranger, "a@example.org") for _ in range(6)] == [204] * 5 + [429]
        assert [await ask(there, address) for address in (" A@example.org", "b@example.org")] == [429, 204]


async def test_however_many_ask_for_an_address_it_gets_few_mails(tmp_path: Path) -> None:
    async with world(tmp_path, limits=Limits(register=100)) as here:
        spellings = ("new@example.org", " New@example.org", "NEW@EXAMPLE.ORG")
        answers = [
            await person.post("/v1/users/me/email", {"email": spelling, "password": PASSWORD})
            for person in await here.people("ada", "bob")
            for spelling in spellings
        ]
        assert [answer.status for answer in answers] == [204] * 5 + [429]


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[tuple[World, People]]:
    """The services themselves besides the product, on the same stores."""
    async with world(folder) as here, open_people(here.platform, here.url) as people:
        yield here, people
