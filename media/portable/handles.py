"""Handles of one kind. What has ended is never found again under any name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from media.engine import Gone

Handle = TypeVar("Handle", bound=int)
Held = TypeVar("Held")


class Handles(Generic[Handle, Held]):
    def __init__(self) -> None:
        self._held: dict[Handle, Held] = {}

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Held]:
        """Those there are now, whatever ends meanwhile."""
        return iter(list(self._held.values()))

    def put(self, handle: Handle, held: Held) -> None:
        self._held[handle] = held

    def __getitem__(self, handle: Handle) -> Held:
        """Raises Gone."""
        held = self._held.get(handle)
        if held is None:
            raise Gone(handle)
        return held

    def get(self, handle: Handle) -> Held | None:
        return self._held.get(handle)

    def end(self, handle: Handle) -> None:
        self._held.pop(handle, None)
