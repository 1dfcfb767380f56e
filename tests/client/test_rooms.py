"""People in rooms of a real server, with the Python client: they see, hear and write to each other."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from av import AudioFrame, VideoFrame

import secureconnect
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
