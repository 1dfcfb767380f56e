"""Accounts: who somebody is here. Stores are asked inside units of work; what must be true together is one of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Protocol
from uuid import UUID

from identity import names
from identity.mails import AccountMails
from identity.onetime import OneTimeLinks, Purpose, invalid_link
from identity.passwords import PasswordHasher, require_acceptable
from identity.visibility import USUAL, Askers, Audience, Visibility, status_text
from kernel.clock import Clock
from kernel.errors import NotFound
from kernel.ids import IdGenerator
from kernel.units import Transaction, UnitsOfWork


class State(Enum):
    ACTIVE = "active"
    DISABLED = "disabled"
    # Nobody signs in any more; what is left of it is being erased.
    ERASING = "erasing"


@dataclass(frozen=True, slots=True)
class Account:
    """``skeleton`` is what its username looks like; ``searchable`` lets strangers find it; ``avatar`` is the key of an
    object."""

    id: UUID
    email: str
    username: str
    skeleton: str
    display_name: str
    password_hash: str
    created_at: float
    password_changed_at: float
    email_verified_at: float | None = None
    roles: frozenset[str] = frozenset()
    state: State = State.ACTIVE
    searchable: bool = True
    avatar: str | None = None
    status_text: str | None = None
    visibility: Visibility = USUAL


class AccountStore(Protocol):
    async def add(self, unit: Transaction, account: Account) -> None:
        """Raises Conflict ``email_taken`` or ``username_taken``."""
        ...

    async def get(self, unit: Transaction, account: UUID) -> Account | None: ...

    async def by_email(self, unit: Transaction, email: str) -> Account | None: ...

    async def put(self, unit: Transaction, account: Account) -> None:
        """Write every field of an account that is there. Raises as ``add`` does."""
        ...

    async def many(self, unit: Transaction, accounts: frozenset[UUID]) -> Mapping[UUID, Account]: ...


class Accounts:
    def __init__(
        self,
        *,
        units: UnitsOfWork,
        store: AccountStore,
        hasher: PasswordHasher,
        links: OneTimeLinks,
        mails: AccountMails,
        ids: IdGenerator,
        clock: Clock,
    ) -> None:
        self._units = units
        self._store = store
        self._hasher = hasher
        self._links = links
        self._mails = mails
        self._ids = ids
        self._clock = clock

    async def register(
        self,
        *,
        email: str,
        username: str,
        password: str,
        display_name: str | None,
        roles: frozenset[str] = frozenset(),
        first: Callable[[Transaction, Account], Awaitable[None]] | None = None,
    ) -> Account:
        """A new account and the mail that verifies its address. ``first`` is run in the same unit before it is added,
        and may refuse it. Raises Unprocessable or Conflict."""
        address, name = names.email(email), names.username(username)
        shown = names.display_name(display_name if display_name is not None else username)
        require_acceptable(password, beside=(name, address.partition("@")[0]))
        hashed = await self._hasher.hash(password)
        now = self._clock.now()
        account = Account(
            id=self._ids.next(),
            email=address,
            username=name,
            skeleton=names.skeleton(name),
            display_name=shown,
            password_hash=hashed,
            created_at=now,
            password_changed_at=now,
            roles=roles,
        )

        async def work(unit: Transaction) -> None:
            if first is not None:
                await first(unit, account)
            await self._store.add(unit, account)
            secret = await self._links.make(unit, Purpose.VERIFY_EMAIL, account.id, account.email)
            await self._mails.verify(unit, account, secret)

        await self._units.write(work)
        return account

    async def get(self, account: UUID) -> Account:
        """Raises NotFound."""
        found = await self._units.read(lambda unit: self._store.get(unit, account))
        if found is None or found.state is State.ERASING:
            raise NotFound("There is no such person.")
        return found

    async def resend_verification(self, account: UUID) -> None:
        async def work(unit: Transaction) -> None:
            found = await self._store.get(unit, account)
            if found is not None and found.email_verified_at is None:
                secret = await self._links.make(unit, Purpose.VERIFY_EMAIL, account, found.email)
                await self._mails.verify(unit, found, secret)

        await self._units.write(work)

    async def verify_email(self, secret: str) -> Account:
        """Raises Unprocessable ``invalid_link``."""

        async def work(unit: Transaction) -> Account:
            link = await self._links.take(unit, Purpose.VERIFY_EMAIL, secret)
            found = await self._store.get(unit, link.account)
            # Another address by now is one that this mail says nothing about.
            if found is None or found.state is State.ERASING or link.about != found.email:
                raise invalid_link()
            verified = replace(found, email_verified_at=self._clock.now())
            await self._store.put(unit, verified)
            return verified

        return await self._units.write(work)

    async def change_profile(
        self,
        account: UUID,
        *,
        username: str | None = None,
        display_name: str | None = None,
        searchable: bool | None = None,
        status: str | None = None,
    ) -> Account:
        """None leaves a field as it is; an empty ``status`` takes the text away."""

        async def work(unit: Transaction) -> Account:
            found = await self._required(unit, account)
            if username is not None:
                name = names.username(username)
                found = replace(found, username=name, skeleton=names.skeleton(name))
            if display_name is not None:
                found = replace(found, display_name=names.display_name(display_name))
            if searchable is not None:
                found = replace(found, searchable=searchable)
            if status is not None:
                found = replace(found, status_text=status_text(status))
            await self._store.put(unit, found)
            return found

        return await self._units.write(work)

    async def change_visibility(
        self,
        account: UUID,
        *,
        status: Audience | None = None,
        last_seen: Audience | None = None,
        friend_requests: Askers | None = None,
    ) -> Account:
        """None leaves a setting as it is."""

        async def work(unit: Transaction) -> Account:
            found = await self._required(unit, account)
            before = found.visibility
            after = Visibility(
                status=status or before.status,
                last_seen=last_seen or before.last_seen,
                friend_requests=friend_requests or before.friend_requests,
            )
            changed = replace(found, visibility=after)
            await self._store.put(unit, changed)
            return changed

        return await self._units.write(work)

    async def _required(self, unit: Transaction, account: UUID) -> Account:
        found = await self._store.get(unit, account)
        if found is None or found.state is State.ERASING:
            raise NotFound("There is no such person.")
        return found
