"""The aiohttp application: resources mounted behind the shell. What they work on comes from api/platform.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version

from aiohttp import web

from api.http.access import Authenticator, Principal
from api.http.context import ClientAddresses
from api.http.deadline import RequestDeadline
from api.http.endpoints import Resource
from api.http.idempotency import IdempotencyKeys
from api.http.mounting import mount
from api.http.origins import Origins
from api.http.pipeline import AccessLog, Bounds, Pipeline, Shell
from api.http.rates import RateLimiter
from api.lifecycle import Lifecycle
from api.meeting_page import MeetingPage
from api.resources import health, metrics, pages
from config.sections import Settings
from config.values import Secret
from kernel.clock import Clock
from kernel.ephemeral import KeyValues, TokenBuckets
from kernel.errors import Unauthenticated
from kernel.health import Dependency
from kernel.metrics import Metrics

SHELL = web.AppKey("shell", Shell)
RESOURCES = web.AppKey("resources", tuple[Resource, ...])

# A request holds its Idempotency-Key at most this much longer than it may run.
IDEMPOTENCY_MARGIN = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What the shell stands on. ``local_buckets`` are this process's own, for when the shared ones are away."""

    settings: Settings
    clock: Clock
    metrics: Metrics
    lifecycle: Lifecycle
    key_values: KeyValues
    shared_buckets: TokenBuckets
    local_buckets: TokenBuckets
    dependencies: Sequence[Dependency]
    access_log: AccessLog | None


class OperatorToken:
    """Recognises the one bearer token there is before accounts: the operator's, for metrics."""

    def __init__(self, token: Secret) -> None:
        self._token = token

    async def authenticate(self, headers: Mapping[str, str]) -> Principal | None:
        scheme, _, credentials = headers.get("Authorization", "").partition(" ")
        if not credentials and not scheme:
            return None
        if scheme.lower() != "bearer" or not self._token.matches(credentials.strip()):
            raise Unauthenticated("This token is not valid here.", code="invalid_token")
        return Principal("metrics-token", "operator")


def build_application(
    ground: Ground, resources: Sequence[Resource] = (), authenticator: Authenticator | None = None
) -> web.Application:
    """Every resource of the product, plus ``resources``, each behind the same shell."""
    settings = ground.settings
    shell = _shell(ground, authenticator or OperatorToken(settings.telemetry.metrics_token))
    version = project_version()
    checks = health.HealthChecks(ground.dependencies, ground.clock)
    documented = (
        health.resource(checks, ground.lifecycle, shell.addresses, version),
        metrics.resource(ground.metrics),
        *resources,
    )
    mounted = (*documented, pages.resource(documented, version, MeetingPage()))
    app = web.Application(client_max_size=settings.limits.body)
    Pipeline(shell).install(app)
    mount(app, shell, mounted)
    app.on_cleanup.append(lambda _app: checks.aclose())
    app[SHELL] = shell
    app[RESOURCES] = mounted
    return app


def _shell(ground: Ground, authenticator: Authenticator) -> Shell:
    server, limits = ground.settings.server, ground.settings.limits
    return Shell(
        addresses=ClientAddresses(server.trusted_proxies),
        origins=Origins(server.allowed_origins, server.public_url),
        rates=RateLimiter(limits, ground.shared_buckets, ground.local_buckets, ground.metrics),
        authenticator=authenticator,
        idempotency=IdempotencyKeys(ground.key_values, running_ttl=server.request_timeout + IDEMPOTENCY_MARGIN),
        bounds=Bounds(
            body_timeout=server.body_timeout,
            max_body=limits.body,
            json_depth=limits.json_depth,
        ),
        deadline=RequestDeadline(server.request_timeout),
        clock=ground.clock,
        metrics=ground.metrics,
        tracing=ground.metrics.tracing,
        lifecycle=ground.lifecycle,
        access_log=ground.access_log,
        always_secure=server.public_url.startswith("https://"),
    )


def project_version() -> str:
    try:
        return installed_version("secureconnect")
    except PackageNotFoundError:
        return "0+unknown"
