"""A resource with one write per store and request, and how its traces are read back.

Every write carries its client's name and number: sent again it happens once, and a reader can tell what is missing,
doubled or out of order.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any

from msgspec import Meta
from sqlalchemy import text

from adapters.sql.units import sql_of
from api.http.access import Access
from api.http.endpoints import Call, Endpoint, Handler, Resource
from api.http.wire import View, Wire
from api.platform import Platform
from kernel.jobrunner import Handler as JobHandler
from kernel.jobs import Job, NewJob
from kernel.mail import Mail
from kernel.mailqueue import MailQueue
from kernel.messagelog import MAX_READ, LogEntry
from kernel.units import Transaction

JOB = "product"
# What the loop of a server under this load may stand still for at most.
LOOP_LIMIT = 0.1
# The kinds of writes, and where each goes: the last part of its path.
WRITES = ("messages", "events", "jobs", "units", "objects", "shared", "mails")

_TABLES = (
    "CREATE TABLE IF NOT EXISTS product_notes (key TEXT PRIMARY KEY, client TEXT NOT NULL, number INT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS product_totals (client TEXT PRIMARY KEY, total INT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS product_runs (job TEXT NOT NULL)",
)


class Write(Wire, frozen=True):
    """``linger`` seconds lie between the write and its answer: who is cut off in them does not know."""

    client: Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,40}$")]
    number: Annotated[int, Meta(ge=1)]
    payload: Annotated[str, Meta(max_length=100_000)] = ""
    linger: Annotated[float, Meta(ge=0, le=10)] = 0.0

    @property
    def key(self) -> str:
        return f"{self.client}/{self.number}"


class Written(View, frozen=True):
    """``place`` says where it is: an id, a position, a total."""

    place: str


class Upload(Wire, frozen=True):
    name: Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,40}$")]
    size: Annotated[int, Meta(ge=0, le=1 << 26)]


class UploadUrl(View, frozen=True):
    url: str
    headers: dict[str, str]


class Seconds(Wire, frozen=True):
    seconds: Annotated[float, Meta(ge=0, le=600)]


class Vitals(View, frozen=True):
    tasks: int


async def create_tables(platform: Platform) -> None:
    async def create(transaction: Transaction) -> None:
        for table in _TABLES:
            await sql_of(transaction).connection.execute(text(table))

    await platform.database.units.write(create)


def resources(platform: Platform) -> Sequence[Resource]:
    return [Workload(platform).resource()]


def handlers(platform: Platform) -> Mapping[str, JobHandler]:
    return {JOB: Workload(platform).run}


def conversation_of(client: str) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_URL, client)


def stream_of(client: str) -> str:
    return f"product:{client}"


class Workload:
    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._mail = MailQueue(platform.jobs.queue)

    def resource(self) -> Resource:
        writes: Mapping[str, Callable[[Call, Write], Awaitable[Written]]] = {
            "messages": self.append_message,
            "events": self.append_event,
            "jobs": self.enqueue_job,
            "units": self.write_unit,
            "objects": self.put_object,
            "shared": self.count,
            "mails": self.post_mail,
        }
        endpoints = [_endpoint(name, _lingering(handler)) for name, handler in writes.items()]
        endpoints += [
            _endpoint("uploads", self.begin_upload),
            _endpoint("waits", self.wait),
            _endpoint("long-jobs", self.enqueue_long_job),
            _endpoint("plain", self.plain, limit="default"),
            _endpoint("login", self.plain, limit="login"),
            _endpoint("tables", self.make_tables),
            _endpoint("vitals", self.vitals),
        ]
        return Resource("product", "For tests", endpoints)

    async def append_message(self, call: Call, body: Write) -> Written:
        entry = LogEntry(
            conversation_of(body.client), self._platform.ids.next(), str(body.number), body.payload.encode()
        )
        stored = await self._platform.messages.log.append(entry)
        return Written(place=str(stored.id))

    async def append_event(self, call: Call, body: Write) -> Written:
        position = await self._platform.streams.append(
            stream_of(body.client), body.payload.encode(), key=str(body.number)
        )
        return Written(place=str(position))

    async def enqueue_job(self, call: Call, body: Write) -> Written:
        [job] = await self._platform.jobs.queue.enqueue([_job(f"jobs/{body.key}")])
        return Written(place=str(job))

    async def enqueue_long_job(self, call: Call, body: Seconds) -> Written:
        [job] = await self._platform.jobs.queue.enqueue([_job(f"long/{body.seconds}")])
        return Written(place=str(job))

    async def write_unit(self, call: Call, body: Write) -> Written:
        """A row, a total that counts rows, and a job: all of them or none."""

        async def work(transaction: Transaction) -> int:
            execute = sql_of(transaction).connection.execute
            values = {"key": body.key, "client": body.client, "number": body.number}
            insert = "INSERT INTO product_notes (key, client, number) VALUES (:key, :client, :number)"
            added = await execute(text(f"{insert} ON CONFLICT (key) DO NOTHING"), values)
            if added.rowcount:
                add = "INSERT INTO product_totals (client, total) VALUES (:client, 1)"
                again = "ON CONFLICT (client) DO UPDATE SET total = product_totals.total + 1"
                await execute(text(f"{add} {again}"), {"client": body.client})
                await self._platform.jobs.queue.enqueue([_job(f"units/{body.key}")], within=transaction)
            found = await execute(text("SELECT total FROM product_totals WHERE client = :client"), values)
            total: int = found.scalar_one()
            return total

        return Written(place=str(await self._platform.database.units.write(work)))

    async def put_object(self, call: Call, body: Write) -> Written:
        data = body.payload.encode()
        info = await self._platform.objects.objects.put(
            f"product/{body.key}", _whole(data), size=len(data), content_type="text/plain"
        )
        return Written(place=info.etag)

    async def count(self, call: Call, body: Write) -> Written:
        total = await self._platform.ephemeral.counters.increment(f"product:{body.client}", ttl=600)
        return Written(place=str(total))

    async def post_mail(self, call: Call, body: Write) -> Written:
        mail = Mail(body.key.replace("/", "."), f"{body.client}@example.org", f"number {body.number}", body.payload)
        await self._mail.post(mail)
        return Written(place=str(body.number))

    async def begin_upload(self, call: Call, body: Upload) -> UploadUrl:
        signed = await self._platform.objects.signer.sign_put(
            f"uploads/{body.name}", expires_in=600, content_type="text/plain", size=body.size
        )
        return UploadUrl(url=signed.url, headers=dict(signed.headers))

    async def wait(self, call: Call, body: Seconds) -> None:
        await asyncio.sleep(body.seconds)

    async def plain(self, call: Call) -> None:
        return None

    async def make_tables(self, call: Call) -> None:
        await create_tables(self._platform)

    async def vitals(self, call: Call) -> Vitals:
        return Vitals(tasks=len(asyncio.all_tasks()))

    async def run(self, job: Job) -> None:
        """Leaves a row per run; a job ``long/5.0`` takes its time first."""
        name = job.payload.decode()
        if name.startswith("long/"):
            await asyncio.sleep(float(name.removeprefix("long/")))

        async def leave(transaction: Transaction) -> None:
            await sql_of(transaction).connection.execute(
                text("INSERT INTO product_runs (job) VALUES (:job)"), {"job": name}
            )

        await self._platform.database.units.write(leave)


def _lingering(handler: Callable[[Call, Write], Awaitable[Written]]) -> Handler:
    async def write(call: Call, body: Write) -> Written:
        written = await handler(call, body)
        if body.linger:
            await asyncio.sleep(body.linger)
        return written

    return write


def _job(name: str) -> NewJob:
    return NewJob(JOB, name.encode(), key=name)


def _endpoint(name: str, handler: Handler, *, limit: str | None = None) -> Endpoint:
    return Endpoint(
        method="POST",
        path=f"/v1/product/{name}",
        handler=handler,
        access=Access.PUBLIC,
        limit=limit,
        summary="For tests",
        documented=False,
    )


async def _whole(data: bytes) -> AsyncIterator[bytes]:
    yield data


class Traces:
    """What the stores of a platform hold of a workload."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def messages(self, client: str) -> list[LogEntry]:
        found: list[LogEntry] = []
        log, conversation = self._platform.messages.log, conversation_of(client)
        while page := await log.after(conversation, found[-1].id if found else None, limit=MAX_READ):
            found += page
        return found

    async def events(self, client: str) -> list[str]:
        records = await self._platform.streams.read(stream_of(client), limit=100_000)
        return [record.payload.decode() for record in records]

    async def notes(self, client: str) -> set[int]:
        rows = await self._select("SELECT number FROM product_notes WHERE client = :client", client=client)
        return {int(row) for row in rows}

    async def total(self, client: str) -> int:
        rows = await self._select("SELECT total FROM product_totals WHERE client = :client", client=client)
        return int(rows[0]) if rows else 0

    async def runs(self) -> list[str]:
        return [str(row) for row in await self._select("SELECT job FROM product_runs")]

    async def content(self, write: Write) -> str:
        async with self._platform.objects.objects.open(f"product/{write.key}") as content:
            return b"".join([piece async for piece in content]).decode()

    async def _select(self, statement: str, **values: str) -> list[Any]:
        async def work(transaction: Transaction) -> list[Any]:
            return list((await sql_of(transaction).connection.execute(text(statement), values)).scalars())

        return await self._platform.database.units.read(work)
