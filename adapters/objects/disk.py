"""Files of the local store, the blocking part: every function here runs in a thread of the store's pool.

A file is a header of HEADER bytes (its metadata) followed by the object's bytes, so that both appear, are replaced
and vanish in one rename. A draft becomes visible only by that rename, after both have reached the disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from kernel.errors import NotFound

HEADER: Final = 1024

# Written bytes are pushed to the disk this often: the last fsync of a large object stays short, and one upload
# cannot fill the page cache with dirty pages.
FLUSH_EVERY: Final = 32 << 20

_MAGIC = b"SCO1"


class Metadata(msgspec.Struct, frozen=True):
    content_type: str
    etag: str
    size: int
    modified_at: float


class Damaged(OSError):
    """A file of ours that does not begin with a header of ours."""


@dataclass(frozen=True, slots=True)
class Source:
    """A finished file whose bytes a draft takes over."""

    path: Path
    size: int


class Draft:
    """A file being written; ``commit`` makes it visible, ``discard`` removes every trace.

    The lock lets ``discard`` follow safely when a caller gave up while a step was still running in its thread: the
    descriptor is never closed under a write, and a step that comes after the discard finds the draft closed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._fd = -1
        self._discarded = False
        self._digest = hashlib.sha256()
        self._size = 0
        self._unflushed = 0

    def write(self, piece: bytes) -> None:
        with self._lock:
            self._ensure_open()
            view = memoryview(piece)
            while view:
                view = view[os.write(self._fd, view) :]
            self._digest.update(piece)
            self._moved(len(piece))

    def append(self, source: Source, offset: int, length: int) -> None:
        """Copy ``length`` bytes of a finished file inside the kernel; its digest is known already."""
        with self._lock, source.path.open("rb") as origin:
            self._ensure_open()
            position, end = HEADER + offset, HEADER + offset + length
            while position < end:
                copied = os.sendfile(self._fd, origin.fileno(), position, end - position)
                if not copied:
                    raise Damaged(f"{source.path.name} is shorter than its header says")
                position += copied
            self._moved(length)

    def commit(
        self, target: Path, *, root: Path, content_type: str, modified_at: float, etag: str | None = None
    ) -> Metadata:
        """Visible as ``target`` when this returns; directories between ``root`` and it are made where missing.

        ``etag`` replaces the bytes' SHA-256 where they were not all seen here."""
        with self._lock:
            self._ensure_open()
            metadata = Metadata(content_type, etag or self._digest.hexdigest(), self._size, modified_at)
            os.pwrite(self._fd, _header(metadata), 0)
            os.fsync(self._fd)
            os.close(self._fd)
            self._fd = -1
            make_directories(target.parent, root)
            self._path.replace(target)
            self._discarded = True
            sync_directory(target.parent)
        return metadata

    def discard(self) -> None:
        with self._lock:
            if self._discarded:
                return
            self._discarded = True
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1
            self._path.unlink(missing_ok=True)

    def _ensure_open(self) -> None:
        if self._discarded:
            raise Damaged("the draft was given up")
        if self._fd < 0:
            self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            os.lseek(self._fd, HEADER, os.SEEK_SET)

    def _moved(self, count: int) -> None:
        self._size += count
        self._unflushed += count
        if self._unflushed >= FLUSH_EVERY:
            os.fdatasync(self._fd)
            self._unflushed = 0


class Reader:
    """An open object: what it reads stays whole while the key is replaced or deleted."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._fd = -1
        self._closed = False

    def open(self) -> Metadata:
        with self._lock:
            if self._closed:
                raise Damaged("the reader was given up")
            try:
                self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                raise NotFound("There is no such object.") from None
            return _parse(os.pread(self._fd, HEADER, 0), self._path)

    def read(self, offset: int, length: int) -> bytes:
        with self._lock:
            piece = os.pread(self._fd, length, HEADER + offset)
        if not piece:
            raise Damaged(f"{self._path.name} is shorter than its header says")
        return piece

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1


def metadata_of(path: Path) -> Metadata | None:
    try:
        with path.open("rb", buffering=0) as file:
            return _parse(file.read(HEADER), path)
    except FileNotFoundError:
        return None


def remove(path: Path) -> None:
    """Gone, also after a power cut."""
    try:
        path.unlink()
    except FileNotFoundError:
        return
    sync_directory(path.parent)


def make_directories(path: Path, root: Path) -> None:
    """Everything below ``root`` down to ``path``, each durable in its parent.

    One that another put has just made is synced again: it may not be on the disk yet, and our own promise would
    hang on it.
    """
    if path == root:
        return
    make_directories(path.parent, root)
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _header(metadata: Metadata) -> bytes:
    text = _MAGIC + msgspec.json.encode(metadata)
    if len(text) >= HEADER:
        raise Damaged("metadata does not fit its header")
    return text.ljust(HEADER - 1) + b"\n"


def _parse(header: bytes, path: Path) -> Metadata:
    if len(header) == HEADER and header.startswith(_MAGIC):
        with contextlib.suppress(msgspec.DecodeError):
            return msgspec.json.decode(header[len(_MAGIC) :], type=Metadata)
    raise Damaged(f"{path.name} is not an object of ours: restore it from a backup or remove it")
