"""Bytes on their way through: pieces of a bounded size, and never more or fewer than announced."""

from __future__ import annotations

from collections.abc import AsyncIterable
from typing import Final, Self

from kernel.errors import Malformed

# Big enough that a hop into a thread (about 50 us) vanishes beside the work, small enough that hashing one
# piece (under 0.5 ms) is no stall.
PIECE: Final = 128 << 10


class Exactly:
    """The same bytes in pieces of at most PIECE.

    Raises Malformed ``size_mismatch`` when there are more or fewer than ``size``, always before the last piece is
    handed out: whoever commits on the last byte never commits a wrong object. An iterator rather than a generator,
    for it is left half-way in another task when a transfer breaks, and has nothing that needs closing.
    """

    def __init__(self, chunks: AsyncIterable[bytes], size: int) -> None:
        self._source = aiter(chunks)
        self._size = size
        self._missing = size
        self._held = bytearray()
        self._ended = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while len(self._held) <= PIECE and not self._ended:
            await self._pull()
        if not self._held:
            raise StopAsyncIteration
        piece = bytes(self._held[:PIECE])
        del self._held[:PIECE]
        return piece

    async def whole(self) -> bytes:
        """All of it at once, for what is known to be small."""
        return b"".join([piece async for piece in self])

    async def _pull(self) -> None:
        chunk = await anext(self._source, None)
        if chunk is None:
            self._ended = True
            if self._missing:
                raise self._mismatch("fewer")
            return
        self._missing -= len(chunk)
        if self._missing < 0:
            raise self._mismatch("more")
        self._held += chunk

    def _mismatch(self, which: str) -> Malformed:
        return Malformed(f"{self._size} bytes were announced and {which} arrived.", code="size_mismatch")
