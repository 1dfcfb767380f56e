"""Which web origins may call us, whatever a browser or something else puts into the header."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from hypothesis import example, given
from hypothesis import strategies as st

from api.http.context import RequestContext
from api.http.origins import Origins, is_preflight, normal_origin
from config.sections import Server
from kernel.errors import Forbidden
from tests.api.serving import running

HOSTS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?(\.[a-z]{2,5})?", fullmatch=True) | st.ip_addresses(v=4).map(
    str
)
SCHEMES = st.sampled_from(["http", "https", "capacitor"])
PORTS = st.integers(1, 65535)
DEFAULT_PORTS = {"http": 80, "https": 443}


def asked(origin: str | None = None, *, host: str | None = "meet.example.org", **headers: str) -> web.Request:
    given_headers = dict(headers)
    if origin is not None:
        given_headers["Origin"] = origin
    if host is not None:
        given_headers["Host"] = host
    return make_mocked_request("GET", "/", headers=given_headers)


def allows(
    origin: str,
    *,
    allowed: tuple[str, ...] = (),
    public_url: str = "",
    host: str | None = "meet.example.org",
    secure: bool = False,
) -> bool:
    context = RequestContext("id", "203.0.113.9", secure, 0.0)
    return Origins(allowed, public_url).allows(origin, asked(origin, host=host), context)


# --- one comparable text -------------------------------------------------------------------------------------


@given(SCHEMES, HOSTS, PORTS)
def test_a_default_port_is_the_same_as_none_and_any_other_is_not(scheme: str, host: str, port: int) -> None:
    origin = f"{scheme}://{host}"
    with_port = normal_origin(f"{origin}:{port}")
    assert normal_origin(origin) == origin
    assert with_port == (origin if DEFAULT_PORTS.get(scheme) == port else f"{origin}:{port}")


@given(SCHEMES, HOSTS, st.none() | PORTS)
def test_case_does_not_matter_and_normal_is_normal(scheme: str, host: str, port: int | None) -> None:
    origin = f"{scheme}://{host}" + (f":{port}" if port else "")
    assert normal_origin(origin.upper()) == normal_origin(origin)
    assert normal_origin(normal_origin(origin)) == normal_origin(origin)
    assert normal_origin(origin + "/") == normal_origin(origin)


@given(st.ip_addresses(v=6).map(str), st.none() | PORTS)
def test_ipv6_hosts_keep_their_brackets(host: str, port: int | None) -> None:
    origin = f"http://[{host}]" + (f":{port}" if port and port != 80 else "")
    assert normal_origin(origin) == origin
    assert normal_origin(f"HTTP://[{host.upper()}]:80") == f"http://[{host}]"


@given(st.text() | st.from_regex(r"https?://[\[\]:@/?#%a-z0-9.]{0,20}"))
@example("http://[")
@example("http://[::1")
@example("http://a:99999")
@example("http://a:٣")
@example("http://\u2100.example")
@example("null")
@example("")
@example("://")
@example("http://")
def test_whatever_the_header_holds_nothing_is_raised_and_nothing_is_allowed_by_it(text: str) -> None:
    assert isinstance(normal_origin(text), str)
    ours = "https://only.example.org"
    assert allows(text, allowed=(ours,), public_url="https://meet.example.org") is (
        normal_origin(text) in (ours, "https://meet.example.org")
    )


@given(HOSTS, HOSTS, st.sampled_from(["user@", "user:password@", "@"]))
def test_a_name_before_the_host_makes_it_no_origin_of_that_host(host: str, other: str, user: str) -> None:
    for text in (f"https://{user}{host}", f"https://{other}@{host}"):
        assert normal_origin(text) == text
        assert not allows(text, allowed=(f"https://{host}", f"https://{other}"))


# --- the list ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://app.example.org", True),
        ("https://APP.example.org:443", True),
        ("http://app.example.org", False),
        ("https://app.example.org:8443", False),
        ("https://evil-app.example.org", False),
        ("https://app.example.org.evil.net", False),
        ("https://sub.app.example.org", False),
        ("null", False),
        ("*", False),
        ("", False),
        ("http://localhost:3000", True),
        ("capacitor://localhost", True),
    ],
)
def test_an_origin_is_allowed_as_a_whole_or_not_at_all(origin: str, allowed: bool) -> None:
    listed = ("https://app.example.org", "http://localhost:3000", "capacitor://localhost")
    assert allows(origin, allowed=listed, public_url="https://meet.example.org") is allowed


def test_our_own_pages_may_call_us() -> None:
    assert allows("http://meet.example.org")
    assert allows("http://meet.example.org:8080", host="meet.example.org:8080")
    assert allows("https://meet.example.org", secure=True)
    assert not allows("https://meet.example.org", secure=False)
    assert not allows("http://meet.example.org:8080")


def test_with_a_public_address_the_host_header_proves_nothing() -> None:
    assert allows("https://meet.example.org", public_url="https://meet.example.org/", host="10.0.0.1:8080")
    assert not allows("http://evil.example", public_url="https://meet.example.org", host="evil.example")


def test_a_wildcard_allows_any_origin() -> None:
    assert allows("https://anything.example", allowed=("*",))
    assert allows("null", allowed=("*",))


def test_a_request_without_a_host_names_no_origin_as_ours() -> None:
    assert not allows("http://meet.example.org", host=None)
    assert not allows("", host=None)
    assert not allows("http://", host=None)


# --- headers -------------------------------------------------------------------------------------------------


def test_an_allowed_origin_is_named_in_the_answer_and_another_is_not() -> None:
    origins, context = Origins(("https://app.example.org",), ""), RequestContext("id", "203.0.113.9", False, 0.0)
    told: dict[str, str] = {}
    origins.apply(asked("https://app.example.org"), context, told)
    assert (told["Access-Control-Allow-Origin"], told["Vary"]) == ("https://app.example.org", "Origin")
    assert "RateLimit-Remaining" in told["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Credentials" not in told
    refused: dict[str, str] = {}
    origins.apply(asked("https://evil.example"), context, refused)
    assert refused == {"Vary": "Origin"}
    untold: dict[str, str] = {}
    origins.apply(asked(), context, untold)
    assert untold == {}


def test_a_preflight_of_a_stranger_is_refused() -> None:
    context = RequestContext("id", "203.0.113.9", False, 0.0)
    with pytest.raises(Forbidden) as caught:
        Origins((), "").preflight(asked("https://evil.example"), context)
    assert caught.value.code == "origin_not_allowed"


@pytest.mark.parametrize(
    ("method", "headers", "preflight"),
    [
        ("OPTIONS", {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}, True),
        ("OPTIONS", {"Origin": "https://a.example"}, False),
        ("OPTIONS", {"Access-Control-Request-Method": "POST"}, False),
        ("POST", {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}, False),
    ],
)
def test_only_what_a_browser_asks_beforehand_is_a_preflight(
    method: str, headers: dict[str, str], preflight: bool
) -> None:
    assert is_preflight(make_mocked_request(method, "/", headers=headers)) is preflight


@pytest.mark.parametrize("origin", ["http://caf\udce9.example", "\udcff", "http://[", "http://a:b", "null"])
async def test_an_origin_of_any_bytes_is_answered_by_a_server_that_allows_any(origin: str) -> None:
    async with running(server=Server(port=0, allowed_origins=("*",))) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        request = f"GET /health HTTP/1.1\r\nHost: a\r\nOrigin: {origin}\r\nConnection: close\r\n\r\n"
        writer.write(request.encode("utf-8", "surrogateescape"))
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    assert answer.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 400 "))
