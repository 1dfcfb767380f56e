"""The peer connection: what is published, the slots in which others are received, and the two data channels.

Offers are always ours (docs/signaling.md). aiortc needs two things to be so: sections are added before data channels,
or bundling closes the connection; and what was once a section stays one, as there is no taking back.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCDataChannel,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCRtpSender,
    RTCRtpTransceiver,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError
from av.frame import Frame
from av.packet import Packet

from media.codecs.names import Kind
from secureconnect.codecs import Seal, seal_what_it_sends
from secureconnect.errors import Disconnected
from secureconnect.model import IceServer, Negotiated, Source

CONNECT_SECONDS: Final = 20.0
_MIME_TYPES: Final = {Kind.AUDIO: ("audio/opus",), Kind.VIDEO: ("video/vp8", "video/rtx")}
RELIABLE: Final = "reliable"
LOSSY: Final = "lossy"
# What may wait in a channel before it is said to the caller that the network does not keep up.
_MOST_BUFFERED: Final = 1024 * 1024


class Mutable(MediaStreamTrack):
    """A track that can be held back, and says when it has ended."""

    def __init__(self, track: MediaStreamTrack) -> None:
        super().__init__()
        self.kind = track.kind
        self.muted = False
        self.ended = asyncio.Event()
        self._track = track

    async def recv(self) -> Frame | Packet[Any]:
        try:
            while self.readyState == "live":
                frame = await self._track.recv()
                if not self.muted:
                    return frame
            raise MediaStreamError
        except MediaStreamError:
            self.ended.set()
            raise

    def stop(self) -> None:
        super().stop()
        self.ended.set()


@dataclass(slots=True, eq=False)
class Outgoing:
    """A publication. ``track_id`` is what the server calls it, once it knows it."""

    cid: str
    source: Source
    track: Mutable
    seal: Seal | None = field(repr=False)
    track_id: str | None = None
    transceiver: RTCRtpTransceiver | None = None

    @property
    def mid(self) -> str | None:
        """Once it was offered."""
        return self.transceiver.mid if self.transceiver is not None else None

    def section(self) -> dict[str, object]:
        return {
            "mid": self.mid,
            "cid": self.cid,
            "kind": self.source.kind.value,
            "source": self.source.value,
            "encrypted": self.seal is not None,
        }


# The sections that we send on, and how many we receive on, to the server's answer.
Exchange = Callable[[str, Sequence[dict[str, object]], dict[str, int]], Awaitable[Negotiated]]
OnSlot = Callable[[str, RTCRtpReceiver, Kind], None]


class Connection:
    """``exchange`` asks the server. ``on_slot`` is told of each section before anything arrives on it, ``on_media`` of
    the decoded frames of it, ``on_text`` of messages. ``on_lost`` is told once."""

    def __init__(
        self,
        ice_servers: Sequence[IceServer],
        exchange: Exchange,
        *,
        on_slot: OnSlot,
        on_media: Callable[[str, MediaStreamTrack], None],
        on_text: Callable[[str, str], None],
        on_lost: Callable[[], None],
    ) -> None:
        servers = [RTCIceServer(list(one.urls), one.username, one.credential) for one in ice_servers]
        # Not None: that would be somebody's public STUN server.
        self._peer = RTCPeerConnection(RTCConfiguration(servers, bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self._exchange = exchange
        self._on_slot = on_slot
        self._on_media = on_media
        self._on_text = on_text
        self._on_lost = on_lost
        self._negotiating = asyncio.Lock()
        self._outgoing: dict[str, Outgoing] = {}
        self._slots: dict[Kind, list[RTCRtpTransceiver]] = {Kind.AUDIO: [], Kind.VIDEO: []}
        self._channels: dict[str, RTCDataChannel] = {}
        self._connected = asyncio.Event()
        self._is_closed = False
        self._peer.on("connectionstatechange", self._state_changed)

    async def open(self, *, audio_slots: int, video_slots: int) -> None:
        """Raises Disconnected and Refused."""
        await self.receive(audio_slots, video_slots)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._connected.wait()
        except TimeoutError:
            raise Disconnected("no_media", f"no connection within {CONNECT_SECONDS:g} s") from None
        if self._is_closed or self._peer.connectionState != "connected":
            raise Disconnected("no_media", self._peer.connectionState)

    def count(self, kind: Kind) -> int:
        return len(self._slots[kind])

    async def receive(self, audio: int, video: int) -> None:
        """So many more slots."""
        for kind, more in ((Kind.AUDIO, audio), (Kind.VIDEO, video)):
            for _ in range(more):
                transceiver = self._peer.addTransceiver(kind.value, direction="recvonly")
                _prefer(transceiver, kind)
                self._slots[kind].append(transceiver)
        if not self._channels:
            self._open_channel(RELIABLE, ordered=True)
            self._open_channel(LOSSY, ordered=False)
        await self._negotiate()

    async def publish(self, outgoing: Outgoing) -> None:
        """Raises Refused; nothing is sent then."""
        kind = outgoing.source.kind
        transceiver = self._peer.addTransceiver(outgoing.track, direction="sendonly")
        _prefer(transceiver, kind)
        if outgoing.seal is not None:
            seal_what_it_sends(transceiver.sender, kind, outgoing.seal)
        outgoing.transceiver = transceiver
        self._outgoing[outgoing.cid] = outgoing
        try:
            await self._negotiate()
        except BaseException:
            self.withdraw(outgoing)
            raise

    def withdraw(self, outgoing: Outgoing) -> None:
        """What is sent ends at once; the next offer says so."""
        self._outgoing.pop(outgoing.cid, None)
        if outgoing.transceiver is not None:
            outgoing.transceiver.direction = "inactive"
            outgoing.transceiver.sender.replaceTrack(None)
        outgoing.track.stop()

    def carries(self, outgoing: Outgoing) -> bool:
        return outgoing.cid in self._outgoing

    def send(self, text: str, *, reliable: bool) -> bool:
        """False where the channel is not open."""
        channel = self._channels.get(RELIABLE if reliable else LOSSY)
        if channel is None or channel.readyState != "open" or channel.bufferedAmount > _MOST_BUFFERED:
            return False
        channel.send(text)
        return True

    async def close(self) -> None:
        self._is_closed = True
        self._connected.set()
        for outgoing in list(self._outgoing.values()):
            outgoing.track.stop()
        with suppress(ConnectionError):
            await self._peer.close()

    async def _negotiate(self) -> None:
        async with self._negotiating:
            await self._peer.setLocalDescription(await self._peer.createOffer())
            # What was added meanwhile is not in this offer; it waits for its own.
            slots = {kind: [one for one in self._slots[kind] if one.mid is not None] for kind in Kind}
            outgoing = {cid: one for cid, one in self._outgoing.items() if one.mid is not None}
            for kind, transceivers in slots.items():
                for transceiver in transceivers:
                    self._on_slot(transceiver.mid or "", transceiver.receiver, kind)
            answer = await self._exchange(
                self._peer.localDescription.sdp,
                [one.section() for one in outgoing.values()],
                {kind.value: len(slots[kind]) for kind in Kind},
            )
            for published in answer.published:
                outgoing[published.cid].track_id = published.track
            await self._peer.setRemoteDescription(RTCSessionDescription(_candidates_everywhere(answer.sdp), "answer"))
            for transceiver in itertools.chain.from_iterable(slots.values()):
                if transceiver.receiver.track is not None:
                    self._on_media(transceiver.mid or "", transceiver.receiver.track)

    def _open_channel(self, label: str, *, ordered: bool) -> None:
        channel = self._peer.createDataChannel(label, ordered=ordered, maxRetransmits=None if ordered else 0)
        self._channels[label] = channel

        def received(message: str | bytes) -> None:
            if isinstance(message, str):
                self._on_text(label, message)

        channel.on("message", received)

    def _state_changed(self) -> None:
        state = self._peer.connectionState
        if state in ("connected", "failed", "closed"):
            was_lost = state != "connected" and self._connected.is_set() and not self._is_closed
            self._connected.set()
            if was_lost:
                self._is_closed = True
                self._on_lost()


def _candidates_everywhere(answer: str) -> str:
    """Of a bundle, the first section has the candidates (RFC 9429, section 5.3.1); aiortc looks into the last."""
    candidates = [line for line in answer.splitlines() if line.startswith(("a=candidate:", "a=end-of-candidates"))]
    lines: list[str] = []
    for line in [one for one in answer.splitlines() if one not in candidates] + ["m="]:
        if line.startswith("m=") and any(before.startswith("m=") for before in lines):
            lines += candidates
        lines.append(line)
    return "".join(f"{line}\r\n" for line in lines[:-1])


def _prefer(transceiver: RTCRtpTransceiver, kind: Kind) -> None:
    """What can be sealed, and is opened here."""
    offered = RTCRtpSender.getCapabilities(kind.value).codecs
    transceiver.setCodecPreferences([codec for codec in offered if codec.mimeType.lower() in _MIME_TYPES[kind]])
