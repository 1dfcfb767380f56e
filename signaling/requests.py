"""From a frame of a client to what its participant does: a line of the table for each request of docs/signaling.md."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from identity import names
from sfu import requests
from sfu.member import Member
from signaling import messages
from signaling.faults import BrokenProtocol
from signaling.messages import Envelope, Nothing, Request

# Everybody in the room is told of it, so that one request makes a thousand frames.
LOUD: Final = 5

# What is answered, as it is on the wire.
Reply = object


@dataclass(frozen=True, slots=True)
class Known:
    """``act`` is None for what is a matter of the socket and not of the participant. ``replies`` are the types that
    an answer may have. One that takes a while is awaited; meanwhile other requests are answered. ``cost`` is for how
    many requests it counts."""

    request: type[Request]
    replies: tuple[type, ...] = (Nothing,)
    act: Callable[[Member, Any], Reply | Awaitable[Reply]] | None = None
    cost: int = 1


def _negotiate(member: Member, asked: messages.Negotiate) -> Awaitable[Reply]:
    publish = [
        requests.Publication(
            mid=item.mid,
            cid=item.cid,
            kind=item.kind,
            source=item.source,
            encrypted=item.encrypted,
            layers=tuple(requests.Encoding(layer.rid, layer.width, layer.height) for layer in item.layers),
        )
        for item in asked.publish
    ]
    return member.negotiate(asked.sdp, publish, requests.Receive(asked.receive.audio, asked.receive.video))


def _rename(member: Member, asked: messages.SetMetadata) -> None:
    """Names are spelt as everywhere else, so that nobody is called what cannot be told apart from another."""
    name = None if asked.name is None else names.display_name(asked.name)
    member.set_metadata(asked.metadata, name)


REQUESTS: Final[Mapping[str, Known]] = {
    "join": Known(messages.Join, (messages.JoinedView, messages.WaitingView)),
    "resume": Known(messages.Resume),
    "leave": Known(messages.Leave),
    "negotiate": Known(messages.Negotiate, (requests.Negotiated,), _negotiate),
    "candidate": Known(
        messages.Candidate, act=lambda member, asked: member.take_candidate(asked.candidate, asked.mid or "")
    ),
    "want": Known(
        messages.Want,
        act=lambda member, asked: member.want(asked.track, asked.width, asked.height, asked.fps, asked.priority),
    ),
    "unwant": Known(messages.Unwant, act=lambda member, asked: member.unwant(asked.track)),
    "pin": Known(messages.Pin, act=lambda member, asked: member.pin(asked.track, pinned=asked.pinned)),
    "mute": Known(messages.Mute, act=lambda member, asked: member.mute(asked.track, muted=asked.muted), cost=LOUD),
    "unpublish": Known(messages.Unpublish, act=lambda member, asked: member.unpublish(asked.track)),
    "set_metadata": Known(messages.SetMetadata, act=_rename, cost=LOUD),
    "raise_hand": Known(
        messages.RaiseHand, act=lambda member, asked: member.raise_hand(raised=asked.raised), cost=LOUD
    ),
    "reaction": Known(messages.React, act=lambda member, asked: member.react(asked.emoji), cost=LOUD),
    "data": Known(
        messages.SendData,
        act=lambda member, asked: member.send_data(asked.payload, asked.to, reliable=asked.reliable),
    ),
}

_envelope: Final = msgspec.json.Decoder(Envelope)
_decoders: Final = {name: msgspec.json.Decoder(known.request) for name, known in REQUESTS.items()}
# Half a surrogate pair and bytes that are no UTF-8 are found where text is read, nesting without end anywhere.
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def opened(frame: bytes) -> Envelope:
    """Its type is one that is known. Raises BrokenProtocol."""
    if len(frame) > messages.LARGEST_FRAME:
        raise BrokenProtocol(f"A frame is over {messages.LARGEST_FRAME} bytes.", code="frame_too_large")
    try:
        envelope = _envelope.decode(frame)
    except msgspec.ValidationError as error:
        raise BrokenProtocol(f"This is no message: {error}.", code="invalid_message") from error
    except _UNREADABLE as error:
        raise BrokenProtocol("This is not JSON.", code="malformed_json") from error
    if envelope.type not in REQUESTS:
        raise BrokenProtocol("There is no request of this type.", code="unknown_type")
    return envelope


def read(envelope: Envelope) -> Request:
    """Raises BrokenProtocol."""
    try:
        found: Request = _decoders[envelope.type].decode(envelope.data)
    except msgspec.ValidationError as error:
        raise BrokenProtocol(f"The data of `{envelope.type}`: {error}.", code="invalid_message") from error
    except _UNREADABLE as error:
        raise BrokenProtocol("This is not JSON.", code="malformed_json") from error
    return found
