"""The pages that mailed links lead to, used by a person in a real browser."""

from __future__ import annotations

from pathlib import Path

from tests.browsing import Window, window
from tests.worlds import PASSWORD, Caller, Person, world

NEW_PASSWORD = "another-horse-battery"


async def outcome(shown: Window) -> tuple[str, str]:
    """What the page says in the end, and in which manner."""
    found = shown.page.locator("#outcome:not(:empty)")
    await found.wait_for(timeout=10_000)
    return await found.get_attribute("class") or "", await found.inner_text()


async def signs_in(email: str, password: str, stranger: Caller) -> bool:
    return (await Person(stranger.session, email=email, password=password).sign_in()).status == 200


async def test_each_link_does_what_its_page_says_and_only_once(tmp_path: Path, chromium: Path) -> None:
    async with world(tmp_path) as here, window(chromium) as shown:
        page = shown.page
        first = await here.started.people.first_admin.secret()
        assert first is not None
        secrets = [first]
        await page.goto(f"{here.url}/first-admin#token={first}")
        await page.keyboard.type("root@example.org")
        await page.fill("#username", "root.one")
        await page.fill("#password", PASSWORD)
        await page.keyboard.press("Enter")
        assert await outcome(shown) == ("good", "You are the admin of this server now. Sign in with this account.")
        assert await signs_in("root@example.org", PASSWORD, here.stranger)

        secrets.append(await here.mailed("root@example.org", "/verify-email"))
        await page.goto(f"{here.url}/verify-email#token={secrets[-1]}")
        await page.click("button")
        assert await outcome(shown) == ("good", "Your e-mail address is confirmed. You can close this page.")

        assert (await here.stranger.post("/v1/auth/forgot-password", {"email": "root@example.org"})).status == 204
        secrets.append(await here.mailed("root@example.org", "/reset-password"))
        link = f"{here.url}/reset-password#token={secrets[-1]}"
        await page.goto(link)
        await page.keyboard.type(NEW_PASSWORD)
        await page.click("button")
        assert await outcome(shown) == ("good", "Your password is changed. Sign in with the new one.")
        assert not await signs_in("root@example.org", PASSWORD, here.stranger)
        assert await signs_in("root@example.org", NEW_PASSWORD, here.stranger)
        assert shown.complaints == []

        await page.goto("about:blank")
        await page.goto(link)
        await page.keyboard.type("a third horse altogether")
        await page.click("button")
        assert await outcome(shown) == ("bad", "This link was used before or is too old; ask for a new one.")
        assert await signs_in("root@example.org", NEW_PASSWORD, here.stranger)

    assert not [url for url in shown.asked if any(secret in url for secret in secrets)], "no server logs a fragment"
    assert {url.split("/")[2] for url in shown.asked if url.startswith("http")} == {here.url.split("/")[2]}


async def test_a_password_that_will_not_do_is_said_to_be_one_and_the_link_stays_good(
    tmp_path: Path, chromium: Path
) -> None:
    async with world(tmp_path) as here, window(chromium) as shown:
        ada = await here.person("ada")
        assert (await here.stranger.post("/v1/auth/forgot-password", {"email": ada.email})).status == 204
        await shown.page.goto(f"{here.url}/reset-password#token={await here.mailed(ada.email, '/reset-password')}")
        await shown.page.fill("#password", "short")
        await shown.page.click("button")
        assert not await shown.page.locator("#password").evaluate("field => field.validity.valid")
        await shown.page.fill("#password", "password1234")
        await shown.page.click("button")
        kind, text = await outcome(shown)
        assert kind == "bad"
        assert "is one of the first that anybody tries" in text
        await shown.page.fill("#password", NEW_PASSWORD)
        await shown.page.click("button")
        await shown.page.locator("#outcome.good").wait_for(timeout=10_000)
        assert await signs_in(ada.email, NEW_PASSWORD, here.stranger)


async def test_a_link_without_its_secret_says_so(tmp_path: Path, chromium: Path) -> None:
    async with world(tmp_path) as here, window(chromium) as shown:
        await shown.page.goto(f"{here.url}/verify-email")
        kind, text = await outcome(shown)
        assert kind == "bad"
        assert "link" in text
