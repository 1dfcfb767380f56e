"""aiortc's SCTP association over a DTLS endpoint of ours: the one place that touches its private names.

Its version is pinned, and tests/media/test_aiortc_names.py fails when one of them is no longer what it was. Loading
this module takes a fifth of a second (it brings FFmpeg along): media/datachannels.py does so on another thread.
"""

from __future__ import annotations

import asyncio
import struct
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Final, cast

from aiortc import RTCDataChannel, RTCDtlsTransport, RTCSctpCapabilities, RTCSctpTransport
from aiortc.exceptions import InvalidStateError
from aiortc.rtcdtlstransport import DataReceiver
from aiortc.rtcsctptransport import DataChunk

from media import sctpguard
from media.allowance import Allowance
from media.dtls import DtlsEndpoint

# Decrypted datagrams between OpenSSL and the association; SCTP repeats what does not fit.
_INBOX: Final = 128
# Bytes of messages that have not arrived as a whole: several of the longest.
_RECEIVE_WINDOW: Final = 128 * 1024
# Packets ahead of the last one in a row; each costs the association some work for every packet that follows.
_FARTHEST_AHEAD: Final = 1024
# Fragments that wait in one stream: the longest message has thirty.
_MOST_FRAGMENTS: Final = 512
# Four times what the messages that are let through need, acknowledgements and repetitions included.
_PACKETS_PER_SECOND: Final = 1000
# Packets that the association could make nothing of, before it is ended.
_MOST_FAULTS: Final = 32

# What aiortc raises, by not expecting it, over packets that no stack sends.
_FAULTS: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    InvalidStateError,
    LookupError,
    TypeError,
    ValueError,
    struct.error,
)


class Hostile(ValueError):
    """What no honest peer does."""


class _Carrier:
    """What the association uses of a DTLS transport. We are the DTLS server, so its streams have odd numbers."""

    state = "connected"
    _role = "server"

    def __init__(self, endpoint: DtlsEndpoint) -> None:
        self._endpoint = endpoint

    def _register_data_receiver(self, receiver: DataReceiver) -> None:
        pass

    def _unregister_data_receiver(self, receiver: DataReceiver) -> None:
        pass

    async def _send_data(self, data: bytes) -> None:
        self._endpoint.send_data(data)


class _Transport(RTCSctpTransport):
    """``on_ended`` is told whenever there is no association any more."""

    def __init__(self, carrier: _Carrier, port: int, on_ended: Callable[[], None]) -> None:
        super().__init__(cast(RTCDtlsTransport, carrier), port)
        self._on_ended = on_ended
        self._advertised_rwnd = _RECEIVE_WINDOW
        self._inbound_streams_max = sctpguard.MOST_STREAMS

    async def take(self, packet: bytes) -> None:
        await self._handle_data(packet)

    def _mark_received(self, tsn: int) -> bool:
        last = self._last_received_tsn
        if last is None or _FARTHEST_AHEAD < (tsn - last) % 2**32 < 2**31:
            raise Hostile("ahead")
        return super()._mark_received(tsn)

    async def _receive_data_chunk(self, chunk: DataChunk) -> None:
        await super()._receive_data_chunk(chunk)
        stream = self._inbound_streams.get(chunk.stream_id)
        if self._advertised_rwnd < 0 or (stream is not None and len(stream.reassembly) > _MOST_FRAGMENTS):
            await self.stop()

    def _set_state(self, state: RTCSctpTransport.State) -> None:
        super()._set_state(state)
        if state is self.State.CLOSED:
            self._on_ended()


class Association:
    """``on_channel`` is given each channel that the peer opens; ``on_ended`` is told once. ``drops`` counts by name."""

    def __init__(
        self,
        endpoint: DtlsEndpoint,
        *,
        local_port: int,
        on_channel: Callable[[RTCDataChannel], None],
        on_ended: Callable[[], None],
        drops: Counter[str],
    ) -> None:
        self._endpoint = endpoint
        self._on_ended = on_ended
        self._drops = drops
        self._faults = 0
        self._ended = False
        self._loop = asyncio.get_running_loop()
        self._packets = Allowance(_PACKETS_PER_SECOND, self._loop.time())
        self._inbox: asyncio.Queue[bytes] = asyncio.Queue(_INBOX)
        self._transport = _Transport(_Carrier(endpoint), local_port, self._end)
        self._transport.on("datachannel", on_channel)
        self._pump: asyncio.Task[None] | None = None

    async def start(self, remote_port: int, largest_message: int) -> None:
        self._pump = asyncio.create_task(self._run(), name="data channels")
        await self._transport.start(RTCSctpCapabilities(largest_message), remote_port)
        self._endpoint.receive_data(self._receive)

    async def close(self) -> None:
        pump, self._pump = self._pump, None
        await self._transport.stop()
        if pump is not None:
            pump.cancel()
            with suppress(asyncio.CancelledError):
                await pump

    def _receive(self, packet: bytes) -> None:
        if self._ended:
            self._drops["sctp_after_end"] += 1
            return
        if not self._packets.take(1, self._loop.time()):
            self._drops["sctp_rate"] += 1
            return
        reason = sctpguard.refusal(packet)
        if reason is not None:
            self._drops[reason] += 1
            return
        try:
            self._inbox.put_nowait(packet)
        except asyncio.QueueFull:
            self._drops["sctp_inbox_full"] += 1

    async def _run(self) -> None:
        while not self._ended:
            packet = await self._inbox.get()
            try:
                await self._transport.take(packet)
            except _FAULTS:
                self._drops["sctp_fault"] += 1
                self._faults += 1
                if self._faults >= _MOST_FAULTS:
                    await self._transport.stop()

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self._on_ended()
