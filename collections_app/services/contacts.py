"""Contacts with borrowers: may they be made, what was made, what came of it."""

from __future__ import annotations

import datetime

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts.models import User
from accounts.selectors.contact import rule_text
from accounts.services.consents import record_access
from collections_app.engine.states import CaseState
from collections_app.models import (
    Case,
    ContactChannel,
    ContactDirection,
    ContactNote,
    ContactOutcome,
)
from collections_app.models.case import CONVERSATIONS
from collections_app.selectors.contact import judge_call
from collections_app.services.cases import open_case
from loans.selectors.portfolio import lock_standing
from zhixin.shared.actor import Actor
from zhixin.shared.errors import DomainError

# When the next step is due if the collector does not say, by what came of the contact.
NEXT_ACTION_DAYS = {
    ContactOutcome.NO_ANSWER: 1,
    ContactOutcome.WRONG_NUMBER: 1,
    ContactOutcome.CALL_LATER: 1,
    ContactOutcome.WILL_PAY: 3,
    ContactOutcome.CANNOT_PAY: 7,
    ContactOutcome.CONTESTS: 1,
    ContactOutcome.ASKED_FOR_PERSON: 0,
    ContactOutcome.OTHER: 3,
}
TEXT_LENGTH_MAX = 2000


class UnableToAddNoteError(DomainError):
    """The case is closed, or the note says nothing."""


class UnableToCallError(DomainError):
    """The contact gate refuses the call now; the message names the rule."""


@transaction.atomic
def add_note(
    *,
    case_id: int,
    channel: ContactChannel | str,
    direction: ContactDirection | str,
    outcome: ContactOutcome | str,
    text: str,
    actor: Actor,
    business_date: datetime.date,
    at: datetime.datetime,
    next_action_on: datetime.date | None = None,
) -> ContactNote:
    """Record one contact as it was; it can never be changed. Raises UnableToAddNoteError.

    What has happened is recorded even when the gate would have refused it: the note keeps the
    gate's verdict, for auditors to see. The first who works on a case takes it over.
    """
    outcome = ContactOutcome(outcome)
    if outcome is ContactOutcome.OTHER and not text.strip():
        raise UnableToAddNoteError(_("Say in a few words what came of it."))
    if len(text) > TEXT_LENGTH_MAX:
        raise UnableToAddNoteError(_("A note has 2,000 characters at most."))
    case = Case.objects.for_update().select_related("loan__borrower").get(pk=case_id)
    if case.state != CaseState.OPEN:
        raise UnableToAddNoteError(_("This case is closed. Reload the page."))
    direction = ContactDirection(direction)
    rule = ""
    if direction is ContactDirection.OUTBOUND:
        asked = case.person_asked_at is not None
        rule = judge_call(case.loan.borrower, at=at, was_asked_for=asked).rule.value
    note = ContactNote.objects.create(
        case=case,
        channel=ContactChannel(channel),
        direction=direction,
        outcome=outcome,
        text=text.strip(),
        gate_rule=rule,
        by_id=actor.user_id,
        by_label=actor.label,
        at=at,
    )
    case.next_action_on = next_action_on or business_date + datetime.timedelta(
        days=NEXT_ACTION_DAYS[outcome]
    )
    if outcome in CONVERSATIONS:
        case.person_asked_at = None
    if case.assigned_to_id is None:
        case.assigned_to_id = actor.user_id
    case.save(update_fields=["next_action_on", "person_asked_at", "assigned_to"])
    return note


def reveal_number(*, case_id: int, actor: Actor, at: datetime.datetime) -> str:
    """Return the borrower's telephone number, if the contact gate allows a call now.

    The look is recorded for the borrower to see. Raises UnableToCallError.
    """
    case = Case.objects.select_related("loan__borrower").get(pk=case_id)
    person: User = case.loan.borrower
    verdict = judge_call(person, at=at, was_asked_for=case.person_asked_at is not None)
    if not verdict.allowed:
        raise UnableToCallError(f"{verdict.rule.value}: {rule_text(verdict.rule)}")
    if not person.phone:
        raise UnableToCallError(_("They have given no telephone number."))
    record_access(
        actor=actor,
        subject=person,
        fields=["phone number"],
        purpose=gettext_noop("Calling about a late payment"),
        at=at,
    )
    return person.phone


@transaction.atomic
def ask_for_person(
    *, loan_id: int, actor: Actor, business_date: datetime.date, at: datetime.datetime
) -> Case:
    """Put the borrower's wish for a person at the head of the queue; asking twice is once."""
    standing = lock_standing(loan_id)
    case = open_case(
        standing=standing,
        business_date=business_date,
        reason="ASKED_FOR_PERSON",
        actor=actor,
        at=at,
    )
    if case.person_asked_at is not None:
        return case
    case.person_asked_at = at
    case.next_action_on = business_date
    case.save(update_fields=["person_asked_at", "next_action_on"])
    ContactNote.objects.create(
        case=case,
        channel=ContactChannel.WEB,
        direction=ContactDirection.INBOUND,
        outcome=ContactOutcome.ASKED_FOR_PERSON,
        by_id=actor.user_id,
        by_label=actor.label,
        at=at,
    )
    return case
