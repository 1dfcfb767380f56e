"""VP9's payload descriptor."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.codecs.vp9 import GroupPicture, parse_vp9, read_vp9, rewrite_vp9
from media.errors import BadPacket

FRAME = b"\x82\x49\x83\x42"
# I, L, F, B, V: flexible, the lowest layer of an L3 key picture, with three sizes and no group.
SVC_KEY = bytes.fromhex("ba 9234 00 50 0140 00b4 0280 0168 0500 02d0")


def reason(payload: bytes) -> str:
    with pytest.raises(BadPacket) as raised:
        parse_vp9(payload)
    return raised.value.reason


def test_the_lowest_layer_of_a_key_picture_is_a_keyframe_and_brings_the_structure() -> None:
    found = parse_vp9(SVC_KEY + FRAME)
    assert found.length == len(SVC_KEY)
    assert found.picture_id is not None
    assert (found.picture_id.value, found.is_flexible, found.tl0_pic_idx) == (0x1234, True, None)
    assert found.scalability is not None
    assert found.scalability.sizes == ((320, 180), (640, 360), (1280, 720))
    assert found.scalability.group is None
    part = found.part(marker=False)
    assert (part.starts_frame, part.ends_frame, part.is_keyframe, part.is_switching_point) == (True, False, True, True)
    assert (part.temporal_id, part.spatial_id, part.size) == (0, 0, (320, 180))


def test_the_upper_layers_of_a_key_picture_are_where_they_may_be_taken_up() -> None:
    # I, L, F, B, E; spatial layer 2, predicted from the layer below but from no earlier picture.
    part = read_vp9(bytes.fromhex("bc 9234 05") + FRAME, marker=True)
    assert (part.is_keyframe, part.is_switching_point, part.spatial_id) == (False, True, 2)
    assert (part.starts_frame, part.ends_frame) == (True, True)


def test_an_upper_layer_that_stands_alone_is_no_keyframe_of_the_stream() -> None:
    part = read_vp9(bytes.fromhex("bc 9234 02") + FRAME, marker=True)
    assert (part.is_keyframe, part.is_switching_point, part.spatial_id) == (False, True, 1)


def test_a_predicted_frame_is_no_point_to_switch_at() -> None:
    # I, P, L, F, B; temporal layer 1, spatial layer 1, U; refers to the pictures 1 and 4 back.
    found = parse_vp9(bytes.fromhex("f8 9235 32 03 08") + FRAME)
    assert found.picture_diffs == (1, 4)
    assert (found.temporal_id, found.spatial_id, found.length) == (1, 1, 6)
    part = found.part(marker=False)
    assert (part.is_keyframe, part.is_switching_point, part.is_layer_sync) == (False, False, True)


def test_without_the_flexible_mode_layers_bring_tl0() -> None:
    found = parse_vp9(bytes.fromhex("e8 05 40 11") + FRAME)
    assert found.picture_id is not None
    assert (found.picture_id.value, found.picture_id.bits) == (5, 7)
    assert (found.temporal_id, found.tl0_pic_idx, found.tl0_at, found.length) == (2, 0x11, 3, 4)
    assert found.picture_diffs == ()


def test_the_group_of_pictures_of_a_non_flexible_stream() -> None:
    # V with one layer, no sizes, a group of two: the second refers one and two back.
    found = parse_vp9(bytes.fromhex("0a 08 02 10 38 01 02") + FRAME)
    assert found.scalability is not None
    assert found.scalability.sizes == ()
    assert found.scalability.group == (GroupPicture(0, True, ()), GroupPicture(1, True, (1, 2)))


def test_a_stream_without_layers() -> None:
    part = read_vp9(bytes.fromhex("88 05") + FRAME, marker=True)
    assert (part.is_keyframe, part.temporal_id, part.spatial_id, part.ends_frame) == (True, None, None, True)


def test_a_packet_in_the_middle_of_a_frame_says_no_keyframe() -> None:
    part = read_vp9(bytes.fromhex("b0 9234 00") + FRAME, marker=False)
    assert (part.starts_frame, part.is_keyframe, part.is_switching_point) == (False, False, False)


@pytest.mark.parametrize("cut", range(len(SVC_KEY)))
def test_a_descriptor_cut_off(cut: int) -> None:
    assert reason(SVC_KEY[:cut]) == "vp9_truncated"


def test_a_descriptor_without_a_frame() -> None:
    assert reason(SVC_KEY) == "vp9_no_frame"


def test_the_flexible_mode_needs_a_picture_id() -> None:
    assert reason(b"\x18" + FRAME) == "vp9_no_picture_id"


def test_a_frame_has_three_references_at_most() -> None:
    assert parse_vp9(bytes.fromhex("d8 01 03 05 06") + FRAME).picture_diffs == (1, 2, 3)
    assert reason(bytes.fromhex("d8 01 03 05 07 08") + FRAME) == "vp9_too_many_references"


@given(long=st.booleans(), picture_id=st.integers(0, 0x7FFF), tl0=st.integers(0, 255))
def test_rewriting_moves_no_byte_and_reads_back(*, long: bool, picture_id: int, tl0: int) -> None:
    head = b"\xe8" + (b"\x80\x05" if long else b"\x05")
    payload = bytearray(head + b"\x40\x11" + FRAME)
    rewrite_vp9(payload, parse_vp9(payload), picture_id=picture_id, tl0_pic_idx=tl0)
    found = parse_vp9(payload)
    assert found.picture_id is not None
    assert found.picture_id.value == (picture_id if long else picture_id & 0x7F)
    assert found.tl0_pic_idx == tl0
    assert bytes(payload[found.length :]) == FRAME
    assert len(payload) == len(head) + 2 + len(FRAME)


def test_rewriting_a_flexible_stream_leaves_its_layers_alone() -> None:
    payload = bytearray(SVC_KEY + FRAME)
    rewrite_vp9(payload, parse_vp9(payload), picture_id=1, tl0_pic_idx=0xEE)
    assert bytes(payload) == SVC_KEY[:1] + b"\x80\x01" + SVC_KEY[3:] + FRAME
