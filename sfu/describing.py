"""From what was offered and announced to what the engine is told. Pure. Raises BadOffer and refusals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from media.codecs.names import CodecName, Kind
from media.engine import SinkFormat, SourceFormat
from media.extensions import ExtensionName
from media.sdp.answer import SlotLine
from media.sdp.codecs import CLEAR, SECURE, Estimator, Policy
from media.sdp.model import BadOffer, Offer
from media.sdp.negotiation import AgreedSection, Agreement, Slot, Terms, Use, agree
from sfu import slots as placing
from sfu.admission import AUDIO_SLOTS, TRACKS_PUBLISHED, VIDEO_SLOTS, Admission, may_hear
from sfu.refusals import refused
from sfu.requests import Publication, Receive
from sfu.rooms import Mode


def require_granted(mode: Mode, admission: Admission, publish: Sequence[Publication], receive: Receive) -> None:
    """What may be asked for at all, before anything is read of the offer."""
    grants = admission.grants
    wants_to_hear = receive.audio > 0 or receive.video > 0
    for one in publish:
        if one.source not in grants.publish or grants.hidden:
            raise refused("not_granted", f"You may not publish a {one.source.value} here.")
    if wants_to_hear and not grants.subscribe:
        raise refused("not_granted", "You may not receive anything here.")
    if mode is not Mode.SECURE:
        return
    if admission.e2ee is None and (publish or wants_to_hear):
        raise refused("encryption_required", "This room is for those who announced their encryption on joining.")
    if not all(one.encrypted for one in publish):
        raise refused("mode_forbids_clear_media", "Every track in this room is encrypted.")


def agreed(
    offer: Offer,
    mode: Mode,
    admission: Admission,
    publish: Sequence[Publication],
    receive: Receive,
    *,
    estimator: Estimator,
) -> Agreement:
    """Raises BadOffer."""
    codecs = (SECURE if mode is Mode.SECURE else CLEAR).codecs
    hears = may_hear(mode, admission)
    terms = Terms(
        Policy(codecs, estimator),
        frozenset(one.mid for one in publish),
        audio_slots=min(receive.audio, AUDIO_SLOTS) if hears else 0,
        video_slots=min(receive.video, VIDEO_SLOTS) if hears else 0,
        max_published=TRACKS_PUBLISHED,
    )
    agreement = agree(offer, terms)
    _require_announced(agreement, publish)
    return agreement


def _require_announced(agreement: Agreement, publish: Sequence[Publication]) -> None:
    """The sections are what the request says they are."""
    if agreement.refused:
        raise BadOffer("no_common_codec", f"section {agreement.refused[0]} has no codec that this room takes")
    cids, mids = {one.cid for one in publish}, {one.mid for one in publish}
    if len(cids) < len(publish) or len(mids) < len(publish):
        raise BadOffer("published_twice", "a section or a cid is announced twice")
    sections = {section.offered.mid: section for section in agreement.sections}
    for one in publish:
        section = sections[one.mid]
        if one.kind is not one.source.kind or section.offered.kind != one.kind.value:
            raise BadOffer("wrong_kind", f"section {one.mid} is of another kind than announced")
        announced = [encoding.rid for encoding in one.layers]
        if len(set(announced)) < len(announced):
            raise BadOffer("wrong_layers", f"section {one.mid} has a layer announced twice")
        rids = {rid.id for rid in section.layers}
        if rids and announced and not rids <= set(announced):
            raise BadOffer("wrong_layers", f"section {one.mid} has layers that were not announced")


def source_formats(agreement: Agreement, publish: Sequence[Publication]) -> Mapping[str, SourceFormat]:
    """By mid."""
    sections = {section.offered.mid: section for section in agreement.sections if section.use is Use.PUBLISHED}
    return {one.mid: _source_format(sections[one.mid], agreement, one) for one in publish}


def _source_format(section: AgreedSection, agreement: Agreement, announced: Publication) -> SourceFormat:
    offered = [rid.id for rid in section.layers]
    rank = {encoding.rid: place for place, encoding in enumerate(announced.layers)}
    return SourceFormat(
        mid=announced.mid,
        kind=announced.kind,
        payload_types={codec.payload_type: codec.name for codec in section.codecs},
        repairs={codec.rtx: codec.payload_type for codec in section.codecs if codec.rtx is not None},
        rids=tuple(sorted(offered, key=lambda rid: rank.get(rid, 0))),
        ssrcs={
            one.rid: (one.ssrc, one.rtx_ssrc)
            for one in agreement.sources
            if one.mid == announced.mid and one.ssrc is not None
        },
        extensions={extension.id: extension.name for extension in section.extensions},
    )


@dataclass(frozen=True, slots=True)
class Given:
    """What a subscriber takes in a slot, as it said it: while that stays, the slot keeps its numbers."""

    mid: str
    kind: Kind
    payload_types: Mapping[CodecName, tuple[int, int | None]]
    extensions: Mapping[ExtensionName, int]

    def sink_format(self, line: SlotLine) -> SinkFormat:
        has_repairs = any(rtx is not None for _, rtx in self.payload_types.values())
        return SinkFormat(
            mid=self.mid,
            kind=self.kind,
            ssrc=line.ssrc,
            rtx_ssrc=line.rtx_ssrc if has_repairs else None,
            payload_types=self.payload_types,
            extensions=self.extensions,
            stream=line.stream,
        )


def given(agreement: Agreement) -> tuple[Given, ...]:
    return tuple(_given(slot, agreement.sent[slot.kind]) for slot in agreement.slots)


def _given(slot: Slot, extensions: Mapping[ExtensionName, int]) -> Given:
    payload_types = {name: (codec.payload_type, codec.rtx) for name, codec in slot.payload_types.items()}
    return Given(slot.mid, Kind(slot.kind), payload_types, extensions)


def streams(fresh: Sequence[Given], round_number: int) -> Mapping[str, str]:
    """The streams of slots that are new, by mid. Those of earlier rounds keep theirs, so each round has its own."""
    mids = {kind: [slot.mid for slot in fresh if slot.kind is kind] for kind in Kind}
    laid = placing.laid_out(mids[Kind.AUDIO], mids[Kind.VIDEO])
    return {slot.mid: f"{slot.stream}-{round_number}" for slot in laid}
