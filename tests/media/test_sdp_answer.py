"""What is agreed and answered: the rules that real browsers taught, on their own offers."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import count

import pytest

from media.codecs.names import CodecName
from media.extensions import ExtensionName
from media.sdp.answer import SlotLine, answer, new_slot_line
from media.sdp.codecs import CLEAR, SECURE, Estimator, Policy
from media.sdp.model import BadOffer
from media.sdp.negotiation import (
    Agreement,
    ExpectedSource,
    Payload,
    Slot,
    Terms,
    Use,
    agree,
    carried_over,
    is_ice_restart,
    require_successor,
)
from media.sdp.parse import parse_offer
from tests.media.sdp_offers import DATA, LOCAL, OFFERS, golden, joined, lines_of, offer, section, slot, without

POLICIES = {"secure": SECURE, "clear": CLEAR}
DD = "dependency-descriptor"


def agreed(text: str, policy: Policy = SECURE, *published: str) -> Agreement:
    return agree(parse_offer(text), Terms(policy, frozenset(published)))


def line_of(one: Slot) -> SlotLine:
    number = sum(one.mid.encode()) * 10
    return new_slot_line(one, ssrc=number, rtx_ssrc=number + 1, stream="p1")


def answered(agreement: Agreement) -> str:
    return answer(agreement, LOCAL, carried_over({}, agreement.slots, line_of))


def with_slots(name: str) -> str:
    """As a client of ours offers: what it publishes, slots for sound and pictures, data."""
    text = offer(name)
    kinds = re.findall(r"m=(audio|video)", text)
    return joined(text, *(slot(text, index, f"{kind[0]}{index}") for index, kind in enumerate(kinds)), DATA)


def published_in(text: str) -> tuple[str, ...]:
    return tuple(one.mid for one in parse_offer(text).sections if one.direction.sends and one.kind != "application")


def reason(text: str, terms: Terms) -> str:
    with pytest.raises(BadOffer) as caught:
        agree(parse_offer(text), terms)
    return caught.value.reason


@pytest.mark.parametrize("mode", ["secure", "clear"])
@pytest.mark.parametrize("name", OFFERS)
def test_answers_are_these_bytes(name: str, mode: str) -> None:
    text = with_slots(name)
    assert answered(agreed(text, POLICIES[mode], *published_in(text))) == golden(f"{name}_{mode}")


def test_a_secure_room_takes_opus_vp8_and_vp9_and_no_red() -> None:
    written = answered(agreed(offer("basic"), SECURE, "0", "1"))
    assert lines_of(written, "0")[0] == "m=audio 3478 UDP/TLS/RTP/SAVPF 111"
    assert lines_of(written, "1")[0] == "m=video 3478 UDP/TLS/RTP/SAVPF 96 97 98 99"
    assert "H264" not in written
    assert "red/" not in written


def test_a_clear_room_takes_more_but_never_fec_of_video() -> None:
    written = answered(agreed(offer("basic"), CLEAR, "0", "1"))
    assert lines_of(written, "0")[0].endswith(" 111 63")
    assert lines_of(written, "1")[0].endswith(" 96 97 108 109 45 46 98 99")
    assert "ulpfec" not in written
    assert not any("red/90000" in line for line in lines_of(written, "1"))
    # Constrained baseline with packetization-mode 1, of the six that Chromium offers.
    assert "a=fmtp:108 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f" in written


def test_vp9_of_firefox_names_no_profile_and_that_of_chromium_is_profile_0() -> None:
    firefox = agreed(offer("firefox"), SECURE, "1")
    assert firefox.payloads[121] == Payload(CodecName.VP9)
    assert firefox.payloads[125] == Payload(CodecName.VP9, repairs=121)
    assert not any(line.startswith("a=fmtp:121") for line in lines_of(answered(firefox), "1"))
    svc = agreed(offer("vp9svc"), SECURE, "1")
    assert svc.payloads == {**svc.payloads, 98: Payload(CodecName.VP9), 99: Payload(CodecName.VP9, repairs=98)}
    assert 100 not in svc.payloads


def test_red_must_be_of_the_opus_beside_it() -> None:
    other = offer("basic").replace("a=fmtp:63 111/111", "a=fmtp:63 9/111")
    assert "red/" not in answered(agreed(other, CLEAR, "0"))


def test_payload_types_that_look_like_rtcp_are_refused() -> None:
    text = re.sub(r"\b96\b", "72", offer("simulcast"))
    assert agreed(text, SECURE, "0", "1").refused == ("1",)


def test_simulcast_is_answered_layer_by_layer() -> None:
    for name, mid in (("simulcast", "1"), ("simulcast_firefox", "0")):
        agreement = agreed(offer(name), SECURE, mid)
        lines = lines_of(answered(agreement), mid)
        assert [line for line in lines if line.startswith("a=rid")] == ["a=rid:q recv", "a=rid:h recv", "a=rid:f recv"]
        assert "a=simulcast:recv q;h;f" in lines
        expected = tuple(ExpectedSource(mid, "video", rid) for rid in "qhf")
        assert tuple(one for one in agreement.sources if one.kind == "video") == expected


def test_no_more_than_three_layers_and_none_that_cannot_be_told_apart() -> None:
    four = offer("simulcast").replace("a=rid:f send", "a=rid:f send\r\na=rid:x send").replace("q;h;f", "q;h;f;x")
    assert "a=simulcast:recv q;h;f\r\n" in answered(agreed(four, SECURE, "1"))
    blind = re.sub(r"a=extmap:10 [^\r]*\r\n", "", offer("simulcast"))
    assert "simulcast" not in answered(agreed(blind, SECURE, "1"))


def test_a_layer_of_a_codec_that_is_not_taken_is_not_taken() -> None:
    text = (
        offer("simulcast").replace("a=rid:f send", "a=rid:f send pt=45").replace("a=rid:h send", "a=rid:h send pt=96")
    )
    lines = lines_of(answered(agreed(text, SECURE, "1")), "1")
    assert "a=simulcast:recv q;h" in lines
    assert "a=rid:h recv pt=96" in lines


def test_firefox_sends_rids_only_when_its_direction_is_answered_reversed() -> None:
    lines = lines_of(answered(agreed(offer("simulcast_firefox"), SECURE, "0")), "0")
    assert "a=extmap:9/recvonly urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id" in lines
    assert "a=extmap:10/recvonly urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id" in lines
    assert "a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid" in lines
    assert not any("/sendonly" in line or "playout-delay" in line for line in lines)


def test_the_dependency_descriptor_is_refused_beside_vp8_and_taken_for_svc() -> None:
    assert DD not in answered(agreed(offer("simulcast"), SECURE, "1"))
    assert DD not in answered(agreed(offer("simulcast_firefox"), CLEAR, "0"))
    svc = agreed(offer("vp9svc"), SECURE, "1")
    assert DD in answered(svc)
    assert svc.received["video"][ExtensionName.DEPENDENCY_DESCRIPTOR] == 12


def test_extension_ids_are_the_clients_by_kind_and_direction() -> None:
    chromium = agreed(with_slots("simulcast"), SECURE, "0", "1")
    assert chromium.received["audio"][ExtensionName.MID] == 4
    assert chromium.received["video"][ExtensionName.RID] == 10
    assert chromium.sent["video"][ExtensionName.PLAYOUT_DELAY] == 5
    assert ExtensionName.RID not in chromium.sent["video"]
    firefox = agreed(with_slots("simulcast_firefox"), SECURE, "0")
    assert firefox.received["video"][ExtensionName.RID] == 9
    # Offered `/recvonly`: we may send it, and say so.
    assert firefox.sent["video"][ExtensionName.PLAYOUT_DELAY] == 6
    assert "a=extmap:6/sendonly http://www.webrtc.org/experiments/rtp-hdrext/playout-delay" in answered(firefox)


def test_ids_above_14_need_headers_of_two_bytes() -> None:
    text = offer("simulcast").replace("a=extmap:13 ", "a=extmap:20 ")
    assert "a=extmap:20 urn:3gpp:video-orientation" in answered(agreed(text, SECURE, "1"))
    assert "video-orientation" not in answered(agreed(without(text, "extmap-allow-mixed"), SECURE, "1"))


def test_mixed_headers_are_allowed_where_the_offer_allows_them() -> None:
    assert "\r\na=extmap-allow-mixed\r\na=msid-semantic" in answered(agreed(offer("basic"), SECURE, "0"))
    firefox = answered(agreed(offer("firefox"), SECURE, "0"))
    assert "a=extmap-allow-mixed\r\na=msid-semantic" not in firefox
    assert "a=extmap-allow-mixed" in lines_of(firefox, "0")


@pytest.mark.parametrize("name", ["simulcast", "simulcast_firefox"])
def test_the_media_line_of_a_slot_stands_before_the_one_of_its_repairs(name: str) -> None:
    text = with_slots(name)
    agreement = agreed(text, SECURE, *published_in(text))
    for one in agreement.slots:
        lines = lines_of(answered(agreement), one.mid)
        own = line_of(one)
        told = [line for line in lines if line.startswith(("a=ssrc", "a=msid", "a=send"))]
        msid = f"p1 {one.kind}-{one.mid}"
        assert told[:2] == ["a=sendonly", f"a=msid:{msid}"]
        media = [f"a=ssrc:{own.ssrc} cname:p1", f"a=ssrc:{own.ssrc} msid:{msid}"]
        repairs = [f"a=ssrc:{own.rtx_ssrc} cname:p1", f"a=ssrc:{own.rtx_ssrc} msid:{msid}"]
        group = [f"a=ssrc-group:FID {own.ssrc} {own.rtx_ssrc}"]
        assert told[2:] == ([*group, *media, *repairs] if one.kind == "video" else media)


def test_slots_have_the_payload_types_of_their_subscriber() -> None:
    types = {}
    for name in ("basic", "firefox"):
        text = with_slots(name)
        video = next(one for one in agreed(text, SECURE, "0", "1").slots if one.kind == "video")
        types[name] = {codec.value: (one.payload_type, one.rtx) for codec, one in video.payload_types.items()}
    assert types["basic"] == {"VP8": (96, 97), "VP9": (98, 99)}
    assert types["firefox"] == {"VP8": (120, 124), "VP9": (121, 125)}


def test_slots_beyond_the_limit_and_tracks_that_nobody_announced_stay_inactive() -> None:
    text = joined(offer("basic"), *(slot(offer("basic"), 0, f"a{index}") for index in range(7)))
    agreement = agreed(text, SECURE, "1")
    assert [one.mid for one in agreement.slots] == ["a0", "a1", "a2", "a3", "a4"]
    for idle in ("0", "a5", "a6"):
        assert "a=inactive" in lines_of(answered(agreement), idle)
    assert "a=recvonly" in lines_of(answered(agreement), "1")
    assert {one.mid for one in agreement.sources} == {"1"}


def test_a_subscriber_that_estimates_itself_gets_send_times_and_gives_remb() -> None:
    agreement = agreed(with_slots("basic"), replace(SECURE, estimator=Estimator.RECEIVER), "0", "1")
    own = lines_of(answered(agreement), "v1")
    assert "a=rtcp-fb:96 goog-remb" in own
    assert any("abs-send-time" in line for line in own)
    assert not any(line.startswith("a=rtcp-fb") and "transport-cc" in line for line in own)
    assert ExtensionName.TRANSPORT_CC not in agreement.sent["video"]
    # What a publisher sends is fed back by transport feedback in any case.
    assert "a=rtcp-fb:96 transport-cc" in lines_of(answered(agreement), "1")


def test_slots_take_what_a_camera_that_comes_later_needs_and_use_it_not() -> None:
    """Chromium 156: a section that is added later is offered only those extensions that some answer took for its kind;
    without rids in the answer to the slots, its offer of simulcast is one that it refuses itself."""
    agreement = agreed(with_slots("simulcast"), SECURE)
    kept = {ExtensionName.RID, ExtensionName.REPAIRED_RID}
    for name in kept | {ExtensionName.TRANSPORT_CC}:
        assert any(name.value in line for line in lines_of(answered(agreement), "v1")), name
    assert not kept & agreement.sent["video"].keys()


def test_sources_without_simulcast_are_known_by_their_ssrc() -> None:
    assert agreed(offer("firefox"), SECURE, "0", "1").sources == (
        ExpectedSource("0", "audio", ssrc=3658941306),
        ExpectedSource("1", "video", ssrc=902571176, rtx_ssrc=526546537),
    )


def test_sections_that_we_do_not_speak_are_rejected_in_their_place() -> None:
    strange = "m=text 9 UDP/TLS/RTP/SAVPF 98\r\na=mid:t\r\na=rtcp-mux\r\na=rtpmap:98 t140/1000\r\n"
    plain = section(offer("basic"), 0).replace("a=mid:0", "a=mid:p").replace("UDP/TLS/RTP/SAVPF", "RTP/AVP")
    text = joined(offer("basic"), strange, without(plain, "ssrc"), DATA, DATA.replace("mid:d", "mid:e"))
    agreement = agreed(text, SECURE, "0", "1")
    assert [one.use for one in agreement.sections] == [
        Use.PUBLISHED,
        Use.PUBLISHED,
        Use.REJECTED,
        Use.REJECTED,
        Use.DATA,
        Use.REJECTED,
    ]
    written = answered(agreement)
    assert "a=group:BUNDLE 0 1 d\r\n" in written
    assert lines_of(written, "t")[0] == "m=text 0 UDP/TLS/RTP/SAVPF 98"
    assert lines_of(written, "p")[0].startswith("m=audio 0 RTP/AVP ")
    assert lines_of(written, "e")[0] == "m=application 0 UDP/DTLS/SCTP webrtc-datachannel"


def test_a_track_without_a_common_codec_is_refused_and_the_rest_goes_on() -> None:
    text = offer("basic").replace("VP8/90000", "VP6/90000").replace("VP9/90000", "VP7/90000")
    agreement = agreed(text, SECURE, "0", "1")
    assert agreement.refused == ("1",)
    assert lines_of(answered(agreement), "1")[0].startswith("m=video 0 ")


def test_the_transport_is_lite_passive_and_stands_once() -> None:
    written = answered(agreed(offer("basic"), SECURE, "0", "1"))
    assert "\r\na=ice-lite\r\n" in written
    assert written.count("a=setup:passive") == 2
    candidates = re.findall(r"a=candidate:([^\r]*)", written)
    assert candidates == [
        "1 1 udp 2130706431 192.0.2.9 3478 typ host",
        "2 1 udp 2130706175 2001:db8::9 3478 typ host",
        "3 1 udp 2130705919 198.51.100.9 3480 typ host",
        "4 1 tcp 1520435199 192.0.2.9 3478 typ host tcptype passive",
        "5 1 tcp 1520434943 2001:db8::9 3478 typ host tcptype passive",
    ]
    assert written.count("a=end-of-candidates") == 1


def test_data() -> None:
    agreement = agreed(joined(offer("basic"), DATA), SECURE)
    assert agreement.data is not None
    assert (agreement.data.mid, agreement.data.port, agreement.data.max_message_size) == ("d", 5000, 262144)
    lines = lines_of(answered(agreement), "d")
    assert lines[0] == "m=application 3478 UDP/DTLS/SCTP webrtc-datachannel"
    assert lines[-2:] == ["a=sctp-port:5000", "a=max-message-size:65536"]
    silent = agreed(joined(offer("basic"), without(DATA, "max-message-size")), SECURE).data
    assert silent is not None
    assert silent.max_message_size == 65536


def test_requests_that_the_offer_does_not_bear_out() -> None:
    text = joined(offer("basic"), slot(offer("basic"), 0, "s"), DATA)
    for mid in ("9", "s", "d"):
        assert reason(text, Terms(SECURE, frozenset({mid}))) == "unknown_mid"
    assert reason(text, Terms(SECURE, frozenset({"0", "1"}), max_published=1)) == "too_many_tracks"
    foreign = re.sub(r"(VP[89]|opus)/", "x/", text).replace(DATA, DATA.replace("UDP/DTLS", "TCP/DTLS"))
    assert reason(foreign, Terms(SECURE)) == "nothing_in_common"


def test_numbers_mean_one_thing_in_a_bundle() -> None:
    text = offer("basic")
    terms = Terms(CLEAR, frozenset({"0", "1"}))
    assert reason(text.replace("a=extmap:14 ", "a=extmap:1 "), terms) == "extension_conflict"
    twice = re.sub(r"(SAVPF .*|a=(?:rtpmap|fmtp|rtcp-fb):.*)\b98\b", lambda found: found[0][:-2] + "111", text)
    assert reason(twice, terms) == "payload_type_conflict"
    other = slot(text, 0, "s").replace("a=extmap:4 ", "a=extmap:11 ")
    two = joined(text, slot(text, 0, "r"), other).replace("a=extmap:11 urn:ietf:params:rtp-hdrext:sdes:rep", "a=x:")
    assert reason(two, terms) == "extension_conflict"


def test_fifty_joins_and_leaves_do_not_grow_the_answer() -> None:
    """Members come and go: a slot is stopped, its section is used again under a new mid."""
    text = offer("basic")
    held: dict[str, SlotLine] = {}
    before = None
    fresh = count(9000, 2)

    def made(one: Slot) -> SlotLine:
        number = next(fresh)
        return new_slot_line(one, ssrc=number, rtx_ssrc=number + 1, stream="p")

    sizes: set[tuple[int, int]] = set()
    ssrcs: set[int] = set()
    for turn in range(50):
        gone = slot(text, 1, f"{turn:03}x").replace("m=video 49507", "m=video 0").replace("a=recvonly", "a=inactive")
        mine = [slot(text, 0, "keep"), gone if turn % 2 else slot(text, 1, f"{turn:03}y"), DATA]
        parsed = parse_offer(joined(text, *mine))
        if before is not None:
            require_successor(before, parsed)
        agreement = agree(parsed, Terms(SECURE, frozenset({"0", "1"})))
        kept = held.get("keep")
        held = carried_over(held, agreement.slots, made)
        assert kept in (None, held["keep"])
        assert len(held) == (1 if turn % 2 else 2)
        ssrcs.update(line.ssrc for line in held.values())
        sizes.add((turn % 2, len(answer(agreement, replace(LOCAL, version=100 + turn), held))))
        before = parsed
    assert len(sizes) == 2
    assert len(ssrcs) == 1 + 25


def test_what_a_later_offer_may_not_do() -> None:
    first = parse_offer(offer("basic"))
    restarted = offer("basic").replace("RqKo", "NewU").replace("av9OSsuiOXOWVCJoXc", "bv9OSsuiOXOWVCJoXc")
    require_successor(first, parse_offer(restarted))
    assert is_ice_restart(first, parse_offer(restarted))
    assert not is_ice_restart(first, first)
    fewer = offer("basic").replace("\r\n" + section(offer("basic"), 1).rstrip(), "").replace("BUNDLE 0 1", "BUNDLE 0")
    for text, expected in (
        (fewer, "sections_removed"),
        (offer("basic").replace("mid:1", "mid:7").replace("BUNDLE 0 1", "BUNDLE 0 7"), "section_changed"),
        (offer("basic").replace("sha-256 31:", "sha-256 32:"), "fingerprint_changed"),
    ):
        with pytest.raises(BadOffer) as caught:
            require_successor(first, parse_offer(text))
        assert caught.value.reason == expected
