"""What ends a plan besides its keeping: a reversal, a charge-off, the payoff, a bounced payment."""

from __future__ import annotations

import datetime
import re

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import ContactHold, Message, User
from collections_app.engine.hardship import OfferKind
from collections_app.engine.states import PlanEnd, PlanState
from collections_app.models import Case, HardshipPlan
from collections_app.services.negotiation import accept_offer, plans_within_a_year
from loans.engine.events import Repaid
from loans.models import Loan, LoanEvent
from loans.models.received_money import MoneyChannel
from loans.selectors.servicing import loan_state
from loans.services.charge_offs import charge_off
from loans.services.received_money import record_repayment
from loans.services.reversals import reverse_event
from tests.factories.accounts import make_borrower
from tests.factories.collections_app import FIRST_LATE, asked, close_through, instant, late_loan
from tests.factories.corrections import by_two, how, make_servicer
from zhixin.shared.money import Money

pytestmark = pytest.mark.django_db
DAY = datetime.timedelta(days=1)


def planned_loan(kind: OfferKind = OfferKind.DEFERRAL) -> tuple[Loan, HardshipPlan]:
    loan = late_loan(borrower=make_borrower())
    return loan, accept(loan, kind)


def accept(loan: Loan, kind: OfferKind) -> HardshipPlan:
    return accept_offer(
        offer_id=asked(loan).offers.get(kind=kind).pk,
        business_date=FIRST_LATE,
        actor=loan.borrower.as_actor(),
        at=instant(FIRST_LATE),
    )


def take_back(loan: Loan, event: LoanEvent) -> None:
    reverse_event(loan_id=loan.pk, event_id=event.event_id, **by_two(make_servicer()))


def signed_in(user: User) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def plan_text(plan: HardshipPlan) -> str:
    page = signed_in(plan.loan.borrower).get(reverse("collections:plan", args=[plan.public_id]))
    return " ".join(re.sub(r"<[^>]+>", " ", page.content.decode()).split())


def held() -> int:
    return ContactHold.objects.filter(released_at__isnull=True).count()


def test_a_plan_that_was_taken_back_shows_no_figures_at_once() -> None:
    loan, plan = planned_loan()
    assert "Every payment" in plan_text(plan)
    take_back(loan, plan.loan_event)
    text = plan_text(plan)
    assert "no longer in force" in text
    assert "The change was taken back" in text
    assert "Every payment" not in text
    assert "You can breathe" not in text


def test_the_night_ends_a_plan_that_was_taken_back_and_tells_its_borrower() -> None:
    loan, plan = planned_loan()
    take_back(loan, plan.loan_event)
    close_through(FIRST_LATE + DAY)
    plan.refresh_from_db()
    assert (plan.state, plan.end_reason) == (PlanState.WITHDRAWN, PlanEnd.TAKEN_BACK)
    assert plan.ended_on == FIRST_LATE + DAY
    told = Message.objects.get(kind="plan_ended")
    assert f"/help/plans/{plan.public_id}/" in told.body
    # The first installment is late again, and the case is open; the plan counts for nothing.
    assert held() == 0
    assert Case.objects.open().get().loan_id == loan.pk
    assert plans_within_a_year(loan.pk, FIRST_LATE + DAY) == 0
    loan_plan = signed_in(loan.borrower).get(
        reverse("collections:loan_plan", args=[loan.public_id])
    )
    assert loan_plan.status_code == 404
    close_through(FIRST_LATE + 2 * DAY)
    assert Message.objects.filter(kind="plan_ended").count() == 1


def test_the_plan_before_it_is_in_force_again() -> None:
    loan, first = planned_loan()
    second = accept(loan, OfferKind.DEFERRAL)
    take_back(loan, second.loan_event)
    close_through(FIRST_LATE + DAY)
    first.refresh_from_db()
    second.refresh_from_db()
    assert (second.state, second.end_reason) == (PlanState.WITHDRAWN, PlanEnd.TAKEN_BACK)
    assert (first.state, first.end_reason, first.ended_on) == (PlanState.KEPT, "", None)
    assert held() == 1
    found = signed_in(loan.borrower).get(reverse("collections:loan_plan", args=[loan.public_id]))
    assert found.headers["location"] == reverse("collections:plan", args=[first.public_id])


def test_a_charge_off_ends_the_plan_without_calling_it_broken() -> None:
    loan, plan = planned_loan()
    charge_off(loan_id=loan.pk, **how(make_servicer()))
    assert "The loan was written off in our books." in plan_text(plan)
    close_through(FIRST_LATE + DAY)
    plan.refresh_from_db()
    assert (plan.state, plan.end_reason) == (PlanState.WITHDRAWN, PlanEnd.WRITTEN_OFF)
    assert (Message.objects.filter(kind="plan_ended").count(), held()) == (1, 0)


def test_a_payoff_shows_at_once_and_completes_the_plan_in_the_night() -> None:
    loan, plan = planned_loan()
    receive(loan, loan_state(loan, as_of=FIRST_LATE).payoff_amount, on=FIRST_LATE)
    assert "You have paid the loan off" in plan_text(plan)
    close_through(FIRST_LATE + DAY)
    plan.refresh_from_db()
    assert (plan.state, plan.end_reason) == (PlanState.COMPLETED, PlanEnd.PAID_OFF)
    assert not Message.objects.filter(kind="plan_ended").exists()


def receive(loan: Loan, amount: Money, *, on: datetime.date) -> LoanEvent:
    return record_repayment(
        loan_id=loan.pk,
        amount=amount,
        effective_date=on,
        channel=MoneyChannel.BANK_TRANSFER,
        reference=f"R-{on}",
        **how(make_servicer(), on=on),
    )


def test_a_bounced_first_payment_breaks_nothing_before_notice_and_cure_days() -> None:
    loan, plan = planned_loan()
    due = plan.offer.first_due_date
    close_through(due)
    paid = receive(loan, Money.parse(plan.offer.schedule[0]["total"]), on=due)
    assert paid.kind == Repaid.kind
    # The bank takes it back after twelve days, more than the seven cure days.
    bounced_on = due + 12 * DAY
    close_through(bounced_on)
    assert not Message.objects.filter(kind="plan_payment_missed").exists()
    take_back(loan, paid)
    close_through(bounced_on + DAY)
    plan.refresh_from_db()
    assert (plan.state, plan.missed_on) == (PlanState.KEPT, due)
    assert plan.cure_through == bounced_on + 7 * DAY
    assert Message.objects.filter(kind="plan_payment_missed").count() == 1
    assert not Case.objects.open().exists()
    close_through(bounced_on + 7 * DAY)
    plan.refresh_from_db()
    assert plan.state == PlanState.KEPT
    close_through(bounced_on + 8 * DAY)
    plan.refresh_from_db()
    assert (plan.state, plan.end_reason) == (PlanState.BROKEN, PlanEnd.MISSED)
    assert Case.objects.open().get().loan_id == loan.pk
