"""What a stay in a room is made of: the socket, the connection, who is there; and coming back when one is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import msgspec

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
    SlotChange,
)
from secureconnect.publishing import Publication
from secureconnect.reception import Reception
from secureconnect.signaling import PAUSES, Signaling, Token
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


class Session:
    """Behind a ``Room``. ``events`` are told to all its streams; what it spawns ends with ``leave``."""

    def __init__(
        self,
        url: str,
        token: Token,
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
        self.limits = Limits(0, 0, 0)
        self.state = RoomState()
        self._keyring: Keyring | None = None
        self._signaling: Signaling | None = None
        self._connection: Connection | None = None
        self.reception = Reception(self.state.tracks, self._opening_keyring)
        self.publications: list[Publication] = []
        self._streams: list[Stream[Event]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._admission: asyncio.Future[Joined] | None = None
        self._is_entering = False
        self._is_returning = False
        self._is_broken = False
        self._ended: str | None = None

    def events(self) -> Stream[Event]:
        """From now on."""
        stream: Stream[Event] = Stream(_MOST_EVENTS, self._streams.remove)
        self._streams.append(stream)
        if self._ended is not None:
            stream.put(events.RoomEnded(self._ended))
            stream.end()
        return stream

    async def leave(self) -> None:
        """Also when the block of ``join`` is left. May be called again."""
        if self._ended is None:
            signaling = self._signaling
            self._end("left")
            if signaling is not None:
                with suppress(Disconnected, Refused):
                    await signaling.request("leave", {}, lambda _: None, _LEAVE_SECONDS)
        await self._close()

    async def enter(self) -> None:
        """Raises Disconnected, Refused and Ended, and has left then."""
        try:
            await self._enter()
        except BaseException:
            self._end("left")
            await self._close()
            raise
        if self._is_broken:
            self._return()

    @property
    def is_secure(self) -> bool:
        return self.state.info is not None and self.state.info.mode == SECURE

    def seal(self, message: bytes) -> bytes:
        """As it may be sent in this room. Raises NotEncrypted."""
        if not self.is_secure:
            return message
        if self._keyring is None:
            raise NotEncrypted("secret_needed", "messages of this room are sealed")
        return self._keyring.seal_message(message)

    def send_text(self, text: str, *, reliable: bool) -> bool:
        """Over a data channel; False where it is not open."""
        return self._connection is not None and self._connection.send(text, reliable=reliable)

    async def ask(self, kind: str, data: Mapping[str, object]) -> None:
        """For what has no answer but that it was done."""
        await self._request(kind, data, lambda _: None)

    # What publications ask of their room.

    async def start(self, publication: Publication) -> None:
        self.publications.append(publication)
        try:
            await self._send_publication(publication)
        except BaseException:
            self.publications.remove(publication)
            raise

    async def stop(self, publication: Publication) -> None:
        if publication not in self.publications:
            return
        self.publications.remove(publication)
        outgoing = publication.outgoing
        if self._connection is not None and outgoing is not None:
            self._connection.withdraw(outgoing)
            if outgoing.track_id is not None:
                with suppress(Disconnected, Refused, Ended):
                    await self.ask("unpublish", {"track": outgoing.track_id})

    async def mute(self, track_id: str, *, muted: bool) -> None:
        await self.ask("mute", {"track": track_id, "muted": muted})

    # What the socket says.

    def noticed(self, kind: str, data: bytes) -> None:
        special = _SPECIAL.get(kind)
        if special is not None:
            special(self, data)
            return
        for event in self.state.apply(kind, data):
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
        self._is_broken = False
        self._is_entering = True
        try:
            joined = await self._admitted()
            if not self.is_secure or self._keyring is not None:
                await self._connect(joined.ice_servers)
            if self._name is not None:
                await self.ask("set_metadata", {"metadata": joined.participant.metadata, "name": self._name})
        finally:
            self._is_entering = False

    async def _admitted(self) -> Joined:
        admission: asyncio.Future[Joined] = asyncio.get_running_loop().create_future()
        self._admission = admission
        signaling = self._signaling = Signaling(self._url, self._token, self)
        announced = None
        if self._secret is not None:
            self._keyring = Keyring(self._secret, self._announced_by)
            own = self._keyring.announced
            announced = {"kid_prefix": own.kid_prefix, "sender": own.sender}
        try:
            await signaling.join({"client": _client(), "e2ee": announced}, self._take_answer)
            return await admission
        finally:
            admission.cancel()

    async def _connect(self, ice_servers: Sequence[IceServer]) -> None:
        # Known before it is open: the server may ask for more slots as soon as it has answered.
        connection = self._connection = Connection(
            ice_servers,
            self._exchange,
            on_slot=self.reception.open_slot,
            on_media=self.reception.listen,
            on_text=self._text_came,
            on_lost=self._return,
        )
        await connection.open(audio_slots=self._slots[Kind.AUDIO], video_slots=self._slots[Kind.VIDEO])

    def _take_answer(self, data: bytes) -> None:
        if not msgspec.json.decode(data, type=_MayWait).waiting:
            self._take_joined(data)

    def _take_joined(self, data: bytes) -> None:
        joined = msgspec.json.decode(data, type=Joined)
        self.limits = joined.limits
        self.state.join(joined)
        self.reception.keep_only(self.state.tracks)
        if self._admission is not None and not self._admission.done():
            self._admission.set_result(joined)

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

    async def _request(self, kind: str, data: Mapping[str, object], read: Callable[[bytes], Any]) -> Any:
        if self._ended is not None:
            raise Ended(self._ended)
        if self._signaling is None:
            raise Disconnected("disconnected")
        return await self._signaling.request(kind, data, read)

    def _announced_by(self, participant: str) -> Any:
        found = self.state.participants.get(participant)
        return found.e2ee if found is not None else None

    def _opening_keyring(self) -> Keyring | None:
        return self._keyring if self.is_secure else None

    def _happened(self, event: Event) -> None:
        match event:
            case events.TrackUnpublished(track):
                self.reception.end_track(track.id)
                if self._keyring is not None:
                    self._keyring.forget_track(track.id)
            case events.ParticipantLeft(participant) if self._keyring is not None:
                self._keyring.forget_participant(participant.id)
        self._tell(event)

    def _slots_changed(self, data: bytes) -> None:
        for change in msgspec.json.decode(data, type=_Slots).slots:
            self.reception.assign(change)

    def _more_slots(self, data: bytes) -> None:
        more = msgspec.json.decode(data, type=_More)
        self._spawn(self._grow(more), "more slots")

    async def _grow(self, more: _More) -> None:
        connection = self._connection
        if connection is None:
            return
        audio = min(more.audio, self.limits.audio_slots - connection.count(Kind.AUDIO))
        # Who asked for no pictures has no use for them now.
        room = self.limits.video_slots - connection.count(Kind.VIDEO) if self._slots[Kind.VIDEO] else 0
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
        self._tell(events.DataReceived(self.state.participants.get(message.sender), payload, reliable))

    def _opened(self, sender: str, payload: bytes) -> bytes:
        if self._keyring is None:
            raise BadPacket("no_secret")
        return self._keyring.open_message(sender, payload)

    def _ended_by_server(self, data: bytes) -> None:
        self._end(msgspec.json.decode(data, type=_Reason).reason)

    def _return(self) -> None:
        """Joins anew, once at a time. While we are on our way in, whoever waits for that is told instead."""
        if self._ended is not None:
            return
        self._is_broken = True
        if self._admission is not None and not self._admission.done():
            self._admission.set_exception(Disconnected("disconnected"))
        elif not self._is_returning and not self._is_entering:
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
                    await self._publish_again()
                except Disconnected:
                    continue
                except (Refused, Ended) as over:
                    self._end(over.code)
                    return
                if not self._is_broken:
                    self._tell(events.Reconnected(anew=True))
                    return
            self._end("unreachable")
        finally:
            self._is_returning = False

    async def _publish_again(self) -> None:
        for publication in self.publications.copy():
            if publication in self.publications and not self._is_carried(publication):
                await self._send_publication(publication)

    def _is_carried(self, publication: Publication) -> bool:
        outgoing = publication.outgoing
        return outgoing is not None and self._connection is not None and self._connection.carries(outgoing)

    def _end(self, reason: str) -> None:
        if self._ended is not None:
            return
        self._ended = reason
        if self._admission is not None and not self._admission.done():
            self._admission.set_exception(Ended(reason))
        self._tell(events.RoomEnded(reason))
        for stream in self._streams:
            stream.end()
        for track in list(self.state.tracks):
            self.reception.end_track(track)

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
        await self.reception.forget_slots()
        signaling, self._signaling = self._signaling, None
        if signaling is not None:
            await signaling.close()

    async def _close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._close_connections()
        await self.reception.close()


_SPECIAL: Final[Mapping[str, Callable[[Session, bytes], None]]] = {
    "admitted": Session._take_joined,  # noqa: SLF001 - the table of the class above
    "slots": Session._slots_changed,  # noqa: SLF001
    "more_slots": Session._more_slots,  # noqa: SLF001
    "data": Session._data_came,  # noqa: SLF001
    "ended": Session._ended_by_server,  # noqa: SLF001
}
