"""Datagrams come out of a stream as they went in, however it was cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.errors import BadPacket
from media.framing import MAX_FRAME_BYTES, Deframer, framed

DATAGRAMS = st.lists(st.binary(min_size=1, max_size=MAX_FRAME_BYTES), max_size=8)


def test_a_frame_is_its_length_and_itself() -> None:
    assert framed(b"abc") == b"\x00\x03abc"


@given(DATAGRAMS, st.lists(st.integers(1, 700), min_size=1, max_size=20))
def test_datagrams_survive_any_cut(datagrams: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(framed(one) for one in datagrams)
    deframer = Deframer()
    out: list[bytes] = []
    at = step = 0
    while at < len(stream):
        size = cuts[step % len(cuts)]
        out += deframer.feed(memoryview(stream)[at : at + size])
        at += size
        step += 1
    assert out == datagrams
    assert deframer.held_bytes == 0


@given(st.lists(st.binary(max_size=4000), max_size=8))
def test_less_than_one_frame_is_held_whatever_comes(chunks: list[bytes]) -> None:
    deframer = Deframer()
    for chunk in chunks:
        try:
            frames = deframer.feed(chunk)
        except BadPacket:
            frames = []
        assert all(len(frame) <= MAX_FRAME_BYTES for frame in frames)
        assert deframer.held_bytes < MAX_FRAME_BYTES + 2


def test_an_empty_frame_is_left_out() -> None:
    assert Deframer().feed(b"\0\0" + framed(b"a") + b"\0\0") == [b"a"]


def test_a_longer_frame_ends_the_stream_for_good() -> None:
    deframer = Deframer(max_frame_bytes=100)
    with pytest.raises(BadPacket, match="tcp_frame_long"):
        deframer.feed(b"\x00\x65")
    with pytest.raises(BadPacket, match="tcp_frame_long"):
        deframer.feed(framed(b"a"))
    assert deframer.held_bytes == 0


def test_what_no_length_can_say_is_not_framed() -> None:
    with pytest.raises(ValueError, match="65535"):
        framed(bytes(0x10000))
