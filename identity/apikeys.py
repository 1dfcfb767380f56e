"""API keys: how programs of integrators sign in. Each does what its scopes name, as often as its own rate allows."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Protocol
from uuid import UUID

from identity import names
from identity.audit import AuditLog
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
    """``rate`` is in requests a minute; ``last_used_at`` is right to a minute."""

    id: UUID
    name: str
    digest: bytes = field(repr=False)
    scopes: frozenset[str]
    rate: int
    created_at: float
    expires_at: float | None
    last_used_at: float | None = None


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
        self, *, units: UnitsOfWork, store: ApiKeyStore, audit: AuditLog, ids: IdGenerator, clock: Clock
    ) -> None:
        self._units = units
        self._store = store
        self._audit = audit
        self._ids = ids
        self._clock = clock

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

    async def get(self, key: UUID) -> ApiKey:
        """Raises NotFound."""
        found = await self._units.read(lambda unit: self._store.get(unit, key))
        if found is None:
            raise _no_such_key()
        return found

    async def page(self, *, cursor: str | None, limit: int) -> Page[ApiKey]:
        """Newest first. Raises Malformed ``bad_cursor``."""
        before = None if cursor is None else decode_cursor(LISTING, cursor, UUID)
        found = await self._units.read(lambda unit: self._store.find(unit, before=before, most=limit + 1))
        items = list(found[:limit])
        return Page(items, encode_cursor(LISTING, items[-1].id) if len(found) > limit else None)

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
        if found is None or not hmac.compare_digest(found.digest, digest_of(secret)):
            raise _invalid()
        now = self._clock.now()
        if found.expires_at is not None and found.expires_at <= now:
            raise Unauthenticated("This API key has expired; ask for a new one.", code="api_key_expired")
        if found.last_used_at is None or now - found.last_used_at >= USE_NOTED_EVERY:
            await self._note_use(identifier, now)
        return found

    async def _note_use(self, key: UUID, now: float) -> None:
        # The request it was used for matters more than knowing when; should this fail, the next one tries again.
        with suppress(SecureConnectError):
            await self._units.write(
                lambda unit: self._store.note_use(unit, key, at=now, unless_after=now - USE_NOTED_EVERY)
            )


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
        return UUID(identifier), secret
    except ValueError:
        raise _invalid() from None


def _invalid() -> Unauthenticated:
    return Unauthenticated("This API key is not valid here.", code="invalid_api_key")


def _no_such_key() -> NotFound:
    return NotFound("There is no such API key.")
