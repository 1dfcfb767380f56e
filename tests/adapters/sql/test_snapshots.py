"""Every statement of the adapter as each backend is given it, kept under ``snapshots/`` for people to read.

Statements that are constants of their module are found by themselves; those that are built while they are needed
are recorded on a tour, which uses each operation of their store once. CockroachDB's server is in no registry: what
it would be sent can be read here, and is run against PostgreSQL by the contract suites.

``UPDATE_SNAPSHOTS=1 pytest tests/adapters/sql/test_snapshots.py`` writes them anew; look at the difference then.
"""

from __future__ import annotations

import os
import pkgutil
from collections.abc import Awaitable, Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, Dialect, Executable, Table, event
from sqlalchemy.dialects import registry
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlalchemy.sql import ClauseElement

from adapters import sql
from adapters.sql import migrate, migrations
from adapters.sql.engine import Database
from adapters.sql.identity.blocks import SqlBlocks
from adapters.sql.identity.friendlists import SqlFriendLists
from adapters.sql.identity.friends import SqlFriends
from adapters.sql.identity.prekeys import SqlKeyChanges, SqlKeyDevices, SqlOneTimeKeys, SqlRetiredKeys
from adapters.sql.identity.search import SqlSearch
from adapters.sql.identity.second_factor import SqlFactors, SqlRecoveryCodes
from adapters.sql.messagelog import SqlMessageLog
from adapters.sql.metadata import metadata
from adapters.sql.migrate import upgrade
from adapters.sql.sfu.rooms import SqlRooms
from identity.blocks import Block
from identity.friends import Friendship, Standing
from identity.keychanges import ChangeKind, KeyChange
from identity.keydirectory import Device
from identity.prekeys import OneTimeKey, SignedKey
from identity.search import Question
from identity.second_factor import Factor
from kernel.clock import SystemClock
from kernel.ids import IdGenerator
from kernel.messagelog import LogEntry
from kernel.units import Transaction
from sfu.rooms import Plan, Room
from tests.adapters.sql.relational import opened, settings_for
from tests.adapters.sql.tour_of_accounts import tour_of_the_accounts
from tests.adapters.sql.tour_of_administration import tour_of_administration
from tests.adapters.sql.tour_of_conversations import tour_of_the_conversations
from tests.adapters.sql.tour_of_datarights import tour_of_the_data_rights

SNAPSHOTS = Path(__file__).parent / "snapshots"
DIALECTS: Mapping[str, Dialect] = {
    name: registry.load(f"{name}.{driver}")()
    for name, driver in (("sqlite", "aiosqlite"), ("postgresql", "asyncpg"), ("cockroachdb", "asyncpg"))
}


def modules() -> list[str]:
    names = [module.name for module in pkgutil.walk_packages(sql.__path__, f"{sql.__name__}.")]
    return [name for name in names if not name.startswith(migrations.__name__)]


def constants(module: str) -> Iterator[tuple[str, ClauseElement]]:
    for name, value in vars(import_module(module)).items():
        if name[0].isupper() and name.isupper() and isinstance(value, Executable) and isinstance(value, ClauseElement):
            yield name, value


def compiled(title: str, statement: ClauseElement, keys: list[str] | None = None) -> str:
    """The statement for each dialect; those that are the same share one entry."""
    dialects_of: dict[str, list[str]] = {}
    for name, dialect in DIALECTS.items():
        options: dict[str, Any] = {} if keys is None else {"column_keys": keys}
        text = str(statement.compile(dialect=dialect, **options))
        dialects_of.setdefault("\n".join(line.rstrip() for line in text.strip().splitlines()), []).append(name)
    return "".join(f"-- {title}: {', '.join(names)}\n{text}\n\n" for text, names in dialects_of.items())


def check(name: str, content: str) -> None:
    path = SNAPSHOTS / f"{name}.sql"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        SNAPSHOTS.mkdir(exist_ok=True)
        path.write_text(content)
    assert path.exists(), f"no snapshot {path.name}: see this module's docstring"
    assert path.read_text() == content


def test_the_schema() -> None:
    for module in modules():
        import_module(module)
    parts = []
    for table in metadata.sorted_tables:
        parts.append(compiled(table.name, CreateTable(table)))
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        parts += [compiled(str(index.name), CreateIndex(index)) for index in indexes]
    check("schema", "".join(parts))


@pytest.mark.parametrize("module", [module for module in modules() if any(constants(module))])
def test_the_constant_statements_of(module: str) -> None:
    statements = [(name, value) for name, value in constants(module) if not isinstance(value, Table)]
    check(module.rpartition(".")[2], "".join(compiled(name, value) for name, value in statements))


async def tour_of_the_message_log(database: Database) -> None:
    ids = IdGenerator(SystemClock())
    log = SqlMessageLog(database.units, SystemClock())
    conversation = UUID(int=1)
    first, second = (LogEntry(conversation, ids.next(), key, b"body") for key in ("first", "second"))
    await log.append(first)
    await log.append(first)
    await log.append(second)
    await log.get(conversation, first.id)
    await log.before(conversation, None, limit=10)
    await log.before(conversation, second.id, limit=10)
    await log.after(conversation, None, limit=10)
    await log.after(conversation, first.id, limit=10)
    await log.amend(conversation, first.id, expected_version=1, body=b"changed")
    await log.forget(conversation, older_than=second.id)


async def tour_of_the_upgrade_lease(database: Database) -> None:
    async with migrate._lease(database, 0) as holder:
        await database.units.write(lambda unit: unit.connection.execute(migrate._renew(holder, 0.0)))


async def tour_of_the_rooms(database: Database) -> None:
    rooms, owner = SqlRooms(), UUID(int=1)
    room = Room(UUID(int=2), owner, Plan("Stand-up"), 0.0)

    async def visit(unit: Transaction) -> None:
        await rooms.add(unit, room)
        await rooms.get(unit, room.id)
        for whose in (owner, None):
            await rooms.count(unit, whose)
            await rooms.page(unit, whose, before=None, most=10)
        await rooms.page(unit, owner, before=room.id, most=10)
        await rooms.remove(unit, room.id)

    await database.units.write(visit)


async def tour_of_the_second_factor(database: Database) -> None:
    factors, codes, account = SqlFactors(), SqlRecoveryCodes(), UUID(int=1)

    async def every_operation(unit: Transaction) -> None:
        await factors.offer(unit, Factor(account, b"sealed", 0.0))
        await factors.get(unit, account)
        await factors.confirm(unit, account, step=1, at=0.0)
        await factors.use(unit, account, 2)
        await codes.replace(unit, account, [b"one", b"two"])
        await codes.use(unit, account, b"one")
        await codes.count(unit, account)
        await factors.remove(unit, account)

    await database.units.write(every_operation)


async def tour_of_the_key_directory(database: Database) -> None:
    devices, one_time, retired, changes = SqlKeyDevices(), SqlOneTimeKeys(), SqlRetiredKeys(), SqlKeyChanges()
    account, entry = UUID(int=1), UUID(int=2)
    device = Device(account, "phone", b"identity", SignedKey(1, b"signed", b"signature"), 1.0, 1.0)

    async def visit(unit: Transaction) -> None:
        await devices.put(unit, device)
        await devices.get(unit, account, "phone")
        await one_time.add(unit, account, "phone", [OneTimeKey(1, b"one"), OneTimeKey(2, b"two")], remember=5)
        await retired.add(unit, device, 2.0, forget_before=1.0)
        await retired.of(unit, account, "phone", since=1.0)
        await changes.add(unit, KeyChange(entry, account, "phone", ChangeKind.ADDED, "fingerprint"))
        await changes.get(unit, account, entry)
        await changes.latest(unit, account, "phone")
        await changes.count(unit, account, since=entry)
        await changes.page(unit, account, before=None, limit=10)
        await changes.page(unit, account, before=entry, limit=10)
        await devices.remove(unit, account, "phone")

    await database.units.write(visit)


async def tour_of_the_acquaintances(database: Database) -> None:
    friends, lists, blocks, search = SqlFriends(), SqlFriendLists(), SqlBlocks(), SqlSearch()
    ada, bob = UUID(int=1), UUID(int=2)

    async def visit(unit: Transaction) -> None:
        await friends.put(unit, Friendship(ada, bob, False, 1.0))
        await friends.get(unit, ada, bob)
        await friends.friends_of(unit, ada)
        for standing in (Standing.ACCEPTED, Standing.INCOMING, Standing.OUTGOING):
            await lists.page(unit, ada, standing, before=None, limit=10)
            await lists.count(unit, ada, standing)
        await lists.page(unit, ada, Standing.ACCEPTED, before=(1.0, bob), limit=10)
        await lists.standings(unit, ada, [bob])
        await lists.suggested(unit, ada, before=None, limit=10)
        await lists.suggested(unit, ada, before=(1, bob), limit=10)
        await friends.remove(unit, ada, bob)
        await blocks.add(unit, Block(ada, bob, 1.0), most=10)
        await blocks.by(unit, ada, bob)
        await blocks.between(unit, ada, [bob])
        await blocks.page(unit, ada, before=None, limit=10)
        await blocks.page(unit, ada, before=(1.0, bob), limit=10)
        await blocks.remove(unit, ada, bob)
        await search.by_words(unit, ada, Question(["one"], "one"), after=None, limit=10)
        await search.by_words(unit, ada, Question(["one", "two"], "one two"), after=("one", bob), limit=10)
        await search.by_email(unit, ada, "bob@example.org", unconfirmed_since=1.0)

    await database.units.write(visit)


TOURS: Mapping[str, Callable[[Database], Awaitable[None]]] = {
    "accounts": tour_of_the_accounts,
    "acquaintances": tour_of_the_acquaintances,
    "administration": tour_of_administration,
    "conversations": tour_of_the_conversations,
    "datarights": tour_of_the_data_rights,
    "messagelog": tour_of_the_message_log,
    "prekeys": tour_of_the_key_directory,
    "migrate": tour_of_the_upgrade_lease,
    "rooms": tour_of_the_rooms,
    "second_factor": tour_of_the_second_factor,
}


@pytest.mark.parametrize("name", TOURS)
async def test_the_statements_built_on_a_tour_of(name: str, tmp_path: Path) -> None:
    seen: dict[str, None] = {}

    def record(
        _connection: Connection, statement: ClauseElement, many: list[dict[str, Any]], _params: object, _options: object
    ) -> None:
        if isinstance(statement, ClauseElement):
            seen[compiled("statement", statement, sorted(many[0]) if many else None)] = None

    async with opened(settings_for(""), tmp_path) as database:
        await upgrade(database)
        for lane in (database.writes, database.reads):
            event.listen(lane.engine.sync_engine, "before_execute", record)
        await TOURS[name](database)
    check(f"{name}_tour", "".join(seen))
