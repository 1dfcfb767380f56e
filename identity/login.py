"""Signing in: a password, and where the account wants it a second proof. Who fails learns nothing about accounts."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol
from uuid import UUID

from identity import names
from identity.accounts import Account, AccountStore, State
from identity.lockout import Lockout
from identity.passwords import PasswordHasher
from identity.sessions import Sessions, TokenPair
from kernel.errors import Forbidden, SecureConnectError, Unauthenticated, Unprocessable
from kernel.units import Transaction, UnitsOfWork


@dataclass(frozen=True, slots=True)
class Credentials:
    email: str
    password: str
    totp: str | None = None
    recovery_code: str | None = None


class SecondProof(Protocol):
    async def required(self, account: UUID) -> bool: ...

    async def verify(self, account: UUID, *, totp: str | None, recovery_code: str | None) -> bool:
        """Uses the code up; the same one again is False."""
        ...


class Login:
    def __init__(
        self,
        *,
        units: UnitsOfWork,
        accounts: AccountStore,
        hasher: PasswordHasher,
        lockout: Lockout,
        second: SecondProof,
        sessions: Sessions,
        require_verified_email: bool,
    ) -> None:
        self._units = units
        self._accounts = accounts
        self._hasher = hasher
        self._lockout = lockout
        self._second = second
        self._sessions = sessions
        self._require_verified = require_verified_email

    async def sign_in(self, credentials: Credentials, *, address: str, client: str) -> tuple[Account, TokenPair]:
        """Raises Unauthenticated ``invalid_credentials``, ``second_factor_required`` or ``invalid_second_factor``,
        RateLimited ``locked_out``, Forbidden ``account_disabled`` or ``email_not_verified``.

        After each proof the door is looked at again: of many guesses at once, those that were on their way when it
        closed do not hear that they were right."""
        email = folded(credentials.email)
        await self._lockout.require_open(account=email, address=address)
        account = await self._with_password(email, credentials.password)
        if account is None:
            await self._lockout.failed(account=email, address=address)
            raise Unauthenticated("The e-mail address or the password is wrong.", code="invalid_credentials")
        await self._lockout.require_open(account=email, address=address)
        # Only who knows the password hears of the account's state.
        if account.state is not State.ACTIVE:
            raise Forbidden("This account is disabled; an administrator can tell why.", code="account_disabled")
        if self._require_verified and account.email_verified_at is None:
            raise Forbidden("Confirm your e-mail address first; the mail has the link.", code="email_not_verified")
        await self._prove_twice(account, credentials, email, address)
        pair = await self._sessions.begin(account, client)
        await self._lockout.succeeded(email)
        return account, pair

    async def _prove_twice(self, account: Account, credentials: Credentials, email: str, address: str) -> None:
        if not await self._second.required(account.id):
            return
        if credentials.totp is None and credentials.recovery_code is None:
            raise Unauthenticated(
                "This account asks for a code of its authenticator, or a recovery code, too.",
                code="second_factor_required",
            )
        if not await self._second.verify(account.id, totp=credentials.totp, recovery_code=credentials.recovery_code):
            await self._lockout.failed(account=email, address=address)
            raise Unauthenticated("This code is wrong, or was used before.", code="invalid_second_factor")
        await self._lockout.require_open(account=email, address=address)

    async def _with_password(self, email: str, password: str) -> Account | None:
        account = await self._units.read(lambda unit: self._accounts.by_email(unit, email))
        stored = account.password_hash if account is not None else None
        if not await self._hasher.verify(stored, password) or account is None:
            return None
        if self._hasher.is_outdated(account.password_hash):
            with suppress(SecureConnectError):  # another time will do
                await self._rehash(account, password)
        return account

    async def _rehash(self, account: Account, password: str) -> None:
        hashed = await self._hasher.hash(password)

        async def work(unit: Transaction) -> None:
            current = await self._accounts.get(unit, account.id)
            # Changed meanwhile, it is not ours to overwrite.
            if current is not None and current.password_hash == account.password_hash:
                await self._accounts.put(unit, replace(current, password_hash=hashed))

        await self._units.write(work)


def folded(email: str) -> str:
    """What failures are counted by: the address as it is kept. What is none has no account, and is told the same."""
    try:
        return names.email(email)
    except Unprocessable:
        return email
