"""A connection to Redis that keeps itself up. One task of its own dials, writes, reads and watches it, so that
nobody's cancellation can ever break it half-way through a reply."""

from __future__ import annotations

import asyncio
import logging
import math
from abc import ABC, abstractmethod
from typing import Any

from redis.exceptions import AuthenticationError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError

from adapters.redis.connections import LONGEST_DIAL, Dial
from kernel.clock import Clock

_log = logging.getLogger(__name__)

# What RESP carries; whoever sent the command knows the shape of its answer.
Reply = Any

# Replies already received are handed out without a pause; after this many others get their turn.
REPLIES_AT_A_TIME = 256


class SilentPeer(RedisConnectionError):
    """Connected, yet nothing comes back."""


class Link(ABC):
    """``run`` is one task of the owner. Subclasses say what to send, and what a reply or a loss means."""

    def __init__(self, dial: Dial, *, timeout: float, clock: Clock) -> None:
        self._connection = dial()
        self._timeout = timeout
        self._clock = clock
        self._wake = asyncio.Event()
        self._reported_down = False
        self._closed = False

    @property
    def connected(self) -> bool:
        return bool(self._connection.is_connected)

    def close(self) -> None:
        """To be followed by cancelling ``run``. A session that fails in that very moment takes the cancellation
        with it (a TaskGroup prefers its errors), so the loop has to know as well."""
        self._closed = True

    async def run(self) -> None:
        try:
            while not self._closed:
                await self._wake.wait()
                try:
                    await self._session()
                except* Exception as failures:  # noqa: BLE001 - whatever ends a session, the next one starts afresh
                    self._lost(self._reported(failures.exceptions[0]))
                if not self._closed:
                    await self._pause()
        finally:
            self._lost(RedisConnectionError("the connection is closed"))

    async def _session(self) -> None:
        try:
            async with asyncio.timeout(min(self._timeout, LONGEST_DIAL)):
                await self._connection.connect()  # type: ignore[no-untyped-call] # redis-py leaves it so
                # The kernel accepts connections for a server that is stopped; only an answer shows that it lives.
                await self._connection.send_command("PING", check_health=False)
                await self._connection.read_response()
            if self._reported_down:
                self._reported_down = False
                _log.info("Redis is reachable again")
            async with asyncio.TaskGroup() as tasks:
                self._opened(tasks)
                tasks.create_task(self._write())
                tasks.create_task(self._read())
                tasks.create_task(self._watch())
        finally:
            await self._connection.abort()

    def _reported(self, error: Exception) -> RedisConnectionError:
        """What callers are told: never the server's address, which only the log gets, once per outage."""
        if not self._reported_down:
            self._reported_down = True
            _log.warning("A connection to Redis failed: %s: %s", type(error).__name__, error)
        if isinstance(error, AuthenticationError | ResponseError | SilentPeer):
            return RedisConnectionError(str(error))
        return RedisConnectionError("cannot connect, or the connection was lost; the log names the cause")

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            if packed := self._outgoing():
                await self._connection.send_packed_command(packed, check_health=False)

    async def _read(self) -> None:
        count = 0
        while True:
            try:
                reply = await self._connection.read_response(timeout=math.inf, disconnect_on_error=False)
            except ResponseError as error:
                reply = error
            self._received(reply)
            count += 1
            if count % REPLIES_AT_A_TIME == 0:
                await asyncio.sleep(0)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._timeout / 8)
            self._check(self._clock.monotonic())

    def _pack(self, *command: bytes | str | float) -> list[bytes]:
        return self._connection.pack_command(*command)

    @abstractmethod
    async def _pause(self) -> None:
        """Between a loss and the next attempt."""

    @abstractmethod
    def _opened(self, tasks: asyncio.TaskGroup) -> None:
        """The handshake is done; nothing has been sent yet."""

    @abstractmethod
    def _outgoing(self) -> list[bytes]:
        """Everything that waits to be sent, taken at once: this is what turns many callers into one write."""

    @abstractmethod
    def _received(self, reply: Reply) -> None: ...

    @abstractmethod
    def _check(self, now: float) -> None:
        """Raise if the peer has been silent for too long."""

    @abstractmethod
    def _lost(self, error: RedisConnectionError) -> None: ...
