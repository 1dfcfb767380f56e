"""Mail through the embedded job queue, into the embedded outbox: posted with its transaction, delivered by its job."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from email import message_from_bytes, policy
from pathlib import Path

import msgspec
import pytest

from adapters.memory import MemoryBus
from adapters.outbound import open_mailer
from adapters.sql.engine import Database, open_database
from adapters.sql.jobs import SqlJobs, open_jobs
from adapters.sql.migrate import upgrade
from config import sections
from kernel.clock import SystemClock
from kernel.errors import DependencyUnavailable, Unprocessable
from kernel.ids import IdGenerator
from kernel.jobrules import PermanentFailure
from kernel.jobs import MAX_PAYLOAD_BYTES, Job, NewJob
from kernel.mail import Mail
from kernel.mailqueue import MAIL_JOB, MailDelivery, MailQueue
from kernel.metrics import Metrics
from kernel.units import Transaction

MAIL = Mail(
    "reset-1@example.org", "zoë@example.org", "Grüße ✉", "Klick:\nhttps://example.org/r?t=1", html="<p>Klick</p>"
)


@dataclass
class Post:
    database: Database
    jobs: SqlJobs
    directory: Path

    @property
    def queue(self) -> MailQueue:
        return MailQueue(self.jobs.queue)

    async def waiting(self) -> list[Job]:
        return list(await self.jobs.queue.claim([MAIL_JOB], limit=10, lease=30.0))

    async def deliver(self, job: Job, settings: sections.Mail | None = None) -> None:
        async with open_mailer(
            settings or sections.Mail(),
            data_dir=self.directory,
            announce=lambda line: None,
            clock=SystemClock(),
            metrics=Metrics(),
        ) as outgoing:
            await MailDelivery(outgoing.mailer).deliver(job)

    def delivered(self) -> list[bytes]:
        return [path.read_bytes() for path in sorted((self.directory / "outbox").glob("*.eml"))]


@pytest.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    clock, metrics = SystemClock(), Metrics()
    async with AsyncExitStack() as stack:
        opening = open_database(sections.Database(), data_dir=tmp_path, clock=clock, metrics=metrics)
        database = await stack.enter_async_context(opening)
        await upgrade(database)
        queue = open_jobs(
            database, sections.Jobs(), clock=clock, metrics=metrics, ids=IdGenerator(clock), bus=MemoryBus(metrics)
        )
        yield Post(database, await stack.enter_async_context(queue), tmp_path)


async def test_a_posted_mail_is_delivered_as_it_was_written(post: Post) -> None:
    await post.queue.post(MAIL)
    [job] = await post.waiting()
    await post.deliver(job)
    [raw] = post.delivered()
    message = message_from_bytes(raw, policy=policy.SMTPUTF8)
    text, html = message.get_body(["plain"]), message.get_body(["html"])
    assert message["Subject"] == MAIL.subject
    assert message["To"] == MAIL.to
    assert text is not None
    assert text.get_content().split() == MAIL.text.split()
    assert html is not None
    assert html.get_content().strip() == MAIL.html


async def test_a_mail_posted_in_a_transaction_exists_when_that_committed_and_not_when_it_failed(post: Post) -> None:
    async def fails(transaction: Transaction) -> None:
        await post.queue.post(MAIL, within=transaction)
        raise ZeroDivisionError

    async def commits(transaction: Transaction) -> None:
        await post.queue.post(MAIL, within=transaction)

    with pytest.raises(ZeroDivisionError):
        await post.database.units.write(fails)
    assert await post.waiting() == []
    await post.database.units.write(commits)
    assert len(await post.waiting()) == 1


async def test_a_message_id_is_posted_once(post: Post) -> None:
    await post.queue.post(MAIL)
    await post.queue.post(MAIL)
    await post.queue.post(Mail("reset-2@example.org", MAIL.to, "s", "t"))
    assert len(await post.waiting()) == 2


async def test_a_delivery_that_is_repeated_leaves_one_mail(post: Post) -> None:
    await post.queue.post(MAIL)
    [job] = await post.waiting()
    await post.deliver(job)
    await post.deliver(job)
    assert len(post.delivered()) == 1


async def test_a_recipient_that_will_never_do_is_a_permanent_failure(post: Post) -> None:
    await post.queue.post(Mail("m-1@example.org", "nobody at all", "s", "t"))
    [job] = await post.waiting()
    with pytest.raises(PermanentFailure, match="cannot be sent"):
        await post.deliver(job)
    assert post.delivered() == []


async def test_a_mail_server_that_is_away_leaves_the_job_to_be_tried_again(post: Post) -> None:
    with closing(socket.socket()) as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        away = sections.Mail(host="127.0.0.1", port=nobody_listens.getsockname()[1], security="none")
        await post.queue.post(MAIL)
        [job] = await post.waiting()
        with pytest.raises(DependencyUnavailable):
            await post.deliver(job, away)


async def test_a_mail_no_queue_can_keep_is_refused_when_it_is_posted(post: Post) -> None:
    with pytest.raises(Unprocessable):
        await post.queue.post(Mail("m-1@example.org", "a@example.org", "s", "t" * MAX_PAYLOAD_BYTES))


async def test_a_payload_this_version_cannot_read_fails_the_attempt_only(post: Post) -> None:
    # A newer node may have written it during an upgrade; another attempt can land there.
    await post.jobs.queue.enqueue([NewJob(MAIL_JOB, b"\x00 not a mail")])
    [job] = await post.waiting()
    with pytest.raises(msgspec.MsgspecError):
        await post.deliver(job)
    assert post.delivered() == []
