"""Pages as people see them: in a real Chromium."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.async_api import ConsoleMessage, Page, async_playwright

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


@asynccontextmanager
async def window(chromium: Path) -> AsyncIterator[Window]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        try:
            opened = Window(await browser.new_page())

            def heard(message: ConsoleMessage) -> None:
                if message.type == "error":
                    opened.complaints.append(message.text)

            opened.page.on("request", lambda request: opened.asked.append(request.url))
            opened.page.on("console", heard)
            opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
            yield opened
        finally:
            await browser.close()
