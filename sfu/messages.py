"""Data messages from one participant to others, whichever way they came in. In Secure rooms only what is sealed under
the sender's announced key ids comes through; three failures mute whoever sends."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Final

import msgspec

from kernel.errors import SecureConnectError
from media.allowance import Allowance
from media.gate import Action
from sfu.admission import MESSAGE_BYTES
from sfu.meeting import Meeting
from sfu.node import Node
from sfu.notices import Data
from sfu.participants import Participant
from sfu.refusals import refused
from sfu.rooms import Mode

MESSAGES_PER_SECOND: Final = 50
BYTES_PER_SECOND: Final = 256_000


class Pace:
    """How much one participant may send, over its socket and its channels together."""

    def __init__(self, now: float) -> None:
        self._messages = Allowance(MESSAGES_PER_SECOND, now)
        self._bytes = Allowance(BYTES_PER_SECOND, now)

    def allows(self, size: int, now: float) -> bool:
        return self._messages.take(1, now) and self._bytes.take(size, now)


class _Incoming(msgspec.Struct):
    payload: str
    to: list[str] | None = None


class Messages:
    """Of one sender."""

    def __init__(self, node: Node, meeting: Meeting, sender: Participant) -> None:
        self._node = node
        self._meeting = meeting
        self._sender = sender
        self._pace = Pace(node.now())

    def send(self, payload: bytes, to: Sequence[str] | None, *, reliable: bool) -> None:
        """To all, or to some. Raises ValueError for more than MESSAGE_BYTES, and refusals."""
        if len(payload) > MESSAGE_BYTES:
            raise ValueError(f"a message has at most {MESSAGE_BYTES} bytes")
        grants = self._sender.admission.grants
        if not grants.data or grants.hidden:
            raise refused("not_granted", "You may not send messages here.")
        receivers = self._receivers(to)
        if not self._pace.allows(len(payload), self._node.now()):
            raise refused("rate_limited", "These are more messages than anybody may send.")
        if self._meeting.mode is Mode.SECURE:
            self._require_sealed(payload)
        self._deliver(receivers, payload, reliable=reliable)

    def receive(self, label: str, text: str) -> None:
        """Of a data channel. There is nobody to be told what is wrong with it: it is counted."""
        try:
            incoming = msgspec.json.decode(text, type=_Incoming)
            payload = b64decode(incoming.payload, validate=True)
            self.send(payload, incoming.to, reliable=label == "reliable")
        except SecureConnectError as error:
            self._node.meters.message_dropped(error.code)
        except (msgspec.MsgspecError, binascii.Error, ValueError):
            self._node.meters.message_dropped("malformed")

    def _receivers(self, to: Sequence[str] | None) -> list[Participant]:
        present = self._meeting.participants
        if to is None:
            return [one for one in present.values() if one is not self._sender and self._takes(one)]
        found = [present.get(one) for one in dict.fromkeys(to)]
        known = [one for one in found if one is not None and not one.is_hidden]
        if len(known) < len(found):
            raise refused("unknown_participant", "Nobody of that id is here.")
        return [one for one in known if one is not self._sender and self._takes(one)]

    def _takes(self, receiver: Participant) -> bool:
        """Without the means to open it a sealed message is of no use to anybody."""
        admission = receiver.admission
        is_granted = admission.grants.data or admission.grants.subscribe
        return is_granted and (self._meeting.mode is not Mode.SECURE or admission.e2ee is not None)

    def _require_sealed(self, payload: bytes) -> None:
        gate = self._sender.message_gate
        if gate is None:
            raise refused("encryption_required", "This room is for those who announced their encryption on joining.")
        judgement = gate.judge(payload)
        if judgement.action is Action.FORWARD:
            return
        reason = "unknown" if judgement.reason is None else judgement.reason.value
        self._node.meters.gated("message", reason, mutes=judgement.mutes)
        if judgement.mutes:
            self._node.audit.gate_muted(self._meeting.room.id, self._sender.admission.identity, None, reason)
        raise refused("mode_forbids_clear_media", f"Messages in this room are sealed as announced: {reason}.")

    def _deliver(self, receivers: Sequence[Participant], payload: bytes, *, reliable: bool) -> None:
        """Over the channel where it is open, over the socket where it is not; never over both."""
        text: str | None = None
        notice = Data(self._sender.id, payload, reliable)
        for one in receivers:
            if one.connection is not None and one.connection.has_channel(reliable=reliable):
                text = text or _written(self._sender.id, payload)
                one.connection.send_text(text, reliable=reliable)
            else:
                one.tell(notice)


def _written(sender: str, payload: bytes) -> str:
    return msgspec.json.encode({"from": sender, "payload": b64encode(payload).decode()}).decode()
