"""Tickets for WebSockets: one use, seconds, and only while their session lives."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import UUID

import pytest

from adapters.memory import MemoryState
from adapters.redis import open_redis
from api.people import open_people
from config.sections import Redis
from config.values import Secret
from identity.revocations import Revocations
from identity.tickets import LIFETIME_SECONDS, Ticket, Tickets
from kernel.clock import SystemClock
from kernel.ephemeral import KeyValues
from kernel.errors import SecureConnectError, Unauthenticated
from kernel.metrics import Metrics
from tests.clocks import VirtualClock
from tests.services.redis import RedisService
from tests.worlds import world

TICKET = Ticket(account=UUID(int=7), session=UUID(int=8), roles=frozenset({"admin"}))


class Desk:
    """Tickets over short-lived state whose clock a test moves."""

    def __init__(self, shared: KeyValues | None = None) -> None:
        self.clock = VirtualClock()
        self.words = shared or MemoryState(self.clock).key_values
        self.revocations = Revocations(self.words, self._is_alive, token_lifetime=900.0)
        self.tickets = Tickets(self.words, self.revocations)

    async def _is_alive(self, session: UUID) -> bool:
        return session == TICKET.session


async def refused(tickets: Tickets, secret: str) -> str:
    with pytest.raises(Unauthenticated) as caught:
        await tickets.redeem(secret)
    return caught.value.code


async def test_a_ticket_admits_whom_it_was_issued_for_once() -> None:
    tickets = Desk().tickets
    secret = await tickets.issue(TICKET)
    assert await tickets.redeem(secret) == TICKET
    assert await refused(tickets, secret) == "invalid_ticket"


async def one_gets_in(secret: str, *desks: Tickets) -> None:
    outcomes = await asyncio.gather(*(desk.redeem(secret) for _ in range(25) for desk in desks), return_exceptions=True)
    assert outcomes.count(TICKET) == 1
    refused = [error for error in outcomes if isinstance(error, SecureConnectError)]
    assert len(refused) == len(outcomes) - 1
    assert {error.code for error in refused} == {"invalid_ticket"}


async def test_of_many_who_come_with_the_same_ticket_one_gets_in() -> None:
    tickets = Desk().tickets
    await one_gets_in(await tickets.issue(TICKET), tickets)


@pytest.mark.service("redis")
async def test_of_many_who_come_to_two_nodes_with_the_same_ticket_one_gets_in(redis_server: RedisService) -> None:
    settings = Redis(url=Secret(redis_server.url))
    async with (
        open_redis(settings, clock=SystemClock(), metrics=Metrics()) as one,
        open_redis(settings, clock=SystemClock(), metrics=Metrics()) as other,
    ):
        nodes = [Desk(stores.key_values).tickets for stores in (one, other)]
        for issuing in nodes:
            await one_gets_in(await issuing.issue(TICKET), *nodes)


async def test_a_ticket_ends_after_its_seconds() -> None:
    desk = Desk()
    early, late = await desk.tickets.issue(TICKET), await desk.tickets.issue(TICKET)
    desk.clock.advance(LIFETIME_SECONDS - 1)
    assert await desk.tickets.redeem(early) == TICKET
    desk.clock.advance(1)
    assert await refused(desk.tickets, late) == "invalid_ticket"


async def test_a_ticket_ends_with_its_session() -> None:
    desk = Desk()
    secret = await desk.tickets.issue(TICKET)
    await desk.revocations.revoke([TICKET.session])
    assert await refused(desk.tickets, secret) == "session_ended"


async def test_what_is_no_ticket_admits_nobody() -> None:
    tickets = Desk().tickets
    for made_up in ("", "x", "\ud800", "a" * 10_000, "identity:session:" + TICKET.session.hex):
        assert await refused(tickets, made_up) == "invalid_ticket"


async def test_who_is_signed_in_gets_one_over_http(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        answer = await ada.post("/v1/auth/ws-ticket")
        assert (answer.status, answer.body["expires_in"]) == (200, 30)
        assert (await here.stranger.post("/v1/auth/ws-ticket")).code == "unauthenticated"
        async with open_people(here.platform, here.url) as people:
            redeemed = await people.tickets.redeem(answer.body["ticket"])
            assert redeemed.account == ada.id
            assert redeemed.session.hex == ada.tokens["refresh_token"].partition(".")[0]
            another = (await ada.post("/v1/auth/ws-ticket")).body["ticket"]
            await ada.post("/v1/auth/logout")
            assert await refused(people.tickets, another) == "session_ended"
