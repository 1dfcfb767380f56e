"""What a log must not show is gone, what it needs to be useful stays, and hostile text costs no time."""

from __future__ import annotations

import dataclasses
import time
import uuid
from collections import namedtuple
from datetime import UTC, datetime
from enum import Enum
from pathlib import PurePosixPath

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.redaction import LONGEST_TEXT, Redactor
from config.values import Duration, Secret

REDACTOR = Redactor(b"k" * 32, [Secret("our-own-signing-secret"), Secret("tiny")])
HASH = r"#[0-9a-f]{12}"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
OPAQUE = "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFy0A_x"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Authorization: Bearer abc.def.ghi", "Authorization: [redacted]"),
        ("sent Bearer abcdef, then left", "sent Bearer [redacted], then left"),
        ("sent Basic dXNlcjpwYXNz", "sent Basic [redacted]"),
        ("Cookie: a=1; sid=2\nHost: x", "Cookie: [redacted]\nHost: x"),
        (f"got {JWT} twice", "got [redacted] twice"),
        (f"session.{JWT}", "session.[redacted]"),
        (f"/reset/{OPAQUE}", "/reset/[redacted]"),
        (OPAQUE, "[redacted]"),
        ("postgresql://user:pass@db.example/name", "postgresql://[redacted]@db.example/name"),
        ("redis://:p@ss/word@h:6379", "redis://[redacted]@h:6379"),
        ("password=hunter2&x=1", "password=[redacted]&x=1"),
        ("{'password': 'hunter two', 'n': 1}", "{'password': [redacted], 'n': 1}"),
        ('{"secret_key": "a\\"b", "n": 1}', '{"secret_key": [redacted], "n": 1}'),
        ("Login(user='u', password='it\\'s', n=1)", "Login(user='u', password=[redacted], n=1)"),
        ("API-Key: 123", "API-Key: [redacted]"),
        ("https://x.example/?access_token=abc&b=c", "https://x.example/?access_token=[redacted]&b=c"),
        ("https://s3.example/o?X-Amz-Signature=0a1b", "https://s3.example/o?X-Amz-Signature=[redacted]"),
        ("the token 0a1b2c was refused", "the token [redacted] was refused"),
        ("a=ice-pwd:x9k2m4", "a=ice-pwd:[redacted]"),
        ("offer v=0\r\no=- 1 2 IN IP4 10.0.0.1\r\n", "offer [redacted]"),
        ("key -----BEGIN PRIVATE KEY-----\nMIIEv\n-----END", "key [redacted]"),
        ("INSERT ... [parameters: ('alice', 'x')] (Background", "INSERT ... [parameters: [redacted]"),
        ("DETAIL: Key (name)=(alice) already exists.", "DETAIL: Key (name)=([redacted]"),
        ("with our-own-signing-secret inside", "with [redacted] inside"),
    ],
)
def test_secrets_are_known_by_their_shape(text: str, expected: str) -> None:
    assert REDACTOR.text(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "request failed",
        "the token expired",
        "basic usage of bearer token checks",
        "0192f0c0-1111-7222-8333-444455556666",
        "/v1/conversations/{conversation}/messages/{message}",
        "/usr/lib/python3.11/site-packages/sqlalchemy/engine/base.py",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "took 12:34:56 in release 3.11.7",
        "listening on http://127.0.0.1:8080 and [::1]:8080",
        "bound to 0.0.0.0",
        "a::Path std::vec",
        "tiny things",
        "ümläut, 日本語 and emoji 🎉",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert REDACTOR.text(text) == text


@pytest.mark.parametrize(
    "template",
    ["{}", "peer {} left", "({})", "addr:{}", "peers=[{}, {}]", "from {}; to", '"{}"', "ip={}", "first {}.", "<{}>"],
)
@pytest.mark.parametrize(
    "address",
    ["203.0.113.9", "2001:db8::1", "2001:db8:0:1:2:3:4:5", "fe80::a", "::ffff:203.0.113.9", "alice@example.org"],
)
def test_addresses_become_a_hash_wherever_they_stand(template: str, address: str) -> None:
    written = REDACTOR.text(template.format(address, address))
    assert address not in written
    assert REDACTOR.hash_address(address) in written
    assert "203.0.113" not in written
    assert "2001:db8" not in written


def test_a_port_beside_an_address_stays() -> None:
    hashed = REDACTOR.hash_address("203.0.113.9")
    assert REDACTOR.text("203.0.113.9:443 [2001:db8::1]:80").startswith(f"{hashed}:443 [#")


def test_hashes_are_stable_and_of_this_installation_only() -> None:
    again, other = Redactor(b"k" * 32), Redactor(b"o" * 32)
    assert REDACTOR.hash_address("203.0.113.9") == again.hash_address("203.0.113.9")
    assert REDACTOR.hash_address("203.0.113.9") != other.hash_address("203.0.113.9")
    assert REDACTOR.hash_address("Alice@Example.org") == REDACTOR.hash_address("alice@example.org")


@pytest.mark.parametrize(
    "key",
    [
        "password", "new_password", "token", "accessToken", "refresh_tokens", "Authorization", "set-cookie", "api_key",
        "apiKey", "API_KEY", "X-Api-Key", "secret", "client_secret", "otp", "totp_code", "envelope", "body", "content",
        "message_body", "sdp", "offer", "candidate", "ice_pwd", "private_key", "identityKey", "recovery_codes", "jwt",
        "ticket", "signature", "dsn", "payload", "credentials",
    ],
)  # fmt: skip
@pytest.mark.parametrize("value", ["hunter2", 123456, ["hunter2"], {"x": "hunter2"}, b"hunter2", 1.5])
def test_fields_with_such_names_are_never_shown(key: str, value: object) -> None:
    assert REDACTOR.field(key, value) == "[redacted]"
    assert REDACTOR.value({"outer": [{key: value}]}) == {"outer": [{key: "[redacted]"}]}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("content_type", "application"), ("content_length", 12), ("body_size", 12), ("body_bytes", 12),
        ("token_count", 3), ("token_id", "0192f0c0"), ("auth_method", "totp"), ("secret", None), ("token", True),
        ("author", "someone"), ("key", "some"), ("description", "pinned"), ("tokenizer", "fast"), ("spin", "x"),
    ],
)  # fmt: skip
def test_fields_about_such_things_stay(key: str, value: object) -> None:
    assert REDACTOR.field(key, value) == value


@pytest.mark.parametrize("key", ["ip", "remote_addr", "client_ip", "peer", "email", "address", "phone"])
def test_fields_of_addresses_are_hashed_whatever_they_hold(key: str) -> None:
    assert REDACTOR.field(key, "+49 30 901820") == REDACTOR.hash_address("+49 30 901820")
    assert REDACTOR.field(key, ("203.0.113.9", 443)) == [REDACTOR.hash_address("203.0.113.9"), 443]
    assert REDACTOR.field(key, "127.0.0.1") == "127.0.0.1"


@dataclasses.dataclass
class Login:
    user: str
    password: str


class Upload(msgspec.Struct):
    name: str
    body: bytes


class Mode(Enum):
    SECURE = "secure"


Peer = namedtuple("Peer", "name token")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Login("u", "hunter2"), {"user": "u", "password": "[redacted]"}),
        (Upload("n", b"hunter2"), {"name": "n", "body": "[redacted]"}),
        (Peer("n", "hunter2"), {"name": "n", "token": "[redacted]"}),
        (Secret("hunter2"), "set"),
        (b"hunter2", "[7 bytes]"),
        (memoryview(b"hunter2"), "[7 bytes]"),
        (ValueError("password=hunter2"), "ValueError: password=[redacted]"),
        (Mode.SECURE, "secure"),
        (Duration(90), "90s"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC), "2025-01-02 03:04:05+00:00"),
        (PurePosixPath("/a/b"), "/a/b"),
        ({1: {"token=hunter2": 1}}, {"1": {"token=[redacted]": "[redacted]"}}),
        ({"a": {"b": {"c": {"d": {"e": 1}}}}}, {"a": {"b": {"c": {"d": "..."}}}}),
        (set(), []),
    ],
)
def test_nested_values_are_told_part_by_part(value: object, expected: object) -> None:
    assert REDACTOR.value(value) == expected


def test_collections_and_cycles_are_bounded() -> None:
    endless: list[object] = []
    endless.extend([endless] * 1000)
    assert len(msgspec.json.encode(REDACTOR.value(endless))) < 200_000
    assert len(msgspec.json.encode(REDACTOR.value({str(n): "x" for n in range(100_000)}))) < 2000


@given(st.integers(min_value=0, max_value=LONGEST_TEXT + 600), st.sampled_from([JWT, "alice@example.org", OPAQUE]))
def test_no_half_of_a_secret_is_left_where_text_is_cut(position: int, secret: str) -> None:
    written = REDACTOR.text("x " * (position // 2) + secret + " y" * LONGEST_TEXT)
    assert len(written) <= LONGEST_TEXT + 20
    assert secret[:12] not in written


@given(st.text(max_size=400))
def test_redacting_text_never_fails_and_is_settled_after_once(text: str) -> None:
    once = REDACTOR.text(text)
    assert REDACTOR.text(once) == once


@pytest.mark.parametrize(
    "piece",
    [
        "://", "@", "a@", "eyJ", "-eyJ", "eyJ.", "a.", "1.", ":", "1:", "::1 ", "a:a:", "token", "token ", "token=",
        "token: ", "password:'", "'", '"\\', "bearer ", "basic ", "aA1", "aA1 ", "aA1-", "-", "v=0", "otp ", "secret-",
        "cookie:", "-----BEGIN ", "[parameters: ", ")=(", "1.1.1.1 ", "a@b.c ", "{", "/", "\\",
    ],
)  # fmt: skip
def test_hostile_text_costs_no_more_than_long_text(piece: str) -> None:
    redactor = Redactor(b"k" * 32)
    texts = [piece * (10_000 // len(piece)), "x" + piece * (10_000 // len(piece)) + "=@ "]
    started = time.thread_time()
    for text in texts:
        redactor.text(text)
    # A few milliseconds in truth; a pattern that gives back and tries again takes seconds.
    assert time.thread_time() - started < 0.25
