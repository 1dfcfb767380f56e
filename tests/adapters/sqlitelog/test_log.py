"""What the embedded log promises beyond its port: full disks, damaged files, locks, bounds, closing."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import stat
import threading
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from adapters.sqlitelog import file, writer
from adapters.sqlitelog.log import SqliteLogStores, open_sqlite_log
from config.sections import Messages
from config.values import Duration
from kernel.breaker import Circuit
from kernel.clock import SystemClock
from kernel.errors import Conflict, DependencyUnavailable, Overloaded
from kernel.ids import IdGenerator
from kernel.messagelog import MAX_BODY, LogEntry
from kernel.metrics import Metrics

TIMEOUT = 1.0
RECOVERY = 2.0

ids = IdGenerator(SystemClock())


@asynccontextmanager
async def opened(path: Path, *, timeout: float = TIMEOUT) -> AsyncIterator[SqliteLogStores]:
    settings = Messages(timeout=Duration(timeout))
    async with open_sqlite_log(settings, path, clock=SystemClock(), metrics=Metrics()) as stores:
        yield stores


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "messages.db"


def entry(body: bytes = b"hi", *, conversation: uuid.UUID | None = None) -> LogEntry:
    return LogEntry(conversation or uuid.uuid4(), ids.next(), uuid.uuid4().hex, body)


@contextmanager
def disk_full_at(size: int) -> Iterator[None]:
    """No file of this process may grow beyond ``size``: to SQLite that is a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def locked_by_another(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


def damage(path: Path) -> None:
    """The head of every page but the first, which describes the schema."""
    with path.open("r+b") as damaged:
        for page in range(2, path.stat().st_size // file.PAGE_SIZE):
            damaged.seek(page * file.PAGE_SIZE)
            damaged.write(b"\xff" * 64)


async def append_when_possible(stores: SqliteLogStores) -> float:
    """Answers how long that took."""
    started = time.monotonic()
    async with asyncio.timeout(10):
        while True:
            try:
                await stores.messages.append(entry())
            except DependencyUnavailable as failure:
                await asyncio.sleep(failure.retry_after or 0.05)
            else:
                return time.monotonic() - started


async def test_what_was_written_is_there_after_reopening(path: Path) -> None:
    given = entry()
    async with opened(path) as stores:
        await stores.messages.append(given)
    async with opened(path) as stores:
        assert await stores.messages.get(given.conversation, given.id) == given


async def test_every_commit_waits_for_the_disk(path: Path) -> None:
    connection = file.open_for_writing(path)
    with closing(connection):
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_the_files_belong_to_the_server_alone(path: Path) -> None:
    async with opened(path) as stores:
        await stores.messages.append(entry())
        modes = {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    assert modes == {0o600}


async def test_a_full_disk_is_an_outage_of_writing_that_ends_with_it(path: Path) -> None:
    kept = entry()
    async with opened(path) as stores:
        await stores.messages.append(kept)
        acknowledged = [kept]
        with disk_full_at(8 << 20):
            failures: list[DependencyUnavailable] = []
            while stores.guard.circuit is Circuit.CLOSED:
                try:
                    acknowledged.append(await stores.messages.append(entry(bytes(MAX_BODY))))
                except DependencyUnavailable as failure:
                    failures.append(failure)
            assert "disk" in failures[0].detail
            assert str(path.parent) not in failures[0].detail
        with disk_full_at(4096):
            assert not (await stores.dependency.probe()).ok
            assert await stores.messages.get(kept.conversation, kept.id) == kept
        assert await append_when_possible(stores) <= RECOVERY
        assert (await stores.dependency.probe()).ok
        for each in acknowledged:
            assert await stores.messages.get(each.conversation, each.id) == each


async def test_a_locked_file_is_explained_and_waited_out(path: Path) -> None:
    async with opened(path, timeout=3.0) as stores:
        with locked_by_another(path), pytest.raises(DependencyUnavailable, match="second server"):
            await stores.messages.append(entry())
        assert await append_when_possible(stores) <= RECOVERY


async def test_opening_a_locked_file_says_who_may_hold_it(path: Path) -> None:
    async with opened(path):
        pass
    with locked_by_another(path), pytest.raises(DependencyUnavailable, match="another process holds its file locked"):
        async with opened(path, timeout=3.0):
            pass


async def test_opening_what_is_no_database_says_so_and_leaves_it_alone(path: Path) -> None:
    letter = b"a letter to grandmother " * 1000
    await asyncio.to_thread(path.write_bytes, letter)
    with pytest.raises(DependencyUnavailable, match=r"messages\.db.*is not a SQLite database.*backup"):
        async with opened(path):
            pass
    assert await asyncio.to_thread(path.read_bytes) == letter


async def test_opening_a_file_of_a_newer_release_says_so(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {file.SCHEMA_VERSION + 1}")
    with pytest.raises(DependencyUnavailable, match="newer release"):
        async with opened(path):
            pass


async def test_opening_in_a_directory_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(DependencyUnavailable, match="No such file or directory"):
        async with opened(tmp_path / "missing" / "messages.db"):
            pass


async def test_a_file_damaged_while_in_use_is_explained(path: Path) -> None:
    conversation = uuid.uuid4()
    async with opened(path) as stores:
        for _ in range(40):
            await stores.messages.append(entry(bytes(100_000), conversation=conversation))
    async with opened(path) as stores:
        await asyncio.to_thread(damage, path)
        with pytest.raises(DependencyUnavailable, match="restore it from a backup"):
            await stores.messages.before(conversation, None, limit=40)
        with pytest.raises(DependencyUnavailable, match="restore it from a backup"):
            await stores.messages.append(entry(conversation=conversation))


async def test_opening_a_damaged_file_says_so(path: Path) -> None:
    async with opened(path) as stores:
        await stores.messages.append(entry())
    await asyncio.to_thread(damage, path)
    with pytest.raises(DependencyUnavailable, match="is damaged; stop the server and restore it from a backup"):
        async with opened(path):
            pass


async def test_an_entry_that_cannot_be_written_fails_alone(path: Path) -> None:
    good = [entry() for _ in range(20)]
    conversation: Any = "not an id"
    unfit = LogEntry(conversation, ids.next(), "k", b"")
    async with opened(path) as stores:
        together = [*good[:10], unfit, *good[10:]]
        outcomes = await asyncio.gather(*map(stores.messages.append, together), return_exceptions=True)
    assert [outcome for outcome in outcomes if isinstance(outcome, LogEntry)] == good
    assert isinstance(outcomes[10], AttributeError)


async def test_in_one_batch_each_gets_its_own_answer(path: Path) -> None:
    """All of these wait while the writer is held up, so they are one transaction."""
    conversation = uuid.uuid4()
    first = entry(conversation=conversation)
    same_key = LogEntry(conversation, ids.next(), first.key, b"retried")
    same_id = LogEntry(conversation, first.id, "another key", b"")
    async with opened(path, timeout=5.0) as stores:
        log = stores.messages
        with locked_by_another(path):
            held_up = asyncio.create_task(log.append(entry()))
            await asyncio.sleep(0.1)
            calls = [
                asyncio.create_task(log.append(first)),
                asyncio.create_task(log.append(same_key)),
                asyncio.create_task(log.append(same_id)),
                asyncio.create_task(log.amend(conversation, first.id, expected_version=1, body=b"amended")),
                asyncio.create_task(log.amend(conversation, first.id, expected_version=1, body=b"late")),
                asyncio.create_task(log.append(first)),
            ]
            await asyncio.sleep(0.1)
        await held_up
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    amended = LogEntry(conversation, first.id, first.key, b"amended", 2)
    assert outcomes[:2] == [first, first]
    assert isinstance(outcomes[2], Conflict)
    assert outcomes[3] == amended
    assert isinstance(outcomes[4], Conflict)
    assert outcomes[5] == amended


async def test_beyond_its_bound_the_queue_refuses_and_what_it_holds_is_written(path: Path) -> None:
    large = bytes(MAX_BODY)
    fits = writer.MAX_WAITING_BYTES // MAX_BODY
    async with opened(path, timeout=10.0) as stores:
        calls = [asyncio.create_task(stores.messages.append(entry(large))) for _ in range(fits + 10)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, Overloaded)]
    written = [outcome for outcome in outcomes if isinstance(outcome, LogEntry)]
    assert len(refused) + len(written) == fits + 10
    assert len(refused) >= 1
    assert len(written) >= fits


async def test_a_disk_that_hangs_fails_everyone_within_the_timeout(path: Path) -> None:
    """The lock of another process, held longer than the timeout, stands for it."""
    async with opened(path, timeout=0.4) as stores:
        slowest = 0.0

        async def send() -> None:
            nonlocal slowest
            started = time.monotonic()
            with pytest.raises(DependencyUnavailable):
                await stores.messages.append(entry())
            slowest = max(slowest, time.monotonic() - started)

        with locked_by_another(path):
            async with asyncio.TaskGroup() as senders:
                for _ in range(100):
                    senders.create_task(send())
                    await asyncio.sleep(0.01)
        assert slowest <= 0.4 * 1.2
        assert await append_when_possible(stores) <= RECOVERY


async def test_closing_writes_what_waits_and_ends_every_thread(path: Path) -> None:
    given = [entry() for _ in range(2000)]
    async with opened(path) as stores:
        calls = [asyncio.create_task(stores.messages.append(each)) for each in given]
        await asyncio.sleep(0)
    assert await asyncio.gather(*calls) == given
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("messages-")]
    with pytest.raises(DependencyUnavailable, match="stopping"):
        await stores.messages.append(entry())


async def test_what_is_forgotten_is_not_in_the_file_any_more(path: Path) -> None:
    secret = b"the word that must not remain" * 50
    conversation = uuid.uuid4()
    async with opened(path) as stores:
        await stores.messages.append(entry(secret, conversation=conversation))
        await stores.messages.forget(conversation, older_than=ids.next())
    assert secret[:29] not in await asyncio.to_thread(path.read_bytes)
