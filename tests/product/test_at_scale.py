"""The same scenarios on one machine and on a cluster of real stores: nobody can tell which it is by the answers."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
import msgspec
import pytest

from api.http.idempotency import HEADER
from config.sections import Limits, Settings
from kernel.bus import BusEvent, Subscription
from kernel.errors import Conflict
from kernel.jobrunner import Handler
from kernel.jobs import Job, NewJob
from kernel.mail import Mail
from kernel.mailqueue import MailQueue
from kernel.messagelog import LogEntry
from kernel.units import Transaction
from tests.product import workload
from tests.product.deployments import Deployment
from tests.product.platforms import Product, open_product

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

PATIENCE = 10.0


async def until(condition: Callable[[], bool]) -> None:
    """Polled: what is waited for happens in another program, or on another node."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def node(settings: Settings) -> AsyncIterator[Product]:
    async with open_product(settings, resources=workload.resources) as product:
        await workload.create_tables(product.platform)
        yield product


@asynccontextmanager
async def two_nodes(deployment: Deployment) -> AsyncIterator[tuple[Product, Product]]:
    async with node(deployment.settings) as one, node(deployment.other) as other:
        yield one, other


def unique(name: str) -> str:
    return f"{name}-{uuid.uuid4().hex[:8]}"


async def test_every_store_answers_for_itself(deployment: Deployment) -> None:
    async with node(deployment.settings) as product:
        async with product.client.get("/health") as answer:
            report = await answer.json()
    assert report["status"] == "ok"
    assert {item["state"] for item in report["dependencies"]} == {"up"}
    assert {item["circuit"] for item in report["dependencies"]} == {"closed"}


async def test_mail_posted_in_a_unit_of_work_is_sent_when_it_commits_and_only_then(deployment: Deployment) -> None:
    recipient = f"{unique('ada')}@example.org"
    async with node(deployment.settings) as product:
        queue = MailQueue(product.platform.jobs.queue)

        def mail(name: str) -> Mail:
            return Mail(f"{name}.{recipient}", recipient, f"Grüße: {name}", "Tschüß", "<p>Tschüß</p>")

        async def failing(transaction: Transaction) -> None:
            await queue.post(mail("never"), within=transaction)
            raise Conflict("changed my mind")

        async def succeeding(transaction: Transaction) -> None:
            await queue.post(mail("first"), within=transaction)
            await queue.post(mail("second"), within=transaction)

        with pytest.raises(Conflict):
            await product.platform.database.units.write(failing)
        await product.platform.database.units.write(succeeding)
        await queue.post(mail("first"))
        await queue.post(mail("last"))
        await until(lambda: len(deployment.mails_to(recipient)) >= 3)
    sent = deployment.mails_to(recipient)
    assert sorted(str(message["Subject"]) for message in sent) == ["Grüße: first", "Grüße: last", "Grüße: second"]
    plain = sent[0].get_body(("plain",))
    assert plain is not None
    assert plain.get_content().strip() == "Tschüß"


async def test_messages_are_kept_once_and_paged_in_order(deployment: Deployment) -> None:
    conversation = uuid.uuid4()
    async with node(deployment.settings) as product:
        log, ids = product.platform.messages.log, product.platform.ids
        entries = [LogEntry(conversation, ids.next(), f"key {number}", b"%d" % number) for number in range(25)]
        for entry in entries:
            assert await log.append(entry) == entry
        again = LogEntry(conversation, ids.next(), "key 3", b"said twice")
        assert await log.append(again) == entries[3]

        pages, bound = [], None
        while page := await log.before(conversation, bound, limit=10):
            pages.append(list(page))
            bound = page[-1].id
        assert [len(page) for page in pages] == [10, 10, 5]
        assert [entry for page in pages for entry in page] == entries[::-1]
        assert list(await log.after(conversation, entries[20].id, limit=10)) == entries[21:]

        amended = await log.amend(conversation, entries[0].id, expected_version=1, body=b"better")
        with pytest.raises(Conflict) as lost:
            await log.amend(conversation, entries[0].id, expected_version=1, body=b"worse")
        assert lost.value.code == "version_conflict"
        assert await log.get(conversation, entries[0].id) == amended


async def test_a_stream_is_numbered_without_gaps_and_wakes_its_readers(deployment: Deployment) -> None:
    stream = unique("stream")
    async with node(deployment.settings) as product:
        streams = product.platform.streams
        waiting = asyncio.create_task(streams.wait(stream, after=0, timeout=PATIENCE))
        positions = await asyncio.gather(*(streams.append(stream, b"%d" % number) for number in range(20)))
        assert sorted(positions) == list(range(1, 21))
        assert await waiting
        assert await streams.append(stream, b"once", key="k") == await streams.append(stream, b"once", key="k") == 21
        records = await streams.read(stream, after=18)
        assert [record.position for record in records] == [19, 20, 21]
        assert await streams.trim(stream, through=20) == 20
        assert await streams.append(stream, b"goes on") == 22


async def test_events_reach_the_nodes_that_share_a_bus_in_order(deployment: Deployment) -> None:
    channel = unique("channel")
    async with two_nodes(deployment) as (one, other):
        async with one.platform.bus.subscribe([channel]) as here, other.platform.bus.subscribe([channel]) as there:
            for number in range(50):
                await one.platform.bus.publish(channel, b"%d" % number)
            await other.platform.bus.publish(channel, b"end")
            expected = [b"%d" % number for number in range(50)]
            if deployment.shares:
                assert sorted(await payloads(here, 51)) == sorted([*expected, b"end"])
                heard = await payloads(there, 51)
                assert [payload for payload in heard if payload != b"end"] == expected
            else:
                assert await payloads(here, 50) == expected
                assert await payloads(there, 1) == [b"end"]


async def payloads(subscription: Subscription, count: int) -> list[bytes]:
    found: list[bytes] = []
    async with asyncio.timeout(PATIENCE):
        async for event in subscription:
            assert isinstance(event, BusEvent)
            found.append(event.payload)
            if len(found) == count:
                break
    return found


async def test_files_go_up_and_down_over_signed_urls_with_any_http_client(deployment: Deployment) -> None:
    key, data = f"{unique('folder')}/file.bin", uuid.uuid4().bytes * 40_000
    async with node(deployment.settings) as product, aiohttp.ClientSession() as stranger:
        signer = product.platform.objects.signer
        up = await signer.sign_put(key, expires_in=60, content_type="image/png", size=len(data))
        async with stranger.request(up.method, up.url, data=data, headers=up.headers) as answer:
            assert answer.status == 200, await answer.text()
        larger = {name: value for name, value in up.headers.items() if name.lower() != "content-length"}
        async with stranger.request(up.method, up.url, data=data + b"!", headers=larger) as answer:
            assert answer.status == 403
        down = await signer.sign_get(key, expires_in=60, file_name="grüße.png")
        async with stranger.request(down.method, down.url, headers=down.headers) as answer:
            assert (answer.status, answer.content_type) == (200, "image/png")
            assert answer.headers["Content-Disposition"].startswith("attachment")
            assert hashlib.sha256(await answer.read()).digest() == hashlib.sha256(data).digest()
        async with stranger.get(down.url, headers={**down.headers, "Range": "bytes=10-19"}) as answer:
            assert (answer.status, await answer.read()) == (206, data[10:20])
        await product.platform.objects.objects.delete(key)
        async with stranger.get(down.url, headers=down.headers) as answer:
            assert answer.status == 404


async def test_a_rate_limit_counts_what_every_node_of_the_cluster_let_in(deployment: Deployment) -> None:
    limited = msgspec.structs.replace(deployment.settings, limits=Limits(default=6))
    other = msgspec.structs.replace(deployment.other, limits=Limits(default=6))
    async with node(limited) as one, node(other) as second:
        statuses = []
        for product in (one, second) * 5:
            async with product.client.post("/v1/product/plain") as answer:
                statuses.append(answer.status)
                if answer.status == 429:
                    assert (await answer.json())["code"] == "rate_limited"
                    assert int(answer.headers["Retry-After"]) >= 1
    assert Counter(statuses) == ({204: 6, 429: 4} if deployment.shares else {204: 10})


async def test_an_idempotency_key_is_honoured_by_every_node_of_the_cluster(deployment: Deployment) -> None:
    client, headers = unique("client"), {HEADER: uuid.uuid4().hex}
    async with two_nodes(deployment) as (one, other):
        places: list[tuple[str, bool]] = []
        for product in (one, one, other):
            body = {"client": client, "number": len(places) + 1 if product is other and not deployment.shares else 1}
            async with product.client.post("/v1/product/shared", json=body, headers=headers) as answer:
                places.append(((await answer.json())["place"], "Idempotent-Replayed" in answer.headers))
        assert places == [("1", False), ("1", True), ("1", deployment.shares)]
        different = {"client": client, "number": 99}
        async with one.client.post("/v1/product/shared", json=different, headers=headers) as answer:
            assert (answer.status, (await answer.json())["code"]) == (422, "idempotency_key_reused")


async def test_a_change_on_one_node_is_forgotten_by_the_cache_of_the_other(deployment: Deployment) -> None:
    key = unique("row")
    async with two_nodes(deployment) as (one, other):
        caches = [product.platform.cache for product in (one, other)]
        rows = {"row": b"old"}

        async def row() -> bytes:
            return rows["row"]

        async def seen() -> list[bytes]:
            return [await cache.get_or_load(key, row) for cache in caches if cache is not None]

        assert await seen() == [b"old", b"old"]
        rows["row"] = b"new"
        assert await seen() == [b"old", b"old"]
        assert caches[0] is not None
        await caches[0].invalidate(key)
        if not deployment.shares:
            assert await seen() == [b"new", b"old"]
            return
        async with asyncio.timeout(PATIENCE):
            while await seen() != [b"new", b"new"]:
                await asyncio.sleep(0.01)


async def test_jobs_of_a_cluster_are_done_once_whoever_does_them(deployment: Deployment) -> None:
    done: list[tuple[str, bytes]] = []

    def working_as(name: str) -> dict[str, Handler]:
        async def work(job: Job) -> None:
            await asyncio.sleep(0.01)
            done.append((name, job.payload))

        return {"work": work}

    payloads = [b"%d" % number for number in range(200)]
    async with (
        open_product(deployment.settings, handlers=lambda _: working_as("one")) as one,
        open_product(deployment.other, handlers=lambda _: working_as("other")),
    ):
        for payload in payloads:
            await one.platform.jobs.queue.enqueue([NewJob("work", payload, key=payload.decode())])
        await until(lambda: len(done) >= len(payloads))
        await one.platform.jobs.queue.enqueue([NewJob("work", b"0", key="0")])
        await asyncio.sleep(0.3)
    assert Counter(payload for _, payload in done) == Counter(payloads)
    assert {name for name, _ in done} == ({"one", "other"} if deployment.shares else {"one"})
