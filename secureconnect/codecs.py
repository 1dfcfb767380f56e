"""Where frames are sealed and opened inside aiortc: between encoder and packets, between packets and decoder.

The one file of the client that touches aiortc's private names; tests/client/test_codecs.py fails when they change.
"""

from __future__ import annotations

import queue
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from aiortc import RTCRtpReceiver, RTCRtpSender
from aiortc.codecs.base import Encoder
from aiortc.codecs.opus import OpusEncoder
from aiortc.codecs.vpx import Vp8Encoder
from av.frame import Frame
from av.packet import Packet

from media.codecs.names import CodecName, Kind

# A frame to what is sent of it.
Seal = Callable[[bytes, CodecName], bytes]

_CODECS: Final = {"vp8": CodecName.VP8, "opus": CodecName.OPUS}


class SealingVp8(Vp8Encoder):
    def __init__(self, seal: Seal) -> None:
        super().__init__()
        self._seal = seal

    def _packetize(self, buffer: bytes, picture_id: int) -> list[bytes]:  # type: ignore[override]
        """A class method there; both ways to a frame's packets call it on the encoder."""
        return super()._packetize(self._seal(buffer, CodecName.VP8), picture_id)


class SealingOpus(OpusEncoder):
    def __init__(self, seal: Seal) -> None:
        super().__init__()
        self._seal = seal

    def encode(self, frame: Frame, force_keyframe: bool = False) -> tuple[list[bytes], int]:
        payloads, timestamp = super().encode(frame, force_keyframe)
        return [self._seal(payload, CodecName.OPUS) for payload in payloads], timestamp

    def pack(self, packet: Packet[Any]) -> tuple[list[bytes], int]:
        payloads, timestamp = super().pack(packet)
        return [self._seal(payload, CodecName.OPUS) for payload in payloads], timestamp


def sealing_encoder(kind: Kind, seal: Seal) -> Encoder:
    return SealingVp8(seal) if kind is Kind.VIDEO else SealingOpus(seal)


def seal_what_it_sends(sender: RTCRtpSender, kind: Kind, seal: Seal) -> None:
    """Before the sender has sent anything: it makes itself an encoder where it has none."""
    sender._RTCRtpSender__encoder = sealing_encoder(kind, seal)  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Arrived:
    """A frame as it came out of its packets. ``timestamp`` counts from the receiver's first frame, in units of the
    codec's clock (90 kHz or 48 kHz)."""

    codec: CodecName
    data: bytes
    timestamp: int


# What is to be decoded of a frame, or None.
Take = Callable[[Arrived], bytes | None]


class _Opening(queue.Queue[Any]):
    """Stands between aiortc's jitter buffer and the thread that decodes. ``put`` is called on the event loop."""

    def __init__(self, take: Take) -> None:
        super().__init__()
        self._take = take

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        if item is not None:
            codec, frame = item
            name = _CODECS.get(codec.name.lower())
            opened = None if name is None else self._take(Arrived(name, frame.data, frame.timestamp))
            if opened is None:
                return
            frame.data = opened
        super().put(item, block, timeout)


def open_what_it_receives(receiver: RTCRtpReceiver, take: Take) -> None:
    """Before the receiver has started: its thread gets the queue then."""
    receiver._RTCRtpReceiver__decoder_queue = _Opening(take)  # type: ignore[attr-defined]


def ask_for_keyframe(receiver: RTCRtpReceiver) -> None:
    """With the next packet that arrives, as after an error of the decoder."""
    receiver._RTCRtpReceiver__decoder_error.set()  # type: ignore[attr-defined]
