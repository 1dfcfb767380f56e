"""An offer's text to an ``Offer``: the session description of RFC 8866 as browsers write it (JSEP, RFC 9429).

Strict where a mistake would cost somebody their call or us our safety, deaf to attributes that mean nothing to us.
The work is linear in the text and the text is bounded; whatever the text, there is an ``Offer`` or a ``BadOffer``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from media.candidates import Candidate
from media.sdp import attributes
from media.sdp.model import (
    BadOffer,
    Codec,
    Direction,
    Extension,
    Fingerprint,
    Msid,
    Offer,
    Rid,
    Section,
    Simulcast,
    SsrcGroup,
    Transport,
)

# A video section of Chromium takes 5 kB; 64 of them are more than anybody's page shows.
MAX_SIZE = 512 * 1024
MAX_SECTIONS = 64
MAX_SECTION_LINES = 512
MAX_LINE = 4096
# Each stands for every codec of its section.
MAX_WILDCARDS = 16

_LINE = re.compile(r"([a-z])=([^\x00-\x1f\x7f]*)")
_MEDIA = re.compile(
    r"([0-9A-Za-z_\-]{1,32}) ([0-9]{1,5})(?:/[0-9]{1,5})? ([0-9A-Z/]{1,32})((?: [0-9A-Za-z_\-]{1,32}){1,64})"
)
_FLAGS = frozenset({"rtcp-mux", "rtcp-rsize", "bundle-only", "extmap-allow-mixed", "ice-lite"})
_DIRECTIONS = {direction.value: direction for direction in Direction}
SHA_256 = "sha-256"


@dataclass(slots=True)
class _Draft:
    """The session or a section of it, while its lines are read."""

    media: re.Match[str] | None = None
    lines: int = 0
    flags: set[str] = field(default_factory=set)
    single: dict[str, object] = field(default_factory=dict)
    bundle: tuple[str, ...] | None = None
    codecs: dict[int, Codec] = field(default_factory=dict)
    parameters: dict[int, str] = field(default_factory=dict)
    feedback: list[tuple[int | None, str]] = field(default_factory=list)
    extensions: dict[int, Extension] = field(default_factory=dict)
    rids: dict[str, Rid] = field(default_factory=dict)
    ssrcs: dict[int, None] = field(default_factory=dict)
    groups: list[SsrcGroup] = field(default_factory=list)
    msids: list[Msid] = field(default_factory=list)
    fingerprints: list[Fingerprint] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)

    def once(self, name: str, value: object) -> None:
        if name in self.single:
            raise BadOffer("duplicate_attribute", f"a={name} stands twice")
        self.single[name] = value


def _rtpmap(draft: _Draft, value: str) -> None:
    codec = attributes.rtpmap(value)
    if codec.payload_type in draft.codecs:
        raise BadOffer("duplicate_payload_type", f"two codecs for {codec.payload_type}")
    draft.codecs[codec.payload_type] = codec


def _fmtp(draft: _Draft, value: str) -> None:
    payload_type, parameters = attributes.parameters(value)
    if payload_type in draft.parameters:
        raise BadOffer("duplicate_attribute", f"two a=fmtp for {payload_type}")
    draft.parameters[payload_type] = parameters


def _feedback(draft: _Draft, value: str) -> None:
    draft.feedback.append(attributes.feedback(value))


def _extmap(draft: _Draft, value: str) -> None:
    extension = attributes.extension(value)
    if extension.id in draft.extensions:
        raise BadOffer("duplicate_extension", f"two header extensions with the id {extension.id}")
    draft.extensions[extension.id] = extension


def _rid(draft: _Draft, value: str) -> None:
    rid = attributes.rid(value)
    if rid.id in draft.rids:
        raise BadOffer("duplicate_rid", "two a=rid with one id")
    draft.rids[rid.id] = rid


def _ssrc(draft: _Draft, value: str) -> None:
    draft.ssrcs[attributes.ssrc(value.partition(" ")[0])] = None


def _ssrc_group(draft: _Draft, value: str) -> None:
    draft.groups.append(attributes.ssrc_group(value))


def _msid(draft: _Draft, value: str) -> None:
    draft.msids.append(attributes.msid(value))


def _fingerprint(draft: _Draft, value: str) -> None:
    draft.fingerprints.append(attributes.fingerprint(value))


def _candidate(draft: _Draft, value: str) -> None:
    draft.candidates.append(attributes.candidate(value))


def _group(draft: _Draft, value: str) -> None:
    semantics, *mids = value.split(" ")
    if semantics != "BUNDLE":
        return
    if draft.bundle is not None or draft.media is not None:
        raise BadOffer("bad_bundle", "one BUNDLE group for the session")
    draft.bundle = tuple(attributes.mid(mid) for mid in mids if mid)


_MANY: dict[str, Callable[[_Draft, str], None]] = {
    "rtpmap": _rtpmap,
    "fmtp": _fmtp,
    "rtcp-fb": _feedback,
    "extmap": _extmap,
    "rid": _rid,
    "ssrc": _ssrc,
    "ssrc-group": _ssrc_group,
    "msid": _msid,
    "fingerprint": _fingerprint,
    "candidate": _candidate,
    "group": _group,
}
_ONCE: dict[str, Callable[[str], object]] = {
    "mid": attributes.mid,
    "ice-ufrag": attributes.ufrag,
    "ice-pwd": attributes.password,
    "ice-options": attributes.options,
    "setup": attributes.setup,
    "simulcast": attributes.simulcast,
    "sctp-port": lambda text: attributes.number(text, "the SCTP port", 65535),
    "max-message-size": lambda text: attributes.number(text, "the size of a message", 2**53),
}


def parse_offer(given: str | bytes | memoryview) -> Offer:
    """Raises BadOffer."""
    session, drafts = _read(_text(given))
    if "ice-lite" in session.flags:
        raise BadOffer("ice_lite_peer", "two sides that are both ICE-lite never meet")
    sections = tuple(_section(draft, session) for draft in drafts)
    bundle = session.bundle or ()
    _require_consistent(sections, bundle)
    live = [draft for draft, section in zip(drafts, sections, strict=True) if not section.is_rejected]
    identifier, version = _origin(session)
    return Offer(
        identifier, version, bundle, "extmap-allow-mixed" in session.flags, _transport(live, session), sections
    )


def _text(given: str | bytes | memoryview) -> str:
    if len(given) > MAX_SIZE:
        raise BadOffer("too_large", f"more than {MAX_SIZE} bytes")
    if isinstance(given, str):
        return given
    try:
        return bytes(given).decode()
    except UnicodeDecodeError:
        raise BadOffer("not_text", "not UTF-8") from None


def _read(text: str) -> tuple[_Draft, list[_Draft]]:
    session = current = _Draft()
    drafts: list[_Draft] = []
    for index, raw in enumerate(text.removesuffix("\n").split("\n")):
        line = raw.removesuffix("\r")
        found = _LINE.fullmatch(line) if len(line) <= MAX_LINE else None
        if found is None or (index == 0 and line != "v=0"):
            raise BadOffer("bad_line", f"line {index + 1} is no line of a session description")
        kind, value = found.groups()
        if kind == "m":
            current = _Draft(media=_MEDIA.fullmatch(value))
            if current.media is None:
                raise BadOffer("bad_media_line", f"line {index + 1} names no kind, port, protocol and formats")
            drafts.append(current)
        current.lines += 1
        if len(drafts) > MAX_SECTIONS or current.lines > MAX_SECTION_LINES:
            raise BadOffer("too_many", f"{MAX_SECTIONS} sections of {MAX_SECTION_LINES} lines are the most")
        _take(current, kind, value, index + 1)
    return session, drafts


def _take(draft: _Draft, kind: str, value: str, line: int) -> None:
    if kind == "o" and draft.media is None:
        draft.once("o", value)
    if kind != "a":
        return
    name, _, text = value.partition(":")
    try:
        if name in _DIRECTIONS:
            draft.once("direction", _DIRECTIONS[name])
        elif name in _FLAGS:
            draft.flags.add(name)
        elif name in _ONCE:
            draft.once(name, _ONCE[name](text.strip(" ")))
        elif name in _MANY:
            _MANY[name](draft, text.strip(" "))
    except BadOffer as bad:
        raise BadOffer(bad.reason, f"line {line}: {bad.detail}") from None


def _origin(session: _Draft) -> tuple[int, int]:
    fields = str(session.single.get("o", "")).split(" ")
    if len(fields) != 6:
        raise BadOffer("bad_origin", "o= has six fields")
    # RFC 9429 section 5.2.1: at most 64 bits.
    return attributes.number(fields[1], "a session id", 2**64 - 1), attributes.number(fields[2], "a version", 2**64 - 1)


def _section(draft: _Draft, session: _Draft) -> Section:
    kind, port, protocol, formats = draft.media.groups() if draft.media else ("", "0", "", "")
    single = {**session.single, **draft.single}
    listed = tuple(formats.strip().split(" "))
    direction, simulcast, sctp, size = (
        single.get(name) for name in ("direction", "simulcast", "sctp-port", "max-message-size")
    )
    mid = draft.single.get("mid", "")
    return Section(
        kind=kind,
        mid=mid if isinstance(mid, str) else "",
        port=attributes.number(port, "a port", 65535),
        protocol=protocol,
        formats=listed,
        direction=direction if isinstance(direction, Direction) else Direction.SENDRECV,
        codecs=_codecs(draft, listed),
        extensions=tuple({**session.extensions, **draft.extensions}.values()),
        rids=tuple(draft.rids.values()),
        simulcast=simulcast if isinstance(simulcast, Simulcast) else Simulcast(),
        ssrcs=tuple(draft.ssrcs),
        ssrc_groups=tuple(draft.groups),
        msids=tuple(draft.msids),
        candidates=tuple(draft.candidates),
        sctp_port=sctp if isinstance(sctp, int) else None,
        max_message_size=size if isinstance(size, int) else None,
        bundle_only="bundle-only" in draft.flags,
        rtcp_mux="rtcp-mux" in draft.flags,
        rtcp_rsize="rtcp-rsize" in draft.flags,
        allows_mixed="extmap-allow-mixed" in draft.flags,
    )


def _codecs(draft: _Draft, formats: tuple[str, ...]) -> tuple[Codec, ...]:
    """In the order of the m-line, which is the order of preference."""
    if not draft.codecs:
        return ()
    order = [attributes.payload_type(text) for text in formats]
    if len(set(order)) != len(order):
        raise BadOffer("duplicate_payload_type", "a payload type stands twice in a media line")
    if not draft.codecs.keys() <= set(order):
        raise BadOffer("unlisted_payload_type", "a=rtpmap for a payload type that the media line has not")
    everywhere = [value for of, value in draft.feedback if of is None]
    if len(everywhere) > MAX_WILDCARDS:
        raise BadOffer("too_many", f"more than {MAX_WILDCARDS} lines of a=rtcp-fb:*")
    own: dict[int, list[str]] = {}
    for of, value in draft.feedback:
        if of is not None:
            own.setdefault(of, []).append(value)
    return tuple(
        replace(
            draft.codecs[number],
            parameters=draft.parameters.get(number, ""),
            feedback=tuple(dict.fromkeys([*everywhere, *own.get(number, ())])),
        )
        for number in order
        if number in draft.codecs
    )


def _require_consistent(sections: tuple[Section, ...], bundle: tuple[str, ...]) -> None:
    mids = [section.mid for section in sections if section.mid]
    if len(set(mids)) != len(mids) or len(set(bundle)) != len(bundle):
        raise BadOffer("duplicate_mid", "two sections with one mid")
    if not set(bundle) <= set(mids):
        raise BadOffer("bad_bundle", "the group names a section that is not there")
    senders: set[int] = set()
    for section in sections:
        if section.is_rejected:
            continue
        if not section.mid or section.mid not in bundle:
            raise BadOffer("not_bundled", "every section is in the one BUNDLE group")
        _require_streams(section)
        if not senders.isdisjoint(section.ssrcs):
            raise BadOffer("duplicate_ssrc", "one SSRC in two sections")
        senders.update(section.ssrcs)


def _require_streams(section: Section) -> None:
    named = [rid for stream in (*section.simulcast.send, *section.simulcast.recv) for rid in stream]
    if not set(named) <= {rid.id for rid in section.rids} or len(set(named)) != len(named):
        raise BadOffer("bad_simulcast", "a=simulcast names a rid twice, or one without its line")
    known = set(section.ssrcs)
    if not all(known.issuperset(group.ssrcs) for group in section.ssrc_groups):
        raise BadOffer("bad_ssrc_group", "a group names an SSRC without its line")
    is_media = section.kind in ("audio", "video")
    if is_media and section.codecs and not section.rtcp_mux:
        raise BadOffer("no_rtcp_mux", "reports travel with the media")


def _transport(live: list[_Draft], session: _Draft) -> Transport:
    """Sections of a bundle need not repeat what one of them has said (RFC 9429 section 5.2.2); none says otherwise."""
    if not live:
        raise BadOffer("nothing_offered", "no section is in use")
    ufrag, password, setup = (_said(live, session, name) for name in ("ice-ufrag", "ice-pwd", "setup"))
    prints = {tuple(draft.fingerprints) for draft in live if draft.fingerprints} or {tuple(session.fingerprints)}
    if len(prints) > 1:
        raise BadOffer("transport_mismatch", "the sections of the bundle differ in a=fingerprint")
    if not isinstance(ufrag, str) or not isinstance(password, str):
        raise BadOffer("no_ice_credentials", "a=ice-ufrag and a=ice-pwd are missing")
    (fingerprints,) = prints
    if not any(one.algorithm == SHA_256 for one in fingerprints):
        raise BadOffer("no_fingerprint", f"one of {SHA_256} is needed")
    # We are the DTLS server: our order of SRTP profiles is the one that counts.
    if setup not in ("actpass", "active"):
        raise BadOffer("bad_setup", "who offers must be able to be the active side")
    options = _said(live, session, "ice-options")
    return Transport(ufrag, password, options if isinstance(options, tuple) else (), fingerprints, str(setup))


def _said(live: list[_Draft], session: _Draft, name: str) -> object:
    values = {draft.single[name] for draft in live if name in draft.single} or {session.single.get(name)}
    if len(values) > 1:
        raise BadOffer("transport_mismatch", f"the sections of the bundle differ in a={name}")
    (value,) = values
    return value
