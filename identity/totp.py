"""Codes that a clock makes (RFC 6238, over RFC 4226). Pure: a key and a moment in, codes out."""

from __future__ import annotations

import base64
import hmac
from typing import Final
from urllib.parse import quote, urlencode

ISSUER: Final = "SecureConnect"
PERIOD_SECONDS: Final = 30
DIGITS: Final = 6
# RFC 4226, section 4, R6: 160 bits are recommended.
KEY_BYTES: Final = 20
# A code of the step before or after is taken too: clocks of telephones are a little off, and people type slowly.
DRIFT_STEPS: Final = 1


def hotp(key: bytes, counter: int, *, digits: int = DIGITS, algorithm: str = "sha1") -> str:
    """RFC 4226, section 5.3."""
    mac = hmac.digest(key, counter.to_bytes(8, "big"), algorithm)
    offset = mac[-1] & 0x0F
    number = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFF_FFFF
    return str(number % 10**digits).zfill(digits)


def step_at(now: float) -> int:
    return int(now // PERIOD_SECONDS)


def matching_step(key: bytes, code: str, now: float, *, after: int) -> int | None:
    """The step that ``code`` belongs to; None when it is of none near ``now``, or of one up to ``after``, the last that
    was used. Of several it is the latest, so that no code is good twice."""
    typed = "".join(code.split()).encode("utf-8", "surrogatepass")
    current = step_at(now)
    found = None
    for step in range(max(0, current - DRIFT_STEPS), current + DRIFT_STEPS + 1):
        if hmac.compare_digest(hotp(key, step).encode(), typed) and step > after:
            found = step
    return found


def shown_key(key: bytes) -> str:
    """As people type it into an authenticator that cannot see."""
    return base64.b32encode(key).decode().rstrip("=")


def otpauth_uri(key: bytes, account: str) -> str:
    """What a QR code holds, in the form that authenticators agree on (otpauth)."""
    label = f"{quote(ISSUER, safe='')}:{quote(account, safe='')}"
    parameters = {
        "secret": shown_key(key),
        "issuer": ISSUER,
        "algorithm": "SHA1",
        "digits": DIGITS,
        "period": PERIOD_SECONDS,
    }
    return f"otpauth://totp/{label}?{urlencode(parameters)}"
