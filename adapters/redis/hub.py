"""The one connection of this process that listens: every local subscription shares it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from adapters.fanout import Fanout
from adapters.redis.connections import Dial
from adapters.redis.link import Link, Reply, SilentPeer
from kernel.clock import Clock

# An idle connection is asked for a sign of life this often; a dead peer is noticed this plus the timeout later.
SIGN_OF_LIFE = 1.0
# Attempts to come back: quickly at first, and often enough to be back within two seconds of Redis.
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 0.5
CHANNELS_PER_COMMAND = 500

CONNECTION_LOST = "the connection to Redis was lost"


class _Confirmation:
    """A channel that Redis has yet to confirm: how many SUBSCRIBEs are unanswered, and who waits for the last."""

    __slots__ = ("done", "unanswered")

    def __init__(self) -> None:
        self.unanswered = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Hub(Link):
    """Keeps Redis informed of the channels that ``fanout`` has listeners for, and hands it what arrives.

    After a lost connection all channels are subscribed again, and only then is everyone told what may be missing:
    whoever reads the store upon EventsLost cannot miss an event in between.
    """

    def __init__(
        self,
        dial: Dial,
        *,
        prefix: str,
        fanout: Fanout,
        ask_epoch: Callable[[], Awaitable[bool]],
        timeout: float,
        clock: Clock,
    ) -> None:
        super().__init__(dial, timeout=timeout, clock=clock)
        self._prefix = prefix
        self._prefix_length = len(prefix.encode())
        self._fanout = fanout
        self._ask_epoch = ask_epoch
        self._confirmations: dict[str, _Confirmation] = {}
        # Channels whose wanted state Redis has not been told. What to tell is decided when writing, so adding and
        # removing in a hurry cannot pile up commands.
        self._untold: dict[str, None] = {}
        self._open = False
        self._settled = False
        self._was_lost = False
        self._next_pause = FIRST_PAUSE
        self._heard_at = 0.0
        self._ping_due = False
        self._pinged = False

    def listen(self, channels: Iterable[str]) -> None:
        """Start subscribing channels that ``fanout`` now has listeners for; ``confirmed`` tells when it is done."""
        for channel in channels:
            self._confirmations.setdefault(channel, _Confirmation())
            self._tell(channel)

    def unlisten(self, channels: Iterable[str]) -> None:
        for channel in channels:
            confirmation = self._confirmations.get(channel)
            # An answer that is still on its way must not be taken for that of a later subscription.
            if confirmation is not None and not confirmation.unanswered:
                self._settle(channel, confirmation)
            self._tell(channel)

    async def confirmed(self, channels: Iterable[str]) -> None:
        """Returns when what is published from now on to all of these arrives here."""
        for channel in channels:
            if confirmation := self._confirmations.get(channel):
                # Others may wait for the same answer: our cancellation must not become theirs.
                await asyncio.shield(confirmation.done)

    def require_listening(self) -> None:
        if self._fanout.channels() and not self._settled:
            raise RedisConnectionError("events cannot be received; the log names the cause")

    def _tell(self, channel: str) -> None:
        self._untold[channel] = None
        self._wake.set()

    def _settle(self, channel: str, confirmation: _Confirmation) -> None:
        del self._confirmations[channel]
        if not confirmation.done.done():
            confirmation.done.set_result(None)

    def _opened(self, tasks: asyncio.TaskGroup) -> None:
        self._open = True
        self._heard_at = self._clock.monotonic()
        self._ping_due = self._pinged = False
        wanted = list(self._fanout.channels())
        for channel, confirmation in tuple(self._confirmations.items()):
            if channel not in self._fanout.channels():
                self._settle(channel, confirmation)
        self._untold = {}
        self.listen(wanted)
        tasks.create_task(self._announce(wanted))

    async def _announce(self, channels: list[str]) -> None:
        await self.confirmed(channels)
        self._settled = True
        self._next_pause = FIRST_PAUSE
        if self._was_lost:
            self._was_lost = False
            self._fanout.lose(CONNECTION_LOST)
        asked = await self._ask_epoch()
        while not asked:
            await asyncio.sleep(LONGEST_PAUSE)
            asked = await self._ask_epoch()

    def _outgoing(self) -> list[bytes]:
        told, self._untold = self._untold, {}
        wanted = [channel for channel in told if channel in self._fanout.channels()]
        unwanted = [channel for channel in told if channel not in self._fanout.channels()]
        for channel in wanted:
            self._confirmations.setdefault(channel, _Confirmation()).unanswered += 1
        packed = self._packed("UNSUBSCRIBE", unwanted) + self._packed("SUBSCRIBE", wanted)
        if self._ping_due:
            self._ping_due, self._pinged = False, True
            packed += self._pack("PING")
        return packed

    def _packed(self, command: str, channels: list[str]) -> list[bytes]:
        packed: list[bytes] = []
        for start in range(0, len(channels), CHANNELS_PER_COMMAND):
            names = (self._prefix + channel for channel in channels[start : start + CHANNELS_PER_COMMAND])
            packed += self._pack(command, *names)
        return packed

    def _received(self, reply: Reply) -> None:
        if isinstance(reply, ResponseError):
            raise reply
        self._heard_at = self._clock.monotonic()
        self._pinged = False
        if not isinstance(reply, list):
            return
        if reply[0] == b"message":
            self._fanout.deliver(self._channel(reply[1]), reply[2])
        elif reply[0] == b"subscribe":
            self._confirm(self._channel(reply[1]))

    def _channel(self, name: bytes) -> str:
        return name[self._prefix_length :].decode()

    def _confirm(self, channel: str) -> None:
        confirmation = self._confirmations.get(channel)
        if confirmation is None:
            return
        confirmation.unanswered -= 1
        if not confirmation.unanswered and channel not in self._untold:
            self._settle(channel, confirmation)

    def _check(self, now: float) -> None:
        silence = now - self._heard_at
        if self._pinged and silence > SIGN_OF_LIFE + self._timeout:
            raise SilentPeer(f"no sign of life within {self._timeout:g} s")
        if silence > SIGN_OF_LIFE and not self._pinged and not self._ping_due:
            self._ping_due = True
            self._wake.set()

    def _lost(self, error: RedisConnectionError) -> None:
        self._was_lost = self._was_lost or self._open
        self._open = self._settled = False
        for confirmation in self._confirmations.values():
            confirmation.unanswered = 0
        if self._fanout.channels():
            self._wake.set()
        else:
            self._wake.clear()

    async def _pause(self) -> None:
        # Spread out, so that the nodes of a cluster do not all return in the same instant.
        await asyncio.sleep(self._next_pause * random.uniform(0.5, 1.0))  # noqa: S311 - nothing secret about it
        self._next_pause = min(self._next_pause * 2, LONGEST_PAUSE)
