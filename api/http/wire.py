"""Bytes to typed values and back. Pure: bytes, types and bounds in, values or one error out."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NoReturn, TypeVar

import msgspec

from kernel.errors import FieldError, Malformed, Unprocessable

Value = TypeVar("Value")

# Past this a number is an attack on the parser, not a value any field of ours has.
MAX_NUMBER_LENGTH = 64

_PATH_IN_MESSAGE = re.compile(r"^(?P<what>.*) - at `(?:key in )?\$(?P<path>[^`]*)`$", re.DOTALL)


class Wire(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request body or query: immutable, by name, nothing it does not know."""


class View(msgspec.Struct, frozen=True, kw_only=True):
    """An answer's body."""


def parse_json(data: bytes, *, max_depth: int) -> object:
    """Strict JSON: UTF-8, no duplicate keys, no NaN, bounded depth and numbers. Raises Malformed."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed(f"The body is not UTF-8 (byte {error.start}).", code="malformed_json") from error
    if text.startswith("\ufeff"):
        raise Malformed("The body starts with a byte order mark.", code="malformed_json")
    _check_depth(text, max_depth)
    try:
        return _strict.decode(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise Malformed(f"The body is not JSON: {error.msg} ({place}).", code="malformed_json") from error
    except RecursionError as error:
        raise _too_deep(max_depth) from error


def read_value(raw: object, kind: type[Value], *, strict: bool = True) -> Value:
    """``raw`` as ``kind``. Raises Unprocessable ``validation_failed`` with every field that is wrong."""
    try:
        return msgspec.convert(raw, kind, strict=strict)
    except msgspec.ValidationError as error:
        raise Unprocessable(
            "Some fields are not as they must be; `errors` names each.",
            code="validation_failed",
            fields=_every_error(raw, kind, error, strict=strict),
        ) from error


def read_query(pairs: Sequence[tuple[str, str]], kind: type[Value]) -> Value:
    """Query parameters as ``kind``; each at most once."""
    values: dict[str, str] = {}
    for name, value in pairs:
        if name in values:
            raise Malformed(
                "A query parameter was given twice.",
                code="invalid_query",
                fields=[FieldError(name, "given more than once")],
            )
        values[name] = value
    try:
        return read_value(values, kind, strict=False)
    except Unprocessable as error:
        raise Malformed("Some query parameters are wrong.", code="invalid_query", fields=error.fields) from error


def _every_error(raw: object, kind: type, first: msgspec.ValidationError, *, strict: bool) -> list[FieldError]:
    """msgspec stops at the first error; ask again field by field so that a form can mark all of them."""
    if not isinstance(raw, Mapping) or not issubclass(kind, msgspec.Struct):
        return [_field_error(str(first), "")]
    found: list[FieldError] = []
    known = {item.encode_name: item for item in msgspec.structs.fields(kind)}
    found += [FieldError(str(name), "is not a field of this object") for name in raw if name not in known]
    for name, item in known.items():
        if name not in raw:
            if item.required:
                found.append(FieldError(name, "is required"))
            continue
        try:
            msgspec.convert(raw[name], item.type, strict=strict)
        except msgspec.ValidationError as error:
            found.append(_field_error(str(error), name))
    return found or [_field_error(str(first), "")]


def _field_error(message: str, field: str) -> FieldError:
    matched = _PATH_IN_MESSAGE.match(message)
    what, path = (matched["what"], matched["path"]) if matched else (message, "")
    where = (field + path).lstrip(".")
    return FieldError(where or "body", what[:1].lower() + what[1:])


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) != len(pairs):
        counted = Counter(name for name, _ in pairs)
        twice = next(name for name, times in counted.items() if times > 1)
        raise Malformed(
            "An object names a key twice.", code="malformed_json", fields=[FieldError(twice[:100], "given twice")]
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


def _check_depth(text: str, max_depth: int) -> None:
    # Fewer brackets than the bound cannot nest deeper than it, strings or not: nearly every body stops here.
    if text.count("{") + text.count("[") <= max_depth:
        return
    depth = 0
    for token in re.finditer(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[{]|[\]}]', text, re.DOTALL):
        match token[0]:
            case "[" | "{":
                depth += 1
                if depth > max_depth:
                    raise _too_deep(max_depth)
            case "]" | "}":
                depth -= 1


def _too_deep(max_depth: int) -> Malformed:
    return Malformed(f"The body nests deeper than {max_depth} levels.", code="too_deep")
