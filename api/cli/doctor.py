"""``secureconnect doctor``: looks at everything that could keep the server from working here, one line each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import uvloop

from api.cli import machine, mediacheck
from api.cli.findings import Finding, Verdict
from api.cli.main import EXIT_FAILED, EXIT_OK
from api.platform import open_platform
from config.loader import Configuration
from config.problems import ConfigError
from config.secrets import obtain_secret
from config.sections import Settings
from config.values import Secret
from kernel.clock import SystemClock
from kernel.errors import DependencyUnavailable, SecureConnectError
from kernel.health import Dependency
from kernel.metrics import Metrics

_MARKS = {Verdict.FINE: "ok  ", Verdict.ODD: "note", Verdict.BROKEN: "FAIL"}

# All of them together; each has its own time-outs.
STORES_TIMEOUT = 60.0


def run_doctor(configuration: Configuration) -> int:
    """Prints as it goes; 1 when anything is broken."""
    broken = 0
    for finding in _all(configuration):
        broken += finding.verdict is Verdict.BROKEN
        print(f"{_MARKS[finding.verdict]}  {finding.subject:<14} {finding.text}", flush=True)
    print(f"{broken} thing(s) to mend." if broken else "Nothing to mend.")
    return EXIT_FAILED if broken else EXIT_OK


def _all(configuration: Configuration) -> Iterator[Finding]:
    settings = configuration.settings
    data_dir = Path(settings.server.data_dir)
    yield Finding(Verdict.FINE, "configuration", f"read from {configuration.file or 'defaults and environment'}")
    yield from machine.python_and_tools(Path.cwd())
    yield from machine.port(settings.server)
    yield from mediacheck.media(settings)
    yield from machine.data_directory(data_dir)
    yield from machine.limits_of_the_system()
    yield from machine.clock()
    yield from machine.certificates(settings)
    try:
        secret = obtain_secret(settings.security, data_dir)
    except ConfigError as error:
        yield from (Finding(Verdict.BROKEN, "secret", str(problem)) for problem in error.problems)
        return
    yield Finding(Verdict.FINE, "secret", "there, and nobody else on this machine can read it")
    yield from uvloop.run(_stores(settings, secret))


async def _stores(settings: Settings, secret: Secret) -> list[Finding]:
    """Opens every store as ``serve`` does, but without waiting for any to come up, then probes each."""
    findings: list[Finding] = []
    try:
        async with asyncio.timeout(STORES_TIMEOUT), AsyncExitStack() as stack:
            platform = await stack.enter_async_context(
                open_platform(
                    settings,
                    secret,
                    base_url="http://127.0.0.1",
                    clock=SystemClock(),
                    metrics=Metrics(),
                    announce=lambda _line: None,
                    patience=0.0,
                )
            )
            findings = [finding async for finding in _probes(platform.dependencies)]
    except TimeoutError:
        findings.append(Finding(Verdict.BROKEN, "stores", f"they did not all open within {STORES_TIMEOUT:g} s"))
    except DependencyUnavailable as error:
        findings.append(Finding(Verdict.BROKEN, error.dependency, error.reason))
        findings.append(Finding(Verdict.ODD, "stores", "those that open after it were not looked at"))
    except (SecureConnectError, ValueError, OSError) as error:
        findings.append(Finding(Verdict.BROKEN, "stores", str(error)))
    return findings


async def _probes(dependencies: Iterable[Dependency]) -> AsyncIterator[Finding]:
    for dependency in dependencies:
        result = await dependency.probe()
        if result.ok:
            yield Finding(Verdict.FINE, dependency.name, f"answers in {result.latency * 1000:.1f} ms")
        else:
            verdict = Verdict.BROKEN if dependency.required else Verdict.ODD
            yield Finding(verdict, dependency.name, result.error or "does not answer")
