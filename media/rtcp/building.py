"""Typed packets to the bytes of one datagram: compound or reduced-size, as the caller puts them together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import singledispatch

from media.rtcp import formats
from media.rtcp.packets import (
    Description,
    FullIntraRequest,
    Goodbye,
    Nack,
    Packet,
    PictureLoss,
    ReceiverReport,
    Remb,
    ReportBlock,
    SenderReport,
    SourceDescription,
    TransportFeedback,
)
from media.rtcp.transportwide import feedback_body

_MOST_MANTISSA = 0x3FFFF
_MOST_EXPONENT = 0x3F
_MOST_TEXT = 255


def build(packets: Iterable[Packet]) -> bytes:
    """Raises ValueError for what the wire has no room for: more than 31 blocks, chunks or sources in one packet, a text
    of more than 255 bytes, nobody or nothing to speak of where the format wants somebody."""
    return b"".join(_built(packet) for packet in packets)


def _framed(kind: int, count: int, body: bytes) -> bytes:
    if len(body) // 4 > 0xFFFF:
        raise ValueError("an RTCP packet has at most 65,536 words")
    return formats.HEADER.pack(0x80 | count, kind, len(body) // 4) + body


def _counted(items: Sequence[object]) -> int:
    if len(items) > formats.MOST_COUNTED:
        raise ValueError(f"one RTCP packet counts at most {formats.MOST_COUNTED}")
    return len(items)


@singledispatch
def _built(packet: object) -> bytes:
    raise TypeError(f"{type(packet).__name__} is not an RTCP packet")


@_built.register
def _sender_report(packet: SenderReport) -> bytes:
    info = formats.SENDER_INFO.pack(
        packet.ssrc, packet.ntp, packet.rtp_timestamp, packet.packet_count, packet.octet_count
    )
    return _framed(formats.SR, _counted(packet.blocks), info + _blocks(packet.blocks))


@_built.register
def _receiver_report(packet: ReceiverReport) -> bytes:
    return _framed(formats.RR, _counted(packet.blocks), formats.WORD.pack(packet.ssrc) + _blocks(packet.blocks))


def _blocks(blocks: Iterable[ReportBlock]) -> bytes:
    return b"".join(
        formats.REPORT_BLOCK.pack(
            block.ssrc,
            block.fraction_lost << 24 | block.cumulative_lost & 0xFFFFFF,
            block.highest_sequence,
            block.jitter,
            block.last_report,
            block.delay,
        )
        for block in blocks
    )


@_built.register
def _source_description(packet: SourceDescription) -> bytes:
    return _framed(formats.SDES, _counted(packet.chunks), b"".join(_chunk(chunk) for chunk in packet.chunks))


def _chunk(description: Description) -> bytes:
    texts: Mapping[int, str | None] = {
        formats.SDES_CNAME: description.cname,
        formats.SDES_MID: description.mid,
    }
    items = [bytes((kind,)) + _text(text) for kind, text in texts.items() if text is not None]
    chunk = formats.WORD.pack(description.ssrc) + b"".join(items)
    # At least one zero ends the items, up to a word's boundary (RFC 3550 section 6.5).
    return chunk + bytes(4 - len(chunk) % 4)


def _text(text: str) -> bytes:
    raw = text.encode()
    if len(raw) > _MOST_TEXT:
        raise ValueError(f"a text in RTCP has at most {_MOST_TEXT} bytes")
    return bytes((len(raw),)) + raw


@_built.register
def _goodbye(packet: Goodbye) -> bytes:
    reason = _text(packet.reason) if packet.reason else b""
    body = _words(packet.ssrcs) + reason + bytes(-len(reason) % 4)
    return _framed(formats.BYE, _counted(packet.ssrcs), body)


def _words(words: Iterable[int]) -> bytes:
    return b"".join(formats.WORD.pack(word) for word in words)


def _feedback(kind: int, form: int, ssrcs: tuple[int, int], body: bytes = b"") -> bytes:
    return _framed(kind, form, formats.SENDER_AND_MEDIA.pack(*ssrcs) + body)


@_built.register
def _nack(packet: Nack) -> bytes:
    if not packet.lost:
        raise ValueError("a NACK names somebody")
    fields: list[tuple[int, int]] = []
    for sequence in packet.lost:
        first, following = fields[-1] if fields else (sequence, 0)
        distance = (sequence - first) & 0xFFFF
        if fields and 1 <= distance <= 16:
            fields[-1] = (first, following | 1 << (distance - 1))
        elif not fields or distance:
            fields.append((sequence, 0))
    body = b"".join(formats.LOST.pack(*field) for field in fields)
    return _feedback(formats.RTPFB, formats.NACK, (packet.sender_ssrc, packet.media_ssrc), body)


@_built.register
def _picture_loss(packet: PictureLoss) -> bytes:
    return _feedback(formats.PSFB, formats.PLI, (packet.sender_ssrc, packet.media_ssrc))


@_built.register
def _full_intra_request(packet: FullIntraRequest) -> bytes:
    if not packet.requests:
        raise ValueError("a FIR asks somebody")
    body = b"".join(formats.INTRA_REQUEST.pack(request.ssrc, request.sequence) for request in packet.requests)
    return _feedback(formats.PSFB, formats.FIR, (packet.sender_ssrc, 0), body)


@_built.register
def _remb(packet: Remb) -> bytes:
    exponent = max(0, packet.bitrate.bit_length() - _MOST_MANTISSA.bit_length())
    if exponent > _MOST_EXPONENT or packet.bitrate < 0 or len(packet.ssrcs) > 0xFF:
        raise ValueError("a REMB has a bitrate of at most 81 bits and at most 255 sources")
    rate = len(packet.ssrcs) << 24 | exponent << 18 | packet.bitrate >> exponent
    body = formats.REMB_NAME + formats.WORD.pack(rate) + _words(packet.ssrcs)
    return _feedback(formats.PSFB, formats.APPLICATION_LAYER, (packet.sender_ssrc, 0), body)


@_built.register
def _transport_feedback(packet: TransportFeedback) -> bytes:
    ssrcs = (packet.sender_ssrc, packet.media_ssrc)
    return _feedback(formats.RTPFB, formats.TRANSPORT_WIDE, ssrcs, feedback_body(packet))
