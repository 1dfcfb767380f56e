"""What the meeting looks like in every size: everything is in its place, named, and within reach of the keyboard."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Browser, Page

from tests.browsing import MEDIA_ARGUMENTS, browser, watched
from tests.web.serving import served

SIZES: Final = {"wide": (1280, 720), "phone": (390, 844), "phone_lying": (844, 390)}
SMALLEST_TARGET: Final = 44

OUTSIDE = """() => {
    const within = ({left, top, right, bottom}) =>
        left >= -1 && top >= -1 && right <= innerWidth + 1 && bottom <= innerHeight + 1;
    const seen = [...document.querySelectorAll('.tile, .controls button, .seal summary, .room')];
    return seen.filter((one) => one.checkVisibility() && !within(one.getBoundingClientRect()))
        .map((one) => one.outerHTML);
}"""

NAMELESS = """() => [...document.querySelectorAll('button, input, select, textarea, video, summary')]
    .filter((one) => one.checkVisibility() && one.tagName !== 'VIDEO')
    .filter((one) => !(one.getAttribute('aria-label') || one.textContent.trim() || one.labels?.length))
    .map((one) => one.outerHTML)"""

# Of text against what lies behind it, by WCAG 2; only where that is one plain colour.
CONTRASTS = """() => {
    const context = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
    const rgba = (colour) => {
        context.clearRect(0, 0, 1, 1); context.fillStyle = colour; context.fillRect(0, 0, 1, 1);
        return [...context.getImageData(0, 0, 1, 1).data];
    };
    const light = ([r, g, b]) => [r, g, b].map((one) => one / 255)
        .map((one) => one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
        .reduce((sum, one, place) => sum + one * [0.2126, 0.7152, 0.0722][place], 0);
    const behind = (one) => {
        for (let at = one; at; at = at.parentElement) {
            const colour = rgba(getComputedStyle(at).backgroundColor);
            if (colour[3] === 255) return colour;
        }
        return rgba('Canvas');
    };
    return [...document.querySelectorAll('h1, h2, p, span, dt, dd, button, summary, label')]
        .filter((one) => one.checkVisibility() && one.textContent.trim() && !one.closest('.tile, .note, .emoji'))
        .map((one) => {
            const [front, back] = [light(rgba(getComputedStyle(one).color)), light(behind(one))];
            return [one.outerHTML, (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05)];
        })
        .filter(([, ratio]) => ratio < 4.5);
}"""

pytestmark = pytest.mark.blocks_the_loop(reason="a browser that is busy keeps the process from running")


@pytest.fixture
async def looking(test_pages: Path, chromium: Path) -> AsyncIterator[tuple[Browser, str]]:
    async with served(test_pages) as url, browser(chromium, *MEDIA_ARGUMENTS) as launched:
        yield launched, url


async def shown(looking: tuple[Browser, str], size: tuple[int, int], scheme: str, query: str) -> Page:
    launched, url = looking
    width, height = size
    context = await launched.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        has_touch=width < 500,
    )
    opened = watched(await context.new_page())
    await opened.page.goto(f"{url}/demo.html?{query}")
    await opened.page.wait_for_selector(".tile[data-state=live][data-revealed]")
    assert opened.complaints == []
    return opened.page


@pytest.mark.parametrize("people", [1, 2, 5, 9, 25])
async def test_everybody_and_every_button_is_on_the_screen(looking: tuple[Browser, str], people: int) -> None:
    for size in SIZES.values():
        page = await shown(looking, size, "light", f"people={people}")
        assert await page.locator(".tile").count() == people
        assert await page.evaluate(OUTSIDE) == []
        assert await page.evaluate(NAMELESS) == []
        await page.context.close()


async def test_a_shared_screen_is_the_largest_tile(looking: tuple[Browser, str]) -> None:
    for size in SIZES.values():
        page = await shown(looking, size, "light", "people=5&screen=1")
        areas = await page.evaluate(
            "[...document.querySelectorAll('.tile')]"
            ".map((one) => [one.dataset.source, one.offsetWidth * one.offsetHeight])"
        )
        assert max(areas, key=lambda one: one[1])[0] == "screen"
        assert await page.evaluate(OUTSIDE) == []
        await page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_text_stands_out_from_what_is_behind_it(looking: tuple[Browser, str], scheme: str) -> None:
    page = await shown(looking, SIZES["wide"], scheme, "people=2")
    await page.click("[data-control=chat]")
    assert await page.evaluate(CONTRASTS) == []


async def test_buttons_are_as_large_as_a_finger(looking: tuple[Browser, str]) -> None:
    page = await shown(looking, SIZES["phone"], "light", "people=2")
    for button in await page.locator(".controls button:visible").all():
        box = await button.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= SMALLEST_TARGET


async def test_everything_is_reached_and_left_by_keyboard(looking: tuple[Browser, str]) -> None:
    page = await shown(looking, SIZES["wide"], "light", "people=2")
    reached = set()
    for _ in range(40):
        await page.keyboard.press("Tab")
        reached.add(await page.evaluate("document.activeElement?.dataset.control ?? document.activeElement?.className"))
    assert {"microphone", "camera", "screen", "hand", "reactions", "chat", "leave"} <= reached
    assert {"tile-button pin", "tile-button badge"} <= reached

    await page.focus("[data-control=chat]")
    await page.keyboard.press("Enter")
    await page.keyboard.type("Hello")
    await page.keyboard.press("Enter")
    assert await page.locator(".messages [data-own] .said").inner_text() == "Hello"
    await page.keyboard.press("Escape")
    assert not await page.is_visible(".chat")
    assert await page.evaluate("document.activeElement.dataset.control") == "chat"

    await page.focus("[data-control=reactions]")
    await page.keyboard.press("Enter")
    assert await page.evaluate("document.activeElement.className") == "emoji"
    await page.keyboard.press("Escape")
    assert await page.evaluate("document.activeElement.dataset.control") == "reactions"


async def test_what_others_write_stays_text(looking: tuple[Browser, str]) -> None:
    page = await shown(looking, SIZES["wide"], "light", "people=1")
    await page.click("[data-control=chat]")
    await page.fill(".chat textarea", "<img src=x onerror=alert(1)><b>bold</b>")
    await page.keyboard.press("Enter")
    said = page.locator(".messages [data-own] .said")
    assert await said.inner_text() == "<img src=x onerror=alert(1)><b>bold</b>"
    assert await said.locator("*").count() == 0


async def test_details_of_a_picture_are_shown_on_demand(looking: tuple[Browser, str]) -> None:
    page = await shown(looking, SIZES["wide"], "light", "people=2")
    tile = page.locator(".tile").nth(1)
    assert not await tile.locator(".details").is_visible()
    await tile.locator(".badge").click()
    facts = await tile.locator(".details").inner_text()
    assert "640 \N{MULTIPLICATION SIGN} 360" in facts
    assert "480 kbit/s" in facts
    assert "Sharp enough for its size here" in facts
    assert await tile.locator(".badge").get_attribute("aria-expanded") == "true"
