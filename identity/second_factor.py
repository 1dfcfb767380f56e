"""The second factor: codes of an authenticator, and recovery codes for when it is lost."""

from __future__ import annotations

import asyncio
import io
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

import segno
import structlog

from identity import recoverycodes
from identity.accounts import Account, AccountStore
from identity.mails import AccountMails
from identity.proof import PasswordProof
from identity.sealing import Sealer
from identity.totp import KEY_BYTES, matching_step, otpauth_uri, shown_key
from kernel.clock import Clock
from kernel.errors import Conflict, Forbidden, NotFound
from kernel.units import Transaction, UnitsOfWork

_log = structlog.stdlib.get_logger("identity.second_factor")


@dataclass(frozen=True, slots=True)
class Factor:
    """An authenticator. ``secret`` is sealed; until ``confirmed_at`` it asks nobody for anything; codes up to
    ``last_step`` have been used or are too old to be."""

    account: UUID
    secret: bytes
    created_at: float
    last_step: int = -1
    confirmed_at: float | None = None


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What is shown once, to be put into an authenticator."""

    secret: str
    uri: str
    qr_svg: str


@dataclass(frozen=True, slots=True)
class FactorStanding:
    """Whether signing in asks for a code, and how many recovery codes are not used up."""

    enabled: bool
    recovery_codes_left: int


class FactorStore(Protocol):
    async def get(self, unit: Transaction, account: UUID) -> Factor | None: ...

    async def offer(self, unit: Transaction, factor: Factor) -> bool:
        """Keep one that is not confirmed, in place of an earlier such one. False where a confirmed one is."""
        ...

    async def confirm(self, unit: Transaction, account: UUID, *, step: int, at: float) -> bool:
        """Confirm the one that is not yet, its ``step`` used with it. False when there is none."""
        ...

    async def use(self, unit: Transaction, account: UUID, step: int) -> bool:
        """Use up every step to this one, of a confirmed factor. False when it was used before."""
        ...

    async def remove(self, unit: Transaction, account: UUID) -> bool: ...


class RecoveryCodeStore(Protocol):
    async def count(self, unit: Transaction, account: UUID) -> int: ...

    async def replace(self, unit: Transaction, account: UUID, digests: Collection[bytes]) -> None: ...

    async def use(self, unit: Transaction, account: UUID, digest: bytes) -> bool:
        """True once for each digest."""
        ...


class SecondFactor:
    """Also identity.login.SecondProof."""

    def __init__(
        self,
        *,
        units: UnitsOfWork,
        factors: FactorStore,
        codes: RecoveryCodeStore,
        accounts: AccountStore,
        proof: PasswordProof,
        sealer: Sealer,
        mails: AccountMails,
        clock: Clock,
    ) -> None:
        self._units = units
        self._factors = factors
        self._codes = codes
        self._accounts = accounts
        self._proof = proof
        self._sealer = sealer
        self._mails = mails
        self._clock = clock

    async def required(self, account: UUID) -> bool:
        return _is_on(await self._units.read(lambda unit: self._factors.get(unit, account)))

    async def standing(self, account: UUID) -> FactorStanding:
        async def work(unit: Transaction) -> FactorStanding:
            return FactorStanding(
                _is_on(await self._factors.get(unit, account)), await self._codes.count(unit, account)
            )

        return await self._units.read(work)

    async def verify(self, account: UUID, *, totp: str | None, recovery_code: str | None) -> bool:
        async def work(unit: Transaction) -> bool:
            used = await self._used(unit, account, totp, recovery_code)
            if used and totp is None:
                left = await self._codes.count(unit, account)
                await self._notify(unit, account, f"A recovery code of your account was used; {left} are left.")
            return used

        return await self._units.write(work)

    async def enable(self, account: UUID) -> Enrolment:
        """A new secret, asked for at sign-in once ``confirm`` has seen a code of it. Raises Conflict
        ``second_factor_enabled``."""
        key = secrets.token_bytes(KEY_BYTES)
        factor = Factor(account, self._sealer.seal(key, account.bytes), self._clock.now())

        async def work(unit: Transaction) -> str:
            found = await self._account(unit, account)
            if not await self._factors.offer(unit, factor):
                raise _already_on()
            return found.email

        uri = otpauth_uri(key, await self._units.write(work))
        return Enrolment(shown_key(key), uri, await asyncio.to_thread(_drawn, uri))

    async def confirm(self, account: UUID, code: str) -> Sequence[str]:
        """The recovery codes, which nobody can be shown again. Raises Conflict ``second_factor_enabled`` or
        ``second_factor_not_begun``, Forbidden ``invalid_second_factor``."""
        codes = recoverycodes.make()

        async def work(unit: Transaction) -> None:
            factor = await self._factors.get(unit, account)
            if factor is None:
                raise Conflict("Ask for a secret first.", code="second_factor_not_begun")
            if _is_on(factor):
                raise _already_on()
            step = self._step(factor, code)
            if step is None or not await self._factors.confirm(unit, account, step=step, at=self._clock.now()):
                raise _wrong_code()
            await self._codes.replace(unit, account, _digests(account, codes))
            await self._notify(unit, account, "From now on, signing in to your account asks for a second factor.")

        await self._units.write(work)
        return codes

    async def disable(
        self, account: UUID, *, password: str, totp: str | None, recovery_code: str | None, address: str
    ) -> None:
        """Raises Forbidden ``wrong_password``, ``second_factor_required`` or ``invalid_second_factor``, RateLimited
        ``locked_out``, Conflict ``second_factor_not_enabled``."""

        async def work(unit: Transaction) -> bool:
            if not await self._used(unit, account, totp, recovery_code):
                return False
            await self.reset(unit, account)
            await self._notify(unit, account, "Signing in to your account no longer asks for a second factor.")
            return True

        found = await self._proved(account, password, asked=totp is None and recovery_code is None, address=address)
        await self._counted(found, await self._units.write(work), address)

    async def renew_codes(
        self, account: UUID, *, password: str, totp: str | None, recovery_code: str | None, address: str
    ) -> Sequence[str]:
        """New recovery codes; those before are worth nothing. Raises as ``disable`` does."""
        codes = recoverycodes.make()

        async def work(unit: Transaction) -> bool:
            if not await self._used(unit, account, totp, recovery_code):
                return False
            await self._codes.replace(unit, account, _digests(account, codes))
            await self._notify(unit, account, "The recovery codes of your account were replaced by new ones.")
            return True

        found = await self._proved(account, password, asked=totp is None and recovery_code is None, address=address)
        await self._counted(found, await self._units.write(work), address)
        return codes

    async def reset(self, unit: Transaction, account: UUID) -> bool:
        """Forget authenticator and codes; whoever calls has made sure that it may be. Whether there was one."""
        await self._codes.replace(unit, account, ())
        return await self._factors.remove(unit, account)

    async def _proved(self, account: UUID, password: str, *, asked: bool, address: str) -> Account:
        found = await self._proof.require(account, password, address=address)
        if not await self.required(account):
            raise Conflict("This account has no second factor.", code="second_factor_not_enabled")
        if asked:
            raise Forbidden("This asks for a code, too.", code="second_factor_required")
        return found

    async def _counted(self, account: Account, was_right: bool, address: str) -> None:
        if not was_right:
            await self._proof.failed(account, address=address)
            raise _wrong_code()

    async def _used(self, unit: Transaction, account: UUID, code: str | None, recovery_code: str | None) -> bool:
        factor = await self._factors.get(unit, account)
        if factor is None or not _is_on(factor):
            return False
        if code is not None:
            step = self._step(factor, code)
            return step is not None and await self._factors.use(unit, account, step)
        if recovery_code is not None:
            return await self._codes.use(unit, account, recoverycodes.digest_of(account, recovery_code))
        return False

    def _step(self, factor: Factor, code: str) -> int | None:
        key = self._sealer.open(factor.secret, factor.account.bytes)
        if key is None:
            _log.error("a second factor was sealed with another secret; only recovery codes or a reset help")
            return None
        return matching_step(key, code, self._clock.now(), after=factor.last_step)

    async def _notify(self, unit: Transaction, account: UUID, what: str) -> None:
        found = await self._account(unit, account)
        await self._mails.notice(unit, found, what)

    async def _account(self, unit: Transaction, account: UUID) -> Account:
        found = await self._accounts.get(unit, account)
        if found is None:
            raise NotFound("There is no such person.")
        return found


def _is_on(factor: Factor | None) -> bool:
    return factor is not None and factor.confirmed_at is not None


def _digests(account: UUID, codes: Sequence[str]) -> list[bytes]:
    return [recoverycodes.digest_of(account, code) for code in codes]


def _drawn(text: str) -> str:
    """Dark on white whatever is around it: a scanner does not know of dark pages."""
    drawing = io.BytesIO()
    code = segno.make_qr(text, error="m")
    code.save(drawing, kind="svg", xmldecl=False, scale=4, border=4, light="#fff", title="QR code for an authenticator")
    return drawing.getvalue().decode()


def _already_on() -> Conflict:
    return Conflict("This account has a second factor; disable it first.", code="second_factor_enabled")


def _wrong_code() -> Forbidden:
    return Forbidden("This code is wrong, or was used before.", code="invalid_second_factor")
