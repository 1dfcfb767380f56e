"""Sessions: one for each device that signed in. A session's refresh token is good for one use and yields the next.

A refresh token that was used before means that somebody else has it too. Nobody can tell who of the two is the thief,
so the session ends for both.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar
from uuid import UUID

from identity.accounts import Account, AccountStore, State
from identity.onetime import digest_of
from identity.revocations import Revocations
from identity.tokens import AccessTokens
from kernel.clock import Clock
from kernel.cursors import Page, decode_cursor, encode_cursor
from kernel.errors import Forbidden, NotFound, Unauthenticated
from kernel.ids import IdGenerator
from kernel.units import Transaction, UnitsOfWork

Result = TypeVar("Result")

SECRET_BYTES = 32
MAX_CLIENT_LENGTH = 200
LISTING = "sessions"


@dataclass(frozen=True, slots=True)
class Session:
    """``client`` is what the device says it is. One that ended is deleted; what is left of it is its revocation."""

    id: UUID
    account: UUID
    refresh_digest: bytes
    client: str
    created_at: float
    used_at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class TokenPair:
    access_token: str
    refresh_token: str
    expires_in: float
    session: UUID


class SessionStore(Protocol):
    async def add(self, unit: Transaction, session: Session, *, most: int) -> Sequence[UUID]:
        """Add one. Beyond ``most`` of the account the ones used longest ago are removed; answers which."""
        ...

    async def get(self, unit: Transaction, session: UUID) -> Session | None: ...

    async def put(self, unit: Transaction, session: Session) -> None: ...

    async def of(self, unit: Transaction, account: UUID) -> Sequence[Session]:
        """The latest used first."""
        ...

    async def remove(self, unit: Transaction, account: UUID, sessions: Sequence[UUID]) -> Sequence[UUID]:
        """Of ``account`` only; answers those that were there."""
        ...


class Farewell(Protocol):
    async def signed_out(self, person: UUID, sessions: Sequence[UUID]) -> None:
        """Those sessions are refused everywhere by now. Never fails."""
        ...


class Sessions:
    def __init__(
        self,
        *,
        units: UnitsOfWork,
        store: SessionStore,
        accounts: AccountStore,
        tokens: AccessTokens,
        revocations: Revocations,
        farewell: Farewell,
        ids: IdGenerator,
        clock: Clock,
        lifetime: float,
        most: int,
    ) -> None:
        self._units = units
        self._store = store
        self._accounts = accounts
        self._tokens = tokens
        self._revocations = revocations
        self._farewell = farewell
        self._ids = ids
        self._clock = clock
        self._lifetime = lifetime
        self._most = most

    async def begin(self, account: Account, client: str) -> TokenPair:
        """For somebody who has proved who they are. Raises Forbidden ``account_disabled``: since they did, an admin may
        have come between. Unauthenticated ``invalid_credentials``: or another password."""
        now = self._clock.now()
        secret = secrets.token_urlsafe(SECRET_BYTES)
        session = Session(
            id=self._ids.next(),
            account=account.id,
            refresh_digest=digest_of(secret),
            client=_one_line(client)[:MAX_CLIENT_LENGTH],
            created_at=now,
            used_at=now,
            expires_at=now + self._lifetime,
        )

        async def work(unit: Transaction) -> tuple[Account, Sequence[UUID]]:
            current = await self._accounts.get(unit, account.id)
            if current is None or current.state is not State.ACTIVE:
                raise Forbidden("This account is disabled.", code="account_disabled")
            if _password_changed(current, account):
                raise Unauthenticated("The e-mail address or the password is wrong.", code="invalid_credentials")
            return current, await self._store.add(unit, session, most=self._most)

        current, ended = await self._units.write(work)
        await self._sign_out(account.id, ended)
        return self._pair(current, session, secret)

    async def refresh(self, refresh_token: str) -> tuple[Account, TokenPair]:
        """Raises Unauthenticated ``invalid_refresh_token`` or ``refresh_token_reused``."""
        identifier, presented = _parts(refresh_token)
        secret = secrets.token_urlsafe(SECRET_BYTES)

        async def work(unit: Transaction) -> tuple[Account, Session] | UUID:
            """Only whose it was for a token that was used before; its session is gone then."""
            session = await self._store.get(unit, identifier)
            now = self._clock.now()
            if session is None or session.expires_at <= now:
                raise _invalid()
            if not hmac.compare_digest(session.refresh_digest, digest_of(presented)):
                await self._store.remove(unit, session.account, [session.id])
                return session.account
            account = await self._accounts.get(unit, session.account)
            if account is None or account.state is not State.ACTIVE:
                raise _invalid()
            renewed = replace(session, refresh_digest=digest_of(secret), used_at=now, expires_at=now + self._lifetime)
            await self._store.put(unit, renewed)
            return account, renewed

        done = await self._units.write(work)
        if isinstance(done, UUID):
            await self._sign_out(done, [identifier])
            raise Unauthenticated(
                "This refresh token was used before, so its session was ended; sign in again.",
                code="refresh_token_reused",
            )
        account, session = done
        return account, self._pair(account, session, secret)

    async def of(self, account: UUID) -> Sequence[Session]:
        now = self._clock.now()
        found = await self._units.read(lambda unit: self._store.of(unit, account))
        return [session for session in found if session.expires_at > now]

    async def page(self, account: UUID, *, cursor: str | None, limit: int) -> Page[Session]:
        """The latest used first. There are never more than the most a person may have, so one query reads them all.
        Raises Malformed ``bad_cursor``."""
        found = await self.of(account)
        if cursor is not None:
            after = decode_cursor(LISTING, cursor, tuple[int, UUID])
            found = [session for session in found if _position(session) < after]
        rest = len(found) > limit
        return Page(list(found[:limit]), encode_cursor(LISTING, _position(found[limit - 1])) if rest else None)

    async def end(self, account: UUID, session: UUID) -> None:
        """Raises NotFound for one that is not the account's."""
        if session not in {found.id for found in await self.of(account)}:
            raise NotFound("There is no such session.")
        await self.end_all(account, [session])

    async def end_all(self, account: UUID, sessions: Sequence[UUID]) -> Sequence[UUID]:
        """``sessions`` are known to be the account's."""
        # First where every request looks: should the store fail now, the session is out until its token has expired.
        await self._sign_out(account, sessions)
        return await self._units.write(lambda unit: self._store.remove(unit, account, sessions))

    async def end_others(self, account: UUID, but: UUID | None) -> Sequence[UUID]:
        sessions = [session.id for session in await self.of(account) if session.id != but]
        return await self.end_all(account, sessions) if sessions else []

    async def ending_all(
        self, account: UUID, work: Callable[[Transaction], Awaitable[Result]], *, but: UUID | None = None
    ) -> Result:
        """``work`` and the end of all sessions of ``account`` (one may be spared), as one."""
        await self._sign_out(account, [session.id for session in await self.of(account) if session.id != but])

        async def ending(unit: Transaction) -> tuple[Result, Sequence[UUID]]:
            done = await work(unit)
            sessions = [session.id for session in await self._store.of(unit, account) if session.id != but]
            return done, await self._store.remove(unit, account, sessions)

        done, ended = await self._units.write(ending)
        # Those that began after the first look.
        await self._sign_out(account, ended)
        return done

    async def _sign_out(self, account: UUID, sessions: Sequence[UUID]) -> None:
        if sessions:
            await self._revocations.revoke(sessions)
            await self._farewell.signed_out(account, sessions)

    def _pair(self, account: Account, session: Session, secret: str) -> TokenPair:
        access = self._tokens.issue(
            user=account.id,
            session=session.id,
            token_id=str(self._ids.next()),
            roles=sorted(account.roles),
            now=self._clock.now(),
        )
        return TokenPair(access, f"{session.id.hex}.{secret}", self._tokens.lifetime, session.id)


def _password_changed(current: Account, proved: Account) -> bool:
    """Stores keep whole microseconds."""
    return abs(current.password_changed_at - proved.password_changed_at) > 1e-6


def _position(session: Session) -> tuple[int, UUID]:
    return round(session.used_at * 1_000_000), session.id


def _one_line(client: str) -> str:
    """A header may hold any bytes; what no store keeps and no page shows is left out."""
    return "".join(char if char.isprintable() else " " for char in client).strip()


def _parts(refresh_token: str) -> tuple[UUID, str]:
    session, _, secret = refresh_token.partition(".")
    try:
        return UUID(session), secret
    except ValueError:
        raise _invalid() from None


def _invalid() -> Unauthenticated:
    return Unauthenticated("This refresh token is not valid; sign in again.", code="invalid_refresh_token")
