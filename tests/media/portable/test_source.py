"""What a source makes of its packets."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest

from media.codecs.names import CodecName, Kind
from media.engine import SourceFormat
from media.extensions import ExtensionName
from media.portable.nacks import HOLDOFF, MOST_MISSING
from media.portable.packet import Break, Gap
from media.portable.source import SOONEST_REBINDING, Source
from media.reports import MAX_DROPOUT
from media.rtcp import FullIntraRequest, IntraRequest, Nack, PictureLoss
from tests.media.portable.publishing import (
    DELTA_FRAME,
    EXTENSIONS,
    H264,
    KEY_FRAME,
    LEVEL,
    MID,
    ORIENTATION,
    PAYLOAD_TYPES,
    RED,
    RID,
    RTX,
    SOUND,
    VP8,
    VP9,
    Ingress,
    Sender,
    audio,
    forwarded,
    gaps,
    kinds,
    packet,
    padding,
    repair_of,
    sequences,
    sound,
    video,
)

OURS = 1
REPAIR = 3000


def camera(ingress: Ingress, *, codec: CodecName = VP8, payload_types: Mapping[int, CodecName] | None = None) -> Source:
    return ingress.add(video(ssrcs={"": (1000, REPAIR)}, codec=codec, payload_types=payload_types))


class TestPackets:
    def test_a_packet_comes_out_with_all_that_was_read_of_it(self) -> None:
        ingress = Ingress()
        camera(ingress)
        sender = Sender(extensions={ORIENTATION: b"\x01", MID: b"1"}, sequence=0xFFFF)
        first, *_, last = sender.key_frame()
        one, other = forwarded(ingress.receive(first, last))
        assert (one.stream, one.spatial, one.temporal) == (0, 0, 0)
        assert (one.timestamp, one.marker, one.codec) == (first.header.timestamp, False, VP8)
        assert (one.part.is_keyframe, one.part.size) == (True, (640, 480))
        assert one.payload == bytes(first.payload)
        assert one.extensions == {ExtensionName.ORIENTATION: b"\x01"}
        assert (one.arrived, one.is_repair) == (ingress.now, False)
        assert one.descriptor is not None
        assert one.descriptor.picture_id is not None
        assert one.descriptor.picture_id.value == 1
        assert (other.marker, other.number) == (True, one.number + 2)

    @pytest.mark.parametrize("temporal", [0, 1, 2])
    def test_layers_of_time_are_those_of_the_codec(self, temporal: int) -> None:
        ingress = Ingress()
        camera(ingress)
        (one, *_) = forwarded(ingress.receive(*Sender().delta(temporal=temporal)))
        assert (one.spatial, one.temporal) == (0, temporal)

    def test_layers_of_a_scalable_stream_are_those_of_its_descriptor(self) -> None:
        ingress = Ingress()
        camera(ingress, codec=VP9)
        # I, L, B, E; picture id; TID and SID; TL0PICIDX.
        for layer in range(3):
            payload = bytes((0xAC, 7, 1 << 5 | layer << 1, 1)) + DELTA_FRAME
            (one,) = forwarded(ingress.receive(packet(1000, 10 + layer, payload, kind=PAYLOAD_TYPES[VP9])))
            assert (one.stream, one.spatial, one.temporal) == (0, layer, 1)

    def test_of_a_simulcast_the_encoding_is_the_layer_whatever_its_descriptor_says(self) -> None:
        ingress = Ingress()
        ingress.add(video(codec=VP9, rids=("q", "h"), ssrcs={"q": (1, None), "h": (2, None)}))
        (one,) = forwarded(
            ingress.receive(packet(2, 10, bytes((0xAC, 7, 0, 1)) + DELTA_FRAME, kind=PAYLOAD_TYPES[VP9]))
        )
        assert (one.stream, one.spatial) == (1, 1)

    def test_padding_is_cut_off_and_packets_of_nothing_else_are_gaps(self) -> None:
        ingress = Ingress()
        camera(ingress)
        results = ingress.receive(
            packet(1000, 10, b"\x10" + KEY_FRAME, padding=17),
            padding(1000, 11),
            packet(1000, 12, b"\x10" + DELTA_FRAME),
        )
        assert kinds(results) == ["Incoming", "Gap", "Incoming"]
        assert forwarded(results)[0].payload == b"\x10" + KEY_FRAME
        assert gaps(results) == [11]
        assert not ingress.drops

    def test_sound_that_pads_leaves_gaps_too(self) -> None:
        ingress = Ingress()
        ingress.add(audio())
        assert kinds(ingress.receive(*sound().frame(SOUND), padding(2000, 5001, kind=111))) == ["Incoming", "Gap"]

    def test_a_payload_type_that_was_not_agreed_is_a_gap_and_counted(self) -> None:
        ingress = Ingress()
        camera(ingress)
        results = ingress.receive(*Sender().key_frame(), packet(1000, 5003, b"\x10\x00", kind=50))
        assert gaps(results) == [5003]
        assert ingress.drops == {"payload_type": 1}

    def test_a_payload_that_cannot_be_read_is_a_gap_and_counted_by_its_reason(self) -> None:
        ingress = Ingress()
        camera(ingress)
        results = ingress.receive(packet(1000, 10, b"\x90"))
        assert gaps(results) == [10]
        assert ingress.drops == {"vp8_truncated": 1}

    def test_an_extension_of_a_wrong_length_is_left_out(self) -> None:
        ingress = Ingress()
        ingress.add(audio())
        sender = sound()
        sender.extensions = {LEVEL: b"\x01\x02"}
        (one,) = forwarded(ingress.receive(*sender.frame(SOUND)))
        assert one.extensions == {}

    def test_redundant_sound_passes_as_it_is(self) -> None:
        ingress = Ingress()
        ingress.add(audio(codec=RED))
        payload = b"\x6f" + SOUND
        (one,) = forwarded(ingress.receive(packet(5, 1, payload, kind=PAYLOAD_TYPES[RED])))
        assert (one.codec, one.payload, one.part.is_keyframe) == (RED, payload, True)

    def test_codecs_may_change_with_the_payload_type(self) -> None:
        both = {PAYLOAD_TYPES[VP8]: VP8, PAYLOAD_TYPES[H264]: H264}
        ingress = Ingress()
        source = camera(ingress, payload_types=both)
        single_slice = bytes.fromhex("6588842100")
        results = ingress.receive(*Sender().key_frame(), packet(1000, 5003, single_slice, kind=PAYLOAD_TYPES[H264]))
        assert [one.codec for one in forwarded(results)] == [VP8, VP8, VP8, H264]
        assert source.stats(ingress.now).codec is H264


class TestOrder:
    def test_duplicates_are_dropped(self) -> None:
        ingress = Ingress()
        camera(ingress)
        packets = Sender().key_frame()
        assert sequences(ingress.receive(*packets, *packets)) == [5000, 5001, 5002]
        assert ingress.drops == {"duplicate": 3}

    def test_what_comes_late_keeps_its_number_and_says_so(self) -> None:
        ingress = Ingress()
        camera(ingress)
        first, second, third = Sender().key_frame()
        results = forwarded(ingress.receive(first, third, second))
        assert [(one.number - results[0].number, one.is_repair) for one in results] == [
            (0, False),
            (2, False),
            (1, True),
        ]

    def test_numbers_go_on_over_the_wrap(self) -> None:
        ingress = Ingress()
        camera(ingress)
        numbers = [one.number for one in forwarded(ingress.receive(*Sender(sequence=0xFFFE).key_frame()))]
        assert numbers == list(range(numbers[0], numbers[0] + 3))

    def test_whatever_a_network_does_each_packet_comes_out_once_under_its_number(self) -> None:
        dice, ingress, sender = random.Random(3), Ingress(), Sender(sequence=0xFF00)  # noqa: S311
        camera(ingress)
        sent = [one for _ in range(300) for one in sender.delta()]
        order = sorted(range(len(sent)), key=lambda index: index + dice.choice((0, 0, 0, 3, 40)))
        arriving = [index for index in order for _ in range(dice.choice((0, 1, 1, 1, 2)))]
        results = forwarded(ingress.receive(*(sent[index] for index in arriving)))
        base = results[0].number - arriving[0]
        assert [one.number - base for one in results] == list(dict.fromkeys(arriving))


class TestAnotherTimeline:
    def test_one_packet_from_far_away_changes_nothing(self) -> None:
        ingress = Ingress()
        camera(ingress)
        sender, stray = Sender(), Sender(sequence=5000 + MAX_DROPOUT + 100)
        results = ingress.receive(*sender.key_frame(), stray.delta()[0], *sender.delta())
        assert sequences(results) == list(range(5000, 5006))

    @pytest.mark.parametrize("jump", [MAX_DROPOUT + 10, 1 << 15, 0xFFFF - 5000])
    def test_two_in_a_row_begin_anew_and_the_first_of_them_is_not_lost(self, jump: int) -> None:
        ingress = Ingress()
        camera(ingress)
        sender = Sender()
        before = forwarded(ingress.receive(*sender.key_frame()))
        sender.sequence += jump
        sender.timestamp = 17
        packets = sender.key_frame()
        results = ingress.receive(*packets)
        assert kinds(results) == ["Break", "Incoming", "Incoming", "Incoming"]
        after = forwarded(results)
        assert [one.number & 0xFFFF for one in after] == [one.header.sequence for one in packets]
        assert after[0].number - before[-1].number >= 1 << 15
        assert after[1].number == after[0].number + 1

    def test_strangers_without_a_neighbour_are_dropped_by_name(self) -> None:
        ingress = Ingress()
        camera(ingress)
        ingress.receive(*Sender().key_frame())
        for sequence in (20_000, 30_000, 20_005):
            assert ingress.receive(packet(1000, sequence, b"\x10\x00")) == []
        assert ingress.drops == {"sequence_jump": 2}

    def test_a_neighbour_that_comes_much_later_is_none(self) -> None:
        ingress = Ingress()
        camera(ingress)
        ingress.receive(*Sender().key_frame(), packet(1000, 20_000, b"\x10\x00"))
        ingress.now += 5
        assert ingress.receive(packet(1000, 20_001, b"\x10\x00")) == []

    def test_another_ssrc_of_the_same_rid_begins_anew(self) -> None:
        ingress = Ingress()
        source = ingress.add(video(rids=("q", "h")))
        extensions = {MID: b"1", RID: b"h"}
        before = forwarded(ingress.receive(*Sender(1, extensions=extensions).key_frame()))
        source.sender_report(1, 1 << 40, 90_000, ingress.now)
        ingress.now += SOONEST_REBINDING
        results = ingress.receive(*Sender(2, extensions=extensions, sequence=4000).key_frame())
        assert results[0] == Break(1)
        assert forwarded(results)[0].number > before[-1].number + 1000
        assert source.clock(1) is None

    def test_what_confirmed_another_timeline_is_not_counted_as_a_stranger_later(self) -> None:
        ingress = Ingress()
        source = camera(ingress)
        sender = Sender()
        ingress.receive(*sender.key_frame())
        source.sender_report(1000, 1 << 40, 90_000, ingress.now)
        sender.sequence += 1 << 15
        ingress.receive(*sender.key_frame(), packet(1000, 5000, b"\x10\x00"))
        assert not ingress.drops
        assert source.clock(0) is None

    def test_repairs_that_come_between_two_ssrcs_are_unknown(self) -> None:
        ingress = Ingress()
        source = camera(ingress)
        first, lost, last = Sender().key_frame()
        ingress.receive(first, last)
        source.bind(1001, 0, ingress.now, repair=False)
        assert ingress.receive(repair_of(lost, REPAIR, 1)) == []
        assert ingress.drops == {"rtx_unknown": 1}

    def test_nothing_of_the_former_timeline_is_asked_for(self) -> None:
        ingress = Ingress()
        source = camera(ingress)
        sender = Sender()
        first, _, last = sender.key_frame()
        ingress.receive(first, last)
        sender.sequence += 1 << 15
        ingress.receive(*sender.key_frame())
        assert source.requests(ingress.now + HOLDOFF, None, OURS) == []

    def test_repairs_of_the_former_timeline_are_unknown(self) -> None:
        ingress = Ingress()
        camera(ingress)
        sender = Sender()
        first, lost, last = sender.key_frame()
        ingress.receive(first, last)
        sender.sequence += 1 << 15
        ingress.receive(*sender.key_frame())
        assert ingress.receive(repair_of(lost, REPAIR, 1)) == []
        assert ingress.drops == {"rtx_unknown": 1}


class TestRepairs:
    def test_a_repair_is_the_packet_that_was_lost(self) -> None:
        ingress = Ingress()
        source = camera(ingress)
        first, lost, last = Sender().key_frame()
        ingress.receive(first, last)
        (repaired,) = forwarded(ingress.receive(repair_of(lost, REPAIR, 77)))
        assert repaired.number & 0xFFFF == lost.header.sequence
        assert repaired.payload == bytes(lost.payload)
        assert (repaired.timestamp, repaired.codec, repaired.is_repair) == (lost.header.timestamp, VP8, True)
        assert source.stats(ingress.now).repaired == 1

    def test_what_is_sent_again_to_probe_is_dropped_by_name(self) -> None:
        ingress = Ingress()
        camera(ingress)
        packets = Sender().key_frame()
        ingress.receive(*packets)
        assert ingress.receive(repair_of(packets[0], REPAIR, 1), padding(REPAIR, 2, kind=RTX)) == []
        assert ingress.drops == {"rtx_duplicate": 1, "rtx_padding": 1}

    def test_a_repair_that_overtakes_others_shows_what_is_missing(self) -> None:
        ingress = Ingress()
        source = camera(ingress)
        first, _, last = Sender().key_frame()
        ingress.receive(first, repair_of(last, REPAIR, 1))
        assert source.requests(ingress.now + HOLDOFF, None, OURS) == [Nack(OURS, 1000, (5001,))]

    def test_a_repair_and_the_packet_itself_are_one(self) -> None:
        ingress = Ingress()
        camera(ingress)
        first, lost, last = Sender().key_frame()
        assert len(forwarded(ingress.receive(first, last, repair_of(lost, REPAIR, 1), lost))) == 3
        assert ingress.drops == {"duplicate": 1}

    def test_before_its_stream_there_is_nothing_to_repair(self) -> None:
        ingress = Ingress()
        camera(ingress)
        assert ingress.receive(repair_of(Sender().key_frame()[0], REPAIR, 1)) == []
        assert ingress.drops == {"rtx_unknown": 1}

    @pytest.mark.parametrize(
        ("payload", "kind", "name"), [(b"\x00", RTX, "rtx_too_short"), (b"\x00\x00\x10", 96, "payload_type")]
    )
    def test_what_is_no_repair_is_dropped_by_name(self, payload: bytes, kind: int, name: str) -> None:
        ingress = Ingress()
        camera(ingress)
        ingress.receive(*Sender().key_frame())
        assert ingress.receive(packet(REPAIR, 1, payload, kind=kind)) == []
        assert ingress.drops == {name: 1}

    def test_what_was_forwarded_can_be_repaired_for_subscribers_until_it_is_old(self) -> None:
        ingress = Ingress()
        source = camera(ingress)
        sender = Sender()
        first, gap = forwarded(ingress.receive(*sender.key_frame()))[0], ingress.receive(sender.padding())[0]
        assert isinstance(gap, Gap)
        assert source.repair(0, first.number) is first
        assert source.repair(0, gap.number) is None
        ingress.now += 3
        ingress.receive(*sender.delta())
        assert source.repair(0, first.number) is None


class TestAskingThePublisher:
    def test_what_is_missing_is_asked_for_after_the_holdoff_and_until_it_comes(self) -> None:
        ingress = Ingress()
        source = camera(ingress)
        first, lost, last = Sender(sequence=0xFFFF).key_frame()
        ingress.receive(first, last)
        assert source.requests(ingress.now, 0.05, OURS) == []
        due = source.due()
        assert due == ingress.now + HOLDOFF
        assert source.requests(due, 0.05, OURS) == [Nack(OURS, 1000, (0,))]
        assert source.due() == due + 0.05
        ingress.receive(repair_of(lost, REPAIR, 1))
        assert source.due() is None

    def test_what_was_only_overtaken_is_not_asked_for(self) -> None:
        ingress = Ingress()
        source = camera(ingress)
        first, late, last = Sender().key_frame()
        ingress.receive(first, last)
        ingress.now += HOLDOFF - 0.001
        ingress.receive(late)
        assert source.requests(ingress.now + HOLDOFF, None, OURS) == []

    def test_after_an_outage_a_key_frame_is_asked_for_instead(self) -> None:
        ingress = Ingress()
        source = camera(ingress)
        sender = Sender()
        ingress.receive(*sender.key_frame())
        sender.sequence += MOST_MISSING + 1
        ingress.receive(*sender.delta())
        assert source.requests(ingress.now + 1, None, OURS) == [PictureLoss(OURS, 1000)]
        assert ingress.drops == {"nack_overflow": 1}

    @pytest.mark.parametrize(("repairs", "asked"), [({}, 0), ({112: 111}, 1)])
    def test_sound_is_asked_for_where_repairs_of_it_were_agreed(self, repairs: dict[int, int], asked: int) -> None:
        ingress = Ingress()
        source = ingress.add(audio(repairs=repairs))
        sender = sound()
        ingress.receive(*sender.frame(SOUND))
        sender.sequence += 1
        ingress.receive(*sender.frame(SOUND))
        assert len(source.requests(ingress.now + HOLDOFF, None, OURS)) == asked

    def test_the_key_frame_of_one_layer_is_asked_of_its_stream(self) -> None:
        ingress = Ingress()
        source = ingress.add(video(rids=("q", "h"), ssrcs={"q": (1, None), "h": (2, None)}))
        source.wish_keyframe(ingress.now, spatial=1)
        assert source.requests(ingress.now, None, OURS) == [PictureLoss(OURS, 2)]
        source.wish_keyframe(ingress.now)
        assert source.requests(ingress.now, None, OURS) == [PictureLoss(OURS, 1)]
        assert source.stats(ingress.now).keyframe_requests == 2

    def test_a_scalable_stream_is_asked_for_any_layer_of_it(self) -> None:
        ingress = Ingress()
        source = camera(ingress, codec=VP9)
        source.wish_keyframe(ingress.now, spatial=2)
        assert source.requests(ingress.now, None, OURS) == [PictureLoss(OURS, 1000)]

    def test_it_is_no_longer_asked_when_the_key_frame_has_come(self) -> None:
        ingress = Ingress()
        source = camera(ingress)
        source.wish_keyframe(ingress.now)
        source.requests(ingress.now, None, OURS)
        ingress.receive(*Sender().delta())
        assert source.due() is not None
        ingress.receive(*Sender(sequence=5003).key_frame())
        assert source.due() is None

    def test_who_knows_no_pli_gets_fir(self) -> None:
        ingress = Ingress()
        source = Source(video(ssrcs={"": (1000, None)}), ingress.drops, uses_fir=True)
        ingress.router.add(source, ingress.now)
        source.wish_keyframe(0.0)
        expected = FullIntraRequest(OURS, (IntraRequest(1000, 1),))
        assert [source.requests(now, None, OURS) for now in (0.0, 0.5)] == [[expected], [expected]]

    def test_the_highest_encoding_is_asked_half_as_often_as_the_others(self) -> None:
        ingress = Ingress()
        source = ingress.add(video(rids=("q", "h"), ssrcs={"q": (1, None), "h": (2, None)}))
        source.wish_keyframe(0.0)
        source.requests(0.0, None, OURS)
        assert source.requests(0.5, None, OURS) == [PictureLoss(OURS, 1)]
        assert source.requests(1.0, None, OURS) == [PictureLoss(OURS, 2)]

    def test_a_stream_that_never_came_is_not_asked_and_not_waited_for(self) -> None:
        ingress = Ingress()
        source = ingress.add(video(rids=("q", "h")))
        source.wish_keyframe(ingress.now)
        assert source.due() is None
        assert source.requests(ingress.now, None, OURS) == []

    def test_sound_has_no_key_frames(self) -> None:
        ingress = Ingress()
        source = ingress.add(audio())
        ingress.receive(*sound().frame(SOUND))
        source.wish_keyframe(ingress.now)
        assert source.due() is None


class TestMuting:
    def test_nothing_is_forwarded_and_every_number_is_a_gap(self) -> None:
        ingress = Ingress()
        source = camera(ingress)
        sender = Sender()
        ingress.receive(*sender.key_frame())
        source.mute(muted=True)
        results = ingress.receive(*sender.delta())
        assert kinds(results) == ["Gap"] * 3
        assert source.repair(0, results[0].number) is None  # type: ignore[union-attr]

    def test_afterwards_the_stream_does_not_simply_go_on(self) -> None:
        ingress = Ingress()
        source = camera(ingress)
        sender = Sender()
        ingress.receive(*sender.key_frame())
        source.mute(muted=True)
        late, *others = sender.delta()
        ingress.receive(*others)
        source.mute(muted=False)
        assert kinds(ingress.receive(late)) == ["Gap"]
        assert kinds(ingress.receive(*sender.delta())) == ["Break", "Incoming", "Incoming", "Incoming"]

    def test_what_was_sent_meanwhile_is_not_asked_for_and_not_forwarded_afterwards(self) -> None:
        ingress = Ingress()
        source = camera(ingress)
        sender = Sender()
        ingress.receive(*sender.key_frame())
        source.mute(muted=True)
        first, lost, last = sender.delta()
        ingress.receive(first, last)
        source.mute(muted=False)
        assert len(forwarded(ingress.receive(*sender.key_frame()))) == 3
        assert source.requests(ingress.now + HOLDOFF, None, OURS) == []
        assert kinds(ingress.receive(repair_of(lost, REPAIR, 1))) == ["Gap"]

    def test_to_end_a_muting_that_is_none_changes_nothing(self) -> None:
        ingress = Ingress()
        source = camera(ingress)
        first, lost, last = Sender().key_frame()
        ingress.receive(first, last)
        source.mute(muted=False)
        assert source.requests(ingress.now + HOLDOFF, None, OURS) == [Nack(OURS, 1000, (5001,))]
        assert sequences(ingress.receive(lost)) == [5001]

    def test_its_publisher_is_asked_for_nothing_meanwhile(self) -> None:
        ingress = Ingress()
        source = camera(ingress)
        source.wish_keyframe(ingress.now)
        source.mute(muted=True)
        assert source.due() is None
        assert source.requests(ingress.now, None, OURS) == []

    def test_nobody_hears_how_loud_it_is(self) -> None:
        ingress = Ingress()
        source = ingress.add(audio())
        sender = sound()
        sender.extensions = {LEVEL: b"\x85"}
        source.mute(muted=True)
        ingress.receive(*sender.frame(SOUND))
        assert source.take_level() is None


def test_a_format_with_several_codecs_in_a_simulcast_of_two() -> None:
    sent = SourceFormat(
        "5",
        Kind.VIDEO,
        {PAYLOAD_TYPES[VP8]: VP8, PAYLOAD_TYPES[VP9]: VP9},
        rids=("a", "b"),
        extensions=EXTENSIONS,
    )
    ingress = Ingress()
    source = ingress.add(sent)
    said = {MID: b"5", RID: b"a"}
    results = ingress.receive(*Sender(1, extensions=said).key_frame(), *Sender(1, VP9, 5003).delta())
    assert [one.codec for one in forwarded(results)] == [VP8] * 3 + [VP9] * 3
    assert source.streams == 2
