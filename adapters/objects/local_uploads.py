"""Multipart uploads of the local store: a directory an upload, a file a part, joined inside the kernel."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import AsyncIterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from adapters.objects import disk
from adapters.objects.drafts import Drafts, is_abandoned
from adapters.objects.keys import (
    MIN_PART,
    checked_content_type,
    checked_key,
    checked_number,
    checked_parts,
    checked_size,
)
from adapters.objects.pieces import Exactly
from adapters.objects.pool import DiskPool
from adapters.objects.shelves import Shelves
from kernel.clock import Clock
from kernel.errors import NotFound, SecureConnectError, Unprocessable
from kernel.objects import ObjectInfo, UploadedPart

# What the upload will become: its key as the file's bytes, its content type in the header.
_TARGET: Final = "target"
_ID = re.compile(r"[0-9a-f]{32}")

# One step of joining: a third of a second on a slow disk, well inside the timeout.
_JOINED_AT_ONCE: Final = 64 << 20


class LocalUploads:
    """MultipartUploads in ``directory``; an upload nobody touched for drafts.ABANDONED_AFTER is swept."""

    def __init__(self, directory: Path, shelves: Shelves, drafts: Drafts, pool: DiskPool, clock: Clock) -> None:
        self._directory = directory
        self._shelves = shelves
        self._drafts = drafts
        self._pool = pool
        self._clock = clock

    async def begin(self, key: str, *, content_type: str) -> str:
        upload = secrets.token_hex(16)
        begun = partial(self._begin, upload, checked_key(key), checked_content_type(content_type))
        await self._pool.run(begun)
        return upload

    async def put_part(
        self, key: str, upload: str, number: int, chunks: AsyncIterable[bytes], *, size: int
    ) -> UploadedPart:
        name, pieces = f"{checked_number(number):05}", Exactly(chunks, checked_size(size))
        opened = await self._pool.run(partial(self._opened, key, upload))
        async with self._drafts.new() as draft:
            await self._drafts.fill(draft, pieces)
            part = await self._pool.run(partial(self._keep, draft, opened, name))
        return UploadedPart(number, part.etag)

    async def parts(self, key: str, upload: str) -> Sequence[UploadedPart]:
        def listed() -> list[UploadedPart]:
            opened = self._opened(key, upload)
            return [UploadedPart(number, part.etag) for number, part in opened.parts().items()]

        return await self._pool.run(listed)

    async def complete(self, key: str, upload: str, parts: Sequence[UploadedPart]) -> ObjectInfo:
        ordered = checked_parts(parts)
        etag = _joined_etag(ordered)
        try:
            opened = await self._pool.run(partial(self._opened, key, upload))
            sources = await self._pool.run(partial(_chosen, opened, ordered))
            made = await self._join(key, opened, sources, etag)
        except NotFound:
            # A repeated complete whose first answer got lost, or two at the same time: the object tells.
            found = await self._pool.run(partial(disk.metadata_of, self._shelves.path(key)))
            if found is None or found.etag != etag:
                raise _no_such_upload() from None
            made = found
        else:
            await self._pool.clean_up(partial(self._forget, opened.folder))
        return ObjectInfo(key, made.size, made.content_type, made.etag, made.modified_at)

    async def abort(self, key: str, upload: str) -> None:
        def aborted() -> None:
            with suppress(NotFound):
                self._forget(self._opened(key, upload).folder)

        await self._pool.run(aborted)

    def sweep(self, now: float) -> int:
        """Remove uploads nobody came back to. Blocking; answers how many."""
        abandoned = [path for path in self._directory.iterdir() if is_abandoned(path, now)]
        for path in abandoned:
            self._forget(path)
        return len(abandoned)

    async def _join(self, key: str, opened: _Opened, sources: Sequence[disk.Source], etag: str) -> disk.Metadata:
        async with self._drafts.new() as draft:
            for source in sources:
                for offset in range(0, source.size, _JOINED_AT_ONCE):
                    length = min(_JOINED_AT_ONCE, source.size - offset)
                    await self._pool.run(partial(_append, draft, source, offset, length))
            committed = partial(
                draft.commit,
                self._shelves.path(key),
                root=self._shelves.shard(key),
                content_type=opened.content_type,
                modified_at=self._clock.now(),
                etag=etag,
            )
            return await self._pool.run(committed)

    def _begin(self, upload: str, key: str, content_type: str) -> None:
        folder = self._directory / upload
        disk.make_directories(folder, self._directory)
        draft = disk.Draft(folder / "draft")
        draft.write(key.encode())
        draft.commit(folder / _TARGET, root=folder, content_type=content_type, modified_at=self._clock.now())

    def _opened(self, key: str, upload: str) -> _Opened:
        checked_key(key)
        folder = self._directory / upload
        target = disk.metadata_of(folder / _TARGET) if _ID.fullmatch(upload) else None
        if target is None or (folder / _TARGET).read_bytes()[disk.HEADER :] != key.encode():
            raise _no_such_upload()
        return _Opened(folder, target.content_type)

    def _keep(self, draft: disk.Draft, opened: _Opened, name: str) -> disk.Metadata:
        try:
            return draft.commit(
                opened.folder / name,
                root=opened.folder,
                content_type=opened.content_type,
                modified_at=self._clock.now(),
            )
        except FileNotFoundError:
            raise _no_such_upload() from None

    def _forget(self, folder: Path) -> None:
        with suppress(FileNotFoundError):
            self._drafts.remove_tree(folder)


class _Opened:
    """An upload that is there; its methods block."""

    def __init__(self, folder: Path, content_type: str) -> None:
        self.folder = folder
        self.content_type = content_type

    def parts(self) -> dict[int, disk.Metadata]:
        found = {}
        for path in sorted(self.folder.glob("[0-9]*")):
            part = disk.metadata_of(path)
            if part is not None:
                found[int(path.name)] = part
        return found

    def source(self, number: int, size: int) -> disk.Source:
        return disk.Source(self.folder / f"{number:05}", size)


def _append(draft: disk.Draft, source: disk.Source, offset: int, length: int) -> None:
    try:
        draft.append(source, offset, length)
    except FileNotFoundError:
        raise _no_such_upload() from None


def _chosen(opened: _Opened, ordered: Sequence[UploadedPart]) -> list[disk.Source]:
    present = opened.parts()
    if not opened.folder.exists():
        raise _no_such_upload()
    for part in ordered:
        if part.number not in present or present[part.number].etag != part.etag:
            raise Unprocessable(f"Part {part.number} is missing or was replaced since.", code="invalid_part")
    if any(present[part.number].size < MIN_PART for part in ordered[:-1]):
        raise Unprocessable(f"Every part but the last has at least {MIN_PART} bytes.", code="part_too_small")
    return [opened.source(part.number, present[part.number].size) for part in ordered]


def _joined_etag(ordered: Sequence[UploadedPart]) -> str:
    digests = "\n".join(part.etag for part in ordered)
    return f"{hashlib.sha256(digests.encode()).hexdigest()}-{len(ordered)}"


def _no_such_upload() -> SecureConnectError:
    return NotFound("There is no such upload; it was completed, aborted or abandoned.", code="upload_not_found")
