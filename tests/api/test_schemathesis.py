"""What the OpenAPI document says and what the server does, compared by a program that reads the one and tries the
other: good data, bad data, data at every bound, and calls that follow from each other."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from api.listening import bind
from api.serve import running_server
from config.sections import Limits, Server, Settings, Telemetry
from config.values import Secret
from tests.api.serving import running

EXAMPLES = 40
# Nobody is to be refused for asking too often here.
UNLIMITED = Limits(enabled=False)
TOKEN = "the-operators-token-of-this-test"
TELEMETRY = Telemetry(metrics_token=Secret(TOKEN))
# From elsewhere, so that being an operator takes the token: a program on this machine is one without.
HEADERS = ("X-Forwarded-For: 203.0.113.1", f"Authorization: Bearer {TOKEN}")
NOT_CHECKED = (
    # A made-up cursor, or a key that came with another request before, is refused however well it is spelt.
    "positive_data_acceptance",
    # A retry answers as the first time, though what was created then has been deleted since.
    "ensure_resource_availability",
)


async def findings(url: str, directory: Path) -> str:
    """Empty when nothing was found; the same examples on every run."""
    process = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name("schemathesis")), "run", f"{url}/openapi.json"),
        *("--checks=all", f"--exclude-checks={','.join(NOT_CHECKED)}", f"--max-examples={EXAMPLES}"),
        *("--generation-deterministic", "--no-color", "--continue-on-failure", "--warnings=off"),
        *(f"--header={header}" for header in HEADERS),
        cwd=directory,
        env={**os.environ, "NO_COLOR": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return "" if process.returncode == 0 else output.decode()


@pytest.mark.slow
async def test_one_of_everything_does_what_its_document_says(tmp_path: Path) -> None:
    async with running(limits=UNLIMITED, telemetry=TELEMETRY) as server:
        assert await findings(server.url, tmp_path) == ""


@pytest.mark.slow
async def test_the_product_does_what_its_document_says(tmp_path: Path) -> None:
    settings = Settings(server=Server(port=0, data_dir=str(tmp_path / "data")), limits=UNLIMITED, telemetry=TELEMETRY)
    sockets = bind(settings.server.host, 0)
    secret = Secret("a secret of this test, long enough to be one")
    async with running_server(settings, secret, sockets, access_log=None, announce=lambda line: None):
        assert await findings(sockets.url, tmp_path) == ""
