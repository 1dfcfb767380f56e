"""The two data channels of a participant, ``reliable`` and ``lossy`` (docs/signaling.md), over their DTLS endpoint.

Text only. What comes too fast or too long is left out and counted; what a peer does not read loses the oldest.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from media.allowance import Allowance
from media.dtls import DtlsEndpoint

if TYPE_CHECKING:
    from aiortc import RTCDataChannel

    from media.sctp import Association

RELIABLE: Final = "reliable"
LOSSY: Final = "lossy"
LABELS: Final = (RELIABLE, LOSSY)
SCTP_PORT: Final = 5000
# What is handed to SCTP before its congestion control says that there is room.
_AHEAD: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """``text_bytes``: of one message: 15,000 bytes of payload in base64, and to whom. Bursts are two seconds' worth.
    ``waiting_bytes`` and ``waiting_messages`` are for each channel."""

    text_bytes: int = 32 * 1024
    messages_per_second: int = 50
    bytes_per_second: int = 256_000
    waiting_bytes: int = 256 * 1024
    waiting_messages: int = 256


class Waiting:
    """Messages that SCTP has no room for yet; the oldest go first when they are too many. Pure."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._texts: deque[tuple[str, int]] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._texts)

    def add(self, text: str, size: int) -> int:
        """How many had to go for it."""
        self._texts.append((text, size))
        self._bytes += size
        lost = 0
        while self._bytes > self._limits.waiting_bytes or len(self._texts) > self._limits.waiting_messages:
            self.next()
            lost += 1
        return lost

    def next(self) -> str:
        text, size = self._texts.popleft()
        self._bytes -= size
        return text

    def clear(self) -> int:
        count = len(self._texts)
        self._texts.clear()
        self._bytes = 0
        return count


class DataChannels:
    """``on_message`` is given label and text. ``on_closed`` is told once when the peer ended them or does not answer;
    media goes on without. ``drops`` counts: ``data_label``, ``data_binary``, ``data_too_long``, ``data_rate``,
    ``data_unread``, ``data_closed`` and those of media/sctp.py and media/sctpguard.py."""

    def __init__(
        self,
        endpoint: DtlsEndpoint,
        *,
        on_message: Callable[[str, str], None],
        on_closed: Callable[[], None] | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.drops: Counter[str] = Counter()
        self._endpoint = endpoint
        self._on_message = on_message
        self._on_closed = on_closed
        self._limits = limits or Limits()
        self._loop = asyncio.get_running_loop()
        now = self._loop.time()
        self._messages = Allowance(self._limits.messages_per_second, now)
        self._bytes = Allowance(self._limits.bytes_per_second, now)
        self._channels: dict[str, RTCDataChannel] = {}
        self._waiting = {label: Waiting(self._limits) for label in LABELS}
        self._largest_message = 0
        self._association: Association | None = None
        self._is_closed = False

    async def open(self, *, remote_port: int = SCTP_PORT, largest_message: int = 65_536) -> None:
        """Once the endpoint is connected. Both values are the offer's; no ``largest_message`` (0) is any size. Returns
        before the channels are open: their names come from the client."""
        association_type = await asyncio.to_thread(_association_type)
        if self._is_closed:
            return
        self._largest_message = largest_message
        self._association = association_type(
            self._endpoint,
            local_port=SCTP_PORT,
            on_channel=self._opened,
            on_ended=self._ended,
            drops=self.drops,
        )
        await self._association.start(remote_port, largest_message)

    def is_open(self, *, reliable: bool) -> bool:
        channel = self._channels.get(RELIABLE if reliable else LOSSY)
        return channel is not None and channel.readyState == "open"

    def send(self, text: str, *, reliable: bool = True) -> None:
        """Goes out when its channel is open and has room, or is lost and counted."""
        size = len(text.encode())
        if self._is_closed:
            self.drops["data_closed"] += 1
        elif size > (self._largest_message or size):
            self.drops["data_too_long"] += 1
        else:
            label = RELIABLE if reliable else LOSSY
            self.drops["data_unread"] += self._waiting[label].add(text, size)
            self._feed(label)

    async def close(self) -> None:
        """May be called again, and before ``open``. Before the endpoint is closed, so that the peer hears of it."""
        self._end()
        if self._association is not None:
            await self._association.close()

    def _opened(self, channel: RTCDataChannel) -> None:
        label = channel.label
        if label not in LABELS or label in self._channels:
            self.drops["data_label"] += 1
            channel.close()
            return
        self._channels[label] = channel
        channel.bufferedAmountLowThreshold = _AHEAD // 2

        def received(message: str | bytes) -> None:
            self._received(label, message)

        def closed() -> None:
            if self._channels.get(label) is channel:
                del self._channels[label]

        channel.on("message", received)
        channel.on("close", closed)
        channel.on("bufferedamountlow", lambda: self._feed(label))
        self._feed(label)

    def _received(self, label: str, message: str | bytes) -> None:
        now = self._loop.time()
        if not self._messages.take(1, now) or not self._bytes.take(len(message), now):
            self.drops["data_rate"] += 1
        elif not isinstance(message, str):
            self.drops["data_binary"] += 1
        elif len(message.encode()) > self._limits.text_bytes:
            self.drops["data_too_long"] += 1
        else:
            self._on_message(label, message)

    def _feed(self, label: str) -> None:
        channel, waiting = self._channels.get(label), self._waiting[label]
        while channel is not None and waiting and channel.readyState == "open" and channel.bufferedAmount < _AHEAD:
            channel.send(waiting.next())

    def _ended(self) -> None:
        if not self._is_closed:
            self._end()
            if self._on_closed is not None:
                self._on_closed()

    def _end(self) -> None:
        self._is_closed = True
        self._channels.clear()
        self.drops["data_closed"] += sum(waiting.clear() for waiting in self._waiting.values())


def _association_type() -> type[Association]:
    from media.sctp import Association  # noqa: PLC0415 - see there: for a thread, and only once somebody needs it

    return Association
