"""Frames as publishers seal and subscribers open them."""

from __future__ import annotations

import json
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from media import framecrypto, framekeys, sframe
from media.codecs.names import CodecName
from media.errors import BadPacket
from media.framecrypto import SEALED_CODECS, FrameDecryptor, FrameEncryptor, ReplayWindow
from media.framekeys import FrameKey

VECTORS = json.loads((Path(__file__).parent / "fixtures" / "framekeys.json").read_text())
SECRET = bytes(range(32))
VP8_KEY_FRAME = bytes.fromhex("1002009d012a8002e001") + b"key frame"
VP8_DELTA_FRAME = bytes.fromhex("310100") + b"delta frame"
OPUS_FRAME = b"\x78sound"
VP9_FRAME = b"\x82I\x83B picture"

FRAMES = [
    (CodecName.VP8, VP8_KEY_FRAME, 10),
    (CodecName.VP8, VP8_DELTA_FRAME, 3),
    (CodecName.OPUS, OPUS_FRAME, 1),
    (CodecName.OPUS, b"\x78", 1),
    (CodecName.VP9, VP9_FRAME, 0),
]


def key(epoch: int = 0, *, track: str = "camera", secret: bytes = SECRET) -> FrameKey:
    return framekeys.track_key(secret, "ada", track, epoch)


def reason_of(decryptor: FrameDecryptor, sealed: bytes, codec: CodecName = CodecName.OPUS) -> str:
    with pytest.raises(BadPacket) as refused:
        decryptor.open(sealed, codec)
    return refused.value.reason


@pytest.mark.parametrize(("codec", "frame", "prefix"), FRAMES)
def test_a_frame_is_prefix_header_ciphertext_and_tag(codec: CodecName, frame: bytes, prefix: int) -> None:
    sealed = FrameEncryptor(key()).seal(frame, codec)
    assert sealed[:prefix] == frame[:prefix]
    header = sframe.parse_header(sealed, prefix)
    assert (header.key_id, header.counter) == (key().key_id, 0)
    assert len(sealed) == len(frame) + header.size + framekeys.SUITE.tag_length
    assert len(frame) - prefix < 4 or frame[prefix:] not in sealed
    assert FrameDecryptor(key()).open(memoryview(sealed), codec) == frame


@pytest.mark.parametrize("vector", VECTORS["frames"]["sealed"])
def test_sealed_frames_are_what_pages_make_of_them(vector: dict[str, str]) -> None:
    of = VECTORS["keys"][VECTORS["frames"]["key"]]
    frame_key = framekeys.track_key(
        framekeys.parsed_secret(of["fragment"]), of["participant"], of["track"], of["epoch"]
    )
    codec, clear = CodecName(vector["codec"]), bytes.fromhex(vector["clear"])
    encryptor = FrameEncryptor(frame_key)
    for _ in range(int(vector["counter"])):
        encryptor.seal(OPUS_FRAME, CodecName.OPUS)
    assert encryptor.seal(clear, codec).hex() == vector["sealed"]
    assert FrameDecryptor(frame_key).open(bytes.fromhex(vector["sealed"]), codec) == clear


@pytest.mark.parametrize("codec", CodecName)
def test_empty_frames_pass_untouched_and_take_no_counter(codec: CodecName) -> None:
    encryptor = FrameEncryptor(key())
    assert encryptor.seal(b"", codec) == b""
    assert FrameDecryptor(key()).open(b"", codec) == b""
    assert sframe.parse_header(encryptor.seal(OPUS_FRAME, CodecName.OPUS), 1).counter == 0


def test_one_counter_serves_all_layers() -> None:
    encryptor = FrameEncryptor(key())
    counters = [
        sframe.parse_header(encryptor.seal(frame, codec), prefix).counter for codec, frame, prefix in FRAMES * 3
    ]
    assert counters == list(range(len(FRAMES) * 3))


@pytest.mark.parametrize(("codec", "frame", "prefix"), FRAMES)
def test_every_bit_is_bound(codec: CodecName, frame: bytes, prefix: int) -> None:
    sealed = FrameEncryptor(key()).seal(frame, codec)
    for bit in range(len(sealed) * 8):
        turned = (int.from_bytes(sealed, "big") ^ 1 << bit).to_bytes(len(sealed), "big")
        with pytest.raises(BadPacket):
            FrameDecryptor(key()).open(turned, codec)


@pytest.mark.parametrize("other", [key(track="screen"), key(secret=bytes(32))])
def test_other_keys_open_nothing(other: FrameKey) -> None:
    sealed = FrameEncryptor(other).seal(OPUS_FRAME, CodecName.OPUS)
    assert reason_of(FrameDecryptor(key()), sealed) in {"sframe_unauthentic", "unknown_key"}


def test_a_frame_too_short_for_its_prefix_is_refused_both_ways() -> None:
    with pytest.raises(BadPacket, match="frame_short"):
        FrameEncryptor(key()).seal(VP8_KEY_FRAME[:9], CodecName.VP8)
    assert reason_of(FrameDecryptor(key()), VP8_KEY_FRAME[:9], CodecName.VP8) == "frame_short"


@hypothesis.given(st.binary(max_size=80), st.sampled_from(SEALED_CODECS))
def test_foreign_bytes_are_refused(data: bytes, codec: CodecName) -> None:
    hypothesis.assume(data)
    with pytest.raises(BadPacket):
        FrameDecryptor(key()).open(data, codec)


@hypothesis.given(st.binary(min_size=10, max_size=300), st.sampled_from(SEALED_CODECS))
def test_whatever_is_sealed_opens(frame: bytes, codec: CodecName) -> None:
    assert FrameDecryptor(key()).open(FrameEncryptor(key()).seal(frame, codec), codec) == frame


def test_a_frame_opens_once() -> None:
    encryptor, decryptor = FrameEncryptor(key()), FrameDecryptor(key())
    frames = [encryptor.seal(OPUS_FRAME, CodecName.OPUS) for _ in range(4)]
    for index in (0, 2, 3, 1):
        assert decryptor.open(frames[index], CodecName.OPUS) == OPUS_FRAME
    assert {reason_of(decryptor, frame) for frame in frames} == {"frame_replayed"}


def test_a_frame_far_behind_counts_as_replayed() -> None:
    encryptor, decryptor = FrameEncryptor(key()), FrameDecryptor(key())
    first = encryptor.seal(OPUS_FRAME, CodecName.OPUS)
    later = [encryptor.seal(OPUS_FRAME, CodecName.OPUS) for _ in range(framecrypto.REPLAY_WINDOW)]
    decryptor.open(later[-1], CodecName.OPUS)
    assert reason_of(decryptor, first) == "frame_replayed"


def test_a_forged_counter_does_not_shut_out_the_real_frames() -> None:
    decryptor = FrameDecryptor(key())
    forged = OPUS_FRAME[:1] + sframe.build_header(key().key_id, sframe.LARGEST_FIELD) + bytes(20)
    assert reason_of(decryptor, forged) == "sframe_unauthentic"
    assert decryptor.open(FrameEncryptor(key()).seal(OPUS_FRAME, CodecName.OPUS), CodecName.OPUS) == OPUS_FRAME


def test_the_next_key_retires_the_current_one_by_its_first_frame() -> None:
    encryptor, decryptor = FrameEncryptor(key()), FrameDecryptor(key())
    old = [encryptor.seal(OPUS_FRAME, CodecName.OPUS) for _ in range(3)]
    encryptor.renew(key(1))
    new = encryptor.seal(OPUS_FRAME, CodecName.OPUS)
    assert decryptor.open(old[0], CodecName.OPUS) == OPUS_FRAME
    assert reason_of(decryptor, new) == "unknown_key"
    decryptor.admit(key(1))
    assert decryptor.open(old[1], CodecName.OPUS) == OPUS_FRAME
    assert decryptor.open(new, CodecName.OPUS) == OPUS_FRAME
    assert reason_of(decryptor, old[2]) == "retired_key"


def test_a_forged_frame_under_the_next_key_retires_nothing() -> None:
    encryptor, decryptor = FrameEncryptor(key()), FrameDecryptor(key())
    decryptor.admit(key(1))
    assert reason_of(decryptor, b"\x78" + sframe.build_header(key(1).key_id, 0) + bytes(20)) == "sframe_unauthentic"
    assert decryptor.open(encryptor.seal(OPUS_FRAME, CodecName.OPUS), CodecName.OPUS) == OPUS_FRAME


@pytest.mark.parametrize("epoch", [0, 1])
def test_keys_do_not_go_back(epoch: int) -> None:
    with pytest.raises(ValueError, match="later epochs"):
        FrameEncryptor(key(1)).renew(key(epoch))
    with pytest.raises(ValueError, match="later epochs"):
        FrameDecryptor(key(1)).admit(key(epoch))


def test_the_next_key_never_shares_the_id_of_the_current_one() -> None:
    with pytest.raises(ValueError, match="later epochs"):
        FrameDecryptor(key()).admit(key(256))


def test_a_key_wears_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framecrypto, "MOST_FRAMES", 2)
    encryptor = FrameEncryptor(key())
    encryptor.seal(OPUS_FRAME, CodecName.OPUS)
    encryptor.seal(OPUS_FRAME, CodecName.OPUS)
    with pytest.raises(BadPacket, match="key_exhausted"):
        encryptor.seal(OPUS_FRAME, CodecName.OPUS)
    encryptor.renew(key(1))
    assert FrameDecryptor(key(1)).open(encryptor.seal(OPUS_FRAME, CodecName.OPUS), CodecName.OPUS) == OPUS_FRAME


def test_of_a_message_nothing_is_clear() -> None:
    data_key = framekeys.data_key(SECRET, "ada")
    sealed = FrameEncryptor(data_key).seal_message(b"hello")
    assert sframe.parse_header(sealed).key_id == data_key.key_id
    assert b"hello" not in sealed
    assert FrameDecryptor(data_key).open_message(sealed) == b"hello"


@hypothesis.given(st.lists(st.integers(0, 60) | st.integers(0, 2**64 - 1), max_size=60))
def test_the_window_lets_no_counter_through_twice(counters: list[int]) -> None:
    window = ReplayWindow(16)
    passed: list[int] = []
    for counter in counters:
        new = not window.was_seen(counter)
        assert new == (counter not in passed and counter > max(passed, default=-1) - 16)
        if new:
            passed.append(counter)
        window.see(counter)
