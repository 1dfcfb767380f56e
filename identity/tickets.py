"""Tickets: what a browser, which cannot set a WebSocket's headers, opens one with. Good for one use within seconds."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from uuid import UUID

import msgspec

from identity.revocations import Revocations
from kernel.ephemeral import KeyValues
from kernel.errors import Unauthenticated

LIFETIME_SECONDS = 30.0
SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Ticket:
    """Whom it admits: what the access token said that it was asked for with."""

    account: UUID
    session: UUID
    roles: frozenset[str] = frozenset()


class Tickets:
    """In the short-lived state that all nodes share, under a hash: who can read that store cannot use them."""

    def __init__(self, words: KeyValues, revocations: Revocations) -> None:
        self._words = words
        self._revocations = revocations

    async def issue(self, ticket: Ticket) -> str:
        secret = secrets.token_urlsafe(SECRET_BYTES)
        await self._words.put(_key(secret), msgspec.msgpack.encode(ticket), ttl=LIFETIME_SECONDS)
        return secret

    async def redeem(self, secret: str) -> Ticket:
        """To one caller only. Raises Unauthenticated ``invalid_ticket``, or ``session_ended`` if it has meanwhile."""
        key = _key(secret)
        kept = await self._words.get(key)
        # Everybody may have read it; who deletes it has it.
        if kept is None or not await self._words.delete(key):
            raise Unauthenticated(
                "This ticket was used before or is too old; ask for a new one.", code="invalid_ticket"
            )
        ticket = msgspec.msgpack.decode(kept, type=Ticket)
        await self._revocations.require_alive(ticket.session)
        return ticket


def _key(secret: str) -> str:
    return f"identity:ticket:{hashlib.sha256(secret.encode('utf-8', 'surrogatepass')).hexdigest()}"
