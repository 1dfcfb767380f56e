"""The kinds of values that settings have beyond text, numbers and switches."""

from __future__ import annotations

import re

_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE_UNITS = {
    "B": 1,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
    "TiB": 1 << 40,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
}
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]+)")


class Duration(float):
    """Seconds, written with a unit: ``"15m"``, ``"250ms"``, ``"1.5h"``."""

    @classmethod
    def parse(cls, text: str) -> Duration:
        return cls(_quantity(text, _DURATION_UNITS, "a duration such as 250ms, 30s, 15m, 12h or 7d"))

    def __str__(self) -> str:
        for unit in ("d", "h", "m", "s"):
            if self >= _DURATION_UNITS[unit] and self % _DURATION_UNITS[unit] == 0:
                return f"{self / _DURATION_UNITS[unit]:g}{unit}"
        return f"{self * 1000:g}ms"

    __repr__ = __str__


class Size(int):
    """Bytes, written with a unit: ``"100MiB"``, ``"64KiB"``."""

    @classmethod
    def parse(cls, text: str) -> Size:
        amount = _quantity(text, _SIZE_UNITS, "a size such as 64KiB, 100MiB or 2GiB")
        if amount != int(amount):
            raise ValueError(f"{text!r} is not a whole number of bytes")
        return cls(int(amount))

    def __str__(self) -> str:
        for unit in ("TiB", "GiB", "MiB", "KiB"):
            if self and self % _SIZE_UNITS[unit] == 0:
                return f"{int(self) // _SIZE_UNITS[unit]}{unit}"
        return f"{int(self)}B"

    __repr__ = __str__


class Secret:
    """Text that never shows itself: printing, logging and comparing by accident all miss it."""

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return "set" if self._text else "not set"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(("Secret", self._text))


def _quantity(text: str, units: dict[str, float] | dict[str, int], expected: str) -> float:
    matched = _QUANTITY.fullmatch(text.strip())
    if matched is None or matched[2] not in units:
        raise ValueError(f"{text!r} is not {expected}")
    return float(matched[1]) * units[matched[2]]
