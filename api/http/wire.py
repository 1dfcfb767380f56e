"""Bytes to typed values and back. Pure: bytes, types and bounds in, values or one error out."""

from __future__ import annotations

import json
import math
import re
import typing
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate, islice
from json.scanner import make_scanner
from typing import Annotated, Any, NoReturn, TypeVar

import msgspec

from kernel.errors import FieldError, Malformed, Unprocessable

Value = TypeVar("Value")

# Past this a number is an attack on the parser, not a value any field of ours has.
MAX_NUMBER_LENGTH = 64

# A form has fewer fields; a hostile body with a million wrong ones gets no answer larger than itself.
MAX_FIELD_ERRORS = 20
MAX_ECHOED_NAME = 100
MAX_ECHOED_MESSAGE = 200

_PATH_IN_MESSAGE = re.compile(r"^(?P<what>.*) - at `(?:key in )?\$(?P<path>[^`]*)`$", re.DOTALL)


class Wire(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request body or query: immutable, by name, nothing it does not know."""


class View(msgspec.Struct, frozen=True, kw_only=True):
    """An answer's body."""


def parse_json(data: bytes, *, max_depth: int) -> object:
    """Strict JSON: UTF-8, no duplicate keys, no NaN, bounded depth and numbers, no text that has no encoding (half
    a surrogate pair) or that not every store can keep (U+0000). Raises Malformed."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed(f"The body is not UTF-8 (byte {error.start}).", code="malformed_json") from error
    if text.startswith("\ufeff"):
        raise Malformed("The body starts with a byte order mark.", code="malformed_json")
    _check_depth(text, max_depth)
    _check_escapes(text)
    try:
        return _decode(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise Malformed(f"The body is not JSON: {error.msg} ({place}).", code="malformed_json") from error
    except RecursionError as error:
        raise _too_deep(max_depth) from error


def read_value(raw: object, kind: type[Value], *, strict: bool = True) -> Value:
    """``raw`` as ``kind``. Raises Unprocessable ``validation_failed`` that names the fields that are wrong, all of
    them up to MAX_FIELD_ERRORS."""
    try:
        return msgspec.convert(raw, kind, strict=strict)
    except msgspec.ValidationError as error:
        raise Unprocessable(
            "Some fields are not as they must be; `errors` names each.",
            code="validation_failed",
            fields=list(islice(_errors(raw, kind, "", strict=strict), MAX_FIELD_ERRORS)),
        ) from error


def read_query(pairs: Sequence[tuple[str, str]], kind: type[Value]) -> Value:
    """Query parameters as ``kind``; each at most once."""
    values: dict[str, str] = {}
    for name, value in pairs:
        if name in values:
            raise _wrong_query(FieldError(_short(name, MAX_ECHOED_NAME), "given more than once"))
        if not (can_be_kept(name) and can_be_kept(value)):
            raise _wrong_query(FieldError("query", "holds text that is not valid Unicode, or U+0000"))
        values[name] = value
    try:
        found = read_value(values, kind, strict=False)
    except Unprocessable as error:
        raise _wrong_query(*error.fields) from error
    for name in values:
        value_found = getattr(found, name, None)
        if isinstance(value_found, float) and not math.isfinite(value_found):
            raise _wrong_query(FieldError(name, "must be a finite number"))
    return found


def _wrong_query(*fields: FieldError) -> Malformed:
    return Malformed("Some query parameters are wrong.", code="invalid_query", fields=fields)


def _errors(raw: object, kind: Any, path: str, *, strict: bool) -> Iterator[FieldError]:
    """msgspec stops at the first error; ask again part by part so that a form can mark all of them."""
    try:
        msgspec.convert(raw, kind, strict=strict)
    except msgspec.ValidationError as error:
        parts = _errors_of_parts(raw, kind, path, strict=strict)
        first = next(parts, None)
        if first is None:
            yield _field_error(str(error), path)
            return
        yield first
        yield from parts


def _errors_of_parts(raw: object, kind: Any, path: str, *, strict: bool) -> Iterator[FieldError]:
    if typing.get_origin(kind) is Annotated:
        kind = typing.get_args(kind)[0]
    if isinstance(raw, list) and typing.get_origin(kind) is list:
        [item_kind] = typing.get_args(kind)
        for place, item in enumerate(raw):
            yield from _errors(item, item_kind, f"{path}[{place}]", strict=strict)
    elif isinstance(raw, Mapping) and isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        known = {item.encode_name: item for item in msgspec.structs.fields(kind)}
        if kind.__struct_config__.forbid_unknown_fields:
            unknown = (str(name) for name in raw if name not in known)
            for name in unknown:
                yield FieldError(_join(path, _short(name, MAX_ECHOED_NAME)), "is not a field of this object")
        for name, item in known.items():
            if name in raw:
                yield from _errors(raw[name], item.type, _join(path, name), strict=strict)
            elif item.required:
                yield FieldError(_join(path, name), "is required")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[:most] + "..."


def can_be_kept(text: str) -> bool:
    """Half a surrogate pair has no encoding; PostgreSQL keeps no U+0000, and no caller can tell the stores apart."""
    return "\0" not in text and (text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text))


def _field_error(message: str, field: str) -> FieldError:
    matched = _PATH_IN_MESSAGE.match(message)
    what, path = (matched["what"], matched["path"]) if matched else (message, "")
    where = _short((field + path).lstrip("."), MAX_ECHOED_NAME)
    return FieldError(where or "body", _short(what[:1].lower() + what[1:], MAX_ECHOED_MESSAGE))


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) != len(pairs):
        counted = Counter(name for name, _ in pairs)
        twice = next(name for name, times in counted.items() if times > 1)
        raise Malformed(
            "An object names a key twice.",
            code="malformed_json",
            fields=[FieldError(_short(twice, MAX_ECHOED_NAME), "given twice")],
        )
    return values


def _no_constant(text: str) -> NoReturn:
    raise Malformed(f"{text} is not JSON.", code="malformed_json")


def _whole(text: str) -> int:
    if len(text) > MAX_NUMBER_LENGTH:
        raise Malformed("A number is longer than any we know.", code="malformed_json")
    return int(text)


def _fraction(text: str) -> float:
    value = float(text) if len(text) <= MAX_NUMBER_LENGTH else float("inf")
    if value in (float("inf"), float("-inf")):
        raise Malformed("A number is larger than any we know.", code="malformed_json")
    return value


_strict = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_no_constant, parse_int=_whole, parse_float=_fraction
)


# The stub of make_scanner wants a scanner where the function takes a decoder.
_scan: Callable[[str, int], tuple[object, int]] = make_scanner(_strict)  # type: ignore[arg-type]


def _decode(text: str) -> object:
    """``JSONDecoder.decode`` without its two searches for white space, which bodies rarely have around them."""
    try:
        value, end = _scan(text, 0)
    except StopIteration:
        return _strict.decode(text)  # white space, or an error that is worth its words
    return value if end == len(text) else _strict.decode(text)


# Possessive (``*+``, ``++``): a string that is never closed is read to its end once, not once per quote in it.
_NOT_BRACKETS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[^\[\]{}"]++', re.DOTALL)
_STEP = {"[": 1, "{": 1, "]": -1, "}": -1}


def _check_depth(text: str, max_depth: int) -> None:
    # Fewer brackets than the bound cannot nest deeper than it, strings or not: nearly every body stops here.
    if text.count("{") + text.count("[") <= max_depth:
        return
    brackets = _NOT_BRACKETS.sub("", text)
    if max(accumulate(map(_STEP.__getitem__, brackets)), default=0) > max_depth:
        raise _too_deep(max_depth)


# Every escape up to one that stands for U+0000 or for half a surrogate pair without its other half.
_UNKEEPABLE = re.compile(
    r"(?:[^\\]++|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\(?!u(?:[dD][89a-fA-F]|0000)).)*+"
    r"\\u(?:[dD][89a-fA-F]|0000)",
    re.DOTALL,
)


def _check_escapes(text: str) -> None:
    if ("\\ud" in text or "\\uD" in text or "\\u0000" in text) and _UNKEEPABLE.match(text):
        raise Malformed("The body holds half a surrogate pair or U+0000.", code="malformed_json")


def _too_deep(max_depth: int) -> Malformed:
    return Malformed(f"The body nests deeper than {max_depth} levels.", code="too_deep")
