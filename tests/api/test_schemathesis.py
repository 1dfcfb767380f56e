"""What the OpenAPI document says and what the server does, compared by a program that reads the one and tries the
other: good data, bad data, data at every bound, and calls that follow from each other."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from api.listening import bind
from api.serve import running_server
from config.sections import Limits, Server, Settings, Telemetry
from config.values import Secret
from tests.api import throwaway_sessions
from tests.api.serving import running
from tests.worlds import Person, world

EXAMPLES = 40
# Nearly all that a stranger asks of the product is refused before anybody looks at it.
EXAMPLES_OF_A_STRANGER = 10
# Nobody is to be refused for asking too often here.
UNLIMITED = Limits(enabled=False)
TOKEN = "the-operators-token-of-this-test"
TELEMETRY = Telemetry(metrics_token=Secret(TOKEN))
# From elsewhere, so that being an operator takes the token: a program on this machine is one without.
ELSEWHERE = "X-Forwarded-For: 203.0.113.1"
# What would sign this person out; it is tried with a session a request.
ENDS_THE_SESSION = ("auth_logout", "auth_end_session", "admin_log_out_user")
NOT_CHECKED = (
    # A made-up cursor, or a key that came with another request before, is refused however well it is spelt.
    "positive_data_acceptance",
    # A retry answers as the first time, though what was created then has been deleted since.
    "ensure_resource_availability",
)


async def findings(
    url: str,
    directory: Path,
    *selected: str,
    token: str | None = TOKEN,
    examples: int = EXAMPLES,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Empty when nothing was found; the same examples on every run. ``selected`` are options that say of what."""
    headers = [ELSEWHERE, *([] if token is None else [f"Authorization: Bearer {token}"])]
    process = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name("schemathesis")), "run", f"{url}/openapi.json"),
        *("--checks=all", f"--exclude-checks={','.join(NOT_CHECKED)}", f"--max-examples={examples}"),
        *("--generation-deterministic", "--no-color", "--continue-on-failure", "--warnings=off"),
        *(f"--header={header}" for header in headers),
        *selected,
        cwd=directory,
        env={**os.environ, "NO_COLOR": "1", **(environment or {})},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return "" if process.returncode == 0 else output.decode()


def leaving_out(*operations: str) -> list[str]:
    return [f"--exclude-operation-id={name}" for name in operations]


def require_none(found: str) -> None:
    if found:
        pytest.fail(found, pytrace=False)


@pytest.mark.slow(alone=False)
async def test_one_of_everything_does_what_its_document_says(tmp_path: Path) -> None:
    async with running(limits=UNLIMITED, telemetry=TELEMETRY) as server:
        require_none(await findings(server.url, tmp_path))


@asynccontextmanager
async def product(folder: Path) -> AsyncIterator[str]:
    settings = Settings(
        server=Server(port=0, media_port=0, data_dir=str(folder / "data")), limits=UNLIMITED, telemetry=TELEMETRY
    )
    sockets = bind(settings.server.host, 0)
    secret = Secret("a secret of this test, long enough to be one")
    async with running_server(settings, secret, sockets, access_log=None, announce=lambda line: None):
        yield sockets.url


@pytest.mark.slow(alone=False)
async def test_the_product_does_what_its_document_says(tmp_path: Path) -> None:
    async with product(tmp_path) as url:
        require_none(await findings(url, tmp_path, examples=EXAMPLES_OF_A_STRANGER))


@pytest.mark.slow(alone=False)
@pytest.mark.timeout(600)
async def test_the_product_does_what_its_document_says_to_somebody_who_is_signed_in(tmp_path: Path) -> None:
    async with product(tmp_path) as url, aiohttp.ClientSession(url) as session:
        person = Person(session, email="ada@example.org", username="ada")
        body = {"email": person.email, "username": person.username, "password": person.password}
        assert (await person.post("/v1/auth/register", body)).status == 201
        assert (await person.sign_in()).status == 200
        require_none(await findings(url, tmp_path, *leaving_out(*ENDS_THE_SESSION), token=str(person.token)))
        assert (await person.get("/v1/auth/profile")).status == 200, "it was signed in to the end"


@pytest.mark.slow(alone=False)
async def test_the_product_does_what_its_document_says_to_an_admin(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        root = await here.admin("root.one")
        await here.person("ada")
        resources = [f"--include-tag={name}" for name in ("admin", "api-keys", "plans")]
        selected = [*resources, *leaving_out(*ENDS_THE_SESSION)]
        require_none(await findings(here.url, tmp_path, *selected, token=str(root.token)))
        assert (await root.get("/v1/admin/stats")).status == 200, "it was an admin to the end"


@pytest.mark.slow(alone=False)
async def test_what_ends_a_session_does_what_its_document_says(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        root = await here.admin("root.one")
        environment = {
            "SCHEMATHESIS_HOOKS": throwaway_sessions.__file__,
            throwaway_sessions.LOGIN_URL: f"{here.url}/v1/auth/login",
            throwaway_sessions.LOGIN_BODY: json.dumps({"email": root.email, "password": root.password}),
        }
        selected = [f"--include-operation-id={name}" for name in ("auth_list_sessions", *ENDS_THE_SESSION)]
        require_none(await findings(here.url, tmp_path, *selected, token=None, environment=environment))
        signed_out = {"method": "POST", "route": "/v1/auth/logout", "status": "204"}
        assert here.platform.metrics.registry.get_sample_value("secureconnect_http_requests_total", signed_out)
