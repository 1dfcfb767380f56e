"""A real browser publishes to the engine: what it hears back decides what it sends."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from media.candidates import Advertised
from media.codecs.names import Kind
from media.dtls import DtlsEndpoint, DtlsIdentity
from media.engine import IceCredentials, Layer, LayerStats, Listening, SourceFormat, TransportKind
from media.portable.engine import open_portable
from media.sdp.answer import LocalTransport, answer
from media.sdp.codecs import CLEAR
from media.sdp.negotiation import Agreement, Terms, agree
from media.sdp.parse import parse_offer
from tests.emulator.test_browser import ACCEPT, AVAILABLE, page_of, pass_on
from tests.media.capturing import OFFER, SCENARIOS

HOST = "127.0.0.1"
PATIENCE = 30.0
REPORTS = "async () => [...(await pc.getStats()).values()].filter(one => one.type === 'remote-inbound-rtp')"


def simulcast_of(agreement: Agreement) -> SourceFormat:
    (section,) = agreement.sections
    return SourceFormat(
        mid="0",
        kind=Kind.VIDEO,
        payload_types={number: one.codec for number, one in agreement.payloads.items() if one.repairs is None},
        repairs={number: one.repairs for number, one in agreement.payloads.items() if one.repairs is not None},
        rids=tuple(layer.id for layer in section.layers),
        extensions={number: name for name, number in agreement.received["video"].items()},
    )


@pytest.mark.slow(alone=False)
async def test_feedback_lets_a_browser_send_all_its_encodings_and_reports_reach_it(chromium: Path) -> None:
    rung = asyncio.Event()
    async with page_of(chromium) as page, open_portable(Listening([HOST], 0), wake=rung.set) as engine:
        agreement = agree(
            parse_offer(await page.evaluate(OFFER % SCENARIOS["vp8_simulcast"], None)), Terms(CLEAR, frozenset({"0"}))
        )
        peer, identity = agreement.transport, DtlsIdentity.make()
        transport, ours = engine.create_transport(TransportKind.BROWSER, IceCredentials(peer.ufrag, peer.password))
        dtls = DtlsEndpoint(identity, peer.fingerprints, lambda data: engine.send_dtls(transport, data))
        source = engine.add_source(transport, simulcast_of(agreement))
        passing = asyncio.create_task(pass_on(engine, dtls, rung))
        advertised = (Advertised(engine.local[0].host, engine.local[0].port),)
        local = LocalTransport(1, 1, ours.ufrag, ours.password, identity.fingerprint, advertised)
        try:
            await page.evaluate(ACCEPT, answer(agreement, local, {}))
            engine.set_srtp(transport, await dtls.connect())
            async with asyncio.timeout(PATIENCE):
                while len(await page.evaluate(REPORTS)) < 3:
                    await asyncio.sleep(0.2)
                # It begins with all of them, and stops soon where it hears nothing of how they fare.
                await asyncio.sleep(8)
                while widths(engine.source_stats()[source].layers) != {0: 320, 1: 640, 2: 1280}:
                    await asyncio.sleep(0.2)
            assert await page.evaluate(AVAILABLE) > 1_500_000
        finally:
            passing.cancel()
            await asyncio.gather(passing, return_exceptions=True)
            await dtls.close()
        assert "internal_error" not in engine.drops()


def widths(layers: Mapping[Layer, LayerStats]) -> dict[int, int | None]:
    return {layer.spatial: stats.width for layer, stats in layers.items()}
