"""The SMTP sink's process: four listeners, every accepted mail a JSON file before it is acknowledged.

``python smtp_server.py <settings file>``. Started by tests.services.smtp, which writes the settings; run as a plain
file, so that it imports nothing of the tests and can give up root after its imports.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import pwd
import signal
import ssl
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

PR_SET_PDEATHSIG = 1

# The local part of a recipient decides, so that one sink serves every test.
REFUSALS = {
    "refused": "550 5.1.1 no such mailbox",
    "later": "451 4.7.1 greylisted, try again later",
}


class Keeper:
    def __init__(self, directory: Path, *, implicit_tls: bool) -> None:
        self._directory = directory
        self._implicit_tls = implicit_tls

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        refusal = REFUSALS.get(address.partition("@")[0])
        if refusal is None:
            envelope.rcpt_tos.append(address)
        return refusal or "250 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content or b""
        raw = content if isinstance(content, bytes) else content.encode()
        kept = {
            "sender": envelope.mail_from,
            "recipients": envelope.rcpt_tos,
            "raw": raw.decode("latin-1"),
            "encrypted": self._implicit_tls or session.ssl is not None,
            "authenticated": bool(session.authenticated),
        }
        unfinished = self._directory / "unfinished"
        unfinished.write_text(json.dumps(kept))
        unfinished.rename(self._directory / f"{time.time_ns()}.json")
        return "250 kept"


def give_up_root(user: str) -> None:
    if os.geteuid() == 0:
        account = pwd.getpwnam(user)
        os.setgroups([])
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
    # Changing the account cleared the signal our parent had asked for.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


async def serve(settings: dict[str, Any]) -> None:
    loop = asyncio.get_running_loop()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings["certificate"])

    def accepts(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: object) -> AuthResult:
        matches = isinstance(data, LoginPassword) and (data.login.decode(), data.password.decode()) == (
            settings["username"],
            settings["password"],
        )
        return AuthResult(success=matches, handled=matches)

    common: dict[str, Any] = {"hostname": "localhost", "enable_SMTPUTF8": True}
    variants: dict[str, dict[str, Any]] = {
        "plain": {"auth_require_tls": True},
        "starttls": {"tls_context": context, "require_starttls": True},
        "tls": {"auth_require_tls": False},
        "auth": {"tls_context": context, "require_starttls": True, "auth_required": True, "authenticator": accepts},
    }

    def protocol(variant: str) -> SMTP:
        keeper = Keeper(Path(settings["directory"]), implicit_tls=variant == "tls")
        return SMTP(keeper, **common, **variants[variant])

    servers = [
        await loop.create_server(
            partial(protocol, variant), settings["host"], port, ssl=context if variant == "tls" else None
        )
        for variant, port in settings["ports"].items()
    ]
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    chosen = json.loads(Path(sys.argv[1]).read_text())
    give_up_root(chosen["user"])
    asyncio.run(serve(chosen))
