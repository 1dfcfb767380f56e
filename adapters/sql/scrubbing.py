"""What deleting leaves behind in the file of the embedded store, and how it goes."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from adapters.sql.sqlite import BUSY_SECONDS
from kernel.clock import Clock
from kernel.errors import DependencyUnavailable

_LOCKED: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
# Readers end within the timeout of a unit of work; they are waited for.
ATTEMPTS: Final = 40
PAUSE_SECONDS: Final = 0.25
# Nobody writes meanwhile: 0.6 s for this much where it was measured.
REWRITTEN_BYTES: Final = 64 << 20
# However many are erased one after the other, writers have this many times as long to themselves.
REST: Final = 9


class Scrubber:
    """What is deleted is overwritten in its page (PRAGMA secure_delete), but the log of pages before it (WAL) still has
    what there was, and so may free space of a page that rows were moved out of. This writes a small file anew, and
    empties the log. Whoever asks while it is at work shares the next time with everybody else who waits."""

    def __init__(self, database: Path, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self._begun = 0
        self._done = 0
        self._free_at = clock.monotonic()

    async def scrub(self) -> None:
        """Raises DependencyUnavailable when somebody keeps reading what was, or writing; or when the disk is full."""
        wanted = self._begun + 1
        async with self._one_at_a_time:
            if self._done >= wanted:
                return
            await asyncio.sleep(self._free_at - self._clock.monotonic())
            self._begun = number = self._begun + 1
            started = self._clock.monotonic()
            await self._until_done()
            took = self._clock.monotonic() - started
            self._done, self._free_at = number, self._clock.monotonic() + REST * took

    async def _until_done(self) -> None:
        for _ in range(ATTEMPTS):
            if await asyncio.to_thread(_scrubbed, self._database):
                return
            await asyncio.sleep(PAUSE_SECONDS)
        reason = "somebody has been writing, or reading an old state of the file, for too long"
        raise DependencyUnavailable("database", reason)


def _scrubbed(database: Path) -> bool:
    with closing(sqlite3.connect(database, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
        try:
            # Or a copy of everything would lie in a temporary file for a moment.
            connection.execute("PRAGMA temp_store=MEMORY")
            if database.stat().st_size <= REWRITTEN_BYTES:
                connection.execute("VACUUM")
            [busy, _, _] = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF in _LOCKED:
                return False
            raise DependencyUnavailable("database", f"its file cannot be written anew: {error}") from error
    return not busy
