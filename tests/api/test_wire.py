"""Bytes to values: whatever arrives, it is a value or a typed refusal, and neither takes long."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from msgspec import Meta

from api.http.wire import (
    MAX_FIELD_ERRORS,
    MAX_NUMBER_LENGTH,
    Wire,
    parse_json,
    read_query,
    read_value,
)
from kernel.errors import Malformed, SecureConnectError, Unprocessable

DEPTH = 8
ONE_MIB = 1 << 20

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**60), 10**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=20)
# Pieces that parsers trip over, in any order.
JSON_LIKE = st.lists(
    st.sampled_from(
        [
            *'[]{}":,\\ \n\t\0',
            "null",
            "true",
            "NaN",
            "-Infinity",
            "1",
            "-0",
            "1e999",
            "0.1",
            '"a"',
            '"\\"',
            "\\u0000",
            "\\ud83d",
            "\\ude00",
            "\\\\",
            "\ufeff",
            "\u2028",
            "é",
            "9" * 70,
        ]
    ),
    max_size=40,
).map("".join)


def refusal(data: bytes, max_depth: int = DEPTH) -> Malformed:
    with pytest.raises(Malformed) as caught:
        parse_json(data, max_depth=max_depth)
    return caught.value


def refused(call: Callable[[], object]) -> SecureConnectError | None:
    """None when it was accepted."""
    try:
        call()
    except SecureConnectError as error:
        return error
    return None


def can_be_answered(error: SecureConnectError) -> bytes:
    return msgspec.json.encode([error.detail, [(item.field, item.message) for item in error.fields]])


# --- bytes ---------------------------------------------------------------------------------------------------


@given(st.binary() | JSON_LIKE.map(str.encode))
def test_any_bytes_are_a_value_or_malformed(data: bytes) -> None:
    error = refused(lambda: parse_json(data, max_depth=DEPTH))
    if error is None:
        json.dumps(parse_json(data, max_depth=DEPTH), ensure_ascii=False, allow_nan=False).encode("utf-8")
    else:
        assert type(error) is Malformed
        assert error.code in ("malformed_json", "too_deep")
        assert can_be_answered(error)


@given(VALUES, st.booleans())
def test_what_any_json_writer_writes_is_read_back_as_it_was(value: object, ascii_only: bool) -> None:
    assume(depth_of(value) <= DEPTH)
    data = json.dumps(value, ensure_ascii=ascii_only).encode()
    read = parse_json(data, max_depth=DEPTH)
    assert read == value == json.loads(data)
    assert type(read) is type(value)


@given(JSON_LIKE)
def test_it_accepts_what_the_standard_parser_accepts_except_for_what_we_name(text: str) -> None:
    try:
        value = json.loads(text, object_pairs_hook=list_of_pairs, parse_constant=refuse)
    except ValueError:
        assert isinstance(refusal(text.encode()), Malformed)
        return
    error = refused(lambda: parse_json(text.encode(), max_depth=DEPTH))
    if error is None:
        assert parse_json(text.encode(), max_depth=DEPTH) == json.loads(text)
    else:
        assert depth_of(value) > DEPTH or has_twice(value) or unkeepable(value) or has_huge_number(text), error.detail


def list_of_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    return values if len(values) == len(pairs) else {**values, "\0twice": True}


def refuse(name: str) -> None:
    raise ValueError(name)


def has_twice(value: object) -> bool:
    if isinstance(value, dict):
        return "\0twice" in value or any(has_twice(item) for item in value.values())
    return isinstance(value, list) and any(has_twice(item) for item in value)


def has_huge_number(text: str) -> bool:
    return "9" * 65 in text or "1e999" in text or "e999" in text


def unkeepable(value: object) -> bool:
    if isinstance(value, str):
        return "\0" in value or any(0xD800 <= ord(char) <= 0xDFFF for char in value)
    if isinstance(value, dict):
        return any(unkeepable(name) or unkeepable(item) for name, item in value.items())
    return isinstance(value, list) and any(unkeepable(item) for item in value)


def depth_of(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


@pytest.mark.parametrize(
    "data", [b"", b" ", b"{", b"[1,]", b"{'a':1}", b"01", b"+1", b".5", b"1.", b"nul", b"[1]x", b'"a', b'{"a"}', b"//"]
)
def test_broken_json_is_refused_with_its_place(data: bytes) -> None:
    error = refusal(data)
    assert error.code == "malformed_json"
    assert "line 1, column" in error.detail


@pytest.mark.parametrize("data", [b'"\xff"', b'"\xc3"', b'"\xed\xa0\x80"', b"\xff\xfe[\x00]\x00", b'"\xc0\x80"'])
def test_what_is_not_utf8_is_refused(data: bytes) -> None:
    assert "UTF-8" in refusal(data).detail


def test_a_byte_order_mark_is_refused() -> None:
    assert "byte order mark" in refusal(b"\xef\xbb\xbf{}").detail


@pytest.mark.parametrize("number", range(0x20))
def test_control_characters_in_a_string_are_refused(number: int) -> None:
    assert refusal(b'["' + bytes([number]) + b'"]').code == "malformed_json"


@pytest.mark.parametrize("data", [b"NaN", b"[Infinity]", b'{"a": -Infinity}', b"1e999", b"-1e999", b"[1E+400]"])
def test_numbers_that_are_none_are_refused(data: bytes) -> None:
    assert refusal(data).code == "malformed_json"


@pytest.mark.parametrize("data", [b"9" * 10_000, b"-" + b"9" * 10_000, b"0." + b"1" * 10_000, b"1e" + b"0" * 10_000])
def test_a_number_of_ten_thousand_digits_is_refused(data: bytes) -> None:
    assert refusal(data).code == "malformed_json"


def test_the_longest_number_is_read_exactly() -> None:
    digits = "9" * MAX_NUMBER_LENGTH
    assert parse_json(digits.encode(), max_depth=1) == int(digits)
    assert refusal(digits.encode() + b"9").code == "malformed_json"


# --- text that cannot be kept --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "escape",
    [
        *(r"\ud800", r"\uDFFF", r"\uD83D\uD83D\uDE00", r"\ude00\ud83d", r"\ud83dx\ude00", r"\ud83d\u0041"),
        *(r"\u0000", r"\\\ud800", r"\n\u0000", r"\ud83d\ude00\ud83d"),
    ],
)
def test_half_a_surrogate_pair_and_nul_are_refused_in_values_and_names(escape: str) -> None:
    assert refusal(f'["{escape}"]'.encode()).code == "malformed_json"
    assert refusal(f'{{"{escape}": 1, "{escape}": 2}}'.encode()).code == "malformed_json"


@pytest.mark.parametrize(
    ("escape", "meant"),
    [
        (r"\ud83d\ude00", "\U0001f600"),
        (r"\uD83D\uDE00\n", "\U0001f600\n"),
        (r"\\ud800", r"\ud800"),
        (r"\\u0000", r"\u0000"),
        (r"\\\\ud800", r"\\ud800"),
        (r"\u00e9\ud7ff\ue000", "é\ud7ff\ue000"),
    ],
)
def test_whole_pairs_and_escaped_backslashes_are_text_like_any_other(escape: str, meant: str) -> None:
    assert parse_json(f'["{escape}"]'.encode(), max_depth=1) == [meant]


@given(st.lists(st.integers(0, 0xFFFF).map("\\u{:04x}".format) | st.sampled_from(["\\\\", "\\n", "u0000", "ud800"])))
def test_escapes_are_refused_exactly_when_their_text_cannot_be_kept(escapes: list[str]) -> None:
    text = '["' + "".join(escapes) + '"]'
    meant = json.loads(text)
    if unkeepable(meant):
        assert refusal(text.encode()).code == "malformed_json"
    else:
        assert parse_json(text.encode(), max_depth=1) == meant


# --- duplicates and depth ------------------------------------------------------------------------------------


@given(st.integers(0, DEPTH - 1), TEXTS)
def test_a_key_given_twice_is_refused_at_any_depth(depth: int, name: str) -> None:
    key = json.dumps(name)
    data = "[" * depth + f'{{"first": 0, {key}: 1, {key}: 2}}' + "]" * depth
    error = refusal(data.encode())
    assert error.code == "malformed_json"
    assert error.fields[0].message == "given twice"
    assert len(error.fields[0].field) <= 103


def test_keys_that_differ_only_as_written_are_the_same_key() -> None:
    assert refusal(rb'{"a": 1, "\u0061": 2}').fields[0].field == "a"


@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_the_bound_on_depth_is_exact(objects: list[bool]) -> None:
    opening = "".join('{"a":' if kind else "[" for kind in objects)
    closing = "".join("}" if kind else "]" for kind in reversed(objects))
    data = f"{opening}0{closing}".encode()
    depth = len(objects)
    assert depth_of(parse_json(data, max_depth=depth)) == depth
    assert refusal(data, max_depth=depth - 1).code == "too_deep"


@given(st.text("[]{}\"\\a,'", max_size=30), st.integers(1, 4))
@example('\\"[[[[[[', 1)
def test_brackets_inside_strings_are_not_depth(text: str, depth: int) -> None:
    data = "[" * depth + json.dumps(text) + "]" * depth + " "
    read: Any = parse_json(data.encode(), max_depth=depth)
    for _ in range(depth):
        [read] = read
    assert read == text


def test_many_shallow_brackets_are_not_deep() -> None:
    assert parse_json(b"[" + b"[]," * 1_000 + b"{}]", max_depth=2) == [*([[]] * 1_000), {}]


def test_closing_first_earns_no_depth() -> None:
    assert refusal(b"]" * 50 + b"[" * 50).code == "malformed_json"


def test_a_hundred_thousand_levels_are_refused_without_a_recursion_error() -> None:
    assert refusal(b"[" * 100_000 + b"]" * 100_000, max_depth=256).code == "too_deep"
    assert refusal(b'{"a":' * 100_000, max_depth=256).code == "too_deep"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"[]" * 100 + b'"' + b'\\"' * (ONE_MIB // 2), id="a string never closed, full of escaped quotes"),
        pytest.param(b"[]" * 100 + b'"' + b"\\" * ONE_MIB, id="nothing but backslashes"),
        pytest.param(b"[]" * (ONE_MIB // 2), id="nothing but brackets"),
        pytest.param(b'""' * (ONE_MIB // 2) + b"[" * 50, id="nothing but quotes"),
        pytest.param(b'"' + b"\\ud83d" * (ONE_MIB // 6) + b'"', id="nothing but halves of pairs"),
        pytest.param(b'"' + b"\\\\u0000" * (ONE_MIB // 7), id="escaped backslashes before u0000"),
        pytest.param(b"[" + b"1" * ONE_MIB + b"]", id="one number"),
        pytest.param(b"[" + b"-" * ONE_MIB, id="nothing but minus signs"),
        pytest.param(b" " * ONE_MIB, id="nothing but spaces"),
        pytest.param(b"[" * ONE_MIB, id="nothing but depth"),
    ],
)
def test_a_hostile_mebibyte_is_refused_in_time_that_grows_with_its_length_only(data: bytes) -> None:
    started = time.process_time()
    refusal(data, max_depth=64)
    # Measured at 20 to 170 ms; anything quadratic would take minutes.
    assert time.process_time() - started < 2.0


# --- values --------------------------------------------------------------------------------------------------


class Place(Wire, frozen=True):
    street: Annotated[str, Meta(min_length=1, max_length=20)]
    number: Annotated[int, Meta(ge=1)] = 1


class Order(Wire, frozen=True):
    title: str
    kind: Literal["small", "large"] = "small"
    place: Place | None = None
    home: Place = msgspec.field(default_factory=lambda: Place(street="here"))
    places: Annotated[list[Place], Meta(max_length=3)] = msgspec.field(default_factory=list)
    due: datetime | None = None
    named: int = msgspec.field(default=0, name="renamedField")


def wrong_fields(raw: object, kind: type = Order) -> dict[str, str]:
    with pytest.raises(Unprocessable) as caught:
        read_value(raw, kind)
    assert caught.value.code == "validation_failed"
    return {item.field: item.message for item in caught.value.fields}


def test_a_right_value_is_read_as_its_type() -> None:
    order = read_value({"title": "a", "places": [{"street": "b", "number": 2}], "renamedField": 3}, Order)
    assert order == Order(title="a", places=[Place(street="b", number=2)], named=3)


def test_every_wrong_field_is_named_by_its_path_at_any_depth() -> None:
    raw = {
        "kind": "huge",
        "home": {"street": "", "number": 0},
        "places": [{"street": "ok"}, {"number": "1"}, {"street": 5, "extra": None}],
        "due": "tomorrow",
        "renamedField": 1.5,
        "named": 1,
    }
    assert wrong_fields(raw) == {
        "named": "is not a field of this object",
        "title": "is required",
        "kind": "invalid enum value 'huge'",
        "home.street": "expected `str` of length >= 1",
        "home.number": "expected `int` >= 1",
        "places[1].street": "is required",
        "places[1].number": "expected `int`, got `str`",
        "places[2].extra": "is not a field of this object",
        "places[2].street": "expected `str`, got `int`",
        "due": "invalid RFC3339 encoded datetime",
        "renamedField": "expected `int`, got `float`",
    }


def test_a_wrong_optional_object_is_named_by_the_path_of_its_first_error() -> None:
    assert wrong_fields({"title": "a", "place": {"street": "b", "number": 0}}) == {
        "place.number": "expected `int` >= 1"
    }


def test_a_list_that_is_too_long_is_itself_the_wrong_field() -> None:
    assert wrong_fields({"title": "a", "places": [{"street": "b"}] * 4}) == {
        "places": "expected `array` of length <= 3"
    }


@pytest.mark.parametrize("raw", [None, 5, "text", [], [{"title": "a"}], True])
def test_what_is_no_object_at_all_is_an_error_of_the_body(raw: object) -> None:
    assert list(wrong_fields(raw)) == ["body"]


def test_an_answer_about_a_hundred_thousand_wrong_fields_is_short() -> None:
    many = {f"field{number}": number for number in range(100_000)}
    assert len(wrong_fields(many)) == MAX_FIELD_ERRORS
    assert len(wrong_fields({"title": "a", "places": [{}] * 100_000})) == MAX_FIELD_ERRORS


@given(TEXTS)
def test_nothing_long_is_echoed(text: str) -> None:
    long = text + "x" * 10_000
    raw = {long: 1, "kind": long, "home": {long: 1}, "places": long, "due": long, "place": {"street": "a", long: 2}}
    found = wrong_fields(raw)
    assert {"kind", "home.street", "places", "due", "place", "title"} <= set(found)
    assert all(len(name) <= 120 and len(message) <= 210 for name, message in found.items())


@given(VALUES)
def test_any_value_is_read_or_unprocessable_with_fields_that_can_be_answered(raw: object) -> None:
    error = refused(lambda: read_value(raw, Order))
    if error is not None:
        assert type(error) is Unprocessable
        assert error.fields
        assert all(item.message for item in error.fields)
        assert can_be_answered(error)


# --- queries -------------------------------------------------------------------------------------------------


class Search(Wire, frozen=True):
    text: str = ""
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    deep: bool = False
    weight: float = 1.0
    after: str | None = None


@given(st.integers(-200, 200), st.booleans(), TEXTS, st.floats(allow_nan=False, allow_infinity=False))
def test_a_query_is_read_as_its_types(limit: int, deep: bool, text: str, weight: float) -> None:
    pairs = [("limit", str(limit)), ("deep", str(deep).lower()), ("text", text), ("weight", repr(weight))]
    if 1 <= limit <= 100:
        assert read_query(pairs, Search) == Search(limit=limit, deep=deep, text=text, weight=weight)
    else:
        with pytest.raises(Malformed) as caught:
            read_query(pairs, Search)
        assert [item.field for item in caught.value.fields] == ["limit"]


@given(st.lists(st.tuples(st.sampled_from(["text", "limit", "deep", "weight", "after", "x"]) | st.text(), st.text())))
def test_any_query_is_read_or_invalid(pairs: list[tuple[str, str]]) -> None:
    error = refused(lambda: read_query(pairs, Search))
    if error is None:
        found = read_query(pairs, Search)
        assert math.isfinite(found.weight)
        assert msgspec.json.encode(found)
    else:
        assert (type(error), error.code) == (Malformed, "invalid_query")
        assert error.fields
        assert can_be_answered(error)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("limit", text) for text in ("ten", "", "1_0", " 5", "٣", "1.5")),
        *(("deep", text) for text in ("yes", "")),
        *(("weight", text) for text in ("nan", "inf", "-Infinity", "1e999")),
        *((name, "5") for name in ("lmit", "Limit", "")),
    ],
)
def test_a_wrong_or_unknown_parameter_is_named(name: str, value: str) -> None:
    with pytest.raises(Malformed) as caught:
        read_query([("text", "a"), (name, value)], Search)
    assert caught.value.code == "invalid_query"
    assert [item.field for item in caught.value.fields] == [name]


def test_a_parameter_given_twice_is_refused_even_with_the_same_value() -> None:
    with pytest.raises(Malformed) as caught:
        read_query([("limit", "5"), ("limit", "5")], Search)
    assert caught.value.fields[0].field == "limit"
    assert caught.value.fields[0].message == "given more than once"


@pytest.mark.parametrize("text", ["\0", "a\0b", chr(0xD800), "a" + chr(0xDCFF)])
def test_text_that_cannot_be_kept_is_refused_in_a_query(text: str) -> None:
    for pair in (("text", text), (text, "a")):
        with pytest.raises(Malformed) as caught:
            read_query([pair], Search)
        assert caught.value.code == "invalid_query"
