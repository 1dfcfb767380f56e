"""From one peer to others: what is rewritten, what flows when, repairs, layers, reports."""

from __future__ import annotations

import pytest

from media.codecs.vp8 import parse_vp8
from media.engine import ConsentLost, Gated, GateRule, Layer, SrtpProfile, Switched
from media.extensions import ExtensionName, read_mid
from media.rtcp import (
    FullIntraRequest,
    IntraRequest,
    Nack,
    PictureLoss,
)
from media.rtp import Packet
from tests.media.conformance.stage import (
    SINK_EXTENSIONS,
    SINK_OPUS,
    SINK_VP8,
    SINK_VP8_RTX,
    Opens,
    Stage,
    audio_slot,
    frames,
    has,
    payloads,
    send,
    staged,
    steps,
    told_by,
    video_slot,
)
from tests.media.tracks import gaps

SLOT = 0x9001


class TestBeginning:
    async def test_whoever_cannot_be_sent_anything_yet_begins_with_a_key_frame_of_its_own(self, stage: Stage) -> None:
        """The one that came before its keys would be missing, and browsers wait long for the next."""
        publisher, subscriber = await stage.join(), await stage.newcomer()
        source, track = stage.camera(publisher)
        (sink,) = stage.screen(subscriber)
        stage.engine.assign(sink, source)
        send(publisher, [packet for index in range(5) for packet in track.frame(keyframe=index == 0)])
        await stage.until(lambda: stage.engine.source_stats()[source].packets == 10)
        await stage.connect(subscriber)
        assert publisher.peer.said(PictureLoss) == []
        stage.engine.set_srtp(subscriber.transport, subscriber.peer.srtp.engine_keys)
        await publisher.peer.until(lambda: publisher.peer.said(PictureLoss))
        send(publisher, track.frame(keyframe=False))
        send(publisher, track.frame(keyframe=True))
        await subscriber.peer.until(lambda: len(subscriber.peer.rtp) == 2)
        assert parse_vp8(subscriber.peer.rtp[0].payload).part(marker=False).is_keyframe


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
        assert steps([packet.header.timestamp for packet in came]) == steps(
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
            await subscriber.peer.until(has(subscriber.peer, 10))
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
        assert set(steps([packet.header.timestamp for packet in came])) == {960}
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
        assert steps(ids[::2]) == [1] * 9
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


async def test_media_goes_on_over_ipv6(opens: Opens) -> None:
    async with staged(opens, "::1") as stage:
        publisher, subscriber = await stage.join(), await stage.join()
        source, track = stage.camera(publisher)
        stage.engine.assign(stage.screen(subscriber)[0], source)
        await frames(publisher, track, 3, keyframe=True)
        await subscriber.peer.until(lambda: len(subscriber.peer.rtp) == 6)
        assert stage.told(ConsentLost) == []


async def test_one_port_serves_peers_of_both_families_in_one_call(opens: Opens) -> None:
    async with staged(opens, "127.0.0.1", "::1") as stage:
        four, six = stage.engine.local
        assert four.port == six.port
        publisher = await stage.join()
        source, track = stage.camera(publisher)
        stage.remote = six
        for subscriber in (await stage.join(), await stage.join(tcp=True)):
            stage.engine.assign(stage.screen(subscriber)[0], source)
            remote = stage.engine.transport_stats()[subscriber.transport].remote
            assert remote is not None
            assert remote.host == "::1"
        await frames(publisher, track, 3, keyframe=True)
        for peer in stage.peers[1:]:
            await peer.until(has(peer, 6))
