"""A zip archive that is written while it is read: whatever its size, little of it is ever in memory."""

from __future__ import annotations

import zipfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from identity import archivepages
from kernel.datarights import Record
from kernel.objects import MultipartUploads, ObjectInfo, Objects, UploadedPart

CONTENT_TYPE = "application/zip"
# Twice what the smallest part of an upload may be.
PART_BYTES = 10 << 20

# A page at a time, so that what packs it is soon done and the event loop goes on.
Records = Callable[[], AsyncIterator[Sequence[Record]]]
Bytes = Callable[[], AsyncIterator[bytes]]


@dataclass(frozen=True, slots=True)
class Table:
    """A list of records, as a JSON file for programs and as a page for people; ``says`` what they are."""

    name: str
    says: str
    pages: Records


@dataclass(frozen=True, slots=True)
class Copy:
    """A file as it is."""

    name: str
    chunks: Bytes


class _Sink:
    """Where zipfile writes; it cannot be searched, so sizes stand behind each file."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, data: bytes) -> int:
        self._written += data
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        taken = bytes(self._written)
        self._written.clear()
        return taken


async def zipped(entries: AsyncIterator[Table | Copy], *, now: float) -> AsyncGenerator[bytes, None]:
    """The archive's bytes. A file that does not get to its end raises, and there is no archive."""
    sink = _Sink()
    moment = datetime.fromtimestamp(now, UTC)
    stamp = (moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second)
    with zipfile.ZipFile(sink, "w") as archive:  # type: ignore[call-overload]
        async for entry in entries:
            for name, pieces in _files(entry):
                info = zipfile.ZipInfo(name, stamp)
                info.external_attr = 0o600 << 16
                # Images do not get smaller.
                info.compress_type = zipfile.ZIP_DEFLATED if isinstance(entry, Table) else zipfile.ZIP_STORED
                with archive.open(info, "w", force_zip64=True) as file:
                    async for piece in pieces:
                        file.write(piece)
                        if ready := sink.take():
                            yield ready
    yield sink.take()


def _files(entry: Table | Copy) -> Iterator[tuple[str, AsyncIterator[bytes]]]:
    if isinstance(entry, Copy):
        yield entry.name, entry.chunks()
    else:
        yield f"{entry.name}.json", _json(entry.pages())
        yield f"{entry.name}.html", _page(entry)


async def _json(pages: AsyncIterator[Sequence[Record]]) -> AsyncIterator[bytes]:
    begun = False
    async for page in pages:
        if page:
            yield (b",\n" if begun else b"[\n") + b",\n".join(msgspec.json.encode(record) for record in page)
            begun = True
    yield b"\n]\n" if begun else b"[]\n"


async def _page(table: Table) -> AsyncIterator[bytes]:
    yield archivepages.beginning(table.name, table.says)
    begun = False
    async for page in table.pages():
        if page:
            head = b"" if begun else archivepages.table_head(list(page[0]))
            yield head + b"".join(archivepages.table_row(record) for record in page)
            begun = True
    if begun:
        yield archivepages.TABLE_END


async def keep(objects: Objects, uploads: MultipartUploads, key: str, chunks: AsyncIterator[bytes]) -> ObjectInfo:
    """Store bytes whose number is not known beforehand. Nothing is left of what failed."""
    pieces = _pieces(chunks)
    first = await anext(pieces, b"")
    if len(first) < PART_BYTES:
        return await objects.put(key, _once(first), size=len(first), content_type=CONTENT_TYPE)
    upload = await uploads.begin(key, content_type=CONTENT_TYPE)
    try:
        parts = [await _put_part(uploads, key, upload, 1, first)]
        async for piece in pieces:
            parts.append(await _put_part(uploads, key, upload, len(parts) + 1, piece))
        return await uploads.complete(key, upload, parts)
    except BaseException:
        await uploads.abort(key, upload)
        raise


async def _put_part(uploads: MultipartUploads, key: str, upload: str, number: int, piece: bytes) -> UploadedPart:
    return await uploads.put_part(key, upload, number, _once(piece), size=len(piece))


async def _pieces(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """All of PART_BYTES or a little more, but for the last."""
    held = bytearray()
    async for chunk in chunks:
        held += chunk
        if len(held) >= PART_BYTES:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)


async def _once(piece: bytes) -> AsyncIterator[bytes]:
    yield piece
