"""Load for media servers, the same for each: peers that negotiate as aiortc does and send and take packets as they are.

Nothing is encoded or decoded here, so that one core makes and takes far more than the servers under measurement send.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpTransceiver

from media.reports import Reception, ntp_of
from media.rtcp import ReceiverReport, SenderReport
from media.rtcp import build as build_rtcp
from media.rtp import Header
from media.rtp import build as build_rtp

CLOCK_RATE = 90_000
# Whole seconds apart, so that a subscriber who came late soon has one.
KEY_FRAME_EVERY_SECONDS = 1
# VP8, RFC 7741: a 15-bit picture id, then the payload header of a key frame of 640 x 360, or of another.
DESCRIPTOR_FIRST, DESCRIPTOR_REST, EXTENDED = 0x90, 0x80, 0x80
KEY_FRAME_HEADER = bytes.fromhex("50 00 00 9d 01 2a 80 02 68 01")
DELTA_FRAME_HEADER = bytes.fromhex("51 00 00")


def peer_connection() -> RTCPeerConnection:
    return RTCPeerConnection(RTCConfiguration(iceServers=[]))


@dataclass(frozen=True, slots=True)
class Stream:
    """``burst`` packets a frame."""

    frames_per_second: int
    burst: int
    payload_bytes: int = 1100

    @property
    def packets_per_second(self) -> int:
        return self.frames_per_second * self.burst


class Publisher:
    """Sends a stream over a transceiver that was negotiated, on time whatever the event loop does meanwhile."""

    def __init__(self, transceiver: RTCRtpTransceiver, stream: Stream) -> None:
        self._dtls: Any = transceiver.sender.transport
        self._ssrc: int = transceiver.sender._ssrc
        self._payload_type: Any = next(
            codec.payloadType for codec in transceiver._codecs if codec.mimeType.lower() == "video/vp8"
        )
        self._stream = stream
        self.packets = 0
        self._octets = 0

    async def introduce(self) -> None:
        """One frame, for servers that let nobody subscribe to what never came."""
        for packet in self._packets(0, 0):
            await self._dtls._send_rtp(packet)

    async def run(self) -> None:
        stream = self._stream
        begin = time.monotonic()
        frame = 0
        while True:
            await asyncio.sleep(max(0.0, begin + frame / stream.frames_per_second - time.monotonic()))
            timestamp = frame * CLOCK_RATE // stream.frames_per_second & 0xFFFFFFFF
            for packet in self._packets(frame, timestamp):
                await self._dtls._send_rtp(packet)
            if frame % stream.frames_per_second == 0:
                await self._report(timestamp)
            frame += 1

    def _packets(self, frame: int, timestamp: int) -> list[bytes]:
        is_key = frame % (self._stream.frames_per_second * KEY_FRAME_EVERY_SECONDS) == 0
        picture = bytes((EXTENDED, 0x80 | frame >> 8 & 0x7F, frame & 0xFF))
        packets = []
        for index in range(self._stream.burst):
            first = DESCRIPTOR_FIRST if index == 0 else DESCRIPTOR_REST
            head = (KEY_FRAME_HEADER if is_key else DELTA_FRAME_HEADER) if index == 0 else b""
            payload = bytes((first,)) + picture + head
            payload += bytes(self._stream.payload_bytes - len(payload))
            header = Header(
                payload_type=self._payload_type,
                sequence=self.packets & 0xFFFF,
                timestamp=timestamp,
                ssrc=self._ssrc,
                marker=index == self._stream.burst - 1,
            )
            packets.append(build_rtp(header, payload))
            self.packets += 1
            self._octets += len(payload)
        return packets

    async def _report(self, timestamp: int) -> None:
        report = SenderReport(
            self._ssrc, ntp_of(time.time()), timestamp, self.packets & 0xFFFFFFFF, self._octets & 0xFFFFFFFF, ()
        )
        await self._dtls._send_rtp(build_rtcp([report]))


@dataclass
class Subscriber:
    """Counts what comes, and reports on it as a browser does."""

    packets: int = 0
    gaps: int = 0
    octets: int = 0
    first_at: float | None = None
    _receptions: dict[int, Reception] = field(default_factory=dict)

    def listen(self, transceiver: RTCRtpTransceiver) -> None:
        dtls: Any = transceiver.receiver.transport
        self._dtls = dtls
        dtls._handle_rtp_data = self._take

    async def _take(self, data: bytes, arrival_time_ms: int) -> None:
        now = time.monotonic()
        if self.first_at is None:
            self.first_at = now
        self.packets += 1
        self.octets += len(data)
        ssrc = int.from_bytes(data[8:12], "big")
        reception = self._receptions.get(ssrc)
        if reception is None:
            reception = self._receptions[ssrc] = Reception(ssrc, CLOCK_RATE)
        sequence, timestamp = int.from_bytes(data[2:4], "big"), int.from_bytes(data[4:8], "big")
        reception.packet(sequence, timestamp, now)

    @property
    def lost(self) -> int:
        return sum(max(0, reception.lost) for reception in self._receptions.values())

    async def report_for_ever(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            now = time.monotonic()
            blocks = tuple(block for one in self._receptions.values() if (block := one.report(now)) is not None)
            if blocks:
                await self._dtls._send_rtp(build_rtcp([ReceiverReport(1, blocks)]))
