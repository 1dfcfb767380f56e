"""Readers of all codecs: any bytes are read or refused with one of a bounded number of words."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from media.codecs.opus import parse_opus
from media.codecs.readers import READERS
from media.errors import BadPacket


@pytest.mark.parametrize("codec", sorted(READERS))
@given(payload=st.binary(max_size=96), marker=st.booleans())
@example(payload=b"", marker=False)
@example(payload=b"\xff" * 1200, marker=True)
@example(payload=bytes(1200), marker=True)
def test_any_bytes_are_read_or_refused(codec: str, payload: bytes, *, marker: bool) -> None:
    try:
        part = READERS[codec](payload, marker=marker)
    except BadPacket as refused:
        assert re.fullmatch(f"{codec}(_[a-z0-9]+)+", refused.reason)  # noqa: PT017
        return
    assert part == READERS[codec](memoryview(payload), marker=marker)
    assert part.starts_frame or not (part.is_keyframe or part.is_switching_point)
    assert part.is_switching_point or not part.is_keyframe


@given(payload=st.binary(max_size=40), sealed=st.integers(0, 40))
def test_any_sound_is_read_or_refused(payload: bytes, sealed: int) -> None:
    try:
        found = parse_opus(payload, sealed=sealed)
    except BadPacket:
        return
    assert found.samples is None or 0 < found.samples <= 5760
