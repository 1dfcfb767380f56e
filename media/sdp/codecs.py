"""Which codecs and header extensions we speak, by kind of room. Pure tables and the rules that read them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from media.codecs.names import CodecName
from media.sdp.model import Codec, Section

SIMULCAST_LAYERS = 3


class Estimator(Enum):
    """Who estimates what a subscriber's path carries: we from transport feedback, or the subscriber, who sends REMB."""

    SENDER = "transport-cc"
    RECEIVER = "goog-remb"


@dataclass(frozen=True, slots=True)
class Policy:
    codecs: frozenset[CodecName]
    estimator: Estimator = Estimator.SENDER


# The packetisers of H264 and AV1 need structure that encryption hides, and RED puts its header where the gate looks.
SECURE = Policy(frozenset({CodecName.OPUS, CodecName.VP8, CodecName.VP9}))
CLEAR = Policy(frozenset(CodecName))


@dataclass(frozen=True, slots=True)
class AgreedCodec:
    """``rtx`` is the payload type of its repairs, None without; ``parameters`` are those of our answer."""

    name: CodecName
    payload_type: int
    clock_rate: int
    channels: int
    rtx: int | None
    parameters: str
    feedback: tuple[str, ...]


_PUBLISHED_FEEDBACK = {
    "audio": ("transport-cc",),
    "video": ("transport-cc", "ccm fir", "nack", "nack pli"),
}
_SLOT_FEEDBACK = {"audio": (), "video": ("ccm fir", "nack", "nack pli")}
_CLOCKS = {"audio": 48000, "video": 90000}
_KINDS = {CodecName.OPUS: "audio", CodecName.RED: "audio"}
_BY_NAME = {name.value.lower(): name for name in CodecName}


def agreed_codecs(section: Section, policy: Policy, *, published: bool) -> tuple[AgreedCodec, ...]:
    """One payload type a codec, in the client's order of preference, which is the order it sends by."""
    chosen: dict[CodecName, Codec] = {}
    for codec in section.codecs:
        name = _BY_NAME.get(codec.name.lower())
        if name in policy.codecs and name not in chosen and _is_ours(name, codec, section.kind):
            chosen[name] = codec
    if CodecName.RED in chosen and not _is_red_of_opus(chosen):
        del chosen[CodecName.RED]
    wanted = _PUBLISHED_FEEDBACK[section.kind] if published else (*_SLOT_FEEDBACK[section.kind], policy.estimator.value)
    return tuple(
        AgreedCodec(
            name,
            codec.payload_type,
            codec.clock_rate,
            codec.channels,
            _repair(section, codec),
            _parameters(name, codec),
            tuple(value for value in codec.feedback if value in wanted),
        )
        for name, codec in chosen.items()
    )


def _is_ours(name: CodecName, codec: Codec, kind: str) -> bool:
    # RFC 5761 section 4: these would be taken for RTCP.
    if 64 <= codec.payload_type <= 95 or _KINDS.get(name, "video") != kind or codec.clock_rate != _CLOCKS[kind]:
        return False
    match name:
        case CodecName.OPUS:
            return codec.channels == 2  # RFC 7587 section 7
        case CodecName.VP9:
            return codec.parameter("profile-id") in (None, "0")  # Firefox names none
        case CodecName.AV1:
            return codec.parameter("profile") in (None, "0")
        case CodecName.H264:
            return codec.parameter("packetization-mode") == "1" and _is_constrained_baseline(codec)
        case _:
            return True


def _is_constrained_baseline(codec: Codec) -> bool:
    """What every browser decodes: profile_idc 66 with constraint_set1_flag (RFC 6184 section 8.1)."""
    try:
        profile = bytes.fromhex(codec.parameter("profile-level-id") or "")
    except ValueError:
        return False
    return len(profile) == 3 and profile[0] == 0x42 and bool(profile[1] & 0x40)


def _is_red_of_opus(chosen: dict[CodecName, Codec]) -> bool:
    """RFC 2198 section 5: the blocks are all of the payload types named."""
    opus = chosen.get(CodecName.OPUS)
    return opus is not None and set(chosen[CodecName.RED].parameters.split("/")) == {str(opus.payload_type)}


def _repair(section: Section, codec: Codec) -> int | None:
    for repair in section.codecs:
        is_rtx = repair.name.lower() == "rtx" and not 64 <= repair.payload_type <= 95
        if is_rtx and repair.clock_rate == codec.clock_rate and repair.parameter("apt") == str(codec.payload_type):
            return repair.payload_type
    return None


def _parameters(name: CodecName, codec: Codec) -> str:
    """What we would have sent to us. VP8's in an offer say what the client likes to receive: nothing to repeat."""
    match name:
        case CodecName.OPUS:
            stereo = ";stereo=1" if codec.parameter("stereo") == "1" else ""
            return f"minptime=10;useinbandfec=1;usedtx=1{stereo}"
        case CodecName.VP8:
            return ""
        case CodecName.VP9:
            return "" if codec.parameter("profile-id") is None else "profile-id=0"
        case _:
            return codec.parameters
