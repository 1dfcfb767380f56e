"""The kinds of values that settings have beyond text, numbers and switches."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

_DURATION_UNITS = {
    "d": Fraction(86400),
    "h": Fraction(3600),
    "m": Fraction(60),
    "s": Fraction(1),
    "ms": Fraction(1, 1000),
}
_SIZE_UNITS = {
    "TiB": Fraction(1 << 40),
    "GiB": Fraction(1 << 30),
    "MiB": Fraction(1 << 20),
    "KiB": Fraction(1 << 10),
    "GB": Fraction(10**9),
    "MB": Fraction(10**6),
    "kB": Fraction(10**3),
    "B": Fraction(1),
}
_BINARY_UNITS = ("TiB", "GiB", "MiB", "KiB")
# The digits are bounded so that a pasted blob is refused at once instead of being turned into a number.
_QUANTITY = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,30})?)\s*([A-Za-z]{1,3})")


class Duration(float):
    """Seconds, written with a unit: ``"15m"``, ``"250ms"``, ``"1.5h"``."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Duration:
        return cls(float(_quantity(text, _DURATION_UNITS, "a duration such as 250ms, 30s, 15m, 12h or 7d")))

    def __str__(self) -> str:
        if not self:
            return "0s"
        exact = Fraction(float.__repr__(self))
        for unit, factor in _DURATION_UNITS.items():
            if exact % factor == 0:
                return f"{exact // factor}{unit}"
        return f"{Decimal(float.__repr__(self)):f}s"

    __repr__ = __str__


class Size(int):
    """Bytes, written with a unit: ``"100MiB"``, ``"64KiB"``."""

    @classmethod
    def parse(cls, text: str) -> Size:
        amount = _quantity(text, _SIZE_UNITS, "a size such as 64KiB, 100MiB or 2GiB")
        if amount.denominator != 1:
            raise ValueError(f"{text!r} is not a whole number of bytes")
        return cls(int(amount))

    def __str__(self) -> str:
        for unit in _BINARY_UNITS:
            if self and self % int(_SIZE_UNITS[unit]) == 0:
                return f"{self // int(_SIZE_UNITS[unit])}{unit}"
        return f"{int(self)}B"

    __repr__ = __str__


class Secret:
    """Text that never shows itself: printing, logging and comparing by accident all miss it."""

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def matches(self, offered: str) -> bool:
        """Whether ``offered`` is this secret, in constant time; an unset secret matches nothing."""
        return bool(self._text) and hmac.compare_digest(self._text.encode(), offered.encode("utf-8", "surrogateescape"))

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return "set" if self._text else "not set"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(("Secret", self._text))


def _quantity(text: str, units: Mapping[str, Fraction], expected: str) -> Fraction:
    """Exact, because what is printed must read back as the same value."""
    matched = _QUANTITY.fullmatch(text.strip())
    if matched is None or matched[2] not in units:
        raise ValueError(f"{text!r} is not {expected}")
    return Fraction(matched[1]) * units[matched[2]]
