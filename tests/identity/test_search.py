"""Finding people, and not being found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from adapters.sql.identity.accounts import SqlAccounts
from config.sections import Identity, Limits
from identity.accounts import State
from kernel.units import Transaction
from tests.identity.crowds import become_friends, crowd, statements
from tests.worlds import Caller, Person, world


async def found(who: Caller, text: str, more: str = "") -> list[str]:
    answer = await who.get(f"/v1/users/search?q={quote(text)}{more}")
    assert answer.status == 200, answer.body
    return [item["display_name"] for item in answer.body["items"]]


async def renamed(who: Person, name: str) -> None:
    assert (await who.patch("/v1/users/me", {"display_name": name})).status == 200


async def test_people_are_found_by_how_the_words_of_their_names_begin(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob-builder")
        await crowd(here, ["Zoë Müller", "Zora Neale Hurston", "Élodie d'Arc", "王小明", "100% Sure_thing"])
        for text, names in {
            "zo": ["Zoë Müller", "Zora Neale Hurston"],
            "ZOE": ["Zoë Müller"],
            "muller": ["Zoë Müller"],
            "mü zoë": ["Zoë Müller"],
            "hurst zora nea": ["Zora Neale Hurston"],
            "zora müller": [],
            "oë": [],
            "elodie": ["Élodie d'Arc"],
            "arc": ["Élodie d'Arc"],
            "王": ["王小明"],
            "bob-b": ["Bob-builder"],
            "builder": ["Bob-builder"],
            "%": [],
            "_": [],
            "100%": ["100% Sure_thing"],
            "!?": [],
        }.items():
            assert await found(ada, text) == names, text
        assert await found(ada, "ada") == [], "one does not look for oneself"
        assert await found(bob, "ada") == ["Ada"]


async def test_somebody_is_found_by_new_names_and_no_longer_by_old_ones(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        await renamed(bob, "Robert Tables")
        assert (await found(ada, "tab"), await found(ada, "bob")) == (["Robert Tables"], ["Robert Tables"])
        await bob.patch("/v1/users/me", {"username": "little-bobby"})
        await renamed(bob, "Robert")
        assert (await found(ada, "tab"), await found(ada, "bobby")) == ([], ["Robert"])


async def test_whoever_is_named_twice_alike_is_found_once(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        await crowd(here, ["Anna Annabel Anne", "Anna"])
        assert sorted(await found(ada, "ann")) == ["Anna", "Anna Annabel Anne"]


async def test_the_exact_address_finds_and_its_beginning_does_not(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        assert await found(ada, "bob@example.org") == ["Bob"]
        assert await found(ada, " BOB@Example.ORG ") == ["Bob"]
        for text in ("bob@example.or", "bob@", "@", "bob@example.org.", "b@example.org"):
            assert await found(ada, text) == [], text
        assert await found(ada, "ada@example.org") == []
        await bob.patch("/v1/users/me", {"searchable": False})
        assert await found(ada, "bob@example.org") == []


async def test_where_addresses_must_be_confirmed_only_those_find(tmp_path: Path) -> None:
    async with world(tmp_path, identity=Identity(require_verified_email=True)) as here:
        registered = []
        for name in ("ada", "bob"):
            caller = Person(here.session, email=f"{name}@example.org", username=name)
            body = {"email": caller.email, "username": name, "password": caller.password}
            assert (await caller.post("/v1/auth/register", body)).status == 201
            registered.append(caller)
        ada, bob = registered
        await here.stranger.post("/v1/auth/verify-email", {"token": await here.mailed(ada.email, "/verify-email")})
        assert (await ada.sign_in()).status == 200
        assert await found(ada, bob.email) == []
        await here.stranger.post("/v1/auth/verify-email", {"token": await here.mailed(bob.email, "/verify-email")})
        assert await found(ada, bob.email) == ["bob"]


async def test_who_opts_out_is_found_by_friends_with_the_whole_username_only(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob, eve = await here.people("ada", "bob.hidden", "eve")
        await become_friends(ada, bob)
        await bob.patch("/v1/users/me", {"searchable": False})
        assert await found(ada, "Bob.Hidden") == ["Bob.hidden"]
        for text in ("bob", "hidden", "bob.hidde", "bob hidden"):
            assert await found(ada, text) == [], text
        assert await found(eve, "bob.hidden") == []


async def test_a_block_hides_both_from_each_other(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob, eve = await here.people("ada", "bob", "eve")
        await ada.post(f"/v1/users/{bob.id}/block")
        for text in ("ada", "ada@example.org"):
            assert (await found(bob, text), await found(eve, text)) == ([], ["Ada"])
        for text in ("bob", "bob@example.org"):
            assert (await found(ada, text), await found(eve, text)) == ([], ["Bob"])


async def test_accounts_that_are_disabled_or_being_erased_are_not_found(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        [disabled] = await crowd(here, ["Zed"], state=State.DISABLED)
        await crowd(here, ["Zoe"], state=State.ERASING)
        assert await found(ada, "z") == []
        assert await found(ada, disabled.email) == []


async def test_pages_follow_on_from_one_another_while_people_join(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        await crowd(here, [f"Sam Number{number}" for number in range(5)] + ["Samson", "Samuel Sam"])
        cursor, pages = "", []
        for joining in ("Saaaad", "Sam Late", "Sammy"):
            answer = await ada.get(f"/v1/users/search?q=sam&limit=3{cursor}")
            pages.append([item["display_name"] for item in answer.body["items"]])
            await crowd(here, [joining])
            cursor = f"&cursor={answer.body['next_cursor']}"
        assert [len(page) for page in pages[:2]] == [3, 3]
        names = [name for page in pages for name in page]
        assert len(set(names)) == len(names)
        assert set(names) >= {"Samson", "Samuel Sam", *(f"Sam Number{number}" for number in range(5))}
        assert (await ada.get("/v1/users/search?q=sam&cursor=nonsense")).code == "bad_cursor"


async def test_what_is_found_says_where_one_stands(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob, eve, _joe = await here.people("ada", "xbob", "xeve", "xjoe")
        await become_friends(ada, bob)
        await eve.post(f"/v1/users/{ada.id}/friend")
        items = (await ada.get("/v1/users/search?q=x")).body["items"]
        assert {item["username"]: item["friendship"] for item in items} == {
            "xbob": "accepted",
            "xeve": "incoming",
            "xjoe": "none",
        }


@pytest.mark.parametrize("query", ["", "?q=", "?q=a&limit=0", "?q=a&limit=101", "?q=a&q=b", "?q=a&page=2", "?q=%00"])
async def test_a_search_that_is_none_is_refused(query: str, tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        assert (await ada.get(f"/v1/users/search{query}")).status == 400
        assert (await here.stranger.get("/v1/users/search?q=ada")).status == 401


async def test_a_search_takes_as_many_statements_for_many_as_for_one(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")

        async def asked_for() -> int:
            with statements(here) as asked:
                assert await found(ada, "sam", "&limit=100")
            return len(asked)

        await crowd(here, ["Sam"])
        few = await asked_for()
        await crowd(here, ["Sam"] * 80)
        assert await asked_for() == few == 2


async def test_names_and_words_change_together_or_not_at_all(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        units, store = here.platform.database.units, SqlAccounts()

        class Stop(Exception):
            pass

        async def broken(unit: Transaction) -> None:
            account = await store.get(unit, bob.id)
            assert account is not None
            await store.put(unit, replace(account, display_name="Halfway"))
            raise Stop

        with pytest.raises(Stop):
            await units.write(broken)
        assert (await found(ada, "halfway"), await found(ada, "bob")) == ([], ["Bob"])


async def test_searches_have_a_limit_of_their_own(tmp_path: Path) -> None:
    async with world(tmp_path, limits=Limits(search=2, register=100, login=100)) as here:
        ada = await here.person("ada")
        answers = [await ada.get("/v1/users/search?q=bob") for _ in range(3)]
        assert [answer.status for answer in answers] == [200, 200, 429]
        assert int(answers[2].headers["Retry-After"]) > 0
        assert (await ada.get("/v1/users/me")).status == 200
