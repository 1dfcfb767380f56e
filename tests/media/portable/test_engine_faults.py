"""A fault of ours, and a process that stands still: neither ends anything."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

import pytest
import structlog

from media.engine import ConsentLost, SourceId
from media.icevalues import Limits
from media.portable.engine import Bounds, PortableEngine, open_portable
from media.portable.packet import Incoming, Result
from media.portable.sink import Sink
from media.portable.source import Source
from media.rtp import Packet
from tests.media.conformance.conftest import portable
from tests.media.conformance.stage import frames, has, staged
from tests.media.tracks import gaps


async def test_a_packet_that_finds_a_fault_ends_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    receive = Source.receive

    def broken(self: Source, packet: Packet, now: float) -> Sequence[Result]:
        if bytes(packet.payload[6:8]) == b"\x02\x02":
            raise ZeroDivisionError("a fault of ours")
        return receive(self, packet, now)

    async with staged(portable) as stage:
        publisher, subscriber = await stage.join(), await stage.join()
        source, track = stage.camera(publisher)
        stage.engine.assign(stage.screen(subscriber)[0], source)
        monkeypatch.setattr(Source, "receive", broken)
        with structlog.testing.capture_logs() as logs:
            for index in range(5):
                for packet in track.frame(keyframe=index == 0):
                    publisher.peer.send_rtp(packet)
            await subscriber.peer.until(lambda: len(subscriber.peer.rtp) == 5)
        assert stage.engine.drops()["internal_error"] == 5
        assert [log["exc_info"].args for log in logs] == [("a fault of ours",)]


async def test_a_slot_with_a_fault_costs_the_others_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with staged(portable) as stage:
        publisher, unlucky, lucky = [await stage.join() for _ in range(3)]
        source, track = stage.camera(publisher)
        (broken,) = stage.screen(unlucky)
        offer = Sink.offer

        def faulty(self: Sink, of: SourceId, packet: Incoming, now: float) -> bytes | None:
            if self.id == broken:
                raise ZeroDivisionError("a fault of ours")
            return offer(self, of, packet, now)

        monkeypatch.setattr(Sink, "offer", faulty)
        for sink in (broken, *stage.screen(lucky)):
            stage.engine.assign(sink, source)
        for index in range(5):
            for packet in track.frame(keyframe=index == 0):
                publisher.peer.send_rtp(packet)
        await lucky.peer.until(lambda: len(lucky.peer.rtp) == 10)
        assert stage.engine.drops()["internal_error"] == 10


async def test_a_flood_of_media_is_read_only_up_to_a_bound_and_costs_nobody_else() -> None:
    opens = partial(open_portable, bounds=Bounds(rtp_per_second=100))
    async with staged(lambda listening, *, wake, ice=None: opens(listening, wake=wake)) as stage:
        flooding, publisher, subscriber = [await stage.join() for _ in range(3)]
        _, flood = stage.camera(flooding)
        source, track = stage.camera(publisher)
        stage.engine.assign(stage.screen(subscriber)[0], source)
        for packet in flood.frame(keyframe=True, packets=500):
            flooding.peer.send_rtp(packet)
        for packet in track.frame(keyframe=True):
            publisher.peer.send_rtp(packet)
        await subscriber.peer.until(lambda: len(subscriber.peer.rtp) == 2)
        assert 250 <= stage.engine.drops()["rtp_flood"] <= 300


@pytest.mark.blocks_the_loop(reason="a process that stands still is what this is about")
async def test_two_seconds_of_standstill_end_nothing() -> None:
    async with staged(portable, ice=Limits(consent_interval=0.2, consent_timeout=1.0)) as stage:
        publisher, subscriber = await stage.join(), await stage.join()
        source, track = stage.camera(publisher)
        (sink,) = stage.screen(subscriber)
        stage.engine.assign(sink, source)
        for packet in track.frame(keyframe=True):
            publisher.peer.send_rtp(packet)
        await subscriber.peer.until(lambda: len(subscriber.peer.rtp) == 2)
        await stage.settle(0.5)
        for packet in track.frame():
            publisher.peer.send_rtp(packet)
        time.sleep(2)  # noqa: ASYNC251 - on purpose
        await subscriber.peer.until(lambda: len(subscriber.peer.rtp) == 4)
        await stage.settle(0.5)
        for packet in track.frame():
            publisher.peer.send_rtp(packet)
        await subscriber.peer.until(lambda: len(subscriber.peer.rtp) == 6)
        assert stage.told(ConsentLost) == []
        assert gaps(subscriber.peer.rtp) == []
        assert stage.engine.sink_stats()[sink].source == source


async def test_meetings_that_are_over_leave_nothing_behind() -> None:
    async with staged(portable) as stage:
        engine = stage.engine
        assert isinstance(engine, PortableEngine)
        for _ in range(10):
            publisher, subscriber = await stage.join(), await stage.join(tcp=True)
            source, track = stage.camera(publisher)
            (sink,) = stage.screen(subscriber)
            engine.tap(source, most_bytes=10_000)
            engine.assign(sink, source)
            await frames(publisher, track, 3, keyframe=True)
            await subscriber.peer.until(has(subscriber.peer, 6))
            for member in (publisher, subscriber):
                stage.leave(member)
                await member.peer.close()
                stage.peers.remove(member.peer)
        await stage.until(lambda: engine._network.connections == 0)
        stage.told(ConsentLost)
        held = engine._holdings
        left = (engine._agents, held.peers, held.tracks, held.outlets, held.taps, engine._events)
        assert [len(one) for one in left] == [0] * len(left)
