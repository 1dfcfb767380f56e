"""The frames of one socket, one after the other: each request gets its answer, and the first of them a participant."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Final, Protocol

from identity.roomtokens import RoomClaims
from kernel.clock import Clock
from kernel.errors import Conflict, RateLimited
from sfu.member import Member
from sfu.notices import Ended, Ending, Tell
from sfu.refusals import refused
from signaling import messages
from signaling.conversation import Conversation, Conversations, Line
from signaling.faults import CloseCode, judged
from signaling.frames import answering
from signaling.messages import Announced, Nothing, Request, WaitingView, joined_view
from signaling.numbers import Numbers
from signaling.outbox import Budget
from signaling.requests import REQUESTS, Reply, opened, read

REQUESTS_A_SECOND: Final = 50.0
BURST: Final = 100
# Who goes on after a refusal is read no faster than that.
PAUSE_SECONDS: Final = 1.0 / REQUESTS_A_SECOND
# For what was being answered when a socket ended.
SETTLE_SECONDS: Final = 5.0

_NOTHING: Final = Nothing()


class Doors(Protocol):
    """``signaling.lobby.Lobby``."""

    async def admit(self, claims: RoomClaims, e2ee: Announced | None, tell: Tell) -> Member: ...


class Exchange:
    """``claims`` are those of the token that the socket was opened with."""

    def __init__(
        self,
        claims: RoomClaims,
        line: Line,
        *,
        doors: Doors,
        conversations: Conversations,
        clock: Clock,
        numbers: Numbers,
    ) -> None:
        self._claims = claims
        self._line = line
        self._doors = doors
        self._conversations = conversations
        self._clock = clock
        self._numbers = numbers
        self._budget = Budget(rate=REQUESTS_A_SECOND, burst=BURST, now=clock.monotonic())
        self._conversation: Conversation | None = None
        self._running: set[asyncio.Task[None]] = set()

    @property
    def joined(self) -> bool:
        return self._conversation is not None

    async def take(self, frame: bytes) -> None:
        """One that arrived."""
        number: str | None = None
        try:
            envelope = opened(frame)
            number = envelope.id
            self._numbers.requests.labels(envelope.type).inc()
            if not self._budget.take(self._clock.monotonic(), REQUESTS[envelope.type].cost):
                raise RateLimited("There are at most 50 requests a second here, and ten that everybody is told of.")
            await self._answer(envelope.type, number, read(envelope))
        except Exception as error:  # noqa: BLE001 - the boundary: whatever it was, the client gets one answer
            self.refuse(error, number)
            if isinstance(error, RateLimited):
                await asyncio.sleep(PAUSE_SECONDS)

    def refuse(self, error: Exception, number: str | None = None) -> None:
        verdict = judged(error)
        self._numbers.faults.labels(verdict.fault.code).inc()
        self._send("error", number, verdict.fault)
        if verdict.close is not None:
            self._line.end(verdict.close, verdict.fault.code)

    def stop(self) -> None:
        """The server is stopping."""
        if self._conversation is not None:
            self._conversation.tell(Ended(Ending.SERVER_STOPPING))
        self._line.end(CloseCode.GOING_AWAY, Ending.SERVER_STOPPING.value)

    def lost(self) -> None:
        """The socket is no more."""
        if self._conversation is not None:
            self._conversation.lost(self._line)

    async def settle(self) -> None:
        """Wait for what is being answered: it is not given up in the middle because nobody reads it."""
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=SETTLE_SECONDS)
            for task in late:
                task.cancel()

    async def _answer(self, kind: str, number: str | None, request: Request) -> None:
        if isinstance(request, messages.Join):
            await self._join(number, request)
        elif isinstance(request, messages.Resume):
            self._resume(number, request)
        elif isinstance(request, messages.Leave):
            conversation = self._participating()
            self._reply(number, _NOTHING)
            conversation.leave()
        else:
            self._act(kind, number, request)

    async def _join(self, number: str | None, request: messages.Join) -> None:
        self._require_nobody()
        claims = self._claims
        conversation = self._conversations.open(claims.room, claims.sub)
        member = await self._doors.admit(claims, request.e2ee, conversation.tell)
        conversation.begin(member, self._line)
        self._conversation = conversation
        token, joined = conversation.resume_token, member.joined
        answer: Reply = WaitingView(True, token) if joined is None else joined_view(joined, token)
        self._reply(number, answer, first=True)

    def _resume(self, number: str | None, request: messages.Resume) -> None:
        self._require_nobody()
        found = self._conversations.find(request.resume_token, self._claims.room, self._claims.sub)
        missed = None if found is None else found.missed(request.after)
        if found is None or missed is None:
            raise Conflict("That is too long ago, or was never here: join anew.", code="resume_failed")
        self._conversation = found
        self._reply(number, _NOTHING, first=True)
        self._line.begin(missed)
        found.resume(self._line)

    def _act(self, kind: str, number: str | None, request: Request) -> None:
        act = REQUESTS[kind].act
        member = self._participating().member
        if act is None:
            raise LookupError(f"{kind} is for nobody to answer")
        done = act(member, request)
        if isinstance(done, Awaitable):
            task = asyncio.create_task(self._finish(done, number), name=f"{kind} of a participant")
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        else:
            self._reply(number, _NOTHING if done is None else done)

    async def _finish(self, work: Awaitable[Reply], number: str | None) -> None:
        """The answer is on its way before anything else is told: nothing is awaited in between."""
        try:
            self._reply(number, await work)
        except Exception as error:  # noqa: BLE001 - as above
            self.refuse(error, number)

    def _participating(self) -> Conversation:
        if self._conversation is None:
            raise refused("not_joined", "The first frame is `join` or `resume`.")
        return self._conversation

    def _require_nobody(self) -> None:
        if self._conversation is not None:
            raise Conflict("This socket has a participant already.", code="already_joined")

    def _reply(self, number: str | None, data: Reply, *, first: bool = False) -> None:
        if number is not None:
            self._send("reply", number, data, first=first)

    def _send(self, kind: str, number: str | None, data: object, *, first: bool = False) -> None:
        frame = answering(kind, number, data)
        if first:
            self._line.begin([frame])
        else:
            self._line.send(frame)
