"""A lane: one connection on which commands of all tasks follow each other without waiting for answers."""

from __future__ import annotations

import asyncio
from collections import deque

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from adapters.redis.connections import Dial
from adapters.redis.link import Link, Reply, SilentPeer
from kernel.clock import Clock
from kernel.errors import Overloaded

# Beyond this nobody would get an answer within the timeout anyway.
MAX_COMMANDS = 10_000
MAX_BYTES = 64 << 20


class _Command:
    __slots__ = ("answer", "packed", "sent_at", "size")

    def __init__(self, packed: list[bytes], answer: asyncio.Future[Reply]) -> None:
        self.packed = packed
        self.answer = answer
        self.size = sum(map(len, packed))
        self.sent_at = 0.0


class Lane(Link):
    """Commands are answered in the order they were sent; a caller that gave up leaves its answer to be discarded.

    When the connection is lost, everything sent or waiting fails: what was sent may or may not have happened,
    and nothing is sent twice.
    """

    def __init__(self, dial: Dial, *, timeout: float, clock: Clock) -> None:
        super().__init__(dial, timeout=timeout, clock=clock)
        self._waiting: deque[_Command] = deque()
        self._sent: deque[_Command] = deque()
        self._bytes = 0

    @property
    def load(self) -> int:
        return len(self._waiting) + len(self._sent)

    def require_room(self) -> None:
        if self.load >= MAX_COMMANDS or self._bytes >= MAX_BYTES:
            raise Overloaded("too many commands are waiting for Redis; try again later")

    async def execute(self, *command: bytes | str | float) -> Reply:
        if self._closed:
            raise RedisConnectionError("the connection is closed")
        queued = _Command(self._pack(*command), asyncio.get_running_loop().create_future())
        self._waiting.append(queued)
        self._bytes += queued.size
        self._wake.set()
        return await queued.answer

    async def _pause(self) -> None:
        """None: the next command dials at once, and the guard sees to it that there are few in an outage."""

    def _opened(self, tasks: asyncio.TaskGroup) -> None:
        """Nothing to catch up on."""

    def _outgoing(self) -> list[bytes]:
        packed: list[bytes] = []
        now = self._clock.monotonic()
        while self._waiting:
            command = self._waiting.popleft()
            self._bytes -= command.size
            if command.answer.cancelled():
                continue
            command.sent_at = now
            packed += command.packed
            command.packed = []
            self._sent.append(command)
        return packed

    def _received(self, reply: Reply) -> None:
        if not self._sent:
            raise RedisConnectionError("Redis answered a question nobody asked")
        answer = self._sent.popleft().answer
        if answer.done():
            return
        if isinstance(reply, ResponseError):
            answer.set_exception(reply)
        else:
            answer.set_result(reply)

    def _check(self, now: float) -> None:
        if self._sent and now - self._sent[0].sent_at > self._timeout:
            raise SilentPeer(f"no answer within {self._timeout:g} s")

    def _lost(self, error: RedisConnectionError) -> None:
        self._wake.clear()
        for command in (*self._sent, *self._waiting):
            if not command.answer.done():
                command.answer.set_exception(RedisConnectionError(str(error)))
        self._sent.clear()
        self._waiting.clear()
        self._bytes = 0
