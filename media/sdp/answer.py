"""The answer to an offer: one bundled transport, ICE-lite, we passive in DTLS.

What is written here was tried in Chromium and Firefox. Three rules cost streams when broken: in a slot the media line
of ``a=ssrc`` stands before the one of its repairs, and both are in ``a=ssrc-group:FID``; published simulcast is
answered by ``a=rid`` and ``a=simulcast:recv``, or only its lowest layer comes; an extension offered ``/sendonly`` is
answered ``/recvonly``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from media import candidates
from media.candidates import Advertised
from media.sdp.codecs import AgreedCodec
from media.sdp.model import Fingerprint, Section
from media.sdp.negotiation import DATA_FORMAT, AgreedSection, Agreement, Slot, Use


@dataclass(frozen=True, slots=True)
class LocalTransport:
    """``session_id`` stays for the life of the connection, ``version`` grows by one an answer. ``advertised`` is where
    clients may reach us, the best one first; there is one at least."""

    session_id: int
    version: int
    ufrag: str
    password: str
    fingerprint: Fingerprint
    advertised: tuple[Advertised, ...]
    sctp_port: int = 5000


@dataclass(frozen=True, slots=True)
class SlotLine:
    """What a slot keeps for its life. Slots of one ``stream`` are played in step."""

    ssrc: int
    rtx_ssrc: int
    stream: str
    track: str


def new_slot_line(slot: Slot, *, ssrc: int, rtx_ssrc: int, stream: str) -> SlotLine:
    return SlotLine(ssrc, rtx_ssrc, stream, f"{slot.kind}-{slot.mid}")


def answer(agreement: Agreement, local: LocalTransport, slots: Mapping[str, SlotLine]) -> str:
    """``slots`` has each of ``agreement.slots`` by its mid."""
    bundle = list(_bundle(agreement))
    lines = [
        "v=0",
        f"o=- {local.session_id} {local.version} IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=ice-lite",
        f"a=group:BUNDLE {' '.join(bundle)}",
    ]
    if agreement.offer.allows_mixed:
        lines.append("a=extmap-allow-mixed")
    lines.append("a=msid-semantic: WMS *")
    for section in agreement.sections:
        lines.extend(_section(section, agreement, local, slots))
        if section.offered.mid == bundle[0]:
            # The transport is one, so its candidates stand once.
            lines.extend(f"a={candidate.value}" for candidate in candidates.offered(local.advertised))
            lines.append("a=end-of-candidates")
    return "\r\n".join(lines) + "\r\n"


def _bundle(agreement: Agreement) -> Iterator[str]:
    """In the order of the offer's group: its first section that lives carries the transport."""
    living = {section.offered.mid for section in agreement.sections if section.use is not Use.REJECTED}
    return (mid for mid in agreement.offer.bundle if mid in living)


def _section(
    section: AgreedSection, agreement: Agreement, local: LocalTransport, slots: Mapping[str, SlotLine]
) -> Iterator[str]:
    offered = section.offered
    if section.use is Use.REJECTED:
        yield f"m={offered.kind} 0 {offered.protocol} {' '.join(offered.formats)}"
        yield "c=IN IP4 0.0.0.0"
        if offered.mid:
            yield f"a=mid:{offered.mid}"
        if offered.kind in ("audio", "video"):
            yield "a=inactive"
        return
    first = local.advertised[0]
    formats = [DATA_FORMAT] if section.use is Use.DATA else [str(number) for number in _payload_types(section)]
    yield f"m={offered.kind} {first.udp_port or first.tcp_port} {offered.protocol} {' '.join(formats)}"
    yield f"c=IN IP{ip_address(first.address).version} {first.address}"
    yield f"a=mid:{offered.mid}"
    yield f"a=ice-ufrag:{local.ufrag}"
    yield f"a=ice-pwd:{local.password}"
    yield f"a=fingerprint:{local.fingerprint.algorithm} {local.fingerprint.digest.hex(':').upper()}"
    yield "a=setup:passive"
    if section.use is Use.DATA:
        yield f"a=sctp-port:{local.sctp_port}"
        yield f"a=max-message-size:{agreement.terms.max_message_size}"
        return
    yield from _media(section)
    if section.use is Use.SLOT:
        yield from _slot(slots[offered.mid], repaired=any(codec.rtx is not None for codec in section.codecs))


_DIRECTIONS = {Use.PUBLISHED: "a=recvonly", Use.SLOT: "a=sendonly", Use.IDLE: "a=inactive"}


def _media(section: AgreedSection) -> Iterator[str]:
    offered = section.offered
    yield _DIRECTIONS[section.use]
    yield "a=rtcp-mux"
    if offered.rtcp_rsize:
        yield "a=rtcp-rsize"
    if offered.allows_mixed:
        yield "a=extmap-allow-mixed"
    for extension in section.extensions:
        direction = "" if extension.direction is None else f"/{extension.direction.value}"
        yield f"a=extmap:{extension.id}{direction} {extension.name.value}"
    for codec in section.codecs:
        yield from _codec(codec, offered)
    if section.layers:
        for rid in section.layers:
            yield f"a=rid:{rid.id} recv {rid.restrictions}".rstrip()
        yield f"a=simulcast:recv {';'.join(rid.id for rid in section.layers)}"


def _codec(codec: AgreedCodec, offered: Section) -> Iterator[str]:
    channels = f"/{codec.channels}" if offered.kind == "audio" else ""
    yield f"a=rtpmap:{codec.payload_type} {codec.name.value}/{codec.clock_rate}{channels}"
    for value in codec.feedback:
        yield f"a=rtcp-fb:{codec.payload_type} {value}"
    if codec.parameters:
        yield f"a=fmtp:{codec.payload_type} {codec.parameters}"
    if codec.rtx is not None:
        yield f"a=rtpmap:{codec.rtx} rtx/{codec.clock_rate}"
        yield f"a=fmtp:{codec.rtx} apt={codec.payload_type}"


def _slot(line: SlotLine, *, repaired: bool) -> Iterator[str]:
    yield f"a=msid:{line.stream} {line.track}"
    if repaired:
        yield f"a=ssrc-group:FID {line.ssrc} {line.rtx_ssrc}"
    # The media line first: the other order gives no media in Chromium.
    for ssrc in (line.ssrc, line.rtx_ssrc) if repaired else (line.ssrc,):
        yield f"a=ssrc:{ssrc} cname:{line.stream}"
        yield f"a=ssrc:{ssrc} msid:{line.stream} {line.track}"


def _payload_types(section: AgreedSection) -> Iterator[int]:
    for codec in section.codecs:
        yield codec.payload_type
        if codec.rtx is not None:
            yield codec.rtx
