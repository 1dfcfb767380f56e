"""One large upload under way: a request that is fed while it runs, watched for standing still."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Self

from adapters.objects.pieces import Exactly
from adapters.objects.s3_answer import Answer


class Stalled(OSError):
    """The server took no byte for too long."""


class Upload:
    """Owns the task that sends; ``stop`` ends it, whatever happened, and waits until it has ended."""

    def __init__(self, body: _Body, task: asyncio.Task[Answer]) -> None:
        self._body = body
        self._task = task

    @classmethod
    async def begun(cls, send: Callable[[AsyncIterator[bytes]], Coroutine[Any, Any, Answer]], pieces: Exactly) -> Self:
        """Returns when the server has asked for the body; raises what it or the network said instead.

        Whatever happens after that question shows in ``finished``: the source has been touched, so no caller
        may take an exception from here for one that allows to begin again.
        """
        body = _Body(pieces)
        upload = cls(body, asyncio.create_task(send(body)))
        asked = asyncio.create_task(body.asked_for.wait())
        try:
            await asyncio.wait({upload._task, asked}, return_when=asyncio.FIRST_COMPLETED)
            if not body.asked_for.is_set():
                upload._task.result()
        except BaseException:
            await upload.stop()
            raise
        finally:
            asked.cancel()
        return upload

    @property
    def md5(self) -> str:
        return self._body.digest.hexdigest()

    async def finished(self, stall_timeout: float) -> Answer:
        """The server's answer. Raises what the source raised; else what the client did, or Stalled."""
        patience = asyncio.timeout(None)
        try:
            async with patience:
                self._body.watch(patience, stall_timeout)
                return await self._task
        except Exception as error:
            if self._body.source_failure is not None:
                raise self._body.source_failure from None
            if isinstance(error, TimeoutError) and patience.expired():
                raise Stalled(f"no byte moved for {stall_timeout:g} s") from error
            raise

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})
        if not self._task.cancelled():
            self._task.exception()


class _Body:
    """The pieces as the request pulls them, hashed on the way."""

    def __init__(self, pieces: Exactly) -> None:
        self.asked_for = asyncio.Event()
        self.source_failure: Exception | None = None
        # S3's ETag of a plain upload is this; it says what arrived, it secures nothing.
        self.digest = hashlib.md5(usedforsecurity=False)
        self._pieces = pieces
        self._patience: asyncio.Timeout | None = None
        self._stall_timeout = 0.0
        self._waiting_for_source = False

    def watch(self, patience: asyncio.Timeout, stall_timeout: float) -> None:
        self._patience, self._stall_timeout = patience, stall_timeout
        if not self._waiting_for_source:
            self._server_moves()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        self.asked_for.set()
        self._source_moves()
        try:
            piece = await anext(self._pieces)
        except StopAsyncIteration:
            self._server_moves()
            raise
        except Exception as error:
            self.source_failure = error
            raise
        self.digest.update(piece)
        # Source and socket may both be quick enough never to wait; everyone else has a turn between two pieces.
        await asyncio.sleep(0)
        self._server_moves()
        return piece

    def _source_moves(self) -> None:
        self._waiting_for_source = True
        self._expect(None)

    def _server_moves(self) -> None:
        self._waiting_for_source = False
        self._expect(asyncio.get_running_loop().time() + self._stall_timeout)

    def _expect(self, deadline: float | None) -> None:
        if self._patience is not None and not self._patience.expired():
            self._patience.reschedule(deadline)
