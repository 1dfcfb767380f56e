"""``secureconnect admin``: what the person at the machine may do without an account. Both acts are audited."""

from __future__ import annotations

import getpass
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop

from adapters.sql import migrate
from adapters.sql.engine import Database, open_database
from adapters.sql.identity.accounts import SqlAccounts
from adapters.sql.identity.apikeys import SqlApiKeys
from adapters.sql.identity.audit import SqlAudit
from adapters.sql.identity.sessions import SqlLinks
from adapters.sql.jobs import open_jobs
from api.cli.main import EXIT_FAILED, EXIT_OK
from api.platform import SchemaBehind
from api.serve import url_of
from config.loader import Configuration
from config.sections import Settings
from identity.accounts import Account, Accounts
from identity.administration import ADMIN
from identity.apikeys import ApiKeys
from identity.audit import CONSOLE, AuditLog
from identity.mails import AccountMails
from identity.onetime import OneTimeLinks
from identity.passwords import PasswordHasher
from kernel.clock import SystemClock
from kernel.errors import SecureConnectError
from kernel.ids import IdGenerator
from kernel.mailqueue import MailQueue
from kernel.metrics import Metrics
from kernel.units import Transaction

DAY = 86400.0


@dataclass(frozen=True, slots=True)
class _Office:
    accounts: Accounts
    keys: ApiKeys
    audit: AuditLog


class NoPassword(Exception):
    """It could not be read, or was not typed the same twice."""


def read_password(file: str | None) -> str:
    """From a file (``-`` is standard input), without the end of its line; else asked for twice. Raises NoPassword."""
    if file is None:
        typed = getpass.getpass("Password: ")
        if getpass.getpass("Once more: ") != typed:
            raise NoPassword("These were not the same.")
        return typed
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NoPassword(f"{file} cannot be read: {error}") from error
    return text.removesuffix("\n").removesuffix("\r")


def run_create_user(
    configuration: Configuration, *, email: str, username: str, admin: bool, password_file: str | None
) -> int:
    roles = frozenset({ADMIN}) if admin else frozenset[str]()

    async def create(office: _Office) -> None:
        async def first(unit: Transaction, account: Account) -> None:
            who = str(account.id)
            details = {"roles": " ".join(sorted(roles)) or "user"}
            await office.audit.record(unit, actor=CONSOLE, action="user.create", subject=who, details=details)

        account = await office.accounts.register(
            email=email, username=username, password=password, display_name=None, roles=roles, first=first
        )
        print(f"{account.username} ({account.id}) is {'an admin' if admin else 'a user'} now.")

    try:
        password = read_password(password_file)
    except NoPassword as error:
        print(error, file=sys.stderr)
        return EXIT_FAILED
    return _run(configuration, create)


def run_create_api_key(
    configuration: Configuration, *, name: str, scopes: Sequence[str], rate: int, days: float | None
) -> int:
    """The token is all that standard output gets, so that a script can keep it."""

    async def create(office: _Office) -> None:
        expires_at = None if days is None else SystemClock().now() + days * DAY
        key, token = await office.keys.make(actor=CONSOLE, name=name, scopes=scopes, rate=rate, expires_at=expires_at)
        print(f"API key {key.id}, {', '.join(sorted(key.scopes))}; its token is shown this once:", file=sys.stderr)
        print(token)

    return _run(configuration, create)


def _run(configuration: Configuration, work: Callable[[_Office], Awaitable[None]]) -> int:
    async def opened() -> None:
        async with _office(configuration.settings) as office:
            await work(office)

    try:
        uvloop.run(opened())
    except SecureConnectError as error:
        print(error.detail, file=sys.stderr)
        return EXIT_FAILED
    except SchemaBehind as error:
        print(error, file=sys.stderr)
        return EXIT_FAILED
    return EXIT_OK


@asynccontextmanager
async def _office(settings: Settings) -> AsyncIterator[_Office]:
    """What the two acts need of a server, on its database. A server may be running meanwhile."""
    clock, metrics = SystemClock(), Metrics()
    ids = IdGenerator(clock)
    data_dir = Path(settings.server.data_dir)
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)  # noqa: ASYNC240 - before anything else runs
    async with AsyncExitStack() as stack:
        opening = open_database(settings.database, data_dir=data_dir, clock=clock, metrics=metrics)
        database = await stack.enter_async_context(opening)
        await bring_up_to_date(database, settings)
        jobs = await stack.enter_async_context(
            open_jobs(database, settings.jobs, clock=clock, metrics=metrics, ids=ids)
        )
        hasher = PasswordHasher(metrics)
        stack.callback(hasher.close)
        base_url = settings.server.public_url or url_of(settings.server.host, settings.server.port)
        units = database.units
        audit = AuditLog(units=units, store=SqlAudit(), ids=ids)
        accounts = Accounts(
            units=units,
            store=SqlAccounts(),
            hasher=hasher,
            links=OneTimeLinks(SqlLinks(), clock),
            mails=AccountMails(MailQueue(jobs.queue), ids, base_url),
            ids=ids,
            clock=clock,
        )
        keys = ApiKeys(units=units, store=SqlApiKeys(), accounts=SqlAccounts(), audit=audit, ids=ids, clock=clock)
        yield _Office(accounts, keys, audit)


async def bring_up_to_date(database: Database, settings: Settings) -> None:
    found = await migrate.status(database)
    if not found.pending:
        return
    if not settings.database.migrate_on_start:
        raise SchemaBehind(found.pending)
    await migrate.upgrade(database, progress=lambda _step: None)
