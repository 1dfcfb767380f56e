"""Whether a session is still one: asked on every request, so it is kept where asking is cheap.

The durable truth is the table of sessions. In front of it stands a word per session in the shared short-lived state:
``alive`` or ``ended``. Where there is none (first request, restart, a Redis that lost its memory) the table is asked
and a yes is kept for a minute, which bounds what a store that lost its latest words can be wrong by. ``ended`` is
never overwritten while a token of the session can live, so somebody who looked into the table just before a session
ended cannot bring it back. A store that does not answer is an error, never a yes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from kernel.ephemeral import KeyValues
from kernel.errors import Overloaded, Unauthenticated

ALIVE = b"alive"
ENDED = b"ended"
# How long the table is not asked again.
ALIVE_SECONDS = 60.0
# Longer than any access token may live by a clock that is a little off.
MARGIN_SECONDS = 60.0


class Revocations:
    def __init__(self, words: KeyValues, is_alive: Callable[[UUID], Awaitable[bool]], *, token_lifetime: float) -> None:
        """``is_alive`` asks the table."""
        self._words = words
        self._is_alive = is_alive
        self._ttl = token_lifetime + MARGIN_SECONDS

    async def require_alive(self, session: UUID) -> None:
        """Raises Unauthenticated ``session_ended``, and DependencyUnavailable when nobody can tell."""
        key = _key(session)
        word = await self._words.get(key)
        if word == ALIVE:
            return
        if word is None and await self._is_alive(session) and await self._still_alive(key):
            return
        raise Unauthenticated("This session has ended; sign in again.", code="session_ended")

    async def _still_alive(self, key: str) -> bool:
        """Whether nobody ended it while the table was asked."""
        try:
            if await self._words.put(key, ALIVE, ttl=ALIVE_SECONDS, if_absent=True):
                return True
        except Overloaded:
            return True  # no room for the word: the table is asked each time, and has just answered
        return await self._words.get(key) == ALIVE

    async def revoke(self, sessions: Sequence[UUID]) -> None:
        for session in sessions:
            await self._words.put(_key(session), ENDED, ttl=self._ttl)


def _key(session: UUID) -> str:
    return f"identity:session:{session.hex}"
