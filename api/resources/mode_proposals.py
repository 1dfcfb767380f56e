"""Asking everybody in a conversation whether it may become Intelligent, and the record of what they said."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from api.chat import Chats
from api.http.access import Access
from api.http.endpoints import Call, Endpoint, Resource
from api.http.wire import View, Wire
from api.resources.conversation_views import ConversationPath, time_of
from api.resources.paging import Paging
from chat.mode import Mode, Question, Round, RoundState


class Said(Enum):
    CONSENT = "consent"
    REFUSE = "refuse"


class NewProposal(Wire, frozen=True):
    mode: Mode


class Consent(Wire, frozen=True):
    answer: Said


class AnswerView(View, frozen=True):
    user_id: UUID
    answer: Said
    at: datetime


class AskedView(View, frozen=True):
    """``decided`` is a change that its owner could make alone; ``proposed_by`` is null once that account is erased."""

    id: UUID
    conversation_id: UUID
    mode: Mode
    proposed_by: UUID | None
    proposed_at: datetime
    expires_at: datetime
    state: RoundState
    ended_at: datetime | None


class ProposalView(AskedView, frozen=True):
    answers: list[AnswerView]


class TalliedView(AskedView, frozen=True):
    """How many said what; who did is in each proposal by itself."""

    consents: int
    refusals: int


class ProposalsView(View, frozen=True):
    items: list[TalliedView]
    next_cursor: str | None


class ProposalPath(Wire, frozen=True):
    id: UUID
    proposal_id: UUID


class ModeProposals:
    def __init__(self, chats: Chats) -> None:
        self._modes = chats.modes

    async def propose(self, call: Call, path: ConversationPath, body: NewProposal) -> ProposalView:
        return _proposal(await self._modes.propose(path.id, call.principal.account, body.mode))

    async def consent(self, call: Call, path: ProposalPath, body: Consent) -> ProposalView:
        given = await self._modes.answer(
            path.id, call.principal.account, path.proposal_id, consents=body.answer is Said.CONSENT
        )
        return _proposal(given)

    async def proposals(self, call: Call, path: ConversationPath, query: Paging) -> ProposalsView:
        page = await self._modes.proposals(path.id, call.principal.account, cursor=query.cursor, limit=query.limit)
        items = [
            TalliedView(**_asked(asked), consents=tally.consents, refusals=tally.refusals)
            for asked, tally in page.items
        ]
        return ProposalsView(items=items, next_cursor=page.next_cursor)

    async def proposal(self, call: Call, path: ProposalPath) -> ProposalView:
        return _proposal(await self._modes.proposal(path.id, call.principal.account, path.proposal_id))


def _proposal(asked: Round) -> ProposalView:
    answers = [
        AnswerView(user_id=person, answer=Said.CONSENT if given.consents else Said.REFUSE, at=time_of(given.at))
        for person, given in asked.answers.items()
    ]
    return ProposalView(**_asked(asked), answers=answers)


def _asked(asked: Question) -> dict[str, Any]:
    return {
        "id": asked.id,
        "conversation_id": asked.conversation,
        "mode": asked.mode,
        "proposed_by": asked.proposed_by,
        "proposed_at": time_of(asked.proposed_at),
        "expires_at": time_of(asked.expires_at),
        "state": asked.state,
        "ended_at": None if asked.ended_at is None else time_of(asked.ended_at),
    }


def resource(chats: Chats) -> Resource:
    of = ModeProposals(chats)
    return Resource(
        "mode-proposals",
        "Rounds of consent. One is open for 24 hours and accepted once every current member has said yes; one refusal "
        "ends it. Whoever joins meanwhile is asked too. It is withdrawn when somebody is put out or its proposer goes.",
        [
            Endpoint(
                method="POST",
                path="/v1/conversations/{id}/mode/proposals",
                handler=of.propose,
                access=Access.SIGNED_IN,
                limit="default",
                summary="Ask everybody; to propose is to consent",
                status=201,
                errors={
                    403: ("not_permitted",),
                    409: ("round_open", "mode_already"),
                    422: ("consent_not_needed", "participant_unavailable"),
                    429: ("too_many_proposals",),
                },
            ),
            Endpoint(
                method="POST",
                path="/v1/conversations/{id}/mode/proposals/{proposal_id}/consent",
                handler=of.consent,
                access=Access.SIGNED_IN,
                limit="default",
                summary="Say yes or no; a yes may become a no while the proposal is open",
                errors={409: ("round_over",)},
            ),
            Endpoint(
                method="GET",
                path="/v1/conversations/{id}/mode/proposals",
                handler=of.proposals,
                access=Access.SIGNED_IN,
                limit="default",
                summary="What was proposed and how many said what, the latest first",
                errors={400: ("bad_cursor",)},
            ),
            Endpoint(
                method="GET",
                path="/v1/conversations/{id}/mode/proposals/{proposal_id}",
                handler=of.proposal,
                access=Access.SIGNED_IN,
                limit="default",
                summary="How a proposal stands, and who said what",
            ),
        ],
    )
