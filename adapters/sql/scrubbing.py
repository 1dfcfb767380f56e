"""What deleting leaves behind in the files of the embedded store, and how it goes."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from adapters.sql.sqlite import BUSY_SECONDS
from kernel.errors import DependencyUnavailable

# Readers end within the timeout of a unit of work; these are looked at one after the other.
ATTEMPTS: Final = 40
PAUSE_SECONDS: Final = 0.25


async def empty_log(database: Path) -> None:
    """What is deleted is overwritten in its page (PRAGMA secure_delete), but the log of pages before it (WAL) still has
    what there was: this writes the pages into the file and empties the log. Raises DependencyUnavailable when somebody
    keeps reading what was."""
    for _ in range(ATTEMPTS):
        if await asyncio.to_thread(_emptied, database):
            return
        await asyncio.sleep(PAUSE_SECONDS)
    raise DependencyUnavailable("database", "somebody has been reading an old state of the file for too long")


def _emptied(database: Path) -> bool:
    with closing(sqlite3.connect(database, timeout=BUSY_SECONDS)) as connection:
        [busy, _, _] = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy
