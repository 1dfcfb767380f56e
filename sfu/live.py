"""The rooms that live on this node: found or opened when somebody joins, closed some time after the last one left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Final, Protocol
from uuid import UUID

from media.engine import Connected, ConsentLost, DtlsDatagram, Event, Flowing, Gated, Switched
from sfu.admission import Admission
from sfu.meeting import Meeting
from sfu.member import LiveMember, Member
from sfu.node import Node
from sfu.notices import Departure, Ending, Tell
from sfu.refusals import refused
from sfu.rooms import Room
from sfu.watching import LOOK_EVERY, Watch

# Of events at once: what a few hundred handshakes bring, some ten milliseconds of work.
MOST_EVENTS: Final = 256
# Goodbyes are said at once; what takes longer is given up.
CLOSING_SECONDS: Final = 2.0


class Rooms(Protocol):
    """``LiveRooms`` as whoever holds sockets needs it; all of it on the event loop."""

    def join(self, room: Room, admission: Admission, tell: Tell) -> Member:
        """Nothing is told before it returns. Refused: ``room_full``, ``node_overloaded``, ``room_ended`` (the server is
        stopping). Who has the same identity and is there is replaced."""
        ...

    def end(self, room: UUID, reason: Ending = Ending.ROOM_ENDED) -> None:
        """Everybody is told ``Ended``. Nothing happens where nobody is."""
        ...


class Doorbell:
    """What an engine is opened with as ``wake``, from any thread; who answers comes later, when there is an engine."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._answer: Callable[[], None] | None = None
        self._rang = False

    def ring(self) -> None:
        with suppress(RuntimeError):  # the loop has ended: there is nobody to be woken
            self._loop.call_soon_threadsafe(self._wake)

    def answer(self, answer: Callable[[], None] | None) -> None:
        """Also what rang before."""
        self._answer = answer
        if self._rang and answer is not None:
            self._wake()

    def _wake(self) -> None:
        self._rang = self._answer is None
        if self._answer is not None:
            self._answer()


class LiveRooms:
    def __init__(self, node: Node) -> None:
        self._node = node
        self._meetings: dict[UUID, Meeting] = {}
        self._watch = Watch(node)
        self._is_closing = False

    def find(self, room: UUID) -> Meeting | None:
        return self._meetings.get(room)

    def join(self, room: Room, admission: Admission, tell: Tell) -> Member:
        if self._is_closing:
            raise refused("room_ended", "This server is stopping.")
        meeting = self._meetings.get(room.id) or Meeting(self._node, room)
        participant = meeting.join(admission, tell)
        self._meetings[room.id] = meeting
        self._node.meters.rooms.set(len(self._meetings))
        return LiveMember(self._node, meeting, participant)

    def end(self, room: UUID, reason: Ending = Ending.ROOM_ENDED) -> None:
        meeting = self._meetings.pop(room, None)
        if meeting is not None:
            meeting.end(reason)
            self._node.meters.rooms.set(len(self._meetings))

    def drain(self) -> None:
        """The engine has something to tell. It rings again where that was not all."""
        for event in self._node.engine.events(MOST_EVENTS):
            with self._node.contained("event"):
                self._hear(event)

    def tick(self, now: float) -> None:
        """One look at all rooms, at once."""
        for _ in self._look(now):
            pass

    async def run(self) -> None:
        """Until it is cancelled."""
        clock = self._node.clock
        while True:
            began = clock.monotonic()
            with self._node.contained("tick"):
                for _ in self._look(began):
                    await asyncio.sleep(0)
            took = clock.monotonic() - began
            self._node.meters.tick.observe(took)
            # At least half of the time is for others, also where a look takes longer than it may.
            await asyncio.sleep(max(LOOK_EVERY - took, took))

    async def close(self) -> None:
        """Everybody is told that the server is stopping. Nobody comes in any more."""
        self._is_closing = True
        for room in list(self._meetings):
            self.end(room, Ending.SERVER_STOPPING)
        if self._node.tasks:
            _, late = await asyncio.wait(self._node.tasks, timeout=CLOSING_SECONDS)
            for task in late:
                task.cancel()

    def _look(self, now: float) -> Iterator[None]:
        for meeting in list(self._meetings.values()):
            for participant in (*meeting.participants.values(), *meeting.waiting.values()):
                if participant.is_gone(now):
                    meeting.depart(participant, Departure.CONNECTION_LOST, Ending.EXPIRED)
            empty_since = meeting.empty_since
            if empty_since is not None and now - empty_since >= meeting.room.plan.empty_timeout:
                self.end(meeting.room.id)
        yield from self._watch.look(list(self._meetings.values()), now)

    def _hear(self, event: Event) -> None:
        node = self._node
        match event:
            case DtlsDatagram() | Connected() | ConsentLost():
                owner = node.transports.get(event.transport)
                if owner is not None:
                    owner.heard(event)
            case Gated():
                gated = node.sources.get(event.source)
                if gated is not None:
                    gated(event)
            case Switched():
                sender = node.sinks.get(event.sink)
                if sender is not None:
                    sender.switched(event)
            case Flowing():
                node.meters.flowing()


@asynccontextmanager
async def live_rooms(node: Node, doorbell: Doorbell) -> AsyncIterator[LiveRooms]:
    """Live while inside; the engine stays open until after."""
    rooms = LiveRooms(node)
    doorbell.answer(rooms.drain)
    task = asyncio.get_running_loop().create_task(rooms.run())
    try:
        yield rooms
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await rooms.close()
        doorbell.answer(None)
