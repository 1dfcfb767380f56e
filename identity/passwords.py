"""Passwords: hashed with argon2id, on threads of their own, a few at a time.

A hash takes two hundredths of a second of a core and 19 MiB on purpose. Both release Python's lock, so on threads they
leave the event loop to the calls that are going on; a bound on how many wait turns a storm of logins into refusals.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import argon2
import bcrypt

from kernel.errors import FieldError, Overloaded, Unprocessable
from kernel.metrics import Metrics

Result = TypeVar("Result")

MIN_LENGTH = 10
# Longer ones would only make hashing slower; a passphrase of twenty words fits.
MAX_LENGTH = 256

# OWASP's first recommendation for argon2id: 19 MiB, two passes, one lane.
MEMORY_KIB = 19 * 1024
PASSES = 2
LANES = 1

# Where a core is short, calls and the event loop come before whoever signs in.
NICENESS = 10

# At fifty a second and core, the last of them waits some two seconds.
MOST_WAITING = 200

_BCRYPT_PREFIXES: Final = ("$2a$", "$2b$", "$2y$")
# bcrypt looks at no more than this many bytes, and its library refuses longer passwords since version 5.
_BCRYPT_BYTES = 72

# Those that every list of leaked passwords begins with, of the length we ask for or more.
_COMMON: Final = frozenset(
    {
        "1234567890",
        "12345678910",
        "0987654321",
        "qwertyuiop",
        "1q2w3e4r5t",
        "password123",
        "password1234",
        "passw0rd123",
    }
    | {"qwerty12345", "iloveyou123", "administrator", "letmein1234", "welcome1234", "changeme123", "1111111111"}
    | {"0000000000", "9876543210", "abcdefghij", "aaaaaaaaaa", "password1!", "correcthorsebatterystaple"}
)


def require_acceptable(password: str, *, beside: tuple[str, ...] = ()) -> None:
    """Raises Unprocessable ``weak_password``. ``beside`` are the username and the like, which nobody has to guess."""
    folded = password.casefold()
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise _weak(f"needs {MIN_LENGTH} to {MAX_LENGTH} characters")
    if folded in _COMMON or len(set(folded)) < 4:
        raise _weak("is one of the first that anybody tries")
    if any(len(word) > 3 and word.casefold() in folded and len(folded) < len(word) + 6 for word in beside):
        raise _weak("says little more than the name or the e-mail address of its account")


def _weak(message: str) -> Unprocessable:
    return Unprocessable(f"This password {message}.", code="weak_password", fields=[FieldError("password", message)])


class PasswordHasher:
    """Owns the threads; ``close`` ends them."""

    def __init__(self, metrics: Metrics, *, threads: int | None = None) -> None:
        # One core is left to the event loop and to calls.
        count = threads or max(1, (os.cpu_count() or 2) - 1)
        self._argon2 = argon2.PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="password", initializer=_step_back)
        self._turns = asyncio.Semaphore(count)
        self._waiting = 0
        metrics.gauge("password_hashes_waiting", "Passwords that wait for a thread to hash them").set_function(
            lambda: float(self._waiting)
        )
        self._refused = metrics.counter("password_hashes_refused_total", "Logins refused because too many were waiting")
        # Verified in place of the hash of an account that does not exist, so that it takes as long.
        self._nobody = self._argon2.hash(os.urandom(16).hex())

    async def hash(self, password: str) -> str:
        return await self._run(lambda: self._argon2.hash(_composed(password)))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Takes as long for None, the hash of an account that does not exist, and answers False."""
        matches = await self._run(lambda: self._matches(stored or self._nobody, password))
        return matches and stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Whether a password that was just verified should be hashed anew."""
        return stored.startswith(_BCRYPT_PREFIXES) or self._argon2.check_needs_rehash(stored)

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _matches(self, stored: str, password: str) -> bool:
        try:
            if stored.startswith(_BCRYPT_PREFIXES):
                return bcrypt.checkpw(password.encode()[:_BCRYPT_BYTES], stored.encode())
            return self._argon2.verify(stored, _composed(password))
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError, ValueError):
            return False  # a hash that is none matches nothing

    async def _run(self, work: Callable[[], Result]) -> Result:
        if self._waiting >= MOST_WAITING:
            self._refused.inc()
            raise Overloaded("Too many people are signing in at this moment.", retry_after=2.0)
        self._waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1
        done = asyncio.get_running_loop().run_in_executor(self._pool, work)
        # A turn comes back with its thread. Whoever gives up waiting leaves; what a thread has begun it ends.
        done.add_done_callback(lambda _: self._turns.release())
        return await asyncio.shield(done)


def _composed(password: str) -> str:
    """The same characters typed on another system are the same password."""
    return unicodedata.normalize("NFC", password)


def _step_back() -> None:
    if sys.platform == "linux":  # elsewhere it would be the whole process
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
