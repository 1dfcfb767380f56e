"""What was deleted is not in the files of the embedded store any more, however it was moved about before."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from adapters.sql import scrubbing, sqlite
from adapters.sql.scrubbing import Scrubber
from adapters.sql.sqlite import FILE_NAME
from adapters.sql.units import sql_of
from kernel.clock import SystemClock
from kernel.errors import DependencyUnavailable
from kernel.units import Transaction
from tests.adapters.sql.relational import add_note, create_notes, opened, settings_for

MARK = b"zebulon"


def scrubber(folder: Path) -> Scrubber:
    return Scrubber(folder / FILE_NAME, SystemClock())


def traces(folder: Path) -> int:
    return sum(file.read_bytes().count(MARK) for file in folder.iterdir() if file.is_file())


@pytest.mark.parametrize("rewritten", [0, scrubbing.REWRITTEN_BYTES])
async def test_what_was_deleted_is_in_no_file(rewritten: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the file is too large to be written anew: the page is overwritten, and the log is empty."""
    monkeypatch.setattr(scrubbing, "REWRITTEN_BYTES", rewritten)
    async with opened(settings_for(""), tmp_path) as database:
        await create_notes(database)
        await database.units.write(lambda unit: add_note(unit, 1, MARK.decode()))
        await database.units.write(lambda unit: add_note(unit, 2, "somebody else"))
        assert traces(tmp_path) > 0
        await database.units.write(_delete)
        await scrubber(tmp_path).scrub()
        assert traces(tmp_path) == 0
        await database.units.write(lambda unit: add_note(unit, 3, "life goes on"))


async def _delete(unit: Transaction) -> None:
    await sql_of(unit).connection.exec_driver_sql("DELETE FROM notes WHERE id = 1")


def moved_about(file: Path) -> None:
    """Rows of many sizes come, grow and go, so that pages are divided and joined; then all that are marked go."""
    chance = random.Random(7)  # noqa: S311
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for pragma in (*sqlite._PRAGMAS, "synchronous=OFF"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("CREATE TABLE t (id BLOB PRIMARY KEY, who TEXT, body TEXT)")
        connection.execute("CREATE INDEX i ON t (who, body)")
        ids = [chance.randbytes(16) for _ in range(3000)]
        for number, identifier in enumerate(ids):
            who = MARK.decode() if chance.random() < 0.05 else f"other {chance.randrange(500)}"
            connection.execute("INSERT INTO t VALUES (?, ?, ?)", (identifier, who, who + "x" * chance.randrange(300)))
            growing = (chance.randrange(1500), ids[chance.randrange(number + 1)])
            connection.execute("UPDATE t SET body = who || substr(hex(zeroblob(800)), 1, ?) WHERE id = ?", growing)
        connection.execute("DELETE FROM t WHERE who = ?", (MARK.decode(),))


async def test_a_file_whose_rows_were_moved_about_is_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await asyncio.to_thread(moved_about, tmp_path / FILE_NAME)
    monkeypatch.setattr(scrubbing, "REWRITTEN_BYTES", 0)
    await scrubber(tmp_path).scrub()
    assert traces(tmp_path) > 0, "the reason for writing it anew"
    monkeypatch.undo()
    await scrubber(tmp_path).scrub()
    assert traces(tmp_path) == 0


async def test_who_reads_an_old_state_is_waited_for_and_then_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scrubbing, "PAUSE_SECONDS", 0.01)
    async with opened(settings_for(""), tmp_path) as database:
        await create_notes(database)
        await database.units.write(lambda unit: add_note(unit, 1, MARK.decode()))
        with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM notes").fetchall()
            await database.units.write(_delete)
            monkeypatch.setattr(scrubbing, "ATTEMPTS", 1)
            with pytest.raises(DependencyUnavailable, match="reading an old state"):
                await scrubber(tmp_path).scrub()
            reader.execute("ROLLBACK")
        await scrubber(tmp_path).scrub()
        assert traces(tmp_path) == 0


async def test_a_writer_is_waited_for_and_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrubbing, "PAUSE_SECONDS", 0.01)
    async with opened(settings_for(""), tmp_path) as database:
        await create_notes(database)
        with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as writer:
            writer.execute("BEGIN IMMEDIATE")
            waiting = asyncio.create_task(scrubber(tmp_path).scrub())
            await asyncio.sleep(0.4)
            assert not waiting.done()
            writer.execute("ROLLBACK")
            await waiting

    class Full:
        def execute(self, _statement: str) -> None:
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error

        def close(self) -> None:
            """Nothing is open."""

    monkeypatch.setattr(sqlite3, "connect", lambda *_, **__: Full())
    with pytest.raises(DependencyUnavailable, match="disk is full"):
        await scrubber(tmp_path).scrub()


async def test_however_many_ask_at_once_it_is_done_twice_and_writers_have_time_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times: list[tuple[float, float]] = []
    really = scrubbing._scrubbed

    def noted(file: Path) -> bool:
        started = time.monotonic()
        time.sleep(0.02)
        done = really(file)
        times.append((started, time.monotonic()))
        return done

    monkeypatch.setattr(scrubbing, "_scrubbed", noted)
    async with opened(settings_for(""), tmp_path) as database:
        await create_notes(database)
        shared = scrubber(tmp_path)
        first = asyncio.create_task(shared.scrub())
        await asyncio.sleep(0.01)
        # Too late for the first: what they deleted may have been written behind it.
        await asyncio.gather(first, *(shared.scrub() for _ in range(10)))
    [one, other] = times
    assert other[0] - one[1] >= 8 * (one[1] - one[0])
