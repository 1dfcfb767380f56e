"""The pages that mailed links lead to: they load nothing foreign, run nothing inline, and post to what there is."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from api.link_pages.render import PAGES, LinkPage, asset, render
from tests.worlds import world


class Seen(HTMLParser):
    """What a page loads and what it says."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.attributes: dict[str, dict[str, str | None]] = {}
        self.inline = ""
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        values = dict(attrs)
        self.attributes[values.get("id") or tag] = values
        self.loads += [value for name, value in attrs if name in {"src", "href"} and value]
        self.inline += "".join(name for name in values if name.startswith("on") or name == "style")

    def handle_data(self, data: str) -> None:
        if self._inside in {"script", "style"}:
            self.inline += data.strip()

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""


def seen(page: LinkPage) -> Seen:
    parser = Seen()
    parser.feed(render(page))
    return parser


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
def test_a_page_runs_what_this_server_serves_and_nothing_inline(page: LinkPage) -> None:
    found = seen(page)
    assert found.inline == ""
    assert sorted(found.loads) == ["/links/script.js", "/links/style.css", "data:,"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
def test_a_page_says_what_it_is_to_who_cannot_see_it(page: LinkPage) -> None:
    found = seen(page).attributes
    assert found["html"]["lang"] == "en"
    assert found["outcome"]["role"] == "status"
    assert {"main", "h1", "title", "button", "noscript"} <= set(found)
    if page.asks_password:
        assert found["label"] is not None
        assert found["password"]["autocomplete"] == "new-password"
        assert found["password"]["aria-describedby"] in found


@pytest.mark.parametrize("page", [page for page in PAGES if page.asks_password], ids=lambda page: page.path)
def test_typing_begins_in_the_first_field(page: LinkPage) -> None:
    inputs = [values for name, values in seen(page).attributes.items() if name in {"email", "username", "password"}]
    assert [("autofocus" in values) for values in inputs] == [True, *[False] * (len(inputs) - 1)]


def test_neither_script_nor_style_names_another_server_or_makes_markup_of_text() -> None:
    for name in ("script.js", "style.css"):
        content = asset(name).decode()
        assert not re.search(r"https?:|//\w", content)
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval|@import|url\(", content)


async def test_pages_are_served_with_a_policy_that_forbids_everything_else(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        for page in PAGES:
            answer = await here.stranger.get(page.path)
            assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert answer.headers["Cache-Control"] == "no-store"
        for path, content in (("/links/script.js", "text/javascript"), ("/links/style.css", "text/css")):
            answer = await here.stranger.get(path)
            assert (answer.status, answer.headers["Content-Type"]) == (200, f"{content}; charset=utf-8")


async def test_each_page_posts_to_where_its_secret_is_asked_for(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        for page in PAGES:
            more = {"password": "quite-another-phrase"} if page.asks_password else {}
            more |= {"email": "ada@example.org", "username": "ada"} if page.asks_name else {}
            answer = await here.stranger.post(page.posts_to, {"token": "made-up", **more})
            assert answer.code == "invalid_link", answer.body


async def test_mails_lead_to_pages_that_are_there(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        await here.stranger.post("/v1/auth/forgot-password", {"email": ada.email})
        await ada.post("/v1/users/me/email", {"email": "new@example.org", "password": ada.password})
        for to, page in (
            (ada.email, "/verify-email"),
            (ada.email, "/reset-password"),
            ("new@example.org", "/change-email"),
        ):
            await here.mailed(to, page)
            assert (await here.stranger.get(page)).status == 200
