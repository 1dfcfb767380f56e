"""The second factor: turned on with a code, asked for at sign-in, good for nobody who reads the database."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import UUID, uuid4
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from adapters.sql.identity.accounts import SqlAccounts
from adapters.sql.identity.second_factor import SqlFactors, SqlRecoveryCodes
from api.people import SECOND_FACTOR, open_people
from config.secrets import derive_key
from config.sections import Limits
from identity import recoverycodes
from identity.mails import AccountMails
from identity.sealing import Sealer
from identity.second_factor import SecondFactor
from identity.totp import PERIOD_SECONDS, hotp, step_at
from kernel.errors import Conflict, Forbidden
from kernel.mailqueue import MailQueue
from tests.clocks import VirtualClock
from tests.identity.mailbox import told
from tests.services.postgres import PostgresService
from tests.worlds import SECRET, Answer, Person, World, world


@dataclass
class Authenticator:
    """Somebody's telephone: never shows the same code twice, so that a test need not wait for the next one."""

    secret: str
    last: int = field(default=-1)

    @property
    def key(self) -> bytes:
        return base64.b32decode(self.secret)

    def code(self) -> str:
        self.last = max(step_at(time.time()), self.last + 1)
        return hotp(self.key, self.last)

    def wrong(self) -> str:
        near = {hotp(self.key, step_at(time.time()) + drift) for drift in range(-3, 4)}
        return next(code for code in ("000000", "111111", "222222", "333333") if code not in near)


async def turned_on(person: Person) -> tuple[Authenticator, list[str]]:
    """Their authenticator, which has shown one code, and their recovery codes."""
    offered = await person.post("/v1/auth/2fa/enable")
    assert offered.status == 200, offered.body
    authenticator = Authenticator(offered.body["secret"])
    answer = await person.post("/v1/auth/2fa/verify", {"totp": authenticator.code()})
    assert answer.status == 200, answer.body
    codes: list[str] = answer.body["recovery_codes"]
    return authenticator, codes


@dataclass
class Bench:
    """The service on real stores and a clock that a test moves."""

    second: SecondFactor
    clock: VirtualClock
    account: UUID
    here: World

    async def on(self) -> tuple[bytes, list[str]]:
        key = base64.b32decode((await self.second.enable(self.account)).secret)
        codes = await self.second.confirm(self.account, self.code(key))
        self.clock.advance(PERIOD_SECONDS)
        return key, list(codes)

    def code(self, key: bytes, *, drift: int = 0) -> str:
        return hotp(key, step_at(self.clock.now()) + drift)

    async def takes(self, code: str) -> bool:
        return await self.second.verify(self.account, totp=code, recovery_code=None)

    async def recovers(self, code: str) -> bool:
        return await self.second.verify(self.account, totp=None, recovery_code=code)


@asynccontextmanager
async def bench(folder: Path, *, database_url: str = "", key: bytes | None = None) -> AsyncIterator[Bench]:
    async with world(folder, database_url=database_url) as here, open_people(here.platform, here.url) as people:
        ada = await here.person("ada")
        clock = VirtualClock()
        second = SecondFactor(
            units=here.platform.database.units,
            factors=SqlFactors(),
            codes=SqlRecoveryCodes(),
            accounts=SqlAccounts(),
            proof=people.proof,
            sealer=Sealer(key or derive_key(SECRET, SECOND_FACTOR)),
            mails=AccountMails(MailQueue(here.platform.jobs.queue), here.platform.ids, here.url),
            clock=clock,
        )
        yield Bench(second, clock, ada.id, here)


async def enabled(person: Person) -> set[object]:
    """As each answer that shows oneself says it."""
    profile, me = await person.get("/v1/auth/profile"), await person.get("/v1/users/me")
    renamed = await person.patch("/v1/users/me", {"display_name": "Ada again"})
    asked = (await person.get("/v1/auth/2fa")).body["enabled"]
    return {asked, *(answer.body["two_factor_enabled"] for answer in (profile, me, renamed))}


async def left(person: Person) -> object:
    return (await person.get("/v1/auth/2fa")).body["recovery_codes_left"]


async def test_signing_in_asks_for_it_once_it_was_confirmed(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        offered = await ada.post("/v1/auth/2fa/enable")
        assert (await ada.sign_in()).status == 200, "an authenticator that was never used must not lock anybody out"
        assert await enabled(ada) == {False}
        authenticator = Authenticator(offered.body["secret"])
        confirmed = await ada.post("/v1/auth/2fa/verify", {"totp": authenticator.code()})
        assert confirmed.status == 200
        assert await enabled(ada) == {True}
        missing = await ada.sign_in()
        assert (missing.status, missing.code) == (401, "second_factor_required")
        wrong = await ada.sign_in(totp=authenticator.wrong())
        assert (wrong.status, wrong.code) == (401, "invalid_second_factor")
        code = authenticator.code()
        signed_in = await ada.sign_in(totp=code)
        assert (signed_in.status, signed_in.body["user"]["two_factor_enabled"]) == (200, True)
        refreshed = await ada.post("/v1/auth/refresh", {"refresh_token": ada.tokens["refresh_token"]})
        assert refreshed.body["user"]["two_factor_enabled"] is True
        replayed = await ada.sign_in(totp=code)
        assert (replayed.status, replayed.code) == (401, "invalid_second_factor")


async def test_without_the_password_the_right_code_is_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        authenticator, codes = await turned_on(ada)
        for proof in ({"totp": authenticator.code()}, {"recovery_code": codes[0]}, {}):
            answer = await ada.post("/v1/auth/login", {"email": ada.email, "password": "not-her-password", **proof})
            assert answer.code == "invalid_credentials"
        assert (await ada.sign_in(recovery_code=codes[0])).status == 200, "a failed attempt used the code up"


async def test_what_is_shown_at_the_start_is_a_picture_of_its_uri(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        body = (await ada.post("/v1/auth/2fa/enable")).body
        assert body["otpauth_uri"].startswith("otpauth://totp/SecureConnect:ada%40example.org?secret=" + body["secret"])
        picture = ET.fromstring(body["qr_svg"])  # noqa: S314 - our own
        assert picture.tag == "{http://www.w3.org/2000/svg}svg"
        assert not {"script", "a", "image", "use"} & {element.tag.rpartition("}")[2] for element in picture.iter()}


async def test_the_latest_secret_counts_and_a_confirmed_one_stays(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        early = await ada.post("/v1/auth/2fa/verify", {"totp": "123456"})
        assert (early.status, early.code) == (409, "second_factor_not_begun")
        first = Authenticator((await ada.post("/v1/auth/2fa/enable")).body["secret"])
        second = Authenticator((await ada.post("/v1/auth/2fa/enable")).body["secret"])
        outdated = await ada.post("/v1/auth/2fa/verify", {"totp": first.code()})
        assert (outdated.status, outdated.code) == (403, "invalid_second_factor")
        assert (await ada.post("/v1/auth/2fa/verify", {"totp": second.code()})).status == 200
        for again in (
            await ada.post("/v1/auth/2fa/enable"),
            await ada.post("/v1/auth/2fa/verify", {"totp": "123456"}),
        ):
            assert (again.status, again.code) == (409, "second_factor_enabled")
        assert (await ada.sign_in(totp=second.code())).status == 200


async def test_turning_it_off_takes_password_and_code(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        authenticator, codes = await turned_on(ada)

        async def off(**proof: str) -> Answer:
            return await ada.post("/v1/auth/2fa/disable", proof)

        refusals = [
            (await off(password="not-her-password", totp=authenticator.wrong()), "wrong_password"),
            (await off(password=ada.password), "second_factor_required"),
            (await off(password=ada.password, totp=authenticator.wrong()), "invalid_second_factor"),
            (await off(password=ada.password, recovery_code="0000-0000-0000-0000"), "invalid_second_factor"),
        ]
        assert [(answer.status, answer.code) for answer, _ in refusals] == [(403, code) for _, code in refusals]
        assert await enabled(ada) == {True}
        assert (await off(password=ada.password, totp=authenticator.code())).status == 204
        assert await enabled(ada) == {False}
        assert await left(ada) == 0
        assert (await ada.sign_in()).status == 200
        gone = await off(password=ada.password, recovery_code=codes[0])
        assert (gone.status, gone.code) == (409, "second_factor_not_enabled")
        # Codes of before are worth nothing under the next authenticator.
        await turned_on(ada)
        assert (await ada.sign_in(recovery_code=codes[0])).code == "invalid_second_factor"


async def test_guesses_at_turning_it_off_lock_like_failed_logins(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        authenticator, _ = await turned_on(ada)
        body = {"password": ada.password, "totp": authenticator.wrong()}
        said = [(await ada.post("/v1/auth/2fa/disable", body)).code for _ in range(6)]
        assert said == ["invalid_second_factor"] * 5 + ["locked_out"]
        assert (await ada.sign_in(totp=authenticator.code())).code == "locked_out"


async def test_new_recovery_codes_end_the_old_ones(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        authenticator, old = await turned_on(ada)
        renewed = await ada.post(
            "/v1/auth/2fa/recovery-codes", {"password": ada.password, "totp": authenticator.code()}
        )
        fresh = renewed.body["recovery_codes"]
        assert await left(ada) == 10
        assert (renewed.status, len(set(fresh))) == (200, 10)
        assert not set(old) & set(fresh)
        assert (await ada.sign_in(recovery_code=old[0])).code == "invalid_second_factor"
        assert (await ada.sign_in(recovery_code=fresh[0])).status == 200
        assert await left(ada) == 9
        await told(here, ada.email, "A recovery code of your account was used; 9 are left.")


async def test_each_recovery_code_is_good_once_however_it_is_typed(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        _, codes = await it.on()
        assert len(set(codes)) == 10
        spellings = [codes[0], codes[1].upper(), codes[2].replace("-", ""), f" {codes[3].replace('-', ' ')} "]
        assert [await it.recovers(code) for code in spellings] == [True] * 4
        assert [await it.recovers(code) for code in codes] == [False] * 4 + [True] * 6
        assert [await it.recovers(code) for code in codes] == [False] * 10


async def test_a_code_of_the_clock_is_good_once_and_one_step_off(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        key, _ = await it.on()
        it.clock.advance(10 * PERIOD_SECONDS)
        assert not await it.takes(it.code(key, drift=-2))
        assert not await it.takes(it.code(key, drift=2))
        late, now, early = (it.code(key, drift=drift) for drift in (-1, 0, 1))
        assert await it.takes(late)
        assert await it.takes(now)
        assert not await it.takes(late)
        assert await it.takes(early)
        # Used ahead of its time, it is not good again when its time comes.
        it.clock.advance(PERIOD_SECONDS)
        assert not await it.takes(early)
        it.clock.advance(PERIOD_SECONDS)
        assert await it.takes(it.code(key))


async def test_a_clock_that_is_set_back_makes_no_used_code_good_again(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        key, codes = await it.on()
        used = it.code(key)
        assert await it.takes(used)
        it.clock.set_back(PERIOD_SECONDS)
        assert not await it.takes(used)
        assert not await it.takes(it.code(key))
        assert await it.recovers(codes[0])


async def test_the_first_code_signs_nobody_in_afterwards(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        key = base64.b32decode((await it.second.enable(it.account)).secret)
        first = it.code(key)
        await it.second.confirm(it.account, first)
        assert not await it.takes(first)


async def at_once(it: Bench) -> None:
    key, codes = await it.on()
    code = it.code(key)
    assert sum(await asyncio.gather(*(it.takes(code) for _ in range(12)))) == 1
    assert sum(await asyncio.gather(*(it.recovers(codes[0]) for _ in range(12)))) == 1
    assert sum(await asyncio.gather(*(it.recovers(code) for code in codes))) == 9


async def test_of_many_who_use_a_code_at_once_one_gets_in(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        await at_once(it)


async def test_of_many_who_use_a_code_at_once_one_gets_in_on_postgres(
    tmp_path: Path, postgres: PostgresService
) -> None:
    async with bench(tmp_path, database_url=postgres.create_database()) as it:
        await at_once(it)


async def confirmed_at_once(it: Bench) -> None:
    key = base64.b32decode((await it.second.enable(it.account)).secret)
    code = it.code(key)
    outcomes = await asyncio.gather(
        *(it.second.confirm(it.account, code) for _ in range(8)),
        *(it.second.enable(it.account) for _ in range(4)),
        return_exceptions=True,
    )
    unexpected = [
        found for found in outcomes if isinstance(found, Exception) and not isinstance(found, Conflict | Forbidden)
    ]
    assert unexpected == []
    shown = [found for found in outcomes if isinstance(found, list)]
    # A new secret may have come before the code of the first one; then nobody was shown recovery codes.
    assert len(shown) <= 1
    if shown:
        assert [await it.recovers(code) for code in shown[0]] == [True] * 10


async def test_confirmed_at_once_the_codes_that_were_shown_are_those_that_count(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        await confirmed_at_once(it)


async def test_confirmed_at_once_they_are_so_on_postgres(tmp_path: Path, postgres: PostgresService) -> None:
    async with bench(tmp_path, database_url=postgres.create_database()) as it:
        await confirmed_at_once(it)


async def test_who_reads_the_database_has_neither_secret_nor_codes(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        authenticator, codes = await turned_on(ada)
        assert (await ada.sign_in(recovery_code=codes[0])).status == 200
    kept = b"".join(file.read_bytes() for file in (tmp_path / "data").glob("*.db*"))
    assert b"ada@example.org" in kept
    hidden = [authenticator.secret, authenticator.secret.lower(), *codes, *(code.replace("-", "") for code in codes)]
    assert [text for text in hidden if text.encode() in kept] == []
    assert authenticator.key not in kept


async def test_a_secret_in_another_row_is_worth_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        key, _ = await it.on()
        units, factors = it.here.platform.database.units, SqlFactors()
        own = await units.read(lambda unit: factors.get(unit, it.account))
        assert own is not None
        mallory = (await it.here.person("mallory")).id
        stolen = replace(own, account=mallory)
        assert await units.write(lambda unit: factors.offer(unit, stolen))
        assert not await it.second.verify(mallory, totp=it.code(key), recovery_code=None)
        assert await it.takes(it.code(key))


async def test_with_another_installation_secret_recovery_codes_still_help(tmp_path: Path) -> None:
    async with bench(tmp_path / "one") as it:
        key, codes = await it.on()
        it.second._sealer = Sealer(bytes(32))
        assert not await it.takes(it.code(key))
        assert await it.recovers(codes[0])


async def test_a_reset_leaves_the_password_alone_to_sign_in_with(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        _, codes = await it.on()
        units = it.here.platform.database.units
        assert await it.second.required(it.account)
        assert await units.write(lambda unit: it.second.reset(unit, it.account)) is True
        assert not await it.second.required(it.account)
        digest = recoverycodes.digest_of(it.account, codes[0])
        assert not await units.write(lambda unit: SqlRecoveryCodes().use(unit, it.account, digest)), "it is still kept"
        assert await units.write(lambda unit: it.second.reset(unit, it.account)) is False


async def test_the_store_itself_takes_no_step_twice_and_none_of_before(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        units, factors = it.here.platform.database.units, SqlFactors()

        async def use(step: int) -> bool:
            return await units.write(lambda unit: factors.use(unit, it.account, step))

        await it.second.enable(it.account)
        assert not await use(5), "it is not confirmed"
        assert await units.write(lambda unit: factors.confirm(unit, it.account, step=5, at=0.0))
        assert not await units.write(lambda unit: factors.confirm(unit, it.account, step=6, at=0.0))
        assert [await use(step) for step in (5, 6, 6, 4, 7)] == [False, True, False, False, True]


async def test_only_who_is_signed_in_is_answered_and_only_so_often(tmp_path: Path) -> None:
    async with world(tmp_path, limits=Limits(login=50)) as here:
        for path in ("enable", "verify", "disable", "recovery-codes"):
            assert (await here.stranger.post(f"/v1/auth/2fa/{path}")).code == "unauthenticated"
        ada = await here.person("ada")
        said = [(await ada.post("/v1/auth/2fa/enable")).status for _ in range(6)]
        assert said == [200] * 5 + [429]


async def test_what_is_no_code_is_refused_and_nothing_worse(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        await ada.post("/v1/auth/2fa/enable")
        fullwidth = "\uff11\uff12\uff13\uff14\uff15\uff16"
        for typed in ("", "12345678901234567", "\U0001f600" * 6, fullwidth, "12345", "-12345", "0x12ab"):
            answer = await ada.post("/v1/auth/2fa/verify", {"totp": typed})
            assert answer.code in {"invalid_second_factor", "validation_failed"}, typed


@given(st.binary(max_size=64), st.uuids(), st.binary(min_size=32, max_size=32))
def test_what_was_sealed_opens_for_its_owner_alone(secret: bytes, owner: UUID, key: bytes) -> None:
    sealer = Sealer(key)
    sealed = sealer.seal(secret, owner.bytes)
    assert sealer.open(sealed, owner.bytes) == secret
    assert sealer.open(sealed, uuid4().bytes) is None
    assert Sealer(bytes(byte ^ 1 for byte in key)).open(sealed, owner.bytes) is None
    assert sealer.seal(secret, owner.bytes) != sealed


@given(st.binary(max_size=80))
def test_what_was_never_sealed_does_not_open(made_up: bytes) -> None:
    assert Sealer(bytes(32)).open(made_up, b"owner") is None


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_what_was_changed_does_not_open(place: int, change: int) -> None:
    sealer = Sealer(bytes(32))
    sealed = bytearray(sealer.seal(b"a secret", b"owner"))
    sealed[place % len(sealed)] ^= change
    assert sealer.open(bytes(sealed), b"owner") is None


@given(st.text(max_size=70))
def test_any_text_can_be_tried_as_a_recovery_code(typed: str) -> None:
    assert len(recoverycodes.digest_of(UUID(int=1), typed)) == 32


def test_the_same_code_of_two_accounts_has_two_digests() -> None:
    code = recoverycodes.make()[0]
    assert recoverycodes.digest_of(UUID(int=1), code) != recoverycodes.digest_of(UUID(int=2), code)
