"""The meeting page as browsers get it: where it stands, under which policy, kept for how long."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from api import meeting_page
from api.meeting_page import MeetingPage
from tests.api.serving import running

INDEX = '<!doctype html><script type="module" src="./assets/index-abc.js"></script>'


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text(INDEX)
    for name in ("index-abc.js", "style-abc.css", "icon-abc.svg", "other-abc.xyz123"):
        (tmp_path / "assets" / name).write_text(name)
    (tmp_path / "secret.txt").write_text("not for anybody")
    monkeypatch.setattr("api.app.MeetingPage", lambda: MeetingPage(tmp_path))
    return tmp_path


def directives(policy: str) -> dict[str, set[str]]:
    return {words[0]: set(words[1:]) for words in (part.split() for part in policy.split(";"))}


async def test_it_stands_at_the_root_and_is_asked_for_anew_each_time(built: Path) -> None:
    async with running() as server, server.client.get("/") as answer:
        assert (answer.status, answer.content_type, await answer.text()) == (200, "text/html", INDEX)
        assert answer.headers["Cache-Control"] == "no-cache"
        assert answer.headers["Permissions-Policy"].startswith(
            "camera=(self), microphone=(self), display-capture=(self)"
        )
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        policy = directives(answer.headers["Content-Security-Policy"])
    assert policy["default-src"] == {"'none'"}
    assert policy["script-src"] == policy["worker-src"] == policy["connect-src"] == {"'self'"}
    assert policy["frame-ancestors"] == {"'none'"}
    assert not {"'unsafe-inline'", "'unsafe-eval'", "*", "https:", "data:"} & (
        policy["script-src"] | policy["style-src"]
    )


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("index-abc.js", "text/javascript"),
        ("style-abc.css", "text/css"),
        ("icon-abc.svg", "image/svg+xml"),
        ("other-abc.xyz123", "application/octet-stream"),
    ],
)
async def test_what_it_is_made_of_is_kept_for_ever_and_works_under_the_same_policy(
    built: Path, name: str, content: str
) -> None:
    async with running() as server, server.client.get(f"/assets/{name}") as answer:
        assert (answer.status, answer.content_type, await answer.text()) == (200, content, name)
        assert "immutable" in answer.headers["Cache-Control"]
        assert directives(answer.headers["Content-Security-Policy"])["worker-src"] == {"'self'"}
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_nothing_else_of_the_machine_is_served(built: Path) -> None:
    async with running() as server:
        for path in ("nothing.js", "..%2Fsecret.txt", "%2e%2e%2fsecret.txt", "%00", "index.html"):
            async with server.client.get(f"/assets/{path}") as answer:
                assert answer.status == 404, path


async def test_where_nobody_has_built_it_the_root_says_what_runs_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.app.MeetingPage", lambda: MeetingPage(tmp_path / "nothing"))
    async with running() as server:
        async with server.client.get("/") as answer:
            assert answer.status == 200
            assert "/docs" in await answer.text()
        async with server.client.get("/assets/index-abc.js") as answer:
            assert answer.status == 404


async def test_the_page_of_this_checkout_names_only_what_is_served() -> None:
    if not meeting_page.BUILT.exists():
        pytest.skip("the page is not built here")
    async with running() as server:
        async with server.client.get("/") as answer:
            page = await answer.text()
        named = re.findall(r'(?:src|href)="\./([^"]+)"', page)
        assert named
        assert "<script>" not in page
        assert "style=" not in page
        for path in named:
            async with server.client.get(f"/{path}") as answer:
                assert answer.status == 200, path
