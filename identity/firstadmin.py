"""The first admin: whoever holds the link that every node prints while there is none.

It is the same on all of them: the secret is made of the installation's key and of what the store keeps, which without
the key says nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import Protocol
from uuid import UUID

from identity.accounts import Account, Accounts
from identity.administration import ADMIN
from identity.audit import AuditLog
from identity.onetime import DAY, OneTimeLinks, Purpose
from kernel.errors import Conflict
from kernel.units import Transaction, UnitsOfWork

# The link belongs to no account yet.
NOBODY = UUID(int=0)


class Admins(Protocol):
    async def has_active_admin(self, unit: Transaction, *, besides: UUID) -> bool: ...


class FirstAdmin:
    def __init__(
        self,
        *,
        units: UnitsOfWork,
        accounts: Accounts,
        admins: Admins,
        links: OneTimeLinks,
        audit: AuditLog,
        key: bytes,
    ) -> None:
        self._units = units
        self._accounts = accounts
        self._admins = admins
        self._links = links
        self._audit = audit
        self._key = key

    async def secret(self) -> str | None:
        """Of the link, good for a day at least; a new one ends the one before. None when there is an admin."""

        async def work(unit: Transaction) -> str | None:
            if await self._admins.has_active_admin(unit, besides=NOBODY):
                return None
            waiting = await self._links.waiting(unit, Purpose.FIRST_ADMIN, NOBODY, seconds=DAY)
            if waiting is not None:
                return self._secret(waiting.about)
            seed = secrets.token_hex(16)
            return await self._links.make(unit, Purpose.FIRST_ADMIN, NOBODY, seed, secret=self._secret(seed))

        return await self._units.write(work)

    async def claim(self, secret: str, *, email: str, username: str, password: str) -> Account:
        """To one caller only. Raises Unprocessable ``invalid_link``, Conflict ``admin_exists`` and what registering
        does; then the link is as good as before."""

        # Before any work is done for whoever has no such link.
        await self._units.read(lambda unit: self._links.look(unit, Purpose.FIRST_ADMIN, secret))

        async def first(unit: Transaction, account: Account) -> None:
            await self._links.take(unit, Purpose.FIRST_ADMIN, secret)
            if await self._admins.has_active_admin(unit, besides=NOBODY):
                raise Conflict("There is an admin already.", code="admin_exists")
            await self._audit.record(
                unit, actor=str(account.id), action="user.create", subject=str(account.id), details={"roles": ADMIN}
            )

        return await self._accounts.register(
            email=email,
            username=username,
            password=password,
            display_name=None,
            roles=frozenset({ADMIN}),
            first=first,
        )

    def _secret(self, seed: str) -> str:
        made = hmac.new(self._key, seed.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(made).rstrip(b"=").decode()
