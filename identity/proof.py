"""Somebody who is signed in proves again that it is they: before what a stolen session must not be able to do."""

from __future__ import annotations

from uuid import UUID

from identity.accounts import Account, AccountStore
from identity.lockout import Lockout
from identity.passwords import PasswordHasher
from kernel.errors import Forbidden
from kernel.units import UnitsOfWork


class PasswordProof:
    def __init__(self, *, units: UnitsOfWork, accounts: AccountStore, hasher: PasswordHasher, lockout: Lockout) -> None:
        self._units = units
        self._accounts = accounts
        self._hasher = hasher
        self._lockout = lockout

    async def require(self, account: UUID, password: str, *, address: str) -> Account:
        """Raises Forbidden ``wrong_password``, which counts as a failed sign-in, and RateLimited ``locked_out``."""
        found = await self._units.read(lambda unit: self._accounts.get(unit, account))
        # Signed in, it was there a moment ago; by its id, so that nobody locks out an address with it.
        name = found.email if found is not None else str(account)
        await self._lockout.require_open(account=name, address=address)
        matches = await self._hasher.verify(found.password_hash if found is not None else None, password)
        if found is None or not matches:
            await self._lockout.failed(account=name, address=address)
            raise Forbidden("This is not the password of your account.", code="wrong_password")
        # Of many guesses at once, those that were on their way when the door closed are not answered either.
        await self._lockout.require_open(account=name, address=address)
        return found

    async def failed(self, account: Account, *, address: str) -> None:
        """What else was to be proved besides the password was wrong."""
        await self._lockout.failed(account=account.email, address=address)
