"""Whatever people do in rooms, in whatever order: what is told stays true, and what ends leaves nothing behind."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Concatenate, ParamSpec

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from kernel.errors import SecureConnectError
from media.engine import AudioLevel, Gated
from media.gate import Reason
from sfu.admission import Grants
from sfu.notices import (
    Admitted,
    Ended,
    Joined,
    Notice,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantUpdated,
    TrackMuted,
    TrackPublished,
    TrackUnpublished,
)
from sfu.rooms import Mode
from sfu.sources import Source
from tests.sfu.stage import CAMERA, EVERYTHING, MICROPHONE, SCREEN, Person, Stage

P = ParamSpec("P")

EXAMPLES = 60
NAMES = ("ada", "bob", "eve", "dan")
HIDDEN = Grants(subscribe=True, hidden=True)


class View:
    """A room as a client sees it that believes what it is told."""

    def __init__(self, joined: Joined) -> None:
        self.people = {one.id for one in joined.participants}
        self.tracks = {one.id: one for one in joined.tracks}
        self.muted = {one.id for one in joined.tracks if one.muted}

    def see(self, notice: Notice) -> None:
        match notice:
            case ParticipantJoined(participant=one):
                assert one.id not in self.people, "joined twice"
                self.people.add(one.id)
            case ParticipantUpdated(participant=one):
                assert one.id in self.people, "a stranger"
            case ParticipantLeft(participant=gone):
                self.people.remove(gone)
                assert all(track.participant != gone for track in self.tracks.values()), "a track without publisher"
            case TrackPublished(track=track):
                assert track.participant in self.people, "a stranger's track"
                assert track.id not in self.tracks, "published twice"
                self.tracks[track.id] = track
            case TrackUnpublished(track=gone):
                del self.tracks[gone]
                self.muted.discard(gone)
            case TrackMuted(track=track_id, muted=muted):
                (self.muted.add if muted else self.muted.discard)(track_id)
            case _:
                pass


def on_the_loop(act: Callable[Concatenate[Rooms, P], Awaitable[None]]) -> Callable[Concatenate[Rooms, P], None]:
    """Whatever a room does, it does on a running loop."""

    @wraps(act)
    def run(self: Rooms, /, *args: P.args, **kwargs: P.kwargs) -> None:
        async def inside() -> None:
            await act(self, *args, **kwargs)

        self.loop.run_until_complete(inside())

    return run


class Rooms(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.stage = Stage()
        self.rooms = [self.stage.room(), self.stage.room(Mode.SECURE), self.stage.room(waiting_room=True)]
        self.people: list[Person] = []

    def present(self, number: int) -> Person:
        live = [found for room in self.rooms if (found := self.stage.rooms.find(room.id)) is not None]
        ids = {identifier for meeting in live for identifier in meeting.participants}
        inside = [one for one in self.people if one.id in ids]
        return inside[number % len(inside)]

    def is_anybody_inside(self) -> bool:
        return any(room and room.participants for room in map(self.stage.rooms.find, (one.id for one in self.rooms)))

    @rule(room=st.integers(0, 2), who=st.sampled_from(NAMES), grants=st.sampled_from([EVERYTHING, HIDDEN]))
    @on_the_loop
    async def join(self, room: int, who: str, grants: Grants) -> None:
        self.people.append(self.stage.join(self.rooms[room], who, grants))
        meeting = self.stage.meeting(self.rooms[room])
        for waiting in list(meeting.waiting)[1:]:
            meeting.admit(waiting)

    @precondition(is_anybody_inside)
    @rule(
        number=st.integers(0, 9),
        sources=st.lists(st.sampled_from([MICROPHONE, CAMERA, SCREEN]), unique=True, max_size=3),
        slots=st.tuples(st.integers(0, 2), st.integers(1, 3)),
    )
    @on_the_loop
    async def negotiate(self, number: int, sources: list[Source], slots: tuple[int, int]) -> None:
        one = self.present(number)
        if one.me.connection is not None:
            one.me.connection._lose("closed_by_peer")
        if one.me.is_hidden and sources:
            with pytest.raises(SecureConnectError, match="may not publish"):
                await one.publish(*sources, slots=slots)
        else:
            await one.publish(*sources, slots=slots)
            one.connect()

    @precondition(is_anybody_inside)
    @rule(
        number=st.integers(0, 9),
        which=st.integers(0, 9),
        act=st.sampled_from(["want", "unwant", "pin", "unpin", "hide"]),
    )
    @on_the_loop
    async def choose(self, number: int, which: int, act: str) -> None:
        one = self.present(number)
        tracks = list(self.stage.meeting(one.room).tracks.values())
        track = tracks[which % len(tracks)].id if tracks else "none"
        acts = {
            "want": lambda: one.here.want(track, 1280, 720),
            "hide": lambda: one.here.want(track, 0, 0),
            "unwant": lambda: one.here.unwant(track),
            "pin": lambda: one.here.pin(track, pinned=True),
            "unpin": lambda: one.here.pin(track, pinned=False),
        }
        if track == "none" or track in one.me.tracks:
            with pytest.raises(SecureConnectError, match="no such track"):
                acts[act]()
        else:
            acts[act]()

    @precondition(is_anybody_inside)
    @rule(number=st.integers(0, 9), muted=st.booleans(), ends=st.booleans(), by_gate=st.booleans())
    @on_the_loop
    async def own_track(self, number: int, muted: bool, ends: bool, by_gate: bool) -> None:
        one = self.present(number)
        for track in list(one.me.tracks.values())[:1]:
            if ends:
                one.here.unpublish(track.id)
            elif by_gate:
                self.stage.engine.waiting.append(Gated(track.source, Reason.CLEAR_FRAME, muted=True))
                self.stage.rooms.drain()
            else:
                one.here.mute(track.id, muted=muted)

    @precondition(is_anybody_inside)
    @rule(number=st.integers(0, 9), how=st.sampled_from(["leave", "kick", "lose"]))
    @on_the_loop
    async def go(self, number: int, how: str) -> None:
        one = self.present(number)
        if how == "leave":
            one.here.leave()
        elif how == "kick":
            self.stage.meeting(one.room).remove(one.id)
        else:
            one.here.socket_lost()

    @rule(room=st.integers(0, 2))
    @on_the_loop
    async def end(self, room: int) -> None:
        self.stage.rooms.end(self.rooms[room].id)

    @rule(seconds=st.sampled_from([0.2, 0.6, 2.0, 20.0]), loud=st.integers(0, 9))
    @on_the_loop
    async def pass_time(self, seconds: float, loud: int) -> None:
        sounds = [one for one, held in self.stage.engine.sources.items() if held.format.mid.startswith("a")]
        if sounds:
            self.stage.engine.levels[sounds[loud % len(sounds)]] = AudioLevel(30, voice=True)
        self.stage.pass_time(seconds, step=min(1.0, seconds / 2))

    @invariant()
    def nobody_is_told_anything_untrue(self) -> None:
        for one in self.people:
            meeting = self.stage.rooms.find(one.room.id)
            view = View(one.here.joined) if one.here.joined is not None else None
            for notice in one.told:
                if isinstance(notice, Admitted):
                    view = View(notice.joined)
                elif view is not None:
                    view.see(notice)
            if view is None or meeting is None or one.id not in meeting.participants:
                continue
            others = {other.id for other in meeting.participants.values() if other.id != one.id and not other.is_hidden}
            assert view.people == others
            foreign = {track.id: track for track in meeting.tracks.values() if track.publisher.id != one.id}
            hears = meeting.may_hear(meeting.participants[one.id])
            assert view.tracks.keys() == (foreign.keys() if hears else set())
            muted = {track for track in view.tracks if foreign[track].muted_by is not None}
            assert view.muted & view.tracks.keys() == muted

    @invariant()
    def the_end_is_the_last_that_anybody_is_told(self) -> None:
        for one in self.people:
            ends = [index for index, notice in enumerate(one.told) if isinstance(notice, Ended)]
            assert ends in ([], [len(one.told) - 1])

    @invariant()
    def the_engine_holds_what_is_published_and_nothing_else(self) -> None:
        meetings = [found for room in self.rooms if (found := self.stage.rooms.find(room.id)) is not None]
        tracks = [track for meeting in meetings for track in meeting.tracks.values()]
        assert {track.source for track in tracks} == self.stage.engine.sources.keys() == self.stage.node.sources.keys()
        secure = {track.source for track in tracks if track.announced.encrypted}
        for source, held in self.stage.engine.sources.items():
            assert bool(held.gates) == (source in secure)

    @invariant()
    def what_flows_is_what_was_told_and_comes_from_the_same_room(self) -> None:
        for room in self.rooms:
            meeting = self.stage.rooms.find(room.id)
            for person in self.people if meeting is not None else ():
                if meeting is None or person.id not in meeting.participants or person.me.connection is None:
                    continue
                held = person.me.seat.held
                assert max(Counter(held.values()).values(), default=0) <= 1, "one track in two slots"
                for slot in person.me.connection.slots:
                    sink = self.stage.engine.sinks[person.me.connection.sink(slot.mid)]
                    track = meeting.tracks.get(held.get(slot.mid, ""))
                    assert sink.source == (None if track is None else track.source)
                    assert track is None or track.publisher.id != person.id, "one's own"
                    assert track is None or track.announced.kind is slot.kind

    @invariant()
    def the_load_is_counted_right(self) -> None:
        meetings = [found for room in self.rooms if (found := self.stage.rooms.find(room.id)) is not None]
        inside = [one for meeting in meetings for one in (*meeting.participants.values(), *meeting.waiting.values())]
        assert self.stage.node.load.participants == len(inside)
        assert self.stage.node.load.transports == sum(one.connection is not None for one in inside)

    def teardown(self) -> None:
        """Every room ends, and nothing is left of it."""
        for what in ("subscriber", "floor", "figures", "layers", "event", "connection"):
            assert self.stage.metric("rooms_faults_total", where=what) == 0
        try:
            self.loop.run_until_complete(self.stage.rooms.close())
            self.stage.require_empty()
        finally:
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
            self.loop.close()


TestRooms = Rooms.TestCase
TestRooms.settings = settings(
    max_examples=int(__import__("os").environ.get("N", "40")), stateful_step_count=30, deadline=None
)
