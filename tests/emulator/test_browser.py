"""A real browser behind an emulated network, in front of the real engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Page

from media.candidates import Advertised
from media.codecs.names import Kind
from media.dtls import DtlsEndpoint, DtlsIdentity
from media.engine import (
    DtlsDatagram,
    Engine,
    IceCredentials,
    Listening,
    SourceFormat,
    SourceId,
    TransportId,
    TransportKind,
)
from media.portable.engine import open_portable
from media.sdp.answer import LocalTransport, answer
from media.sdp.codecs import CLEAR
from media.sdp.negotiation import Agreement, Terms, agree
from media.sdp.parse import parse_offer
from tests.browsing import MEDIA_ARGUMENTS, browser
from tests.emulator import PERFECT, Conditions, Emulator, constant, emulated, through

HOST = "127.0.0.1"
# A secure context, without a server: the page is made up by the browser's driver.
PAGE = "http://localhost:9/"
OFFER = """async () => {
    const [track] = (await navigator.mediaDevices.getUserMedia({video: {width: 640, height: 360}})).getTracks();
    window.pc = new RTCPeerConnection();
    pc.addTransceiver(track, {direction: 'sendonly'});
    await pc.setLocalDescription();
    return pc.localDescription.sdp;
}"""
ACCEPT = "sdp => pc.setRemoteDescription({type: 'answer', sdp})"


@dataclass
class Published:
    engine: Engine
    network: Emulator
    transport: TransportId
    source: SourceId

    async def until(self, seconds: float, packets: int) -> None:
        async with asyncio.timeout(seconds):
            while self.engine.source_stats()[self.source].packets < packets:
                await asyncio.sleep(0.1)


@asynccontextmanager
async def page_of(chromium: Path) -> AsyncIterator[Page]:
    async with browser(chromium, *MEDIA_ARGUMENTS) as opened:
        context = await opened.new_context(permissions=["camera"])
        page = await context.new_page()
        await page.route(PAGE, lambda route: route.fulfill(body="<p>camera", content_type="text/html"))
        await page.goto(PAGE)
        yield page


@asynccontextmanager
async def published(page: Page, *, up: Conditions = PERFECT, down: Conditions = PERFECT) -> AsyncIterator[Published]:
    rung = asyncio.Event()
    agreement = agree(parse_offer(await page.evaluate(OFFER)), Terms(CLEAR, frozenset({"0"})))
    peer = agreement.transport
    async with open_portable(Listening([HOST], 0, tcp=False), wake=rung.set) as engine:
        server = engine.local[0]
        async with emulated((server.host, server.port), up=up, down=down) as network:
            handle, ours = engine.create_transport(TransportKind.BROWSER, IceCredentials(peer.ufrag, peer.password))
            identity = DtlsIdentity.make()
            dtls = DtlsEndpoint(identity, peer.fingerprints, lambda data: engine.send_dtls(handle, data))
            source = engine.add_source(handle, format_of(agreement))
            passing = asyncio.create_task(pass_on(engine, dtls, rung))
            try:
                local = LocalTransport(
                    *(1, 1, ours.ufrag, ours.password, identity.fingerprint),
                    advertised=(Advertised(server.host, server.port),),
                )
                await page.evaluate(ACCEPT, through(answer(agreement, local, {}), network.address))
                engine.set_srtp(handle, await dtls.connect())
                yield Published(engine, network, handle, source)
            finally:
                passing.cancel()
                await asyncio.gather(passing, return_exceptions=True)
                await dtls.close()


def format_of(agreement: Agreement) -> SourceFormat:
    (sent,) = agreement.sources
    assert sent.ssrc is not None
    return SourceFormat(
        mid=sent.mid,
        kind=Kind.VIDEO,
        payload_types={number: one.codec for number, one in agreement.payloads.items() if one.repairs is None},
        repairs={number: one.repairs for number, one in agreement.payloads.items() if one.repairs is not None},
        ssrcs={"": (sent.ssrc, sent.rtx_ssrc)},
        extensions={number: name for name, number in agreement.received["video"].items()},
    )


async def pass_on(engine: Engine, dtls: DtlsEndpoint, rung: asyncio.Event) -> None:
    while True:
        await rung.wait()
        rung.clear()
        while events := engine.events(100):
            for event in events:
                if isinstance(event, DtlsDatagram):
                    dtls.receive(event.data)


@pytest.mark.slow(alone=False)
async def test_a_camera_comes_whole_through_loss_and_delay(chromium: Path) -> None:
    rough = Conditions(loss=0.05, delay=0.03)
    async with page_of(chromium) as page, published(page, up=rough, down=Conditions(delay=0.03)) as camera:
        await camera.until(30, 400)
        status = await camera.network.status()
        transport = camera.engine.transport_stats()[camera.transport]
        assert status.up.lost > 10
        assert transport.remote is not None
        assert transport.remote.port != camera.network.address[1]
        # Both ways, and what a busy browser needs for an answer.
        assert transport.round_trip is not None
        assert 0.06 <= transport.round_trip < 0.3
        assert camera.engine.source_stats()[camera.source].repaired >= 5


@pytest.mark.slow(alone=False)
async def test_a_browser_hears_of_its_bottleneck(chromium: Path) -> None:
    """By feedback from the engine alone: there is nobody else to tell it."""
    async with page_of(chromium) as page, published(page) as camera:
        await camera.until(30, 100)
        await camera.network.change(up=Conditions(bottleneck=constant(150_000)))
        async with asyncio.timeout(30):
            while await page.evaluate(AVAILABLE) > 250_000:
                await asyncio.sleep(0.25)


AVAILABLE = """async () => [...(await pc.getStats()).values()].find(one => one.nominated).availableOutgoingBitrate"""
