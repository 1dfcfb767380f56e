"""Frames are sealed and opened by the page's own worker, between two peer connections of a real Chromium."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

from tests.browsing import MEDIA_ARGUMENTS, browser, watched
from tests.web.serving import served

PATTERN = (0xC0, 0x20, 0x80)
# What a colour loses on its way through a codec.
CLOSE = 24
# Two and a half seconds at thirty a second, on a machine that may have others to serve.
MANY_FRAMES = 30
# A tone of full loudness has 0.5 a second.
AUDIBLE = 0.05

pytestmark = pytest.mark.blocks_the_loop(reason="a browser that is busy keeps the process from running")


@dataclass(frozen=True, slots=True)
class Came:
    """What arrived, as web/tests/browser/sealed.ts tells it."""

    framesDecoded: int  # noqa: N815
    keyFramesDecoded: int  # noqa: N815
    packetsReceived: int  # noqa: N815
    framesSent: int  # noqa: N815
    audioEnergy: float  # noqa: N815
    audioPackets: int  # noqa: N815
    pixel: list[int]
    flowing: list[str]
    refusals: list[str]

    @property
    def shows_the_pattern(self) -> bool:
        return len(self.pixel) == 3 and all(
            abs(seen - sent) <= CLOSE for seen, sent in zip(self.pixel, PATTERN, strict=True)
        )

    @property
    def was_transported(self) -> bool:
        return self.packetsReceived > MANY_FRAMES and self.audioPackets > MANY_FRAMES


@pytest.fixture
async def laboratory(test_pages: Path, chromium: Path) -> AsyncIterator[Page]:
    async with served(test_pages) as url, browser(chromium, *MEDIA_ARGUMENTS) as launched:
        shown = watched(await launched.new_page())
        await shown.page.goto(f"{url}/sealed.html")
        await shown.page.wait_for_function("window.trial !== undefined")
        yield shown.page
        assert shown.complaints == []
        assert all(address.startswith(url) for address in shown.asked)


async def trial(page: Page, **plan: Any) -> Came:
    usual = {"codec": "VP8", "receiver": "same", "sender": "sealed", "assigned": "right"}
    return Came(**await page.evaluate("(plan) => window.trial(plan)", usual | plan))


@pytest.mark.parametrize("codec", ["VP8", "VP9"])
async def test_who_has_the_key_sees_and_hears(laboratory: Page, codec: str) -> None:
    came = await trial(laboratory, codec=codec)
    assert came.framesDecoded > MANY_FRAMES
    assert came.shows_the_pattern, came
    assert came.audioEnergy > AUDIBLE
    assert sorted(came.flowing) == ["track 0", "track 1"]
    assert came.refusals == []


async def test_who_has_another_key_gets_everything_and_sees_nothing(laboratory: Page) -> None:
    came = await trial(laboratory, receiver="other")
    assert came.was_transported
    assert (came.framesDecoded, came.audioEnergy, came.flowing) == (0, 0, [])
    assert "unknown_key" in came.refusals


async def test_what_is_on_the_wire_no_decoder_can_use(laboratory: Page) -> None:
    came = await trial(laboratory, receiver="none")
    assert came.was_transported
    assert came.framesDecoded == 0
    assert not came.shows_the_pattern


async def test_clear_media_is_not_played(laboratory: Page) -> None:
    came = await trial(laboratory, sender="clear")
    assert came.was_transported
    assert (came.framesDecoded, came.audioEnergy, came.flowing) == (0, 0, [])


async def test_a_frame_is_not_shown_under_another_tracks_name(laboratory: Page) -> None:
    came = await trial(laboratory, assigned="another")
    assert came.was_transported
    assert (came.framesDecoded, came.audioEnergy) == (0, 0)
    assert "sframe_unauthentic" in came.refusals


async def test_nothing_is_shown_of_a_slot_that_holds_nothing(laboratory: Page) -> None:
    came = await trial(laboratory, assigned="nothing")
    assert came.was_transported
    assert (came.framesDecoded, came.audioEnergy) == (0, 0)
    assert "no_track" in came.refusals


async def test_a_picture_begins_when_it_is_told_late_whose_it_is(laboratory: Page) -> None:
    came = await trial(laboratory, assigned="late")
    assert came.framesDecoded > MANY_FRAMES
    assert came.shows_the_pattern
    assert came.audioEnergy > AUDIBLE
