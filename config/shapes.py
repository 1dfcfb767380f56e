"""What secrets and addresses look like inside running text, where no field name gives them away.

Every pattern starts at a place that cannot overlap with its last attempt and repeats without giving back, so hostile
text costs no more than long text (tests hold this).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

REDACTED = "[redacted]"


class Becomes(Enum):
    """What takes the place of a match; what the pattern captures as its first group stays in front of it."""

    REDACTED = 0
    HASH = 1
    HASH_IF_ADDRESS = 2


@dataclass(frozen=True, slots=True)
class Shape:
    """Looked for only in text that contains one of the ``clues``: asking that is what keeps ordinary lines cheap."""

    clues: tuple[str, ...]
    pattern: re.Pattern[str]
    becomes: Becomes = Becomes.REDACTED


_NAMES_IN_TEXT = (
    r"(?:passw(?:or)?d|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential|otp"
    r"|signature|ticket|ice-pwd|ice-ufrag)"
)
_HEADER = re.compile(r"((?i:cookie|authorization)[\"']?\s{0,4}[=:]\s{0,4})[^\r\n]++")
_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]{1,40}-----.*", re.DOTALL)
_SDP = re.compile(r"v=0(?:\r|\\r)?(?:\n|\\n)?o=.*", re.DOTALL)
_SQL_VALUES = re.compile(r"(\[parameters: |\)=\().*", re.DOTALL)
_USERINFO = re.compile(r"(://)[^\s\"'<>]{0,256}(?=@)")
_BEARER = re.compile(r"\b((?i:bearer)\s++)(?!token\b)[^\s,;\"']++")
_BASIC = re.compile(r"\b((?i:basic|digest)\s++)(?=[^\s]{0,64}[A-Z0-9=])[^\s,;\"']{6,}+")
_JWT = re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]*?eyJ[A-Za-z0-9_-]*+(?:\.[A-Za-z0-9_-]*+)++")
_NAMED = re.compile(
    rf"((?i:{_NAMES_IN_TEXT})[A-Za-z0-9_-]{{0,24}}[\"']?\s{{0,4}}[=:]\s{{0,4}})(?!\[redacted\])"
    r"(\"(?:[^\"\\]|\\.)*+\"?|'(?:[^'\\]|\\.)*+'?|[^\s,;&)}\]]++)"
)
_SPOKEN = re.compile(rf"\b((?i:{_NAMES_IN_TEXT})s?\s{{1,4}})(?=[^\s]{{0,64}}[0-9])([^\s,;()]{{6,}}+)")
_OPAQUE = re.compile(
    r"(?<![A-Za-z0-9+_-])(?=[A-Za-z+_-]*+[0-9])(?=[a-z0-9+_-]*+[A-Z])(?=[A-Z0-9+_-]*+[a-z])[A-Za-z0-9+_-]{40,}+=*+"
)
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]++@[\w-]+(?:\.[\w-]+)*+")
_IPV4 = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?!\.?\d)")
_IPV6 = re.compile(r"(?<![0-9A-Za-z.])[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]{1,45}(?:\.\d{1,3}){0,3}(?![A-Za-z])")

# In this order: what takes everything up to the end of a line or text first, what takes a word later.
SHAPES = (
    Shape(("-----BEGIN",), _PEM),
    Shape(("v=0",), _SDP),
    Shape(("[parameters: ", ")=("), _SQL_VALUES),
    Shape(("@",), _USERINFO),
    Shape(("@",), _EMAIL, Becomes.HASH),
    Shape(("eyJ",), _JWT),
    Shape(("=", ":"), _HEADER),
    Shape((" ",), _BEARER),
    Shape((" ",), _BASIC),
    Shape((" ",), _SPOKEN),
    Shape(("=", ":"), _NAMED),
    Shape((":",), _IPV6, Becomes.HASH_IF_ADDRESS),
    Shape((".",), _IPV4, Becomes.HASH_IF_ADDRESS),
)

# Looked for last, in text that is long enough to hold one.
OPAQUE_LENGTH = 40
OPAQUE = _OPAQUE
