"""What is agreed with one client: which section is what, payload types, extension ids, sources to expect, slots.

The client always offers. Sections that it sends on and that its request publishes are taken; sections that it only
receives on become slots, the first ones of each kind up to the limit; the rest stays inactive or is rejected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from media.codecs.names import CodecName
from media.extensions import ExtensionName
from media.sdp.codecs import SIMULCAST_LAYERS, AgreedCodec, Policy, agreed_codecs
from media.sdp.extensions import AgreedExtension, agreed_extensions
from media.sdp.model import BadOffer, Direction, Offer, Rid, Section, Transport

DATA_PROTOCOL = "UDP/DTLS/SCTP"
DATA_FORMAT = "webrtc-datachannel"
RTP_PROTOCOL = "UDP/TLS/RTP/SAVPF"
# RFC 8841 section 6: what a side takes that does not say; zero means any.
DEFAULT_MESSAGE_SIZE = 65536


class Use(Enum):
    PUBLISHED = "published"
    SLOT = "slot"
    DATA = "data"
    IDLE = "idle"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Terms:
    """``published``: mids of the tracks that the request announces."""

    policy: Policy
    published: frozenset[str] = frozenset()
    audio_slots: int = 5
    video_slots: int = 25
    max_published: int = 8
    max_message_size: int = DEFAULT_MESSAGE_SIZE


@dataclass(frozen=True, slots=True)
class AgreedSection:
    offered: Section
    use: Use
    codecs: tuple[AgreedCodec, ...] = ()
    extensions: tuple[AgreedExtension, ...] = ()
    layers: tuple[Rid, ...] = ()


@dataclass(frozen=True, slots=True)
class Payload:
    """What a payload type means on this transport; a repair names what it repairs by ``repairs``."""

    codec: CodecName
    repairs: int | None = None


@dataclass(frozen=True, slots=True)
class ExpectedSource:
    """``rid`` is empty without simulcast. ``ssrc`` is None where only the packets' extensions will tell."""

    mid: str
    kind: str
    rid: str = ""
    ssrc: int | None = None
    rtx_ssrc: int | None = None


@dataclass(frozen=True, slots=True)
class Slot:
    """A section to send on; ``payload_types`` are the subscriber's, whatever the publisher's were."""

    mid: str
    kind: str
    payload_types: Mapping[CodecName, AgreedCodec]


@dataclass(frozen=True, slots=True)
class Data:
    """``max_message_size``: what the client takes in one message."""

    mid: str
    port: int
    max_message_size: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """``received`` and ``sent``: the ids of extensions by kind, of what comes from the client and what goes to it.
    Clients that agree in ``sent`` and in the slots' payload types can share rewritten packets."""

    offer: Offer
    terms: Terms
    sections: tuple[AgreedSection, ...]
    payloads: Mapping[int, Payload]
    received: Mapping[str, Mapping[ExtensionName, int]]
    sent: Mapping[str, Mapping[ExtensionName, int]]
    sources: tuple[ExpectedSource, ...]
    slots: tuple[Slot, ...]
    data: Data | None

    @property
    def transport(self) -> Transport:
        return self.offer.transport

    @property
    def refused(self) -> tuple[str, ...]:
        """Tracks that were to be published and have no codec that this room takes."""
        rejected = {one.offered.mid for one in self.sections if one.use is Use.REJECTED}
        return tuple(sorted(self.terms.published & rejected))


def agree(offer: Offer, terms: Terms) -> Agreement:
    """Raises BadOffer."""
    _require_published(offer, terms)
    taken: Counter[tuple[Use, str]] = Counter()
    sections = tuple(_agreed(section, offer, terms, taken) for section in offer.sections)
    if all(one.use is Use.REJECTED for one in sections):
        raise BadOffer("nothing_in_common", "no section has a codec and a protocol that we speak")
    slots = tuple(
        Slot(one.offered.mid, one.offered.kind, {codec.name: codec for codec in one.codecs})
        for one in sections
        if one.use is Use.SLOT
    )
    sources = tuple(source for one in sections if one.use is Use.PUBLISHED for source in _sources(one))
    data = next((_data(one.offered) for one in sections if one.use is Use.DATA), None)
    _require_one_meaning(offer)
    received, sent = (_ids(sections, use) for use in (Use.PUBLISHED, Use.SLOT))
    return Agreement(offer, terms, sections, _payloads(sections), received, sent, sources, slots, data)


def require_successor(before: Offer, after: Offer) -> None:
    """A later offer on the same connection (RFC 9429 section 5.2.2). Raises BadOffer."""
    if len(after.sections) < len(before.sections):
        raise BadOffer("sections_removed", "a section keeps its place for the life of a connection")
    for index, (old, new) in enumerate(zip(before.sections, after.sections, strict=False)):
        recycled = old.is_rejected or new.is_rejected
        if not recycled and (old.mid, old.kind) != (new.mid, new.kind):
            raise BadOffer("section_changed", f"section {index} became another")
    if after.transport.fingerprints != before.transport.fingerprints:
        raise BadOffer("fingerprint_changed", "another certificate needs another connection")


def is_ice_restart(before: Offer, after: Offer) -> bool:
    old, new = before.transport, after.transport
    return (old.ufrag, old.password) != (new.ufrag, new.password)


_Ids = TypeVar("_Ids")


def carried_over(before: Mapping[str, _Ids], slots: tuple[Slot, ...], make: Callable[[Slot], _Ids]) -> dict[str, _Ids]:
    """What belongs to each slot by its mid: kept where it was, made where it is new, forgotten where it went."""
    return {slot.mid: before[slot.mid] if slot.mid in before else make(slot) for slot in slots}


def _require_published(offer: Offer, terms: Terms) -> None:
    sending = {
        section.mid
        for section in offer.sections
        if not section.is_rejected and section.direction.sends and section.kind in ("audio", "video")
    }
    if not terms.published <= sending:
        raise BadOffer("unknown_mid", "a published track has no section that sends")
    if len(terms.published) > terms.max_published:
        raise BadOffer("too_many_tracks", f"{terms.max_published} tracks are the most")


def _agreed(section: Section, offer: Offer, terms: Terms, taken: Counter[tuple[Use, str]]) -> AgreedSection:
    use = _use(section, terms, taken)
    if use in (Use.REJECTED, Use.DATA):
        taken[use, section.kind] += 1
        return AgreedSection(section, use)
    published = use is Use.PUBLISHED
    codecs = agreed_codecs(section, terms.policy, published=published)
    if not codecs:
        return AgreedSection(section, Use.REJECTED)
    taken[use, section.kind] += 1
    if use is Use.IDLE:
        return AgreedSection(section, use, codecs)
    mixed = offer.allows_mixed or section.allows_mixed
    extensions = agreed_extensions(section, terms.policy, codecs, published=published, mixed=mixed)
    return AgreedSection(section, use, codecs, extensions, _layers(section, codecs, extensions) if published else ())


def _use(section: Section, terms: Terms, taken: Counter[tuple[Use, str]]) -> Use:
    if section.is_rejected:
        return Use.REJECTED
    if section.kind == "application":
        speaks = section.protocol == DATA_PROTOCOL and section.formats == (DATA_FORMAT,) and section.sctp_port
        return Use.DATA if speaks and not taken[Use.DATA, section.kind] else Use.REJECTED
    if section.kind not in ("audio", "video") or section.protocol != RTP_PROTOCOL:
        return Use.REJECTED
    if section.mid in terms.published:
        return Use.PUBLISHED
    most = terms.audio_slots if section.kind == "audio" else terms.video_slots
    is_slot = section.direction is Direction.RECVONLY and taken[Use.SLOT, section.kind] < most
    return Use.SLOT if is_slot else Use.IDLE


def _layers(
    section: Section, codecs: tuple[AgreedCodec, ...], extensions: tuple[AgreedExtension, ...]
) -> tuple[Rid, ...]:
    """The first choice of each stream, of the first three. Without the extensions nobody could tell them apart."""
    if not {ExtensionName.MID, ExtensionName.RID} <= {extension.name for extension in extensions}:
        return ()
    spoken = {codec.payload_type for codec in codecs}
    rids = {rid.id: rid for rid in section.rids if rid.sends and spoken.issuperset(rid.payload_types)}
    streams = [rids[stream[0]] for stream in section.simulcast.send if stream[0] in rids]
    return tuple(streams[:SIMULCAST_LAYERS])


def _sources(section: AgreedSection) -> tuple[ExpectedSource, ...]:
    offered = section.offered
    if section.layers:
        return tuple(ExpectedSource(offered.mid, offered.kind, rid.id) for rid in section.layers)
    if not offered.ssrcs:
        return (ExpectedSource(offered.mid, offered.kind),)
    pairs = dict(group.ssrcs for group in offered.ssrc_groups if group.semantics == "FID" and len(group.ssrcs) == 2)
    media = next((ssrc for ssrc in offered.ssrcs if ssrc in pairs), offered.ssrcs[0])
    return (ExpectedSource(offered.mid, offered.kind, ssrc=media, rtx_ssrc=pairs.get(media)),)


def _data(section: Section) -> Data:
    size = DEFAULT_MESSAGE_SIZE if section.max_message_size is None else section.max_message_size
    return Data(section.mid, section.sctp_port or 0, size)


def _require_one_meaning(offer: Offer) -> None:
    """In a bundle an id means one extension everywhere (RFC 9143 section 9)."""
    meanings: dict[int, str] = {}
    for section in offer.sections:
        for extension in () if section.is_rejected else section.extensions:
            if meanings.setdefault(extension.id, extension.uri) != extension.uri:
                raise BadOffer("extension_conflict", f"the id {extension.id} means two header extensions")


def _payloads(sections: tuple[AgreedSection, ...]) -> dict[int, Payload]:
    meanings: dict[int, Payload] = {}
    for codec in (codec for section in sections for codec in section.codecs):
        both = {codec.payload_type: Payload(codec.name)}
        if codec.rtx is not None:
            both[codec.rtx] = Payload(codec.name, repairs=codec.payload_type)
        for payload_type, payload in both.items():
            if meanings.setdefault(payload_type, payload) != payload:
                raise BadOffer("payload_type_conflict", f"{payload_type} means two codecs")
    return meanings


def _ids(sections: tuple[AgreedSection, ...], use: Use) -> dict[str, dict[ExtensionName, int]]:
    ids: dict[str, dict[ExtensionName, int]] = {"audio": {}, "video": {}}
    for section in sections:
        used = (one for one in section.extensions if one.in_use and section.use is use)
        for extension in used:
            if ids[section.offered.kind].setdefault(extension.name, extension.id) != extension.id:
                raise BadOffer("extension_conflict", f"{extension.name.name} has two ids")
    return ids
