"""Single values of ``a=`` lines, strictly read. Everything that an answer may repeat is held to a narrow alphabet here,
so no value of an offer can bring a line of its own into an answer."""

from __future__ import annotations

import re

from media import candidates
from media.candidates import Candidate
from media.errors import BadPacket
from media.extensions import LONGEST_NAME
from media.sdp.model import (
    BadOffer,
    Codec,
    Direction,
    Extension,
    Fingerprint,
    Msid,
    Rid,
    Simulcast,
    SsrcGroup,
)

# RFC 8866 section 9, `token`.
TOKEN = re.compile(r"[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]{1,64}")
# Both ids travel in header extensions, and what is longer than those carry could never be met there.
_MID = re.compile(rf"[!#$%&'*+\-.0-9A-Z^_`a-z{{|}}~]{{1,{LONGEST_NAME}}}")
RID = re.compile(rf"[0-9A-Za-z_\-]{{1,{LONGEST_NAME}}}")
_RESTRICTIONS = re.compile(r"[0-9A-Za-z_\-=,;./]{1,128}")
# RFC 8839 section 5.4: at least 24 and 128 random bits; at most 256 characters.
_UFRAG = re.compile(r"[0-9A-Za-z+/]{4,256}")
_PASSWORD = re.compile(r"[0-9A-Za-z+/]{22,256}")
_NUMBER = re.compile(r"[0-9]{1,20}")
_VISIBLE = re.compile(r"[!-~]{1,256}")
_PARAMETERS = re.compile(r"[ -~]{1,512}")
_RTPMAP = re.compile(r"([0-9]{1,3}) ([0-9A-Za-z_.\-]{1,32})/([0-9]{1,6})(?:/([0-9]))?")
_EXTMAP = re.compile(r"([0-9]{1,5})(?:/([a-z]{1,8}))? ([!-~]{1,256})(?: [ -~]{0,256})?")
_FINGERPRINT = re.compile(r"([0-9A-Za-z\-]{1,16}) ([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){0,63})")
_DIGEST_SIZES = {"sha-1": 20, "sha-224": 28, "sha-256": 32, "sha-384": 48, "sha-512": 64}
_SETUPS = ("actpass", "active", "passive", "holdconn")
_MOST_IN_A_LIST = 32


def number(text: str, what: str, most: int, least: int = 0) -> int:
    value = int(text) if _NUMBER.fullmatch(text) else -1
    if not least <= value <= most:
        raise BadOffer("bad_number", f"{what} is from {least} to {most}")
    return value


def payload_type(text: str) -> int:
    return number(text, "a payload type", 127)


def ssrc(text: str) -> int:
    return number(text, "an SSRC", 0xFFFFFFFF)


def mid(text: str) -> str:
    return _matched(_MID, text, "bad_mid")


def ufrag(text: str) -> str:
    return _matched(_UFRAG, text, "bad_ice_credentials")


def password(text: str) -> str:
    return _matched(_PASSWORD, text, "bad_ice_credentials")


def options(text: str) -> tuple[str, ...]:
    return tuple(_matched(TOKEN, word, "bad_ice_options") for word in _listed(text, " "))


def setup(text: str) -> str:
    if text not in _SETUPS:
        raise BadOffer("bad_setup", "actpass, active, passive or holdconn")
    return text


def fingerprint(text: str) -> Fingerprint:
    found = _FINGERPRINT.fullmatch(text)
    if found is None:
        raise BadOffer("bad_fingerprint", "not an algorithm and pairs of hexadecimal digits")
    algorithm, digest = found[1].lower(), bytes.fromhex(found[2].replace(":", ""))
    if len(digest) != _DIGEST_SIZES.get(algorithm, len(digest)):
        raise BadOffer("bad_fingerprint", f"{algorithm} has another length")
    return Fingerprint(algorithm, digest)


def rtpmap(text: str) -> Codec:
    found = _RTPMAP.fullmatch(text)
    if found is None:
        raise BadOffer("bad_rtpmap", "not a payload type, a name and a clock rate")
    return Codec(payload_type(found[1]), found[2], int(found[3]), int(found[4] or 1))


def parameters(text: str) -> tuple[int, str]:
    head, _, rest = text.partition(" ")
    return payload_type(head), _matched(_PARAMETERS, rest.strip(), "bad_fmtp")


def feedback(text: str) -> tuple[int | None, str]:
    """The payload type is None for ``*``: all of them."""
    head, _, rest = text.partition(" ")
    return None if head == "*" else payload_type(head), _matched(_PARAMETERS, rest.strip(), "bad_rtcp_fb")


def extension(text: str) -> Extension:
    found = _EXTMAP.fullmatch(text)
    if found is None:
        raise BadOffer("bad_extmap", "not an id and an address")
    identifier = number(found[1], "the id of a header extension", 255, 1)
    # RFC 8285 section 4.2: 15 is reserved.
    if identifier == 15 or found[2] not in (None, "sendrecv", "sendonly", "recvonly", "inactive"):
        raise BadOffer("bad_extmap", "an id that is reserved or a direction that is none")
    return Extension(identifier, found[3], None if found[2] is None else Direction(found[2]))


def rid(text: str) -> Rid:
    fields = text.split(" ")
    if len(fields) not in (2, 3) or fields[1] not in ("send", "recv"):
        raise BadOffer("bad_rid", "not an id and a direction")
    restrictions = _matched(_RESTRICTIONS, fields[2], "bad_rid") if len(fields) == 3 else ""
    listed = next((part[3:] for part in restrictions.split(";") if part.startswith("pt=")), "")
    types = tuple(payload_type(value) for value in _listed(listed, ",")) if listed else ()
    return Rid(_matched(RID, fields[0], "bad_rid"), fields[1] == "send", restrictions, types)


def simulcast(text: str) -> Simulcast:
    """RFC 8853 section 5.1. That a stream begins paused (``~``) is not kept: it is told by packets."""
    fields = text.split(" ")
    lists = dict(zip(fields[::2], fields[1::2], strict=False))
    if len(fields) not in (2, 4) or len(lists) * 2 != len(fields) or not lists.keys() <= {"send", "recv"}:
        raise BadOffer("bad_simulcast", "not a direction and a list of rids")
    return Simulcast(_streams(lists.get("send", "")), _streams(lists.get("recv", "")))


def _streams(text: str) -> tuple[tuple[str, ...], ...]:
    return tuple(
        tuple(_matched(RID, choice.removeprefix("~"), "bad_simulcast") for choice in _listed(stream, ","))
        for stream in (_listed(text, ";") if text else ())
    )


def ssrc_group(text: str) -> SsrcGroup:
    semantics, *members = _listed(text, " ")
    if not members:
        raise BadOffer("bad_ssrc_group", "names nobody")
    return SsrcGroup(_matched(TOKEN, semantics, "bad_ssrc_group"), tuple(ssrc(member) for member in members))


def msid(text: str) -> Msid:
    stream, _, track = text.partition(" ")
    track = track.strip()
    return Msid(_matched(_VISIBLE, stream, "bad_msid"), _matched(_VISIBLE, track, "bad_msid") if track else "")


def candidate(text: str) -> Candidate:
    """Also what a client sends by itself, with or without ``candidate:`` in front."""
    try:
        return candidates.parse(f"candidate:{text.removeprefix('candidate:')}")
    except BadPacket as bad:
        raise BadOffer("bad_candidate", f"not as RFC 8839 has it: {bad.reason}") from None


def _listed(text: str, by: str) -> list[str]:
    parts = text.split(by)
    if len(parts) > _MOST_IN_A_LIST:
        raise BadOffer("too_many", f"more than {_MOST_IN_A_LIST} values in one line")
    return parts


def _matched(pattern: re.Pattern[str], text: str, reason: str) -> str:
    if not pattern.fullmatch(text):
        raise BadOffer(reason, "empty, too long or with characters that do not belong there")
    return text
