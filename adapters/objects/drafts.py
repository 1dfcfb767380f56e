"""Where the local store writes before anything becomes visible, and what becomes of what was given up."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

from adapters.objects.disk import Draft
from adapters.objects.pool import DiskPool

# A draft's time of change moves with every piece: one this old belongs to a process that died.
# An upload may rest between its parts, for instance over a night without a network.
ABANDONED_AFTER: Final = 24 * 3600.0
SWEEP_EVERY: Final = 3600.0


class Drafts:
    """``directory`` holds drafts and what is on its way out; nothing in it is ever part of an object."""

    def __init__(self, directory: Path, pool: DiskPool) -> None:
        self._directory = directory
        self._pool = pool

    @asynccontextmanager
    async def new(self) -> AsyncIterator[Draft]:
        """A draft that leaves nothing behind unless the block commits it."""
        draft = Draft(self._unused())
        try:
            yield draft
        except BaseException:
            await self._pool.clean_up(draft.discard)
            raise

    async def fill(self, draft: Draft, pieces: AsyncIterable[bytes]) -> None:
        async for piece in pieces:
            await self._pool.run(partial(draft.write, piece))

    def remove_tree(self, tree: Path) -> None:
        """Out of sight in one rename, then gone; raises FileNotFoundError when it already was. Blocking."""
        doomed = self._unused()
        tree.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)

    def sweep(self, now: float) -> int:
        """Remove what a killed process left. Blocking; answers how many."""
        abandoned = [path for path in self._directory.iterdir() if is_abandoned(path, now)]
        for path in abandoned:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        return len(abandoned)

    def _unused(self) -> Path:
        return self._directory / secrets.token_hex(16)


def is_abandoned(path: Path, now: float) -> bool:
    try:
        return now - path.stat().st_mtime > ABANDONED_AFTER
    except FileNotFoundError:
        return False
