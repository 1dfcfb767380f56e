"""How each kind of setting is read from TOML, from text (environment, files) and written back.

A kind's ``expected`` finishes the sentence "... is not" in error messages and fills the range column of the
reference, so that a person reads the same words in both places.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Protocol

from config.values import Duration, Secret, Size

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,19}(\.[0-9]{1,19})?")
_LONGEST_SHOWN = 80


class Kind(Protocol):
    @property
    def expected(self) -> str: ...

    def from_toml(self, raw: object) -> object:
        """Raises ValueError with a message that shows the value, unless it is a secret."""
        ...

    def from_text(self, text: str) -> object: ...

    def to_toml(self, value: object) -> str: ...


def shown(raw: object) -> str:
    text = str(raw).lower() if isinstance(raw, bool) else repr(raw)
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "..."


def quoted(text: str) -> str:
    """A TOML basic string; control characters never get here, they are refused on reading."""
    return json.dumps(text, ensure_ascii=False)


def _refusal(raw: object, expected: str) -> ValueError:
    return ValueError(f"{shown(raw)} is not {expected}")


@dataclass(frozen=True, slots=True)
class Text:
    pattern: str | None = None
    shortest: int = 0
    longest: int = 4096

    @property
    def expected(self) -> str:
        if self.pattern is not None:
            return f"text matching {self.pattern}"
        return "text that is not empty" if self.shortest else "text"

    def from_toml(self, raw: object) -> str:
        if not isinstance(raw, str):
            raise _refusal(raw, self.expected)
        return self.from_text(raw)

    def from_text(self, text: str) -> str:
        if _CONTROL.search(text):
            raise ValueError(f"{shown(text)} contains a line break or another control character")
        fits = self.shortest <= len(text) <= self.longest
        if not fits or (self.pattern is not None and re.search(self.pattern, text) is None):
            raise _refusal(text, self.expected)
        return text

    def to_toml(self, value: object) -> str:
        return quoted(str(value))


@dataclass(frozen=True, slots=True)
class Choice:
    options: tuple[str, ...]

    @property
    def expected(self) -> str:
        return "one of " + ", ".join(self.options)

    def from_toml(self, raw: object) -> str:
        if not isinstance(raw, str) or raw not in self.options:
            nearest = get_close_matches(str(raw), self.options, n=1)
            hint = f"; did you mean {nearest[0]}?" if nearest else ""
            raise ValueError(f"{shown(raw)} is not {self.expected}{hint}")
        return raw

    def from_text(self, text: str) -> str:
        return self.from_toml(text)

    def to_toml(self, value: object) -> str:
        return quoted(str(value))


@dataclass(frozen=True, slots=True)
class Switch:
    expected: str = "true or false"

    def from_toml(self, raw: object) -> bool:
        if not isinstance(raw, bool):
            raise _refusal(raw, self.expected)
        return raw

    def from_text(self, text: str) -> bool:
        words = {"true": True, "false": False}
        if text.lower() not in words:
            raise _refusal(text, self.expected)
        return words[text.lower()]

    def to_toml(self, value: object) -> str:
        return "true" if value else "false"


@dataclass(frozen=True, slots=True)
class Bounds:
    low: float | None = None
    high: float | None = None

    def admit(self, value: float) -> bool:
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def said(self, show: Callable[[float], object]) -> str:
        parts = []
        if self.low is not None:
            parts.append(f"from {show(self.low)}")
        if self.high is not None:
            parts.append(f"{'to' if parts else 'up to'} {show(self.high)}")
        return "".join(f" {part}" for part in parts)


@dataclass(frozen=True, slots=True)
class Whole:
    bounds: Bounds = Bounds()

    @property
    def expected(self) -> str:
        return "a whole number" + self.bounds.said(int)

    def from_toml(self, raw: object) -> int:
        if not isinstance(raw, int) or isinstance(raw, bool) or not self.bounds.admit(raw):
            raise _refusal(raw, self.expected)
        return raw

    def from_text(self, text: str) -> int:
        return self.from_toml(int(text) if _WHOLE.fullmatch(text) else text)

    def to_toml(self, value: object) -> str:
        return str(value)


@dataclass(frozen=True, slots=True)
class Number:
    bounds: Bounds = Bounds()

    @property
    def expected(self) -> str:
        return "a number" + self.bounds.said(float)

    def from_toml(self, raw: object) -> float:
        # NaN passes no comparison, so bounds refuse it.
        if not isinstance(raw, int | float) or isinstance(raw, bool) or not self.bounds.admit(raw):
            raise _refusal(raw, self.expected)
        return float(raw)

    def from_text(self, text: str) -> float:
        return self.from_toml(float(text) if _NUMBER.fullmatch(text) else text)

    def to_toml(self, value: object) -> str:
        return str(value)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A duration or a size: text with a unit, so that nobody has to guess what 15 means."""

    unit: type[Duration] | type[Size]
    bounds: Bounds = Bounds()

    @property
    def expected(self) -> str:
        noun, example = ("a duration", "15m") if self.unit is Duration else ("a size", "100MiB")
        return f'{noun} such as "{example}"' + self.bounds.said(self.unit)

    def from_toml(self, raw: object) -> Duration | Size:
        if not isinstance(raw, str):
            raise ValueError(f"{shown(raw)} has no unit: it is not {self.expected}")
        return self.from_text(raw)

    def from_text(self, text: str) -> Duration | Size:
        value = self.unit.parse(text)
        if not self.bounds.admit(value):
            raise _refusal(text, self.expected)
        return value

    def to_toml(self, value: object) -> str:
        return quoted(str(value))


@dataclass(frozen=True, slots=True)
class Hidden:
    """A secret: no message of this kind ever repeats what was written."""

    expected: str = "text (a secret)"

    def from_toml(self, raw: object) -> Secret:
        if not isinstance(raw, str):
            raise ValueError(f"a value of another type was given; expected is {self.expected}")
        return self.from_text(raw)

    def from_text(self, text: str) -> Secret:
        if _CONTROL.search(text):
            raise ValueError("it contains a line break or another control character")
        return Secret(text)

    def to_toml(self, value: object) -> str:
        return quoted(str(value))


@dataclass(frozen=True, slots=True)
class Many:
    """A list in TOML, comma-separated in the environment, a line or a comma each in a file."""

    of: Text | Hidden

    @property
    def expected(self) -> str:
        return f"a list, each {self.of.expected}"

    def from_toml(self, raw: object) -> tuple[object, ...]:
        if not isinstance(raw, list):
            said = "this" if isinstance(self.of, Hidden) else shown(raw)
            raise ValueError(f"{said} is not {self.expected}")
        return tuple(self.of.from_toml(item) for item in raw)

    def from_text(self, text: str) -> tuple[object, ...]:
        parts = (part.strip() for part in re.split(r"[,\n]", text))
        return tuple(self.of.from_text(part) for part in parts if part)

    def to_toml(self, value: object) -> str:
        items = value if isinstance(value, tuple) else ()
        return "[" + ", ".join(self.of.to_toml(item) for item in items) + "]"
