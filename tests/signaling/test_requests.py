"""Frames of clients, read: what is right is typed, what is wrong is one of few errors, whatever it is."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling import messages
from signaling.faults import BrokenProtocol, CloseCode, judged
from signaling.messages import LARGEST_FRAME, Request
from signaling.requests import REQUESTS, opened, read

SECTION = {
    "mid": "0",
    "cid": "c1",
    "kind": "video",
    "source": "camera",
    "encrypted": True,
    "layers": [{"rid": "q", "width": 320, "height": 180}],
}
RIGHT: dict[str, dict[str, Any]] = {
    "join": {
        "client": {"name": "page", "version": "1"},
        "e2ee": {"kid_prefix": 0x8001, "sender": "abcdefgh-IJKLMN_"},
    },
    "resume": {"resume_token": "t", "after": 0},
    "leave": {},
    "negotiate": {
        "sdp": "v=0\r\n",
        "publish": [SECTION],
        "receive": {"audio": 3, "video": 4},
    },
    "candidate": {"candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ host", "mid": "0"},
    "want": {"track": "t", "width": 640, "height": 360, "fps": 15, "priority": 2},
    "unwant": {"track": "t"},
    "pin": {"track": "t", "pinned": True},
    "mute": {"track": "t", "muted": False},
    "unpublish": {"track": "t"},
    "set_metadata": {"metadata": "{}", "name": "Ada"},
    "raise_hand": {"raised": True},
    "reaction": {"emoji": "\N{CLAPPING HANDS SIGN}"},
    "data": {"payload": "aGk=", "to": ["p1"], "reliable": False},
}


def frame(kind: Any, data: object = None, **more: object) -> bytes:
    return json.dumps({"type": kind, "data": {} if data is None else data, **more}).encode()


def understood(raw: bytes) -> Request:
    return read(opened(raw))


def code_of(raw: bytes) -> str:
    with pytest.raises(BrokenProtocol) as caught:
        understood(raw)
    verdict = judged(caught.value)
    assert verdict.close is CloseCode.BROKEN_PROTOCOL
    assert len(verdict.fault.detail) <= 300
    return verdict.fault.code


def test_there_is_a_right_one_of_each() -> None:
    assert set(RIGHT) == set(REQUESTS)


@pytest.mark.parametrize("kind", sorted(REQUESTS))
def test_a_right_request_is_read_as_its_type(kind: str) -> None:
    found = understood(frame(kind, RIGHT[kind], id="7"))
    assert type(found) is REQUESTS[kind].request
    assert opened(frame(kind, RIGHT[kind], id="7")).id == "7"


@pytest.mark.parametrize("kind", sorted(REQUESTS))
def test_unknown_fields_are_passed_over_wherever_they_stand(kind: str) -> None:
    data = json.loads(json.dumps(RIGHT[kind]), object_hook=lambda found: {**found, "newer": [1, {"x": None}]})
    assert understood(frame(kind, data, newer=True)) == understood(frame(kind, RIGHT[kind]))


@pytest.mark.parametrize("kind", sorted(REQUESTS))
def test_a_field_that_is_missing_or_of_another_type_breaks_the_protocol(kind: str) -> None:
    fields = {item.name: item for item in msgspec.structs.fields(REQUESTS[kind].request)}
    required = [name for name in RIGHT[kind] if fields[name].required]
    for name in required:
        without = {key: value for key, value in RIGHT[kind].items() if key != name}
        assert code_of(frame(kind, without)) == "invalid_message", name
    for name in RIGHT[kind]:
        other: Any = {"x": 1} if isinstance(RIGHT[kind][name], list) else ["x"]
        wrongs: list[Any] = [other, 1.5, [[]]]
        for wrong in wrongs:
            if name == "fps" and wrong == 1.5:
                continue
            assert code_of(frame(kind, {**RIGHT[kind], name: wrong})) == "invalid_message", (name, wrong)


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("join", "client", {"name": "", "version": "1"}),
        ("join", "client", {"name": "x" * 101, "version": "1"}),
        ("join", "e2ee", {"kid_prefix": 0x7FFF, "sender": "a" * 16}),
        ("join", "e2ee", {"kid_prefix": 0x10000, "sender": "a" * 16}),
        ("join", "e2ee", {"kid_prefix": 0x8000, "sender": "a" * 15}),
        ("join", "e2ee", {"kid_prefix": 0x8000, "sender": "a" * 65}),
        ("join", "e2ee", {"kid_prefix": 0x8000, "sender": "a" * 15 + "+"}),
        ("join", "e2ee", {"kid_prefix": 0x8000, "sender": "a" * 16 + "\n"}),
        ("resume", "after", -1),
        ("resume", "resume_token", "x" * 101),
        ("negotiate", "sdp", "x" * (messages.LONGEST_SDP + 1)),
        ("negotiate", "receive", {"audio": -1, "video": 0}),
        ("negotiate", "receive", {"audio": 0, "video": 129}),
        ("negotiate", "publish", [{**SECTION, "source": "window"}]),
        ("negotiate", "publish", [{**SECTION, "cid": ""}]),
        ("negotiate", "publish", [SECTION] * 129),
        ("negotiate", "publish", [{**SECTION, "layers": [{"rid": "a b", "width": 1, "height": 1}]}]),
        ("candidate", "candidate", "x" * 1_001),
        ("want", "width", -1),
        ("want", "height", 16_385),
        ("want", "fps", 0),
        ("want", "priority", 101),
        ("want", "track", "x" * 65),
        ("reaction", "emoji", ""),
        ("reaction", "emoji", "x" * 33),
        ("set_metadata", "name", "x" * 201),
        ("data", "payload", "a"),
        ("data", "payload", "aGk"),
        ("data", "payload", "A" * 20_004),
        ("data", "to", ["x"] * 1_001),
    ],
)  # fmt: skip
def test_a_value_beyond_its_bounds_breaks_the_protocol(kind: str, name: str, value: Any) -> None:
    assert code_of(frame(kind, {**RIGHT[kind], name: value})) == "invalid_message"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "malformed_json"),
        (b"hello", "malformed_json"),
        (b"{", "malformed_json"),
        (b'{"type":"leave"} x', "malformed_json"),
        (b'{"type":"leave","data":{]}', "malformed_json"),
        (b"\xff\xfe", "malformed_json"),
        (b'{"type":"lea\xffve"}', "malformed_json"),
        (b'{"type":"set_metadata","data":{"metadata":"\xff"}}', "malformed_json"),
        (b'{"type":"set_metadata","data":{"metadata":"\\ud800"}}', "malformed_json"),
        (b"[]", "invalid_message"),
        (b"null", "invalid_message"),
        (b'"leave"', "invalid_message"),
        (b"{}", "invalid_message"),
        (b'{"type":1}', "invalid_message"),
        (b'{"type":"leave","id":7}', "invalid_message"),
        (b'{"type":"leave","id":""}', "invalid_message"),
        (b'{"type":"leave","id":"%s"}' % (b"x" * 65), "invalid_message"),
        (b'{"type":"leave","data":[]}', "invalid_message"),
        (b'{"type":"leave","data":null}', "invalid_message"),
        (b'{"type":"pin","data":{"track":"t","pinned":1}}', "invalid_message"),
        (b'{"type":"pin","data":{"track":7,"pinned":true}}', "invalid_message"),
        (b'{"type":"want","data":{"track":"t","width":1e400,"height":1}}', "invalid_message"),
        (b'{"type":"want","data":{"track":"t","width":NaN,"height":1}}', "malformed_json"),
        (b'{"type":"vanish"}', "unknown_type"),
        (b'{"type":"admitted"}', "unknown_type"),
        (b'{"type":"%s"}' % (b"x" * 65), "invalid_message"),
        (b'{"type":"leave","x":%s}' % (b"[" * 100_000), "malformed_json"),
        (b'{"type":"leave","data":%s%s}' % (b"[" * 100_000, b"]" * 100_000), "malformed_json"),
        (b'{"type":"leave","data":{"x":"%s"}}' % (b"x" * LARGEST_FRAME), "frame_too_large"),
    ],
)  # fmt: skip
def test_what_is_no_message_breaks_the_protocol(raw: bytes, code: str) -> None:
    assert code_of(raw) == code


def test_a_frame_of_just_that_size_is_read() -> None:
    head, tail = b'{"type":"leave","x":"', b'"}'
    raw = head + b"x" * (LARGEST_FRAME - len(head) - len(tail)) + tail
    assert len(raw) == LARGEST_FRAME
    assert understood(raw) == messages.Leave()


@given(st.binary(max_size=300))
def test_no_bytes_do_anything_but_break_the_protocol(raw: bytes) -> None:
    with pytest.raises(BrokenProtocol):
        understood(raw)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "type": JSON | st.sampled_from(sorted(REQUESTS)),
            "id": JSON,
            "data": JSON | st.dictionaries(st.sampled_from(["track", "muted", "sdp", "payload", "client"]), JSON),
        },
    )
)
def test_any_json_is_read_or_breaks_the_protocol(value: dict[str, Any]) -> None:
    raw = json.dumps(value).encode()
    with suppress(BrokenProtocol):
        assert isinstance(understood(raw), REQUESTS[value["type"]].request)
