"""The process: bind, open, listen, announce, wait for a signal, and stop in order before a deadline."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import structlog

from api.app import RESOURCES, Ground, build_application, project_version
from api.calls import ENGINE, Calls, open_calls
from api.chat import Chats, open_chats
from api.datarights import DataRights, data_rights
from api.http.endpoints import Resource
from api.http.pipeline import AccessLog
from api.http.rates import RateLimiter
from api.lifecycle import Lifecycle
from api.listening import BoundSockets, bind
from api.operations.process import collect_process_metrics
from api.operations.stalls import StallWatch
from api.people import People, open_people
from api.platform import OBJECT_URLS, Platform, open_platform, running_jobs
from api.resources import (
    admin,
    apikeys,
    auth,
    bans,
    blocks,
    conversation_avatars,
    conversations,
    credentials,
    datarights,
    firstadmin,
    friends,
    keys,
    link_pages,
    mode_proposals,
    objects,
    participants,
    plans,
    presence,
    profiles,
    rooms,
    search,
    second_factor,
    signaling,
    users,
)
from api.server import HttpServer
from chat import overdue
from chat.pictures import DROP_PICTURE_JOB
from config.secrets import derive_key
from config.sections import Settings
from config.values import Secret
from identity.avatars import DROP_JOB
from identity.credentials import FORGOTTEN_PASSWORD_JOB
from identity.keychanges import NEWS_JOB
from identity.sweeping import EVERY_SECONDS, SWEEP_JOB
from kernel.clock import Clock, SystemClock
from kernel.jobrunner import Handler
from kernel.mailqueue import MAIL_JOB, MailDelivery
from kernel.metrics import Metrics
from kernel.tracing import NoTracing, Tracing

_log = structlog.stdlib.get_logger("api.serve")

# Objects that live as long as the process need no second look; what requests leave behind is collected in
# larger, rarer sweeps than Python's default of 700 allocations.
GC_THRESHOLDS = (20_000, 20, 20)


@dataclass(frozen=True, slots=True)
class Started:
    """A server that answers; its addresses are (host, port) pairs, ``resources`` all that it serves, ``first_admin``
    the secret of the link that makes the first admin, while there is none."""

    addresses: Sequence[tuple[str, int]]
    platform: Platform
    people: People
    chats: Chats
    calls: Calls
    rights: DataRights
    resources: Sequence[Resource]
    first_admin: str | None = field(repr=False)
    lifecycle: Lifecycle


# What is served, and which kinds of jobs run, besides the product's own (tests, benchmarks).
Resources = Callable[[Platform], Sequence[Resource]]
Handlers = Callable[[Platform], Mapping[str, Handler]]


def no_resources(_platform: Platform) -> Sequence[Resource]:
    return ()


def no_handlers(_platform: Platform) -> Mapping[str, Handler]:
    return {}


async def serve(
    settings: Settings,
    secret: Secret,
    *,
    access_log: AccessLog | None,
    announce: Callable[[str], None],
    resources: Resources = no_resources,
    handlers: Handlers = no_handlers,
) -> bool:
    """Run until SIGTERM or SIGINT. False when the shutdown deadline passed and something had to be cut."""
    stop = _stop_signal()
    sockets = bind(settings.server.host, settings.server.port)
    deadline_missed = False
    async with AsyncExitStack() as stack:
        stack.callback(sockets.close)
        server = running_server(
            settings,
            secret,
            sockets,
            access_log=access_log,
            announce=announce,
            resources=resources,
            handlers=handlers,
        )
        started = await server.__aenter__()
        _settle_garbage_collector()
        for line in welcome_lines(settings, started):
            announce(line)
        await stop.wait()
        announce(f"stopping, at most {settings.server.shutdown_timeout:g} s ...")
        try:
            async with asyncio.timeout(settings.server.shutdown_timeout):
                await server.__aexit__(None, None, None)
        except TimeoutError:
            deadline_missed = True
            _log.error("shutdown deadline passed", left=_unfinished())
    announce("stopped" if not deadline_missed else "stopped late: see the log for what had to be cut")
    return not deadline_missed


@asynccontextmanager
async def running_server(
    settings: Settings,
    secret: Secret,
    sockets: BoundSockets,
    *,
    access_log: AccessLog | None,
    announce: Callable[[str], None],
    resources: Resources = no_resources,
    handlers: Handlers = no_handlers,
) -> AsyncIterator[Started]:
    """The whole product on ``sockets``."""
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        tracing = await _tracing(stack, settings)
        metrics = Metrics(tracing=tracing)
        collect_process_metrics(metrics, project_version())
        watch = StallWatch(threshold=settings.telemetry.stall_threshold, metrics=metrics)
        await stack.enter_async_context(watch.watching())
        lifecycle = Lifecycle(clock, metrics, max_sockets=settings.server.max_connections)
        platform = await stack.enter_async_context(
            open_platform(
                settings,
                secret,
                base_url=settings.server.public_url or sockets.url,
                clock=clock,
                metrics=metrics,
                announce=announce,
            )
        )
        people = await stack.enter_async_context(open_people(platform, settings.server.public_url or sockets.url))
        chats = open_chats(platform, people)
        calls = await stack.enter_async_context(open_calls(platform, people, [host for host, _ in sockets.addresses]))
        rights = data_rights(platform, people, chats, calls)
        mail = MailDelivery(platform.mailer)
        own = {
            MAIL_JOB: mail.deliver,
            SWEEP_JOB: people.sweep.run,
            DROP_JOB: people.acquaintances.avatars.drop_unused,
            DROP_PICTURE_JOB: chats.pictures.drop_unused,
            overdue.END_ROUNDS_JOB: chats.overdue_rounds.end,
            FORGOTTEN_PASSWORD_JOB: people.credentials.answer_forgotten,
            NEWS_JOB: people.key_changes.tell,
            **rights.handlers,
        }
        await rights.schedule(platform.jobs.schedules)
        await platform.jobs.schedules.ensure(SWEEP_JOB, kind=SWEEP_JOB, payload=b"", every=EVERY_SECONDS)
        await platform.jobs.schedules.ensure(
            overdue.END_ROUNDS_JOB, kind=overdue.END_ROUNDS_JOB, payload=b"", every=overdue.EVERY_SECONDS
        )
        await stack.enter_async_context(running_jobs(platform, {**own, **handlers(platform)}))
        app = build_application(
            _ground(platform, calls, lifecycle, access_log),
            [*_resources(platform, people, chats, calls, clock), datarights.resource(rights), *resources(platform)],
            people.authenticator,
        )
        served, first_admin = app[RESOURCES], await people.first_admin.secret()
        server = HttpServer(app, settings.server, lifecycle, metrics, clock)
        await server.start(sockets)
        stack.push_async_callback(_stop_server, server, settings.server.shutdown_timeout, clock)
        yield Started(sockets.addresses, platform, people, chats, calls, rights, served, first_admin, lifecycle)


def welcome_lines(settings: Settings, started: Started) -> list[str]:
    """What the person at the console wants to know, and nothing that is not so."""
    host, port = started.addresses[0]
    base = settings.server.public_url or url_of(host, port)
    stores = ", ".join(item.name for item in started.platform.dependencies)
    lines = [
        f"SecureConnect {project_version()} ({settings.server.environment}) is running",
        f"  open       {base}",
        f"  API        {base}/docs",
        f"  health     {base}/health",
        f"  data       {settings.server.data_dir}",
        f"  stores     {stores}",
        f"  media      {_media_line(started.calls)}",
    ]
    if host in ("0.0.0.0", "::"):  # noqa: S104 - a comparison
        lines.append("  It listens on every address of this machine.")
    if started.first_admin is not None:
        link = f"{base}/first-admin#token={started.first_admin}"
        lines.append(f"There is no admin yet. This link makes the first one, once:\n  {link}")
    return [*lines, "Stop it with Ctrl+C."]


def _media_line(calls: Calls) -> str:
    """Where clients are told to send it."""
    told = calls.advertised
    protocols = "UDP and TCP" if told[0].tcp_port else "UDP"
    return f"port {told[0].udp_port}, {protocols}, at {', '.join(one.address for one in told)} ({ENGINE} engine)"


def url_of(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _resources(platform: Platform, people: People, chats: Chats, calls: Calls, clock: Clock) -> list[Resource]:
    settings = platform.settings
    rates = RateLimiter(settings.limits, platform.ephemeral.buckets, platform.local.buckets, platform.metrics)
    found = [
        auth.resource(people, rates, registration=settings.identity.registration),
        users.resource(people),
        keys.resource(people),
    ]
    found += [
        admin.resource(people, clock),
        apikeys.resource(people),
        plans.resource(people),
        firstadmin.resource(people),
    ]
    found += [friends.resource(people), blocks.resource(people), search.resource(people)]
    found += [profiles.resource(people, platform.objects), presence.resource(people)]
    found += [
        conversations.resource(chats),
        conversation_avatars.resource(chats, platform.objects),
        participants.resource(chats),
        bans.resource(chats),
        mode_proposals.resource(chats),
        rooms.resource(calls.rooms, people.room_tokens, calls.lobby.end),
        signaling.resource(calls.reception),
    ]
    found += [second_factor.resource(people), credentials.resource(people, rates), link_pages.resource()]
    if platform.objects.signs_own_urls:
        found.append(objects.resource(platform.objects, derive_key(platform.secret, OBJECT_URLS), clock))
    return found


def _ground(platform: Platform, calls: Calls, lifecycle: Lifecycle, access_log: AccessLog | None) -> Ground:
    return Ground(
        settings=platform.settings,
        clock=platform.clock,
        metrics=platform.metrics,
        lifecycle=lifecycle,
        key_values=platform.ephemeral.key_values,
        shared_buckets=platform.ephemeral.buckets,
        local_buckets=platform.local.buckets,
        dependencies=(*platform.dependencies, calls.media),
        access_log=access_log,
    )


async def _tracing(stack: AsyncExitStack, settings: Settings) -> Tracing:
    if not settings.telemetry.otlp_endpoint:
        return NoTracing()
    from api.operations.tracing import OpenTelemetryTracing  # noqa: PLC0415 - a third of a second, only when wanted

    tracing = OpenTelemetryTracing(settings.telemetry, project_version())
    stack.push_async_callback(asyncio.to_thread, tracing.close)
    return tracing


async def _stop_server(server: HttpServer, timeout: float, clock: Clock) -> None:
    await server.stop(clock.monotonic() + timeout)


def _stop_signal() -> asyncio.Event:
    """Set by SIGTERM or SIGINT. A second one is left to its default: whoever insists gets out at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def asked() -> None:
        stop.set()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked)
    return stop


def _settle_garbage_collector() -> None:
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def _unfinished() -> list[str]:
    current = asyncio.current_task()
    return sorted(task.get_name() for task in asyncio.all_tasks() if task is not current)
