"""What we publish, as long as its block is not left."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol

from aiortc import MediaStreamTrack

from media.codecs.names import CodecName
from secureconnect.connection import Mutable, Outgoing
from secureconnect.encryption import Keyring, new_cid
from secureconnect.model import Source


class Publisher(Protocol):
    async def start(self, publication: Publication) -> None: ...

    async def stop(self, publication: Publication) -> None: ...

    async def mute(self, track_id: str, *, muted: bool) -> None: ...


class Publication:
    """Made by ``room.publish``; goes on by itself after the room came back from a lost connection."""

    def __init__(self, room: Publisher, track: MediaStreamTrack, source: Source) -> None:
        self.source = source
        self.outgoing: Outgoing | None = None
        self._room = room
        self._track = track
        self._muted = False

    @property
    def track_id(self) -> str:
        """What others know it by."""
        if self.outgoing is None or self.outgoing.track_id is None:
            raise LookupError("not published yet")
        return self.outgoing.track_id

    @property
    def muted(self) -> bool:
        return self._muted

    def made_outgoing(self, keyring: Keyring | None) -> Outgoing:
        """Each time with an id, and so with a key, that nobody has used before. Without ``keyring`` it is clear."""
        cid = new_cid()
        track = Mutable(self._track)
        track.muted = self._muted
        self.outgoing = Outgoing(cid, self.source, track, None)
        if keyring is not None:
            sealer = keyring.sealer(cid)

            def seal(frame: bytes, codec: CodecName) -> bytes:
                return sealer.seal(frame, codec)

            self.outgoing.seal = seal
        return self.outgoing

    async def mute(self, *, muted: bool = True) -> None:
        """Stops it here and at the server, or lets it go on."""
        self._muted = muted
        if self.outgoing is not None:
            self.outgoing.track.muted = muted
        await self._room.mute(self.track_id, muted=muted)

    async def ended(self) -> None:
        """Returns when its track has nothing more to give."""
        if self.outgoing is not None:
            await self.outgoing.track.ended.wait()

    async def __aenter__(self) -> Publication:
        await self._room.start(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._room.stop(self)
