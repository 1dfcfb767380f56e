"""What is received: which track flows in which slot, opened, decoded where somebody wants it decoded, handed out."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from aiortc import MediaStreamTrack, RTCRtpReceiver
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, VideoFrame

from media.codecs.names import CodecName, Kind
from media.errors import BadPacket
from secureconnect.codecs import Arrived, Take, ask_for_keyframe, open_what_it_receives
from secureconnect.encryption import Keyring
from secureconnect.model import SlotChange, Track
from secureconnect.streams import Stream

Frame = VideoFrame | AudioFrame
# A second of video, two of audio.
_MOST_FRAMES: Final = {Kind.VIDEO: 30, Kind.AUDIO: 100}
# Between two requests for a key frame.
_PATIENCE: Final = 0.5


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """As the publisher's encoder made it: opened where it was sealed. ``timestamp`` counts from the first frame of its
    slot, at 90 kHz for video and 48 kHz for audio."""

    track: str
    codec: CodecName
    data: bytes
    timestamp: int
    is_keyframe: bool


@dataclass(slots=True, eq=False)
class _Slot:
    mid: str
    receiver: RTCRtpReceiver
    kind: Kind
    track: str | None = None
    decoding: str | None = None
    asked_at: float = 0.0
    changes: list[tuple[int, str]] = field(default_factory=list)
    """From which timestamp on decoded frames are of which track; the newest two."""
    pump: asyncio.Task[None] | None = None


class Reception:
    """``drops`` counts frames by why they were not handed on: reasons of media.framecrypto, ``unknown_track``,
    ``not_encrypted``, ``awaits_keyframe``."""

    def __init__(self, tracks: dict[str, Track], keyring: Callable[[], Keyring | None]) -> None:
        self.drops: Counter[str] = Counter()
        self._tracks = tracks
        self._keyring = keyring
        self._slots: dict[str, _Slot] = {}
        self._decoded: defaultdict[str, list[Stream[Frame]]] = defaultdict(list)
        self._encoded: defaultdict[str, list[Stream[EncodedFrame]]] = defaultdict(list)

    def open_slot(self, mid: str, receiver: RTCRtpReceiver, kind: Kind) -> None:
        """Before its receiver starts."""
        if mid not in self._slots:
            slot = self._slots[mid] = _Slot(mid, receiver, kind)
            open_what_it_receives(receiver, self._taking(slot))

    def listen(self, mid: str, track: MediaStreamTrack) -> None:
        """Takes decoded frames from now on, whether anybody wants them or not: nothing else keeps them few."""
        slot = self._slots[mid]
        if slot.pump is None:
            slot.pump = asyncio.create_task(self._pump(slot, track), name=f"frames of slot {mid}")

    def assign(self, change: SlotChange) -> None:
        slot = self._slots.get(change.mid)
        if slot is not None:
            slot.track = change.track

    def frames(self, track: Track) -> Stream[Frame]:
        heard = self._decoded[track.id]
        stream: Stream[Frame] = Stream(_MOST_FRAMES[track.kind], heard.remove)
        heard.append(stream)
        if track.id not in self._tracks:
            self.end_track(track.id)
        return stream

    def encoded_frames(self, track: Track) -> Stream[EncodedFrame]:
        heard = self._encoded[track.id]
        stream: Stream[EncodedFrame] = Stream(_MOST_FRAMES[track.kind], heard.remove)
        heard.append(stream)
        if track.id not in self._tracks:
            self.end_track(track.id)
        for slot in self._slots.values():
            if slot.track == track.id and slot.kind is Kind.VIDEO:
                ask_for_keyframe(slot.receiver)
        return stream

    def end_track(self, track: str) -> None:
        for decoded in self._decoded.pop(track, []):
            decoded.end()
        for encoded in self._encoded.pop(track, []):
            encoded.end()

    def keep_only(self, tracks: Container[str]) -> None:
        """After an absence: what is not there any more has ended meanwhile."""
        for track in {*self._decoded, *self._encoded}:
            if track not in tracks:
                self.end_track(track)

    async def forget_slots(self) -> None:
        """Their connection is gone: what streams hear comes by another."""
        pumps = [slot.pump for slot in self._slots.values() if slot.pump is not None]
        self._slots.clear()
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)

    async def close(self) -> None:
        await self.forget_slots()
        self.keep_only(())

    def _taking(self, slot: _Slot) -> Take:
        return lambda arrived: self._take(slot, arrived)

    def _take(self, slot: _Slot, arrived: Arrived) -> bytes | None:
        if not arrived.data:
            return None
        try:
            track, data = self._opened(slot, arrived)
        except BadPacket as wrong:
            self.drops[wrong.reason] += 1
            if slot.kind is Kind.VIDEO:
                self._want_keyframe(slot)
            return None
        is_keyframe = arrived.codec is not CodecName.VP8 or not data[0] & 1
        for stream in self._encoded.get(track.id, ()):
            stream.put(EncodedFrame(track.id, arrived.codec, data, arrived.timestamp, is_keyframe))
        return data if self._is_decoded(slot, track, arrived.timestamp, is_keyframe=is_keyframe) else None

    def _opened(self, slot: _Slot, arrived: Arrived) -> tuple[Track, bytes]:
        keyring = self._keyring()
        if keyring is not None:
            return keyring.open_frame(arrived.data, arrived.codec, self._likely(slot))
        track = self._tracks.get(slot.track or "")
        if track is None:
            raise BadPacket("unknown_track")
        if track.encrypted:
            raise BadPacket("no_secret")
        return track, arrived.data

    def _likely(self, slot: _Slot) -> Iterator[Track]:
        """Media may be faster than the message that says what it is."""
        current = self._tracks.get(slot.track or "")
        if current is not None:
            yield current
        for track in self._tracks.values():
            if track is not current and track.kind is slot.kind:
                yield track

    def _is_decoded(self, slot: _Slot, track: Track, timestamp: int, *, is_keyframe: bool) -> bool:
        """A decoder is only given what somebody wants to see, from a key frame on."""
        if not self._decoded.get(track.id):
            slot.decoding = None
            return False
        if slot.decoding != track.id:
            if not is_keyframe:
                self.drops["awaits_keyframe"] += 1
                self._want_keyframe(slot)
                return False
            slot.decoding = track.id
            slot.changes = [*slot.changes[-1:], (timestamp, track.id)]
        return True

    def _want_keyframe(self, slot: _Slot) -> None:
        now = asyncio.get_running_loop().time()
        if now - slot.asked_at >= _PATIENCE:
            slot.asked_at = now
            ask_for_keyframe(slot.receiver)

    async def _pump(self, slot: _Slot, track: MediaStreamTrack) -> None:
        with suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                if isinstance(frame, VideoFrame | AudioFrame):
                    for stream in self._decoded.get(_track_at(slot, frame.pts or 0), ()):
                        stream.put(frame)


def _track_at(slot: _Slot, timestamp: int) -> str:
    """Decoding takes a while: what comes out may be of the track before."""
    for since, track in reversed(slot.changes):
        if timestamp >= since:
            return track
    return slot.changes[0][1] if slot.changes else ""
