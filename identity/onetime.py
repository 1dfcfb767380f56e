"""Links that work once: a secret in a mail, of which only a hash is kept."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from typing import Protocol
from uuid import UUID

from kernel.clock import Clock
from kernel.errors import Unprocessable
from kernel.units import Transaction

SECRET_BYTES = 32
DAY = 86400.0


class Purpose(Enum):
    VERIFY_EMAIL = "verify_email"
    CHANGE_EMAIL = "change_email"
    RESET_PASSWORD = "reset_password"  # noqa: S105 - what the link is for
    FIRST_ADMIN = "first_admin"


LIFETIMES = {
    Purpose.VERIFY_EMAIL: DAY,
    Purpose.CHANGE_EMAIL: DAY,
    Purpose.RESET_PASSWORD: 3600.0,
    Purpose.FIRST_ADMIN: 7 * DAY,
}


@dataclass(frozen=True, slots=True)
class Link:
    """``about`` is what else the link is for, such as the new address."""

    digest: bytes
    purpose: str
    account: UUID
    about: str
    expires_at: float


class LinkStore(Protocol):
    async def replace(self, unit: Transaction, link: Link) -> None:
        """Add a link; earlier ones of the same account and purpose are gone."""
        ...

    async def get(self, unit: Transaction, digest: bytes, purpose: str) -> Link | None: ...

    async def of(self, unit: Transaction, account: UUID, purpose: str) -> Link | None: ...

    async def take(self, unit: Transaction, digest: bytes, purpose: str) -> Link | None:
        """Remove a link and answer it, to one caller only."""
        ...

    async def remove(self, unit: Transaction, account: UUID, purposes: Collection[str]) -> None: ...


class OneTimeLinks:
    def __init__(self, store: LinkStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def make(
        self, unit: Transaction, purpose: Purpose, account: UUID, about: str = "", *, secret: str | None = None
    ) -> str:
        """The secret that goes into the mail, a new one unless told; earlier ones for the same end with it."""
        secret = secrets.token_urlsafe(SECRET_BYTES) if secret is None else secret
        expires_at = self._clock.now() + LIFETIMES[purpose]
        await self._store.replace(unit, Link(digest_of(secret), purpose.value, account, about, expires_at))
        return secret

    async def take(self, unit: Transaction, purpose: Purpose, secret: str) -> Link:
        """Use a secret up. Raises Unprocessable ``invalid_link``."""
        return self._valid(await self._store.take(unit, digest_of(secret), purpose.value))

    async def look(self, unit: Transaction, purpose: Purpose, secret: str) -> Link:
        """Whose link it is, before any work is done for it. Raises as ``take`` does."""
        return self._valid(await self._store.get(unit, digest_of(secret), purpose.value))

    async def waiting(self, unit: Transaction, purpose: Purpose, account: UUID, *, seconds: float) -> Link | None:
        """The account's link, when it is good for that much longer."""
        link = await self._store.of(unit, account, purpose.value)
        return None if link is None or link.expires_at < self._clock.now() + seconds else link

    async def end(self, unit: Transaction, account: UUID, *purposes: Purpose) -> None:
        """Links of these purposes are worth nothing any more."""
        await self._store.remove(unit, account, [purpose.value for purpose in purposes])

    def _valid(self, link: Link | None) -> Link:
        if link is None or link.expires_at <= self._clock.now():
            raise invalid_link()
        return link


def invalid_link() -> Unprocessable:
    return Unprocessable("This link was used before or is too old; ask for a new one.", code="invalid_link")


def digest_of(secret: str) -> bytes:
    """Not a password: 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
