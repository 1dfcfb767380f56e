"""``secureconnect admin create-room``: links for a first call, on standard output and nowhere else."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest

from api.cli.main import main
from identity.roomtokens import SIGNALING
from media.framekeys import parsed_secret
from sfu.rooms import Mode
from tests.signaling.clients import CLIENT
from tests.worlds import SECRET, world


async def run(folder: Path, *arguments: str) -> int:
    """On a thread of its own: it brings its own event loop, as in a process of its own."""
    config = folder / "secureconnect.toml"
    config.write_text(
        f"[server]\ndata_dir = {str(folder / 'data')!r}\n[security]\nsecret = {SECRET.reveal()!r}\n"
    )  # fmt: skip
    return await asyncio.to_thread(main, ["--config", str(config), "admin", "create-room", *arguments])


def read(link: str) -> tuple[UUID, str, str | None]:
    parts = urlsplit(link)
    assert (parts.scheme, parts.netloc, parts.path, parts.query) == ("http", "127.0.0.1:8080", "/", "")
    fields = parse_qs(parts.fragment, strict_parsing=True)
    return UUID(fields["room"][0]), fields["token"][0], fields.get("k", [None])[0]


async def test_links_let_people_into_a_room_of_a_server_that_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with world(tmp_path) as here:
        assert await run(tmp_path) == 0
        links = [read(line) for line in capsys.readouterr().out.splitlines()]
        assert len(links) == 2
        assert len({room for room, _, _ in links}) == len({secret for _, _, secret in links}) == 1
        secret = links[0][2]
        assert secret is not None
        assert len(parsed_secret(secret)) == 32
        room = await here.started.calls.rooms.find(links[0][0])
        assert room is not None
        assert (room.plan.mode, room.owner) == (Mode.SECURE, None)
        for number, (_, token, _) in enumerate(links, 1):
            async with here.session.ws_connect(SIGNALING, protocols=("sc.v1", f"bearer.{token}")) as raw:
                await raw.send_json({"type": "join", "id": "1", "data": {"client": CLIENT}})
                said = await raw.receive_json()
                assert said["data"]["participant"]["identity"] == f"guest-{number}"


async def test_an_intelligent_room_has_no_secret_and_as_many_links_as_are_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    assert await run(tmp_path, "--mode", "intelligent", "--people", "5", "--name", "Stand-up") == 0
    links = [read(line) for line in capsys.readouterr().out.splitlines()]
    assert len({token for _, token, _ in links}) == 5
    assert {secret for _, _, secret in links} == {None}


@pytest.mark.parametrize("wrong", [("--people", "101"), ("--ttl", "5"), ("--ttl", "86401"), ("--name", "\u202e")])
async def test_what_cannot_be_is_said_and_nothing_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], wrong: tuple[str, str]
) -> None:
    (tmp_path / "data").mkdir()
    assert await run(tmp_path, *wrong) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err
