"""Offers of real browsers are understood; what is no offer is a BadOffer with a word that stays."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from media.candidates import Candidate, Protocol
from media.extensions import LONGEST_NAME
from media.sdp.answer import answer, new_slot_line
from media.sdp.attributes import candidate
from media.sdp.codecs import CLEAR, SECURE
from media.sdp.model import BadOffer, Direction, Msid, Rid, SsrcGroup
from media.sdp.negotiation import Terms, agree, carried_over
from media.sdp.parse import MAX_SECTION_LINES, MAX_SECTIONS, MAX_SIZE, parse_offer
from tests.media.sdp_offers import DATA, LOCAL, OFFERS, joined, offer, section, slot, without


def reason(text: str | bytes) -> str:
    with pytest.raises(BadOffer) as caught:
        parse_offer(text)
    return caught.value.reason


@pytest.mark.parametrize("name", OFFERS)
def test_real_offers_are_understood(name: str) -> None:
    parsed = parse_offer(offer(name))
    assert parsed.bundle == tuple(one.mid for one in parsed.sections)
    assert parsed.transport.setup == "actpass"
    assert parsed.transport.options == ("trickle",)
    assert [one.algorithm for one in parsed.transport.fingerprints] == ["sha-256"]
    assert all(one.rtcp_mux and one.codecs and one.extensions and one.candidates for one in parsed.sections)


def test_bytes_and_views_read_as_text_does() -> None:
    text = offer("basic")
    assert parse_offer(text.encode()) == parse_offer(memoryview(text.encode())) == parse_offer(text)
    assert parse_offer(text.replace("\r\n", "\n")) == parse_offer(text)


def test_an_offer_of_chromium_in_full() -> None:
    audio, video = parse_offer(offer("basic")).sections
    opus = audio.codecs[0]
    assert (opus.payload_type, opus.name, opus.clock_rate, opus.channels) == (111, "opus", 48000, 2)
    assert opus.parameters == "minptime=10;useinbandfec=1"
    assert opus.feedback == ("transport-cc",)
    assert audio.msids == (Msid("734e98d4-332f-406f-8a79-237f440564e6", "3533593c-9221-4d55-a082-da85a0590260"),)
    assert video.codecs[0].feedback == ("goog-remb", "transport-cc", "ccm fir", "nack", "nack pli")
    assert video.codecs[1].parameter("apt") == "96"
    assert video.ssrc_groups == (SsrcGroup("FID", (2249409693, 2835032724)),)
    assert video.ssrcs == (2249409693, 2835032724)
    assert video.direction is Direction.SENDRECV
    tcp = audio.candidates[2]
    assert (tcp.protocol, tcp.address, tcp.port, tcp.tcp_type) == (Protocol.TCP, "192.0.2.2", 9, "active")


def test_firefox_says_directions_of_extensions_and_some_things_for_the_session() -> None:
    parsed = parse_offer(offer("simulcast_firefox"))
    (video,) = parsed.sections
    directions = {one.id: one.direction for one in video.extensions}
    assert directions[9] is directions[10] is directions[8] is Direction.SENDONLY
    assert directions[6] is Direction.RECVONLY
    assert directions[3] is None
    assert video.rids == (Rid("q", True), Rid("h", True), Rid("f", True))
    assert video.simulcast.send == (("q",), ("h",), ("f",))
    assert video.allows_mixed
    assert not parsed.allows_mixed
    assert len(video.ssrc_groups) == 3
    assert video.msids == (Msid("-", "{c67ef7dd-8efc-4295-afce-7429b1b378d2}"),)


def test_a_data_section() -> None:
    data = parse_offer(joined(offer("basic"), DATA)).sections[2]
    assert (data.kind, data.mid, data.sctp_port, data.max_message_size) == ("application", "d", 5000, 262144)


def test_a_later_offer_need_not_repeat_the_transport_in_each_section() -> None:
    text = offer("basic")
    second = section(text, 1)
    for attribute in ("ice-ufrag", "ice-pwd", "fingerprint", "setup", "ice-options", "candidate"):
        second = without(second, attribute)
    assert parse_offer(text.replace(section(text, 1), second)).transport == parse_offer(text).transport


def test_choices_pauses_and_restrictions_of_simulcast() -> None:
    text = offer("simulcast").replace("a=rid:q send", "a=rid:q send pt=96;max-width=320")
    video = parse_offer(text.replace("send q;h;f", "send q,h;~f")).sections[1]
    assert video.simulcast.send == (("q", "h"), ("f",))
    assert video.rids[0] == Rid("q", True, "pt=96;max-width=320", (96,))


def test_a_candidate_by_itself() -> None:
    expected = Candidate("1", 1, Protocol.UDP, 2122187007, "abc.local", 39781)
    assert candidate("1 1 UDP 2122187007 abc.local 39781 typ host") == expected
    assert candidate("candidate:1 1 udp 2122187007 abc.local 39781 typ host generation 0") == expected


BROKEN = [
    ("v=0\r\n", "v=1\r\n", "bad_line"),
    ("s=-\r\n", "nonsense\r\n", "bad_line"),
    ("s=-\r\n", "\r\n", "bad_line"),
    ("s=-\r\n", "s=a\x00b\r\n", "bad_line"),
    ("s=-\r\n", "s=a\rb\r\n", "bad_line"),
    ("s=-\r\n", f"s={'x' * 5000}\r\n", "bad_line"),
    (" 2 IN IP4 127.0.0.1", "", "bad_origin"),
    ("o=- 8088337102724250174", "o=- ²", "bad_number"),
    ("m=audio 49626", "m=audio 99999", "bad_number"),
    ("m=audio 49626", "m=audio", "bad_media_line"),
    ("a=mid:0", "a=mid:with space", "bad_mid"),
    ("a=mid:0", "a=mid:" + "x" * (LONGEST_NAME + 1), "bad_mid"),
    ("a=mid:1", "a=mid:0", "duplicate_mid"),
    ("a=mid:1\r\n", "", "bad_bundle"),
    ("a=mid:1\r\n", "a=mid:1\r\na=mid:1\r\n", "duplicate_attribute"),
    ("BUNDLE 0 1", "BUNDLE 0", "not_bundled"),
    ("BUNDLE 0 1", "BUNDLE 0 1 2", "bad_bundle"),
    ("BUNDLE 0 1", "BUNDLE 0 1\r\na=group:BUNDLE 0 1", "bad_bundle"),
    ("BUNDLE 0 1", "LS 0 1", "not_bundled"),
    ("a=rtpmap:96 VP8/90000", "a=rtpmap:96 VP8", "bad_rtpmap"),
    ("a=rtpmap:96 VP8/90000", "a=rtpmap:200 VP8/90000", "bad_number"),
    ("a=rtpmap:96 VP8/90000", "a=rtpmap:97 VP8/90000", "duplicate_payload_type"),
    ("a=rtpmap:96 VP8/90000", "a=rtpmap:95 VP8/90000", "unlisted_payload_type"),
    ("SAVPF 96 97", "SAVPF 96 97 97", "duplicate_payload_type"),
    ("a=fmtp:97 apt=96", "a=fmtp:97", "bad_fmtp"),
    ("a=fmtp:97 apt=96", "a=fmtp:97 apt=96\r\na=fmtp:97 apt=98", "duplicate_attribute"),
    ("a=rtcp-fb:96 nack\r\n", "a=rtcp-fb:96\r\n", "bad_rtcp_fb"),
    ("a=rtcp-fb:96 nack\r\n", "a=rtcp-fb:* nack\r\n" * 17, "too_many"),
    ("a=extmap:13 ", "a=extmap:15 ", "bad_extmap"),
    ("a=extmap:13 ", "a=extmap:0 ", "bad_number"),
    ("a=extmap:13 ", "a=extmap:13/sideways ", "bad_extmap"),
    ("a=extmap:13 ", "a=extmap:14 ", "duplicate_extension"),
    ("a=ssrc:2835032724 cname", "a=ssrc:99999999999 cname", "bad_number"),
    ("a=ssrc-group:FID 2249409693 2835032724", "a=ssrc-group:FID 1 2", "bad_ssrc_group"),
    ("a=ssrc-group:FID 2249409693 2835032724", "a=ssrc-group:FID", "bad_ssrc_group"),
    ("a=ssrc:2835032724", "a=ssrc:3437320720", "bad_ssrc_group"),
    ("a=ssrc-group:FID 2249409693 2835032724", "a=ssrc:3437320720 cname:x", "duplicate_ssrc"),
    ("a=rtcp-mux\r\n", "", "no_rtcp_mux"),
    ("a=ice-ufrag:RqKo", "a=ice-ufrag:R", "bad_ice_credentials"),
    ("a=ice-pwd:av9OSsuiOXOWVCJoXc/SRurp", "a=ice-pwd:short", "bad_ice_credentials"),
    ("a=ice-ufrag:RqKo\r\n", "", "no_ice_credentials"),
    ("a=fingerprint:sha-256 31:63", "a=fingerprint:sha-256 31", "bad_fingerprint"),
    ("a=fingerprint:sha-256", "a=fingerprint:md5", "no_fingerprint"),
    ("a=setup:actpass", "a=setup:passive", "bad_setup"),
    ("a=setup:actpass", "a=setup:maybe", "bad_setup"),
    ("a=candidate:2352769853 1 udp", "a=candidate:2352769853 udp", "bad_candidate"),
    ("a=candidate:2352769853 1 udp 2122194687", "a=candidate:1", "bad_candidate"),
    ("a=msid:734e", "a=msid: 734e\x7f", "bad_line"),
    ("a=ice-options:trickle", "a=ice-options:" + " ".join("x" * 33), "too_many"),
    ("t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n", "ice_lite_peer"),
]


@pytest.mark.parametrize(("good", "bad", "expected"), BROKEN)
def test_each_malformation_has_its_word(good: str, bad: str, expected: str) -> None:
    text = offer("basic")
    assert good in text
    assert reason(text.replace(good, bad)) == expected


@pytest.mark.parametrize(
    ("good", "bad", "expected"),
    [
        ("send q;h;f", "send q;h;x", "bad_simulcast"),
        ("send q;h;f", "send q;h;h", "bad_simulcast"),
        ("send q;h;f", "both q;h;f", "bad_simulcast"),
        ("send q;h;f", "send q;;f", "bad_simulcast"),
        ("send q;h;f", "send q;h;f send q", "bad_simulcast"),
        ("a=rid:h send", "a=rid:q send", "duplicate_rid"),
        ("a=rid:h send", "a=rid:h sideways", "bad_rid"),
        ("a=rid:h send", "a=rid:h%20 send", "bad_rid"),
        ("a=rid:h send", f"a=rid:{'h' * (LONGEST_NAME + 1)} send", "bad_rid"),
        ("a=rid:h send", "a=rid:h send pt=300", "bad_number"),
    ],
)
def test_simulcast_that_contradicts_itself(good: str, bad: str, expected: str) -> None:
    assert reason(offer("simulcast").replace(good, bad)) == expected


def test_one_transport_for_all() -> None:
    text = offer("basic")
    assert reason(text.replace(section(text, 1), section(text, 1).replace("RqKo", "Else"))) == "transport_mismatch"
    other = section(text, 1).replace("sha-256 31:", "sha-256 32:")
    assert reason(text.replace(section(text, 1), other)) == "transport_mismatch"


def test_nothing_in_use() -> None:
    assert reason("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n") == "nothing_offered"
    assert reason(re.sub(r"m=(audio|video) \d+", r"m=\1 0", offer("basic"))) == "nothing_offered"
    assert reason("") == "bad_line"


def test_bounds() -> None:
    text = offer("basic")
    assert reason(text + "x" * MAX_SIZE) == "too_large"
    assert reason(b"\xff" + text.encode()) == "not_text"
    assert reason(text + "m=audio 0 X 0\r\n" * MAX_SECTIONS) == "too_many"
    assert reason(text + "a=x\r\n" * MAX_SECTION_LINES) == "too_many"
    most = joined(text, *(slot(text, 1, f"s{index}") for index in range(MAX_SECTIONS - 2)))
    assert len(parse_offer(most).sections) == MAX_SECTIONS


def test_the_largest_offers_cost_little() -> None:
    text = offer("basic")
    started = time.process_time()
    for filler in ("a=rtcp-fb:96 nack\r\n", "a=ssrc-group:FID 2249409693 2835032724\r\n", "a=x\r\n"):
        parse_offer(text + filler * 300)
    parse_offer(joined(text, *(slot(text, 1, f"s{index}") for index in range(60))))
    assert time.process_time() - started < 2


def swallow(text: str | bytes) -> None:
    """The whole way, in both kinds of rooms: an answer or a BadOffer."""
    try:
        parsed = parse_offer(text)
    except BadOffer:
        return
    sending = {one.mid for one in parsed.sections if one.direction.sends and one.kind != "application"}
    for policy in (SECURE, CLEAR):
        for published in (frozenset(sending), frozenset[str]()):
            try:
                agreement = agree(parsed, Terms(policy, published))
            except BadOffer:
                continue
            lines = carried_over({}, agreement.slots, lambda one: new_slot_line(one, ssrc=1, rtx_ssrc=2, stream="s"))
            written = answer(agreement, LOCAL, lines)
            assert written.count("\r\nm=") == len(parsed.sections)
            assert written.isascii()
            assert written.count("\n") == written.count("\r\n") == written.count("\r")


@given(st.one_of(st.text(), st.binary()))
@example("v=0\n")
def test_garbage_is_a_bad_offer_and_nothing_else(text: str | bytes) -> None:
    with pytest.raises(BadOffer):
        parse_offer(text)


SOURCES = [joined(offer(name), slot(offer(name), 0, "s1"), DATA) for name in OFFERS]


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(SOURCES), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 4), st.text(max_size=12)), max_size=6)
)
def test_mutated_offers_are_answered_or_bad(source: str, changes: list[tuple[float, int, str]]) -> None:
    lines = source.split("\r\n")
    for place, change, text in changes:
        index = int(place * (len(lines) - 1))
        line = lines[index]
        at = len(text) * 7 % (len(line) + 1)
        lines[index : index + 1] = {
            0: [],
            1: [line, line],
            2: [line[:at] + text + line[at:]],
            3: [line[:at] + line[at + 1 :]],
            4: [lines[int(place * 997) % len(lines)], line],
        }[change]
        lines = lines or [""]
    swallow("\r\n".join(lines))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SOURCES), st.integers(0, 1 << 30), st.sampled_from("0123456789:/;,- =xX~*\n\r\x00é"))
def test_one_character_changed(source: str, place: int, character: str) -> None:
    at = place % len(source)
    swallow(source[:at] + character + source[at + 1 :])
