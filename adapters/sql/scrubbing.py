"""What deleting leaves behind in the file of the embedded store, and how it goes."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from adapters.sql.sqlite import BUSY_SECONDS
from kernel.errors import DependencyUnavailable

# Readers end within the timeout of a unit of work; they are waited for.
ATTEMPTS: Final = 40
PAUSE_SECONDS: Final = 0.25
# Nobody writes meanwhile: 0.6 s for this much where it was measured.
REWRITTEN_BYTES: Final = 64 << 20


async def scrub(database: Path) -> None:
    """What is deleted is overwritten in its page (PRAGMA secure_delete), but the log of pages before it (WAL) still has
    what there was, and so may free space of a page that rows were moved out of. This writes a small file anew, and
    empties the log. Raises DependencyUnavailable when somebody keeps reading what was."""
    for _ in range(ATTEMPTS):
        if await asyncio.to_thread(_scrubbed, database):
            return
        await asyncio.sleep(PAUSE_SECONDS)
    raise DependencyUnavailable("database", "somebody has been writing, or reading an old state of the file, too long")


def _scrubbed(database: Path) -> bool:
    with closing(sqlite3.connect(database, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
        # Or a copy of everything would lie in a temporary file for a moment.
        connection.execute("PRAGMA temp_store=MEMORY")
        try:
            if database.stat().st_size <= REWRITTEN_BYTES:
                connection.execute("VACUUM")
            [busy, _, _] = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.OperationalError:  # locked by whoever writes now
            return False
    return not busy
