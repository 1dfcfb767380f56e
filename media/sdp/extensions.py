"""Header extensions: which we take from a client, which we give, and their ids, which are the client's."""

from __future__ import annotations

from dataclasses import dataclass

from media.codecs.names import CodecName
from media.extensions import ExtensionName
from media.sdp.codecs import AgreedCodec, Estimator, Policy
from media.sdp.model import Direction, Extension, Section


@dataclass(frozen=True, slots=True)
class AgreedExtension:
    """``direction`` as our answer writes it, None where the offer wrote none. One that is not ``in_use`` is taken and
    never sent."""

    name: ExtensionName
    id: int
    direction: Direction | None
    in_use: bool = True


_ALWAYS = frozenset({ExtensionName.MID})
_TAKEN = {
    "audio": _ALWAYS | {ExtensionName.TRANSPORT_CC, ExtensionName.AUDIO_LEVEL},
    "video": _ALWAYS
    | {
        ExtensionName.RID,
        ExtensionName.REPAIRED_RID,
        ExtensionName.TRANSPORT_CC,
        ExtensionName.ORIENTATION,
        ExtensionName.CONTENT_TYPE,
        ExtensionName.LAYERS_ALLOCATION,
        ExtensionName.DEPENDENCY_DESCRIPTOR,
    },
}
_GIVEN = {
    "audio": _ALWAYS | {ExtensionName.AUDIO_LEVEL},
    "video": _ALWAYS
    | {
        ExtensionName.ORIENTATION,
        ExtensionName.CONTENT_TYPE,
        ExtensionName.PLAYOUT_DELAY,
        ExtensionName.DEPENDENCY_DESCRIPTOR,
    },
}
# Of what Chromium offers for a section that it adds later, only those are left that some answer of ours took for that
# kind: without these a camera that is turned on during a call has no simulcast and no feedback.
_KEPT_OPEN = {
    "audio": {ExtensionName.TRANSPORT_CC},
    "video": {ExtensionName.TRANSPORT_CC, ExtensionName.RID, ExtensionName.REPAIRED_RID},
}
_OF_ESTIMATOR = {Estimator.SENDER: ExtensionName.TRANSPORT_CC, Estimator.RECEIVER: ExtensionName.ABS_SEND_TIME}
_BY_URI = {name.value: name for name in ExtensionName}


def agreed_extensions(
    section: Section, policy: Policy, codecs: tuple[AgreedCodec, ...], *, published: bool, mixed: bool
) -> tuple[AgreedExtension, ...]:
    """``mixed``: two-byte headers may come, so ids above 14 may."""
    wanted = _TAKEN[section.kind] if published else _GIVEN[section.kind] | {_OF_ESTIMATOR[policy.estimator]}
    if published and any(codec.name is CodecName.VP8 for codec in codecs):
        # With it Chromium leaves picture id, TL0 and TID out of VP8's own descriptor, which we rewrite by.
        wanted = wanted - {ExtensionName.DEPENDENCY_DESCRIPTOR}
    kept_open = frozenset() if published else _KEPT_OPEN[section.kind] - wanted
    agreed: dict[ExtensionName, AgreedExtension] = {}
    for offered in section.extensions:
        name = _BY_URI.get(offered.uri)
        flows = offered.sends if published else offered.receives
        if name in wanted | kept_open and name not in agreed and flows and (mixed or offered.id <= 14):
            agreed[name] = AgreedExtension(name, offered.id, _answered(offered), in_use=name in wanted)
    return tuple(agreed.values())


def _answered(offered: Extension) -> Direction | None:
    """Firefox says ``sendonly`` for rids and sends none unless the answer says ``recvonly``."""
    return None if offered.direction is None else offered.direction.reversed
