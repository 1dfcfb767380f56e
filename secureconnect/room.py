"""A stay in a room: ``async with secureconnect.join(url, token) as room``."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from types import TracebackType
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
from aiortc import MediaStreamTrack
from yarl import URL

from media.codecs.names import Kind
from media.errors import BadPacket
from secureconnect import events
from secureconnect.connection import Connection
from secureconnect.encryption import Keyring, read_secret
from secureconnect.errors import Disconnected, Ended, NotEncrypted, Refused
from secureconnect.events import Event
from secureconnect.model import (
    IceServer,
    Joined,
    Limits,
    Negotiated,
    Participant,
    RoomInfo,
    SlotChange,
    Source,
    Speaker,
    Track,
)
from secureconnect.publishing import Publication
from secureconnect.reception import EncodedFrame, Frame, Reception
from secureconnect.signaling import PAUSES, Signaling
from secureconnect.state import RoomState
from secureconnect.streams import Stream

SECURE: Final = "secure"
_MOST_EVENTS: Final = 1024
_LEAVE_SECONDS: Final = 3.0


class _MayWait(msgspec.Struct):
    waiting: bool = False


class _Slots(msgspec.Struct):
    slots: tuple[SlotChange, ...]


class _More(msgspec.Struct):
    audio: int
    video: int


class _Reason(msgspec.Struct):
    reason: str


class _Data(msgspec.Struct, rename={"sender": "from"}):
    sender: str
    payload: bytes
    reliable: bool = True


def _client() -> dict[str, str]:
    try:
        return {"name": "secureconnect-python", "version": version("secureconnect")}
    except PackageNotFoundError:
        return {"name": "secureconnect-python", "version": "unknown"}


def _read_negotiated(data: bytes) -> Negotiated:
    return msgspec.json.decode(data, type=Negotiated)


class Room:
    """Made by ``join``. What is not answered within its time raises Disconnected, what the server does not allow raises
    Refused with the codes of docs/signaling.md. After a lost socket or connection it comes back by itself; requests
    made meanwhile raise Disconnected."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        secret: str | bytes | None,
        name: str | None,
        audio_slots: int,
        video_slots: int,
    ) -> None:
        self._url = url
        self._token = token
        self._secret = read_secret(secret)
        self._name = name
        # aiortc needs a section before its data channels.
        self._slots = {Kind.AUDIO: max(1, audio_slots), Kind.VIDEO: video_slots}
        self._limits = Limits(0, 0, 0)
        self._state = RoomState()
        self._keyring: Keyring | None = None
        self._signaling: Signaling | None = None
        self._connection: Connection | None = None
        self._reception = Reception(self._state.tracks, self._opening_keyring)
        self._publications: list[Publication] = []
        self._streams: list[Stream[Event]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._admitted = asyncio.Event()
        self._joined: Joined | None = None
        self._is_returning = False
        self._ended: str | None = None

    @property
    def me(self) -> Participant:
        if self._state.me is None:
            raise LookupError("not joined yet")
        return self._state.me

    @property
    def info(self) -> RoomInfo:
        if self._state.info is None:
            raise LookupError("not joined yet")
        return self._state.info

    @property
    def is_secure(self) -> bool:
        return self._state.info is not None and self._state.info.mode == SECURE

    @property
    def participants(self) -> Mapping[str, Participant]:
        """The others, by id."""
        return self._state.participants

    @property
    def tracks(self) -> Mapping[str, Track]:
        """Of the others, by id."""
        return self._state.tracks

    @property
    def speakers(self) -> Sequence[Speaker]:
        return self._state.speakers

    @property
    def publications(self) -> Sequence[Publication]:
        return tuple(self._publications)

    @property
    def dropped_frames(self) -> Mapping[str, int]:
        """Received and not handed on, by reason."""
        return self._reception.drops

    def events(self) -> Stream[Event]:
        """From now on."""
        stream: Stream[Event] = Stream(_MOST_EVENTS, self._streams.remove)
        self._streams.append(stream)
        if self._ended is not None:
            stream.put(events.RoomEnded(self._ended))
            stream.end()
        return stream

    def publish(self, track: MediaStreamTrack, source: Source | None = None) -> Publication:
        """To be entered: ``async with room.publish(track) as publication``. Sealed in Secure rooms. Without ``source``
        sound is a microphone's and pictures are a camera's."""
        if source is None:
            source = Source.CAMERA if track.kind == "video" else Source.MICROPHONE
        if source.kind.value != track.kind:
            raise ValueError(f"{source.value} is no {track.kind}")
        return Publication(self, track, source)

    def subscribe(self, track: Track) -> Stream[Frame]:
        """Decoded frames, video from a key frame on, while the server has a slot for it. Ends with the track."""
        return self._reception.frames(track)

    def subscribe_encoded(self, track: Track) -> Stream[EncodedFrame]:
        """Frames as the publisher encoded them, opened where they were sealed."""
        return self._reception.encoded_frames(track)

    async def send(self, payload: bytes | str, *, to: Sequence[str] | None = None, reliable: bool = True) -> None:
        """To everybody, or to participants by id. Sealed in Secure rooms. Raises ValueError for what is too long."""
        message = payload.encode() if isinstance(payload, str) else payload
        if self.is_secure:
            if self._keyring is None:
                raise NotEncrypted("secret_needed", "messages of this room are sealed")
            message = self._keyring.seal_message(message)
        if len(message) > self._limits.message_bytes:
            raise ValueError(f"a message has at most {self._limits.message_bytes} bytes, sealed")
        data: dict[str, object] = {"payload": base64.b64encode(message).decode()}
        if to is not None:
            data["to"] = list(to)
        text = msgspec.json.encode(data).decode()
        if self._connection is None or not self._connection.send(text, reliable=reliable):
            await self._ask("data", {**data, "reliable": reliable})

    async def want(self, track: Track, width: int, height: int, *, fps: float | None = None, priority: int = 0) -> None:
        """How large it is shown; it is sent no larger than that needs."""
        asked = {"track": track.id, "width": width, "height": height, "priority": priority}
        await self._ask("want", asked if fps is None else {**asked, "fps": fps})

    async def unwant(self, track: Track) -> None:
        await self._ask("unwant", {"track": track.id})

    async def pin(self, track: Track, *, pinned: bool = True) -> None:
        await self._ask("pin", {"track": track.id, "pinned": pinned})

    async def set_metadata(self, metadata: str | None, *, name: str | None = None) -> None:
        await self._ask(
            "set_metadata", {"metadata": metadata} if name is None else {"metadata": metadata, "name": name}
        )

    async def raise_hand(self, *, raised: bool = True) -> None:
        await self._ask("raise_hand", {"raised": raised})

    async def react(self, emoji: str) -> None:
        await self._ask("reaction", {"emoji": emoji})

    async def leave(self) -> None:
        """Also when the block of ``join`` is left. May be called again."""
        if self._ended is None:
            signaling = self._signaling
            self._end("left")
            if signaling is not None:
                with suppress(Disconnected, Refused):
                    await signaling.request("leave", {}, lambda _: None, _LEAVE_SECONDS)
        await self._close()

    async def __aenter__(self) -> Room:
        try:
            await self._enter()
        except BaseException:
            self._end("left")
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.leave()

    # What publications ask of their room.

    async def start(self, publication: Publication) -> None:
        self._publications.append(publication)
        try:
            await self._send_publication(publication)
        except BaseException:
            self._publications.remove(publication)
            raise

    async def stop(self, publication: Publication) -> None:
        if publication not in self._publications:
            return
        self._publications.remove(publication)
        outgoing = publication.outgoing
        if self._connection is not None and outgoing is not None:
            self._connection.withdraw(outgoing)
            if outgoing.track_id is not None:
                with suppress(Disconnected, Refused, Ended):
                    await self._ask("unpublish", {"track": outgoing.track_id})

    async def mute(self, track_id: str, *, muted: bool) -> None:
        await self._ask("mute", {"track": track_id, "muted": muted})

    # What the socket says.

    def noticed(self, kind: str, data: bytes) -> None:
        special = _SPECIAL.get(kind)
        if special is not None:
            special(self, data)
            return
        for event in self._state.apply(kind, data):
            self._happened(event)

    def socket_lost(self) -> None:
        self._tell(events.Reconnecting())

    def socket_back(self) -> None:
        self._tell(events.Reconnected(anew=False))

    def socket_gone(self, code: str) -> None:
        if code == "resume_failed":
            self._return()
        else:
            self._end(code)

    # How it is done.

    async def _enter(self) -> None:
        self._admitted.clear()
        signaling = self._signaling = Signaling(self._url, self._token, self)
        announced = None
        if self._secret is not None:
            self._keyring = Keyring(self._secret, self._announced_by)
            own = self._keyring.announced
            announced = {"kid_prefix": own.kid_prefix, "sender": own.sender}
        await signaling.join({"client": _client(), "e2ee": announced}, self._take_answer)
        await self._admitted.wait()
        if self._ended is not None or self._joined is None:
            raise Ended(self._ended or "left")
        if not self.is_secure or self._keyring is not None:
            self._connection = await self._connected(self._joined.ice_servers)
        if self._name is not None:
            await self.set_metadata(self.me.metadata, name=self._name)

    async def _connected(self, ice_servers: Sequence[IceServer]) -> Connection:
        connection = Connection(
            ice_servers,
            self._exchange,
            on_slot=self._reception.open_slot,
            on_media=self._reception.listen,
            on_text=self._text_came,
            on_lost=self._return,
        )
        try:
            await connection.open(audio_slots=self._slots[Kind.AUDIO], video_slots=self._slots[Kind.VIDEO])
        except BaseException:
            await connection.close()
            raise
        return connection

    def _take_answer(self, data: bytes) -> None:
        if not msgspec.json.decode(data, type=_MayWait).waiting:
            self._take_joined(data)

    def _take_joined(self, data: bytes) -> None:
        joined = self._joined = msgspec.json.decode(data, type=Joined)
        self._limits = joined.limits
        self._state.join(joined)
        self._admitted.set()

    async def _exchange(self, sdp: str, publish: Sequence[dict[str, object]], receive: dict[str, int]) -> Negotiated:
        asked = {"sdp": sdp, "publish": publish, "receive": receive}
        negotiated: Negotiated = await self._request("negotiate", asked, _read_negotiated)
        return negotiated

    async def _send_publication(self, publication: Publication) -> None:
        keyring = self._keyring if self.is_secure else None
        if self.is_secure and keyring is None:
            raise NotEncrypted("secret_needed", "what is published in this room is sealed")
        if self._connection is None:
            raise Disconnected("disconnected")
        await self._connection.publish(publication.made_outgoing(keyring))

    async def _ask(self, kind: str, data: Mapping[str, object]) -> None:
        await self._request(kind, data, lambda _: None)

    async def _request(self, kind: str, data: Mapping[str, object], read: Callable[[bytes], Any]) -> Any:
        if self._ended is not None:
            raise Ended(self._ended)
        if self._signaling is None:
            raise Disconnected("disconnected")
        return await self._signaling.request(kind, data, read)

    def _announced_by(self, participant: str) -> Any:
        found = self._state.participants.get(participant)
        return found.e2ee if found is not None else None

    def _opening_keyring(self) -> Keyring | None:
        return self._keyring if self.is_secure else None

    def _happened(self, event: Event) -> None:
        match event:
            case events.TrackUnpublished(track):
                self._reception.end_track(track.id)
                if self._keyring is not None:
                    self._keyring.forget_track(track.id)
            case events.ParticipantLeft(participant) if self._keyring is not None:
                self._keyring.forget_participant(participant.id)
        self._tell(event)

    def _slots_changed(self, data: bytes) -> None:
        for change in msgspec.json.decode(data, type=_Slots).slots:
            self._reception.assign(change)

    def _more_slots(self, data: bytes) -> None:
        more = msgspec.json.decode(data, type=_More)
        self._spawn(self._grow(more), "more slots")

    async def _grow(self, more: _More) -> None:
        connection = self._connection
        if connection is None:
            return
        audio = min(more.audio, self._limits.audio_slots - connection.count(Kind.AUDIO))
        # Who asked for no pictures has no use for them now.
        room = self._limits.video_slots - connection.count(Kind.VIDEO) if self._slots[Kind.VIDEO] else 0
        video = min(more.video, room)
        if audio > 0 or video > 0:
            with suppress(Disconnected, Refused, Ended):
                await connection.receive(max(0, audio), max(0, video))

    def _text_came(self, label: str, text: str) -> None:
        with suppress(msgspec.MsgspecError):
            self._message(msgspec.json.decode(text, type=_Data), reliable=label == "reliable")

    def _data_came(self, data: bytes) -> None:
        message = msgspec.json.decode(data, type=_Data)
        self._message(message, reliable=message.reliable)

    def _message(self, message: _Data, *, reliable: bool) -> None:
        payload = message.payload
        if self.is_secure:
            try:
                payload = self._opened(message.sender, payload)
            except BadPacket as wrong:
                self._tell(events.DataRejected(message.sender, wrong.reason))
                return
        self._tell(events.DataReceived(self._state.participants.get(message.sender), payload, reliable))

    def _opened(self, sender: str, payload: bytes) -> bytes:
        if self._keyring is None:
            raise BadPacket("no_secret")
        return self._keyring.open_message(sender, payload)

    def _ended_by_server(self, data: bytes) -> None:
        self._end(msgspec.json.decode(data, type=_Reason).reason)

    def _return(self) -> None:
        """Joins anew, once at a time."""
        if self._ended is None and not self._is_returning:
            self._is_returning = True
            self._tell(events.Reconnecting())
            self._spawn(self._come_back(), "joining anew")

    async def _come_back(self) -> None:
        try:
            for pause in PAUSES:
                await self._close_connections()
                await asyncio.sleep(pause)
                try:
                    await self._enter()
                    for publication in self._publications:
                        await self._send_publication(publication)
                except Disconnected:
                    continue
                except Refused as refused:
                    self._end(refused.code)
                    return
                self._tell(events.Reconnected(anew=True))
                return
            self._end("unreachable")
        finally:
            self._is_returning = False

    def _end(self, reason: str) -> None:
        if self._ended is not None:
            return
        self._ended = reason
        self._admitted.set()
        self._tell(events.RoomEnded(reason))
        for stream in self._streams:
            stream.end()
        for track in list(self._state.tracks):
            self._reception.end_track(track)

    def _tell(self, event: Event) -> None:
        for stream in self._streams:
            stream.put(event)

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _close_connections(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
        await self._reception.forget_slots()
        signaling, self._signaling = self._signaling, None
        if signaling is not None:
            await signaling.close()

    async def _close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._close_connections()
        await self._reception.close()


_SPECIAL: Final[Mapping[str, Callable[[Room, bytes], None]]] = {
    "admitted": Room._take_joined,  # noqa: SLF001 - the table of the class above
    "slots": Room._slots_changed,  # noqa: SLF001
    "more_slots": Room._more_slots,  # noqa: SLF001
    "data": Room._data_came,  # noqa: SLF001
    "ended": Room._ended_by_server,  # noqa: SLF001
}


def join(
    url: str,
    token: str,
    *,
    secret: str | bytes | None = None,
    name: str | None = None,
    audio_slots: int = 3,
    video_slots: int = 4,
) -> Room:
    """``url`` is the server's, ``token`` a room token (``POST /v1/rooms/{id}/tokens``), ``secret`` what follows ``#k=``
    in the room's link, for Secure rooms. ``name`` is how others see us. So many others can be received at once as there
    are ``audio_slots`` and ``video_slots``; more are added when the server says that they are of use, but pictures
    never where none were asked for.

    To be entered: when the block begins it has joined and media is connected; in a room with a waiting room that takes
    until somebody lets us in. Without the secret of a Secure room one is there, and neither sees nor hears."""
    return Room(url, token, secret=secret, name=name, audio_slots=audio_slots, video_slots=video_slots)


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
