"""Applications as people see them, and the facts about an applicant that a decision needs."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.engine.finances import Employment as WorkKind
from accounts.models import User
from accounts.selectors.profiles import financial_facts
from loans.engine.lifecycle import ApplicationState, LoanStatus
from loans.models import Installment, Loan, LoanApplication
from loans.models.loan import OPEN_STATUSES
from risk.engine.facts import ApplicantFacts, Employment
from zhixin.shared.money import Money, total

HISTORY_DAYS = 365
RECENT_DAYS = 30
DECLINED_SHOWN_DAYS = 90
# People whose income comes and goes: the policy counts less of it (conduct LM-10).
IRREGULAR_WORK = frozenset({WorkKind.GIG, WorkKind.SELF_EMPLOYED})

EMPLOYMENT_AS_RISK_NAMES_IT = {
    WorkKind.EMPLOYED: Employment.EMPLOYED,
    WorkKind.SELF_EMPLOYED: Employment.SELF_EMPLOYED,
    WorkKind.GIG: Employment.FLEXIBLE,
    WorkKind.STUDENT: Employment.STUDENT,
    WorkKind.RETIRED: Employment.RETIRED,
    WorkKind.UNEMPLOYED: Employment.UNEMPLOYED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnHistory:
    """What a person has had from this lender, as of a day."""

    open_principal: Money
    open_loan_count: int
    monthly_installments: Money
    worst_days_past_due_now: int
    worst_days_past_due_12m: int
    loans_paid_off: int
    written_off: bool
    applications_30d: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationCard:
    """An open application in a list: where it leads, what it is, and what comes next."""

    url: str
    title: str
    status_label: str
    status_tone: str
    sentence: str


def open_application(user: User) -> LoanApplication | None:
    """Return the application that is being decided or waits for a signature."""
    return (
        LoanApplication.objects.open()
        .filter(borrower=user)
        .select_related("product_version__product")
        .first()
    )


def application_cards(user: User, *, on: datetime.date) -> list[ApplicationCard]:
    """Return what the page of one's loans shows: open applications, and those declined lately."""
    lately = Q(
        state=ApplicationState.DECLINED,
        business_date__gt=on - datetime.timedelta(days=DECLINED_SHOWN_DAYS),
    )
    is_open = Q(pk__in=LoanApplication.objects.open().values("pk"))
    found = (
        LoanApplication.objects.filter(is_open | lately, borrower=user)
        .select_related("product_version__product")
        .order_by("-created_at")
    )
    return [_card(application) for application in found]


def _card(application: LoanApplication) -> ApplicationCard:
    label, tone, sentence = _CARD_WORDS[ApplicationState(application.state)]
    shown = application.contract_amount or application.amount
    return ApplicationCard(
        url=reverse("loans:decision", args=[application.public_id]),
        title=f"{application.product_version.product.name} · ¥{shown.amount:,.2f}",
        status_label=str(label),
        status_tone=tone,
        sentence=str(sentence),
    )


_CARD_WORDS = {
    ApplicationState.SUBMITTED: (_("Being decided"), "", _("You will see the answer here.")),
    ApplicationState.REFERRED: (
        _("With a person"),
        "soon",
        _("A person looks at it. You hear from us within two working days."),
    ),
    ApplicationState.APPROVED: (
        _("Approved"),
        "good",
        _("Look at every cost, then decide whether you take it."),
    ),
    ApplicationState.DECLINED: (
        _("Declined"),
        "",
        _("See why, what would change it, and how a person looks at it again."),
    ),
}


def application_by_key(user: User, request_key: str) -> LoanApplication | None:
    """Return the application that the form with this key has made."""
    return LoanApplication.objects.filter(borrower=user, request_key=request_key).first()


def referral_queue() -> QuerySet[LoanApplication]:
    """Return the applications that wait for a person, oldest first, with what a list shows."""
    return LoanApplication.objects.referred().select_related(
        "borrower", "product_version__product", "claimed_by", "assessment"
    )


def applicant_facts(user: User, *, as_of: datetime.date) -> ApplicantFacts:
    """Return everything that a decision may look at about the person on a day.

    Raises IncompleteProfileError when the profile lacks a step that a decision needs. No credit
    bureau is asked yet; its facts stay unknown.
    """
    money = financial_facts(user, as_of=as_of)
    history = own_history(user, as_of=as_of)
    proof_age = None if money.evidence_date is None else (as_of - money.evidence_date).days
    return ApplicantFacts(
        age=money.age,
        # The identity step is complete only with a number whose check digit and date hold.
        identity_verified=True,
        employment=EMPLOYMENT_AS_RISK_NAMES_IT[money.employment],
        months_employed=money.months_employed,
        stated_income=money.stated_income,
        evidenced_income=money.evidenced_income,
        proof_age_days=None if proof_age is None else max(proof_age, 0),
        income_is_irregular=money.employment in IRREGULAR_WORK,
        housing_cost=money.housing_cost,
        living_costs=money.living_costs,
        debt_payments=money.debt_payments + history.monthly_installments,
        household_adults=money.adults,
        household_children=money.children,
        open_principal=history.open_principal,
        open_loan_count=history.open_loan_count,
        worst_days_past_due_now=history.worst_days_past_due_now,
        worst_days_past_due_12m=history.worst_days_past_due_12m,
        loans_paid_off=history.loans_paid_off,
        written_off=history.written_off,
        applications_30d=history.applications_30d,
    )


def own_history(user: User, *, as_of: datetime.date) -> OwnHistory:
    """Return what the person has had from this lender, from the projection of their loans.

    A loan that is being paid out counts as open with its whole principal.
    """
    loans = list(Loan.objects.filter(borrower=user))
    pending = [loan for loan in loans if loan.status == LoanStatus.PENDING]
    running = [loan for loan in loans if loan.status in OPEN_STATUSES]
    owed = [loan.principal for loan in pending]
    owed += [loan.principal_outstanding for loan in running]
    return OwnHistory(
        open_principal=total(owed),
        open_loan_count=len(pending) + len(running),
        monthly_installments=_monthly_installments(running),
        worst_days_past_due_now=max((loan.days_past_due for loan in running), default=0),
        worst_days_past_due_12m=_worst_days_late(user, as_of=as_of),
        loans_paid_off=sum(
            loan.status in (LoanStatus.PAID_OFF, LoanStatus.OVERPAID) for loan in loans
        ),
        written_off=any(loan.status == LoanStatus.CHARGED_OFF for loan in loans),
        applications_30d=LoanApplication.objects.filter(
            borrower=user, business_date__gt=as_of - datetime.timedelta(days=RECENT_DAYS)
        )
        .exclude(state=ApplicationState.DRAFT)
        .count(),
    )


def _monthly_installments(loans: list[Loan]) -> Money:
    """Return what the open loans ask for in a month: of each the largest installment to come."""
    largest: dict[int, Money] = {}
    unpaid = Installment.objects.filter(loan__in=loans, paid_on__isnull=True)
    for row in unpaid:
        due = row.principal + row.interest + row.fees
        largest[row.loan_id] = max(due, largest.get(row.loan_id, Money.zero()))
    return total(largest.values())


def _worst_days_late(user: User, *, as_of: datetime.date) -> int:
    """Return the longest delay of an installment that was unpaid within the past year."""
    since = as_of - datetime.timedelta(days=HISTORY_DAYS)
    due = Installment.objects.filter(loan__borrower=user, payable_through__lt=as_of)
    late = [
        ((row.paid_on or as_of) - row.payable_through).days
        for row in due
        if row.paid_on is None or row.paid_on > since
    ]
    return max([0, *late])


REVIEW_WORKING_DAYS = 2
_SATURDAY = 5


def review_due_date(application: LoanApplication) -> datetime.date:
    """Return the day by which a person answers: two working days (Monday to Friday) later.

    Counted from the day on which the application came before a person, where the lender is.
    """
    change = (
        application.status_changes.filter(to_state=ApplicationState.REFERRED)
        .order_by("-recorded_at", "-pk")
        .first()
    )
    day = (
        application.business_date
        if change is None
        else change.recorded_at.astimezone(timezone.get_default_timezone()).date()
    )
    left = REVIEW_WORKING_DAYS
    while left:
        day += datetime.timedelta(days=1)
        left -= day.weekday() < _SATURDAY
    return day
