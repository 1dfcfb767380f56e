"""Bytes on their way through: pieces of a bounded size, and never more or fewer than announced."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator

from kernel.errors import Malformed

# Big enough that a hop into a thread (about 50 us) vanishes beside the work, small enough that hashing one
# piece (under 0.5 ms) is no stall.
PIECE = 128 << 10


async def exactly(chunks: AsyncIterable[bytes], size: int) -> AsyncIterator[bytes]:
    """The same bytes in pieces of at most PIECE.

    Raises Malformed ``size_mismatch`` when there are more or fewer than ``size``, always before the last piece is
    handed out: whoever commits on the last byte never commits a wrong object.
    """
    missing = size
    held = bytearray()
    async for chunk in chunks:
        missing -= len(chunk)
        if missing < 0:
            raise _mismatch(size, "more")
        held += chunk
        while len(held) > PIECE:
            yield bytes(held[:PIECE])
            del held[:PIECE]
    if missing:
        raise _mismatch(size, "fewer")
    if held:
        yield bytes(held)


def _mismatch(size: int, which: str) -> Malformed:
    return Malformed(f"{size} bytes were announced and {which} arrived.", code="size_mismatch")
