"""A source behind the gate: whatever its publisher does, no clear frame reaches a subscriber or the cache."""

from __future__ import annotations

import random

import pytest

from media import framekeys, rtp, sframe
from media.codecs.names import CodecName
from media.engine import GateRule
from media.framecrypto import FrameEncryptor
from media.framekeys import FrameKey
from media.gate import FAILURES_TO_MUTE, Reason
from media.portable.held import HELD_FOR, MOST_HELD
from media.portable.packet import Gap, Incoming, Refused, Result
from media.portable.source import Source
from tests.media.portable.publishing import (
    AV1,
    DELTA_FRAME,
    KEY_FRAME,
    LEVEL,
    MID,
    OPUS,
    PAYLOAD_TYPES,
    RED,
    RID,
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
    repair_of,
    sequences,
    sound,
    video,
)

SECRET = bytes(range(32))
REPAIR = 3000


def key(epoch: int = 0, participant: str = "ada") -> FrameKey:
    return framekeys.track_key(SECRET, participant, "camera", epoch)


RULE = GateRule((key(0).key_id, key(1).key_id))


def gated(ingress: Ingress, *, codec: CodecName = VP8, rule: GateRule = RULE) -> Source:
    source = ingress.add(audio() if codec is OPUS else video(ssrcs={"": (1000, REPAIR)}, codec=codec))
    source.set_gate(rule)
    return source


def sender_of(codec: CodecName) -> Sender:
    return sound() if codec is OPUS else Sender(codec=codec)


def frame_of(codec: CodecName) -> bytes:
    return SOUND if codec is OPUS else DELTA_FRAME


def refusals(results: list[Result]) -> list[Refused]:
    return [one for one in results if isinstance(one, Refused)]


def kept(source: Source, results: list[Result]) -> list[Incoming]:
    """What a subscriber could be sent, now or as a repair, of all that these results speak of."""
    numbers = {(one.stream, one.number) for one in results if isinstance(one, Incoming | Gap)}
    return [*forwarded(results), *(one for place in numbers if (one := source.repair(*place)) is not None)]


class TestWhatEncrypts:
    @pytest.mark.parametrize("codec", [VP8, VP9, OPUS])
    def test_all_of_it_comes_through(self, codec: CodecName) -> None:
        ingress, encryptor, sender = Ingress(), FrameEncryptor(key()), sender_of(codec)
        source = gated(ingress, codec=codec)
        sent = [one for _ in range(100) for one in sender.frame(encryptor.seal(frame_of(codec), codec))]
        results = ingress.receive(*sent)
        assert [one.payload for one in forwarded(results)] == [bytes(one.payload) for one in sent]
        assert len(results) == len(sent)
        assert not ingress.drops
        assert not source.is_muted

    def test_what_comes_before_the_start_of_its_frame_is_held_until_it_is_judged(self) -> None:
        ingress = Ingress()
        source = gated(ingress)
        start, middle, end = Sender().frame(FrameEncryptor(key()).seal(KEY_FRAME, VP8))
        assert ingress.receive(end, middle) == []
        results = ingress.receive(repair_of(start, REPAIR, 1))
        assert sequences(results) == [5000, 5001, 5002]
        assert [one.is_repair for one in forwarded(results)] == [True, True, True]
        assert len(kept(source, results)) == 6

    def test_what_is_held_in_vain_becomes_a_gap(self) -> None:
        ingress, encryptor, sender = Ingress(), FrameEncryptor(key()), Sender()
        gated(ingress)
        _, middle, end = sender.frame(encryptor.seal(KEY_FRAME, VP8))
        ingress.receive(middle, end)
        ingress.now += HELD_FOR + 0.01
        results = ingress.receive(*sender.frame(encryptor.seal(DELTA_FRAME, VP8)))
        assert (gaps(results), len(forwarded(results))) == ([5001, 5002], 3)
        assert ingress.drops == {"gate_start_unseen": 2}

    def test_encodings_are_judged_by_their_own_numbers_and_frames(self) -> None:
        ingress, encryptor = Ingress(), FrameEncryptor(key())
        source = ingress.add(video(rids=("q", "h"), ssrcs={"q": (1, None), "h": (2, None)}))
        source.set_gate(RULE)
        low, high = Sender(1, sequence=9000), Sender(2, sequence=100)
        low.timestamp = high.timestamp
        for _ in range(20):
            low_start, *low_rest = low.frame(encryptor.seal(DELTA_FRAME, VP8))
            high_packets = high.frame(encryptor.seal(DELTA_FRAME, VP8))
            # Both have one timestamp: the start of one says nothing of the other.
            assert sequences(ingress.receive(*low_rest, *high_packets)) == [one.header.sequence for one in high_packets]
            assert len(forwarded(ingress.receive(low_start))) == 3

    def test_layers_of_one_picture_wait_each_for_its_own_start(self) -> None:
        ingress, encryptor = Ingress(), FrameEncryptor(key())
        gated(ingress, codec=VP9)
        sealed = [encryptor.seal(DELTA_FRAME, VP9) for _ in range(2)]
        # I, L and B or E; picture id; TID and SID; TL0PICIDX.
        starts = [bytes((0xA8, 7, layer << 1, 1)) + one[:100] for layer, one in enumerate(sealed)]
        upper_end = bytes((0xA4, 7, 1 << 1, 1)) + sealed[1][100:]
        sent = [
            packet(1000, number, one, kind=98) for number, one in ((12, upper_end), (10, starts[0]), (11, starts[1]))
        ]
        assert [sequences(ingress.receive(one)) for one in sent] == [[], [10], [11, 12]]

    def test_beyond_what_is_held_the_oldest_become_gaps(self) -> None:
        ingress, sender = Ingress(), Sender(pieces=MOST_HELD + 4)
        gated(ingress)
        _, *rest = sender.frame(FrameEncryptor(key()).seal(KEY_FRAME * 3, VP8))
        assert len(rest) > MOST_HELD
        over = len(rest) - MOST_HELD
        assert gaps(ingress.receive(*rest)) == [one.header.sequence for one in rest[:over]]

    def test_a_network_that_loses_and_reorders_fails_nothing(self) -> None:
        dice, ingress, encryptor, sender = random.Random(7), Ingress(), FrameEncryptor(key()), Sender()  # noqa: S311
        source = gated(ingress)
        sent = [one for _ in range(300) for one in sender.frame(encryptor.seal(DELTA_FRAME, VP8))]
        order = sorted(range(len(sent)), key=lambda index: index + dice.choice((0, 0, 0, 0, 5, 20)))
        results = ingress.receive(*(sent[index] for index in order if dice.random() > 0.02), every=0.001)
        assert len(forwarded(results)) > 0.9 * len(sent)
        assert not refusals(results)
        assert not source.is_muted

    def test_an_encoder_that_begins_anew_goes_on_with_its_counter(self) -> None:
        ingress, encryptor, sender = Ingress(), FrameEncryptor(key()), Sender()
        gated(ingress)
        ingress.receive(*sender.frame(encryptor.seal(KEY_FRAME, VP8)))
        sender.sequence += 1 << 15
        results = ingress.receive(*sender.frame(encryptor.seal(KEY_FRAME, VP8)))
        assert kinds(results) == ["Break", "Incoming", "Incoming", "Incoming"]

    def test_the_next_key_comes_through(self) -> None:
        ingress, encryptor, sender = Ingress(), FrameEncryptor(key()), Sender()
        source = gated(ingress)
        encryptor.renew(key(1))
        assert len(forwarded(ingress.receive(*sender.frame(encryptor.seal(KEY_FRAME, VP8))))) == 3
        source.set_gate(GateRule((key(1).key_id, key(2).key_id)))
        encryptor.renew(key(2))
        assert len(forwarded(ingress.receive(*sender.frame(encryptor.seal(DELTA_FRAME, VP8))))) == 3


class TestAttacks:
    def muted_by(self, ingress: Ingress, source: Source, packets: list[rtp.Packet]) -> list[Refused]:
        """All of them are refused and gaps, the third failure mutes, and nothing of them can be had."""
        results = ingress.receive(*packets)
        assert kept(source, results) == []
        refused = refusals(results)
        assert [one.muted for one in refused] == [False] * (FAILURES_TO_MUTE - 1) + [True]
        assert source.is_muted
        assert len(gaps(results)) == len(packets)
        return refused

    @pytest.mark.parametrize("codec", [VP8, VP9, OPUS])
    def test_declares_encrypted_and_sends_clear(self, codec: CodecName) -> None:
        ingress, sender = Ingress(), sender_of(codec)
        source = gated(ingress, codec=codec)
        self.muted_by(ingress, source, [one for _ in range(5) for one in sender.frame(frame_of(codec))])

    @pytest.mark.parametrize("codec", [VP8, VP9, OPUS])
    def test_turns_clear_after_a_minute(self, codec: CodecName) -> None:
        ingress, encryptor, sender = Ingress(), FrameEncryptor(key()), sender_of(codec)
        source = gated(ingress, codec=codec)
        for _ in range(1800):
            sealed = sender.frame(encryptor.seal(frame_of(codec), codec))
            assert len(forwarded(ingress.receive(*sealed))) == len(sealed)
            ingress.now += 1 / 30
        self.muted_by(ingress, source, [one for _ in range(5) for one in sender.frame(frame_of(codec))])

    def test_one_clear_encoding_mutes_all_of_them(self) -> None:
        ingress, encryptor = Ingress(), FrameEncryptor(key())
        source = ingress.add(video(rids=("q", "h")))
        source.set_gate(RULE)
        low, high = (Sender(ssrc, extensions={MID: b"1", RID: rid}) for ssrc, rid in ((1, b"q"), (2, b"h")))
        assert len(forwarded(ingress.receive(*low.frame(encryptor.seal(KEY_FRAME, VP8))))) == 3
        self.muted_by(ingress, source, [one for _ in range(4) for one in high.delta()])
        assert kinds(ingress.receive(*low.frame(encryptor.seal(DELTA_FRAME, VP8)))) == ["Gap"] * 3

    def test_puts_a_valid_header_of_another_key_before_clear_payload(self) -> None:
        ingress, sender = Ingress(), sound()
        source = gated(ingress, codec=OPUS)
        foreign = sframe.build_header(key(participant="eve").key_id, 1)
        packets = [one for _ in range(5) for one in sender.frame(SOUND[:1] + foreign + SOUND[1:])]
        assert {one.reason for one in self.muted_by(ingress, source, packets)} == {Reason.FOREIGN_KEY}

    def test_sends_clear_frames_as_repairs(self) -> None:
        ingress, encryptor, sender = Ingress(), FrameEncryptor(key()), Sender(pieces=1)
        source = gated(ingress)
        ingress.receive(*sender.frame(encryptor.seal(KEY_FRAME, VP8)))
        clear = [sender.delta()[0] for _ in range(4)]
        ingress.receive(*sender.frame(encryptor.seal(DELTA_FRAME, VP8)))
        self.muted_by(ingress, source, [repair_of(one, REPAIR, index) for index, one in enumerate(clear)])

    def test_hides_clear_frames_behind_a_jump_of_its_numbers(self) -> None:
        ingress, encryptor, sender = Ingress(), FrameEncryptor(key()), Sender(pieces=1)
        source = gated(ingress)
        ingress.receive(*sender.frame(encryptor.seal(KEY_FRAME, VP8)))
        sender.sequence += 1 << 15
        self.muted_by(ingress, source, [sender.delta()[0] for _ in range(4)])

    def test_sends_clear_starts_after_continuations_that_were_held(self) -> None:
        ingress, sender = Ingress(), Sender()
        source = gated(ingress)
        frames = [sender.delta() for _ in range(4)]
        self.muted_by(ingress, source, [one for start, *rest in frames for one in (*rest, start)])

    def test_repeats_what_it_encrypted_before(self) -> None:
        ingress, sender = Ingress(), Sender(pieces=1)
        source = gated(ingress)
        sealed = FrameEncryptor(key()).seal(DELTA_FRAME, VP8)
        assert len(forwarded(ingress.receive(*sender.frame(sealed)))) == 1
        refused = self.muted_by(ingress, source, [sender.frame(sealed)[0] for _ in range(4)])
        assert {one.reason for one in refused} == {Reason.OLD_COUNTER}

    @pytest.mark.parametrize("codec", [AV1, RED])
    def test_sends_what_the_gate_cannot_read(self, codec: CodecName) -> None:
        ingress = Ingress()
        source = ingress.add(audio(codec=RED) if codec is RED else video(codec=codec))
        source.set_gate(RULE)
        results = ingress.receive(packet(5, 1, b"\x18\x08" + bytes(20), kind=PAYLOAD_TYPES[codec]))
        assert kinds(results) == ["Gap"]
        assert kept(source, results) == []
        assert ingress.drops == {"gate_codec": 1}

    def test_is_not_heard_either(self) -> None:
        ingress, sender = Ingress(), sound()
        source = gated(ingress, codec=OPUS)
        sender.extensions = {LEVEL: b"\x80"}
        ingress.receive(*sender.frame(SOUND))
        assert source.take_level() is None


class TestRules:
    def test_what_came_clear_before_the_rule_cannot_be_had_after_it(self) -> None:
        ingress = Ingress()
        source = ingress.add(video())
        results = ingress.receive(*Sender().key_frame())
        assert len(kept(source, results)) == 6
        source.set_gate(RULE)
        assert [source.repair(0, one.number) for one in forwarded(results)] == [None] * 3

    def test_what_arrived_clear_before_the_rule_and_waits_for_its_neighbour_is_judged(self) -> None:
        ingress, sender = Ingress(), Sender(pieces=1)
        source = ingress.add(video())
        ingress.receive(*sender.key_frame())
        sender.sequence += 1 << 15
        assert ingress.receive(*sender.delta()) == []
        source.set_gate(RULE)
        results = ingress.receive(*sender.delta())
        assert kept(source, results) == []
        assert len(refusals(results)) == 2

    def test_what_was_sent_clear_before_the_rule_and_comes_late_is_no_failure(self) -> None:
        ingress, encryptor, sender = Ingress(), FrameEncryptor(key()), Sender(pieces=1)
        source = ingress.add(video())
        late = [sender.delta()[0] for _ in range(4)]
        ingress.receive(*sender.key_frame())
        source.set_gate(RULE)
        assert kinds(ingress.receive(*late)) == ["Gap"] * 4
        assert kinds(ingress.receive(*sender.frame(encryptor.seal(KEY_FRAME, VP8)))) == ["Break", "Incoming"]

    def test_what_was_sent_sealed_is_not_forwarded_once_there_is_no_rule(self) -> None:
        ingress, encryptor, sender = Ingress(), FrameEncryptor(key()), sound()
        source = gated(ingress, codec=OPUS)
        (late,) = sender.frame(encryptor.seal(SOUND, OPUS))
        ingress.receive(*sender.frame(encryptor.seal(SOUND, OPUS)))
        source.set_gate(None)
        assert kinds(ingress.receive(*sender.frame(SOUND), late)) == ["Break", "Incoming", "Gap"]

    def test_a_rule_anew_ends_the_muting_and_the_stream_breaks(self) -> None:
        ingress, encryptor, sender = Ingress(), FrameEncryptor(key()), Sender(pieces=1)
        source = gated(ingress)
        ingress.receive(*(sender.delta()[0] for _ in range(4)))
        source.set_gate(RULE)
        assert not source.is_muted
        assert kinds(ingress.receive(*sender.frame(encryptor.seal(KEY_FRAME, VP8)))) == ["Break", "Incoming"]

    def test_a_rule_anew_forgets_no_counter_and_nothing_that_may_be_repaired(self) -> None:
        ingress, sender = Ingress(), Sender(pieces=1)
        source = gated(ingress)
        sealed = FrameEncryptor(key()).seal(DELTA_FRAME, VP8)
        (before,) = forwarded(ingress.receive(*sender.frame(sealed)))
        source.set_gate(RULE)
        assert source.repair(0, before.number) is before
        assert [one.reason for one in refusals(ingress.receive(*sender.frame(sealed)))] == [Reason.OLD_COUNTER]

    def test_a_rule_that_is_none_changes_nothing(self) -> None:
        ingress = Ingress()
        source = gated(ingress)
        with pytest.raises(ValueError, match="16 bits"):
            source.set_gate(GateRule((5,)))
        assert forwarded(ingress.receive(*Sender().delta())) == []

    def test_the_publisher_of_a_muted_source_is_asked_for_nothing(self) -> None:
        ingress, sender = Ingress(), Sender(pieces=1)
        source = gated(ingress)
        ingress.receive(*(sender.delta()[0] for _ in range(4)))
        source.wish_keyframe(ingress.now)
        assert source.due() is None
        assert source.requests(ingress.now, None, 1) == []

    def test_without_a_rule_clear_media_flows_again_after_a_break(self) -> None:
        ingress, sender = Ingress(), Sender(pieces=1)
        source = gated(ingress)
        ingress.receive(*(sender.delta()[0] for _ in range(4)))
        source.set_gate(None)
        assert kinds(ingress.receive(*sender.key_frame(), *sender.delta())) == ["Break", "Incoming", "Incoming"]

    def test_what_was_held_under_a_rule_is_gone_with_it(self) -> None:
        ingress, sender = Ingress(), Sender()
        source = gated(ingress)
        start, *rest = sender.delta()
        ingress.receive(*rest)
        source.set_gate(None)
        assert kinds(ingress.receive(start)) == ["Gap"]
        assert kinds(ingress.receive(*sender.key_frame())) == ["Break", "Incoming", "Incoming", "Incoming"]
