"""Finding people, and not being found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import update

from adapters.sql.identity.accounts import ACCOUNTS, SqlAccounts
from adapters.sql.units import sql_of
from config.sections import Identity, Limits
from identity.accounts import State
from identity.names import MAX_EMAIL
from kernel.units import Transaction
from tests.identity.crowds import become_friends, crowd, statements
from tests.worlds import PASSWORD, Caller, Person, World, world


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


async def test_names_and_what_they_are_found_by_change_together_or_not_at_all(tmp_path: Path) -> None:
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
        await renamed(bob, "Robert Tables")
        assert (await found(ada, "tab"), await found(ada, "bob")) == (["Robert Tables"], ["Robert Tables"])
        await bob.patch("/v1/users/me", {"username": "little-bobby"})
        await renamed(bob, "Robert")
        assert (await found(ada, "tab"), await found(ada, "bobby")) == ([], ["Robert"])
        await crowd(here, ["Anna Annabel Anne", "Anna"])
        assert sorted(await found(ada, "ann")) == ["Anna", "Anna Annabel Anne"], "each of them once"


async def confirmed(here: World, *people: Person) -> None:
    for person in people:
        secret = await here.mailed(person.email, "/verify-email")
        assert (await here.stranger.post("/v1/auth/verify-email", {"token": secret})).status == 200


async def grown_older(here: World, *people: Person) -> None:
    """As if they had registered a day ago, a little more."""
    older = update(ACCOUNTS).where(ACCOUNTS.c.id.in_([person.id for person in people]))
    older = older.values(created_at=ACCOUNTS.c.created_at - 86_500.0)
    await here.platform.database.units.write(lambda unit: sql_of(unit).connection.execute(older))


async def test_where_addresses_have_to_be_confirmed_only_those_find_anybody(tmp_path: Path) -> None:
    async with world(tmp_path, identity=Identity(require_verified_email=True)) as here:
        people = []
        for name in ("ada", "bob"):
            body = {"email": f"{name}@example.org", "username": name, "password": PASSWORD}
            assert (await here.stranger.post("/v1/auth/register", body)).status == 201
            people.append(Person(here.session, email=body["email"]))
        ada, bob = people
        await confirmed(here, ada)
        assert (await ada.sign_in()).status == 200
        assert await found(ada, bob.email) == []
        await confirmed(here, bob)
        assert len(await found(ada, bob.email)) == 1


async def test_the_whole_address_finds_whoever_has_confirmed_it_or_is_new(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob, impostor = await here.people("ada", "bob", "impostor")
        assert await found(ada, "bob@example.org") == ["Bob"], "he may still confirm it"
        await grown_older(here, ada, bob, impostor)
        assert await found(ada, "bob@example.org") == []
        await confirmed(here, ada, bob)
        assert await found(ada, "bob@example.org") == ["Bob"]
        assert await found(ada, " BOB@Example.ORG ") == ["Bob"]
        for text in ("bob@example.or", "bob@", "@", "bob@example.org.", "b@example.org", impostor.email, ada.email):
            assert await found(ada, text) == [], text

        # Whose address it is about to become is not found by it, and neither is who had it.
        wanted = {"email": "robert@example.org", "password": bob.password}
        assert (await bob.post("/v1/users/me/email", wanted)).status == 204
        assert await found(ada, "robert@example.org") == []
        secret = await here.mailed("robert@example.org", "/change-email")
        assert (await here.stranger.post("/v1/users/me/email/verify", {"token": secret})).status == 204
        assert (await found(ada, "robert@example.org"), await found(ada, "bob@example.org")) == (["Bob"], [])

        await bob.patch("/v1/users/me", {"searchable": False})
        assert await found(ada, "robert@example.org") == []
        await bob.patch("/v1/users/me", {"searchable": True})
        await ada.post(f"/v1/users/{bob.id}/block")
        for who, texts, hidden in ((bob, ("ada", ada.email), "Ada"), (ada, ("bob", "robert@example.org"), "Bob")):
            for text in texts:
                assert (await found(who, text), await found(impostor, text)) == ([], [hidden])


async def test_who_opts_out_is_found_by_friends_with_the_whole_username_only(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob, eve = await here.people("ada", "bob.hidden", "eve")
        await become_friends(ada, bob)
        await bob.patch("/v1/users/me", {"searchable": False})
        assert await found(ada, "Bob.Hidden") == ["Bob.hidden"]
        for text in ("bob", "hidden", "bob.hidde", "bob hidden"):
            assert await found(ada, text) == [], text
        assert await found(eve, "bob.hidden") == []

        # Nobody finds who is disabled or being erased.
        [disabled] = await crowd(here, ["Zed"], state=State.DISABLED, email_verified_at=1.0)
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


async def test_a_search_takes_as_many_statements_for_many_as_for_one_and_says_where_one_stands(tmp_path: Path) -> None:
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

        bob, eve, _joe = await here.people("xbob", "xeve", "xjoe")
        await become_friends(ada, bob)
        await eve.post(f"/v1/users/{ada.id}/friend")
        items = (await ada.get("/v1/users/search?q=x")).body["items"]
        assert {item["username"]: item["friendship"] for item in items} == {
            "xbob": "accepted",
            "xeve": "incoming",
            "xjoe": "none",
        }


async def test_a_search_that_is_none_is_refused_and_what_is_odd_finds_nobody(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, _ = await here.people("ada", "bob")
        for query in ("", "?q=", "?q=a&limit=0", "?q=a&limit=101", "?q=a&q=b", "?q=a&page=2", "?q=%00"):
            assert (await ada.get(f"/v1/users/search{query}")).status == 400, query
        assert (await here.stranger.get("/v1/users/search?q=ada")).status == 401
        too_long = "x" * (MAX_EMAIL + 1)
        assert (await ada.get(f"/v1/users/search?q={too_long}")).code == "invalid_query"
        for text in (
            "\ufdfa" * MAX_EMAIL,  # each of them unfolds to eighteen characters
            "a\u0301" * 120,
            "\u0301" * MAX_EMAIL,
            "\U0010ffff",
            "bob\U0010ffff",
            "\u202ebob",
            "bob_%",
            "b%b",
            "b?b",
            "b*",
            "'; --",
            " ".join("abcdefghijklmnop"),
            "@" * MAX_EMAIL,
            "İ" * MAX_EMAIL,
        ):
            answer = await ada.get(f"/v1/users/search?q={quote(text)}&limit=1")
            assert (answer.status, answer.body["next_cursor"]) == (200, None), text


async def test_searches_and_requests_have_limits_of_their_own(tmp_path: Path) -> None:
    limits = Limits(search=2, friend_requests=1, presence=3, register=100, login=100)
    async with world(tmp_path, limits=limits) as here:
        ada, bob = await here.people("ada", "bob")
        answers = [await ada.get("/v1/users/search?q=bob") for _ in range(3)]
        answers += [await ada.post(f"/v1/users/{bob.id}/friend") for _ in range(2)]
        answers += [await ada.post("/v1/presence", {"state": "online"}) for _ in range(4)]
        assert [answer.status for answer in answers] == [200, 200, 429, 200, 429, 200, 200, 200, 429]
        assert all(int(answers[place].headers["Retry-After"]) > 0 for place in (2, 4, 8))
        assert (await ada.get("/v1/users/me")).status == 200
