"""What one participant and we say to each other, over however many sockets it takes."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Final, Protocol
from uuid import UUID

from sfu.member import Member
from sfu.notices import Ended, Ending, Notice
from signaling.faults import CloseCode
from signaling.outbox import Record
from signaling.telling import Scribe

_CLOSES_WITH: Final = {Ending.KICKED: CloseCode.FORBIDDEN, Ending.SERVER_STOPPING: CloseCode.GOING_AWAY}


class Line(Protocol):
    """A socket that is open, as a conversation needs it. Nothing of it waits or raises, whatever became of it."""

    def begin(self, frames: Sequence[bytes]) -> None:
        """Ahead of what is sent from now on; does not count against what may be pending."""
        ...

    def send(self, frame: bytes) -> None: ...

    def end(self, code: CloseCode, reason: str) -> None:
        """Once everything that was sent is out."""
        ...


class Conversation:
    """``tell`` is what the room calls. A socket that is lost is replaced by the next that brings ``resume_token``."""

    def __init__(self, room: UUID, identity: str, scribe: Scribe, conversations: Conversations) -> None:
        self.room = room
        self.identity = identity
        self.resume_token: Final = secrets.token_urlsafe(24)
        self.over = False
        self._scribe = scribe
        self._conversations = conversations
        self._record = Record()
        self._member: Member | None = None
        self._line: Line | None = None

    def tell(self, notice: Notice) -> None:
        if self.over:
            return
        frame = self._record.add(notice.type, self._scribe.written(notice, self.resume_token))
        if self._line is not None:
            self._line.send(frame)
        if isinstance(notice, Ended):
            self.finish(_CLOSES_WITH.get(notice.reason, CloseCode.DONE), notice.reason.value)

    def begin(self, member: Member, line: Line) -> None:
        """Somebody came in. From now on it can be resumed."""
        self._member, self._line = member, line
        self._conversations.keep(self)

    @property
    def member(self) -> Member:
        if self._member is None:
            raise LookupError("nobody has come in yet")
        return self._member

    def missed(self, after: int) -> Sequence[bytes] | None:
        """None when that is too long ago, or was never said."""
        return self._record.after(after)

    def resume(self, line: Line) -> None:
        """On another socket from now on; the one before, if it is still open, has nothing to say any more."""
        before, self._line = self._line, line
        if before is None:
            self.member.socket_back()
        else:
            before.end(CloseCode.DONE, "resumed on another socket")

    def lost(self, line: Line) -> None:
        """Unless it has another one by now."""
        if self._line is line and not self.over:
            self._line = None
            self.member.socket_lost()

    def leave(self) -> None:
        self.member.leave()
        self.finish(CloseCode.DONE, "left")

    def finish(self, code: CloseCode, reason: str) -> None:
        self.over = True
        self._conversations.forget(self)
        if self._line is not None:
            self._line.end(code, reason)


class Conversations:
    """Those that can be resumed: of everybody who is in a room here, and of nobody else."""

    def __init__(self) -> None:
        self._by_token: dict[str, Conversation] = {}
        self._scribe = Scribe()

    def __len__(self) -> int:
        return len(self._by_token)

    def open(self, room: UUID, identity: str) -> Conversation:
        return Conversation(room, identity, self._scribe, self)

    def keep(self, conversation: Conversation) -> None:
        self._by_token[conversation.resume_token] = conversation

    def forget(self, conversation: Conversation) -> None:
        self._by_token.pop(conversation.resume_token, None)

    def find(self, resume_token: str, room: UUID, identity: str) -> Conversation | None:
        """Of that person in that room only: whoever finds a token cannot use it with a ticket of their own."""
        found = self._by_token.get(resume_token)
        return found if found is not None and (found.room, found.identity) == (room, identity) else None
