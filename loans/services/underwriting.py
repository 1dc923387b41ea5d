"""A person decides: take up the oldest referral, decide, and on to the next one."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction
from django.db.models import Case, Q, When
from django.utils.translation import gettext as _

from accounts.models import User
from loans.access import DECIDE_PERMISSION
from loans.engine.annualized_cost import cost_of
from loans.engine.lifecycle import ApplicationEvent, ApplicationState
from loans.models import LoanApplication
from loans.models.application import APPROVAL_REASONS, DECLINE_REASONS, DecisionReason
from loans.selectors.products import list_rate, terms_of_offer
from loans.services.applications import advance_application, tell_borrower
from zhixin.shared.errors import DomainError
from zhixin.shared.money import Money

# A case that somebody opened and left is free again after this time.
CLAIM_LAPSES_AFTER = datetime.timedelta(minutes=15)


class UnableToDecideError(DomainError):
    """This person cannot take this decision; the message says why."""


class AlreadyDecidedError(DomainError):
    """The application has been decided, withdrawn or has lapsed in the meantime."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What an underwriter decides: `amount` approves, None declines."""

    amount: Money | None
    reason: DecisionReason
    note: str


def claim_next_referral(*, underwriter: User, at: datetime.datetime) -> LoanApplication | None:
    """Take up the oldest referral that nobody else works on; None when there is none.

    A case that the underwriter has taken up before comes first. Their own application is never
    given to them. Two people who ask at the same moment get two cases.
    """
    _check_permission(underwriter)
    with transaction.atomic():
        application = (
            LoanApplication.objects.referred()
            .filter(_free_for(underwriter, at))
            .exclude(borrower=underwriter)
            # One's own open case first, then the oldest.
            .order_by(Case(When(claimed_by=underwriter, then=0), default=1), "submitted_at", "pk")
            .for_update(skip_locked=True)
            .first()
        )
        if application is not None:
            _claim(application, underwriter, at)
        return application


def claim_referral(
    *, application_id: int, underwriter: User, at: datetime.datetime
) -> LoanApplication:
    """Take up one referral. Raises UnableToDecideError when somebody else works on it."""
    _check_permission(underwriter)
    with transaction.atomic():
        application = LoanApplication.objects.for_update().get(pk=application_id)
        _check_decidable(application, underwriter, at)
        _claim(application, underwriter, at)
        return application


def decide_referral(
    *,
    application_id: int,
    underwriter: User,
    ruling: Ruling,
    business_date: datetime.date,
    at: datetime.datetime,
) -> LoanApplication:
    """Approve, approve less, or decline; with a coded reason that the borrower reads.

    The rate is the one that the policy gave; without one, the list rate. Raises AlreadyDecidedError
    when it does not wait any more, UnableToDecideError for one's own application, somebody else's
    case, a wrong reason, an amount outside the request, or a cost above the cap (PR-05).
    """
    _check_permission(underwriter)
    with transaction.atomic():
        application = (
            LoanApplication.objects.for_update()
            .select_related("product_version__product", "borrower", "assessment")
            .get(pk=application_id)
        )
        _check_decidable(application, underwriter, at)
        _check_ruling(application, ruling)
        if ruling.amount is not None:
            application.approved_amount = ruling.amount
            application.approved_rate = _rate_for(application, ruling.amount, business_date)
        application.decided_by = underwriter
        application.decided_at = at
        application.decision_date = business_date
        application.decision_reason = ruling.reason
        application.decision_note = ruling.note
        application.claimed_by = None
        application.claimed_at = None
        application.save(update_fields=_DECISION_FIELDS)
        approves = ruling.amount is not None
        advance_application(
            application=application,
            event=ApplicationEvent.APPROVE if approves else ApplicationEvent.DECLINE,
            reason=ruling.reason.value,
            actor=underwriter.as_actor(),
            at=at,
        )
        tell_borrower(application=application, at=at)
        return application


_DECISION_FIELDS = (
    "approved_amount",
    "approved_rate",
    "decided_by",
    "decided_at",
    "decision_date",
    "decision_reason",
    "decision_note",
    "claimed_by",
    "claimed_at",
)


def _check_permission(underwriter: User) -> None:
    if not underwriter.has_perm(DECIDE_PERMISSION):
        raise UnableToDecideError(_("You may not decide on applications."))


def _free_for(underwriter: User, at: datetime.datetime) -> Q:
    return (
        Q(claimed_by__isnull=True)
        | Q(claimed_by=underwriter)
        | Q(claimed_at__lte=at - CLAIM_LAPSES_AFTER)
    )


def _claim(application: LoanApplication, underwriter: User, at: datetime.datetime) -> None:
    application.claimed_by = underwriter
    application.claimed_at = at
    application.save(update_fields=["claimed_by", "claimed_at"])


def _check_decidable(
    application: LoanApplication, underwriter: User, at: datetime.datetime
) -> None:
    if application.state != ApplicationState.REFERRED:
        raise AlreadyDecidedError(
            _("This application does not wait any more. It is: %(state)s.")
            % {"state": application.get_state_display()}
        )
    if application.borrower_id == underwriter.pk:
        raise UnableToDecideError(_("Nobody decides on their own application."))
    taken = application.claimed_by_id not in (None, underwriter.pk)
    if taken and application.claimed_at and application.claimed_at > at - CLAIM_LAPSES_AFTER:
        raise UnableToDecideError(_("A colleague is working on this application."))


def _check_ruling(application: LoanApplication, ruling: Ruling) -> None:
    if ruling.amount is None:
        if ruling.reason not in DECLINE_REASONS:
            raise UnableToDecideError(_("Choose a reason that speaks against it."))
        return
    if ruling.reason not in APPROVAL_REASONS:
        raise UnableToDecideError(_("Choose a reason that speaks for it."))
    least = application.product_version.minimum_amount
    if not least <= ruling.amount <= application.amount:
        raise UnableToDecideError(
            _("Choose an amount from ¥%(least)s to ¥%(most)s.")
            % {"least": f"{least.amount:,.2f}", "most": f"{application.amount.amount:,.2f}"}
        )


def _rate_for(application: LoanApplication, amount: Money, business_date: datetime.date) -> Decimal:
    """Return the rate of the offer; refuse one whose cash flows cost more than the cap."""
    version = application.product_version
    assessment = application.assessment
    rate = None if assessment is None else assessment.annual_rate
    if rate is None:
        rate = list_rate(version.product.code, on=business_date)
    terms = terms_of_offer(
        version,
        amount=amount,
        installment_count=application.installment_count,
        method=application.method,
        annual_rate=rate,
        disbursement_date=business_date,
    )
    if cost_of(terms).effective_annualized_cost > version.all_in_cap:
        raise UnableToDecideError(_("This loan would cost more a year than the law allows."))
    return rate
