"""Whether a session is still one: asked on every request, so it is kept where asking is cheap.

The durable truth is the table of sessions. In front of it stands a word per session in the shared short-lived state:
``alive`` or ``ended``. Where there is none (first request, restart, a Redis that lost its memory) the table is asked
and the answer is kept. ``ended`` is never overwritten while a token of the session can live, so somebody who looked
into the table just before a session ended cannot bring it back. A store that does not answer is an error, never a yes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from kernel.ephemeral import KeyValues
from kernel.errors import Unauthenticated

ALIVE = b"alive"
ENDED = b"ended"
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
        word = await self._words.get(_key(session))
        if word == ALIVE:
            return
        if word is None and await self._is_alive(session):
            await self._words.put(_key(session), ALIVE, ttl=self._ttl, if_absent=True)
            word = await self._words.get(_key(session))
            if word == ALIVE:
                return
        raise Unauthenticated("This session has ended; sign in again.", code="session_ended")

    async def revoke(self, sessions: Sequence[UUID]) -> None:
        for session in sessions:
            await self._words.put(_key(session), ENDED, ttl=self._ttl)


def _key(session: UUID) -> str:
    return f"identity:session:{session.hex}"
