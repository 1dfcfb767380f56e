"""What comes in: early packets, repairs asked for, feedback and reports, key frames, levels, gates, muting, taps."""

from __future__ import annotations

import asyncio

import pytest

from media.codecs.names import CodecName, Kind
from media.engine import AudioLevel, Flowing, Gated, GateRule, Gone, Layer, SourceFormat
from media.extensions import ExtensionName
from media.gate import Reason
from media.rtcp import Nack, PictureLoss, ReceiverReport, ReportBlock, SenderReport, TransportFeedback
from media.rtp import Packet
from tests.media.conformance.stage import OPUS, VP8, VP8_RTX, Member, Stage, camera_format
from tests.media.tracks import EXTENSIONS, OpusTrack, Stream, Vp8Track, repair


async def send_frames(stage: Stage, member: Member, track: Vp8Track, frames: int, *, packets: int = 2) -> None:
    for index in range(frames):
        for packet in track.frame(keyframe=index == 0, packets=packets):
            member.peer.send_rtp(packet)
        await asyncio.sleep(0.002)


def came(stage: Stage, member: Member) -> int:
    return stage.engine.transport_stats()[member.transport].received_packets


class TestArriving:
    async def test_packets_that_came_before_the_keys_are_not_lost(self, stage: Stage) -> None:
        member = await stage.newcomer()
        source, track = stage.camera(member)
        await stage.connect(member)
        for packet in track.frame(keyframe=True, packets=5):
            member.peer.send_rtp(packet)
        await stage.settle()
        assert stage.told(Flowing) == []
        stage.engine.set_srtp(member.transport, member.peer.srtp.engine_keys)
        assert stage.told(Flowing) == [Flowing(source)]
        assert stage.engine.source_stats()[source].packets == 5

    async def test_of_too_many_early_ones_the_first_are_kept(self, stage: Stage) -> None:
        member = await stage.newcomer()
        source, track = stage.camera(member)
        await stage.connect(member)
        for packet in track.frame(keyframe=True, packets=70):
            member.peer.send_rtp(packet)
        await stage.until(lambda: stage.engine.drops().get("early_full") == 6)
        stage.engine.set_srtp(member.transport, member.peer.srtp.engine_keys)
        assert stage.engine.source_stats()[source].packets == 64

    async def test_media_is_taken_from_nobody_else(self, stage: Stage) -> None:
        member = await stage.join()
        source, track = stage.camera(member)
        await stage.wire(member.peer)
        for packet in track.frame(keyframe=True):
            member.peer.send_rtp(packet)
        await stage.until(lambda: stage.engine.drops().get("srtp_stranger") == 2)
        assert stage.engine.source_stats()[source].packets == 0

    async def test_two_cameras_with_the_same_payload_types_are_told_apart_by_mid(self, stage: Stage) -> None:
        member = await stage.join()
        first, track = stage.camera(member, mid="1")
        second, other = stage.camera(member, mid="2")
        await send_frames(stage, member, track, 2)
        await send_frames(stage, member, other, 3)
        await stage.until(lambda: came(stage, member) == 10)
        stats = stage.engine.source_stats()
        assert (stats[first].packets, stats[second].packets) == (4, 6)
        assert [event.source for event in stage.told(Flowing)] == [first, second]

    async def test_stats_say_what_flows(self, stage: Stage) -> None:
        member = await stage.join()
        source, track = stage.camera(member)
        for _ in range(8):
            await send_frames(stage, member, track, 5)
            await asyncio.sleep(0.1)
        stats = stage.engine.source_stats()[source]
        assert stats.codec is CodecName.VP8
        assert stats.packets == 80
        layer = stats.layers[Layer(0)]
        assert (layer.width, layer.height) == (640, 360)
        assert 20 <= layer.frames_per_second <= 40
        assert layer.bitrate == pytest.approx(layer.frames_per_second * 2 * 8 * 430, rel=0.1)


class TestAsking:
    async def test_what_is_missing_is_asked_for_and_its_repair_taken(self, stage: Stage) -> None:
        member = await stage.join()
        source, track = stage.camera(member)
        await send_frames(stage, member, track, 1)
        lost, *rest = [packet for _ in range(3) for packet in track.frame()]
        for packet in rest:
            member.peer.send_rtp(packet)
        await member.peer.until(lambda: member.peer.said(Nack))
        nack = member.peer.said(Nack)[0]
        assert nack.media_ssrc == track.stream.ssrc
        assert nack.lost == (Packet.parse(lost).header.sequence,)
        member.peer.send_rtp(repair(lost, payload_type=VP8_RTX, ssrc=0xABCD, sequence=7, stream=track.stream))
        await stage.until(lambda: stage.engine.source_stats()[source].repaired == 1)
        asked = len(member.peer.said(Nack))
        await stage.settle(0.3)
        assert len(member.peer.said(Nack)) == asked

    async def test_a_key_frame_is_asked_for_as_picture_loss(self, stage: Stage) -> None:
        member = await stage.join()
        source, track = stage.camera(member)
        await send_frames(stage, member, track, 1)
        await stage.until(lambda: came(stage, member) == 2)
        stage.engine.request_keyframe(source)
        await member.peer.until(lambda: member.peer.said(PictureLoss))
        assert member.peer.said(PictureLoss)[0].media_ssrc == track.stream.ssrc
        assert stage.engine.source_stats()[source].keyframe_requests == 1

    async def test_many_wishes_for_a_key_frame_are_one_request(self, stage: Stage) -> None:
        member = await stage.join()
        source, track = stage.camera(member)
        await send_frames(stage, member, track, 1)
        await stage.until(lambda: came(stage, member) == 2)
        for _ in range(50):
            stage.engine.request_keyframe(source)
            await asyncio.sleep(0.002)
        await stage.settle()
        assert len(member.peer.said(PictureLoss)) == 1

    async def test_a_publisher_hears_soon_what_has_arrived_when(self, stage: Stage) -> None:
        member = await stage.join()
        _, track = stage.camera(member)
        for _ in range(10):
            await send_frames(stage, member, track, 2)
            await asyncio.sleep(0.05)
        await member.peer.until(lambda: member.counted.next in self.reported(member))
        assert self.reported(member) == set(range(1, 41))
        assert 3 <= len(member.peer.said(TransportFeedback)) <= 12
        counts = [feedback.feedback_count for feedback in member.peer.said(TransportFeedback)]
        assert counts == list(range(len(counts)))

    @staticmethod
    def reported(member: Member) -> set[int]:
        return {sequence for feedback in member.peer.said(TransportFeedback) for sequence, _ in feedback.times()}

    async def test_a_publisher_hears_every_second_what_was_lost(self, stage: Stage) -> None:
        member = await stage.join()
        _, track = stage.camera(member)
        member.peer.send_rtcp([SenderReport(track.stream.ssrc, 0xAABBCCDD << 16, 1, 2, 3)])
        for index in range(20):
            for packet in track.frame(keyframe=not index, packets=1)[index % 4 == 3 :]:
                member.peer.send_rtp(packet)
        member.peer.send_rtcp([SenderReport(track.stream.ssrc, 0xAABBCCDD << 16, 1, 2, 3)])
        newest = track.stream.sequence - 2  # the very last one is not known to be lost

        def whole() -> list[ReportBlock]:
            """The first report may be about what had come by then."""
            blocks = [block for report in member.peer.said(ReceiverReport) for block in report.blocks]
            return [block for block in blocks if block.highest_sequence & 0xFFFF == newest]

        await member.peer.until(whole)
        block = whole()[0]
        assert block.ssrc == track.stream.ssrc
        assert block.cumulative_lost == 4
        assert block.last_report == 0xAABBCCDD


class TestLevels:
    async def test_the_loudest_since_it_was_asked_is_told_once(self, stage: Stage) -> None:
        member = await stage.join()
        source, track = stage.microphone(member)
        for level in (40, 12, 60):
            member.peer.send_rtp(track.packet(level))
        await stage.until(lambda: came(stage, member) == 3)
        assert stage.engine.audio_levels() == {source: AudioLevel(12, voice=True)}
        assert stage.engine.audio_levels() == {}


class TestMuting:
    async def test_a_muted_source_says_nothing_any_more(self, stage: Stage) -> None:
        member = await stage.join()
        source, track = stage.microphone(member)
        stage.engine.mute_source(source, muted=True)
        member.peer.send_rtp(track.packet(12))
        await stage.until(lambda: came(stage, member) == 1)
        assert stage.engine.audio_levels() == {}
        assert stage.told(Flowing) == []
        stage.engine.mute_source(source, muted=False)
        member.peer.send_rtp(track.packet(15))
        await stage.until(lambda: stage.engine.audio_levels() == {source: AudioLevel(15, voice=True)})


class TestGate:
    async def test_clear_frames_are_refused_and_the_third_mutes(self, stage: Stage) -> None:
        member = await stage.join()
        source, track = stage.camera(member)
        stage.engine.set_gate(source, GateRule((0x1001, 0x1002)))
        await send_frames(stage, member, track, 5, packets=1)
        await stage.until(lambda: len(stage.told(Gated)) == 3)
        assert stage.told(Gated) == [
            Gated(source, Reason.CLEAR_FRAME, muted=False),
            Gated(source, Reason.CLEAR_FRAME, muted=False),
            Gated(source, Reason.CLEAR_FRAME, muted=True),
        ]
        await stage.settle()
        assert len(stage.told(Gated)) == 3
        assert stage.told(Flowing) == []

    async def test_key_ids_that_a_clear_frame_meets_by_chance_are_refused(self, stage: Stage) -> None:
        member = await stage.newcomer()
        source, _ = stage.camera(member)
        with pytest.raises(ValueError, match="16 bits"):
            stage.engine.set_gate(source, GateRule((3,)))


class TestTaps:
    async def test_a_tap_begins_at_a_key_frame_and_has_what_is_forwarded(self, stage: Stage) -> None:
        member = await stage.join()
        source, track = stage.camera(member)
        await send_frames(stage, member, track, 1)
        await stage.until(lambda: came(stage, member) == 2)
        tap = stage.engine.tap(source, most_bytes=100_000)
        for packet in track.frame():
            member.peer.send_rtp(packet)
        key = track.frame(keyframe=True)
        for packet in key:
            member.peer.send_rtp(packet)
        await stage.until(lambda: came(stage, member) == 6)
        tapped = stage.engine.read_tap(tap, 10)
        assert [packet.is_keyframe for packet in tapped] == [True, False]
        sent = [Packet.parse(packet) for packet in key]
        assert [packet.payload for packet in tapped] == [bytes(packet.payload) for packet in sent]
        assert [packet.sequence & 0xFFFF for packet in tapped] == [packet.header.sequence for packet in sent]
        assert [packet.marker for packet in tapped] == [False, True]
        assert stage.engine.read_tap(tap, 10) == []

    async def test_opening_a_tap_asks_for_its_key_frame(self, stage: Stage) -> None:
        member = await stage.join()
        source, track = stage.camera(member)
        await send_frames(stage, member, track, 1)
        await stage.until(lambda: came(stage, member) == 2)
        stage.engine.tap(source, most_bytes=100_000)
        await member.peer.until(lambda: member.peer.said(PictureLoss))

    async def test_a_tap_that_nobody_reads_keeps_the_newest_and_counts_the_rest(self, stage: Stage) -> None:
        member = await stage.join()
        source, track = stage.camera(member)
        tap = stage.engine.tap(source, most_bytes=3_000)
        await send_frames(stage, member, track, 10)
        await stage.until(lambda: came(stage, member) == 20)
        tapped = stage.engine.read_tap(tap, 100)
        assert 1 <= len(tapped) < 20
        assert sum(len(packet.payload) for packet in tapped) <= 3_000
        assert tapped[-1].sequence & 0xFFFF == (track.stream.sequence - 1) & 0xFFFF
        assert stage.engine.drops()["tap_overflow"] == 20 - len(tapped)

    async def test_a_closed_tap_is_gone(self, stage: Stage) -> None:
        member = await stage.join()
        source, _ = stage.camera(member)
        tap = stage.engine.tap(source, most_bytes=3_000)
        stage.engine.close_tap(tap)
        with pytest.raises(Gone):
            stage.engine.read_tap(tap, 1)
        with pytest.raises(Gone):
            stage.engine.close_tap(tap)


class TestSimulcast:
    async def test_encodings_are_told_apart_by_rid(self, stage: Stage) -> None:
        member = await stage.join()
        source = stage.engine.add_source(member.transport, camera_format("1", ("q", "h")))
        low = Vp8Track(Stream(11, VP8, "1", member.counted, rid="q"), size=(320, 180))
        high = Vp8Track(Stream(12, VP8, "1", member.counted, rid="h"), size=(640, 360))
        for _ in range(12):
            await send_frames(stage, member, low, 2)
            await send_frames(stage, member, high, 2)
            await asyncio.sleep(0.02)
        layers = stage.engine.source_stats()[source].layers
        assert {layer: (stats.width, stats.height) for layer, stats in layers.items()} == {
            Layer(0): (320, 180),
            Layer(1): (640, 360),
        }

    async def test_a_second_source_may_not_have_the_same_mid(self, stage: Stage) -> None:
        member = await stage.newcomer()
        stage.camera(member, mid="1")
        with pytest.raises(ValueError, match="mid"):
            stage.camera(member, mid="1")

    async def test_sound_without_levels_is_no_fault(self, stage: Stage) -> None:
        member = await stage.join()
        extensions = {number: name for number, name in EXTENSIONS.items() if name is not ExtensionName.AUDIO_LEVEL}
        sent = SourceFormat("0", Kind.AUDIO, {OPUS: CodecName.OPUS}, extensions=extensions)
        source = stage.engine.add_source(member.transport, sent)
        track = OpusTrack(Stream(5, OPUS, "0", member.counted))
        member.peer.send_rtp(track.packet())
        await stage.until(lambda: stage.told(Flowing))
        assert stage.engine.source_stats()[source].packets == 1
        assert stage.engine.audio_levels() == {}
