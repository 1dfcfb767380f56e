"""API keys: how programs of integrators sign in. Each does what its scopes name, as often as its own rate allows.

A key belongs to the installation, not to the admin who made it: it works on when they are demoted or gone, and says
whether they are.
"""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Protocol
from uuid import UUID

from identity import names
from identity.accounts import AccountStore
from identity.administration import is_active_admin
from identity.audit import CONSOLE, AuditLog
from identity.onetime import digest_of
from kernel.clock import Clock
from kernel.cursors import Page, decode_cursor, encode_cursor
from kernel.errors import FieldError, NotFound, SecureConnectError, Unauthenticated, Unprocessable
from kernel.ids import IdGenerator
from kernel.units import Transaction, UnitsOfWork

LISTING = "api-keys"
PREFIX: Final = "sck_"
SECRET_BYTES = 32
MAX_TOKEN_LENGTH = 200
DEFAULT_RATE = 600
# Enough to tell a key that is in use from one that can go; more often would be a write for each request.
USE_NOTED_EVERY = 60.0
_NO_DIGEST: Final = bytes(32)
# Keys whose last use this process knows; of a further one it is looked up in its row.
REMEMBERED = 10_000

# What a key may be allowed, and what that means.
SCOPES: Final[Mapping[str, str]] = {
    "rooms:read": "See rooms, who is in them and what happened there",
    "rooms:write": "Make, change and end rooms, and moderate them",
    "tokens:mint": "Make tokens that let somebody into a room",
    "webhooks": "Manage webhooks",
    "users:read": "See accounts, and figures about them",
    "audit:read": "Read the audit log",
}


@dataclass(frozen=True, slots=True)
class ApiKey:
    """``rate`` is in requests a minute; ``last_used_at`` is right to a minute; ``made_by`` is an actor as in the audit
    log: an account, ``console``, or the pseudonym of somebody who was erased."""

    id: UUID
    name: str
    digest: bytes = field(repr=False)
    scopes: frozenset[str]
    rate: int
    made_by: str
    created_at: float
    expires_at: float | None
    last_used_at: float | None = None


@dataclass(frozen=True, slots=True)
class ListedKey:
    """``made_by_admin``: whoever made it may make keys today, or it was made on the command line."""

    key: ApiKey
    made_by_admin: bool


class ApiKeyStore(Protocol):
    async def add(self, unit: Transaction, key: ApiKey) -> None: ...

    async def get(self, unit: Transaction, key: UUID) -> ApiKey | None: ...

    async def find(self, unit: Transaction, *, before: UUID | None, most: int) -> Sequence[ApiKey]:
        """Newest first, older than ``before``."""
        ...

    async def remove(self, unit: Transaction, key: UUID) -> bool:
        """Whether it was there."""
        ...

    async def note_use(self, unit: Transaction, key: UUID, *, at: float, unless_after: float) -> None:
        """Unless a use after ``unless_after`` has been noted."""
        ...


class ApiKeys:
    def __init__(
        self,
        *,
        units: UnitsOfWork,
        store: ApiKeyStore,
        accounts: AccountStore,
        audit: AuditLog,
        ids: IdGenerator,
        clock: Clock,
    ) -> None:
        self._units = units
        self._store = store
        self._accounts = accounts
        self._audit = audit
        self._ids = ids
        self._clock = clock
        self._noted: OrderedDict[UUID, float] = OrderedDict()

    async def make(
        self, *, actor: str, name: str, scopes: Collection[str], rate: int = DEFAULT_RATE, expires_at: float | None
    ) -> tuple[ApiKey, str]:
        """The key and its token, which nobody can be told again. Raises Unprocessable ``invalid_name``,
        ``unknown_scope`` or ``invalid_expiry``."""
        now = self._clock.now()
        _require_known(scopes)
        if expires_at is not None and expires_at <= now:
            raise _refused("expires_at", "is in the past", "invalid_expiry")
        secret = secrets.token_urlsafe(SECRET_BYTES)
        key = ApiKey(
            id=self._ids.next(),
            name=_name(name),
            digest=digest_of(secret),
            scopes=frozenset(scopes),
            rate=rate,
            made_by=actor,
            # As every store keeps it, so that it reads the same later.
            created_at=round(now, 3),
            expires_at=expires_at,
        )
        details = {"name": key.name, "scopes": " ".join(sorted(key.scopes))}

        async def work(unit: Transaction) -> None:
            await self._store.add(unit, key)
            await self._audit.record(unit, actor=actor, action="api_key.create", subject=str(key.id), details=details)

        await self._units.write(work)
        return key, f"{PREFIX}{key.id.hex}_{secret}"

    async def get(self, key: UUID) -> ListedKey:
        """Raises NotFound."""

        async def work(unit: Transaction) -> ListedKey:
            found = await self._store.get(unit, key)
            if found is None:
                raise _no_such_key()
            [listed] = await self._listed(unit, [found])
            return listed

        return await self._units.read(work)

    async def page(self, *, cursor: str | None, limit: int) -> Page[ListedKey]:
        """Newest first. Raises Malformed ``bad_cursor``."""
        before = None if cursor is None else decode_cursor(LISTING, cursor, UUID)

        async def work(unit: Transaction) -> tuple[list[ListedKey], bool]:
            found = await self._store.find(unit, before=before, most=limit + 1)
            return await self._listed(unit, found[:limit]), len(found) > limit

        items, more = await self._units.read(work)
        return Page(items, encode_cursor(LISTING, items[-1].key.id) if more else None)

    async def remove(self, *, actor: str, key: UUID) -> None:
        """Its next request is refused, on every node. Raises NotFound."""

        async def work(unit: Transaction) -> None:
            if not await self._store.remove(unit, key):
                raise _no_such_key()
            await self._audit.record(unit, actor=actor, action="api_key.delete", subject=str(key))

        await self._units.write(work)

    async def recognise(self, token: str) -> ApiKey:
        """The key of a token. The store is asked each time, so a key that was deleted is worth nothing at once.
        Raises Unauthenticated ``invalid_api_key`` or ``api_key_expired``."""
        identifier, secret = _parts(token)
        found = await self._units.read(lambda unit: self._store.get(unit, identifier))
        # Compared also when there is nothing to compare with: how long it takes says nothing.
        fits = hmac.compare_digest(_NO_DIGEST if found is None else found.digest, digest_of(secret))
        if found is None or not fits:
            raise _invalid()
        now = self._clock.now()
        if found.expires_at is not None and found.expires_at <= now:
            raise Unauthenticated("This API key has expired; ask for a new one.", code="api_key_expired")
        await self._note_use(found, now)
        return found

    async def _note_use(self, key: ApiKey, now: float) -> None:
        """One write a minute and node, however many requests come at once."""
        noted = max(self._noted.get(key.id, 0.0), key.last_used_at or 0.0)
        if now - noted < USE_NOTED_EVERY:
            return
        self._noted[key.id] = now
        self._noted.move_to_end(key.id)
        if len(self._noted) > REMEMBERED:
            self._noted.popitem(last=False)
        # The request it was used for matters more than knowing when; should this fail, a minute later is soon enough.
        with suppress(SecureConnectError):
            await self._units.write(
                lambda unit: self._store.note_use(unit, key.id, at=now, unless_after=now - USE_NOTED_EVERY)
            )

    async def _listed(self, unit: Transaction, keys: Sequence[ApiKey]) -> list[ListedKey]:
        makers = await self._accounts.many(unit, frozenset(maker for key in keys if (maker := _account(key.made_by))))
        admins = {str(maker) for maker, account in makers.items() if is_active_admin(account)} | {CONSOLE}
        return [ListedKey(key, key.made_by in admins) for key in keys]


def _account(actor: str) -> UUID | None:
    try:
        return UUID(actor)
    except ValueError:
        return None


def _require_known(scopes: Collection[str]) -> None:
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise _refused("scopes", f"are one or more of {', '.join(SCOPES)}", "unknown_scope")


def _name(text: str) -> str:
    try:
        return names.display_name(text)
    except Unprocessable:
        raise _refused("name", f"is one line of 1 to {names.MAX_DISPLAY_NAME} characters", "invalid_name") from None


def _refused(subject: str, message: str, code: str) -> Unprocessable:
    text = f"The {subject.replace('_', ' ')} of an API key {message}."
    return Unprocessable(text, code=code, fields=[FieldError(subject, message)])


def _parts(token: str) -> tuple[UUID, str]:
    identifier, _, secret = token.removeprefix(PREFIX).partition("_")
    if len(token) > MAX_TOKEN_LENGTH:
        raise _invalid()
    try:
        key = UUID(identifier)
    except ValueError:
        raise _invalid() from None
    if key.hex != identifier:
        raise _invalid()  # UUIDs can be written in several ways; a token in one, by which logs and scanners know it
    return key, secret


def _invalid() -> Unauthenticated:
    return Unauthenticated("This API key is not valid here.", code="invalid_api_key")


def _no_such_key() -> NotFound:
    return NotFound("There is no such API key.")
