"""Pages as people see them: in a real Chromium."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright

# It runs as whoever runs the tests, root too; and it asks nobody outside of this machine for anything.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass
class Window:
    """``asked`` are the addresses it fetched, ``complaints`` what its console said of errors."""

    page: Page
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


# A camera with a moving picture and a microphone that beeps, both allowed without asking, and media on loopback alone.
MEDIA_ARGUMENTS = (
    "--use-fake-device-for-media-stream=fps=30",
    "--use-fake-ui-for-media-stream",
    "--allow-loopback-in-peer-connection",
    "--autoplay-policy=no-user-gesture-required",
)


@asynccontextmanager
async def browser(chromium: Path, *arguments: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=chromium, args=[*ARGUMENTS, *arguments])
        try:
            yield launched
        finally:
            await launched.close()


def watched(page: Page) -> Window:
    opened = Window(page)

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error":
            opened.complaints.append(message.text)

    page.on("request", lambda request: opened.asked.append(request.url))
    page.on("console", heard)
    page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    return opened


@asynccontextmanager
async def window(chromium: Path) -> AsyncIterator[Window]:
    async with browser(chromium) as launched:
        yield watched(await launched.new_page())
