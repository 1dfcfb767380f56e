"""Access tokens and their keys: what is believed, and everything that somebody may try instead."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from config.problems import ConfigError
from config.sections import Identity
from identity import tokens
from identity.keyfiles import file_key_set, shared_key_set
from identity.tokens import AccessTokens, Claims, KeySet
from kernel.errors import Unauthenticated
from tests.worlds import world

NOW = 1_750_000_000.0
LIFETIME = 900.0
USER, SESSION = uuid4(), uuid4()
SHARED = shared_key_set(b"k" * 32)

PrivateKey = ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
RSA_KEY = rsa.generate_private_key(65537, 2048)
ED_KEY = ed25519.Ed25519PrivateKey.generate()


def private_file(path: Path, key: Any, *, passphrase: bytes | None = None) -> str:
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    return str(path)


def public_pem(key: Any) -> bytes:
    pem: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem


def public_file(path: Path, key: Any) -> str:
    path.write_bytes(public_pem(key))
    return str(path)


def issued(by: AccessTokens, now: float = NOW) -> str:
    return by.issue(user=USER, session=SESSION, token_id="t1", roles=["admin"], now=now)


def said(now: float = NOW) -> dict[str, Any]:
    return {
        "iss": tokens.ISSUER,
        "aud": tokens.AUDIENCE,
        "sub": str(USER),
        "sid": str(SESSION),
        "jti": "t1",
        "iat": int(now),
        "exp": int(now + LIFETIME),
        "roles": [],
    }


def header(keys: KeySet) -> dict[str, Any]:
    return {"kid": keys.signing.name, "typ": tokens.TYPE, "alg": keys.signing.algorithm}


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def signed(head: dict[str, Any], claims: dict[str, Any], key: bytes) -> str:
    """HS256 with nothing of what a library would refuse."""
    text = f"{part(head)}.{part(claims)}"
    mac = hmac.digest(key, text.encode(), "sha256")
    return f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def refusal(of: AccessTokens, token: str, now: float = NOW) -> str:
    with pytest.raises(Unauthenticated) as caught:
        of.verify(token, now)
    return caught.value.code


def test_what_was_issued_is_believed_and_says_who_it_is() -> None:
    ours = AccessTokens(SHARED, lifetime=LIFETIME)
    assert ours.verify(issued(ours), NOW) == Claims(
        sub=USER, sid=SESSION, jti="t1", exp=NOW + LIFETIME, iat=NOW, roles=frozenset({"admin"})
    )


def test_what_is_signed_by_hand_as_ours_are_is_believed_so_the_refusals_below_mean_something() -> None:
    assert AccessTokens(SHARED, lifetime=LIFETIME).verify(signed(header(SHARED), said(), b"k" * 32), NOW).sub == USER


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "another-api"},
        {"aud": ["another-api"]},
        {"aud": None},
        {"iss": "somebody"},
        {"iss": None},
        {"sub": "ada"},
        {"sub": 7},
        {"sid": ""},
        {"sid": None},
        {"jti": None},
        {"jti": 7},
        {"exp": None},
        {"exp": "soon"},
        {"exp": True},
        {"iat": None},
        {"iat": NOW + 60},
        {"roles": "admin"},
        {"roles": [7]},
    ],
)
def test_a_claim_that_is_wrong_or_missing_is_refused(changed: dict[str, Any]) -> None:
    claims = {name: value for name, value in {**said(), **changed}.items() if value is not None}
    assert (
        refusal(AccessTokens(SHARED, lifetime=LIFETIME), signed(header(SHARED), claims, b"k" * 32)) == "invalid_token"
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"typ": "JWT"},
        {"typ": None},
        {"typ": "at+jwt "},
        {"kid": "another"},
        {"kid": None},
        {"kid": 7},
        {"kid": ["a"]},
        {"alg": "none"},
        {"alg": "None"},
        {"alg": "HS384"},
        {"alg": "EdDSA"},
        {"alg": None},
        {"alg": 7},
        {"crit": ["x"], "x": 1},
    ],
)
def test_a_header_that_says_something_else_is_refused(changed: dict[str, Any]) -> None:
    head = {name: value for name, value in {**header(SHARED), **changed}.items() if value is not None}
    assert refusal(AccessTokens(SHARED, lifetime=LIFETIME), signed(head, said(), b"k" * 32)) == "invalid_token"


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", ""])
@pytest.mark.parametrize("keys", [SHARED], ids=["HS256"])
def test_no_token_goes_without_a_signature(keys: KeySet, algorithm: str) -> None:
    unsigned = f"{part({**header(keys), 'alg': algorithm})}.{part(said())}."
    assert refusal(AccessTokens(keys, lifetime=LIFETIME), unsigned) == "invalid_token"


@pytest.mark.parametrize("key", [RSA_KEY, ED_KEY], ids=["RS256", "EdDSA"])
def test_a_public_key_is_no_secret_to_sign_with(tmp_path: Path, key: PrivateKey) -> None:
    """Key confusion: whoever knows the public key signs with it as if it were an HMAC secret."""
    keys = file_key_set(private_file(tmp_path / "key.pem", key), [])
    ours = AccessTokens(keys, lifetime=LIFETIME)
    assert ours.verify(issued(ours), NOW).sub == USER
    raw = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for secret in (public_pem(key), public_pem(key).strip(), raw):
        for algorithm in ("HS256", keys.signing.algorithm):
            assert refusal(ours, signed({**header(keys), "alg": algorithm}, said(), secret)) == "invalid_token"
    assert refusal(ours, f"{part({**header(keys), 'alg': 'none'})}.{part(said())}.") == "invalid_token"


def test_another_installations_token_is_refused() -> None:
    theirs = AccessTokens(shared_key_set(b"j" * 32), lifetime=LIFETIME)
    assert refusal(AccessTokens(SHARED, lifetime=LIFETIME), issued(theirs)) == "invalid_token"


@given(st.data())
def test_a_token_that_was_changed_anywhere_is_refused(data: st.DataObject) -> None:
    ours = AccessTokens(SHARED, lifetime=LIFETIME)
    token = issued(ours)
    at = data.draw(st.integers(0, len(token) - 2))  # the last character holds bits that mean nothing
    other = data.draw(st.sampled_from("ABCDabcd0189-_.").filter(lambda char: char != token[at]))
    assert refusal(AccessTokens(SHARED, lifetime=LIFETIME), token[:at] + other + token[at + 1 :]) == "invalid_token"


@given(st.text(max_size=200) | st.from_regex(r"[\w-]{1,40}\.[\w-]{1,40}\.[\w-]{0,40}", fullmatch=True))
def test_what_is_no_token_is_refused_and_nothing_worse(text: str) -> None:
    assert refusal(AccessTokens(SHARED, lifetime=LIFETIME), text) == "invalid_token"


@pytest.mark.parametrize("text", ["", ".", "..", "\ud800.a.b", "a" * 5000, part([]) + "." + part([]) + "."])
def test_odd_texts_are_refused(text: str) -> None:
    assert refusal(AccessTokens(SHARED, lifetime=LIFETIME), text) == "invalid_token"


def test_an_oversized_token_is_refused_though_its_signature_is_right() -> None:
    long = signed(header(SHARED), {**said(), "padding": "x" * tokens.MAX_TOKEN_LENGTH}, b"k" * 32)
    assert refusal(AccessTokens(SHARED, lifetime=LIFETIME), long) == "invalid_token"


def test_a_token_ends_with_its_time_whether_it_is_remembered_or_not() -> None:
    ours = AccessTokens(SHARED, lifetime=LIFETIME)
    token = issued(ours)
    last = NOW + LIFETIME + tokens.LEEWAY_SECONDS - 0.01
    assert ours.verify(token, NOW).sub == USER
    assert ours.verify(token, last).sub == USER
    assert refusal(ours, token, last + 0.01) == "token_expired"
    assert refusal(ours, token, last + 0.01) == "token_expired"
    assert refusal(AccessTokens(SHARED, lifetime=LIFETIME), token, last + 0.01) == "token_expired"


def test_a_token_from_the_future_is_none_beyond_what_clocks_differ_by() -> None:
    token = issued(AccessTokens(SHARED, lifetime=LIFETIME))
    assert AccessTokens(SHARED, lifetime=LIFETIME).verify(token, NOW - tokens.LEEWAY_SECONDS).sub == USER
    assert refusal(AccessTokens(SHARED, lifetime=LIFETIME), token, NOW - tokens.LEEWAY_SECONDS - 1) == "invalid_token"


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 2 * LIFETIME)), max_size=30))
def test_what_is_remembered_answers_as_what_is_not(asked: list[tuple[int, float]]) -> None:
    remembering = AccessTokens(SHARED, lifetime=LIFETIME)
    issuer = AccessTokens(SHARED, lifetime=LIFETIME)
    all_tokens = [issued(issuer, NOW + 100 * number) for number in range(6)]

    def answer(of: AccessTokens, token: str, now: float) -> object:
        try:
            return of.verify(token, now)
        except Unauthenticated as error:
            return error.code

    now = NOW + 500
    for number, later in sorted(asked, key=lambda item: item[1]):
        at = now + later
        assert answer(remembering, all_tokens[number], at) == answer(
            AccessTokens(SHARED, lifetime=LIFETIME), all_tokens[number], at
        )


def test_no_more_tokens_are_remembered_than_the_bound_and_no_bad_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "REMEMBERED", 4)
    ours = AccessTokens(SHARED, lifetime=LIFETIME)
    for number in range(10):
        ours.verify(issued(ours, NOW + number), NOW + 10)
        refusal(ours, f"bad{number}", NOW)
    assert len(ours._known) == 4


def test_who_was_here_long_ago_is_not_remembered() -> None:
    """On other nodes than that which erased them, this is how they are forgotten."""
    ours = AccessTokens(SHARED, lifetime=LIFETIME)
    ours.verify(issued(ours), NOW)
    later = issued(ours, NOW + LIFETIME + tokens.LEEWAY_SECONDS)
    ours.verify(later, NOW + LIFETIME + tokens.LEEWAY_SECONDS)
    assert set(ours._known) == {later}


# --- keys from files ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("key", "algorithm"), [(ED_KEY, "EdDSA"), (RSA_KEY, "RS256")], ids=["EdDSA", "RS256"])
def test_a_key_file_signs_and_others_can_verify_with_its_public_half(
    tmp_path: Path, key: PrivateKey, algorithm: str
) -> None:
    keys = file_key_set(private_file(tmp_path / "key.pem", key), [])
    token = issued(AccessTokens(keys, lifetime=LIFETIME))
    assert jwt.get_unverified_header(token)["alg"] == algorithm
    assert AccessTokens(keys, lifetime=LIFETIME).verify(token, NOW).sub == USER


def test_keys_are_changed_while_tokens_of_the_old_one_are_still_good(tmp_path: Path) -> None:
    old = file_key_set(private_file(tmp_path / "old.pem", ED_KEY), [])
    token = issued(AccessTokens(old, lifetime=LIFETIME))
    new_file = private_file(tmp_path / "new.pem", RSA_KEY)
    both = AccessTokens(file_key_set(new_file, [public_file(tmp_path / "old.pub", ED_KEY)]), lifetime=LIFETIME)
    assert both.verify(token, NOW).sub == USER
    assert jwt.get_unverified_header(issued(both))["alg"] == "RS256"
    assert refusal(AccessTokens(file_key_set(new_file, []), lifetime=LIFETIME), token) == "invalid_token"


async def test_a_server_signs_with_its_key_file_and_a_changed_key_keeps_people_signed_in(tmp_path: Path) -> None:
    old, new = private_file(tmp_path / "old.pem", ED_KEY), private_file(tmp_path / "new.pem", RSA_KEY)
    async with world(tmp_path, identity=Identity(signing_key_file=old)) as here:
        ada = await here.person("ada")
        assert jwt.get_unverified_header(ada.token or "")["alg"] == "EdDSA"
    changed = Identity(signing_key_file=new, verifying_key_files=(public_file(tmp_path / "old.pub", ED_KEY),))
    async with world(tmp_path, identity=changed) as here:
        ada.session = here.session
        assert (await ada.get("/v1/auth/profile")).status == 200
        refreshed = await ada.post("/v1/auth/refresh", {"refresh_token": ada.tokens["refresh_token"]})
        assert jwt.get_unverified_header(refreshed.body["access_token"])["alg"] == "RS256"


def unreadable(path: Path) -> str:
    return str(path / "nowhere.pem")


def text(path: Path) -> str:
    (path / "text.pem").write_text("no key")
    return str(path / "text.pem")


def short(path: Path) -> str:
    return private_file(path / "short.pem", rsa.generate_private_key(65537, 1024))  # noqa: S505


def curve(path: Path) -> str:
    return private_file(path / "curve.pem", ec.generate_private_key(ec.SECP256R1()))


def locked(path: Path) -> str:
    return private_file(path / "locked.pem", ED_KEY, passphrase=b"open")


def public(path: Path) -> str:
    return public_file(path / "public.pem", ED_KEY)


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (unreadable, "cannot be read: No such file"),
        (text, "is not a private key in PEM"),
        (short, "1024 bits; it needs 2048"),
        (curve, "neither an Ed25519 nor an RSA key; make one with `openssl genpkey"),
        (locked, "without a passphrase; make one with `openssl genpkey"),
        (public, "is not a private key in PEM"),
        (str, "cannot be read: Is a directory"),
    ],
)
def test_a_key_file_that_will_not_do_is_named_with_the_cure(
    tmp_path: Path, made: Callable[[Path], str], says: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        file_key_set(made(tmp_path), [])
    [problem] = caught.value.problems
    assert problem.key == "identity.signing_key_file"
    assert says in problem.message


@pytest.mark.parametrize("kind", ["private", "short"])
def test_a_verifying_key_that_will_not_do_is_refused(tmp_path: Path, kind: str) -> None:
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505
    bad = {
        "private": private_file(tmp_path / "private.pem", ED_KEY),
        "short": public_file(tmp_path / "weak.pub", weak),
    }[kind]
    with pytest.raises(ConfigError) as caught:
        file_key_set(private_file(tmp_path / "key.pem", ED_KEY), [bad])
    assert caught.value.problems[0].key == "identity.verifying_key_files"


def test_the_name_of_a_key_tells_nothing_of_it() -> None:
    assert SHARED.signing.name == hashlib.sha256(b"k" * 32).hexdigest()[:16]
