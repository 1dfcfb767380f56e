"""The gate of Secure rooms: what encrypts comes through, and no clear frame ever does."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import dataclass, replace

import hypothesis
import pytest
from hypothesis import strategies as st

from media import framekeys, gate, sframe
from media.codecs.names import CodecName
from media.codecs.part import FramePart
from media.codecs.readers import READERS
from media.errors import BadPacket
from media.framecrypto import SEALED_CODECS, FrameEncryptor
from media.framekeys import SUITE, FrameKey
from media.gate import Action, Arrival, Judgement, MessageGate, Reason, TrackGate

VP8, VP9, OPUS = SEALED_CODECS

SECRET = bytes(range(32))
CLEAR_KEY_FRAME = bytes.fromhex("1002009d012a8002e001") + bytes(range(200))
CLEAR_DELTA_FRAME = bytes.fromhex("310100") + bytes(range(200, 0, -1))
CLEAR_OPUS = b"\x78" + bytes(range(80))
FORWARD = Judgement(Action.FORWARD)


def key(epoch: int = 0, participant: str = "ada") -> FrameKey:
    return framekeys.track_key(SECRET, participant, "camera", epoch)


KEY_IDS = (key(0).key_id, key(1).key_id)


def arrival(  # noqa: PLR0917
    ssrc: int, sequence: int, timestamp: int, marker: bool, codec: CodecName, payload: bytes
) -> Arrival:
    part = READERS[codec.value.lower()](payload, marker=marker)
    return Arrival(ssrc, sequence, timestamp, codec, payload, part)


@dataclass(slots=True)
class Sender:
    """One SSRC: frames into packets, as browsers do it."""

    codec: CodecName = VP8
    ssrc: int = 1
    sequence: int = 1000
    timestamp: int = 0
    pieces: int = 3

    def packets(self, frame: bytes) -> list[Arrival]:
        self.timestamp = (self.timestamp + 3000) % 2**32
        size = -(-len(frame) // self.pieces)
        parts = [frame[at : at + size] for at in range(0, len(frame), size)]
        made = []
        for index, part in enumerate(parts):
            first, last = index == 0, index == len(parts) - 1
            payload = self._descriptor(first=first, last=last) + part
            made.append(arrival(self.ssrc, self.sequence, self.timestamp, last, self.codec, payload))
            self.sequence += 1
        return made

    def _descriptor(self, *, first: bool, last: bool) -> bytes:
        if self.codec is VP8:
            # X; I, L and T; a long picture id, TL0PICIDX, TID.
            return bytes((0x80 | 0x10 * first, 0xE0, 0x80 | self.timestamp >> 8 & 0x7F, 1, 2, 0x40))
        if self.codec is VP9:
            return bytes((0x80 | 0x08 * first | 0x04 * last, 0x81, 7))
        return b""


def one_packet(codec: CodecName = OPUS) -> Sender:
    return Sender(codec, pieces=1)


def frame_of(codec: CodecName) -> bytes:
    return CLEAR_OPUS if codec is OPUS else CLEAR_DELTA_FRAME


def judged(at: TrackGate, packets: list[Arrival]) -> list[Judgement]:
    return [at.judge(packet) for packet in packets]


def actions(judgements: list[Judgement]) -> set[Action]:
    return {one.action for one in judgements}


class TestWhatEncrypts:
    @pytest.mark.parametrize("codec", SEALED_CODECS)
    def test_all_its_frames_come_through(self, codec: CodecName) -> None:
        track, encryptor = TrackGate(KEY_IDS), FrameEncryptor(key())
        sender = Sender(codec, pieces=1 if codec is OPUS else 3)
        frames = [CLEAR_KEY_FRAME, *[frame_of(codec)] * 400] if codec is VP8 else [frame_of(codec)] * 400
        for frame in frames:
            assert actions(judged(track, sender.packets(encryptor.seal(frame, codec)))) == {Action.FORWARD}

    def test_layers_share_a_counter_and_each_rises(self) -> None:
        track, encryptor = TrackGate(KEY_IDS), FrameEncryptor(key())
        layers = [Sender(ssrc=ssrc) for ssrc in (1, 2, 3)]
        for turn in range(60):
            sender = layers[turn * 7 % 3]
            sealed = encryptor.seal(CLEAR_DELTA_FRAME, VP8)
            assert actions(judged(track, sender.packets(sealed))) == {Action.FORWARD}

    def test_spatial_layers_have_a_header_each(self) -> None:
        track, encryptor = TrackGate(KEY_IDS), FrameEncryptor(key())
        for picture in range(20):
            for layer in range(3):
                sealed = encryptor.seal(CLEAR_DELTA_FRAME, VP9)
                # I, L, B, E; picture id; TID and SID; TL0PICIDX.
                payload = bytes((0xAC, 7, layer << 1, 1)) + sealed
                packet = arrival(1, picture * 3 + layer, picture * 3000, layer == 2, VP9, payload)
                assert track.judge(packet) == FORWARD

    def test_sound_that_pauses_comes_through(self) -> None:
        track, encryptor, sender = TrackGate(KEY_IDS), FrameEncryptor(key()), one_packet()
        assert judged(track, sender.packets(encryptor.seal(b"\x78", OPUS))) == [FORWARD]

    def test_loss_reordering_and_repair_fail_nothing(self) -> None:
        encryptor, sender, dice = FrameEncryptor(key()), Sender(), random.Random(5)  # noqa: S311
        packets = [packet for _ in range(300) for packet in sender.packets(encryptor.seal(CLEAR_DELTA_FRAME, VP8))]
        order = sorted(range(len(packets)), key=lambda index: index + dice.choice((0, 0, 0, 0, 5, 40)))
        track, held = TrackGate(KEY_IDS), set[int]()
        forwarded = set()
        for index in order:
            if dice.random() < 0.03:
                continue
            for one in (index, *sorted(held), *([index] if dice.random() < 0.05 else [])):
                judgement = track.judge(packets[one])
                assert not judgement.failed
                if judgement.action is Action.FORWARD:
                    forwarded.add(one)
                    held.discard(one)
                elif judgement.reason is Reason.START_UNSEEN:
                    held.add(one)
        assert len(forwarded) > 0.9 * len(packets)

    def test_the_next_key_begins_a_new_count(self) -> None:
        track, encryptor, sender = TrackGate(KEY_IDS), FrameEncryptor(key()), Sender()
        for _ in range(10):
            judged(track, sender.packets(encryptor.seal(CLEAR_DELTA_FRAME, VP8)))
        encryptor.renew(key(1))
        assert actions(judged(track, sender.packets(encryptor.seal(CLEAR_DELTA_FRAME, VP8)))) == {Action.FORWARD}
        track.announce((key(1).key_id, key(2).key_id))
        assert actions(judged(track, sender.packets(encryptor.seal(CLEAR_DELTA_FRAME, VP8)))) == {Action.FORWARD}
        encryptor.renew(key(2))
        assert actions(judged(track, sender.packets(encryptor.seal(CLEAR_DELTA_FRAME, VP8)))) == {Action.FORWARD}

    def test_continuations_wait_for_their_start(self) -> None:
        track, encryptor, sender = TrackGate(KEY_IDS), FrameEncryptor(key()), Sender()
        start, *rest = sender.packets(encryptor.seal(CLEAR_KEY_FRAME, VP8))
        assert judged(track, rest) == [Judgement(Action.HOLD, Reason.START_UNSEEN)] * 2
        assert judged(track, [start, *rest]) == [FORWARD] * 3


def clear_frames(codec: CodecName) -> list[bytes]:
    # A reader of VP8 refuses what has a key frame's first bit and not its start code: it never comes to the gate.
    return [CLEAR_OPUS] if codec is OPUS else [CLEAR_KEY_FRAME, CLEAR_DELTA_FRAME, b"\x01" + CLEAR_OPUS]


class TestAttacks:
    """In each the publisher is muted with the third frame, and nothing of a clear frame comes out."""

    def attack(self, track: TrackGate, sender: Sender, frames: list[bytes]) -> list[Judgement]:
        assert len(frames) >= gate.FAILURES_TO_MUTE
        verdicts = [one for frame in frames for one in judged(track, sender.packets(frame))]
        assert Action.FORWARD not in actions(verdicts)
        assert [one.mutes for one in verdicts].count(True) == 1
        assert sum(one.failed for one in verdicts) == gate.FAILURES_TO_MUTE
        assert track.muted
        return verdicts

    @pytest.mark.parametrize("codec", SEALED_CODECS)
    def test_declares_encrypted_and_sends_clear(self, codec: CodecName) -> None:
        sender = Sender(codec, pieces=1 if codec is OPUS else 3)
        self.attack(TrackGate(KEY_IDS), sender, clear_frames(codec) * 3)

    def test_puts_a_header_of_another_key_before_clear_payload(self) -> None:
        foreign = sframe.build_header(key(participant="eve").key_id, 1)
        frames = [CLEAR_OPUS[:1] + foreign + CLEAR_OPUS[1:]] * 5
        verdicts = self.attack(TrackGate(KEY_IDS), one_packet(), frames)
        assert verdicts[0] == Judgement(Action.DROP, Reason.FOREIGN_KEY, failed=True)
        assert verdicts[2] == Judgement(Action.DROP, Reason.FOREIGN_KEY, failed=True, mutes=True)
        assert verdicts[3] == Judgement(Action.DROP, Reason.MUTED)

    @pytest.mark.parametrize("codec", SEALED_CODECS)
    def test_turns_clear_after_a_minute(self, codec: CodecName) -> None:
        track, encryptor = TrackGate(KEY_IDS), FrameEncryptor(key())
        sender = Sender(codec, pieces=1 if codec is OPUS else 3)
        for _ in range(1800):
            assert actions(judged(track, sender.packets(encryptor.seal(frame_of(codec), codec)))) == {Action.FORWARD}
        self.attack(track, sender, [frame_of(codec)] * 4)

    def test_removes_its_transform_between_the_packets_of_a_call(self) -> None:
        track, encryptor, sender = TrackGate(KEY_IDS), FrameEncryptor(key()), Sender()
        judged(track, sender.packets(encryptor.seal(CLEAR_KEY_FRAME, VP8)))
        verdicts = self.attack(track, sender, [CLEAR_DELTA_FRAME] * 3)
        assert [one.reason for one in verdicts[1:3]] == [Reason.FRAME_REFUSED] * 2

    def test_sends_one_layer_clear(self) -> None:
        track, encryptor = TrackGate(KEY_IDS), FrameEncryptor(key())
        sealed_layers, clear_layer = [Sender(ssrc=1), Sender(ssrc=2)], Sender(ssrc=3)
        for _ in range(gate.FAILURES_TO_MUTE):
            for sender in sealed_layers:
                sealed = encryptor.seal(CLEAR_DELTA_FRAME, VP8)
                assert actions(judged(track, sender.packets(sealed))) == {Action.FORWARD}
            assert Action.FORWARD not in actions(judged(track, clear_layer.packets(CLEAR_DELTA_FRAME)))
        after = sealed_layers[0].packets(encryptor.seal(CLEAR_DELTA_FRAME, VP8))
        assert judged(track, after) == [Judgement(Action.DROP, Reason.MUTED)] * 3

    def test_sends_a_clear_layer_within_encrypted_pictures(self) -> None:
        track, encryptor = TrackGate(KEY_IDS), FrameEncryptor(key())
        for picture in range(gate.FAILURES_TO_MUTE):
            sealed = encryptor.seal(CLEAR_DELTA_FRAME, VP9)
            low = arrival(1, picture * 3, picture, False, VP9, bytes((0xAC, 7, 0, 1)) + sealed)
            high = arrival(1, picture * 3 + 1, picture, False, VP9, bytes((0xA8, 7, 2, 1)) + CLEAR_OPUS)
            more = arrival(1, picture * 3 + 2, picture, True, VP9, bytes((0xA4, 7, 2, 1)) + CLEAR_OPUS)
            assert [track.judge(one).action for one in (low, high, more)] == [Action.FORWARD, Action.DROP, Action.DROP]
        assert track.muted

    def test_repeats_frames_and_counters(self) -> None:
        track, encryptor, sender = TrackGate(KEY_IDS), FrameEncryptor(key()), one_packet()
        recorded = encryptor.seal(CLEAR_OPUS, OPUS)
        assert judged(track, sender.packets(recorded)) == [FORWARD]
        verdicts = self.attack(track, sender, [recorded] * 3)
        assert {one.reason for one in verdicts} == {Reason.OLD_COUNTER}

    def test_goes_back_to_the_key_before(self) -> None:
        track, old, new, sender = TrackGate(KEY_IDS), FrameEncryptor(key()), FrameEncryptor(key(1)), one_packet()
        for encryptor in (old, new):
            assert judged(track, sender.packets(encryptor.seal(CLEAR_OPUS, OPUS))) == [FORWARD]
        verdicts = self.attack(track, sender, [old.seal(CLEAR_OPUS, OPUS) for _ in range(3)])
        assert {one.reason for one in verdicts} == {Reason.OLD_COUNTER}

    def test_uses_a_key_that_is_no_longer_announced(self) -> None:
        track, encryptor, sender = TrackGate(KEY_IDS), FrameEncryptor(key()), one_packet()
        track.announce((key(1).key_id, key(2).key_id))
        verdicts = self.attack(track, sender, [encryptor.seal(CLEAR_OPUS, OPUS) for _ in range(3)])
        assert {one.reason for one in verdicts if one.failed} == {Reason.FOREIGN_KEY}

    def test_sends_headers_with_nothing_behind(self) -> None:
        header = sframe.build_header(KEY_IDS[0], 9)
        verdicts = self.attack(TrackGate(KEY_IDS), one_packet(), [b"\x78" + header + bytes(15)] * 3)
        assert verdicts[0].reason is Reason.TOO_SHORT

    @pytest.mark.parametrize("payload", [b"", b"\x10"])
    def test_sends_descriptors_with_no_frame_behind(self, payload: bytes) -> None:
        part = FramePart(starts_frame=True, ends_frame=True, is_keyframe=True, frame_at=1)
        assert TrackGate(KEY_IDS).judge(Arrival(1, 1, 1, VP8, payload, part)).reason is Reason.TOO_SHORT

    def test_never_sends_a_start(self) -> None:
        track, sender = TrackGate(KEY_IDS), Sender()
        for _ in range(500):
            assert actions(judged(track, sender.packets(CLEAR_DELTA_FRAME)[1:])) <= {Action.HOLD, Action.DROP}

    def test_sends_a_clear_start_into_a_frame_that_began_well(self) -> None:
        track, encryptor, sender = TrackGate(KEY_IDS), FrameEncryptor(key()), Sender()
        start, middle, last = sender.packets(encryptor.seal(CLEAR_KEY_FRAME, VP8))
        again = replace(start, sequence=middle.sequence, payload=bytes(start.payload[:6]) + CLEAR_DELTA_FRAME)
        assert [track.judge(one).action for one in (start, again, last)] == [Action.FORWARD, Action.DROP, Action.DROP]

    def test_sends_a_good_start_into_a_frame_that_began_clear(self) -> None:
        track, encryptor, sender = TrackGate(KEY_IDS), FrameEncryptor(key()), Sender()
        clear, middle, last = sender.packets(CLEAR_KEY_FRAME)
        good = sender.packets(encryptor.seal(CLEAR_KEY_FRAME, VP8))[0]
        good = replace(good, sequence=middle.sequence, timestamp=clear.timestamp)
        assert actions(judged(track, [clear, good, last])) == {Action.DROP}

    def test_repeats_a_counter_just_above_what_was_forgotten(self) -> None:
        track, encryptor, sender = TrackGate(KEY_IDS), FrameEncryptor(key()), one_packet()
        packets = []
        for _ in range(gate.REMEMBERED + 1):
            packets += sender.packets(encryptor.seal(CLEAR_OPUS, OPUS))
            sender.sequence += 1
        judged(track, packets)
        repeated = replace(packets[0], sequence=packets[0].sequence + 1)
        assert track.judge(repeated).reason is Reason.OLD_COUNTER

    def test_hides_behind_sequence_numbers_long_gone(self) -> None:
        track, encryptor, sender = TrackGate(KEY_IDS), FrameEncryptor(key()), one_packet()
        packets = [packet for _ in range(200) for packet in sender.packets(encryptor.seal(CLEAR_OPUS, OPUS))]
        judged(track, packets)
        assert track.judge(replace(packets[3], payload=CLEAR_OPUS)) == Judgement(Action.DROP, Reason.LATE)
        between = replace(packets[199], sequence=packets[199].sequence + 1, payload=packets[5].payload)
        assert track.judge(between).reason is Reason.OLD_COUNTER

    def test_opens_streams_without_end(self) -> None:
        track, encryptor = TrackGate(KEY_IDS), FrameEncryptor(key())
        for ssrc in range(gate.MOST_STREAMS):
            assert judged(track, Sender(OPUS, ssrc, pieces=1).packets(encryptor.seal(CLEAR_OPUS, OPUS)))
        more = Sender(OPUS, 99, pieces=1).packets(encryptor.seal(CLEAR_OPUS, OPUS))
        assert judged(track, more) == [Judgement(Action.DROP, Reason.TOO_MANY_STREAMS)]
        track.forget(0)
        assert judged(track, more) == [FORWARD]


class TestMuting:
    def test_it_lasts_until_it_is_lifted(self) -> None:
        track, encryptor, sender = TrackGate(KEY_IDS), FrameEncryptor(key()), one_packet()
        for _ in range(gate.FAILURES_TO_MUTE):
            judged(track, sender.packets(CLEAR_OPUS))
        sealed = sender.packets(encryptor.seal(CLEAR_OPUS, OPUS))
        track.announce(KEY_IDS)
        assert judged(track, sealed) == [Judgement(Action.DROP, Reason.MUTED)]
        track.unmute()
        assert judged(track, sealed) == [FORWARD]

    def test_fewer_failures_cost_only_their_frames(self) -> None:
        track, encryptor, sender = TrackGate(KEY_IDS), FrameEncryptor(key()), one_packet()
        for _ in range(gate.FAILURES_TO_MUTE - 1):
            assert actions(judged(track, sender.packets(CLEAR_OPUS))) == {Action.DROP}
        assert judged(track, sender.packets(encryptor.seal(CLEAR_OPUS, OPUS))) == [FORWARD]


class TestMessages:
    def sealed(self, count: int, epoch: int = 0) -> list[bytes]:
        encryptor = FrameEncryptor(framekeys.data_key(SECRET, "ada", epoch))
        return [encryptor.seal_message(b"hello") for _ in range(count)]

    def test_encrypted_ones_come_through_once_in_any_order(self) -> None:
        messages, messenger = self.sealed(4), MessageGate(KEY_IDS)
        assert [messenger.judge(messages[index]) for index in (0, 3, 1, 2)] == [FORWARD] * 4
        assert messenger.judge(messages[1]).reason is Reason.OLD_COUNTER

    @pytest.mark.parametrize("message", [b"", b"hello", b'{"text": "a clear message of some length"}', bytes(64)])
    def test_clear_ones_never_do_and_mute(self, message: bytes) -> None:
        messenger = MessageGate(KEY_IDS)
        verdicts = [messenger.judge(message) for _ in range(4)]
        assert {one.action for one in verdicts} == {Action.DROP}
        assert [one.mutes for one in verdicts] == [False, False, True, False]
        assert messenger.judge(self.sealed(1)[0]) == Judgement(Action.DROP, Reason.MUTED)
        messenger.unmute()
        assert messenger.judge(self.sealed(1)[0]) == FORWARD

    def test_a_header_alone_is_too_short(self) -> None:
        header = sframe.build_header(KEY_IDS[0], 0)
        assert MessageGate(KEY_IDS).judge(header + bytes(15)).reason is Reason.TOO_SHORT

    def test_keys_follow_each_other_without_end(self) -> None:
        messenger = MessageGate(KEY_IDS)
        for epoch in range(600):
            messenger.announce((key(epoch).key_id, key(epoch + 1).key_id))
            assert [messenger.judge(one) for one in self.sealed(2, epoch)] == [FORWARD] * 2


@pytest.mark.parametrize("key_ids", [(), (0xFF,), (2**64,), tuple(range(1000, 1005))])
def test_what_cannot_be_announced(key_ids: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="key id"):
        TrackGate(key_ids)


@pytest.mark.parametrize(
    ("codec", "payload", "header_at"),
    [
        (OPUS, "78", 1),
        (VP8, "10" + "30" + "00009d012a80026801", 11),
        (VP8, "10" + "31", 4),
        (VP8, "90" + "80" + "07" + "31", 6),
        (VP8, "90" + "f0" + "8007" + "01" + "20" + "31", 9),
        (VP9, "0c", 1),
        (VP9, "88" + "8007", 3),
        (VP9, "ac" + "07" + "04" + "01", 4),
        (VP9, "fc" + "07" + "02" + "0304", 5),
        # Three sizes; two pictures with one reference and none.
        (VP9, "0a" + "58" + "00" * 12 + "02" + "0401" + "00", 18),
    ],
)
def test_a_header_must_stand_here_and_nowhere_else(codec: CodecName, payload: str, header_at: int) -> None:
    sealed = sframe.build_header(KEY_IDS[0], 0) + bytes(SUITE.tag_length)
    before = bytes.fromhex(payload).ljust(header_at, b"\x07")
    for more, reason in ((b"", None), (b"\x07", Reason.CLEAR_FRAME)):
        assert TrackGate(KEY_IDS).judge(arrival(1, 1, 1, True, codec, before + more + sealed)).reason is reason


@hypothesis.given(
    st.lists(
        st.tuples(
            st.integers(0, 3), st.integers(0, 400), st.integers(0, 5), st.booleans(), st.sampled_from(SEALED_CODECS)
        ),
        max_size=60,
    ),
    st.binary(min_size=0, max_size=60),
)
def test_no_clear_bytes_begin_a_frame_that_comes_out(
    headers: list[tuple[int, int, int, bool, CodecName]], payload: bytes
) -> None:
    hypothesis.assume(not any(one.to_bytes(3, "big") in payload for one in KEY_IDS))
    track = TrackGate(KEY_IDS)
    for ssrc, sequence, timestamp, marker, codec in headers:
        with suppress(BadPacket):
            judgement = track.judge(arrival(ssrc, sequence, timestamp, marker, codec, payload))
            assert judgement.action is not Action.FORWARD
    assert all(len(stream.frames) <= gate.REMEMBERED for stream in track._streams.values())


def test_what_is_remembered_of_a_stream_is_bounded() -> None:
    track, encryptor, sender = TrackGate(KEY_IDS), FrameEncryptor(key()), Sender()
    for _ in range(1000):
        judged(track, sender.packets(encryptor.seal(CLEAR_DELTA_FRAME, VP8)))
    (stream,) = track._streams.values()
    assert len(stream.sequences) == len(stream.positions) == gate.REMEMBERED
    assert len(stream.frames) == gate.REMEMBERED
