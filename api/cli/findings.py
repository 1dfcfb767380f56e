"""What the doctor found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    FINE = "fine"
    ODD = "odd"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, how it is and, where it is not fine, what to do."""

    verdict: Verdict
    subject: str
    text: str
