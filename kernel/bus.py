"""The event bus: wakes whoever listens now. It keeps nothing; what must be replayed is read from a store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class BusEvent:
    channel: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class EventsLost:
    """Events of these channels were dropped (a full queue, a lost connection); read the store to catch up."""

    channels: frozenset[str]
    reason: str


class Subscription(Protocol):
    """Events in publishing order per channel. Its queue is bounded: the oldest are dropped and one
    ``EventsLost`` takes their place, so a slow reader delays nobody and learns that it was slow."""

    def __aiter__(self) -> AsyncIterator[BusEvent | EventsLost]: ...

    async def add(self, channels: Collection[str]) -> None:
        """Listen to more channels; what is published after this returns arrives."""
        ...

    async def remove(self, channels: Collection[str]) -> None: ...


class EventBus(Protocol):
    async def publish(self, channel: str, payload: bytes) -> None:
        """At most once to each current subscription. Order holds per channel and publisher."""
        ...

    def subscribe(self, channels: Collection[str], *, queue: int = 1024) -> AbstractAsyncContextManager[Subscription]:
        """Active once entered; an exact channel name each, no patterns."""
        ...
