"""Everything that identity/ does here, put together on the platform's stores."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from adapters.sql.identity.accounts import SqlAccounts
from adapters.sql.identity.audit import SqlAudit
from adapters.sql.identity.sessions import SqlLinks, SqlSessions
from api.authentication import BearerTokens
from api.platform import Platform
from config.secrets import derive_key
from identity.accounts import Accounts
from identity.announcements import Announcer
from identity.audit import AuditLog
from identity.keyfiles import file_key_set, shared_key_set
from identity.lockout import Lockout
from identity.login import Login
from identity.mails import AccountMails
from identity.onetime import OneTimeLinks
from identity.passwords import PasswordHasher
from identity.revocations import Revocations
from identity.sessions import Sessions
from identity.tokens import AccessTokens, KeySet
from kernel.mailqueue import MailQueue

ACCESS_TOKENS = "access tokens"


@dataclass(frozen=True, slots=True)
class People:
    accounts: Accounts
    login: Login
    sessions: Sessions
    audit: AuditLog
    announcer: Announcer
    authenticator: BearerTokens


@asynccontextmanager
async def open_people(platform: Platform, base_url: str) -> AsyncIterator[People]:
    settings, units, clock, ids = platform.settings.identity, platform.database.units, platform.clock, platform.ids
    hasher = PasswordHasher(platform.metrics)
    try:
        accounts, sessions = SqlAccounts(), SqlSessions()

        async def is_alive(session: UUID) -> bool:
            found = await units.read(lambda unit: sessions.get(unit, session))
            return found is not None and found.expires_at > clock.now()

        ephemeral = platform.ephemeral
        tokens = AccessTokens(await _key_set(platform), lifetime=settings.access_token_lifetime)
        revocations = Revocations(ephemeral.key_values, is_alive, token_lifetime=settings.access_token_lifetime)
        signed_in = Sessions(
            units=units,
            store=sessions,
            accounts=accounts,
            tokens=tokens,
            revocations=revocations,
            ids=ids,
            clock=clock,
            lifetime=settings.session_lifetime,
            most=settings.max_sessions,
        )
        audit = AuditLog(units=units, store=SqlAudit(), ids=ids)
        mails = AccountMails(MailQueue(platform.jobs.queue), ids, base_url)
        yield People(
            accounts=Accounts(
                units=units,
                store=accounts,
                hasher=hasher,
                links=OneTimeLinks(SqlLinks(), clock),
                mails=mails,
                ids=ids,
                clock=clock,
            ),
            login=Login(
                units=units,
                accounts=accounts,
                hasher=hasher,
                lockout=Lockout(ephemeral.counters, ephemeral.key_values, clock),
                second=_NoSecondProof(),
                sessions=signed_in,
                require_verified_email=settings.require_verified_email,
            ),
            sessions=signed_in,
            audit=audit,
            announcer=Announcer(platform.bus),
            authenticator=BearerTokens(platform.settings.telemetry.metrics_token, tokens, revocations, clock),
        )
    finally:
        await asyncio.to_thread(hasher.close)


async def _key_set(platform: Platform) -> KeySet:
    settings = platform.settings.identity
    if settings.signing_key_file:
        return await asyncio.to_thread(file_key_set, settings.signing_key_file, settings.verifying_key_files)
    return shared_key_set(derive_key(platform.secret, ACCESS_TOKENS))


class _NoSecondProof:
    async def required(self, account: UUID) -> bool:
        return False

    async def verify(self, account: UUID, *, totp: str | None, recovery_code: str | None) -> bool:
        return False
