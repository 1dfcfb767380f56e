"""People in the meeting page, each with a camera of one colour and a microphone of one tone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from playwright.async_api import Browser, Locator, Page

from tests.browsing import Window, watched

PATIENCE: Final = 30.0

# In place of the devices alone: the page asks for them as ever. Small and slow, for several browsers share two cores.
DEVICES: Final = """([colour, frequency]) => {
    const camera = () => {
        const canvas = Object.assign(document.createElement('canvas'), {width: 960, height: 540});
        const context = canvas.getContext('2d');
        let step = 0;
        const draw = () => {
            context.fillStyle = colour;
            context.fillRect(0, 0, 960, 540);
            context.fillStyle = '#fff';
            context.fillRect((step++ * 18) % 960, 460, 40, 40);
        };
        draw();
        setInterval(draw, 66);
        return canvas.captureStream(15).getVideoTracks();
    };
    const microphone = async () => {
        const context = new AudioContext();
        await context.resume();
        const [tone, out] = [context.createOscillator(), context.createMediaStreamDestination()];
        tone.frequency.value = frequency;
        tone.connect(out);
        tone.start();
        return out.stream.getAudioTracks();
    };
    const screen = () => {
        const canvas = Object.assign(document.createElement('canvas'), {width: 640, height: 400});
        const context = canvas.getContext('2d');
        setInterval(() => {
            context.fillStyle = '#f0f000';
            context.fillRect(0, 0, 640, 400);
        }, 100);
        return canvas.captureStream(10).getVideoTracks();
    };
    const devices = navigator.mediaDevices;
    devices.getUserMedia = async (wanted) => new MediaStream(wanted.video ? camera() : await microphone());
    devices.getDisplayMedia = async () => new MediaStream(screen());
    // So that a test can pull the cable of one.
    window.sockets = [];
    window.WebSocket = class extends WebSocket {
        constructor(...words) {
            super(...words);
            window.sockets.push(this);
        }
    };
}"""

PIXEL: Final = """(video) => {
    if (!video.videoWidth) return [];
    const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
    const context = canvas.getContext('2d');
    context.drawImage(video, 0, 0);
    return [...context.getImageData(video.videoWidth / 2, video.videoHeight / 4, 1, 1).data.slice(0, 3)];
}"""

# The loudest frequency of a sound over half a second, and how loud it is (dB below the loudest).
TONE: Final = """async (sound) => {
    const context = new AudioContext();
    const analyser = Object.assign(context.createAnalyser(), {fftSize: 8192});
    context.createMediaStreamSource(sound.srcObject).connect(analyser);
    await new Promise((resolve) => setTimeout(resolve, 500));
    const levels = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(levels);
    const place = levels.indexOf(Math.max(...levels));
    await context.close();
    return [place * context.sampleRate / analyser.fftSize, levels[place]];
}"""


@dataclass(frozen=True, slots=True)
class Look:
    """What somebody is recognised by."""

    name: str
    colour: tuple[int, int, int]
    frequency: int


ADA: Final = Look("ada", (0xB0, 0x30, 0x30), 440)
BEN: Final = Look("ben", (0x30, 0xA0, 0x40), 880)
EVE: Final = Look("eve", (0x30, 0x50, 0xC0), 1760)

# What a colour loses on its way through a codec.
CLOSE: Final = 30


async def until(holds: Callable[[], Awaitable[Any]], what: str, patience: float = PATIENCE) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    while not await holds():
        assert loop.time() < deadline, what
        await asyncio.sleep(0.1)


@dataclass
class Guest:
    look: Look
    window: Window

    @property
    def page(self) -> Page:
        return self.window.page

    def tile(self, of: Look, source: str = "camera") -> Locator:
        return self.page.locator(f".tile[data-identity={of.name}][data-source={source}]")

    async def joins(self) -> None:
        await self.page.fill("#name", self.look.name.capitalize())
        await self.page.wait_for_function("document.querySelector('.mirror video').srcObject !== null")
        await self.page.click("[data-control=join]")
        await self.page.wait_for_selector("[data-screen=meeting]", timeout=1000 * PATIENCE)

    async def frames(self, of: Look, source: str = "camera") -> int:
        return int(await self.tile(of, source).get_attribute("data-frames") or 0)

    async def pixel(self, of: Look, source: str = "camera") -> list[int]:
        found = await self.tile(of, source).locator("video").evaluate(PIXEL)
        assert isinstance(found, list)
        return found

    async def sees(self, of: Look) -> None:
        """Pictures that go on, and are of nobody else."""

        async def is_shown() -> bool:
            tile = self.tile(of)
            return await tile.count() == 1 and await tile.get_attribute("data-revealed") is not None

        async def is_theirs() -> bool:
            pixel = await self.pixel(of)
            return len(pixel) == 3 and all(abs(a - b) <= CLOSE for a, b in zip(pixel, of.colour, strict=True))

        await until(is_shown, f"{self.look.name} is shown a picture of {of.name}")
        await until(is_theirs, f"{self.look.name} sees the colour of {of.name}")
        before = await self.frames(of)

        async def goes_on() -> bool:
            return await self.frames(of) > before + 5

        await until(goes_on, f"the picture of {of.name} goes on for {self.look.name}")

    async def state(self, of: Look, wanted: str, source: str = "camera") -> None:
        async def is_so() -> bool:
            tile = self.tile(of, source)
            return await tile.count() == 1 and await tile.get_attribute("data-state") == wanted

        await until(is_so, f"the picture of {of.name} is {wanted} for {self.look.name}")

    async def is_heard(self, of: Look) -> bool:
        sounds = await self.page.locator("audio[data-mid]").all()
        tones = [await sound.evaluate(TONE) for sound in sounds]
        return any(abs(frequency - of.frequency) < 30 and level > -50 for frequency, level in tones)

    async def hears(self, of: Look) -> None:
        await until(lambda: self.is_heard(of), f"{self.look.name} hears the tone of {of.name}")

    async def hears_nothing(self) -> None:
        async def is_silent() -> bool:
            return not any([await self.is_heard(one) for one in (ADA, BEN, EVE)])

        await until(is_silent, f"{self.look.name} hears nobody")

    async def press(self, control: str) -> None:
        await self.page.click(f"[data-control={control}]")

    async def says(self, text: str) -> None:
        if not await self.page.is_visible(".chat"):
            await self.press("chat")
        await self.page.fill(".chat textarea", text)
        await self.page.keyboard.press("Enter")

    async def reads(self, text: str) -> None:
        await until(lambda: self.said(text), f"{self.look.name} reads {text!r}")

    async def said(self, text: str) -> bool:
        return text in await self.page.locator(".messages .said").all_text_contents()

    async def problem(self) -> str:
        shown = self.page.locator("[data-screen=problem]")
        await shown.wait_for(timeout=1000 * PATIENCE)
        return await shown.get_attribute("data-code") or ""

    async def loses_the_socket(self) -> None:
        await self.page.evaluate("window.sockets.at(-1).close()")


async def guest(launched: Browser, link: str, look: Look) -> Guest:
    """At the door: the preview is shown."""
    context = await launched.new_context(viewport={"width": 900, "height": 600})
    colour = "#" + "".join(f"{one:02x}" for one in look.colour)
    await context.add_init_script(f"({DEVICES})(['{colour}', {look.frequency}])")
    here = Guest(look, watched(await context.new_page()))
    await here.page.goto(link)
    return here
