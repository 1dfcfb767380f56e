"""Which layer flows, when it is another, and what peers report of what flows."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

from media.codecs.names import CodecName
from media.codecs.vp8 import parse_vp8
from media.engine import Ladder, Layer
from media.rtcp import (
    PictureLoss,
    ReceiverReport,
    Remb,
    ReportBlock,
    SenderReport,
    SourceDescription,
)
from media.rtp import Packet
from tests.media.conformance.stage import (
    VP8,
    Member,
    Stage,
    camera_format,
    frames,
    payloads,
    send,
    steps,
    told_by,
)
from tests.media.peers import PATIENCE
from tests.media.tracks import Stream, Vp8Track, gaps

SLOT = 0x9001


class Simulcast:
    """Two encodings of one camera, both alive."""

    def __init__(self, stage: Stage, member: Member) -> None:
        self.member = member
        self.source = stage.engine.add_source(member.transport, camera_format("1", ("q", "h")))
        self.low = Vp8Track(Stream(11, VP8, "1", member.counted, rid="q"), size=(320, 180))
        self.high = Vp8Track(Stream(12, VP8, "1", member.counted, rid="h"), size=(640, 360))
        self.keyframes: Counter[int] = Counter()

    async def run(self, frames: int) -> None:
        """As a browser does, with a key frame when it is asked for one."""
        for _ in range(frames):
            asked = Counter(loss.media_ssrc for loss in self.member.peer.said(PictureLoss))
            for track in (self.low, self.high):
                ssrc = track.stream.ssrc
                send(self.member, track.frame(keyframe=asked[ssrc] >= self.keyframes[ssrc]))
                self.keyframes[ssrc] = asked[ssrc] + 1
            await asyncio.sleep(0.01)

    async def run_until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not holds():
                await self.run(2)


def width(packet: Packet) -> int | None:
    size = parse_vp8(packet.payload).size
    return None if size is None else size[0]


class TestLayers:
    async def test_a_ladder_says_which_encoding_flows_and_switches_go_by_key_frames(self, stage: Stage) -> None:
        publisher, subscriber = await stage.join(), await stage.join()
        camera = Simulcast(stage, publisher)
        (sink,) = stage.screen(subscriber)
        stage.engine.set_policy(subscriber.transport, Ladder({sink: [Layer(0)]}))
        stage.engine.assign(sink, camera.source)
        await camera.run(20)
        assert stage.engine.sink_stats()[sink].layer == Layer(0)
        stage.engine.set_policy(subscriber.transport, Ladder({sink: [Layer(0), Layer(1)]}))
        await camera.run_until(lambda: stage.engine.sink_stats()[sink].layer == Layer(1))
        stage.engine.set_policy(subscriber.transport, Ladder({sink: [Layer(0)]}))
        await camera.run_until(lambda: stage.engine.sink_stats()[sink].layer == Layer(0))
        await stage.settle()
        assert gaps(subscriber.peer.rtp) == []
        sizes = [size for packet in subscriber.peer.rtp if (size := width(packet)) is not None]
        assert [size for size, before in zip(sizes, [None, *sizes], strict=False) if size != before] == [320, 640, 320]
        assert [event.layer for event in told_by(stage, sink)] == [Layer(0), Layer(1), Layer(0)]

    async def test_without_a_ladder_the_highest_flows(self, stage: Stage) -> None:
        publisher, subscriber = await stage.join(), await stage.join()
        camera = Simulcast(stage, publisher)
        (sink,) = stage.screen(subscriber)
        stage.engine.assign(sink, camera.source)
        await camera.run_until(lambda: stage.engine.sink_stats()[sink].layer == Layer(1))

    async def test_what_a_subscriber_cannot_take_is_stepped_down_and_up_again_when_it_can(self, stage: Stage) -> None:
        publisher, subscriber = await stage.join(), await stage.join()
        camera = Simulcast(stage, publisher)
        (sink,) = stage.screen(subscriber)
        stage.engine.set_policy(subscriber.transport, Ladder({sink: [Layer(0), Layer(1)]}, desired_bitrate=1_000_000))
        stage.engine.assign(sink, camera.source)
        await camera.run_until(lambda: stage.engine.sink_stats()[sink].layer == Layer(1))
        assert stage.engine.transport_stats()[subscriber.transport].available_bitrate is None
        # What a receiver believes is a limit where more than that is sent, and that takes a while to be known.
        await camera.run(120)
        subscriber.peer.send_rtcp([Remb(1, 200_000, (SLOT,))])
        await camera.run_until(lambda: stage.engine.sink_stats()[sink].layer == Layer(0))
        assert stage.engine.transport_stats()[subscriber.transport].available_bitrate == 200_000
        subscriber.peer.send_rtcp([Remb(1, 50_000_000, (SLOT,))])
        await camera.run_until(lambda: stage.engine.sink_stats()[sink].layer == Layer(1))
        assert gaps(subscriber.peer.rtp) == []

    async def test_temporal_layers_above_the_allowed_are_left_out_without_a_gap(self, stage: Stage) -> None:
        publisher, subscriber = await stage.join(), await stage.join()
        source, track = stage.camera(publisher)
        track.temporal_layers = 3
        (sink,) = stage.screen(subscriber)
        stage.engine.set_policy(subscriber.transport, Ladder({sink: [Layer(0, 0)]}))
        stage.engine.assign(sink, source)
        await frames(publisher, track, 40, keyframe=True)
        await subscriber.peer.until(lambda: len(subscriber.peer.rtp) == 20)
        assert gaps(subscriber.peer.rtp) == []
        assert {parse_vp8(packet.payload).temporal_id for packet in subscriber.peer.rtp} == {0}
        ids = [
            parsed.picture_id.value
            for packet in subscriber.peer.rtp
            if (parsed := parse_vp8(packet.payload)).picture_id
        ]
        assert steps(ids[::2]) == [1] * 9


class TestReporting:
    async def test_subscribers_get_the_publishers_clock_on_their_own_line(self, stage: Stage) -> None:
        publisher, subscriber = await stage.join(), await stage.join()
        source, track = stage.camera(publisher)
        stage.engine.assign(stage.screen(subscriber)[0], source)
        await frames(publisher, track, 1, keyframe=True)
        start = track.stream.timestamp - 3000
        publisher.peer.send_rtcp([SenderReport(track.stream.ssrc, 0x1234_5678 << 32, start, 2, 800)])
        await subscriber.peer.until(lambda: subscriber.peer.said(SenderReport))
        (report,) = subscriber.peer.said(SenderReport)
        assert report.ssrc == SLOT
        assert report.ntp == 0x1234_5678 << 32
        assert report.rtp_timestamp == subscriber.peer.rtp[0].header.timestamp
        assert report.packet_count == 2
        described = [chunk for said in subscriber.peer.said(SourceDescription) for chunk in said.chunks]
        assert {chunk.cname for chunk in described if chunk.ssrc == SLOT} == {"person"}

    async def test_what_a_subscriber_reports_as_lost_is_in_the_figures(self, stage: Stage) -> None:
        publisher, subscriber = await stage.join(), await stage.join()
        source, track = stage.camera(publisher)
        (sink,) = stage.screen(subscriber)
        stage.engine.assign(sink, source)
        await frames(publisher, track, 2, keyframe=True)
        subscriber.peer.send_rtcp([ReceiverReport(9, (ReportBlock(SLOT, 64, 1, 1, 0, 0, 0),))])
        await stage.until(lambda: stage.engine.sink_stats()[sink].lost_fraction == 0.25)
        assert stage.engine.transport_stats()[subscriber.transport].lost_fraction == 0.25

    async def test_figures_of_what_was_sent_and_received_agree_with_the_peers(self, stage: Stage) -> None:
        publisher, subscriber = await stage.join(), await stage.join()
        source, track = stage.camera(publisher)
        (sink,) = stage.screen(subscriber)
        stage.engine.assign(sink, source)
        await frames(publisher, track, 10, keyframe=True)
        await subscriber.peer.until(lambda: len(subscriber.peer.rtp) == 20)
        stats = stage.engine.transport_stats()
        assert stats[publisher.transport].received_packets == 20
        assert stats[subscriber.transport].sent_packets == 20
        flowing = stage.engine.sink_stats()[sink]
        assert (flowing.packets, flowing.source) == (20, source)
        assert flowing.bytes == sum(map(len, payloads(subscriber.peer.rtp)))
        assert stage.engine.source_stats()[source].codec is CodecName.VP8
