"""From one peer to others: what is rewritten, what flows when, repairs, layers, reports."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest

from media.codecs.names import CodecName
from media.codecs.vp8 import parse_vp8
from media.engine import ConsentLost, Gated, GateRule, Ladder, Layer, SinkId, SrtpProfile, Switched
from media.extensions import ExtensionName, read_mid
from media.rtcp import (
    FullIntraRequest,
    IntraRequest,
    Nack,
    PictureLoss,
    ReceiverReport,
    Remb,
    ReportBlock,
    SenderReport,
    SourceDescription,
)
from media.rtp import Packet
from tests.media.conformance.stage import (
    SINK_EXTENSIONS,
    SINK_OPUS,
    SINK_VP8,
    SINK_VP8_RTX,
    VP8,
    Member,
    Opens,
    Stage,
    audio_slot,
    camera_format,
    payloads,
    staged,
    video_slot,
)
from tests.media.peers import PATIENCE
from tests.media.tracks import Stream, Vp8Track, gaps

SLOT = 0x9001


def send(member: Member, packets: Sequence[bytes]) -> None:
    for packet in packets:
        member.peer.send_rtp(packet)


async def frames(member: Member, track: Vp8Track, number: int, *, packets: int = 2, keyframe: bool = False) -> None:
    for index in range(number):
        send(member, track.frame(keyframe=keyframe and index == 0, packets=packets))
        await asyncio.sleep(0.002)


def told_by(stage: Stage, sink: SinkId) -> list[Switched]:
    return [event for event in stage.told(Switched) if event.sink == sink]


class TestRewriting:
    async def test_a_subscriber_gets_every_packet_in_its_own_format(self, stage: Stage) -> None:
        publisher, subscriber = await stage.join(), await stage.join()
        source, track = stage.camera(publisher)
        (sink,) = stage.screen(subscriber)
        stage.engine.assign(sink, source)
        sent = [packet for index in range(20) for packet in track.frame(keyframe=index == 0)]
        send(publisher, sent)
        await subscriber.peer.until(lambda: len(subscriber.peer.rtp) == 40)
        came = subscriber.peer.rtp
        originals = [Packet.parse(packet) for packet in sent]
        assert {packet.header.ssrc for packet in came} == {SLOT}
        assert {packet.header.payload_type for packet in came} == {SINK_VP8}
        assert gaps(came) == []
        assert came[0].header.sequence < 0x8000
        assert [packet.header.marker for packet in came] == [packet.header.marker for packet in originals]
        assert _steps([packet.header.timestamp for packet in came]) == _steps(
            [packet.header.timestamp for packet in originals]
        )
        assert [payload[6:] for payload in payloads(came)] == [payload[6:] for payload in payloads(originals)]
        assert {read_mid(packet.extensions[SINK_EXTENSIONS[ExtensionName.MID]]) for packet in came} == {"a"}

    async def test_all_profiles_of_srtp_meet(self, stage: Stage) -> None:
        publisher = await stage.join(profile=SrtpProfile.AEAD_AES_256_GCM)
        source, track = stage.camera(publisher)
        subscribers = [await stage.join(profile=profile) for profile in SrtpProfile]
        for subscriber in subscribers:
            stage.engine.assign(stage.screen(subscriber)[0], source)
        await frames(publisher, track, 5, keyframe=True)
        for subscriber in subscribers:
            await subscriber.peer.until(lambda: len(subscriber.peer.rtp) == 10)  # noqa: B023 - awaited here
            assert subscriber.peer.unreadable == 0

    async def test_sound_keeps_its_level_and_its_steps(self, stage: Stage) -> None:
        publisher, subscriber = await stage.join(), await stage.join()
        source, track = stage.microphone(publisher)
        (sink,) = stage.screen(subscriber, [audio_slot(SLOT)])
        stage.engine.assign(sink, source)
        for level in range(20, 40):
            publisher.peer.send_rtp(track.packet(level))
        await subscriber.peer.until(lambda: len(subscriber.peer.rtp) == 20)
        came = subscriber.peer.rtp
        level_id = SINK_EXTENSIONS[ExtensionName.AUDIO_LEVEL]
        assert [packet.extensions[level_id][0] & 0x7F for packet in came] == list(range(20, 40))
        assert {packet.header.payload_type for packet in came} == {SINK_OPUS}
        assert set(_steps([packet.header.timestamp for packet in came])) == {960}
        assert gaps(came) == []

    async def test_pictures_are_numbered_on_when_another_camera_flows(self, stage: Stage) -> None:
        publisher, subscriber = await stage.join(), await stage.join()
        first, one = stage.camera(publisher, mid="1")
        second, two = stage.camera(publisher, mid="2")
        two.picture_id, two.tl0, two.stream.timestamp, two.stream.sequence = 99, 200, 5, 60_000
        (sink,) = stage.screen(subscriber)
        stage.engine.assign(sink, first)
        await frames(publisher, one, 4, keyframe=True)
        await subscriber.peer.until(lambda: len(subscriber.peer.rtp) == 8)
        stage.engine.assign(sink, second)
        await frames(publisher, one, 2)
        await frames(publisher, two, 2)
        await frames(publisher, two, 4, keyframe=True)
        await subscriber.peer.until(lambda: len(subscriber.peer.rtp) == 20)
        came = subscriber.peer.rtp
        assert gaps(came) == []
        ids = [parsed.picture_id.value for packet in came if (parsed := parse_vp8(packet.payload)).picture_id]
        assert _steps(ids[::2]) == [1] * 9
        switch = came[12].header.timestamp - came[11].header.timestamp
        assert 0 < switch < 90_000
        assert [event.source for event in told_by(stage, sink)] == [first, second]

    async def test_streams_are_told_apart_by_nothing_but_their_slots(self, stage: Stage) -> None:
        publisher, subscriber = await stage.join(), await stage.join()
        camera, picture = stage.camera(publisher)
        microphone, sound = stage.microphone(publisher)
        video, audio = stage.screen(subscriber, [video_slot(SLOT), audio_slot(SLOT + 1)])
        stage.engine.assign(video, camera)
        stage.engine.assign(audio, microphone)
        send(publisher, picture.frame(keyframe=True))
        publisher.peer.send_rtp(sound.packet())
        await subscriber.peer.until(lambda: len(subscriber.peer.rtp) == 3)
        assert [len(subscriber.peer.packets_of(ssrc)) for ssrc in (SLOT, SLOT + 1)] == [2, 1]


def _steps(numbers: Sequence[int]) -> list[int]:
    return [later - earlier for earlier, later in pairwise(numbers)]


class TestFlowing:
    async def test_nothing_flows_before_a_key_frame_and_one_is_asked_for(self, stage: Stage) -> None:
        publisher, subscriber = await stage.join(), await stage.join()
        source, track = stage.camera(publisher)
        await frames(publisher, track, 2, keyframe=True)
        (sink,) = stage.screen(subscriber)
        stage.engine.assign(sink, source)
        await publisher.peer.until(lambda: publisher.peer.said(PictureLoss))
        await frames(publisher, track, 3)
        await stage.settle()
        assert subscriber.peer.rtp == []
        await frames(publisher, track, 1, keyframe=True)
        await subscriber.peer.until(lambda: len(subscriber.peer.rtp) == 2)
        await stage.until(lambda: told_by(stage, sink) == [Switched(sink, source, Layer(0))])

    async def test_an_emptied_slot_is_silent_at_once(self, stage: Stage) -> None:
        publisher, subscriber = await stage.join(), await stage.join()
        source, track = stage.camera(publisher)
        (sink,) = stage.screen(subscriber)
        stage.engine.assign(sink, source)
        await frames(publisher, track, 2, keyframe=True)
        await subscriber.peer.until(lambda: len(subscriber.peer.rtp) == 4)
        stage.engine.assign(sink, None)
        await frames(publisher, track, 2, keyframe=True)
        await stage.settle()
        assert len(subscriber.peer.rtp) == 4
        assert told_by(stage, sink)[-1] == Switched(sink, None, None)
        assert stage.engine.sink_stats()[sink].source is None

    async def test_a_muted_source_reaches_nobody_and_goes_on_at_a_key_frame(self, stage: Stage) -> None:
        publisher, subscriber = await stage.join(), await stage.join()
        source, track = stage.camera(publisher)
        (sink,) = stage.screen(subscriber)
        stage.engine.assign(sink, source)
        await frames(publisher, track, 2, keyframe=True)
        await subscriber.peer.until(lambda: len(subscriber.peer.rtp) == 4)
        stage.engine.mute_source(source, muted=True)
        await frames(publisher, track, 3, keyframe=True)
        await stage.settle()
        assert len(subscriber.peer.rtp) == 4
        stage.engine.mute_source(source, muted=False)
        await frames(publisher, track, 2)
        await publisher.peer.until(lambda: publisher.peer.said(PictureLoss))
        await frames(publisher, track, 2, keyframe=True)
        await subscriber.peer.until(lambda: len(subscriber.peer.rtp) == 8)
        assert gaps(subscriber.peer.rtp) == []

    async def test_a_paused_sink_is_silent_and_goes_on_at_a_key_frame(self, stage: Stage) -> None:
        publisher, subscriber, other = [await stage.join() for _ in range(3)]
        source, track = stage.camera(publisher)
        (sink,) = stage.screen(subscriber)
        (control,) = stage.screen(other)
        stage.engine.assign(sink, source)
        stage.engine.assign(control, source)
        await frames(publisher, track, 2, keyframe=True)
        await subscriber.peer.until(lambda: len(subscriber.peer.rtp) == 4)
        stage.engine.pause(sink, paused=True)
        await frames(publisher, track, 2, keyframe=True)
        await other.peer.until(lambda: len(other.peer.rtp) == 8)
        assert len(subscriber.peer.rtp) == 4
        asked = len(publisher.peer.said(PictureLoss))
        stage.engine.pause(sink, paused=False)
        await publisher.peer.until(lambda: len(publisher.peer.said(PictureLoss)) > asked)
        await frames(publisher, track, 2, keyframe=True)
        await subscriber.peer.until(lambda: len(subscriber.peer.rtp) == 8)
        assert gaps(subscriber.peer.rtp) == []

    async def test_clear_media_of_a_gated_source_reaches_nobody(self, stage: Stage) -> None:
        publisher, subscriber = await stage.join(), await stage.join()
        source, track = stage.camera(publisher)
        stage.engine.set_gate(source, GateRule((0x1001,)))
        (sink,) = stage.screen(subscriber)
        stage.engine.assign(sink, source)
        await frames(publisher, track, 5, keyframe=True)
        await stage.until(lambda: any(event.muted for event in stage.told(Gated)))
        await stage.settle()
        assert subscriber.peer.rtp == []

    async def test_a_source_that_ends_leaves_its_slots_empty(self, stage: Stage) -> None:
        publisher, subscriber = await stage.join(), await stage.join()
        source, track = stage.camera(publisher)
        (sink,) = stage.screen(subscriber)
        stage.engine.assign(sink, source)
        await frames(publisher, track, 2, keyframe=True)
        await subscriber.peer.until(lambda: len(subscriber.peer.rtp) == 4)
        stage.engine.remove_source(source)
        await stage.until(lambda: told_by(stage, sink)[-1:] == [Switched(sink, None, None)])
        await frames(publisher, track, 2, keyframe=True)
        await stage.settle()
        assert len(subscriber.peer.rtp) == 4

    async def test_a_subscriber_that_leaves_changes_nothing_for_the_others(self, stage: Stage) -> None:
        publisher, leaving, staying = [await stage.join() for _ in range(3)]
        source, track = stage.camera(publisher)
        for member in (leaving, staying):
            stage.engine.assign(stage.screen(member)[0], source)
        await frames(publisher, track, 2, keyframe=True)
        await leaving.peer.until(lambda: len(leaving.peer.rtp) == 4)
        stage.leave(leaving)
        await frames(publisher, track, 3)
        await staying.peer.until(lambda: len(staying.peer.rtp) == 10)
        assert len(leaving.peer.rtp) == 4
        assert gaps(staying.peer.rtp) == []

    async def test_a_subscriber_over_tcp_is_served_like_others(self, stage: Stage) -> None:
        publisher, subscriber = await stage.join(), await stage.join(tcp=True)
        source, track = stage.camera(publisher)
        stage.engine.assign(stage.screen(subscriber)[0], source)
        await frames(publisher, track, 10, keyframe=True)
        await subscriber.peer.until(lambda: len(subscriber.peer.rtp) == 20)
        assert gaps(subscriber.peer.rtp) == []

    async def test_an_ssrc_serves_one_slot_in_the_life_of_a_transport(self, stage: Stage) -> None:
        subscriber = await stage.join()
        stage.screen(subscriber)
        with pytest.raises(ValueError, match="SSRC"):
            stage.screen(subscriber)
        with pytest.raises(ValueError, match="SSRC"):
            stage.screen(subscriber, [video_slot(1, rtx=False), video_slot(1, rtx=False)])


class TestRepairs:
    async def test_what_a_subscriber_lost_is_sent_again_as_it_was(self, stage: Stage) -> None:
        publisher, subscriber = await stage.join(), await stage.join()
        source, track = stage.camera(publisher)
        (sink,) = stage.screen(subscriber)
        stage.engine.assign(sink, source)
        await frames(publisher, track, 5, keyframe=True)
        await subscriber.peer.until(lambda: len(subscriber.peer.rtp) == 10)
        lost = subscriber.peer.rtp[3:6]
        subscriber.peer.send_rtcp([Nack(1, SLOT, tuple(packet.header.sequence for packet in lost))])
        await subscriber.peer.until(lambda: len(subscriber.peer.rtp) == 13)
        repairs = subscriber.peer.packets_of(SLOT + 0x1000)
        assert [packet.header.payload_type for packet in repairs] == [SINK_VP8_RTX] * 3
        for original, again in zip(lost, repairs, strict=True):
            assert bytes(again.payload[:2]) == original.header.sequence.to_bytes(2, "big")
            assert bytes(again.payload[2:]) == bytes(original.payload)
            assert again.header.timestamp == original.header.timestamp
        assert stage.engine.sink_stats()[sink].repaired == 3

    async def test_what_the_publisher_lost_arrives_late_in_its_own_place(self, stage: Stage) -> None:
        publisher, subscriber = await stage.join(), await stage.join()
        source, track = stage.camera(publisher)
        stage.engine.assign(stage.screen(subscriber)[0], source)
        await frames(publisher, track, 2, keyframe=True)
        late, *others = [packet for _ in range(3) for packet in track.frame()]
        send(publisher, others)
        await subscriber.peer.until(lambda: len(subscriber.peer.rtp) == 9)
        publisher.peer.send_rtp(late)
        await subscriber.peer.until(lambda: len(subscriber.peer.rtp) == 10)
        numbers = [packet.header.sequence for packet in subscriber.peer.rtp]
        assert numbers[-1] == numbers[4] - 1
        assert len(set(numbers)) == 10

    async def test_padding_of_the_publisher_is_no_gap_for_a_subscriber(self, stage: Stage) -> None:
        publisher, subscriber = await stage.join(), await stage.join()
        source, track = stage.camera(publisher)
        stage.engine.assign(stage.screen(subscriber)[0], source)
        await frames(publisher, track, 2, keyframe=True)
        for _ in range(5):
            publisher.peer.send_rtp(track.stream.packet(b"", marker=False, padding=200))
        await frames(publisher, track, 2)
        await subscriber.peer.until(lambda: len(subscriber.peer.rtp) == 8)
        assert gaps(subscriber.peer.rtp) == []

    @pytest.mark.parametrize("by_fir", [False, True])
    async def test_a_subscriber_that_needs_a_key_frame_gets_the_publisher_asked(
        self, stage: Stage, *, by_fir: bool
    ) -> None:
        publisher, subscriber = await stage.join(), await stage.join()
        source, track = stage.camera(publisher)
        stage.engine.assign(stage.screen(subscriber)[0], source)
        await frames(publisher, track, 2, keyframe=True)
        await subscriber.peer.until(lambda: len(subscriber.peer.rtp) == 4)
        await stage.settle(0.6)
        asked = len(publisher.peer.said(PictureLoss))
        if by_fir:
            subscriber.peer.send_rtcp([FullIntraRequest(1, (IntraRequest(SLOT, 1),))])
        else:
            subscriber.peer.send_rtcp([PictureLoss(1, SLOT)])
        await publisher.peer.until(lambda: len(publisher.peer.said(PictureLoss)) == asked + 1)

    async def test_an_empty_slot_asks_nobody(self, stage: Stage) -> None:
        publisher, subscriber = await stage.join(), await stage.join()
        _, track = stage.camera(publisher)
        stage.screen(subscriber)
        await frames(publisher, track, 2, keyframe=True)
        for _ in range(5):
            subscriber.peer.send_rtcp([PictureLoss(1, SLOT)])
        await stage.settle(0.3)
        assert publisher.peer.said(PictureLoss) == []


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
        assert _steps(ids[::2]) == [1] * 9


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


async def test_media_goes_on_over_ipv6(opens: Opens) -> None:
    async with staged(opens, "::1") as stage:
        publisher, subscriber = await stage.join(), await stage.join()
        source, track = stage.camera(publisher)
        stage.engine.assign(stage.screen(subscriber)[0], source)
        await frames(publisher, track, 3, keyframe=True)
        await subscriber.peer.until(lambda: len(subscriber.peer.rtp) == 6)
        assert stage.told(ConsentLost) == []
