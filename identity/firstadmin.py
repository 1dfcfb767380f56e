"""The first admin: whoever holds the link that the server prints while it has none."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from identity.accounts import Account, Accounts
from identity.administration import ADMIN
from identity.audit import AuditLog
from identity.onetime import OneTimeLinks, Purpose
from kernel.errors import Conflict
from kernel.units import Transaction, UnitsOfWork

# The link belongs to no account yet.
NOBODY = UUID(int=0)


class Admins(Protocol):
    async def has_active_admin(self, unit: Transaction, *, besides: UUID) -> bool: ...


class FirstAdmin:
    def __init__(
        self, *, units: UnitsOfWork, accounts: Accounts, admins: Admins, links: OneTimeLinks, audit: AuditLog
    ) -> None:
        self._units = units
        self._accounts = accounts
        self._admins = admins
        self._links = links
        self._audit = audit

    async def secret(self) -> str | None:
        """Of a new link; earlier ones end. None when there is an admin."""

        async def work(unit: Transaction) -> str | None:
            if await self._admins.has_active_admin(unit, besides=NOBODY):
                return None
            return await self._links.make(unit, Purpose.FIRST_ADMIN, NOBODY)

        return await self._units.write(work)

    async def claim(self, secret: str, *, email: str, username: str, password: str) -> Account:
        """To one caller only. Raises Unprocessable ``invalid_link``, Conflict ``admin_exists`` and what registering
        does; then the link is as good as before."""

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
