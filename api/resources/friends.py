"""Friends: asking, answering, ending it; and people one may know."""

from __future__ import annotations

from enum import Enum

from api.http.access import Access
from api.http.endpoints import Call, Endpoint, Resource
from api.http.wire import View
from api.people import People
from api.resources.paging import Paging
from api.resources.users import (
    AcquaintanceView,
    PersonPath,
    PersonView,
    acquaintance_view,
    acquaintance_views,
    person_fields,
)
from identity.friends import Standing, Step


class Wanted(Enum):
    ACCEPTED = "accepted"
    INCOMING = "incoming"
    OUTGOING = "outgoing"


class FriendsQuery(Paging, frozen=True):
    """``incoming`` and ``outgoing`` are requests that wait for an answer."""

    state: Wanted = Wanted.ACCEPTED


class FriendsView(View, frozen=True):
    items: list[AcquaintanceView]
    next_cursor: str | None


class SuggestionView(PersonView, frozen=True):
    mutual_friends: int


class SuggestionsView(View, frozen=True):
    items: list[SuggestionView]
    next_cursor: str | None


class FriendHandlers:
    def __init__(self, people: People) -> None:
        self._people, self._friends = people, people.acquaintances.friends

    async def ask(self, call: Call, path: PersonPath) -> AcquaintanceView:
        return await self._met(call, path, Step.ASK)

    async def accept(self, call: Call, path: PersonPath) -> AcquaintanceView:
        return await self._met(call, path, Step.ACCEPT)

    async def _met(self, call: Call, path: PersonPath, step: Step) -> AcquaintanceView:
        return await acquaintance_view(self._people, await self._friends.meet(call.principal.account, path.id, step))

    async def reject(self, call: Call, path: PersonPath) -> None:
        await self._friends.part(call.principal.account, path.id, Step.REJECT)

    async def remove(self, call: Call, path: PersonPath) -> None:
        await self._friends.part(call.principal.account, path.id, Step.REMOVE)

    async def friends(self, call: Call, query: FriendsQuery) -> FriendsView:
        page = await self._friends.page(
            call.principal.account, Standing(query.state.value), cursor=query.cursor, limit=query.limit
        )
        return FriendsView(items=await acquaintance_views(self._people, page.items), next_cursor=page.next_cursor)

    async def suggestions(self, call: Call, query: Paging) -> SuggestionsView:
        page = await self._friends.suggestions(call.principal.account, cursor=query.cursor, limit=query.limit)
        shown = [item.account.id for item in page.items if item.account.visibility.status.admits(friend=False)]
        statuses = await self._people.presences.statuses(shown)
        items = [
            SuggestionView(
                **person_fields(item.account, statuses.get(item.account.id)), mutual_friends=item.mutual_friends
            )
            for item in page.items
        ]
        return SuggestionsView(items=items, next_cursor=page.next_cursor)


def resource(people: People) -> Resource:
    of = FriendHandlers(people)
    signed_in, limit = Access.SIGNED_IN, "default"
    refused = {
        403: ("friend_requests_closed",),
        404: ("not_found",),
        409: ("person_blocked",),
        422: ("not_with_oneself", "too_many_friends", "too_many_requests", "too_many_incoming_requests"),
    }
    return Resource(
        "friends",
        "Friends, requests for friendship, and people one may know.",
        [
            Endpoint(
                method="POST",
                path="/v1/users/{id}/friend",
                handler=of.ask,
                access=signed_in,
                limit="friend_requests",
                summary="Ask somebody for friendship; if they had asked first, this accepts",
                errors=refused,
            ),
            Endpoint(
                method="POST",
                path="/v1/users/me/friends/{id}/accept",
                handler=of.accept,
                access=signed_in,
                limit=limit,
                summary="Accept somebody's request",
                errors=refused,
            ),
            Endpoint(
                method="DELETE",
                path="/v1/users/me/friends/{id}/reject",
                handler=of.reject,
                access=signed_in,
                limit=limit,
                summary="Reject somebody's request; they may ask again",
                status=204,
                errors={404: ("not_found",)},
            ),
            Endpoint(
                method="DELETE",
                path="/v1/users/me/friends/{id}",
                handler=of.remove,
                access=signed_in,
                limit=limit,
                summary="End a friendship, or take one's request back",
                status=204,
                errors={404: ("not_found",)},
            ),
            Endpoint(
                method="GET",
                path="/v1/users/me/friends",
                handler=of.friends,
                access=signed_in,
                limit=limit,
                summary="One's friends, or the requests that wait; the latest first",
                errors={400: ("bad_cursor",)},
            ),
            Endpoint(
                method="GET",
                path="/v1/users/me/suggestions",
                handler=of.suggestions,
                access=signed_in,
                limit="search",
                summary="Friends of friends, those with the most friends in common first",
                errors={400: ("bad_cursor",)},
            ),
        ],
    )
