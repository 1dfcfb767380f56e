"""Which keys there are, decided before anything reaches a disk or a wire."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.objects.keys import checked_content_type, checked_key, checked_parts, checked_prefix
from adapters.objects.shelves import Shelves
from kernel.errors import Malformed
from kernel.objects import UploadedPart

ALPHABET = string.ascii_letters + string.digits + "._-"
segments = st.text(ALPHABET, min_size=1, max_size=255).filter(lambda text: text not in {".", ".."})
keys = st.lists(segments, min_size=1, max_size=8).map("/".join).filter(lambda key: len(key) <= 512)


@given(keys)
def test_every_key_of_the_contract_is_taken(key: str) -> None:
    assert checked_key(key) == key
    assert checked_prefix(key) == key
    assert checked_prefix(key + "/") == key + "/"


@given(st.text(max_size=600) | st.text(ALPHABET + "/", max_size=600))
def test_nothing_else_is(key: str) -> None:
    parts = key.split("/")
    allowed = len(key) <= 512 and all(
        re.fullmatch(r"[A-Za-z0-9._-]{1,255}", part, re.ASCII) and part not in {".", ".."} for part in parts
    )
    if allowed:
        assert checked_key(key) == key
    else:
        with pytest.raises(Malformed) as refusal:
            checked_key(key)
        assert refusal.value.code == "invalid_key"


@given(keys, keys)
def test_keys_have_paths_of_their_own_inside_the_root(one: str, other: str) -> None:
    shelves = Shelves(Path("/srv/shelves"))
    path = shelves.path(one)
    assert path.is_relative_to("/srv/shelves")
    assert ".." not in path.parts
    assert all(len(part) <= 255 for part in path.parts)
    assert (path == shelves.path(other)) == (one == other)


@given(st.text(ALPHABET + "/", max_size=600))
def test_no_path_comes_from_anything_but_a_key(text: str) -> None:
    try:
        checked_key(text)
    except Malformed:
        with pytest.raises(Malformed):
            Shelves(Path("/srv/shelves")).path(text)


@given(st.text(max_size=300))
def test_a_content_type_taken_is_one_line_of_ascii(text: str) -> None:
    try:
        checked_content_type(text)
    except Malformed:
        return
    assert text.isascii()
    assert text.isprintable()
    assert "/" in text


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "image/svg+xml", "text/plain; charset=utf-8", 'video/webm; codecs="vp9,opus"', "a/b;c=d; e=f"],
)
def test_usual_content_types_are_taken(content_type: str) -> None:
    assert checked_content_type(content_type) == content_type


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=20, unique=True))
def test_parts_are_ordered_by_their_number(numbers: list[int]) -> None:
    parts = [UploadedPart(number, "e") for number in numbers]
    assert [part.number for part in checked_parts(parts)] == sorted(numbers)
