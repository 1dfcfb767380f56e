"""The embedded store: what its file is, and what survives the end of our process."""

from __future__ import annotations

import asyncio
import stat
import sys
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import InvalidRequestError

from adapters.sql.sqlite import FILE_NAME
from adapters.sql.units import sql_of
from kernel.errors import DependencyUnavailable
from kernel.units import Transaction
from tests.adapters.sql.relational import add_note, create_notes, noted, notes, opened, settings_for


async def test_its_files_belong_to_their_owner_alone(tmp_path: Path) -> None:
    async with opened(settings_for(""), tmp_path / "new") as database:
        await create_notes(database)
        files = sorted((tmp_path / "new").iterdir())
        assert [path.name for path in files] == [FILE_NAME, f"{FILE_NAME}-shm", f"{FILE_NAME}-wal"]
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


async def test_writes_are_synced_and_references_enforced(tmp_path: Path) -> None:
    async def pragmas(transaction: Transaction) -> list[object]:
        connection = sql_of(transaction).connection
        names = ("journal_mode", "synchronous", "foreign_keys", "query_only")
        return [(await connection.execute(text(f"PRAGMA {name}"))).scalar_one() for name in names]

    async with opened(settings_for(""), tmp_path) as database:
        full = 2
        assert await database.units.write(pragmas) == ["wal", full, 1, 0]
        assert await database.units.read(pragmas) == ["wal", full, 1, 1]


async def test_reads_go_on_while_a_unit_writes(tmp_path: Path) -> None:
    async with opened(settings_for(""), tmp_path) as database:
        await create_notes(database)

        async def look_from_outside(transaction: Transaction) -> list[int]:
            await add_note(transaction, 1)
            return await database.units.read(noted)

        assert await database.units.write(look_from_outside) == []
        assert await database.units.read(noted) == [1]


async def test_results_are_not_streamed(tmp_path: Path) -> None:
    """One left half read would show the next unit on its connection the past."""

    async def stream(transaction: Transaction) -> None:
        await sql_of(transaction).connection.stream(select(notes))

    async with opened(settings_for(""), tmp_path) as database:
        await create_notes(database)
        with pytest.raises(InvalidRequestError, match="server side cursors"):
            await database.units.read(stream)


async def test_a_file_that_is_no_database_is_an_outage_with_its_cause(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"something else entirely" * 100)
    async with opened(settings_for(""), tmp_path) as database:
        with pytest.raises(DependencyUnavailable, match="the database file is not a database"):
            await database.units.read(noted)
        assert not (await database.dependency.probe()).ok


WRITER = """
import asyncio, sys
from pathlib import Path
from tests.adapters.sql.relational import add_note, create_notes, opened, settings_for

async def write():
    async with opened(settings_for(""), Path(sys.argv[1])) as database:
        await create_notes(database)

        async def writer(first):
            for number in range(first, 1_000_000, 4):
                await database.units.write(lambda unit: add_note(unit, number))
                sys.stdout.write(f"{number}\\n")
                sys.stdout.flush()

        await asyncio.gather(*(writer(first) for first in range(4)))

asyncio.run(write())
"""


async def test_what_was_acknowledged_survives_a_kill_of_our_process(tmp_path: Path) -> None:
    writer = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", WRITER, str(tmp_path)), stdout=asyncio.subprocess.PIPE
    )
    assert writer.stdout is not None
    lines = [await writer.stdout.readline() for _ in range(200)]
    writer.kill()
    lines += (await writer.stdout.read()).splitlines(keepends=True)
    await writer.wait()
    acknowledged = {int(line) for line in lines if line.endswith(b"\n")}
    assert len(acknowledged) >= 200
    async with opened(settings_for(""), tmp_path) as database:
        assert acknowledged <= set(await database.units.read(noted))
        await database.units.write(lambda unit: add_note(unit, 1_000_001))
