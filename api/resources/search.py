"""Searching for people."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from api.http.access import Access
from api.http.endpoints import Call, Endpoint, Resource
from api.people import People
from api.resources.friends import FriendsView
from api.resources.paging import Paging
from api.resources.users import acquaintance_views
from identity.names import MAX_EMAIL


class SearchQuery(Paging, frozen=True, kw_only=True):
    """``q``: beginnings of words of a name, all of which are to be found; or a whole e-mail address."""

    q: Annotated[str, Meta(min_length=1, max_length=MAX_EMAIL)]


def resource(people: People) -> Resource:
    found = people.acquaintances.search

    async def search(call: Call, query: SearchQuery) -> FriendsView:
        page = await found.find(call.principal.account, query.q, cursor=query.cursor, limit=query.limit)
        return FriendsView(items=await acquaintance_views(people, page.items), next_cursor=page.next_cursor)

    return Resource(
        "people",
        "Finding people who let themselves be found.",
        [
            Endpoint(
                method="GET",
                path="/v1/users/search",
                handler=search,
                access=Access.SIGNED_IN,
                limit="search",
                summary="Find people by the beginnings of their names' words, or by exactly their e-mail address",
                errors={400: ("bad_cursor",)},
            )
        ],
    )
