"""What is heard of something that goes on by itself: bounded, the oldest lost when nobody reads."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Stream(Generic[Item]):
    """An async iterator, from when it is made until ``close`` or the end of what it hears of; also an async context
    manager. ``lost`` counts what was not read in time."""

    def __init__(self, most: int, on_close: Callable[[Stream[Item]], None]) -> None:
        self.lost = 0
        self._items: deque[Item] = deque()
        self._most = most
        self._on_close = on_close
        self._something = asyncio.Event()
        self._ended = False
        self._closed = False

    def put(self, item: Item) -> None:
        if self._ended:
            return
        if len(self._items) >= self._most:
            self._items.popleft()
            self.lost += 1
        self._items.append(item)
        self._something.set()

    def end(self) -> None:
        """What is there can still be read."""
        self._ended = True
        self._something.set()

    def close(self) -> None:
        """May be called again."""
        self.end()
        self._items.clear()
        if not self._closed:
            self._closed = True
            self._on_close(self)

    def __aiter__(self) -> Stream[Item]:
        return self

    async def __anext__(self) -> Item:
        while not self._items:
            if self._ended:
                raise StopAsyncIteration
            self._something.clear()
            await self._something.wait()
        return self._items.popleft()

    async def __aenter__(self) -> Stream[Item]:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
