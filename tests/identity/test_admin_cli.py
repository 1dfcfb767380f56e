"""``secureconnect admin``: accounts and API keys from the machine itself, also while the server runs."""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from api.cli.administration import read_password
from api.cli.main import main
from tests.worlds import PASSWORD, Caller, Person, World, world


async def run(folder: Path, *arguments: str) -> int:
    """On a thread of its own: it brings its own event loop, as in a process of its own."""
    config = folder / "secureconnect.toml"
    config.write_text(f"[server]\ndata_dir = {str(folder / 'data')!r}\n")
    return await asyncio.to_thread(main, ["--config", str(config), "admin", *arguments])


def password_file(folder: Path, password: str = PASSWORD) -> str:
    file = folder / "password"
    file.write_text(password + "\n")
    return str(file)


async def create(folder: Path, name: str, *more: str) -> int:
    names: Sequence[str] = ("--email", f"{name}@example.org", "--username", name)
    return await run(folder, "create-user", *names, "--password-file", password_file(folder), *more)


async def signed_in(here: World, name: str) -> Person:
    person = Person(here.session, email=f"{name}@example.org", username=name)
    assert (await person.sign_in()).status == 200
    return person


async def test_an_admin_is_made_while_the_server_runs_and_it_is_audited(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with world(tmp_path) as here:
        assert await create(tmp_path, "ada", "--admin") == 0
        assert "ada" in capsys.readouterr().out
        ada = await signed_in(here, "ada")
        [entry] = (await ada.get("/v1/admin/audit")).body["items"]
        assert (entry["actor"], entry["action"], entry["details"]) == ("console", "user.create", {"roles": "admin"})
        assert await here.mailed(ada.email, "/verify-email")


async def test_without_being_told_so_it_is_no_admin(tmp_path: Path) -> None:
    assert await create(tmp_path, "ada") == 0
    async with world(tmp_path) as here:
        assert (await (await signed_in(here, "ada")).get("/v1/admin/stats")).status == 403


async def test_a_key_is_made_and_its_token_is_all_that_goes_to_standard_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with world(tmp_path) as here:
        root = await here.admin("root.one")
        capsys.readouterr()
        scopes = ("--scope", "users:read", "--scope", "rooms:read")
        assert await run(tmp_path, "create-api-key", "--name", "Billing", *scopes, "--rate", "7", "--days", "1") == 0
        token = capsys.readouterr().out.strip().splitlines()[-1]
        program = Caller(here.session, token)
        assert (await program.get("/v1/admin/users")).status == 200
        [key] = (await root.get("/v1/admin/api-keys")).body["items"]
        assert (key["scopes"], key["rate"]) == (["rooms:read", "users:read"], 7)
        assert key["expires_at"] is not None
        [entry] = (await root.get("/v1/admin/audit?action=api_key.create")).body["items"]
        assert (entry["actor"], entry["subject"]) == ("console", key["id"])


async def test_what_is_refused_is_said_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await create(tmp_path, "ada") == 0
    for arguments, said in (
        (("create-user", "--email", "ada@example.org", "--username", "eve"), "There is an account with this e-mail"),
        (("create-user", "--email", "nobody", "--username", "eve"), "is not an e-mail address"),
    ):
        assert await run(tmp_path, *arguments, "--password-file", password_file(tmp_path)) == 1
        assert said in capsys.readouterr().err
    assert await run(tmp_path, "create-api-key", "--name", "x", "--scope", "rooms:own") == 1
    assert "rooms:read" in capsys.readouterr().err
    assert await run(tmp_path, "create-user", "--email", "e@x.org", "--username", "eve", "--password-file", "none") == 1
    assert "cannot be read" in capsys.readouterr().err


def test_a_password_is_read_as_it_is_up_to_the_end_of_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for written, read in ((" a b ", " a b "), ("a\r\n", "a"), ("a\n\n", "a\n")):
        (tmp_path / "p").write_bytes(written.encode())
        monkeypatch.setattr(sys, "stdin", io.StringIO(written, newline=""))
        assert read_password(str(tmp_path / "p")) == read.replace("\r\n", "\n") == read_password("-")
