"""What one signs in with, changed and used by several at the same moment: exactly one of two is right."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from adapters.sql.identity.sessions import SqlLinks
from identity.accounts import Account
from identity.onetime import OneTimeLinks, Purpose
from kernel.errors import Conflict, SecureConnectError, Unauthenticated
from tests.adapters.sql.relational import BACKENDS, url_for
from tests.identity.bench import ADDRESS, Bench, bench
from tests.worlds import PASSWORD

ROUNDS = 6


@pytest.fixture(params=BACKENDS[:2])
def database_url(request: pytest.FixtureRequest) -> str:
    return url_for(request.param, request)


async def together(*work: Awaitable[Any]) -> list[Any]:
    """What each answered or was refused with; anything else is a fault."""
    outcomes = await asyncio.gather(*work, return_exceptions=True)
    faults = [found for found in outcomes if isinstance(found, BaseException) and not _is_refusal(found)]
    assert faults == []
    return list(outcomes)


def _is_refusal(error: BaseException) -> bool:
    return isinstance(error, SecureConnectError)


def right(outcomes: list[Any]) -> int:
    return sum(not isinstance(found, BaseException) and found is not False for found in outcomes)


def register(here: Bench, email: str, username: str) -> Awaitable[Account]:
    return here.people.accounts.register(email=email, username=username, password=PASSWORD, display_name=None)


async def later(seconds: float, work: Awaitable[Any]) -> Any:
    await asyncio.sleep(seconds)
    return await work


async def test_an_address_or_a_name_that_two_come_by_at_once_is_one_persons(tmp_path: Path, database_url: str) -> None:
    async with bench(tmp_path, database_url=database_url) as here:
        ada = await here.account("ada")
        links, units = OneTimeLinks(SqlLinks(), here.clock), here.platform.database.units
        for number in range(ROUNDS):
            wanted = f"wanted-{number}@example.org"
            secret = await units.write(lambda unit: links.make(unit, Purpose.CHANGE_EMAIL, ada.id, wanted))  # noqa: B023
            wait = 0.001 * number
            for code, work in (
                (
                    "email_taken",
                    (
                        later(wait, here.people.credentials.change_email(secret)),
                        register(here, wanted, f"bob{number}x"),
                    ),
                ),
                (
                    "username_taken",
                    (
                        later(wait, here.people.accounts.change_profile(ada.id, username=f"wanted{number}x")),
                        register(here, f"carol-{number}@example.org", f"wanted{number}x"),
                    ),
                ),
            ):
                outcomes = await together(*work)
                refused = [found for found in outcomes if isinstance(found, Conflict)]
                assert [found.code for found in refused] == [code], outcomes


async def test_who_signs_in_with_a_password_while_it_is_changed_is_out_in_the_end(
    tmp_path: Path, database_url: str
) -> None:
    async with bench(tmp_path, database_url=database_url) as here:
        ada = await here.account("ada")
        passwords = [PASSWORD, *(f"the-phrase-of-round-{number}" for number in range(ROUNDS))]
        _, own = await here.sign_in("ada")
        for old, new in pairwise(passwords):
            here.clock.advance(3600)  # failures of the round before are forgotten
            changing = here.people.credentials.change_password(
                ada.id, session=own.session, current=old, new=new, address=ADDRESS
            )
            outcomes = await together(changing, *(later(0.001 * at, here.sign_in("ada", old)) for at in range(4)))
            assert outcomes[0] is None
            assert [session.id for session in await here.people.sessions.of(ada.id)] == [own.session]
            for signed_in in (found for found in outcomes[1:] if isinstance(found, tuple)):
                with pytest.raises(Unauthenticated) as caught:
                    await here.people.authenticator.authenticate(
                        {"Authorization": f"Bearer {signed_in[1].access_token}"}
                    )
                assert caught.value.code == "session_ended"


async def test_a_code_lets_one_in_whatever_it_is_used_for_at_once(tmp_path: Path, database_url: str) -> None:
    async with bench(tmp_path, database_url=database_url) as here:
        ada = await here.account("ada")
        second = here.people.second_factor
        for _ in range(3):
            key, codes = await here.second_factor(ada.id)
            proof: dict[str, Any] = {"account": ada.id, "password": PASSWORD, "address": ADDRESS}
            twice = {"totp": here.code(key)}
            assert right(await together(here.sign_in("ada", **twice), here.sign_in("ada", **twice))) == 1
            twice = {"recovery_code": codes[0]}
            assert right(await together(here.sign_in("ada", **twice), here.sign_in("ada", **twice))) == 1
            await here.people.lockout.clear("ada@example.org")
            used: dict[str, Any] = {"totp": None, "recovery_code": codes[1]}
            assert right(await together(second.renew_codes(**proof, **used), second.verify(ada.id, **used))) == 1
            here.clock.advance(3600)
            used = {"totp": here.code(key), "recovery_code": None}
            outcomes = await together(second.disable(**proof, **used), second.verify(ada.id, **used))
            assert right(outcomes) == 1
            if await second.required(ada.id):
                here.clock.advance(3600)
                await second.disable(**proof, totp=here.code(key), recovery_code=None)
            here.clock.advance(3600)
