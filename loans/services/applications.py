"""Apply, decide by the policy, ask for a person, choose less, withdraw, lapse.

Every change of state goes through `advance_application`, under the application's row lock.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.engine.consent import CONSENT_TEXTS, ConsentPurpose
from accounts.engine.contact_rules import ContactPurpose
from accounts.models import User
from accounts.selectors.consents import has_consent
from accounts.services.messages import queue_message
from loans.engine.lifecycle import (
    APPLICATION_LIFECYCLE,
    ApplicationEvent,
    ApplicationState,
)
from loans.models import ApplicationStatusChange, LoanApplication, Merchant, ProductVersion
from loans.selectors.applications import applicant_facts, application_by_key, open_application
from loans.selectors.products import (
    installment_math,
    list_rate,
    offered_version,
    quote_of,
    terms_of_offer,
)
from risk.engine.decision import Outcome
from risk.engine.facts import ApplicantFacts, LoanRequest
from risk.engine.policy import PurposeOutcome
from risk.engine.purpose import PurposeVerdict, check_purpose
from risk.selectors.policies import current_policy
from risk.services.assessments import assess
from zhixin.shared.actor import Actor
from zhixin.shared.errors import DomainError
from zhixin.shared.lifecycle import IllegalTransitionError
from zhixin.shared.money import Money

# A decision rests on facts of its day; an offer that nobody takes lapses (product rule).
OFFER_VALID_DAYS = 30
COST_PLACES = Decimal("0.000001")


class UnableToApplyError(DomainError):
    """The application cannot be taken; the message says why and what would help."""


class PurposeRefusedError(UnableToApplyError):
    """Money may not be lent for this purpose; `lesson_slug` names the lesson that explains it."""

    def __init__(self, message: str, *, lesson_slug: str) -> None:
        """Keep the lesson beside the message."""
        super().__init__(message)
        self.lesson_slug = lesson_slug


class ApplicationAlreadyOpenError(UnableToApplyError):
    """The person has an application that is being decided or waits for a signature."""

    def __init__(self, message: str, *, application: LoanApplication) -> None:
        """Keep the open application, so that the page can lead to it."""
        super().__init__(message)
        self.application = application


class UnableToChangeApplicationError(DomainError):
    """The application is not in a state in which this can be done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationRequest:
    """What a person asks for, as the form has it."""

    product_code: str
    merchant_id: UUID | None
    amount: Money
    installment_count: int
    method: str
    purpose_code: str
    purpose_text: str


def refuse_prohibited_purpose(
    *, purpose_code: str, purpose_text: str, on: datetime.date
) -> PurposeVerdict:
    """Return the verdict on a purpose; raise PurposeRefusedError for a prohibited one (LM-05).

    Stores nothing, so that a form may ask before there is an application.
    """
    verdict = check_purpose(purpose_code, purpose_text, current_policy(on))
    if verdict.outcome is PurposeOutcome.REFUSE:
        raise PurposeRefusedError(
            _(
                "We may not lend for this: a loan for living must not be used to invest or to buy "
                "a home. If such a plan goes wrong, the debt stays."
            ),
            lesson_slug=verdict.lesson_slug or "borrow-for-what",
        )
    return verdict


def submit_application(
    *,
    borrower: User,
    asked: ApplicationRequest,
    request_key: str,
    business_date: datetime.date,
    at: datetime.datetime,
    actor: Actor,
) -> LoanApplication:
    """Take the application and decide on it by the policy; once per `request_key`.

    The same key again returns the first application. Leaves it APPROVED, REFERRED or DECLINED and
    queues the message that says so. Raises PurposeRefusedError, ApplicationAlreadyOpenError,
    UnableToApplyError (no consent, terms that are not offered) or IncompleteProfileError; then
    nothing is stored.
    """
    with transaction.atomic():
        # The person's row serializes their forms; NO KEY, so that other rows may point to it.
        User.objects.select_for_update(no_key=True).get(pk=borrower.pk)
        sent_before = application_by_key(borrower, request_key)
        if sent_before is not None:
            return sent_before
        _check_consent(borrower)
        version = _check_asked(asked, business_date)
        merchant = _merchant_of(version, asked)
        _check_nothing_open(borrower, business_date, actor, at)
        facts = applicant_facts(borrower, as_of=business_date)
        application = LoanApplication.objects.create(
            borrower=borrower,
            request_key=request_key,
            product_version=version,
            merchant=merchant,
            amount=asked.amount,
            installment_count=asked.installment_count,
            method=asked.method,
            purpose_code=asked.purpose_code,
            purpose_text=asked.purpose_text,
            business_date=business_date,
            created_at=at,
            submitted_at=at,
        )
        _decide(application, facts, business_date, actor, at)
        return application


def ask_for_review(
    *, application_id: int, borrower: User, at: datetime.datetime, actor: Actor
) -> LoanApplication:
    """Put a decline that a machine has made before a person; once (conduct DP-05).

    Asking again while it waits changes nothing. Raises UnableToChangeApplicationError when a
    person has decided already, when it was not declined, or when another application is open.
    """
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=borrower.pk)
        application = LoanApplication.objects.for_update().get(pk=application_id, borrower=borrower)
        if application.state == ApplicationState.REFERRED:
            return application
        _check_reviewable(application)
        application.decided_at = None
        application.save(update_fields=["decided_at"])
        advance_application(
            application=application,
            event=ApplicationEvent.ASK_REVIEW,
            reason="asked for a person",
            actor=actor,
            at=at,
        )
        tell_borrower(application=application, at=at)
        return application


def choose_amount(
    *, application_id: int, borrower: User, amount: Money, business_date: datetime.date
) -> LoanApplication:
    """Take `amount` of the offer: all of it, or less. A cost sheet seen before is void (PR-11).

    Raises UnableToChangeApplicationError when there is no offer, it has lapsed, or the amount lies
    outside what the product and the offer allow.
    """
    with transaction.atomic():
        application = (
            LoanApplication.objects.for_update()
            .select_related("product_version")
            .get(pk=application_id, borrower=borrower)
        )
        check_offer_stands(application, business_date)
        offered = application.approved_amount or Money.zero()
        least = min(application.product_version.minimum_amount, offered)
        if not least <= amount <= offered:
            raise UnableToChangeApplicationError(
                _("Choose an amount from ¥%(least)s to ¥%(most)s.")
                % {"least": f"{least.amount:,.2f}", "most": f"{offered.amount:,.2f}"}
            )
        application.chosen_amount = amount
        application.save(update_fields=["chosen_amount"])
        return application


def withdraw_application(
    *, application_id: int, borrower: User, at: datetime.datetime, actor: Actor
) -> LoanApplication:
    """Give up an application or an offer; doing it again changes nothing.

    Raises UnableToChangeApplicationError once it is signed or decided against.
    """
    with transaction.atomic():
        application = LoanApplication.objects.for_update().get(pk=application_id, borrower=borrower)
        if application.state == ApplicationState.WITHDRAWN:
            return application
        try:
            advance_application(
                application=application, event=ApplicationEvent.WITHDRAW, actor=actor, at=at
            )
        except IllegalTransitionError as error:
            raise UnableToChangeApplicationError(
                _("This application cannot be withdrawn any more.")
            ) from error
        return application


def check_offer_stands(application: LoanApplication, business_date: datetime.date) -> None:
    """Raise UnableToChangeApplicationError unless there is an offer that has not lapsed."""
    if application.state != ApplicationState.APPROVED:
        raise UnableToChangeApplicationError(_("There is no open offer on this application."))
    if offer_has_lapsed(application, business_date):
        raise UnableToChangeApplicationError(
            _("This offer has lapsed. Apply again; what you told us about yourself is kept.")
        )


def offer_has_lapsed(application: LoanApplication, business_date: datetime.date) -> bool:
    """Return whether there was an offer that nobody took in time."""
    return (
        application.state == ApplicationState.APPROVED
        and offer_lapses_on(application) < business_date
    )


def offer_lapses_on(application: LoanApplication) -> datetime.date:
    """Return the last business date on which the offer can be signed."""
    decided_on = application.decision_date or application.business_date
    return decided_on + datetime.timedelta(days=OFFER_VALID_DAYS)


def advance_application(
    *,
    application: LoanApplication,
    event: ApplicationEvent,
    actor: Actor,
    at: datetime.datetime,
    reason: str = "",
) -> None:
    """Move the locked application along its lifecycle and note who, when and why.

    Saves the state and nothing else; the caller has saved the facts that the state needs. Raises
    IllegalTransitionError when the lifecycle has no such transition.
    """
    before = ApplicationState(application.state)
    application.state = APPLICATION_LIFECYCLE.after(before, event)
    application.save(update_fields=["state"])
    ApplicationStatusChange.objects.create(
        application=application,
        from_state=before,
        to_state=application.state,
        reason=reason,
        actor_user_id=actor.user_id,
        actor_label=actor.label,
        recorded_at=at,
    )


_MESSAGE_KINDS = {
    ApplicationState.APPROVED: "application_approved",
    ApplicationState.REFERRED: "application_referred",
    ApplicationState.DECLINED: "application_declined",
}


def tell_borrower(*, application: LoanApplication, at: datetime.datetime) -> None:
    """Queue the message about the state that the application has come to."""
    changes = application.status_changes.count()
    queue_message(
        recipient=application.borrower,
        kind=_MESSAGE_KINDS[ApplicationState(application.state)],
        purpose=ContactPurpose.SERVICING,
        context={"path": f"/applications/{application.public_id}/"},
        dedup_key=f"application:{application.public_id}:{application.state}:{changes}",
        at=at,
    )


def _check_consent(borrower: User) -> None:
    """Refuse to decide with data that the person does not want to be used for it (DP-03)."""
    if not has_consent(user=borrower, purpose=ConsentPurpose.CREDIT_DECISION):
        raise UnableToApplyError(_(CONSENT_TEXTS[ConsentPurpose.CREDIT_DECISION].needed_for))


def _check_asked(asked: ApplicationRequest, business_date: datetime.date) -> ProductVersion:
    """Return the product's version in force; refuse what it does not offer."""
    version = offered_version(asked.product_code, on=business_date)
    if version is None:
        raise UnableToApplyError(_("This loan is not offered at the moment. Choose another one."))
    if not version.minimum_amount <= asked.amount <= version.maximum_amount:
        raise UnableToApplyError(
            _("Choose an amount from ¥%(least)s to ¥%(most)s.")
            % {
                "least": f"{version.minimum_amount.amount:,.0f}",
                "most": f"{version.maximum_amount.amount:,.0f}",
            }
        )
    if asked.installment_count not in version.installment_counts:
        raise UnableToApplyError(_("Choose one of the terms that are offered."))
    if asked.method not in version.methods:
        raise UnableToApplyError(_("Choose one of the ways to repay that are offered."))
    refuse_prohibited_purpose(
        purpose_code=asked.purpose_code, purpose_text=asked.purpose_text, on=business_date
    )
    return version


def _merchant_of(version: ProductVersion, asked: ApplicationRequest) -> Merchant | None:
    if not version.product.needs_merchant:
        return None
    found = Merchant.objects.filter(scenario=version.product.scenario, active=True)
    merchant = found.filter(public_id=asked.merchant_id).first() if asked.merchant_id else None
    if merchant is None:
        raise UnableToApplyError(_("Choose the merchant that the loan is to pay."))
    return merchant


def _check_nothing_open(
    borrower: User, business_date: datetime.date, actor: Actor, at: datetime.datetime
) -> None:
    """Refuse a second open application; an offer that has lapsed is closed on the way."""
    found = open_application(borrower)
    if found is None:
        return
    application = LoanApplication.objects.for_update().get(pk=found.pk)
    if not application.is_open:
        return
    if not offer_has_lapsed(application, business_date):
        raise ApplicationAlreadyOpenError(
            _("You have an application that is not finished. Finish or withdraw it first."),
            application=application,
        )
    advance_application(
        application=application,
        event=ApplicationEvent.EXPIRE,
        reason="offer lapsed",
        actor=actor,
        at=at,
    )


def _check_reviewable(application: LoanApplication) -> None:
    if application.state != ApplicationState.DECLINED:
        raise UnableToChangeApplicationError(
            _("Only an application that was declined can be looked at again.")
        )
    if application.decided_by_id is not None:
        raise UnableToChangeApplicationError(_("A person has already decided on this application."))
    if open_application(application.borrower) is not None:
        raise UnableToChangeApplicationError(
            _("You have another application that is not finished. Finish or withdraw it first.")
        )


def _decide(
    application: LoanApplication,
    facts: ApplicantFacts,
    business_date: datetime.date,
    actor: Actor,
    at: datetime.datetime,
) -> None:
    """Assess the new application and move it to what the decision says."""
    advance_application(application=application, event=ApplicationEvent.SUBMIT, actor=actor, at=at)
    version = application.product_version
    assessment = assess(
        subject=application.borrower,
        facts=facts,
        request=loan_request(application, on=business_date),
        installment_for=installment_math(version, disbursement_date=business_date),
        on=business_date,
        at=at,
        actor=actor,
    )
    outcome = Outcome(assessment.outcome)
    application.assessment = assessment
    if outcome is not Outcome.REFER:
        application.decided_at = at
        application.decision_date = business_date
    if outcome is Outcome.APPROVE:
        application.approved_amount = assessment.approved_amount
        application.approved_rate = assessment.annual_rate
    application.save(
        update_fields=[
            "assessment", "decided_at", "decision_date", "approved_amount", "approved_rate",
        ]
    )  # fmt: skip
    advance_application(
        application=application,
        event=_EVENT_OF[outcome],
        reason="policy",
        actor=actor,
        at=at,
    )
    tell_borrower(application=application, at=at)


_EVENT_OF = {
    Outcome.APPROVE: ApplicationEvent.APPROVE,
    Outcome.REFER: ApplicationEvent.REFER,
    Outcome.DECLINE: ApplicationEvent.DECLINE,
}


def loan_request(application: LoanApplication, *, on: datetime.date) -> LoanRequest:
    """Return what `risk` is asked, with the yearly cost of the actual cash flows at list rate."""
    version = application.product_version
    quote = quote_of(
        terms_of_offer(
            version,
            amount=application.amount,
            installment_count=application.installment_count,
            method=application.method,
            annual_rate=list_rate(version.product.code, on=on),
            disbursement_date=on,
        )
    )
    return LoanRequest(
        product_code=version.product.code,
        amount=application.amount,
        installment_count=application.installment_count,
        method=application.method,
        purpose_code=application.purpose_code,
        purpose_text=application.purpose_text,
        scenario=None if application.merchant is None else version.product.scenario,
        all_in_cost=quote.cost.effective_annualized_cost.quantize(COST_PLACES, rounding=ROUND_UP),
    )
