"""Names and addresses as they are kept and compared. Pure: text in, text or one error out.

Two usernames that look alike are one username: people choose whom to trust by what they read. A username has letters of
one script only, and what it looks like (``skeleton``) is unique.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Final

from kernel.errors import FieldError, Unprocessable

MIN_USERNAME = 3
MAX_USERNAME = 32
MAX_DISPLAY_NAME = 64
# RFC 5321, section 4.5.3.1: a path has at most 256 octets, its angle brackets included.
MAX_EMAIL = 254
MAX_LOCAL_PART = 64

_USERNAME: Final = re.compile(r"[^\W_](?:[\w.-]*[^\W_])?")
_REPEATED_MARKS: Final = re.compile(r"[._-]{2,}")
# What a mail server takes without quotes (RFC 5322 dot-atom), and a host name with at least one dot.
_EMAIL: Final = re.compile(
    r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]"
)
# Names that read as if we were speaking.
_RESERVED: Final = frozenset(
    {"admin", "administrator", "abuse", "everyone", "help", "here", "info", "me", "moderator", "null", "operator"}
    | {"owner", "postmaster", "root", "secureconnect", "security", "service", "support", "system", "webmaster"}
)

# Letters of other scripts, and digits, that a reader takes for a Latin letter (after Unicode Technical Standard 39).
_LATIN_LOOK_ALIKES: Final[Mapping[str, str]] = {
    **dict(zip("авсԁеһіјкӏмноԛрѕтѵԝхуүзбᴦ", "abcdehijklmhoqpstvwxyy36r", strict=True)),
    **dict(zip("αβγδεικνορτυχωϲϳ", "abydeikvoptuxwcj", strict=True)),
    **dict(zip("հոսօցզ", "hnuogq", strict=True)),  # noqa: RUF001 - they are
    **dict(zip("ıɑɡɩʏꜱ", "iagiys", strict=True)),  # noqa: RUF001 - they are
    "0": "o",
    "1": "l",
    "5": "s",
    "i": "l",
    "ß": "ss",
}
# Pairs that run together in many typefaces.
_PAIRS: Final = (("rn", "m"), ("vv", "w"), ("cl", "d"))
_DIRECTION_CONTROLS: Final = frozenset(
    "\u061c\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
)


def username(text: str) -> str:
    """As it is shown: composed, in lower case. Raises Unprocessable ``invalid_username``."""
    name = unicodedata.normalize("NFKC", text).casefold()
    if not MIN_USERNAME <= len(name) <= MAX_USERNAME:
        raise _invalid("username", f"has {MIN_USERNAME} to {MAX_USERNAME} characters")
    if not _USERNAME.fullmatch(name) or _REPEATED_MARKS.search(name):
        raise _invalid("username", "has letters and digits, and single dots, hyphens or underscores between them")
    scripts = {_script(char) for char in name if char.isalpha()}
    if len(scripts) > 1:
        raise _invalid("username", "mixes letters of several scripts, which can be mistaken for one another")
    if not any(char.isalpha() for char in name):
        raise _invalid("username", "has at least one letter")
    if any(char.isdigit() and not char.isascii() for char in name):
        raise _invalid("username", "has digits from 0 to 9 only")
    if name in _RESERVED:
        raise _invalid("username", "is reserved")
    return name


def skeleton(name: str) -> str:
    """What a username looks like; equal for names that can be mistaken for one another."""
    plain = "".join(char for char in unicodedata.normalize("NFD", name) if not unicodedata.combining(char))
    seen = "".join(_LATIN_LOOK_ALIKES.get(char, char) for char in plain if char.isalnum())
    for pair, letter in _PAIRS:
        seen = seen.replace(pair, letter)
    return "".join(_LATIN_LOOK_ALIKES.get(char, char) for char in seen)


def email(text: str) -> str:
    """In lower case, as mail servers compare it in practice. Raises Unprocessable ``invalid_email``."""
    address = text.strip().lower()
    if len(address) > MAX_EMAIL or len(address.partition("@")[0]) > MAX_LOCAL_PART or not _EMAIL.fullmatch(address):
        raise _invalid("email", "is not an e-mail address that mail can be sent to")
    return address


def display_name(text: str) -> str:
    """One line that reads the way it looks. Raises Unprocessable ``invalid_display_name``."""
    composed = unicodedata.normalize("NFC", text)
    if any(char in _DIRECTION_CONTROLS or unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} for char in composed):
        raise _invalid("display_name", "holds characters that cannot be seen")
    name = " ".join(composed.split())
    if not 1 <= len(name) <= MAX_DISPLAY_NAME:
        raise _invalid("display_name", f"has 1 to {MAX_DISPLAY_NAME} characters")
    return name


def _script(char: str) -> str:
    """The first word of the character's name: LATIN, CYRILLIC, GREEK, CJK ... Japanese mixes three of them."""
    script = unicodedata.name(char, "UNKNOWN").split(" ")[0]
    return "JAPANESE" if script in {"CJK", "HIRAGANA", "KATAKANA"} else script


def _invalid(field: str, message: str) -> Unprocessable:
    name = field.replace("_", " ")
    return Unprocessable(f"This {name} {message}.", code=f"invalid_{field}", fields=[FieldError(field, message)])
