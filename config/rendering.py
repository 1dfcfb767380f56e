"""From one thing that happened to the bytes of a line: redacted, stamped, as JSON or as text for a terminal."""

from __future__ import annotations

import json
import re
import time
import traceback
from collections.abc import Callable, Mapping
from types import TracebackType

import msgspec

from config.redaction import Redactor

Fields = dict[str, object]
Format = Callable[[Fields], bytes]

LONGEST_LINE = 64 << 10
_FIRST_FRAMES = 10
_LAST_FRAMES = 30
_LONGEST_CHAIN = 5
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_BARE = re.compile(r"[^\s\"'=\x00-\x1f\x7f-\x9f]+")
# The parts of a line that have a place of their own in the text format.
_FRAME = ("ts", "level", "logger", "event")


class Composer:
    """Thread-safe. ``formats`` are all that lines are needed in; a line is composed once and rendered in each."""

    def __init__(self, redactor: Redactor, formats: tuple[Format, ...], now: Callable[[], float] = time.time) -> None:
        self._redactor = redactor
        self._formats = formats
        self._now = now
        self._second = (0, "")

    def lines(
        self, level: str, logger: str, event: str, fields: Mapping[str, object], error: BaseException | None = None
    ) -> tuple[bytes, ...]:
        """``event`` is redacted already: only the caller knows whether it is worth remembering."""
        line: Fields = {"ts": self.timestamp(), "level": level, "logger": logger, "event": event}
        self._redactor.fields(fields, line)
        if error is not None:
            line["exception"] = self._exception(error, _LONGEST_CHAIN)
        return self.rendered(line)

    def rendered(self, line: Fields) -> tuple[bytes, ...]:
        """For callers that have redacted and stamped their line themselves."""
        lines = []
        for render in self._formats:
            rendered = render(line)
            if len(rendered) > LONGEST_LINE:
                rendered = render(_without_fields(line, len(rendered)))
            lines.append(self._redactor.seal(rendered))
        return tuple(lines)

    def timestamp(self) -> str:
        """RFC 3339 in UTC with milliseconds; the text of the current second is kept."""
        now = self._now()
        second, text = self._second
        if int(now) != second:
            second = int(now)
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._second = (second, text)
        return f"{text}.{int((now - second) * 1000):03d}Z"

    def _exception(self, error: BaseException, chain: int) -> Fields:
        """No source lines and no variables: both would have to be read from disk or redacted blind."""
        told: Fields = {"type": type(error).__qualname__, "message": self._redactor.text(_said(error))}
        if notes := getattr(error, "__notes__", None):
            told["notes"] = self._redactor.value([str(note) for note in notes])
        told["stack"] = _frames(error.__traceback__)
        if isinstance(error, BaseExceptionGroup):
            told["group"] = [self._exception(inner, chain - 1) for inner in error.exceptions[:chain]]
        cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if cause is not None and chain > 1:
            told["cause"] = self._exception(cause, chain - 1)
        return told


def as_json(line: Fields) -> bytes:
    try:
        return msgspec.json.encode(line) + b"\n"
    except (UnicodeEncodeError, TypeError, ValueError, RecursionError):
        # Lone surrogates, and whatever nobody thought of: replaced rather than lost, and still JSON.
        plain = json.loads(json.dumps(line, default=str), parse_constant=lambda _: None)
        return json.dumps(plain, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def as_text(line: Fields) -> bytes:
    """``08:15:42.123 warning adapters.sql  circuit opened  dependency=database failures=5``"""
    stamp, level = str(line["ts"])[11:23], str(line["level"])
    parts = [f"{stamp} {level:<8} {line['logger']}  {_UNPRINTABLE.sub('?', str(line['event']))} "]
    error = line.get("exception")
    told = ("exception", *_FRAME) if isinstance(error, dict) else _FRAME
    parts.extend(f"{_word(key)}={_word(value)}" for key, value in line.items() if key not in told)
    text = " ".join(parts).rstrip()
    if isinstance(error, dict):
        text = "\n".join([text, *_told(error, "  ")])
    return text.encode("utf-8", "backslashreplace") + b"\n"


def _without_fields(line: Fields, size: int) -> Fields:
    return {**{key: line[key] for key in _FRAME}, "cut": f"{size} bytes"}


def _word(value: object) -> str:
    if isinstance(value, str) and _BARE.fullmatch(value):
        return value
    return _UNPRINTABLE.sub("?", json.dumps(value, ensure_ascii=False, default=str))


def _told(error: Fields, indent: str) -> list[str]:
    lines = [f"{indent}{error['type']}: {_UNPRINTABLE.sub(' ', str(error['message']))}"]
    stack, group, cause = error["stack"], error.get("group"), error.get("cause")
    frames = stack if isinstance(stack, list) else []
    lines.extend(f"{indent}  {frame['file']}:{frame['line']} in {frame['in']}" for frame in frames)
    for inner in group if isinstance(group, list) else ():
        lines.extend(_told(inner, indent + "  | "))
    if isinstance(cause, dict):
        lines.append(f"{indent}caused by")
        lines.extend(_told(cause, indent))
    return lines


def _said(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - an exception that cannot say what it is must not become a second one
        return "(its message cannot be shown)"


def _frames(trace: TracebackType | None) -> list[Fields]:
    frames: list[Fields] = [
        {"file": frame.f_code.co_filename, "line": line, "in": frame.f_code.co_qualname}
        for frame, line in traceback.walk_tb(trace)
    ]
    if len(frames) <= _FIRST_FRAMES + _LAST_FRAMES:
        return frames
    left_out = len(frames) - _FIRST_FRAMES - _LAST_FRAMES
    gap: Fields = {"file": "...", "line": 0, "in": f"({left_out} frames left out)"}
    return [*frames[:_FIRST_FRAMES], gap, *frames[-_LAST_FRAMES:]]
