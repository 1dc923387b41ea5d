"""What a collector sees of a case: who and what, what has happened, what may be done now."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.engine.contact_rules import Channel, ContactPurpose, Verdict
from accounts.models import Message, User
from accounts.selectors.contact import judge_contact, local_time_of, rule_text
from collections_app.engine.states import CaseState
from collections_app.models import (
    Case,
    CaseChange,
    ContactNote,
    HardshipPlan,
    HardshipRequest,
)
from collections_app.selectors.contact import calls_today, judge_call
from loans.access import AboutLoans
from loans.engine.state import LoanState
from loans.selectors.explanations import WhyLine, why
from loans.selectors.servicing import loan_state
from zhixin.shared.money import Money, Rounding
from zhixin.shared.templatetags.zhixin import actor_of, name_of_person

MESSAGES_SHOWN = 30
CHANGE_TEXTS = {
    "OVERDUE": gettext_lazy("A payment is late"),
    "ASKED_FOR_PERSON": gettext_lazy("The borrower asked for a person"),
    "NOTHING_LATE": gettext_lazy("Nothing is late any more"),
    "WRITTEN_OFF": gettext_lazy("The loan was written off"),
    "PLAN_ACCEPTED": gettext_lazy("The borrower chose a new plan"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Something that happened in a case."""

    at: datetime.datetime
    title: str
    by: str
    text: str
    label: str
    variant: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """Whether a channel may be used now, by which rule, and from when if not."""

    label: str
    allowed: bool
    rule: str
    text: str
    earliest_next: datetime.datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseDesk:
    """One case on one screen."""

    case: Case
    person: User
    person_name: str
    local_clock: str
    state: LoanState
    penalty_per_day: Money
    penalty_why: tuple[WhyLine, ...]
    request: HardshipRequest | None
    plans: tuple[HardshipPlan, ...]
    moments: tuple[Moment, ...]
    permits: tuple[Permit, ...]
    calls: int
    conversations: int
    is_open: bool
    next_case: Case | None

    @property
    def may_call(self) -> bool:
        """Return whether a call may be made now."""
        return self.permits[0].allowed


def find_case(public_id: UUID, *, reader: User) -> Case | None:
    """Return the case with its loan and borrower; None when there is none in the reader's reach."""
    found = Case.objects.filter(public_id=public_id).select_related(
        "loan__agreement__application__product_version__product",
        "loan__borrower__profile",
        "assigned_to",
    )
    return AboutLoans("loan")(reader, found).first()


def case_desk(
    case: Case, *, worker: User, business_date: datetime.date, at: datetime.datetime
) -> CaseDesk:
    """Return everything that the work on `case` needs on the business date, at the instant."""
    person: User = case.loan.borrower
    state = loan_state(case.loan, as_of=business_date)
    calls, conversations = calls_today(person, at=at)
    local = local_time_of(person, at)
    return CaseDesk(
        case=case,
        person=person,
        person_name=person.display_name,
        local_clock="" if local is None else f"{local:%H:%M}",
        state=state,
        penalty_per_day=Money.rounded(state.penalty_per_day, rounding=Rounding.HALF_UP),
        penalty_why=why(state, "penalty_accrued"),
        request=HardshipRequest.objects.filter(loan=case.loan).order_by("-pk").first(),
        plans=tuple(
            HardshipPlan.objects.filter(loan=case.loan).select_related("offer").order_by("-pk")
        ),
        moments=_moments(case),
        permits=_permits(case, person, at),
        calls=calls,
        conversations=conversations,
        is_open=case.state == CaseState.OPEN,
        next_case=next_case(worker=worker, business_date=business_date, after=case),
    )


def next_case(
    *, worker: User, business_date: datetime.date, after: Case | None = None
) -> Case | None:
    """Return the next case to work on: due today, nobody else's, in the order of work."""
    due = (
        Case.objects.to_work()
        .filter(next_action_on__lte=business_date)
        .exclude(loan__borrower=worker)
        .in_order_of_work()
    )
    if after is not None:
        due = due.exclude(pk=after.pk)
    return due.filter(assigned_to__isnull=True).first() or due.filter(assigned_to=worker).first()


def _permits(case: Case, person: User, at: datetime.datetime) -> tuple[Permit, ...]:
    asked = case.person_asked_at is not None
    permits = [_permit(_("Telephone"), judge_call(person, at=at, was_asked_for=asked))]
    channels = ((_("Text message"), Channel.SMS), (_("E-mail"), Channel.EMAIL))
    for label, channel in channels:
        has_address = person.phone if channel is Channel.SMS else person.email
        if has_address:
            verdict = judge_contact(
                person=person, purpose=ContactPurpose.COLLECTION, channel=channel, at=at
            )
            permits.append(_permit(label, verdict))
    return tuple(permits)


def _permit(label: str, verdict: Verdict) -> Permit:
    return Permit(
        label=label,
        allowed=verdict.allowed,
        rule=verdict.rule.value,
        text=rule_text(verdict.rule),
        earliest_next=verdict.earliest_next,
    )


def _moments(case: Case) -> tuple[Moment, ...]:
    """Return notes, messages about the loan and changes of the case, newest first."""
    notes = ContactNote.objects.select_related("by__profile").filter(case__loan=case.loan)
    changes = CaseChange.objects.select_related("actor_user__profile").filter(case__loan=case.loan)
    moments = [_of_note(note) for note in notes]
    moments += [_of_change(change) for change in changes]
    messages = (
        Message.objects.filter(recipient=case.loan.borrower)
        .exclude(purpose=ContactPurpose.AUTH)
        .order_by("-created_at")[:MESSAGES_SHOWN]
    )
    moments += [_of_message(message) for message in messages]
    return tuple(sorted(moments, key=lambda moment: moment.at, reverse=True))


def _of_note(note: ContactNote) -> Moment:
    breach = bool(note.gate_rule) and note.gate_rule != "OK"
    return Moment(
        at=note.at,
        title=f"{note.get_channel_display()}: {note.get_outcome_display()}",
        by=name_of_person(note.by, note.by_label),
        text=note.text,
        label=_("outside rule %(rule)s") % {"rule": note.gate_rule} if breach else "",
        variant="danger" if breach else "",
    )


def _of_change(change: CaseChange) -> Moment:
    return Moment(
        at=change.recorded_at,
        title=_case_title(change),
        by=actor_of(change),
        text=str(CHANGE_TEXTS.get(change.reason, change.reason)),
        label="",
        variant="",
    )


def _case_title(change: CaseChange) -> str:
    if not change.from_state:
        return _("Case opened")
    return _("Case ended: %(state)s") % {"state": change.get_to_state_display()}


def _of_message(message: Message) -> Moment:
    text = message.body
    rule = f" · {message.refusal_rule}" if message.refusal_rule else ""
    variants = {"SENT": "success", "REFUSED": "warning", "FAILED": "danger"}
    return Moment(
        at=message.sent_at or message.created_at,
        title=str(message.get_channel_display()),
        by=_("Zhixin"),
        text=text,
        label=f"{message.get_state_display()}{rule}",
        variant=variants.get(message.state, ""),
    )
