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
_PLAIN: Final = frozenset("0123456789._-")
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

# Scripts in everyday use (Unicode Standard Annex 31, table 5), by the first word of their letters' names. Others are
# read by few and hold whole alphabets of Latin look-alikes (Cherokee, Lisu, Coptic).
_SCRIPTS: Final = frozenset(
    {"ARABIC", "ARMENIAN", "BENGALI", "BOPOMOFO", "CYRILLIC", "DEVANAGARI", "ETHIOPIC", "GEORGIAN", "GREEK"}
    | {"GUJARATI", "GURMUKHI", "HANGUL", "HEBREW", "KANNADA", "KHMER", "LAO", "LATIN", "MALAYALAM", "MYANMAR"}
    | {"ORIYA", "SINHALA", "TAMIL", "TELUGU", "THAANA", "THAI", "TIBETAN"}
)
# Written together, with marks that belong to no script.
_JAPANESE: Final = frozenset({"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "IDEOGRAPHIC"})

# Letters and digits that a reader takes for another (after Unicode Technical Standard 39).
_LOOK_ALIKES: Final[Mapping[str, str]] = {
    **dict(zip("авсԁегһіјкӏмноԛрѕтѵԝхуүзбьᴦ", "abcderhijklmhoqpstvwxyy36br", strict=True)),
    **dict(zip("αβγδεηικνορστυχωϳ", "abydenikvopotuxwj", strict=True)),
    **dict(zip("հոսօցզյ", "hnuogqj", strict=True)),
    **dict(zip("ıȷɑɡɩſ", "ijagis", strict=True)),
    **dict(zip("\u05e1\u05d5\u05df\u0627\u0647\u101d\u0d20\u10ff", "ollloooo", strict=True)),
    **dict(zip("ロカニハエタトヘ", "口力二八工夕卜へ", strict=True)),
    **dict.fromkeys("ー丨", "一"),
    "\u0e45": "\u0e32",
    "0": "o",
    "1": "l",
    "5": "s",
    "i": "l",
}
# One letter that is read as two.
_DOUBLES: Final = str.maketrans(
    {"æ": "ae", "ӕ": "ae", "œ": "oe", "ы": "bl", "ю": "lo", "\u0e41": "\u0e40\u0e40", "\u0ec1": "\u0ec0\u0ec0"}
    | {"\u05f0": "\u05d5\u05d5", "\u05f1": "\u05d5\u05d9", "\u05f2": "\u05d9\u05d9", "\u0bd7": "\u0bb3"}
)
# Pairs that run together in many typefaces.
_PAIRS: Final = (("rn", "m"), ("vv", "w"), ("cl", "d"))
# Letters with more to them than an accent that can be taken off: their names say what is below it.
_ADORNED: Final = re.compile(r"(.+ LETTER .+?) WITH .+|LATIN LETTER SMALL CAPITAL (?P<capital>[A-Z])")
# They are seen as nothing, or as a space, though some count as letters.
_UNSEEN: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
# Between letters they shape Persian words and the scripts of India, between symbols they make families of emoji.
_JOINERS: Final = frozenset("\u200c\u200d")


def username(text: str) -> str:
    """As it is shown: composed, in lower case. Raises Unprocessable ``invalid_username``."""
    name = _folded(text)
    if not MIN_USERNAME <= len(name) <= MAX_USERNAME:
        raise _invalid("username", f"needs {MIN_USERNAME} to {MAX_USERNAME} characters")
    if not _USERNAME.fullmatch(name) or _REPEATED_MARKS.search(name) or not _UNSEEN.isdisjoint(name):
        raise _invalid(
            "username", "may have letters and digits only, and single dots, hyphens or underscores between them"
        )
    letters = [char for char in name if char not in _PLAIN]
    if any(not char.isalpha() for char in letters):
        raise _invalid("username", "may have digits from 0 to 9 only")
    if not letters:
        raise _invalid("username", "needs at least one letter")
    scripts = {_script(char) for char in letters}
    if len(scripts) > 1:
        raise _invalid("username", "mixes letters of several scripts, which can be mistaken for one another")
    if None in scripts:
        raise _invalid("username", "is written in a script that few here can read")
    if skeleton(name) in _RESERVED_SKELETONS:
        raise _invalid("username", "is reserved")
    return name


def skeleton(name: str) -> str:
    """What a username looks like; equal for names that can be mistaken for one another."""
    plain = "".join(char for char in unicodedata.normalize("NFD", name) if not unicodedata.combining(char))
    seen = "".join(_seen_as(char) for char in plain.translate(_DOUBLES) if char.isalnum())
    for pair, letter in _PAIRS:
        seen = seen.replace(pair, letter)
    return seen


def _seen_as(char: str) -> str:
    """Step by step, since what one letter is taken for may be taken for a third."""
    for _ in range(4):
        adorned = _ADORNED.fullmatch(unicodedata.name(char, ""))
        if adorned is not None:
            try:
                char = adorned["capital"].lower() if adorned["capital"] else unicodedata.lookup(adorned[1])
            except KeyError:
                return char
        elif char in _LOOK_ALIKES:
            char = _LOOK_ALIKES[char]
        else:
            break
    return char


def _folded(text: str) -> str:
    """Composed and without case. One round may undo the other: some letters fold into two that compose again."""
    folded = unicodedata.normalize("NFKC", text)
    while (again := unicodedata.normalize("NFKC", folded.casefold())) != folded:
        folded = again
    return folded


def email(text: str) -> str:
    """In lower case, as mail servers compare it in practice. Raises Unprocessable ``invalid_email``."""
    # Some letters beyond ASCII become plain ones in lower case: somebody else's address.
    address = text.strip(" ").lower() if text.isascii() else ""
    if len(address) > MAX_EMAIL or len(address.partition("@")[0]) > MAX_LOCAL_PART or not _EMAIL.fullmatch(address):
        raise _invalid("email", "is not an e-mail address that mail can be sent to")
    return address


def display_name(text: str) -> str:
    """One line that reads the way it looks. Raises Unprocessable ``invalid_display_name``."""
    name = unicodedata.normalize("NFC", text)
    if any(_is_hidden(name, at) for at in range(len(name))):
        raise _invalid("display_name", "holds characters that cannot be seen")
    name = " ".join(name.split())
    if not 1 <= len(name) <= MAX_DISPLAY_NAME or not any(unicodedata.category(char)[0] in "LNPS" for char in name):
        raise _invalid("display_name", f"needs 1 to {MAX_DISPLAY_NAME} characters that can be seen")
    return name


def _is_hidden(text: str, at: int) -> bool:
    char = text[at]
    if char in _JOINERS:
        beside = text[max(0, at - 1) : at + 2].replace(char, "", 1)
        return len(beside) < 2 or any(other.isascii() or other in _JOINERS for other in beside)
    return char in _UNSEEN or unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"}


def _script(char: str) -> str | None:
    """The first word of the character's name tells; None for the scripts that are not taken."""
    word = unicodedata.name(char, "").split(" ")[0]
    return "JAPANESE" if word in _JAPANESE else word if word in _SCRIPTS else None


def _invalid(field: str, message: str) -> Unprocessable:
    name = field.replace("_", " ")
    return Unprocessable(f"This {name} {message}.", code=f"invalid_{field}", fields=[FieldError(field, message)])


_RESERVED_SKELETONS: Final = frozenset(map(skeleton, _RESERVED))
