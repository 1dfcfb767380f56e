"""VP8's payload descriptor."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.codecs.vp8 import parse_vp8, read_vp8, rewrite_vp8
from media.errors import BadPacket

# A key frame of 640x360: P=0, the start code, the two sizes in little-endian.
KEYFRAME = bytes.fromhex("10 02 00 9d 01 2a 80 02 68 01")
DELTA = bytes.fromhex("11 02 00")


def described(
    *,
    picture_id: int | None = None,
    long: bool = True,
    tl0: int | None = None,
    tid: int | None = None,
    first: int = 0x10,
) -> bytes:
    """A descriptor as browsers send it, with layer sync set and the key index 5 where there is a temporal id."""
    out = bytearray([first | 0x80, 0])
    if picture_id is not None:
        out[1] |= 0x80
        out += (0x8000 | picture_id).to_bytes(2, "big") if long else bytes([picture_id])
    if tl0 is not None:
        out[1] |= 0x40
        out.append(tl0)
    if tid is not None:
        out[1] |= 0x30
        out.append(tid << 6 | 0x20 | 5)
    return bytes(out)


def reason(payload: bytes) -> str:
    with pytest.raises(BadPacket) as raised:
        parse_vp8(payload)
    return raised.value.reason


def test_a_keyframe_as_browsers_send_it() -> None:
    found = parse_vp8(bytes.fromhex("90 e0 92 34 17 20") + KEYFRAME)
    assert found.length == 6
    assert found.picture_id is not None
    assert (found.picture_id.value, found.picture_id.bits, found.picture_id.at) == (0x1234, 15, 2)
    assert (found.tl0_pic_idx, found.tl0_at) == (0x17, 4)
    assert (found.temporal_id, found.is_layer_sync, found.key_idx) == (0, True, None)
    part = found.part(marker=False)
    assert (part.starts_frame, part.ends_frame, part.is_keyframe) == (True, False, True)
    assert (part.is_switching_point, part.is_layer_sync, part.size) == (True, True, (640, 360))


def test_the_shortest_descriptor_is_a_byte() -> None:
    part = read_vp8(b"\x10" + KEYFRAME, marker=True)
    assert (part.is_keyframe, part.ends_frame, part.temporal_id, part.spatial_id) == (True, True, None, None)


def test_a_picture_id_of_seven_bits() -> None:
    found = parse_vp8(described(picture_id=99, long=False) + DELTA)
    assert found.picture_id is not None
    assert (found.picture_id.value, found.picture_id.bits, found.length) == (99, 7, 3)


def test_a_delta_frame_of_an_upper_layer_nobody_refers_to() -> None:
    part = read_vp8(described(picture_id=1, tl0=2, tid=2, first=0x30) + DELTA, marker=True)
    assert (part.is_keyframe, part.is_discardable, part.is_layer_sync, part.temporal_id) == (False, True, True, 2)
    assert not part.is_switching_point


@pytest.mark.parametrize("first", [0x00, 0x11, 0x01])
def test_only_the_start_of_the_first_partition_starts_a_frame(first: int) -> None:
    part = read_vp8(bytes([first]) + KEYFRAME, marker=False)
    assert (part.starts_frame, part.is_keyframe, part.size) == (False, False, None)


def test_a_temporal_id_that_is_not_announced_is_ignored() -> None:
    found = parse_vp8(bytes.fromhex("90 10 e5") + DELTA)
    assert (found.temporal_id, found.is_layer_sync, found.key_idx, found.length) == (None, False, 5, 3)


def test_the_upper_bits_of_a_size_say_how_to_scale() -> None:
    frame = bytearray(KEYFRAME)
    frame[7] |= 0x40
    frame[9] |= 0xC0
    assert parse_vp8(b"\x10" + frame).size == (640, 360)


def test_an_encrypted_keyframe_keeps_its_first_ten_bytes_and_is_read_all_the_same() -> None:
    part = read_vp8(b"\x10" + KEYFRAME + bytes(range(64)), marker=False)
    assert (part.is_keyframe, part.size) == (True, (640, 360))


def test_a_size_that_did_not_come_is_not_guessed() -> None:
    part = read_vp8(b"\x10" + KEYFRAME[:9], marker=False)
    assert (part.is_keyframe, part.size) == (True, None)


@pytest.mark.parametrize("payload", ["", "90", "90 80", "90 80 92", "90 40", "90 20"])
def test_a_descriptor_cut_off(payload: str) -> None:
    assert reason(bytes.fromhex(payload)) == "vp8_truncated"


def test_a_descriptor_without_a_frame() -> None:
    assert reason(described(picture_id=7, tl0=1, tid=0)) == "vp8_no_frame"


def test_a_keyframe_without_its_start_code() -> None:
    assert reason(b"\x10" + bytes(10)) == "vp8_no_start_code"


def test_rewriting_moves_no_byte() -> None:
    payload = bytearray(bytes.fromhex("90 e0 92 34 17 20") + KEYFRAME)
    rewrite_vp8(payload, parse_vp8(payload), picture_id=0x7FFF, tl0_pic_idx=0x1FF)
    assert bytes(payload) == bytes.fromhex("90 e0 ff ff ff 20") + KEYFRAME


def test_rewriting_a_short_picture_id_keeps_it_short() -> None:
    payload = bytearray(described(picture_id=5, long=False, tl0=1) + DELTA)
    rewrite_vp8(payload, parse_vp8(payload), picture_id=0x1234, tl0_pic_idx=9)
    found = parse_vp8(payload)
    assert found.picture_id is not None
    assert (found.picture_id.value, found.tl0_pic_idx) == (0x34, 9)


def test_rewriting_invents_no_fields() -> None:
    payload = bytearray(b"\x10" + DELTA)
    rewrite_vp8(payload, parse_vp8(payload), picture_id=1, tl0_pic_idx=2)
    assert payload == b"\x10" + DELTA


def test_rewriting_works_in_a_part_of_a_buffer() -> None:
    buffer = bytearray(b"head" + described(picture_id=5, tl0=1) + DELTA)
    view = memoryview(buffer)[4:]
    rewrite_vp8(view, parse_vp8(view), picture_id=0x0102, tl0_pic_idx=3)
    assert bytes(buffer) == b"head" + described(picture_id=0x0102, tl0=3) + DELTA


@given(
    long=st.booleans(),
    ids=st.tuples(st.integers(0, 0x7F), st.integers(0, 0x7FFF)),
    tl0=st.tuples(st.integers(0, 255), st.integers(0, 255)) | st.none(),
    tid=st.integers(0, 3) | st.none(),
)
def test_what_was_rewritten_reads_back(
    *, long: bool, ids: tuple[int, int], tl0: tuple[int, int] | None, tid: int | None
) -> None:
    before = described(picture_id=ids[0], long=long, tl0=tl0[0] if tl0 else None, tid=tid) + DELTA
    payload = bytearray(before)
    rewrite_vp8(payload, parse_vp8(payload), picture_id=ids[1], tl0_pic_idx=tl0[1] if tl0 else 77)
    expected = ids[1] if long else ids[1] & 0x7F
    assert bytes(payload) == described(picture_id=expected, long=long, tl0=tl0[1] if tl0 else None, tid=tid) + DELTA
