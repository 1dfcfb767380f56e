"""Loaded by schemathesis itself: each of its requests comes from a session of its own, so that it may end it."""

from __future__ import annotations

import os
from typing import Any
from urllib.request import Request, urlopen

import msgspec
import schemathesis

# Where to sign in, and the body to do it with.
LOGIN_URL = "THROWAWAY_LOGIN_URL"
LOGIN_BODY = "THROWAWAY_LOGIN_BODY"


@schemathesis.auth(refresh_interval=None, retry_on=[])
class ThrowawaySession:
    def get(self, _case: Any, _context: Any) -> str:
        body = os.environ[LOGIN_BODY].encode()
        login = Request(os.environ[LOGIN_URL], body, {"Content-Type": "application/json"})  # noqa: S310 - our own
        with urlopen(login, timeout=30) as answer:  # noqa: S310
            return str(msgspec.json.decode(answer.read())["access_token"])

    def set(self, case: Any, token: str, _context: Any) -> None:
        case.headers["Authorization"] = f"Bearer {token}"
