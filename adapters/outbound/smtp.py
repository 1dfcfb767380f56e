"""Mail over SMTP: a connection a mail, few at a time.

Mails are rare and go out by jobs; a kept connection would save a handshake and cost a state in which a server that
closed it in the meantime turns into a failed send.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Final, cast

import aiosmtplib
from aiosmtplib.protocol import SMTPProtocol

from adapters.guard import Guard
from adapters.outbound.messages import Composer, Recipient
from config import sections
from kernel.clock import Clock
from kernel.errors import DependencyUnavailable, Unprocessable
from kernel.health import ProbeResult
from kernel.mail import Mail

# Most servers take a handful of connections from one address and turn the rest away.
CONNECTIONS: Final = 4
_GOODBYE: Final = 1.0

OUTAGES: Final = (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPConnectError, aiosmtplib.SMTPTimeoutError, OSError)

# The server speaks of our login, not of the mail.
_OF_OUR_LOGIN: Final = frozenset({530, 534, 535, 538})


class SmtpMailer:
    def __init__(self, settings: sections.Mail, composer: Composer, guard: Guard, clock: Clock) -> None:
        self._settings = settings
        self._composer = composer
        self._guard = guard
        self._clock = clock
        self._places = asyncio.Semaphore(CONNECTIONS)
        self._trust = ssl.create_default_context(cafile=settings.tls_ca or None)

    async def send(self, mail: Mail) -> None:
        recipient = Recipient.parse(mail.to)
        message = self._composer.compose(mail, recipient, now=self._clock.now())
        async with self._place() as left:
            await self._guard.call(lambda: self._deliver(recipient, message), timeout=left)

    async def greet(self) -> None:
        """For probes: the server is there and speaks TLS as agreed. Nobody logs in to say hello."""
        async with self._connected(login=False):
            return

    async def _deliver(self, recipient: Recipient, message: bytes) -> None:
        async with self._connected(login=True) as server:
            options = ["SMTPUTF8"] if recipient.needs_utf8 else []
            with _verdicts():
                if server.is_ehlo_or_helo_needed:
                    await server.ehlo()
                if options and not server.supports_extension("SMTPUTF8"):
                    raise _refused("the mail server carries no international addresses")
                await server.sendmail(self._composer.sender.address, [recipient.address], message, mail_options=options)

    @asynccontextmanager
    async def _connected(self, *, login: bool) -> AsyncIterator[aiosmtplib.SMTP]:
        server = _Connection(self._settings, self._trust, login=login)
        try:
            with _verdicts():
                await server.connect()
            yield server
            # The mail is accepted; whether the server hears our goodbye changes nothing.
            with _heeding_cancellation(), suppress(aiosmtplib.SMTPException, OSError):
                await server.execute_command(b"QUIT", timeout=_GOODBYE)
        finally:
            await server.hang_up()

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[float]:
        """Yields what is left of the timeout, at least half of it: waiting here says nothing about the server."""
        timeout, started = self._settings.timeout, self._clock.monotonic()
        try:
            async with asyncio.timeout(timeout / 2):
                await self._places.acquire()
        except TimeoutError:
            raise DependencyUnavailable("mail", f"{CONNECTIONS} deliveries are under way") from None
        try:
            yield max(timeout / 2, timeout - (self._clock.monotonic() - started))
        finally:
            self._places.release()


class _Connection(aiosmtplib.SMTP):
    """A client whose end can be waited for."""

    def __init__(self, settings: sections.Mail, trust: ssl.SSLContext, *, login: bool) -> None:
        named = login and bool(settings.username)
        super().__init__(
            hostname=settings.host,
            port=settings.port,
            username=settings.username if named else None,
            password=settings.password.reveal() if named else None,
            # The name asked of the resolver instead would block, and often be no better.
            local_hostname=socket.gethostname(),
            timeout=settings.timeout,
            use_tls=settings.security == "tls",
            start_tls=settings.security == "starttls",
            tls_context=None if settings.security == "none" else trust,
        )
        self._ending: SMTPProtocol | None = None

    def close(self) -> None:
        """At once, also when the client itself closes, after a failure: a TLS farewell would wait for the other side,
        and keep the connection half a minute when that side is dead."""
        self._ending = self.protocol or self._ending
        if self.transport is not None:
            # Every stream transport can; uvloop's are no subclasses of asyncio's.
            cast(asyncio.WriteTransport, self.transport).abort()
        super().close()

    async def hang_up(self) -> None:
        """Gone when this returns, two or three turns of the loop later."""
        self.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE):
                # The client announces its end to no one.
                while self._ending is not None and self._ending.transport is not None:  # noqa: ASYNC110
                    await asyncio.sleep(0)


class SmtpServer:
    """The dependency. Not required: mail waits in the job queue."""

    name = "mail"
    required = False

    def __init__(self, mailer: SmtpMailer, guard: Guard) -> None:
        self._mailer = mailer
        self._guard = guard

    async def probe(self) -> ProbeResult:
        return await self._guard.probe(self._mailer.greet)


@contextmanager
def _verdicts() -> Iterator[None]:
    """What an SMTP answer means. Its text stays here: servers repeat addresses in it.

    A temporary answer is raised as DependencyUnavailable from inside the guard, which then does not count it: one
    greylisted recipient is no outage.
    """
    try:
        with _heeding_cancellation():
            yield
    except OUTAGES:
        raise
    except aiosmtplib.SMTPRecipientsRefused as error:
        raise _of_mail(error.recipients[0].code) from error
    except aiosmtplib.SMTPDataError as error:
        raise _of_mail(error.code) from error
    except aiosmtplib.SMTPAuthenticationError as error:
        raise _unavailable(f"it refuses our login ({error.code}); check mail.username and mail.password") from error
    except aiosmtplib.SMTPSenderRefused as error:
        raise _unavailable(f"it refuses our sender ({error.code}); check mail.sender") from error
    except aiosmtplib.SMTPResponseException as error:
        raise _unavailable(f"it answered {error.code}") from error
    except aiosmtplib.SMTPException as error:
        raise _unavailable("it does not offer what mail.security or mail.username ask for") from error


@contextmanager
def _heeding_cancellation() -> Iterator[None]:
    """The client waits with Python 3.11's wait_for, which loses a cancellation that comes together with an answer:
    the task would go on for ever, and our timeouts with it."""
    task = asyncio.current_task()
    before = 0 if task is None else task.cancelling()
    try:
        yield
    finally:
        if task is not None and task.cancelling() > before:
            raise asyncio.CancelledError


def _of_mail(code: int) -> DependencyUnavailable | Unprocessable:
    if code in _OF_OUR_LOGIN:
        return _unavailable(f"it wants a login ({code}); check mail.username and mail.password")
    if code < 500:
        return _unavailable(f"it answered {code}, not now")
    return _refused(f"the mail server answered {code}")


def _unavailable(why: str) -> DependencyUnavailable:
    return DependencyUnavailable("mail", why)


def _refused(why: str) -> Unprocessable:
    return Unprocessable(f"The mail cannot be sent: {why}.", code="mail_refused")
