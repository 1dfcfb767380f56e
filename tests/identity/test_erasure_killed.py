"""A server that is killed in the middle of erasing somebody goes on with it when it is back."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from uuid import UUID

import aiohttp
import pytest

from adapters.sql.sqlite import FILE_NAME
from tests.identity.devices import Device
from tests.product.processes import PROGRAM, ServerProcess
from tests.worlds import Person

# A claim that died with its worker is taken over soon, and every look for jobs comes soon.
SETTINGS = {"LIMITS_ENABLED": "false", "JOBS_LEASE": "1s", "JOBS_POLL": "20ms"}


def tables_that_name(database: Path, person: UUID) -> set[str]:
    """In any column, as bytes or as text."""
    found = set()
    with closing(sqlite3.connect(database)) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in connection.execute(f"SELECT * FROM {table}"):
                if any(value in (person.bytes, str(person)) for value in row):
                    found.add(table)
    return found


def steps_counted(database: Path) -> tuple[int, bool]:
    """Kinds of things that the report has, and whether it is finished."""
    with closing(sqlite3.connect(database)) as connection:
        [[counts, finished_at]] = connection.execute("SELECT counts, finished_at FROM erasures").fetchall()
        return counts.count(":"), finished_at is not None


@pytest.mark.slow(alone=False)
async def test_sigkill_at_any_moment_only_delays_it(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, settings=SETTINGS, command=tuple(PROGRAM))
    await server.start()
    try:
        async with aiohttp.ClientSession(server.url) as session:
            ada = Person(session, email="ada@example.org", username="ada")
            body = {"email": ada.email, "username": "ada", "password": ada.password}
            ada.id = UUID((await ada.post("/v1/auth/register", body)).body["id"])
            await ada.sign_in()
            assert (await ada.post("/v1/keys/upload", Device("phone").body(range(1, 50)))).status < 300
            assert (await ada.ask("DELETE", "/v1/users/me", {"password": ada.password})).status == 202
        database = server.data_dir / FILE_NAME
        seen: list[int] = []
        done = False
        while not done:
            # Later each time, so that it gets to its end at last.
            await asyncio.sleep(0.02 * len(seen))
            await server.kill()
            steps, done = await asyncio.to_thread(steps_counted, database)
            seen.append(steps)
            await server.start()
        assert seen == sorted(seen)
        assert await asyncio.to_thread(tables_that_name, database, ada.id) == set()
    finally:
        server.end()
