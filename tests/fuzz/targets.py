"""What is fuzzed: everything that reads bytes of somebody else.

``read`` takes any bytes; it may refuse them by ``BadPacket`` or its like, and anything else that it raises is a fault.
``holds`` looks at what was read, and raises where a promise does not hold: mostly that it can be written and read again
as the same. There nothing is refused any more.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final, Generic, TypeVar

import msgspec
from aiortc.rtcsctptransport import parse_packet
from google_crc32c import value as crc32c

from media import candidates, dependency, dtlsrecords, extensions, rtcp, rtp, sctpguard, sframe, stun
from media.candidates import Advertised
from media.codecs.opus import parse_opus
from media.codecs.part import FramePart
from media.codecs.readers import READERS
from media.codecs.vp8 import Vp8Descriptor, parse_vp8, rewrite_vp8
from media.codecs.vp9 import Vp9Descriptor, parse_vp9, rewrite_vp9
from media.errors import BadPacket
from media.framing import MAX_FRAME_BYTES, Deframer, framed
from media.sdp.answer import LocalTransport, answer, new_slot_line
from media.sdp.codecs import CLEAR
from media.sdp.model import BadOffer, Fingerprint, Offer
from media.sdp.negotiation import Terms, agree, carried_over
from media.sdp.parse import parse_offer
from signaling.faults import BrokenProtocol
from signaling.messages import Request
from signaling.requests import opened, read
from tests.fuzz import forwarding, ice, seeds

Value = TypeVar("Value")

REFUSALS: Final = (BadPacket, BadOffer, BrokenProtocol)


@dataclass(frozen=True, slots=True)
class Target(Generic[Value]):
    """``longest`` is what the socket in front lets through."""

    read: Callable[[bytes], Value]
    holds: Callable[[bytes, Value], None]
    seeds: Callable[[], Iterable[bytes]]
    longest: int = 1500


def check(target: Target[Any], data: bytes) -> None:
    """Once. Raises what is a fault."""
    try:
        value = target.read(data)
    except REFUSALS:
        return
    try:
        target.holds(data, value)
    except REFUSALS as refused:
        raise AssertionError("it refuses what it has written itself") from refused


def whatever(data: bytes) -> bytes:
    """Where one input is read in several ways."""
    return data


def rtp_packet(data: bytes, packet: rtp.Packet) -> None:
    assert rtp.kind_of(data) in (rtp.Kind.RTP, rtp.Kind.RTCP)
    written = packet.build()
    assert len(written) == len(data)
    again = rtp.Packet.parse(written)
    assert (again, dict(again.extensions)) == (packet, dict(packet.extensions))
    if not packet.is_padding_only:
        repair = rtp.Packet.parse(rtp.wrap_rtx(packet, payload_type=97, ssrc=1, sequence=2))
        header = packet.header
        lost = rtp.unwrap_rtx(repair, payload_type=header.payload_type, ssrc=header.ssrc)
        assert lost == replace(packet, padding=0)


def extension_block(_: bytes, found: Mapping[int, memoryview]) -> None:
    slots = [rtp.Slot(identifier, max(1, len(value))) for identifier, value in found.items()]
    layout = rtp.ExtensionLayout(slots)
    # The short form has no element without a value.
    if layout.two_byte or all(found.values()):
        block = layout.render(found)
        assert len(block) == layout.size
        assert rtp.parse_extensions(block) == found


_VALUES: Final[tuple[tuple[Callable[[bytes], Any], Callable[[Any], bytes]], ...]] = (
    (extensions.read_mid, extensions.write_mid),
    (extensions.read_rid, extensions.write_rid),
    (extensions.read_transport_sequence, extensions.write_transport_sequence),
    (extensions.AudioLevel.read, extensions.AudioLevel.write),
    (extensions.PlayoutDelay.read, extensions.PlayoutDelay.write),
    (extensions.Orientation.read, extensions.Orientation.write),
    (extensions.ContentType.read, extensions.ContentType.write),
)


def extension_values(data: bytes, _: bytes) -> None:
    for reader, writer in _VALUES:
        try:
            value = reader(data)
        except BadPacket:
            continue
        # Bits that are reserved are zero when written, so the bytes may differ.
        assert reader(writer(value)) == value
        assert len(writer(value)) == len(data)


def rtcp_compound(data: bytes, compound: rtcp.Compound) -> None:
    assert len(compound.packets) + len(compound.skipped) <= len(data) // 4
    for packet in compound.packets:
        if isinstance(packet, rtcp.TransportFeedback):
            assert sum(1 for _ in packet.times()) == len(packet.arrivals) <= packet.status_count
        written = rtcp.build([packet])
        if len(written) <= rtcp.MOST_BYTES:
            assert _ordered(rtcp.parse(written).packets[0]) == _ordered(packet)


def _ordered(packet: rtcp.Packet) -> rtcp.Packet:
    """Bits of a NACK have no order among themselves."""
    return replace(packet, lost=tuple(sorted(packet.lost))) if isinstance(packet, rtcp.Nack) else packet


def stun_message(data: bytes, received: stun.Received) -> None:
    assert stun.is_stun(data)
    message = received.message
    if message.failure is not None:
        # Its words may be no UTF-8, and stand for more bytes then.
        message = replace(message, failure=replace(message.failure, reason=""))
    written = stun.parse(stun.build(message, b"password"))
    assert written.message == message
    assert written.is_authentic(b"password")
    assert not written.is_authentic(b"another")


def _offer(data: bytes) -> Offer:
    return parse_offer(data.decode("utf-8", errors="replace"))


_LINE: Final = re.compile(r"[a-z]=[^\x00-\x1f\x7f]*")
_LOCAL: Final = LocalTransport(
    1, 1, "abcd", "abcdefghijklmnopqrstuvwx", Fingerprint("sha-256", bytes(32)), (Advertised("192.0.2.1", 3478),)
)
# Everything that an answer may say.
_OURS: Final = re.compile(
    r"candidate|end-of-candidates|extmap|extmap-allow-mixed|fingerprint|fmtp|group|ice-lite|ice-pwd|ice-ufrag|inactive|"
    r"max-message-size|mid|msid|msid-semantic|recvonly|rid|rtcp-fb|rtcp-mux|rtcp-rsize|rtpmap|sctp-port|sendonly|setup|"
    r"simulcast|ssrc|ssrc-group"
)


def sdp_offer(_: bytes, offer: Offer) -> None:
    """No line of the answer is one that the offer smuggled in."""
    sending = [section.mid for section in offer.sections if section.kind in ("audio", "video")]
    for published in (frozenset[str](), frozenset(sending[::2])):
        try:
            agreement = agree(offer, Terms(CLEAR, published))
        except BadOffer:
            continue
        slots = carried_over({}, agreement.slots, lambda slot: new_slot_line(slot, ssrc=1, rtx_ssrc=2, stream="s"))
        lines = answer(agreement, _LOCAL, slots).split("\r\n")
        assert lines.pop() == ""
        assert all(_LINE.fullmatch(line) for line in lines)
        assert sum(line[0] == "m" for line in lines) == len(offer.sections)
        assert all(_OURS.fullmatch(line[2:].split(":")[0]) for line in lines if line[0] == "a")


def _candidate(data: bytes) -> candidates.Candidate:
    return candidates.parse(data.decode("utf-8", errors="replace"))


def candidate_line(_: bytes, found: candidates.Candidate) -> None:
    assert candidates.parse(found.value) == found


def _codec(name: str, seeds_of: Callable[[], Iterable[bytes]]) -> Target[FramePart]:
    def holds(data: bytes, part: FramePart) -> None:
        assert part == READERS[name](memoryview(data), marker=False)
        assert 0 <= part.frame_at < len(data)
        assert part.starts_frame or not (part.is_keyframe or part.is_switching_point)
        last = READERS[name](data, marker=True)
        assert replace(last, ends_frame=part.ends_frame) == part
        assert last.ends_frame

    return Target(lambda data: READERS[name](data, marker=False), holds, seeds_of)


def vp8(data: bytes, found: Vp8Descriptor) -> None:
    written = bytearray(data)
    rewrite_vp8(written, found, picture_id=0x1234, tl0_pic_idx=0x156)
    _rewritten(data, bytes(written), found, parse_vp8(written))


def vp9(data: bytes, found: Vp9Descriptor) -> None:
    written = bytearray(data)
    rewrite_vp9(written, found, picture_id=0x1234, tl0_pic_idx=0x156)
    _rewritten(data, bytes(written), found, parse_vp9(written))


Descriptor = TypeVar("Descriptor", Vp8Descriptor, Vp9Descriptor)


def _rewritten(data: bytes, written: bytes, before: Descriptor, after: Descriptor) -> None:
    assert after.part(marker=False) == before.part(marker=False)
    assert after.picture_id is None or after.picture_id.value == 0x1234 & (1 << after.picture_id.bits) - 1
    assert after.tl0_pic_idx in (None, 0x56)
    assert written[before.length :] == data[before.length :]


def opus_packet(data: bytes, _: bytes) -> None:
    for sealed in (0, 23):
        with suppress(BadPacket):
            samples = parse_opus(data, sealed=sealed).samples
            assert samples is None or 0 < samples <= 5760


def dependency_descriptor(data: bytes, _: bytes) -> None:
    """With and without the structure that the stream attached before."""
    for known in (None, seeds.STRUCTURE):
        try:
            found = dependency.parse(data, known)
        except BadPacket:
            continue
        part = found.part()
        assert part.starts_frame or not (part.is_keyframe or part.is_switching_point)
        for one in (found, dependency.rewrite_active(found, 1)):
            assert dependency.parse(dependency.build(one), known) == one


def sframe_header(data: bytes, header: sframe.Header) -> None:
    assert sframe.build_header(header.key_id, header.counter) == data[: header.size]
    moved = sframe.parse_header(b"\xff" + data, 1)
    assert moved == header


def tcp_stream(data: bytes, _: bytes) -> None:
    """However a stream is cut into pieces, the same datagrams come out, up to where it is none."""
    whole, pieces = Deframer(), Deframer()
    size = data[0] % 31 + 1 if data else 1
    came: list[bytes] = []
    is_broken = False
    try:
        for at in range(0, len(data), size):
            came += pieces.feed(data[at : at + size])
            assert pieces.held_bytes <= MAX_FRAME_BYTES + 1
    except BadPacket:
        is_broken = True
    try:
        frames = whole.feed(data)
    except BadPacket:
        assert is_broken
        return
    assert not is_broken
    assert came == frames
    assert Deframer().feed(b"".join(map(framed, frames))) == frames


def signaling_frame(data: bytes, request: Request) -> None:
    """What is understood can be said and understood again."""
    again = msgspec.json.encode({"type": opened(data).type, "data": request})
    assert read(opened(again)) == request


def dtls_records(data: bytes, is_wellformed: bool) -> None:
    if is_wellformed:
        assert dtlsrecords.is_client_hello(data) in (False, True)
        pieces = list(dtlsrecords.datagrams(data, 200))
        assert b"".join(pieces) == data
        assert all(pieces)


def sctp_packet(data: bytes, refusal: str | None) -> None:
    """What is let through does not hold the association's own parser up: a run that takes seconds is a fault."""
    if refusal is None:
        sealed = data[:8] + struct.pack("<I", crc32c(data[:8] + bytes(4) + data[12:])) + data[12:]
        with suppress(ValueError, struct.error, IndexError):
            parse_packet(sealed)


TARGETS: Final[Mapping[str, Target[Any]]] = MappingProxyType(
    {
        "rtp": Target(rtp.Packet.parse, rtp_packet, seeds.rtp_packets),
        "extension_block": Target(rtp.parse_extensions, extension_block, seeds.extension_blocks, 1100),
        "extension_values": Target(whatever, extension_values, seeds.extension_values, 255),
        "rtcp": Target(rtcp.parse, rtcp_compound, seeds.rtcp_packets),
        "stun": Target(stun.parse, stun_message, seeds.stun_messages),
        "sdp": Target(_offer, sdp_offer, seeds.offers, 20_000),
        "candidate": Target(_candidate, candidate_line, seeds.candidate_lines, 600),
        "vp8": _codec("vp8", seeds.vp8),
        "vp8_rewriting": Target(parse_vp8, vp8, seeds.vp8),
        "vp9": _codec("vp9", seeds.vp9),
        "vp9_rewriting": Target(parse_vp9, vp9, seeds.vp9),
        "h264": _codec("h264", seeds.h264),
        "av1": _codec("av1", seeds.av1),
        "opus": _codec("opus", seeds.opus),
        "opus_packet": Target(whatever, opus_packet, seeds.opus),
        "dependency": Target(whatever, dependency_descriptor, seeds.dependency_descriptors, 260),
        "sframe": Target(sframe.parse_header, sframe_header, seeds.sframe_headers, 40),
        "tcp": Target(whatever, tcp_stream, seeds.tcp_streams, 4000),
        "forwarding": Target(whatever, forwarding.forwarding, forwarding.seeds, 300),
        "ice": Target(whatever, ice.ice, ice.seeds, 300),
        "signaling": Target(lambda data: read(opened(data)), signaling_frame, seeds.signaling_frames, 4000),
        "dtls": Target(dtlsrecords.is_wellformed, dtls_records, seeds.dtls_records),
        "sctp": Target(sctpguard.refusal, sctp_packet, seeds.sctp_packets),
    }
)
