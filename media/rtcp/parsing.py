"""A datagram of RTCP to typed packets.

Compound and reduced-size (RFC 5506) alike: any packet may come first. Time and memory are linear in the bytes. What is
well formed but not ours (APP, XR, foreign feedback) is skipped by its length, and said. One malformed packet condemns
the datagram: it was authenticated, so its sender is broken or hostile, and the next report is at most seconds away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from media.errors import BadPacket
from media.rtcp import formats
from media.rtcp.packets import (
    Description,
    FullIntraRequest,
    Goodbye,
    IntraRequest,
    Nack,
    Packet,
    PictureLoss,
    ReceiverReport,
    Remb,
    ReportBlock,
    SenderReport,
    SourceDescription,
)
from media.rtcp.transportwide import parse_feedback

# No path carries more in one piece, and browsers stay under 1,200.
MOST_BYTES = 1500
MOST_BITRATE = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Compound:
    """``skipped`` has a word for each packet that was passed over: app, xr, feedback or unknown."""

    packets: tuple[Packet, ...]
    skipped: tuple[str, ...]


def parse(datagram: bytes | memoryview) -> Compound:
    """Raises BadPacket ``rtcp_...``."""
    view = memoryview(datagram)
    if not view:
        raise BadPacket("rtcp_empty")
    if len(view) > MOST_BYTES:
        raise BadPacket("rtcp_too_long")
    packets: list[Packet] = []
    skipped: list[str] = []
    at = 0
    while at < len(view):
        if len(view) - at < formats.HEADER.size:
            raise BadPacket("rtcp_truncated")
        first, kind, words = formats.HEADER.unpack_from(view, at)
        if first >> 6 != 2:
            raise BadPacket("rtcp_version")
        end = at + 4 + 4 * words
        if end > len(view):
            raise BadPacket("rtcp_truncated")
        body = view[at + 4 : end]
        if first & 0x20:
            body = _unpadded(body)
        found = _packet(kind, first & 0x1F, body)
        if isinstance(found, str):
            skipped.append(found)
        else:
            packets.append(found)
        at = end
    return Compound(tuple(packets), tuple(skipped))


def _unpadded(body: memoryview) -> memoryview:
    """The padding's length need not be a multiple of four: libwebrtc pads transport feedback by one to three."""
    padding = body[-1] if body else 0
    if not 0 < padding <= len(body):
        raise BadPacket("rtcp_padding")
    return body[: len(body) - padding]


def _packet(kind: int, count: int, body: memoryview) -> Packet | str:
    reader = _READERS.get(kind)
    return _SKIPPED.get(kind, "unknown") if reader is None else reader(count, body)


def _blocks(count: int, body: memoryview, at: int) -> tuple[ReportBlock, ...]:
    """What stands behind them is a profile's extension (RFC 3550 section 6.4.3): passed over."""
    if at + count * formats.REPORT_BLOCK.size > len(body):
        raise BadPacket("rtcp_report_length")
    return tuple(_block(body, at + index * formats.REPORT_BLOCK.size) for index in range(count))


def _block(body: memoryview, at: int) -> ReportBlock:
    ssrc, losses, highest, jitter, last_report, delay = formats.REPORT_BLOCK.unpack_from(body, at)
    lost = losses & 0xFFFFFF
    return ReportBlock(
        ssrc=ssrc,
        fraction_lost=losses >> 24,
        cumulative_lost=lost - 0x1000000 if lost & 0x800000 else lost,
        highest_sequence=highest,
        jitter=jitter,
        last_report=last_report,
        delay=delay,
    )


def _sender_report(count: int, body: memoryview) -> Packet:
    if len(body) < formats.SENDER_INFO.size:
        raise BadPacket("rtcp_report_length")
    ssrc, ntp, rtp_timestamp, packets, octets = formats.SENDER_INFO.unpack_from(body)
    return SenderReport(ssrc, ntp, rtp_timestamp, packets, octets, _blocks(count, body, formats.SENDER_INFO.size))


def _receiver_report(count: int, body: memoryview) -> Packet:
    if len(body) < 4:
        raise BadPacket("rtcp_report_length")
    return ReceiverReport(formats.WORD.unpack_from(body)[0], _blocks(count, body, 4))


def _source_description(count: int, body: memoryview) -> Packet:
    chunks: list[Description] = []
    at = 0
    for _ in range(count):
        if len(body) - at < 8:
            raise BadPacket("rtcp_sdes_length")
        chunk, at = _description(body, at)
        chunks.append(chunk)
    return SourceDescription(tuple(chunks))


def _description(body: memoryview, at: int) -> tuple[Description, int]:
    """The chunk at ``at``, and where the next one begins: a word's boundary behind the end of its items."""
    ssrc = formats.WORD.unpack_from(body, at)[0]
    at += 4
    texts: dict[int, str] = {}
    while True:
        if at >= len(body):
            raise BadPacket("rtcp_sdes_length")
        if body[at] == formats.SDES_END:
            return Description(ssrc, texts.get(formats.SDES_CNAME), texts.get(formats.SDES_MID)), (at + 4) & ~3
        item = body[at]
        if at + 2 > len(body) or at + 2 + body[at + 1] > len(body):
            raise BadPacket("rtcp_sdes_length")
        end = at + 2 + body[at + 1]
        if item in (formats.SDES_CNAME, formats.SDES_MID):
            texts[item] = _text(body[at + 2 : end])
        at = end


def _text(raw: memoryview) -> str:
    try:
        return str(raw, "utf-8")
    except UnicodeDecodeError as error:
        raise BadPacket("rtcp_text") from error


def _goodbye(count: int, body: memoryview) -> Packet:
    sources = 4 * count
    if sources > len(body):
        raise BadPacket("rtcp_bye_length")
    reason = ""
    if len(body) > sources:
        end = sources + 1 + body[sources]
        if end > len(body):
            raise BadPacket("rtcp_bye_length")
        reason = _text(body[sources + 1 : end])
    return Goodbye(tuple(_words(body[:sources])), reason)


def _words(body: memoryview) -> tuple[int, ...]:
    return tuple(word for (word,) in formats.WORD.iter_unpack(body))


def _feedback(readers: Mapping[int, _FeedbackReader], kind: int, body: memoryview) -> Packet | str:
    if len(body) < formats.SENDER_AND_MEDIA.size:
        raise BadPacket("rtcp_feedback_length")
    reader = readers.get(kind)
    if reader is None:
        return "feedback"
    sender_ssrc, media_ssrc = formats.SENDER_AND_MEDIA.unpack_from(body)
    return reader(sender_ssrc, media_ssrc, body[formats.SENDER_AND_MEDIA.size :])


def _transport_layer(kind: int, body: memoryview) -> Packet | str:
    return _feedback(_TRANSPORT_LAYER, kind, body)


def _payload_specific(kind: int, body: memoryview) -> Packet | str:
    return _feedback(_PAYLOAD_SPECIFIC, kind, body)


def _nack(sender_ssrc: int, media_ssrc: int, body: memoryview) -> Packet:
    if not body or len(body) % formats.LOST.size:
        raise BadPacket("rtcp_nack_length")
    lost: dict[int, None] = {}
    for first, following in formats.LOST.iter_unpack(body):
        lost[first] = None
        for bit in range(16):
            if following >> bit & 1:
                lost[(first + bit + 1) & 0xFFFF] = None
    return Nack(sender_ssrc, media_ssrc, tuple(lost))


def _picture_loss(sender_ssrc: int, media_ssrc: int, _: memoryview) -> Packet:
    return PictureLoss(sender_ssrc, media_ssrc)


def _full_intra_request(sender_ssrc: int, _: int, body: memoryview) -> Packet:
    if not body or len(body) % formats.INTRA_REQUEST.size:
        raise BadPacket("rtcp_fir_length")
    requests = (IntraRequest(ssrc, sequence) for ssrc, sequence in formats.INTRA_REQUEST.iter_unpack(body))
    return FullIntraRequest(sender_ssrc, tuple(requests))


def _application_layer(sender_ssrc: int, _: int, body: memoryview) -> Packet | str:
    """draft-alvestrand-rmcat-remb-03 section 2.2."""
    if body[:4] != formats.REMB_NAME:
        return "feedback"
    if len(body) < 8 or len(body) != 8 + 4 * body[4]:
        raise BadPacket("rtcp_remb_length")
    rate = formats.WORD.unpack_from(body, 4)[0] & 0xFFFFFF
    bitrate = (rate & 0x3FFFF) << (rate >> 18)
    if bitrate > MOST_BITRATE:
        raise BadPacket("rtcp_remb_bitrate")
    return Remb(sender_ssrc, bitrate, _words(body[8:]))


_FeedbackReader = Callable[[int, int, memoryview], Packet | str]

_TRANSPORT_LAYER: Mapping[int, _FeedbackReader] = {formats.NACK: _nack, formats.TRANSPORT_WIDE: parse_feedback}
_PAYLOAD_SPECIFIC: Mapping[int, _FeedbackReader] = {
    formats.PLI: _picture_loss,
    formats.FIR: _full_intra_request,
    formats.APPLICATION_LAYER: _application_layer,
}
_READERS: Mapping[int, Callable[[int, memoryview], Packet | str]] = {
    formats.SR: _sender_report,
    formats.RR: _receiver_report,
    formats.SDES: _source_description,
    formats.BYE: _goodbye,
    formats.RTPFB: _transport_layer,
    formats.PSFB: _payload_specific,
}
_SKIPPED: Mapping[int, str] = {formats.APP: "app", formats.XR: "xr"}
