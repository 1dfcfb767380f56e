"""What admins do to accounts. Each act is written to the audit log in the unit that does it; what is refused did not
happen, and is not in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol
from uuid import UUID

from identity import names
from identity.accounts import Account, AccountStore, State
from identity.audit import AuditLog
from identity.mails import AccountMails
from identity.plans import Entitlement, Plans, Subscription
from identity.search import Found, Word, question
from identity.sessions import Sessions
from kernel.clock import Clock
from kernel.cursors import Page, decode_cursor, encode_cursor
from kernel.errors import Conflict, NotFound, Unprocessable
from kernel.units import Transaction, UnitsOfWork

NEWEST = "admin-users"
FOUND = "admin-users-found"
ADMIN: Final = "admin"


@dataclass(frozen=True, slots=True)
class PeopleFilter:
    """``text`` is what people search each other by: beginnings of words of names, or a whole e-mail address.
    ``admins`` are wanted, or everybody else."""

    text: str | None = None
    state: State | None = None
    admins: bool | None = None

    def admits(self, account: Account) -> bool:
        """Whatever ``text`` says."""
        return (self.state is None or account.state is self.state) and (
            self.admins is None or (ADMIN in account.roles) is self.admins
        )


@dataclass(frozen=True, slots=True)
class Presence:
    """``sessions`` that are alive; ``used_at`` is the latest use of one of them."""

    sessions: int
    used_at: float


@dataclass(frozen=True, slots=True)
class Record:
    """An account as admins see it."""

    account: Account
    presence: Presence | None
    plan: Entitlement
    two_factor_enabled: bool


@dataclass(frozen=True, slots=True)
class Change:
    """None leaves as it is. ``plan`` begins now and is open-ended."""

    state: State | None = None
    roles: frozenset[str] | None = None
    plan: str | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    by_state: Mapping[State, int]
    admins: int
    joined_last_day: int
    sessions: int
    api_keys: int


class PeopleLists(Protocol):
    """Both leave out whom ``wanted`` does not admit."""

    async def newest(
        self, unit: Transaction, wanted: PeopleFilter, *, before: UUID | None, most: int
    ) -> Sequence[Account]:
        """Older than ``before``."""
        ...

    async def by_words(
        self,
        unit: Transaction,
        wanted: PeopleFilter,
        words: Sequence[str],
        *,
        after: tuple[str, UUID] | None,
        most: int,
    ) -> Sequence[Found]:
        """As identity.search.SearchStore.by_words."""
        ...


class AdminStore(Protocol):
    async def has_active_admin(self, unit: Transaction, *, besides: UUID) -> bool: ...

    async def presence(self, unit: Transaction, accounts: frozenset[UUID], *, now: float) -> Mapping[UUID, Presence]:
        """Only of those who are signed in somewhere."""
        ...

    async def with_second_factor(self, unit: Transaction, accounts: frozenset[UUID]) -> frozenset[UUID]:
        """Those of ``accounts`` that sign in with one."""
        ...

    async def figures(self, unit: Transaction, *, now: float) -> Figures: ...


class ResetsSecondFactor(Protocol):
    async def reset(self, unit: Transaction, account: UUID) -> bool:
        """The account signs in with its password alone, until it sets up another. Whether it had one."""
        ...


class Administration:
    def __init__(
        self,
        *,
        units: UnitsOfWork,
        accounts: AccountStore,
        store: AdminStore,
        lists: PeopleLists,
        sessions: Sessions,
        plans: Plans,
        second: ResetsSecondFactor,
        mails: AccountMails,
        audit: AuditLog,
        clock: Clock,
    ) -> None:
        self._units = units
        self._accounts = accounts
        self._store = store
        self._lists = lists
        self._sessions = sessions
        self._plans = plans
        self._second = second
        self._mails = mails
        self._audit = audit
        self._clock = clock

    async def page(self, wanted: PeopleFilter, *, cursor: str | None, limit: int) -> Page[Record]:
        """Newest first, or in the order of the words that were found. Raises Malformed ``bad_cursor``."""
        if wanted.text is None:
            return await self._newest(wanted, cursor=cursor, limit=limit)
        if "@" in wanted.text:
            return await self._by_email(wanted, wanted.text)
        return await self._by_words(wanted, question(wanted.text).words, cursor=cursor, limit=limit)

    async def _newest(self, wanted: PeopleFilter, *, cursor: str | None, limit: int) -> Page[Record]:
        before = None if cursor is None else decode_cursor(NEWEST, cursor, UUID)

        async def work(unit: Transaction) -> Page[Record]:
            found = await self._lists.newest(unit, wanted, before=before, most=limit + 1)
            items = await self._records(unit, found[:limit])
            return Page(items, encode_cursor(NEWEST, items[-1].account.id) if len(found) > limit else None)

        return await self._units.read(work)

    async def _by_words(
        self, wanted: PeopleFilter, words: Sequence[str], *, cursor: str | None, limit: int
    ) -> Page[Record]:
        after = None if cursor is None else decode_cursor(FOUND, cursor, tuple[Word, UUID])

        async def work(unit: Transaction) -> Page[Record]:
            found = await self._lists.by_words(unit, wanted, words, after=after, most=limit + 1) if words else []
            items = await self._records(unit, [item.account for item in found[:limit]])
            last = found[limit - 1] if len(found) > limit else None
            return Page(items, None if last is None else encode_cursor(FOUND, (last.word, last.account.id)))

        return await self._units.read(work)

    async def _by_email(self, wanted: PeopleFilter, text: str) -> Page[Record]:
        try:
            address = names.email(text)
        except Unprocessable:
            return Page([], None)

        async def work(unit: Transaction) -> Page[Record]:
            found = await self._accounts.by_email(unit, address)
            return Page(await self._records(unit, [found] if found is not None and wanted.admits(found) else []), None)

        return await self._units.read(work)

    async def get(self, account: UUID) -> Record:
        """Raises NotFound."""

        async def work(unit: Transaction) -> Record:
            [record] = await self._records(unit, [await self._required(unit, account)])
            return record

        return await self._units.read(work)

    async def change(self, account: UUID, change: Change, *, actor: str) -> Record:
        """Raises NotFound, Conflict ``last_admin`` or ``account_erasing``, Unprocessable ``unknown_plan``."""
        # Refused before anybody is signed out for nothing; asked again in the unit, where the answer holds.
        before, after = await self._units.read(lambda unit: self._changed(unit, account, change))

        async def work(unit: Transaction) -> tuple[Account, Account]:
            return await self._make(unit, account, change, actor=actor)

        if ends_sessions(before, after):
            await self._sessions.ending_all(account, work)
        elif ends_sessions(*await self._units.write(work)):
            await self._sessions.end_others(account, None)
        return await self.get(account)

    async def subscribe(self, subscription: Subscription, *, actor: str) -> Entitlement:
        """Raises NotFound, Conflict ``account_erasing`` and what Plans.subscribe does."""

        async def work(unit: Transaction) -> None:
            await self._lasting(unit, subscription.account)
            await self._plans.subscribe(unit, subscription, actor=actor)

        await self._units.write(work)
        return await self._plans.of(subscription.account)

    async def log_out(self, account: UUID, *, actor: str) -> None:
        """Ends every session of the account. Raises NotFound."""

        async def work(unit: Transaction) -> None:
            await self._required(unit, account)
            await self._audit.record(unit, actor=actor, action="user.logout", subject=str(account))

        await self._sessions.ending_all(account, work)

    async def reset_second_factor(self, account: UUID, *, actor: str) -> None:
        """For somebody who lost theirs; their address is told. Raises NotFound, Conflict ``account_erasing``."""

        async def work(unit: Transaction) -> None:
            found = await self._lasting(unit, account)
            await self._second.reset(unit, account)
            await self._audit.record(unit, actor=actor, action="user.reset_second_factor", subject=str(account))
            what = "An administrator removed the second factor of your account."
            await self._mails.notice(unit, found, what)

        await self._units.write(work)

    async def figures(self) -> Figures:
        now = self._clock.now()
        return await self._units.read(lambda unit: self._store.figures(unit, now=now), stale_ok=True)

    async def _make(self, unit: Transaction, account: UUID, change: Change, *, actor: str) -> tuple[Account, Account]:
        before, after = await self._changed(unit, account, change)
        if after != before:
            await self._accounts.put(unit, after)
        for action, details in acts(before, after):
            await self._audit.record(unit, actor=actor, action=action, subject=str(account), details=details)
        if change.plan is not None:
            await self._plans.subscribe(unit, Subscription(account, change.plan, self._clock.now()), actor=actor)
        return before, after

    async def _changed(self, unit: Transaction, account: UUID, change: Change) -> tuple[Account, Account]:
        """The account before and after. Raises as ``change`` does."""
        before = await self._lasting(unit, account)
        after = replace(
            before,
            state=before.state if change.state is None else change.state,
            roles=before.roles if change.roles is None else change.roles,
        )
        loses = is_active_admin(before) and not is_active_admin(after)
        if loses and not await self._store.has_active_admin(unit, besides=account):
            raise Conflict("This is the last admin; make somebody else one first.", code="last_admin")
        return before, after

    async def _records(self, unit: Transaction, accounts: Sequence[Account]) -> list[Record]:
        ids = frozenset(account.id for account in accounts)
        presence = await self._store.presence(unit, ids, now=self._clock.now())
        plans = await self._plans.many(unit, ids)
        second = await self._store.with_second_factor(unit, ids)
        return [
            Record(account, presence.get(account.id), plans[account.id], account.id in second) for account in accounts
        ]

    async def _lasting(self, unit: Transaction, account: UUID) -> Account:
        """Nothing is written anew about who is being erased."""
        found = await self._required(unit, account)
        if found.state is State.ERASING:
            raise Conflict("This account is being erased.", code="account_erasing")
        return found

    async def _required(self, unit: Transaction, account: UUID) -> Account:
        found = await self._accounts.get(unit, account)
        if found is None:
            raise NotFound("There is no such person.")
        return found


def is_active_admin(account: Account) -> bool:
    return account.state is State.ACTIVE and ADMIN in account.roles


def ends_sessions(before: Account, after: Account) -> bool:
    """Whoever may less than before signs in anew, so that no token says more than is so."""
    closed = before.state is State.ACTIVE and after.state is not State.ACTIVE
    return closed or bool(before.roles - after.roles)


_STATE_ACTS: Final[Mapping[State, str]] = {State.ACTIVE: "user.enable", State.DISABLED: "user.disable"}


def acts(before: Account, after: Account) -> list[tuple[str, Mapping[str, str]]]:
    """What the audit log says of a change."""
    found: list[tuple[str, Mapping[str, str]]] = []
    if after.state is not before.state:
        found.append((_STATE_ACTS[after.state], {}))
    if after.roles != before.roles:
        found.append(("user.roles", {"from": _listed(before.roles), "to": _listed(after.roles)}))
    return found


def _listed(roles: frozenset[str]) -> str:
    return " ".join(sorted(roles)) or "user"
