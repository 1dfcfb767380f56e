"""Everything that identity/ does here, put together on the platform's stores; and who of them is there, which every
answer with people in it says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from adapters.sql.chat.companions import SqlCompanions
from adapters.sql.identity.accounts import SqlAccounts
from adapters.sql.identity.admin import SqlAdmin, SqlPeopleLists
from adapters.sql.identity.apikeys import SqlApiKeys
from adapters.sql.identity.audit import SqlAudit
from adapters.sql.identity.blocks import SqlBlocks
from adapters.sql.identity.friends import SqlFriends
from adapters.sql.identity.plans import SqlSubscriptions
from adapters.sql.identity.prekeys import SqlBundles, SqlKeyChanges, SqlKeyDevices, SqlOneTimeKeys, SqlRetiredKeys
from adapters.sql.identity.second_factor import SqlFactors, SqlRecoveryCodes
from adapters.sql.identity.sessions import SqlLinks, SqlSessions
from api.acquaintances import Acquaintances, acquaintances, presences
from api.authentication import BearerTokens
from api.platform import Platform
from chat.presence import Presences
from config.secrets import derive_key
from config.sections import Identity
from config.values import Secret
from identity.accounts import Accounts
from identity.administration import Administration
from identity.announcements import Announcer
from identity.apikeys import ApiKeys
from identity.audit import AuditLog
from identity.credentials import Credentials
from identity.firstadmin import FirstAdmin
from identity.keychanges import KeyChanges
from identity.keydirectory import KeyDirectory
from identity.keyfiles import file_key_set, shared_key_set
from identity.lockout import Lockout
from identity.login import Login
from identity.mails import AccountMails
from identity.onetime import OneTimeLinks
from identity.passwords import PasswordHasher
from identity.plans import Plans
from identity.proof import PasswordProof
from identity.revocations import Revocations
from identity.roomtokens import RoomTokens
from identity.sealing import Sealer
from identity.second_factor import SecondFactor
from identity.sessions import Sessions
from identity.sweeping import ExpirySweep
from identity.tickets import Tickets
from identity.tokens import AccessTokens, KeySet
from kernel.mailqueue import MailQueue

ACCESS_TOKENS = "access tokens"
SECOND_FACTOR = "second factor"
FIRST_ADMIN = "first admin"


@dataclass(frozen=True, slots=True)
class People:
    accounts: Accounts
    login: Login
    sessions: Sessions
    tokens: AccessTokens
    room_tokens: RoomTokens
    lockout: Lockout
    proof: PasswordProof
    second_factor: SecondFactor
    credentials: Credentials
    tickets: Tickets
    audit: AuditLog
    administration: Administration
    first_admin: FirstAdmin
    api_keys: ApiKeys
    plans: Plans
    announcer: Announcer
    acquaintances: Acquaintances
    presences: Presences
    keys: KeyDirectory
    key_changes: KeyChanges
    sweep: ExpirySweep
    authenticator: BearerTokens


@asynccontextmanager
async def open_people(platform: Platform, base_url: str) -> AsyncIterator[People]:
    settings, units, clock, ids = platform.settings.identity, platform.database.units, platform.clock, platform.ids
    # It hashes something at once, on the thread that makes it.
    hasher = await asyncio.to_thread(PasswordHasher, platform.metrics)
    try:
        accounts, sessions = SqlAccounts(), SqlSessions()

        async def is_alive(session: UUID) -> bool:
            found = await units.read(lambda unit: sessions.get(unit, session))
            return found is not None and found.expires_at > clock.now()

        ephemeral = platform.ephemeral
        key_set = await token_keys(settings, platform.secret)
        tokens = AccessTokens(key_set, lifetime=settings.access_token_lifetime)
        revocations = Revocations(ephemeral.key_values, is_alive, token_lifetime=settings.access_token_lifetime)
        announcer = Announcer(platform.bus)
        key_changes = _key_changes(platform, announcer)
        there = presences(platform, accounts, announcer, revocations)
        signed_in = Sessions(
            units=units,
            store=sessions,
            accounts=accounts,
            tokens=tokens,
            revocations=revocations,
            farewell=there,
            ids=ids,
            clock=clock,
            lifetime=settings.session_lifetime,
            most=settings.max_sessions,
        )
        audit = AuditLog(units=units, store=SqlAudit(), ids=ids)
        plans = Plans(units=units, store=SqlSubscriptions(), audit=audit, clock=clock)
        api_keys = ApiKeys(units=units, store=SqlApiKeys(), accounts=accounts, audit=audit, ids=ids, clock=clock)
        mails = AccountMails(MailQueue(platform.jobs.queue), ids, base_url)
        links = OneTimeLinks(SqlLinks(), clock)
        lockout = Lockout(failures=ephemeral.sets, locks=ephemeral.counters, words=ephemeral.key_values, clock=clock)
        proof = PasswordProof(units=units, accounts=accounts, hasher=hasher, lockout=lockout)
        second_factor = SecondFactor(
            units=units,
            factors=SqlFactors(),
            codes=SqlRecoveryCodes(),
            accounts=accounts,
            proof=proof,
            sealer=Sealer(derive_key(platform.secret, SECOND_FACTOR)),
            mails=mails,
            clock=clock,
        )
        registry = Accounts(
            units=units,
            store=accounts,
            hasher=hasher,
            links=links,
            mails=mails,
            ids=ids,
            clock=clock,
        )
        yield People(
            accounts=registry,
            login=Login(
                units=units,
                accounts=accounts,
                hasher=hasher,
                lockout=lockout,
                second=second_factor,
                sessions=signed_in,
                require_verified_email=settings.require_verified_email,
            ),
            sessions=signed_in,
            tokens=tokens,
            room_tokens=RoomTokens(key_set, base_url=base_url, ids=ids, clock=clock),
            lockout=lockout,
            proof=proof,
            second_factor=second_factor,
            credentials=Credentials(
                units=units,
                accounts=accounts,
                hasher=hasher,
                proof=proof,
                second=second_factor,
                lockout=lockout,
                links=links,
                mails=mails,
                sessions=signed_in,
                jobs=platform.jobs.queue,
                clock=clock,
            ),
            tickets=Tickets(ephemeral.key_values, revocations),
            audit=audit,
            announcer=announcer,
            acquaintances=acquaintances(platform, accounts, announcer),
            presences=there,
            keys=_key_directory(platform, announcer, key_changes),
            key_changes=key_changes,
            sweep=ExpirySweep(units, [sessions, SqlLinks()], clock),
            administration=Administration(
                units=units,
                accounts=accounts,
                store=SqlAdmin(),
                lists=SqlPeopleLists(),
                sessions=signed_in,
                plans=plans,
                second=second_factor,
                mails=mails,
                audit=audit,
                clock=clock,
            ),
            first_admin=FirstAdmin(
                units=units,
                accounts=registry,
                admins=SqlAdmin(),
                links=links,
                audit=audit,
                key=derive_key(platform.secret, FIRST_ADMIN),
            ),
            api_keys=api_keys,
            plans=plans,
            authenticator=BearerTokens(
                operator=platform.settings.telemetry.metrics_token,
                tokens=tokens,
                revocations=revocations,
                keys=api_keys,
                plans=plans,
                clock=clock,
            ),
        )
    finally:
        await asyncio.to_thread(hasher.close)


def _key_changes(platform: Platform, announcer: Announcer) -> KeyChanges:
    return KeyChanges(
        units=platform.database.units,
        store=SqlKeyChanges(),
        friends=SqlFriends(),
        companions=SqlCompanions(),
        blocks=SqlBlocks(),
        announcer=announcer,
        jobs=platform.jobs.queue,
    )


def _key_directory(platform: Platform, announcer: Announcer, changes: KeyChanges) -> KeyDirectory:
    return KeyDirectory(
        units=platform.database.units,
        devices=SqlKeyDevices(),
        bundles=SqlBundles(),
        one_time=SqlOneTimeKeys(),
        retired=SqlRetiredKeys(),
        record=SqlKeyChanges(),
        changes=changes,
        announcer=announcer,
        counters=platform.ephemeral.counters,
        ids=platform.ids,
        clock=platform.clock,
    )


async def token_keys(settings: Identity, secret: Secret) -> KeySet:
    """What tokens are signed with and believed by."""
    if settings.signing_key_file:
        return await asyncio.to_thread(file_key_set, settings.signing_key_file, settings.verifying_key_files)
    return shared_key_set(derive_key(secret, ACCESS_TOKENS))
