"""A stay in a room: ``async with secureconnect.join(url, token) as room``."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from types import TracebackType
from urllib.parse import parse_qsl

import msgspec
from aiortc import MediaStreamTrack
from yarl import URL

from secureconnect.events import Event
from secureconnect.model import Participant, RoomInfo, Source, Speaker, Track
from secureconnect.publishing import Publication
from secureconnect.reception import EncodedFrame, Frame
from secureconnect.session import Session
from secureconnect.signaling import Token
from secureconnect.streams import Stream


class Room:
    """Made by ``join``. What is not answered within its time raises Disconnected, what the server does not allow raises
    Refused with the codes of docs/signaling.md. After a lost socket or connection it comes back by itself; requests
    made meanwhile raise Disconnected."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def me(self) -> Participant:
        if self._session.state.me is None:
            raise LookupError("not joined yet")
        return self._session.state.me

    @property
    def info(self) -> RoomInfo:
        if self._session.state.info is None:
            raise LookupError("not joined yet")
        return self._session.state.info

    @property
    def is_secure(self) -> bool:
        return self._session.is_secure

    @property
    def participants(self) -> Mapping[str, Participant]:
        """The others, by id."""
        return self._session.state.participants

    @property
    def tracks(self) -> Mapping[str, Track]:
        """Of the others, by id."""
        return self._session.state.tracks

    @property
    def speakers(self) -> Sequence[Speaker]:
        return self._session.state.speakers

    @property
    def publications(self) -> Sequence[Publication]:
        return tuple(self._session.publications)

    @property
    def dropped_frames(self) -> Mapping[str, int]:
        """Received and not handed on, by reason."""
        return self._session.reception.drops

    def events(self) -> Stream[Event]:
        """From now on."""
        return self._session.events()

    def publish(self, track: MediaStreamTrack, source: Source | None = None) -> Publication:
        """To be entered: ``async with room.publish(track) as publication``. Sealed in Secure rooms. Without ``source``
        sound is a microphone's and pictures are a camera's."""
        if source is None:
            source = Source.CAMERA if track.kind == "video" else Source.MICROPHONE
        if source.kind.value != track.kind:
            raise ValueError(f"{source.value} is no {track.kind}")
        return Publication(self._session, track, source)

    def subscribe(self, track: Track) -> Stream[Frame]:
        """Decoded frames, video from a key frame on, while the server has a slot for it. Ends with the track."""
        return self._session.reception.frames(track)

    def subscribe_encoded(self, track: Track) -> Stream[EncodedFrame]:
        """Frames as the publisher encoded them, opened where they were sealed."""
        return self._session.reception.encoded_frames(track)

    async def send(self, payload: bytes | str, *, to: Sequence[str] | None = None, reliable: bool = True) -> None:
        """To everybody, or to participants by id. Sealed in Secure rooms. Raises ValueError for what is too long."""
        message = payload.encode() if isinstance(payload, str) else payload
        message = self._session.seal(message)
        if len(message) > self._session.limits.message_bytes:
            raise ValueError(f"a message has at most {self._session.limits.message_bytes} bytes, sealed")
        data: dict[str, object] = {"payload": base64.b64encode(message).decode()}
        if to is not None:
            data["to"] = list(to)
        text = msgspec.json.encode(data).decode()
        if not self._session.send_text(text, reliable=reliable):
            await self._session.ask("data", {**data, "reliable": reliable})

    async def want(self, track: Track, width: int, height: int, *, fps: float | None = None, priority: int = 0) -> None:
        """How large it is shown; it is sent no larger than that needs."""
        asked = {"track": track.id, "width": width, "height": height, "priority": priority}
        await self._session.ask("want", asked if fps is None else {**asked, "fps": fps})

    async def unwant(self, track: Track) -> None:
        await self._session.ask("unwant", {"track": track.id})

    async def pin(self, track: Track, *, pinned: bool = True) -> None:
        await self._session.ask("pin", {"track": track.id, "pinned": pinned})

    async def set_metadata(self, metadata: str | None, *, name: str | None = None) -> None:
        await self._session.ask(
            "set_metadata", {"metadata": metadata} if name is None else {"metadata": metadata, "name": name}
        )

    async def raise_hand(self, *, raised: bool = True) -> None:
        await self._session.ask("raise_hand", {"raised": raised})

    async def react(self, emoji: str) -> None:
        await self._session.ask("reaction", {"emoji": emoji})

    async def leave(self) -> None:
        """Also when the block of ``join`` is left. May be called again."""
        await self._session.leave()

    async def __aenter__(self) -> Room:
        await self._session.enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.leave()


def join(
    url: str,
    token: Token,
    *,
    secret: str | bytes | None = None,
    name: str | None = None,
    audio_slots: int = 3,
    video_slots: int = 4,
) -> Room:
    """``url`` is the server's, ``token`` a room token (``POST /v1/rooms/{id}/tokens``) or what makes one: they are
    short-lived, and who comes back after minutes needs a new one. ``secret`` is what follows ``#k=`` in the room's
    link, for Secure rooms. ``name`` is how others see us. So many others can be received at once as there
    are ``audio_slots`` and ``video_slots``; more are added when the server says that they are of use, but pictures
    never where none were asked for.

    To be entered: when the block begins it has joined and media is connected; in a room with a waiting room that takes
    until somebody lets us in. Without the secret of a Secure room one is there, and neither sees nor hears."""
    return Room(Session(url, token, secret=secret, name=name, audio_slots=audio_slots, video_slots=video_slots))


def join_link(link: str, *, name: str | None = None, audio_slots: int = 3, video_slots: int = 4) -> Room:
    """As ``join``, by a link as the console and pages make them: token and secret stand behind its ``#``. Raises
    ValueError for a link without a token."""
    url = URL(link)
    given = dict(parse_qsl(url.fragment))
    if "token" not in given:
        raise ValueError("this link has no token")
    return join(
        str(url.with_fragment(None)),
        given["token"],
        secret=given.get("k"),
        name=name,
        audio_slots=audio_slots,
        video_slots=video_slots,
    )
