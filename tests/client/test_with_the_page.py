"""The Python client and the meeting page in a real Chromium, in one Secure room of a server that cannot see or hear."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pytest
from aiortc import VideoStreamTrack
from av import AudioFrame, VideoFrame
from playwright.async_api import Browser

import secureconnect
from examples import talking_bot
from media.codecs.names import Kind
from media.framekeys import written_secret
from sfu.rooms import Mode, Room
from tests.browsing import MEDIA_ARGUMENTS, browser
from tests.client.test_rooms import enter, track_of
from tests.signaling.clients import made_room, token
from tests.web.guests import ADA, CLOSE, PATIENCE, Guest, Look, guest
from tests.worlds import World, world

BOT = Look("bot", (0x20, 0x90, 0x90), 1_320)

pytestmark = pytest.mark.blocks_the_loop(reason="aiortc starts and joins threads of decoders on the loop")


class Colour(VideoStreamTrack):
    """Nothing but one."""

    def __init__(self, colour: tuple[int, int, int]) -> None:
        super().__init__()
        plain = VideoFrame(320, 180, "rgb24")
        line = plain.planes[0].line_size
        plain.planes[0].update((bytes(colour) * 320).ljust(line, b"\0") * 180)
        self._plain = plain.reformat(format="yuv420p")

    async def recv(self) -> VideoFrame:
        pts, base = await self.next_timestamp()
        frame = self._plain.reformat(format="yuv420p")
        frame.pts, frame.time_base = pts, Fraction(base.numerator, base.denominator)
        return frame


@dataclass
class Venue:
    here: World
    room: Room
    secret: str
    launched: Browser

    async def ada(self) -> Guest:
        link = f"{self.here.url}/#room={self.room.id}&token={token(self.here, self.room.id, ADA.name)}&k={self.secret}"
        arrived = await guest(self.launched, link, ADA)
        await arrived.joins()
        return arrived


@pytest.fixture
async def venue(tmp_path: Path, chromium: Path) -> AsyncIterator[Venue]:
    async with world(tmp_path) as here, browser(chromium, *MEDIA_ARGUMENTS) as launched:
        room = await made_room(here, mode=Mode.SECURE)
        yield Venue(here, room, written_secret(os.urandom(32)), launched)


async def test_a_bot_and_somebody_in_the_page_see_and_hear_each_other(venue: Venue) -> None:
    ada = await venue.ada()
    async with enter(venue.here, venue.room, BOT.name, secret=venue.secret) as bot:
        async with bot.publish(Colour(BOT.colour)), bot.publish(secureconnect.Tone(BOT.frequency)):
            await ada.sees(BOT)
            await ada.hears(BOT)
            await looks_like(bot, ADA)
            await sounds_like(bot, ADA)


async def looks_like(room: secureconnect.Room, look: Look) -> None:
    async with room.subscribe(await track_of(room, Kind.VIDEO)) as frames:
        async with asyncio.timeout(PATIENCE):
            async for frame in frames:
                assert isinstance(frame, VideoFrame)
                image = frame.reformat(format="rgb24")
                at = frame.height // 4 * image.planes[0].line_size + frame.width // 2 * 3
                seen = bytes(image.planes[0])[at : at + 3]
                if all(abs(a - b) <= CLOSE for a, b in zip(seen, look.colour, strict=True)):
                    return


async def sounds_like(room: secureconnect.Room, look: Look) -> None:
    async with room.subscribe(await track_of(room, Kind.AUDIO)) as frames:
        async with asyncio.timeout(PATIENCE):
            samples: list[int] = []
            async for frame in frames:
                assert isinstance(frame, AudioFrame)
                samples += memoryview(bytes(frame.planes[0])).cast("h")[0 : 2 * frame.samples : 2]
                second, samples = (samples[:48_000], samples[48_000:]) if len(samples) >= 48_000 else ([], samples)
                rising = sum(1 for before, after in itertools.pairwise(second) if before < 0 <= after)
                if abs(rising - look.frequency) < 15:
                    return


async def test_the_talking_bot_of_the_examples_answers_what_is_written_in_the_page(venue: Venue) -> None:
    ada = await venue.ada()
    async with enter(venue.here, venue.room, BOT.name, secret=venue.secret, video_slots=0) as bot:
        talking = asyncio.create_task(talking_bot.talk(bot, None))
        await ada.says("stressed")
        await ada.reads("desserts")
    async with asyncio.timeout(PATIENCE):
        await talking
