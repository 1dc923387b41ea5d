"""From a budget to a plan on real PostgreSQL: offers kept, accepted once, refused whole."""

from __future__ import annotations

import datetime
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from accounts.engine.contact_rules import ContactRule, HoldReason
from accounts.models import ContactHold, Message, MessageState
from accounts.services.messages import claim_message
from collections_app.engine.hardship import OfferKind
from collections_app.engine.states import CaseState, PlanState
from collections_app.models import Case, HardshipOffer, HardshipPlan, HardshipRequest
from collections_app.models.hardship import RequestOutcome
from collections_app.services.negotiation import (
    FiguresChangedError,
    UnableToAcceptOfferError,
    UnableToHelpError,
    accept_offer,
)
from loans.engine.events import PlanChanged
from loans.models import BankTransfer, Installment, JournalEntry, Loan, LoanEvent
from loans.selectors.servicing import loan_state
from loans.services.ledger import booked_balances
from loans.services.modifications import UnableToChangePlanError
from loans.services.repayments import request_repayment
from tests.factories.accounts import CARD_NUMBER
from tests.factories.collections_app import (
    FIRST_LATE,
    asked,
    borrower_of,
    close_through,
    instant,
    late_loan,
    make_budget,
)
from tests.factories.funded import SIGNED_ON, funded_loan, settle
from zhixin.shared.money import Money, total
from zhixin.shared.templatetags.zhixin import plain_date

pytestmark = pytest.mark.django_db


def accept(
    request: HardshipRequest, kind: OfferKind, *, on: datetime.date = FIRST_LATE
) -> HardshipPlan:
    return accept_offer(
        offer_id=request.offers.get(kind=kind).pk,
        business_date=on,
        actor=borrower_of(request.loan),
        at=instant(on),
    )


def pay(loan: Loan, amount: Money, *, on: datetime.date) -> BankTransfer:
    return request_repayment(
        loan_id=loan.pk,
        owner_id=loan.borrower_id,
        amount=amount,
        key=str(uuid4()),
        account_name="李小华",
        card_number=CARD_NUMBER,
        business_date=on,
        at=instant(on),
    )


def facts(loan: Loan) -> tuple[object, ...]:
    """Everything that a refused acceptance must leave alone."""
    return (
        LoanEvent.objects.filter(loan=loan).count(),
        JournalEntry.objects.count(),
        HardshipPlan.objects.count(),
        ContactHold.objects.count(),
        Message.objects.count(),
        list(Case.objects.values_list("pk", "state")),
        list(Installment.objects.filter(loan=loan).values_list("number", "due_date", "principal")),
    )


def test_three_offers_are_kept_with_their_figures() -> None:
    loan = late_loan()
    request = asked(loan)
    assert request.outcome == RequestOutcome.OFFERS
    assert (request.left_over, request.bearable) == (Money.parse("1100"), Money.parse("1100"))
    assert [offer.kind for offer in request.offers.order_by("pk")] == list(OfferKind)
    for offer in request.offers.all():
        payments = [Money.parse(payment["total"]) for payment in offer.schedule]
        assert max(payments) == offer.new_installment <= Money.parse("1100")
        assert total(payments) == offer.new_total
        assert offer.valid_on == FIRST_LATE
        assert offer.waived_penalty == loan_state(loan, as_of=FIRST_LATE).outstanding.penalty


def test_the_same_form_twice_is_one_request() -> None:
    loan = late_loan()
    key = uuid4()
    first, second = asked(loan, key=key), asked(loan, key=key, budget=make_budget(bears="5"))
    assert first.pk == second.pk
    assert (HardshipRequest.objects.count(), HardshipOffer.objects.count()) == (1, 3)


def test_other_loans_here_count_without_being_told() -> None:
    loan = late_loan()
    funded_loan(borrower=loan.borrower)
    other = Loan.objects.exclude(pk=loan.pk).get()
    owed_here = loan_state(loan, as_of=FIRST_LATE).outstanding.total
    request = asked(loan)
    share = request.left_over.amount * owed_here.cents
    share /= owed_here.cents + other.principal_outstanding.cents
    assert request.bearable.cents == int(share * 100)


def test_a_budget_that_bears_nothing_leads_to_a_person_with_reasons() -> None:
    request = asked(late_loan(), budget=make_budget(bears="0"))
    assert request.outcome == RequestOutcome.PERSON_NO_FIT
    assert request.offers.count() == 0
    assert {option["reason"] for option in request.not_offered} == {"ABOVE_BUDGET"}


def test_a_paid_loan_needs_no_help() -> None:
    loan = funded_loan()
    payoff = loan_state(loan, as_of=SIGNED_ON).payoff_amount
    settle(pay(loan, payoff, on=SIGNED_ON))
    with pytest.raises(UnableToHelpError):
        asked(loan, on=SIGNED_ON)
    assert HardshipRequest.objects.count() == 0


@pytest.mark.parametrize("kind", list(OfferKind))
def test_an_accepted_plan_is_the_loan_from_now_on(kind: OfferKind) -> None:
    loan = late_loan()
    request = asked(loan)
    plan = accept(request, kind)
    offer = plan.offer
    state = loan_state(loan, as_of=FIRST_LATE)
    assert state.days_past_due == 0
    assert state.outstanding.penalty == Money.zero()
    assert state.next_due is not None
    assert state.next_due.date == offer.first_due_date
    unpaid = [row for row in state.installments if row.outstanding.total]
    assert [str(row.outstanding.total) for row in unpaid] == [
        payment["total"] for payment in offer.schedule
    ]
    assert plan.loan_event.kind == PlanChanged.kind
    assert total(booked_balances(loan).values()) == Money.zero()
    case = Case.objects.get(loan=loan)
    assert (case.state, case.closed_on) == (CaseState.PLAN, FIRST_LATE)
    hold = ContactHold.objects.get(person=loan.borrower)
    assert (hold.reason, hold.until, hold.released_at) == (HoldReason.PLAN_KEPT, None, None)
    told = Message.objects.get(kind="plan_accepted")
    assert f"¥{Decimal(offer.schedule[0]['total']):,.2f}" in told.body
    assert f"/help/plans/{plan.public_id}/" in told.body


def test_accepting_twice_is_once() -> None:
    loan = late_loan()
    request = asked(loan)
    first = accept(request, OfferKind.DEFERRAL)
    before = facts(loan)
    assert accept(request, OfferKind.DEFERRAL).pk == first.pk
    assert facts(loan) == before


def test_only_one_of_the_offers_can_be_accepted() -> None:
    loan = late_loan()
    request = asked(loan)
    accept(request, OfferKind.DEFERRAL)
    before = facts(loan)
    with pytest.raises(UnableToAcceptOfferError):
        accept(request, OfferKind.LONGER_TERM)
    assert facts(loan) == before


def test_yesterdays_offer_must_be_looked_at_again() -> None:
    loan = late_loan()
    request = asked(loan)
    tomorrow = FIRST_LATE + datetime.timedelta(days=1)
    close_through(tomorrow)
    before = facts(loan)
    with pytest.raises(FiguresChangedError):
        accept(request, OfferKind.DEFERRAL, on=tomorrow)
    assert facts(loan) == before


def test_a_payment_since_the_offer_changes_the_figures() -> None:
    loan = late_loan()
    request = asked(loan)
    settle(pay(loan, Money.parse("100"), on=FIRST_LATE))
    before = facts(loan)
    with pytest.raises(FiguresChangedError):
        accept(request, OfferKind.DEFERRAL)
    assert facts(loan) == before


def test_a_payment_on_its_way_has_to_arrive_first() -> None:
    loan = late_loan()
    request = asked(loan)
    pay(loan, Money.parse("100"), on=FIRST_LATE)
    before = facts(loan)
    with pytest.raises(UnableToChangePlanError):
        accept(request, OfferKind.DEFERRAL)
    assert facts(loan) == before


def test_after_two_plans_in_twelve_months_a_person_helps() -> None:
    loan = late_loan()
    accept(asked(loan), OfferKind.DEFERRAL)
    second = accept(asked(loan), OfferKind.DEFERRAL)
    assert second.state == PlanState.KEPT
    assert HardshipPlan.objects.filter(state=PlanState.REPLACED).count() == 1
    third = asked(loan)
    assert third.outcome == RequestOutcome.PERSON_TOO_MANY
    assert third.offers.count() == 0


def test_no_penalty_and_no_collection_message_after_acceptance() -> None:
    loan = late_loan()
    # The night of the first late day has queued a collection message; it has not been sent yet.
    waiting = Message.objects.get(kind="payment_late")
    assert waiting.state == MessageState.QUEUED
    plan = accept(asked(loan), OfferKind.DEFERRAL)
    refused = claim_message(message_id=waiting.pk, at=instant(FIRST_LATE, hour=5))
    assert refused is None
    waiting.refresh_from_db()
    assert (waiting.state, waiting.refusal_rule) == (MessageState.REFUSED, ContactRule.ON_HOLD)
    last_quiet_day = plan.offer.first_due_date
    close_through(last_quiet_day)
    assert Message.objects.filter(purpose="COLLECTION").count() == 1
    state = loan_state(loan, as_of=last_quiet_day)
    assert state.outstanding.penalty == Money.zero()
    assert state.days_past_due == 0
    assert not Case.objects.open().exists()


def test_a_broken_plan_has_a_notice_and_cure_days_first() -> None:
    loan = late_loan()
    plan = accept(asked(loan), OfferKind.DEFERRAL)
    first_due = plan.offer.first_due_date
    last_cure_day = first_due + datetime.timedelta(days=7)
    close_through(last_cure_day)
    plan.refresh_from_db()
    assert plan.state == PlanState.KEPT
    assert Message.objects.filter(kind="plan_payment_missed").count() == 1
    assert plain_date(last_cure_day) in Message.objects.get(kind="plan_payment_missed").body
    assert not Case.objects.open().exists()
    for message in Message.objects.filter(kind="payment_late", state=MessageState.QUEUED):
        assert claim_message(message_id=message.pk, at=instant(last_cure_day)) is None
        message.refresh_from_db()
        assert message.refusal_rule == ContactRule.ON_HOLD
    broken_on = last_cure_day + datetime.timedelta(days=1)
    close_through(broken_on)
    plan.refresh_from_db()
    assert (plan.state, plan.ended_on) == (PlanState.BROKEN, broken_on)
    assert ContactHold.objects.active(instant(broken_on)).count() == 0
    assert Case.objects.open().get().loan == loan


def test_a_plan_that_is_paid_to_the_end_is_completed() -> None:
    loan = late_loan()
    plan = accept(asked(loan), OfferKind.INTEREST_FREEZE)
    settle(pay(loan, loan_state(loan, as_of=FIRST_LATE).payoff_amount, on=FIRST_LATE))
    close_through(FIRST_LATE + datetime.timedelta(days=1))
    plan.refresh_from_db()
    assert plan.state == PlanState.COMPLETED
    assert ContactHold.objects.filter(released_at__isnull=True).count() == 0


def test_the_database_refuses_an_offer_above_the_budget_or_dearer() -> None:
    offer = asked(late_loan()).offers.get(kind=OfferKind.DEFERRAL)
    for change in (
        {"bearable": offer.new_installment - Money(1)},
        {"annual_rate_new": offer.annual_rate_old + 1},
    ):
        copy = HardshipOffer.objects.get(pk=offer.pk)
        copy.pk, copy.public_id, copy.kind = None, uuid4(), "OTHER"
        for name, value in change.items():
            setattr(copy, name, value)
        with pytest.raises(IntegrityError), transaction.atomic():
            copy.save(force_insert=True)


@pytest.mark.parametrize("table", ["hardshipoffer", "hardshiprequest", "contactnote", "casechange"])
def test_what_was_said_and_offered_stays(table: str) -> None:
    accept(asked(late_loan()), OfferKind.DEFERRAL)
    with connection.cursor() as cursor:
        if table == "contactnote":
            cursor.execute(
                "INSERT INTO collections_app_contactnote"
                " (case_id, channel, direction, outcome, text, gate_rule, by_label, at)"
                " SELECT id, 'WEB', 'INBOUND', 'OTHER', 'x', '', 'test', now()"
                " FROM collections_app_case"
            )
        cursor.execute(f"SELECT count(*) FROM collections_app_{table}")
        assert cursor.fetchone()[0] > 0
        for command in (
            f"DELETE FROM collections_app_{table}",
            f"UPDATE collections_app_{table} SET id = id",
        ):
            with pytest.raises(DatabaseError, match="append_only"), transaction.atomic():
                cursor.execute(command)


@pytest.mark.django_db(transaction=True)
def test_two_threads_accepting_two_offers_make_one_plan() -> None:
    loan = late_loan()
    request = asked(loan)
    barrier = threading.Barrier(2)

    def run(kind: OfferKind) -> str:
        try:
            barrier.wait(timeout=10)
            accept(request, kind)
        except UnableToAcceptOfferError:
            return "refused"
        finally:
            connection.close()
        return "accepted"

    with ThreadPoolExecutor(max_workers=2) as pool:
        results = list(pool.map(run, [OfferKind.DEFERRAL, OfferKind.LONGER_TERM]))
    assert sorted(results) == ["accepted", "refused"]
    assert HardshipPlan.objects.count() == 1
    assert LoanEvent.objects.filter(loan=loan, kind=PlanChanged.kind).count() == 1
