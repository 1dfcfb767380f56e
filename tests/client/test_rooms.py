"""People in rooms of a real server, with the Python client: they see, hear and write to each other."""

from __future__ import annotations

import asyncio
import json
import os
import wave
from array import array
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from aiortc import MediaStreamTrack
from av import AudioFrame, VideoFrame

import secureconnect
from examples import talking_bot
from identity.roomtokens import Grants
from identity.roomtokens import Source as TokenSource
from media.codecs.names import Kind
from media.framekeys import written_secret
from secureconnect import Event, Room, Source, Stream, Track
from sfu.rooms import Mode
from sfu.rooms import Room as MadeRoom
from sfu.sources import Source as ServersSource
from tests.signaling.clients import made_room, token
from tests.worlds import World, world

Wanted = TypeVar("Wanted", bound=Event)
PATIENCE = 20.0

pytestmark = pytest.mark.blocks_the_loop(reason="aiortc starts and joins threads of decoders on the loop")


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as started:
        yield started


@pytest.fixture
def secret() -> str:
    return written_secret(os.urandom(32))


def enter(here: World, room: MadeRoom, who: str, **more: Any) -> Room:
    return secureconnect.join(here.url, token(here, room.id, who), **more)


async def heard(events: Stream[Event], kind: type[Wanted], which: Callable[[Wanted], bool] = lambda _: True) -> Wanted:
    async with asyncio.timeout(PATIENCE):
        async for event in events:
            if isinstance(event, kind) and which(event):
                return event
    raise AssertionError(f"the room ended without {kind.__name__}")


async def track_of(room: Room, kind: Kind) -> Track:
    async with asyncio.timeout(PATIENCE):
        while True:
            for track in room.tracks.values():
                if track.kind is kind:
                    return track
            await asyncio.sleep(0.02)


async def sees(room: Room) -> VideoFrame:
    """The first picture of somebody else."""
    async with room.subscribe(await track_of(room, Kind.VIDEO)) as frames:
        async with asyncio.timeout(PATIENCE):
            frame = await anext(frames)
    assert isinstance(frame, VideoFrame)
    return frame


async def hears_something(room: Room) -> None:
    async with room.subscribe(await track_of(room, Kind.AUDIO)) as frames:
        async with asyncio.timeout(PATIENCE):
            async for frame in frames:
                assert isinstance(frame, AudioFrame)
                if max(memoryview(bytes(frame.planes[0])).cast("h")) > 4_000:
                    return


@pytest.mark.parametrize("mode", [Mode.SECURE, Mode.INTELLIGENT])
async def test_two_people_see_and_hear_each_other(here: World, secret: str, mode: Mode) -> None:
    room = await made_room(here, mode=mode)
    async with enter(here, room, "ada", secret=secret) as ada, enter(here, room, "ben", secret=secret) as ben:
        pattern, tone = secureconnect.TestPattern(320, 240, 15), secureconnect.Tone(700)
        async with ada.publish(pattern), ada.publish(tone):
            async with ben.publish(secureconnect.TestPattern(320, 180, 15)), ben.publish(secureconnect.Tone(300)):
                seen_by_ben, seen_by_ada, *_ = await asyncio.gather(
                    sees(ben), sees(ada), hears_something(ben), hears_something(ada)
                )
        assert (seen_by_ben.width, seen_by_ben.height) == (320, 240)
        assert (seen_by_ada.width, seen_by_ada.height) == (320, 180)
        assert all(track.encrypted is (mode is Mode.SECURE) for track in [*ada.tracks.values(), *ben.tracks.values()])


async def test_what_others_do_is_told_in_order(here: World) -> None:
    room = await made_room(here)
    async with enter(here, room, "ada") as ada:
        events = ada.events()
        async with enter(here, room, "ben", name="Ben") as ben:
            came = await heard(events, secureconnect.ParticipantJoined)
            assert came.participant.identity == "ben"
            named = await heard(events, secureconnect.ParticipantUpdated)
            assert named.participant.name == "Ben"
            assert ada.participants[ben.me.id].name == "Ben"
            await ben.raise_hand()
            assert (await heard(events, secureconnect.ParticipantUpdated)).participant.hand_raised
            await ben.react("\N{CLAPPING HANDS SIGN}")
            reaction = await heard(events, secureconnect.ReactionReceived)
            assert reaction.participant == ada.participants[ben.me.id]
            await ben.set_metadata("at the window")
            assert (await heard(events, secureconnect.ParticipantUpdated)).participant.metadata == "at the window"
        gone = await heard(events, secureconnect.ParticipantLeft)
        assert (gone.participant.identity, gone.reason) == ("ben", "left")
        assert not ada.participants


@pytest.mark.parametrize("reliable", [True, False])
@pytest.mark.parametrize("mode", [Mode.SECURE, Mode.INTELLIGENT])
async def test_messages_reach_everybody_or_only_whom_they_are_for(
    here: World, secret: str, mode: Mode, reliable: bool
) -> None:
    room = await made_room(here, mode=mode)
    async with (
        enter(here, room, "ada", secret=secret) as ada,
        enter(here, room, "ben", secret=secret) as ben,
        enter(here, room, "eve", secret=secret) as eve,
    ):
        to_ben, to_eve = ben.events(), eve.events()
        await ada.send("for ben", to=[ben.me.id], reliable=reliable)
        await ada.send(b"for all", reliable=reliable)
        first = await heard(to_ben, secureconnect.DataReceived)
        second = await heard(to_ben, secureconnect.DataReceived)
        assert [first.payload, second.payload] == [b"for ben", b"for all"]
        assert first.participant == ben.participants[ada.me.id]
        assert first.reliable is reliable
        assert (await heard(to_eve, secureconnect.DataReceived)).payload == b"for all"


@pytest.mark.parametrize("reliable", [True, False])
async def test_messages_take_the_data_channels_and_need_no_socket(here: World, secret: str, reliable: bool) -> None:
    room = await made_room(here, mode=Mode.SECURE)
    async with enter(here, room, "ada", secret=secret) as ada, enter(here, room, "ben", secret=secret) as ben:
        to_ada, to_ben = ada.events(), ben.events()
        for someone, to_someone in ((ada, to_ada), (ben, to_ben)):
            await channels_open(here, room, someone)
            await cut(someone)
            await heard(to_someone, secureconnect.Reconnecting)
        await ada.send("over the channel", reliable=reliable)
        received = await heard(to_ben, secureconnect.DataReceived)
        assert (received.payload, received.reliable) == (b"over the channel", reliable)


async def channels_open(here: World, made: MadeRoom, room: Room) -> None:
    meeting = here.started.calls.live.find(made.id)
    assert meeting is not None
    connection = meeting.participants[room.me.id].connection
    assert connection is not None
    async with asyncio.timeout(PATIENCE):
        while not (connection.has_channel(reliable=True) and connection.has_channel(reliable=False)):
            await asyncio.sleep(0.01)
        while not room._session.send_text("{}", reliable=True):
            await asyncio.sleep(0.01)


async def test_messages_of_a_secure_room_are_closed_to_who_has_another_secret(here: World, secret: str) -> None:
    room = await made_room(here, mode=Mode.SECURE)
    async with enter(here, room, "ada", secret=secret) as ada, enter(here, room, "eve", secret=bytes(32)) as eve:
        events = eve.events()
        await ada.send("not for eve")
        rejected = await heard(events, secureconnect.DataRejected)
        assert rejected.sender == ada.me.id
        assert rejected.reason == "unknown_key"


async def test_media_of_a_secure_room_is_closed_to_who_has_another_secret(here: World, secret: str) -> None:
    room = await made_room(here, mode=Mode.SECURE)
    async with enter(here, room, "ada", secret=secret) as ada, enter(here, room, "eve", secret=bytes(32)) as eve:
        async with ada.publish(secureconnect.Tone()):
            track = await track_of(eve, Kind.AUDIO)
            async with eve.subscribe(track) as frames:
                async with asyncio.timeout(PATIENCE):
                    while eve.dropped_frames.get("unknown_key", 0) < 20:
                        await asyncio.sleep(0.02)
                assert frames.lost == 0
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(anext(frames), 0.2)


async def test_without_the_secret_of_a_secure_room_one_is_there_and_nothing_more(here: World, secret: str) -> None:
    room = await made_room(here, mode=Mode.SECURE)
    async with enter(here, room, "ada") as ada, enter(here, room, "ben", secret=secret) as ben:
        events = ben.events()
        await ada.raise_hand()
        assert (await heard(events, secureconnect.ParticipantUpdated)).participant.identity == "ada"
        with pytest.raises(secureconnect.NotEncrypted):
            async with ada.publish(secureconnect.Tone()):
                pass
        with pytest.raises(secureconnect.NotEncrypted):
            await ada.send("clear")


async def test_a_muted_track_is_silent_until_it_goes_on(here: World, secret: str) -> None:
    room = await made_room(here, mode=Mode.SECURE)
    async with enter(here, room, "ada", secret=secret) as ada, enter(here, room, "ben", secret=secret) as ben:
        events = ben.events()
        async with ada.publish(secureconnect.TestPattern(320, 240, 15)) as picture:
            await sees(ben)
            await picture.mute()
            muted = await heard(events, secureconnect.TrackMuted)
            assert (muted.muted, muted.by) == (True, "publisher")
            assert ben.tracks[muted.track.id].muted
            async with ben.subscribe(muted.track) as frames:
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(anext(frames), 0.5)
                await picture.mute(muted=False)
                async with asyncio.timeout(PATIENCE):
                    await anext(frames)


async def test_a_subscription_ends_with_its_track(here: World) -> None:
    room = await made_room(here)
    async with enter(here, room, "ada") as ada, enter(here, room, "ben") as ben:
        events = ben.events()
        async with ada.publish(secureconnect.TestPattern(320, 240, 15), Source.SCREEN) as picture:
            track = await track_of(ben, Kind.VIDEO)
            assert (track.source, track.id, track.participant) == (Source.SCREEN, picture.track_id, ada.me.id)
            frames = ben.subscribe(track)
            async with asyncio.timeout(PATIENCE):
                await anext(frames)
        await heard(events, secureconnect.TrackUnpublished)
        async with asyncio.timeout(PATIENCE):
            async for _ in frames:
                pass
        assert not ben.tracks
        frames.close()


async def test_the_same_source_can_be_published_again(here: World, secret: str) -> None:
    room = await made_room(here, mode=Mode.SECURE)
    async with enter(here, room, "ada", secret=secret) as ada, enter(here, room, "ben", secret=secret) as ben:
        pattern = secureconnect.TestPattern(320, 240, 15)
        cids = set()
        for _ in range(3):
            async with ada.publish(pattern):
                frame = await sees(ben)
                assert frame.width == 320
                cids.add(next(iter(ben.tracks.values())).cid)
            async with asyncio.timeout(PATIENCE):
                while ben.tracks:
                    await asyncio.sleep(0.01)
        assert len(cids) == 3


async def test_what_is_published_at_the_same_moment_is_all_published(here: World, secret: str) -> None:
    room = await made_room(here, mode=Mode.SECURE)
    async with enter(here, room, "ada", secret=secret) as ada, enter(here, room, "ben", secret=secret) as ben:
        sources = (secureconnect.TestPattern(320, 240, 10), secureconnect.Tone(), secureconnect.Tone(700))
        kinds = (Source.CAMERA, Source.MICROPHONE, Source.SCREEN_AUDIO)
        publications = [ada.publish(track, source) for track, source in zip(sources, kinds, strict=True)]
        await asyncio.gather(*(one.__aenter__() for one in publications))
        assert len({one.track_id for one in publications}) == 3
        await asyncio.gather(sees(ben), hears_something(ben))
        await asyncio.gather(*(one.__aexit__(None, None, None) for one in publications))


async def test_after_a_publication_was_refused_another_is_taken(here: World) -> None:
    room = await made_room(here)
    grants = Grants(join=True, publish=frozenset({TokenSource.MICROPHONE}), subscribe=True, data=True)
    async with (
        secureconnect.join(here.url, token(here, room.id, "ada", grants)) as ada,
        enter(here, room, "ben") as ben,
    ):
        with pytest.raises(secureconnect.Refused, match="not_granted"):
            async with ada.publish(secureconnect.TestPattern()):
                pass
        assert not ada.publications
        async with ada.publish(secureconnect.Tone()):
            await hears_something(ben)


async def test_encoded_frames_of_a_secure_room_come_opened(here: World, secret: str) -> None:
    room = await made_room(here, mode=Mode.SECURE)
    async with enter(here, room, "ada", secret=secret) as ada, enter(here, room, "ben", secret=secret) as ben:
        async with ada.publish(secureconnect.TestPattern(320, 240, 15)):
            async with ben.subscribe_encoded(await track_of(ben, Kind.VIDEO)) as frames:
                async with asyncio.timeout(PATIENCE):
                    async for frame in frames:
                        if frame.is_keyframe:
                            break
        assert frame.data[3:6] == b"\x9d\x01\x2a"
        assert int.from_bytes(frame.data[6:8], "little") & 0x3FFF == 320


async def test_more_slots_are_added_when_more_is_to_be_seen(here: World, secret: str) -> None:
    room = await made_room(here, mode=Mode.SECURE)
    async with enter(here, room, "ada", secret=secret) as ada:
        async with enter(here, room, "ben", secret=secret, video_slots=1) as ben:
            async with (
                ada.publish(secureconnect.TestPattern(160, 120, 10)),
                ada.publish(secureconnect.TestPattern(240, 160, 10), Source.SCREEN),
            ):
                async with asyncio.timeout(PATIENCE):
                    while len(ben.tracks) < 2:
                        await asyncio.sleep(0.02)
                both = [ben.subscribe(track) for track in ben.tracks.values()]
                async with asyncio.timeout(PATIENCE):
                    frames = await asyncio.gather(*(anext(frames) for frames in both))
                assert {frame.width for frame in frames if isinstance(frame, VideoFrame)} == {160, 240}


async def test_a_lost_socket_comes_back_and_brings_what_was_missed(here: World, secret: str) -> None:
    room = await made_room(here, mode=Mode.SECURE)
    async with enter(here, room, "ada", secret=secret) as ada, enter(here, room, "ben", secret=secret) as ben:
        async with ada.publish(secureconnect.TestPattern(320, 240, 15)):
            events = ada.events()
            stay = ada.me.id
            await cut(ada)
            await heard(events, secureconnect.Reconnecting)
            await ben.react("!")
            assert (await heard(events, secureconnect.Reconnected)).anew is False
            assert (await heard(events, secureconnect.ReactionReceived)).emoji == "!"
            assert ada.me.id == stay
            await ada.raise_hand()
            await sees(ben)


async def cut(room: Room) -> None:
    """Its socket, as a network does it."""
    signaling = room._session._signaling
    assert signaling is not None
    assert signaling._socket is not None
    await signaling._socket.close(code=4000)


async def test_who_was_away_for_too_long_joins_anew_and_goes_on_publishing(here: World, secret: str) -> None:
    room = await made_room(here, mode=Mode.SECURE)
    async with enter(here, room, "ada", secret=secret) as ada, enter(here, room, "ben", secret=secret) as ben:
        async with ada.publish(secureconnect.TestPattern(320, 240, 15)):
            await sees(ben)
            before = await track_of(ben, Kind.VIDEO)
            events, stay = ada.events(), ada.me.id
            assert ada._session._signaling is not None
            ada._session._signaling._resume_token = "forgotten"
            await cut(ada)
            again = await heard(events, secureconnect.Reconnected, lambda event: event.anew)
            assert again.anew
            assert ada.me.id != stay
            async with asyncio.timeout(PATIENCE):
                while before.id in ben.tracks or not ben.tracks:
                    await asyncio.sleep(0.02)
            after = await track_of(ben, Kind.VIDEO)
            assert after.cid != before.cid, "the same again would be two frames under one nonce"
            await sees(ben)


async def test_a_lost_connection_is_made_anew(here: World) -> None:
    room = await made_room(here)
    async with enter(here, room, "ada") as ada, enter(here, room, "ben") as ben:
        async with ada.publish(secureconnect.TestPattern(320, 240, 15)):
            await sees(ben)
            events = ben.events()
            live = here.started.calls.live
            connection = next(
                one.connection
                for meeting in live._meetings.values()
                for one in meeting.participants.values()
                if one.id == ben.me.id
            )
            assert connection is not None
            assert connection._endpoint is not None
            await connection._endpoint.close()
            await heard(events, secureconnect.Reconnected, lambda event: event.anew)
            await sees(ben)


async def test_the_same_person_again_replaces_who_was_there(here: World) -> None:
    room = await made_room(here)
    async with enter(here, room, "ada") as first:
        events = first.events()
        async with enter(here, room, "ada"):
            assert (await heard(events, secureconnect.RoomEnded)).reason == "replaced"
            with pytest.raises(secureconnect.Ended, match="replaced"):
                await first.raise_hand()
            assert [event async for event in first.events()] == [secureconnect.RoomEnded("replaced")]


async def test_a_token_that_is_none_is_refused_and_a_server_that_is_not_there_is_said_so(here: World) -> None:
    with pytest.raises(secureconnect.Refused, match="handshake_refused"):
        async with secureconnect.join(here.url, "nonsense"):
            pass
    with pytest.raises(secureconnect.Disconnected, match="unreachable"):
        async with secureconnect.join("http://127.0.0.1:9", "nonsense"):
            pass


async def test_what_the_server_does_not_allow_is_refused_by_its_code(here: World) -> None:
    room = await made_room(here)
    async with enter(here, room, "ada") as ada, enter(here, room, "ben") as ben:
        async with ada.publish(secureconnect.Tone()):
            track = await track_of(ben, Kind.AUDIO)
            with pytest.raises(secureconnect.Refused, match="unknown_track"):
                await ben.want(replace(track, id="nobody's"), 640, 360)
            await ben.want(track, 640, 360, fps=15, priority=1)
            await ben.pin(track)
            await ben.unwant(track)
            with pytest.raises(secureconnect.Refused, match="metadata_too_long"):
                await ben.set_metadata("x" * 5_000)
            with pytest.raises(ValueError, match="at most"):
                await ben.send(b"x" * 15_001)


async def test_the_talking_bot_of_the_examples_speaks_and_answers(here: World, secret: str, tmp_path: Path) -> None:
    speech = tmp_path / "speech.wav"
    await asyncio.to_thread(write_speech, speech)
    room = await made_room(here, mode=Mode.SECURE)
    link = f"{here.url}/#room={room.id}&token={token(here, room.id, 'bot')}&k={secret}"
    async with enter(here, room, "ada", secret=secret) as ada:
        events = ada.events()
        async with secureconnect.join_link(link, name="Bot", video_slots=0) as bot:
            talking = asyncio.create_task(talking_bot.talk(bot, str(speech)))
            await hears_something(ada)
            for written in (b'{"kind": "chat", "text": "stressed"}', b"stressed"):
                await ada.send(written, to=[bot.me.id])
                answered = await heard(events, secureconnect.DataReceived)
                assert json.loads(answered.payload) == {"kind": "chat", "text": "desserts"}
            await heard(events, secureconnect.TrackUnpublished)
        async with asyncio.timeout(PATIENCE):
            await talking


def write_speech(file: Path) -> None:
    with wave.open(str(file), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(array("h", (20_000 if at // 20 % 2 else -20_000 for at in range(32_000))).tobytes())


def test_a_source_is_called_as_the_server_calls_it() -> None:
    assert {one.value for one in Source} == {one.value for one in ServersSource}


def test_only_sound_is_a_microphone() -> None:
    room = secureconnect.join("http://127.0.0.1:9", "nonsense")
    tone: MediaStreamTrack = secureconnect.Tone()
    with pytest.raises(ValueError, match="no audio"):
        room.publish(tone, Source.CAMERA)
    with pytest.raises(ValueError, match="no token"):
        secureconnect.join_link("http://127.0.0.1:9/#room=1")


async def waiting_in(here: World, room: MadeRoom) -> str:
    """The id of who waits there."""
    async with asyncio.timeout(PATIENCE):
        while True:
            meeting = here.started.calls.live.find(room.id)
            if meeting is not None and meeting.waiting:
                return next(iter(meeting.waiting))
            await asyncio.sleep(0.01)


async def test_in_a_room_with_a_waiting_room_the_block_begins_once_we_are_let_in(here: World) -> None:
    room = await made_room(here, waiting_room=True)
    arriving = asyncio.ensure_future(enter(here, room, "ada").__aenter__())
    who = await waiting_in(here, room)
    await asyncio.sleep(0.1)
    assert not arriving.done()
    meeting = here.started.calls.live.find(room.id)
    assert meeting is not None
    meeting.admit(who)
    ada = await asyncio.wait_for(arriving, PATIENCE)
    assert ada.me.id == who
    await ada.leave()


async def test_who_is_not_let_in_is_told_so(here: World) -> None:
    room = await made_room(here, waiting_room=True)
    arriving = asyncio.ensure_future(enter(here, room, "ada").__aenter__())
    who = await waiting_in(here, room)
    meeting = here.started.calls.live.find(room.id)
    assert meeting is not None
    meeting.remove(who)
    with pytest.raises(secureconnect.Ended, match="kicked"):
        await asyncio.wait_for(arriving, PATIENCE)


async def test_the_end_of_a_room_is_its_last_event(here: World) -> None:
    room = await made_room(here)
    async with enter(here, room, "ada") as ada:
        events = ada.events()
        here.started.calls.live.end(room.id)
        async with asyncio.timeout(PATIENCE):
            assert [event async for event in events][-1] == secureconnect.RoomEnded("room_ended")


async def test_a_new_token_is_asked_for_each_time_the_socket_is_opened(here: World) -> None:
    room = await made_room(here)
    asked: list[str] = []

    async def minted() -> str:
        asked.append(token(here, room.id, "ada"))
        return asked[-1]

    async with secureconnect.join(here.url, minted) as ada:
        events = ada.events()
        await cut(ada)
        await heard(events, secureconnect.Reconnected)
    assert len(asked) == 2


async def test_a_block_that_is_left_by_an_error_leaves_the_room(here: World) -> None:
    room = await made_room(here)
    async with enter(here, room, "ada") as ada:
        events = ada.events()
        with pytest.raises(ZeroDivisionError):
            async with enter(here, room, "ben") as ben, ben.publish(secureconnect.Tone()):
                raise ZeroDivisionError
        assert (await heard(events, secureconnect.ParticipantLeft)).reason == "left"
