"""Codes that a clock makes, against the test vectors of their specifications."""

from __future__ import annotations

import base64
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.totp import DIGITS, PERIOD_SECONDS, hotp, matching_step, otpauth_uri, shown_key, step_at

KEY = b"12345678901234567890"
# RFC 6238, appendix B: the key is as long as the hash of its algorithm.
KEYS = {
    "sha1": KEY,
    "sha256": b"12345678901234567890123456789012",
    "sha512": b"1234567890123456789012345678901234567890123456789012345678901234",
}
VECTORS = [
    (59, "sha1", "94287082"),
    (59, "sha256", "46119246"),
    (59, "sha512", "90693936"),
    (1111111109, "sha1", "07081804"),
    (1111111109, "sha256", "68084774"),
    (1111111109, "sha512", "25091201"),
    (1111111111, "sha1", "14050471"),
    (1111111111, "sha256", "67062674"),
    (1111111111, "sha512", "99943326"),
    (1234567890, "sha1", "89005924"),
    (1234567890, "sha256", "91819424"),
    (1234567890, "sha512", "93441116"),
    (2000000000, "sha1", "69279037"),
    (2000000000, "sha256", "90698825"),
    (2000000000, "sha512", "38618901"),
    (20000000000, "sha1", "65353130"),
    (20000000000, "sha256", "77737706"),
    (20000000000, "sha512", "47863826"),
]
MOMENTS = st.floats(min_value=0, max_value=4e9, allow_nan=False)
KEYS_MADE = st.binary(min_size=20, max_size=20)


def test_the_codes_of_rfc_4226() -> None:
    codes = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"]
    assert [hotp(KEY, counter) for counter in range(10)] == codes


@pytest.mark.parametrize(("moment", "algorithm", "code"), VECTORS)
def test_the_codes_of_rfc_6238(moment: int, algorithm: str, code: str) -> None:
    assert hotp(KEYS[algorithm], step_at(moment), digits=8, algorithm=algorithm) == code


@given(KEYS_MADE, MOMENTS, st.integers(min_value=-1, max_value=1))
def test_a_clock_may_be_one_step_off(key: bytes, now: float, drift: int) -> None:
    step = step_at(now) + drift
    if step >= 0:
        found = matching_step(key, hotp(key, step), now, after=-1)
        # Once in a million the next step has the same code.
        assert found is not None
        assert hotp(key, found) == hotp(key, step)


@given(KEYS_MADE, MOMENTS, st.integers(min_value=2, max_value=1000), st.booleans())
def test_a_clock_may_not_be_further_off(key: bytes, now: float, steps: int, is_ahead: bool) -> None:
    step = step_at(now) + (steps if is_ahead else -steps)
    near = {hotp(key, max(0, step_at(now) + drift)) for drift in (-1, 0, 1)}
    if step >= 0 and (code := hotp(key, step)) not in near:
        assert matching_step(key, code, now, after=-1) is None


@given(KEYS_MADE, st.lists(st.tuples(MOMENTS, st.integers(min_value=-3, max_value=3)), max_size=30))
def test_no_code_is_taken_twice_however_clocks_jump(key: bytes, attempts: list[tuple[float, int]]) -> None:
    last, used = -1, set()
    for now, drift in attempts:
        step = matching_step(key, hotp(key, max(0, step_at(now) + drift)), now, after=last)
        if step is not None:
            assert step > last
            assert step not in used
            used.add(step)
            last = step


@given(st.text(max_size=16))
def test_what_is_no_code_matches_nothing(typed: str) -> None:
    now = 1_750_000_000.0
    codes = {hotp(KEY, step_at(now) + drift) for drift in (-1, 0, 1)}
    if "".join(typed.split()) not in codes:
        assert matching_step(KEY, typed, now, after=-1) is None


def test_spaces_between_the_digits_do_not_matter() -> None:
    code = hotp(KEY, step_at(1_750_000_000.0))
    assert matching_step(KEY, f" {code[:3]} {code[3:]} ", 1_750_000_000.0, after=-1) is not None


@given(KEYS_MADE, st.emails())
def test_an_authenticator_reads_from_the_uri_what_it_needs(key: bytes, email: str) -> None:
    parts = urlsplit(otpauth_uri(key, email))
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert unquote(parts.path) == f"/SecureConnect:{email}"
    said = {name: value for name, [value] in parse_qs(parts.query, strict_parsing=True).items()}
    assert base64.b32decode(said["secret"]) == key
    assert said["secret"] == shown_key(key)
    assert (said["issuer"], said["algorithm"]) == ("SecureConnect", "SHA1")
    assert (said["digits"], said["period"]) == (str(DIGITS), str(PERIOD_SECONDS))
