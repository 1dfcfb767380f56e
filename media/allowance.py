"""How much somebody may do in a second."""

from __future__ import annotations


class Allowance:
    """A bucket that fills by ``rate`` a second up to two seconds' worth; pure."""

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._most = 2 * rate
        self._left = self._most
        self._at = now

    def take(self, amount: float, now: float) -> bool:
        self._left = min(self._most, self._left + (now - self._at) * self._rate)
        self._at = now
        if amount > self._left:
            return False
        self._left -= amount
        return True
