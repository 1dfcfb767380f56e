"""People meet in the page, in a real Chromium, over a real server that cannot see or hear them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser

from media.framekeys import written_secret
from sfu.rooms import Mode, Room
from tests.browsing import MEDIA_ARGUMENTS, browser
from tests.signaling.clients import made_room, token
from tests.web.guests import ADA, BEN, EVE, Guest, Look, guest, until
from tests.worlds import World, world


@dataclass
class Venue:
    """A room of a server that runs, and a browser to come with."""

    here: World
    room: Room
    launched: Browser
    secret: str

    def link(self, who: Look, secret: str | None = None) -> str:
        admission = token(self.here, self.room.id, who.name)
        return f"{self.here.url}/#room={self.room.id}&token={admission}&k={secret or self.secret}"

    async def guest(self, who: Look, secret: str | None = None) -> Guest:
        arrived = await guest(self.launched, self.link(who, secret), who)
        await arrived.joins()
        return arrived


@pytest.fixture
async def venue(tmp_path: Path, chromium: Path) -> AsyncIterator[Venue]:
    async with world(tmp_path) as here, browser(chromium, *MEDIA_ARGUMENTS) as launched:
        room = await made_room(here, mode=Mode.SECURE)
        yield Venue(here, room, launched, written_secret(os.urandom(32)))


async def test_three_people_see_and_hear_each_other(venue: Venue) -> None:
    guests = [await venue.guest(look) for look in (ADA, BEN, EVE)]
    for one in guests:
        for other in guests:
            if one is not other:
                await one.sees(other.look)
                await one.hears(other.look)
    for one in guests:
        assert one.window.complaints == []
        assert all(address.startswith((venue.here.url, "ws")) for address in one.window.asked)
