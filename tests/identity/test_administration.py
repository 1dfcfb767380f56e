"""What admins do to accounts, and that there is always one left to do it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert

from adapters.sql.identity.admin import SqlPeopleLists
from adapters.sql.identity.second_factor import FACTORS
from adapters.sql.units import sql_of
from api.http.access import Access
from identity.accounts import Account, State
from identity.administration import ADMIN, Change, PeopleFilter, acts, ends_sessions, is_active_admin
from kernel.errors import Conflict
from kernel.units import Transaction
from tests.identity.bench import Bench, bench
from tests.identity.crowds import become_friends, crowd, plan_of, statements
from tests.identity.devices import Device
from tests.services.postgres import PostgresService
from tests.services.redis import RedisService
from tests.worlds import Caller, Person, World, world


async def names(admin: Caller, query: str) -> list[str]:
    answer = await admin.get(f"/v1/admin/users?{query}")
    assert answer.status == 200, answer.body
    return [item["username"] for item in answer.body["items"]]


async def audited(admin: Caller, subject: object) -> list[tuple[str, Mapping[str, str]]]:
    """What was done to somebody, oldest first."""
    items = (await admin.get(f"/v1/admin/audit?subject={subject}")).body["items"]
    return [(item["action"], item["details"]) for item in reversed(items)]


async def change(admin: Caller, who: Person, **fields: Any) -> Any:
    return await admin.patch(f"/v1/admin/users/{who.id}", fields)


async def accounts_are_found(here: World) -> None:
    root = await here.admin("root.one")
    await here.people("ada", "adam", "eve")
    assert await names(root, "q=ADA") == ["ada", "adam"]
    assert await names(root, "q=EVE@example.org") == ["eve"]
    assert await names(root, "q=eve@example.org&state=disabled") == []
    assert await names(root, "q=eve@") == []
    assert await names(root, "q=Adam&state=active") == ["adam"]
    assert await names(root, "q=Adam&state=disabled") == []
    assert await names(root, "q=a&role=admin") == []
    assert await names(root, "q=root&role=admin") == await names(root, "role=admin") == ["root.one"]
    assert await names(root, "q=root&role=user") == []
    assert await names(root, "role=user") == ["eve", "adam", "ada"]
    for nobody in ("%25", "dam", "_"):
        assert await names(root, f"q={nobody}") == [], nobody
    assert await names(root, "state=active") == ["eve", "adam", "ada", "root.one"]
    # Those who let nobody else find them are found by admins, and so are the disabled.
    await crowd(here, ["Özgür Ärger"], searchable=False, state=State.DISABLED)
    for text in ("Özgür", "ÖZGüR", "arger ozgur", "ärg"):
        assert len(await names(root, f"q={text}&state=disabled")) == 1, text


async def test_accounts_are_found_by_any_of_their_names_and_by_state(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await accounts_are_found(here)


async def test_accounts_are_found_and_counted_on_postgresql(tmp_path: Path, postgres: PostgresService) -> None:
    async with world(tmp_path, database_url=postgres.create_database()) as here:
        await accounts_are_found(here)
        assert (await here.started.people.administration.figures()).joined_last_day == 5


async def test_pages_of_accounts_survive_new_ones(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        root = await here.admin("root.one")
        made = await crowd(here, [f"Somebody {number}" for number in range(5)])
        first = (await root.get("/v1/admin/users?q=somebody&limit=3")).body
        await crowd(here, ["Somebody new"])
        rest = (await root.get(f"/v1/admin/users?q=somebody&limit=3&cursor={first['next_cursor']}")).body
        shown = [item["id"] for item in (*first["items"], *rest["items"])]
        assert shown[:5] == [str(account.id) for account in made]
        assert len(shown) == len(set(shown)) == 6, "the new one comes behind those whose words are the same"
        assert rest["next_cursor"] is None
        newest = (await root.get("/v1/admin/users?limit=3")).body
        await crowd(here, ["Somebody newer"])
        rest = (await root.get(f"/v1/admin/users?cursor={newest['next_cursor']}")).body
        both = [item["display_name"] for item in (*newest["items"], *rest["items"])]
        assert both == ["Somebody new", *(f"Somebody {number}" for number in (4, 3, 2, 1, 0)), "root.one"]
        for wrong in ("cursor=x", f"q=a&cursor={newest['next_cursor']}", f"cursor={first['next_cursor']}"):
            assert (await root.get(f"/v1/admin/users?{wrong}")).code == "bad_cursor", wrong


async def test_a_page_asks_the_database_as_often_for_many_as_for_few(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        root = await here.admin("root.one")
        counts = []
        for _ in range(2):
            await crowd(here, [f"Somebody {number}" for number in range(20)])
            for query in ("limit=100", "limit=100&q=somebody"):
                with statements(here) as asked:
                    await root.get(f"/v1/admin/users?{query}")
                counts.append(len(asked))
        assert counts[:2] == counts[2:]
        assert max(counts) <= 3
        for wanted, begins in (
            (PeopleFilter(), "SEARCH accounts USING INDEX sqlite_autoindex_accounts_1 (id<?)"),
            (PeopleFilter(admins=True), "SEARCH accounts USING INDEX ix_accounts_roles_id (roles=? AND id<?)"),
            (PeopleFilter("so", State.ACTIVE, admins=False), "SEARCH search_words USING COVERING INDEX"),
        ):
            plan = await plan_of(here.platform.database, "accounts", partial(listed, here, wanted))
            assert plan.startswith(begins), plan
            assert "SCAN" not in plan, plan
            assert "TEMP B-TREE" not in plan, plan


async def listed(here: World, wanted: PeopleFilter) -> None:
    """As the store is asked for a page behind another."""
    lists, units, before = SqlPeopleLists(), here.platform.database.units, UUID(int=1)
    if wanted.text is None:
        await units.read(partial(lists.newest, wanted=wanted, before=before, most=3))
    else:
        after = (wanted.text, before)
        await units.read(partial(lists.by_words, wanted=wanted, words=[wanted.text], after=after, most=3))


async def test_whoever_is_disabled_is_out_at_once_and_stays_out_until_enabled(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        root, ada = await here.admin("root.one"), await here.person("ada")
        answer = await change(root, ada, state="disabled")
        assert (answer.body["state"], answer.body["sessions"]) == ("disabled", 0)
        assert (await ada.get("/v1/auth/profile")).code == "session_ended"
        assert (await here.stranger.post("/v1/auth/refresh", {"refresh_token": ada.tokens["refresh_token"]})).code == (
            "invalid_refresh_token"
        )
        assert (await ada.sign_in()).code == "account_disabled"
        assert (await change(root, ada, state="active")).body["state"] == "active"
        assert (await ada.sign_in()).status == 200
        assert await audited(root, ada.id) == [("user.disable", {}), ("user.enable", {})]


async def test_whoever_is_demoted_signs_in_anew_and_is_no_admin(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        root, ada = await here.admin("root.one"), await here.person("ada")
        assert (await ada.get("/v1/admin/stats")).status == 403
        assert (await change(root, ada, roles=["admin"])).body["roles"] == ["admin"]
        assert (await ada.get("/v1/auth/profile")).status == 200, "who is promoted stays signed in"
        await ada.sign_in()
        assert (await ada.get("/v1/admin/stats")).status == 200
        assert (await change(root, ada, roles=["user"])).body["roles"] == ["user"]
        assert (await ada.get("/v1/admin/stats")).code == "session_ended"
        await ada.sign_in()
        assert (await ada.get("/v1/admin/stats")).status == 403
        assert await audited(root, ada.id) == [
            ("user.roles", {"from": "user", "to": "admin"}),
            ("user.roles", {"from": "admin", "to": "user"}),
        ]


IMPOSSIBLE: Sequence[dict[str, Any]] = (
    {"state": "erasing"},
    {"state": "Active"},
    {"roles": ["service"]},
    {"roles": "admin"},
    {"plan": "gold"},
    {"plan": ""},
    {"email": "ada@example.com"},
)


async def test_what_changes_nothing_or_cannot_be_is_not_audited_and_signs_nobody_out(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        root, ada = await here.admin("root.one"), await here.person("ada")
        unchanged: list[dict[str, Any]] = [{}, {"state": "active"}, {"roles": []}, {"roles": ["user"]}]
        for nothing in unchanged:
            assert (await change(root, ada, **nothing)).status == 200
        for body in IMPOSSIBLE:
            assert (await change(root, ada, **body)).status == 422, body
        assert await audited(root, ada.id) == []
        assert (await ada.get("/v1/auth/profile")).status == 200


FALLS: Sequence[dict[str, Any]] = ({"state": "disabled"}, {"roles": []}, {"state": "disabled", "roles": []})


async def test_the_last_admin_stays_and_stays_signed_in(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        root, ada = await here.admin("root.one"), await here.person("ada")
        for fall in FALLS:
            assert (await change(root, root, **fall)).code == "last_admin"
        assert (await root.get("/v1/admin/stats")).body["users"]["admins"] == 1
        await change(root, ada, roles=["admin"], state="disabled")
        for fall in FALLS:
            assert (await change(root, root, **fall)).code == "last_admin", "one who cannot sign in does not count"
        await change(root, ada, state="active")
        assert (await change(root, root, state="disabled")).status == 200
        assert (await root.get("/v1/admin/stats")).code == "session_ended"


async def two_admins_end_each_other(here: Bench) -> None:
    earlier: list[UUID] = []
    for number in range(5):
        one, other = [await here.account(f"{name}{number}x") for name in ("ada", "bob")]
        administration = here.people.administration
        for account in (one, other):
            await administration.change(account.id, Change(roles=frozenset({ADMIN})), actor="test")
        for survivor in earlier:
            await administration.change(survivor, Change(roles=frozenset()), actor="test")
        ended = await asyncio.gather(
            administration.change(other.id, Change(roles=frozenset()), actor=str(one.id)),
            administration.change(one.id, Change(state=State.DISABLED), actor=str(other.id)),
            return_exceptions=True,
        )
        refused = [outcome for outcome in ended if isinstance(outcome, BaseException)]
        assert [type(error) for error in refused] == [Conflict], ended
        left = [(await administration.get(account.id)).account for account in (one, other)]
        earlier = [account.id for account in left if is_active_admin(account)]
        assert len(earlier) == 1


async def test_two_admins_who_end_each_other_at_once_leave_one(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        await two_admins_end_each_other(here)


async def test_two_admins_who_end_each_other_at_once_leave_one_on_postgresql(
    tmp_path: Path, postgres: PostgresService
) -> None:
    async with bench(tmp_path, database_url=postgres.create_database()) as here:
        await two_admins_end_each_other(here)


async def test_signing_in_while_being_disabled_leaves_no_session(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        await here.account("root.one")
        for number in range(4):
            ada = await here.account(f"ada{number}x")
            pairs = await asyncio.gather(
                *(here.sign_in(f"ada{number}x") for _ in range(3)),
                here.people.administration.change(ada.id, Change(state=State.DISABLED), actor="test"),
                return_exceptions=True,
            )
            assert await here.people.sessions.of(ada.id) == [], pairs


async def test_an_admin_signs_somebody_out_everywhere_and_lets_them_in_without_their_second_factor(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as here:
        root, ada = await here.admin("root.one"), await here.person("ada")
        assert (await root.post(f"/v1/admin/users/{ada.id}/logout")).status == 204
        assert (await ada.get("/v1/auth/profile")).code == "session_ended"
        assert (await ada.sign_in()).status == 200
        await with_second_factor(here, ada)
        assert (await ada.sign_in()).code == "second_factor_required"
        assert (await root.get(f"/v1/admin/users/{ada.id}")).body["two_factor_enabled"] is True
        assert (await root.post(f"/v1/admin/users/{ada.id}/reset-second-factor")).status == 204
        assert (await ada.sign_in()).status == 200
        assert (await root.get(f"/v1/admin/users/{ada.id}")).body["two_factor_enabled"] is False
        assert await audited(root, ada.id) == [("user.logout", {}), ("user.reset_second_factor", {})]


# For each request of an admin that changes something: a body, and the action that the audit log has of it then.
ACTS: Mapping[str, tuple[Any, str]] = {
    "PATCH /v1/admin/users/{id}": ({"roles": ["admin"]}, "user.roles"),
    "PUT /v1/admin/users/{id}/plan": ({"plan": "pro"}, "user.plan"),
    "POST /v1/admin/users/{id}/logout": (None, "user.logout"),
    "POST /v1/admin/users/{id}/reset-second-factor": (None, "user.reset_second_factor"),
    "POST /v1/admin/users/{id}/erase": (None, "user.erase"),
    "POST /v1/admin/api-keys": ({"name": "Billing", "scopes": ["rooms:read"]}, "api_key.create"),
    "DELETE /v1/admin/api-keys/{id}": (None, "api_key.delete"),
}


async def test_each_act_of_an_admin_leaves_one_entry_and_what_is_refused_none(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        root, ada, eve = await here.admin("root.one"), await here.person("ada"), await here.person("eve")
        unsafe = {
            f"{item.method} {item.path}"
            for resource in here.started.resources
            for item in resource.endpoints
            if item.access is Access.ADMIN and item.unsafe
        }
        assert unsafe == set(ACTS)
        for route, (body, action) in ACTS.items():
            key = (await root.post("/v1/admin/api-keys", {"name": "a", "scopes": ["rooms:read"]})).body["id"]
            target = key if "api-keys" in route else str(ada.id)
            method, path = route.split(" ")
            before = await entries(root)
            refusals = [await eve.ask(method, path.replace("{id}", target), body)]
            if "{id}" in path:
                refusals.append(await root.ask(method, path.replace("{id}", str(uuid4())), body))
            assert [answer.status for answer in refusals] == [403, 404][: len(refusals)], route
            assert await entries(root) == before, route
            done = await root.ask(method, path.replace("{id}", target), body)
            assert done.status < 300, (route, done.body)
            [entry] = (await entries(root))[: -len(before)]
            subject = done.body["id"] if route == "POST /v1/admin/api-keys" else target
            assert (entry["actor"], entry["action"], entry["subject"]) == (str(root.id), action, subject), route
        before = await entries(root)
        assert (await change(root, root, state="disabled")).code == "last_admin"
        assert await entries(root) == before


async def entries(admin: Caller) -> list[Mapping[str, Any]]:
    """Newest first."""
    return list((await admin.get("/v1/admin/audit?limit=100")).body["items"])


async def test_what_an_admin_does_holds_on_every_node_at_once(
    tmp_path: Path, postgres: PostgresService, redis_server: RedisService
) -> None:
    redis_server.flush()
    node = partial(world, database_url=postgres.create_database(), redis_url=redis_server.url)
    async with node(tmp_path / "one") as one, node(tmp_path / "two") as two:
        # Whichever node printed it: the link is one.
        assert one.started.first_admin == two.started.first_admin is not None
        root, ada = await one.admin("root.one"), await one.person("ada")

        async def elsewhere(who: Person) -> str:
            answer = await Caller(two.session, who.token).get("/v1/auth/profile")
            return "in" if answer.status == 200 else answer.code

        await change(root, ada, roles=["admin"])
        await ada.sign_in()
        ends: Sequence[tuple[str, str, Any]] = (
            ("PATCH", "", {"roles": []}),
            ("POST", "/logout", None),
            ("PATCH", "", {"state": "disabled"}),
            ("PATCH", "", {"state": "active"}),
            ("POST", "/erase", None),
        )
        for method, path, body in ends:
            signed_in = (await ada.sign_in()).status == 200
            assert await elsewhere(ada) == ("in" if signed_in else "session_ended")
            done = await root.ask(method, f"/v1/admin/users/{ada.id}{path}", body)
            assert done.status < 300, done.body
            assert await elsewhere(ada) == "session_ended", (method, path, body)


async def test_whoever_is_disabled_is_found_and_reached_by_nobody_and_stays_known_to_those_who_know_them(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as here:
        root, ada, bob, eve = await here.admin("root.one"), *await here.people("ada", "bob", "eve")
        await become_friends(ada, bob)
        assert (await ada.post("/v1/keys/upload", Device("phone").body(range(1, 4)))).status < 300
        shared = await bob.post("/v1/conversations", {"type": "group", "participant_ids": [str(ada.id)], "title": "Us"})
        # An admin reads nothing that others say.
        for path in ("", "/participants", "/mode/proposals"):
            assert (await root.get(f"/v1/conversations/{shared.body['id']}{path}")).status == 404, path
        assert (await root.get("/v1/conversations")).body["items"] == []
        await change(root, ada, state="disabled")
        assert (await bob.get("/v1/users/search?q=ada")).body["items"] == []
        assert (await eve.post(f"/v1/users/{ada.id}/friend")).status == 404
        begun = await eve.post("/v1/conversations", {"type": "direct", "participant_ids": [str(ada.id)]})
        assert begun.code == "participant_unavailable"
        assert (await bob.get(f"/v1/keys/{ada.id}")).body["devices"] == []
        assert [item["id"] for item in (await bob.get("/v1/users/me/friends")).body["items"]] == [str(ada.id)]
        members = (await bob.get(f"/v1/conversations/{shared.body['id']}/participants")).body["items"]
        assert str(ada.id) in str(members)
        # Who does not know the password hears nothing of it.
        ada.password = "not this one"
        assert (await ada.sign_in()).code == "invalid_credentials"


async def test_an_account_is_shown_with_its_sessions_and_its_plan_and_the_figures_count(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        root = await here.admin("root.one")
        [ada, _] = await here.people("ada", "eve")
        await ada.sign_in()
        shown = (await root.get(f"/v1/admin/users/{ada.id}")).body
        assert (shown["email"], shown["state"], shown["roles"]) == (ada.email, "active", ["user"])
        assert (shown["sessions"], shown["two_factor_enabled"], shown["plan"]["plan"]) == (2, False, "free")
        assert shown["last_used_at"] is not None
        assert (await root.get(f"/v1/admin/users/{uuid4()}")).status == 404
        await change(root, ada, state="disabled")
        await root.post("/v1/admin/api-keys", {"name": "a", "scopes": ["rooms:read"]})
        assert (await root.get("/v1/admin/stats")).body == {
            "users": {"active": 2, "disabled": 1, "erasing": 0, "admins": 1, "joined_last_day": 3},
            "sessions": 2,
            "api_keys": 1,
        }


# --- rules ---------------------------------------------------------------------------------------------------

states = st.sampled_from(State)
roles = st.sampled_from([frozenset[str](), frozenset({ADMIN})])


def account(state: State, held: frozenset[str]) -> Account:
    return Account(uuid4(), "a@b.cd", "ada", "ada", "Ada", "", 0.0, 0.0, state=state, roles=held)


@given(states, roles, st.sampled_from([State.ACTIVE, State.DISABLED]), roles)
def test_whoever_may_less_than_before_is_signed_out_and_only_they(
    state: State, held: frozenset[str], new_state: State, new_roles: frozenset[str]
) -> None:
    before, after = account(state, held), account(new_state, new_roles)
    less = (state is State.ACTIVE and new_state is not State.ACTIVE) or not held <= new_roles
    assert ends_sessions(before, after) is less
    told = {action for action, _ in acts(before, after)}
    assert bool(told) is (state is not new_state or held != new_roles)


async def with_second_factor(here: World, who: Person) -> None:
    """As if an authenticator had been set up."""

    async def work(unit: Transaction) -> None:
        values = {"account": who.id, "secret": b"", "created_at": 1.0, "last_step": 0, "confirmed_at": 1.0}
        await sql_of(unit).connection.execute(insert(FACTORS).values(values))

    await here.platform.database.units.write(work)
