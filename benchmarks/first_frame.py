"""How long it takes to see somebody: from the first word on a room's socket to the first picture decoded, in a browser.

One person is there with a camera; others come one after another into the meeting page, each in a fresh context,
encrypted end to end. Server, encoders and decoders share the machine. Needs Debian's chromium.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright

PORT, MEDIA_PORT = 18_095, 18_096
PROGRAM = Path(sys.executable).with_name("secureconnect")
ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --use-fake-device-for-media-stream=fps=30 "
    "--use-fake-ui-for-media-stream --allow-loopback-in-peer-connection --autoplay-policy=no-user-gesture-required"
)
# The page says nothing of the kind by itself, and need not: both moments can be seen from outside.
WATCH = """
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (frame) {
  if (String(frame).includes('"join"')) globalThis.askedAt ??= performance.now();
  return send.call(this, frame);
};
const look = () => {
  const video = document.querySelector('.tile[data-identity="guest-1"] video');
  if (!video || !video.srcObject) return void setTimeout(look, 2);
  video.requestVideoFrameCallback((now) => { globalThis.seenAt ??= performance.now(); });
};
addEventListener("DOMContentLoaded", look);
"""


@asynccontextmanager
async def links(count: int) -> AsyncIterator[list[str]]:
    """Into a Secure room of a server of our own."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {"PORT": PORT, "MEDIA_PORT": MEDIA_PORT, "DATA_DIR": folder}
        environment = {**os.environ, **{f"SECURECONNECT_SERVER_{name}": str(value) for name, value in settings.items()}}
        with (Path(folder) / "server.log").open("wb") as log:
            server = await asyncio.create_subprocess_exec(PROGRAM, "serve", stdout=log, stderr=log, env=environment)
        try:
            await _answers()
            made = subprocess.run(  # noqa: ASYNC221 - nothing is measured yet
                [PROGRAM, "admin", "create-room", "--people", str(count)],
                env=environment,
                check=True,
                capture_output=True,
                text=True,
            )
            yield re.findall(r"http\S+#\S+", made.stdout)
        finally:
            server.terminate()
            await server.wait()


async def _answers() -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", PORT)
            except OSError:
                await asyncio.sleep(0.1)
                continue
            writer.close()
            return


async def enter(browser: Browser, link: str) -> Page:
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    page = await context.new_page()
    await page.add_init_script(WATCH)
    await page.goto(link)
    await page.get_by_role("button", name=re.compile("join", re.IGNORECASE)).first.click()
    return page


async def _seen(page: Page) -> float:
    # The page's policy lets nobody wait by a function inside it.
    async with asyncio.timeout(20):
        while (milliseconds := await page.evaluate("globalThis.seenAt - globalThis.askedAt || null")) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    return float(milliseconds)


async def measured(count: int) -> list[float]:
    """Milliseconds of each who came."""
    figures = []
    async with links(count + 1) as ways, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS.split())
        first = await enter(browser, ways[0])
        await first.wait_for_selector("[data-screen=meeting]")
        await asyncio.sleep(3)
        for link in ways[1:]:
            page = await enter(browser, link)
            figures.append(await _seen(page))
            await page.context.close()
            await asyncio.sleep(1)
        await browser.close()
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=20)
    if shutil.which("chromium") is None:
        print("skipped: needs `apt-get install chromium`")
        return 1
    figures = sorted(asyncio.run(measured(parser.parse_args().people)))
    at = int(0.95 * (len(figures) - 1))
    print(
        f"{len(figures)} people, join to first picture: median {statistics.median(figures):.0f} ms, "
        f"p95 {figures[at]:.0f} ms, slowest {figures[-1]:.0f} ms"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
