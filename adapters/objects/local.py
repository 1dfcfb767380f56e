"""Objects in a directory of this machine, for a single node; signed URLs lead to this process.

Layout under ``data_dir/objects``: ``shelves/<00-ff>/`` the objects, ``drafts/`` what is being written,
``uploads/<id>/`` the parts of multipart uploads. All of it has to be on one file system: a rename is the commit.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

from adapters.guard import Guard
from adapters.objects import disk
from adapters.objects.drafts import SWEEP_EVERY, Drafts
from adapters.objects.keys import checked_content_type, checked_key, checked_prefix, checked_size
from adapters.objects.local_uploads import LocalUploads
from adapters.objects.pieces import PIECE, Exactly
from adapters.objects.pool import DiskPool, open_disk_pool
from adapters.objects.shelves import SHARDS, Shelves
from adapters.objects.store import ObjectStore
from adapters.objects.tickets import LocalSigner
from config import sections
from kernel.clock import Clock
from kernel.errors import DependencyUnavailable
from kernel.health import ProbeResult
from kernel.metrics import Metrics
from kernel.objects import ObjectInfo

# Below this, uploads are about to fail: better seen in the health report first.
_LITTLE_SPACE: Final = 64 << 20


class LocalObjects:
    def __init__(self, shelves: Shelves, drafts: Drafts, pool: DiskPool, clock: Clock) -> None:
        self._shelves = shelves
        self._drafts = drafts
        self._pool = pool
        self._clock = clock

    async def put(self, key: str, chunks: AsyncIterable[bytes], *, size: int, content_type: str) -> ObjectInfo:
        target, kind = self._shelves.path(checked_key(key)), checked_content_type(content_type)
        pieces = Exactly(chunks, checked_size(size))
        async with self._drafts.new() as draft:
            await self._drafts.fill(draft, pieces)
            committed = partial(
                draft.commit,
                target,
                root=self._shelves.shard(key),
                content_type=kind,
                modified_at=self._clock.now(),
            )
            return _info(key, await self._pool.run(committed))

    @asynccontextmanager
    async def open(self, key: str, *, start: int = 0, length: int | None = None) -> AsyncIterator[AsyncIterator[bytes]]:
        reader = disk.Reader(self._shelves.path(checked_key(key)))
        try:
            metadata = await self._pool.run(reader.open)
            end = metadata.size if length is None else min(metadata.size, start + length)
            yield self._read(reader, start, end)
        finally:
            await self._pool.clean_up(reader.close)

    async def stat(self, key: str) -> ObjectInfo | None:
        found = await self._pool.run(partial(disk.metadata_of, self._shelves.path(checked_key(key))))
        return None if found is None else _info(key, found)

    async def delete(self, key: str) -> None:
        await self._pool.run(partial(disk.remove, self._shelves.path(checked_key(key))))

    async def keys(self, prefix: str, *, after: str = "", limit: int = 1000) -> Sequence[str]:
        return await self._pool.run(partial(self._shelves.keys, checked_prefix(prefix), after, limit))

    async def _read(self, reader: disk.Reader, position: int, end: int) -> AsyncIterator[bytes]:
        while position < end:
            piece = await self._pool.run(partial(reader.read, position, min(PIECE, end - position)))
            yield piece
            position += len(piece)


class LocalDisk:
    """The dependency: a directory that can be written, with some room left."""

    name = "objects"
    required = False

    def __init__(self, root: Path, guard: Guard, pool: DiskPool) -> None:
        self._root = root
        self._guard = guard
        self._pool = pool

    async def probe(self) -> ProbeResult:
        return await self._guard.probe(lambda: self._pool.unguarded(self._look))

    def _look(self) -> None:
        space = os.statvfs(self._root)
        if not os.access(self._root, os.W_OK):
            raise DependencyUnavailable(self.name, f"{self._root} is not writable for this user")
        if space.f_bavail * space.f_frsize < _LITTLE_SPACE:
            raise DependencyUnavailable(self.name, f"less than {_LITTLE_SPACE >> 20} MiB are free below {self._root}")


@asynccontextmanager
async def open_local(
    settings: sections.Objects,
    *,
    data_dir: Path,
    signing_key: bytes,
    base_url: str,
    clock: Clock,
    metrics: Metrics,
) -> AsyncIterator[ObjectStore]:
    root = data_dir / "objects"
    guard = Guard("objects", timeout=settings.timeout, outages=(OSError,), clock=clock, metrics=metrics)
    async with open_disk_pool(guard) as pool:
        shelves, drafts = Shelves(root / "shelves"), Drafts(root / "drafts", pool)
        uploads = LocalUploads(root / "uploads", shelves, drafts, pool, clock)
        await pool.run(partial(_prepare, data_dir, shelves))
        sweeper = asyncio.create_task(_sweep_forever(pool, (drafts.sweep, uploads.sweep), clock))
        try:
            yield ObjectStore(
                objects=LocalObjects(shelves, drafts, pool, clock),
                signer=LocalSigner(signing_key, base_url, clock),
                multipart=uploads,
                dependency=LocalDisk(root, guard, pool),
                signs_own_urls=True,
            )
        finally:
            sweeper.cancel()
            with suppress(asyncio.CancelledError):
                await sweeper


def _prepare(data_dir: Path, shelves: Shelves) -> None:
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    root = data_dir / "objects"
    for directory in (root / "drafts", root / "uploads", shelves.root):
        disk.make_directories(directory, data_dir)
    for number in range(SHARDS):
        (shelves.root / f"{number:02x}").mkdir(mode=0o700, exist_ok=True)
    disk.sync_directory(shelves.root)


async def _sweep_forever(pool: DiskPool, sweeps: Sequence[Callable[[float], int]], clock: Clock) -> None:
    while True:
        for sweep in sweeps:
            # A disk that is away is everyone's trouble and reported as such; the next round comes anyway.
            with suppress(DependencyUnavailable):
                await pool.run(partial(sweep, clock.now()))
        await asyncio.sleep(SWEEP_EVERY)


def _info(key: str, metadata: disk.Metadata) -> ObjectInfo:
    return ObjectInfo(key, metadata.size, metadata.content_type, metadata.etag, metadata.modified_at)
