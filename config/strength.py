"""Whether a secret is one that somebody could guess: too short, made of little, or copied from a manual."""

from __future__ import annotations

import math
import re
from collections import Counter
from itertools import pairwise

# Ours sign and encrypt, so they carry a key's worth; a store's password only has to survive guessing over a
# network, and is often dictated by whoever runs the store.
OWN_SECRET_BYTES = 32
STORE_PASSWORD_BYTES = 12

# 32 random hexadecimal digits measure about 115 bits this way, 43 of base64 about 220.
_OWN_SECRET_BITS = 90.0
_STORE_PASSWORD_BITS = 30.0

# Long enough to be looked for anywhere: chance puts one into a random secret less than once in 100,000 times.
_SAMPLE_WORDS = (
    "changeme", "change-me", "change_me", "password", "passw0rd", "secret", "example", "sample", "default",
    "minioadmin", "secureconnect", "letmein", "qwerty", "abcdef", "123456", "placeholder", "replace", "insecure",
    "insert", "yourkey", "your-", "your_", "development", "testing", "postgres", "cassandra", "rootroot", "dummy-",
    "supersafe", "foobar", "iloveyou", "admin123",
)  # fmt: skip
_SAMPLE_PARTS = frozenset({"admin", "demo", "dev", "dummy", "foo", "guest", "root", "test", "todo", "user", "xxx"})


def weakness(secret: str, *, shortest: int) -> str | None:
    """One sentence part naming what is wrong, never quoting the secret; None when nothing is."""
    length = len(secret.encode("utf-8", "surrogatepass"))
    if length < shortest:
        return f"is shorter than {shortest} bytes"
    lowered = secret.lower()
    parts = set(re.split(r"[^a-z0-9]+", lowered))
    if any(word in lowered for word in _SAMPLE_WORDS) or not parts.isdisjoint(_SAMPLE_PARTS):
        return "contains a word that sample configurations use"
    if _is_repetition(secret) or _is_mostly_steps(secret):
        return "repeats or counts up its characters"
    if _bits(secret) < (_OWN_SECRET_BITS if shortest >= OWN_SECRET_BYTES else _STORE_PASSWORD_BITS):
        return "is made of too few different characters"
    return None


def _is_repetition(secret: str) -> bool:
    """``abcabcabc``: a text is found inside its own doubling, before the end, exactly when it repeats a block."""
    return secret in (secret + secret)[1:-1]


def _is_mostly_steps(secret: str) -> bool:
    """Two thirds of the characters equal their neighbour or follow it in the alphabet, up or down."""
    steps = sum(abs(ord(after) - ord(before)) <= 1 for before, after in pairwise(secret))
    return steps * 3 >= (len(secret) - 1) * 2


def _bits(secret: str) -> float:
    """Shannon's measure over the characters that are there: an upper bound good enough to catch the poor ones."""
    length = len(secret)
    return -sum(count * math.log2(count / length) for count in Counter(secret).values())
