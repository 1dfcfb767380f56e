"""What is fuzzed: everything that reads bytes of somebody else.

A check takes any bytes. It may let ``BadPacket`` or ``BadOffer`` happen, which is refusing; anything else that is
raised is a fault, and so is a promise of the parser that does not hold: mostly that what was read can be written and
read again as the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from ipaddress import ip_address
from types import MappingProxyType
from typing import Final

from media import candidates, dependency, extensions, rtcp, rtp, sframe, stun
from media.candidates import Advertised
from media.codecs.opus import parse_opus
from media.codecs.readers import READERS
from media.codecs.vp8 import parse_vp8, rewrite_vp8
from media.codecs.vp9 import parse_vp9, rewrite_vp9
from media.errors import BadPacket
from media.framing import MAX_FRAME_BYTES, Deframer, framed
from media.sdp.answer import LocalTransport, answer, new_slot_line
from media.sdp.codecs import CLEAR
from media.sdp.model import BadOffer, Fingerprint
from media.sdp.negotiation import Terms, agree, carried_over
from media.sdp.parse import parse_offer
from tests.fuzz import seeds


@dataclass(frozen=True, slots=True)
class Target:
    """``longest`` is what the socket in front lets through."""

    check: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    longest: int = 1500


def rtp_packet(data: bytes) -> None:
    kind = rtp.kind_of(data)
    assert kind is not rtp.Kind.RTP or len(data) >= 2
    packet = rtp.Packet.parse(data)
    written = packet.build()
    assert len(written) == len(data)
    assert rtp.Packet.parse(written) == packet
    assert dict(rtp.Packet.parse(written).extensions) == dict(packet.extensions)
    if packet.is_padding_only:
        return
    repair = rtp.Packet.parse(rtp.wrap_rtx(packet, payload_type=97, ssrc=1, sequence=2))
    header = packet.header
    lost = rtp.unwrap_rtx(repair, payload_type=header.payload_type, ssrc=header.ssrc)
    assert lost == replace(packet, padding=0)


def extension_block(data: bytes) -> None:
    found = rtp.parse_extensions(data)
    slots = [rtp.Slot(identifier, max(1, len(value))) for identifier, value in found.items()]
    layout = rtp.ExtensionLayout(slots)
    if layout.two_byte or all(found.values()):
        block = layout.render(found)
        assert len(block) == layout.size
        assert rtp.parse_extensions(block) == found


_VALUES: Final[tuple[Callable[[bytes], bytes], ...]] = (
    lambda data: extensions.write_mid(extensions.read_mid(data)),
    lambda data: extensions.write_rid(extensions.read_rid(data)),
    lambda data: extensions.write_transport_sequence(extensions.read_transport_sequence(data)),
    lambda data: extensions.AudioLevel.read(data).write(),
    lambda data: extensions.read_send_time(data).to_bytes(3, "big"),
    lambda data: extensions.PlayoutDelay.read(data).write(),
)
# Of these some bits are reserved: written again they are zero.
_LOSSY: Final[tuple[Callable[[bytes], object], ...]] = (extensions.Orientation.read, extensions.ContentType.read)


def extension_values(data: bytes) -> None:
    for again in _VALUES:
        with suppress(BadPacket):
            assert again(data) == data
    for read in _LOSSY:
        with suppress(BadPacket):
            value = read(data)
            assert isinstance(value, extensions.Orientation | extensions.ContentType)
            assert read(value.write()) == value


def rtcp_compound(data: bytes) -> None:
    compound = rtcp.parse(data)
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


def stun_message(data: bytes) -> None:
    received = stun.parse(data)
    assert stun.is_stun(data)
    message = received.message
    if message.mapped is not None:
        assert str(ip_address(message.mapped[0])) == message.mapped[0]
    if message.failure is not None:
        # Its words may be no UTF-8, and stand for more bytes then.
        message = replace(message, failure=replace(message.failure, reason=""))
    written = stun.parse(stun.build(message, b"password"))
    assert written.message == message
    assert written.is_authentic(b"password")
    assert not written.is_authentic(b"another")


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


def sdp_offer(data: bytes) -> None:
    """No line of the answer is one that the offer smuggled in."""
    offer = parse_offer(data.decode("utf-8", errors="replace"))
    sending = [section.mid for section in offer.sections if section.kind in ("audio", "video")]
    for published in (frozenset[str](), frozenset(sending[::2])):
        with suppress(BadOffer):
            agreement = agree(offer, Terms(CLEAR, published))
            slots = carried_over({}, agreement.slots, lambda slot: new_slot_line(slot, ssrc=1, rtx_ssrc=2, stream="s"))
            lines = answer(agreement, _LOCAL, slots).split("\r\n")
            assert lines.pop() == ""
            assert all(_LINE.fullmatch(line) for line in lines)
            assert sum(line[0] == "m" for line in lines) == len(offer.sections)
            assert all(_OURS.fullmatch(line[2:].split(":")[0]) for line in lines if line[0] == "a")


def candidate_line(data: bytes) -> None:
    found = candidates.parse(data.decode("utf-8", errors="replace"))
    assert candidates.parse(found.value) == found


def _codec(name: str) -> Callable[[bytes], None]:
    def check(data: bytes) -> None:
        for marker in (False, True):
            part = READERS[name](data, marker=marker)
            assert part == READERS[name](memoryview(data), marker=marker)
            assert 0 <= part.frame_at < len(data)
            assert part.starts_frame or not (part.is_keyframe or part.is_switching_point)

    return check


def vp8(data: bytes) -> None:
    _codec("vp8")(data)
    found = parse_vp8(data)
    written = bytearray(data)
    rewrite_vp8(written, found, picture_id=0x1234, tl0_pic_idx=0x156)
    again = parse_vp8(written)
    assert again.part(marker=False) == found.part(marker=False)
    assert again.picture_id is None or again.picture_id.value == 0x1234 & (1 << again.picture_id.bits) - 1
    assert again.tl0_pic_idx in (None, 0x56)
    assert written[found.length :] == data[found.length :]


def vp9(data: bytes) -> None:
    _codec("vp9")(data)
    found = parse_vp9(data)
    written = bytearray(data)
    rewrite_vp9(written, found, picture_id=0x1234, tl0_pic_idx=0x156)
    again = parse_vp9(written)
    assert again.part(marker=True) == found.part(marker=True)
    assert again.picture_id is None or again.picture_id.value == 0x1234 & (1 << again.picture_id.bits) - 1
    assert again.tl0_pic_idx in (None, 0x56)
    assert written[found.length :] == data[found.length :]


def opus(data: bytes) -> None:
    _codec("opus")(data)
    for sealed in (0, 23):
        with suppress(BadPacket):
            samples = parse_opus(data, sealed=sealed).samples
            assert samples is None or 0 < samples <= 5760


def dependency_descriptor(data: bytes) -> None:
    """With and without the structure that the stream attached before."""
    for known in (None, seeds.STRUCTURE):
        with suppress(BadPacket):
            found = dependency.parse(data, known)
            part = found.part()
            assert part.starts_frame or not (part.is_keyframe or part.is_switching_point)
            written = dependency.build(found)
            assert dependency.parse(written, known) == found
            fewer = dependency.rewrite_active(found, 1)
            assert dependency.parse(dependency.build(fewer), known) == fewer


def sframe_header(data: bytes) -> None:
    header = sframe.parse_header(data)
    assert sframe.build_header(header.key_id, header.counter) == data[: header.size]
    with suppress(BadPacket):
        moved = sframe.parse_header(data, header.size)
        assert sframe.parse_header(data[header.size :]) == moved


def tcp_stream(data: bytes) -> None:
    """However a stream is cut into pieces, the same datagrams come out."""
    whole, pieces = Deframer(), Deframer()
    size = data[0] % 31 + 1 if data else 1
    came: list[bytes] = []
    with suppress(BadPacket):
        for at in range(0, len(data), size):
            came += pieces.feed(data[at : at + size])
            assert pieces.held_bytes <= MAX_FRAME_BYTES + 1
    frames = whole.feed(data)
    assert came == frames
    assert Deframer().feed(b"".join(map(framed, frames))) == frames


TARGETS: Final[Mapping[str, Target]] = MappingProxyType(
    {
        "rtp": Target(rtp_packet, seeds.rtp_packets),
        "extension_block": Target(extension_block, seeds.extension_blocks, 1100),
        "extension_values": Target(extension_values, seeds.extension_values, 255),
        "rtcp": Target(rtcp_compound, seeds.rtcp_packets),
        "stun": Target(stun_message, seeds.stun_messages),
        "sdp": Target(sdp_offer, seeds.offers, 20_000),
        "candidate": Target(candidate_line, seeds.candidate_lines, 600),
        "vp8": Target(vp8, seeds.vp8),
        "vp9": Target(vp9, seeds.vp9),
        "h264": Target(_codec("h264"), seeds.h264),
        "av1": Target(_codec("av1"), seeds.av1),
        "opus": Target(opus, seeds.opus),
        "dependency": Target(dependency_descriptor, seeds.dependency_descriptors, 260),
        "sframe": Target(sframe_header, seeds.sframe_headers, 40),
        "tcp": Target(tcp_stream, seeds.tcp_streams, 4000),
    }
)


def check(target: Target, data: bytes) -> None:
    """Once. Raises what is a fault."""
    with suppress(BadPacket, BadOffer):
        target.check(data)
