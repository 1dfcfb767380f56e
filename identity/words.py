"""Words as people are searched by: without case and accents, so that `zoe` finds Zoë. Pure."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

# What is longer is cut off, where it is kept and where it is looked for.
MAX_WORD = 32

_WORD: Final = re.compile(r"[^\W_]+")


def words_of(*texts: str) -> frozenset[str]:
    return frozenset(word[:MAX_WORD] for text in texts for word in _WORD.findall(folded(text)))


def folded(text: str) -> str:
    """Compatible forms, cases and accents are one: ``folded`` of what it answers is the same."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(char for char in plain if not unicodedata.category(char).startswith("M"))
