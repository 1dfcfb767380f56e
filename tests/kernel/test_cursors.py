"""Cursors: what we handed out comes back as it was; everything else is bad_cursor."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kernel.cursors import MAX_CURSOR_LENGTH, decode_cursor, encode_cursor
from kernel.errors import Malformed

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
LISTINGS = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=30)
INTEGERS = st.integers(-(1 << 63), (1 << 64) - 1)
FLOATS = st.floats(allow_nan=False)
TIMES = st.datetimes(timezones=st.just(UTC))

KINDS: dict[Any, st.SearchStrategy[Any]] = {
    UUID: st.uuids(),
    int: INTEGERS,
    str: TEXTS,
    bytes: st.binary(max_size=100),
    float: FLOATS,
    datetime: TIMES,
    tuple[float, UUID]: st.tuples(FLOATS, st.uuids()),
    tuple[str, int]: st.tuples(TEXTS, INTEGERS),
    tuple[datetime, UUID, bool]: st.tuples(TIMES, st.uuids(), st.booleans()),
}
POSITIONS = st.sampled_from(sorted(KINDS, key=str)).flatmap(lambda kind: st.tuples(st.just(kind), KINDS[kind]))


def assert_bad(listing: str, cursor: str, kind: Any) -> None:
    with pytest.raises(Malformed) as caught:
        decode_cursor(listing, cursor, kind)
    assert caught.value.code == "bad_cursor"


def position_or_refusal(listing: str, cursor: str, kind: Any) -> Any:
    """Malformed when it was refused as it must be; anything else that is raised fails the test."""
    try:
        return decode_cursor(listing, cursor, kind)
    except Malformed as error:
        return error.code


@given(LISTINGS, POSITIONS)
def test_a_position_of_any_kind_comes_back_as_it_was(listing: str, made: tuple[Any, Any]) -> None:
    kind, position = made
    cursor = encode_cursor(listing, position)
    assert decode_cursor(listing, cursor, kind) == position
    assert len(cursor) <= MAX_CURSOR_LENGTH


@given(LISTINGS, POSITIONS)
def test_a_cursor_needs_no_quoting_in_a_url(listing: str, made: tuple[Any, Any]) -> None:
    cursor = encode_cursor(listing, made[1])
    assert cursor.replace("-", "").replace("_", "").isalnum()
    assert cursor.isascii()


@given(LISTINGS, LISTINGS, POSITIONS)
def test_a_cursor_of_one_list_is_refused_by_another(one: str, other: str, made: tuple[Any, Any]) -> None:
    assume(one != other)
    assert_bad(other, encode_cursor(one, made[1]), made[0])


@given(st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_garbage_is_a_bad_cursor_and_nothing_else(cursor: str) -> None:
    for kind in KINDS:
        assert_bad("notes", cursor, kind)


@given(st.binary(max_size=60), st.sampled_from(sorted(KINDS, key=str)))
def test_garbage_behind_the_right_list_is_a_position_or_a_bad_cursor(raw: bytes, kind: Any) -> None:
    packed = b"\x92" + msgspec.msgpack.encode("notes") + raw
    found = position_or_refusal("notes", base64.urlsafe_b64encode(packed).decode().rstrip("="), kind)
    if found != "bad_cursor":
        assert msgspec.convert(found, kind) == found or found != found  # noqa: PLR0124 - not a number


@given(POSITIONS, st.data())
def test_a_truncated_cursor_is_bad(made: tuple[Any, Any], data: st.DataObject) -> None:
    cursor = encode_cursor("notes", made[1])
    assert_bad("notes", cursor[: data.draw(st.integers(0, len(cursor) - 1))], made[0])


@given(POSITIONS, st.data())
def test_a_tampered_cursor_is_another_position_of_the_same_kind_or_bad(
    made: tuple[Any, Any], data: st.DataObject
) -> None:
    cursor = encode_cursor("notes", made[1])
    place = data.draw(st.integers(0, len(cursor) - 1))
    tampered = cursor[:place] + data.draw(st.characters()) + cursor[place + 1 :]
    found = position_or_refusal("notes", tampered, made[0])
    assert found == "bad_cursor" or type(found) is type(made[1])


@pytest.mark.parametrize("cursor", ["", "=", "====", "a", "a===", "kqVub3Rlc9k=g", " ", "é", "\ud800", "\0", "+/+/"])
def test_what_is_not_ours_is_bad(cursor: str) -> None:
    assert_bad("notes", cursor, str)


def test_a_position_of_another_type_is_bad() -> None:
    assert_bad("notes", encode_cursor("notes", "text"), int)
    assert_bad("notes", encode_cursor("notes", (1.0, "no uuid")), tuple[float, UUID])


def test_a_cursor_that_is_longer_than_any_of_ours_is_bad_without_being_read() -> None:
    assert_bad("notes", "A" * (MAX_CURSOR_LENGTH + 1), str)
    assert_bad("notes", "A" * 10_000_000, str)


def test_a_position_too_long_to_be_taken_back_is_not_handed_out() -> None:
    with pytest.raises(ValueError, match="512"):
        encode_cursor("notes", "x" * 400)


def test_nesting_without_end_is_bad() -> None:
    packed = b"\x92" + msgspec.msgpack.encode("notes") + b"\x91" * 370
    assert_bad("notes", base64.urlsafe_b64encode(packed).decode().rstrip("="), object)
