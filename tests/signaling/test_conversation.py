"""A conversation over sockets that come and go: whatever happens, everything is heard once and in order."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from sfu.member import Member
from sfu.notices import Ended, Ending, Reaction
from signaling.conversation import Conversation, Conversations
from signaling.faults import CloseCode
from signaling.outbox import MOST_KEPT, Outbox


class Presence:
    """Of a participant, what a conversation tells it: whether it has a socket."""

    joined = object()

    def __init__(self) -> None:
        self.has_socket = True
        self.left = False

    def socket_lost(self) -> None:
        assert self.has_socket
        self.has_socket = False

    def socket_back(self) -> None:
        assert not self.has_socket
        self.has_socket = True

    def leave(self) -> None:
        self.left = True


class Wire:
    """A line whose client reads when it is told to; what it has not read when it is lost is lost."""

    def __init__(self) -> None:
        self.outbox = Outbox()
        self.ending: CloseCode | None = None

    def begin(self, frames: Sequence[bytes]) -> None:
        self.outbox.begin(frames)

    def send(self, frame: bytes) -> None:
        if self.ending is None and not self.outbox.put(frame):
            self.outbox.drop()
            self.end(CloseCode.TOO_SLOW, "too_slow")

    def end(self, code: CloseCode, reason: str) -> None:
        self.ending = self.ending or code

    def read(self, most: int) -> list[dict[str, Any]]:
        frames = [self.outbox.take() for _ in range(min(most, len(self.outbox)))]
        return [json.loads(frame) for frame in frames if frame is not None]


def opened() -> tuple[Conversation, Presence, Wire, Conversations]:
    conversations, presence, wire = Conversations(), Presence(), Wire()
    conversation = conversations.open(uuid4(), "ada")
    conversation.begin(cast(Member, presence), wire)
    return conversation, presence, wire, conversations


Tell, Read, Lose, Move = "tell", "read", "lose", "move"


@given(
    st.lists(
        st.tuples(st.just(Tell), st.integers(1, 90))
        | st.tuples(st.just(Read), st.integers(1, 90))
        | st.tuples(st.just(Lose), st.just(0))
        | st.tuples(st.just(Move), st.just(0)),
        max_size=40,
    )
)
def test_everything_is_heard_once_and_in_order_whatever_becomes_of_sockets(steps: list[tuple[str, int]]) -> None:
    conversation, presence, wire, _ = opened()
    heard: list[int] = []
    said, lost = 0, False

    def listen(most: int) -> None:
        heard.extend(frame["seq"] for frame in wire.read(most))

    def come_back() -> Wire:
        missed = conversation.missed(len(heard))
        assert missed is not None  # MOST_KEPT is never reached here
        fresh = Wire()
        fresh.begin(missed)
        conversation.resume(fresh)
        return fresh

    for what, amount in steps:
        if what == Tell and said - len(heard) + amount <= MOST_KEPT:
            for _ in range(amount):
                said += 1
                conversation.tell(Reaction("somebody", str(said)))
        elif what == Read and not lost:
            listen(amount)
        elif what == Lose and not lost:
            conversation.lost(wire)
            lost = True
        elif what == Move:
            before, wire = wire, come_back()
            assert lost or before.ending in (CloseCode.DONE, CloseCode.TOO_SLOW)
            conversation.lost(before)
            lost = False
        assert presence.has_socket is not lost
        assert heard == list(range(1, len(heard) + 1))
    wire = come_back()
    listen(said)
    assert heard == list(range(1, said + 1))


def test_the_last_word_ends_the_line_and_the_conversation() -> None:
    for reason, code in ((Ending.ROOM_ENDED, CloseCode.DONE), (Ending.KICKED, CloseCode.FORBIDDEN)):
        conversation, presence, wire, conversations = opened()
        conversation.tell(Ended(reason))
        conversation.tell(Reaction("somebody", "too late"))
        assert [frame["data"] for frame in wire.read(9)] == [{"reason": reason.value}]
        assert wire.ending is code
        assert len(conversations) == 0
        conversation.lost(wire)
        assert presence.has_socket


def test_who_is_not_there_any_more_is_forgotten_with_or_without_a_socket() -> None:
    conversation, _, wire, conversations = opened()
    assert len(conversations) == 1
    conversation.lost(wire)
    conversation.tell(Ended(Ending.EXPIRED))
    assert len(conversations) == 0
    conversation, presence, wire, conversations = opened()
    conversation.leave()
    assert (presence.left, wire.ending, len(conversations)) == (True, CloseCode.DONE, 0)


def test_what_goes_to_many_is_written_once() -> None:
    conversations = Conversations()
    people = [conversations.open(uuid4(), str(number)) for number in range(3)]
    notice = Reaction("somebody", "x")
    for one in people:
        one.tell(notice)
    data = {id(one._record._kept[0][1]) for one in people}
    assert len(data) == 1
    people[0].tell(Reaction("somebody", "y"))
    assert json.loads(people[0]._record._kept[1][1]) == {"participant": "somebody", "emoji": "y"}


def test_every_conversation_has_a_secret_of_its_own() -> None:
    conversations, room = Conversations(), uuid4()
    tokens = {conversations.open(room, "ada").resume_token for _ in range(100)}
    assert len(tokens) == 100
    assert min(len(token) for token in tokens) >= 32
