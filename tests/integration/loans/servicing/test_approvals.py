"""Four eyes: what is large is proposed by one person and confirmed by another, once."""

from __future__ import annotations

import datetime
from dataclasses import replace

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from accounts.models import User
from loans.models import BankTransfer, CorrectionDecision, Loan, LoanEvent, ProposedCorrection
from loans.services.approvals import (
    CorrectionAlreadyDecidedError,
    UnableToDecideOnCorrectionError,
    approve_correction,
    propose_correction,
    refuse_correction,
)
from loans.services.charge_offs import ChargeOff, charge_off
from loans.services.corrections import (
    LoanChangedError,
    Manner,
    SecondPersonNeededError,
    preview,
    seen_of,
)
from loans.services.refunds import refund_closed_loan, refund_credit
from loans.services.reversals import Reversal, reverse_event
from loans.services.transfers import Outcome, settle_transfer
from loans.services.waivers import UnableToWaiveError, Waiver, waive
from tests.factories.bank_files import imported, loan_with_card, row, statement, stored
from tests.factories.collections_app import FIRST_LATE, close_through, late_loan
from tests.factories.corrections import amounts, assert_books_agree, how, make_servicer, yuan
from tests.factories.funded import SIGNED_AT, SIGNED_ON, funded_loan, settle, terms, word
from tests.integration.loans.servicing.test_corrections import collected, counts, fresh, received
from tests.integration.loans.servicing.test_races import at_once
from tests.integration.loans.test_loan_desk import desk_of, hidden, page_of, signed_in, staff_as
from zhixin.shared.permissions import Role

pytestmark = pytest.mark.django_db


def large_loan() -> Loan:
    """Return a late loan of 30,000, whose first installment asks for 2,365.46 of principal."""
    loan = funded_loan(loan_terms=terms(principal="30000.00"))
    close_through(FIRST_LATE)
    return loan


def test_what_is_large_needs_a_second_person() -> None:
    loan, staff = large_loan(), make_servicer()
    before = counts(loan)
    with pytest.raises(SecondPersonNeededError):
        charge_off(loan_id=loan.pk, **how(staff))
    with pytest.raises(SecondPersonNeededError):
        waive(loan_id=loan.pk, amounts=amounts(principal="1000.00"), **how(staff))
    with pytest.raises(SecondPersonNeededError):
        charge_off(loan_id=loan.pk, **how(staff), second=staff.as_actor())
    assert counts(loan) == before
    assert waive(loan_id=loan.pk, amounts=amounts(principal="999.99"), **how(staff)).kind
    assert charge_off(loan_id=late_loan().pk, **how(staff)).kind == "CHARGE_OFF"


def test_a_proposal_changes_nothing_until_another_confirms_it_once() -> None:
    loan, author, second = large_loan(), make_servicer(), make_servicer()
    manner = how(author, key="once", reason="The borrower has died.")
    proposal = propose_correction(loan_id=loan.pk, correction=ChargeOff(), **manner)
    assert propose_correction(loan_id=loan.pk, correction=ChargeOff(), **manner) == proposal
    assert loan.events.count() == 1
    with pytest.raises(UnableToDecideOnCorrectionError, match="yourself"):
        approve_correction(
            proposal_id=proposal.pk,
            approver=author.as_actor(),
            business_date=FIRST_LATE,
            at=SIGNED_AT,
        )
    event = approve_correction(
        proposal_id=proposal.pk,
        approver=second.as_actor(),
        business_date=FIRST_LATE,
        at=SIGNED_AT,
        seen=seen_of(fresh(loan)),
    )
    assert (event.kind, event.actor_user, event.reason) == (
        "CHARGE_OFF",
        author,
        "The borrower has died.",
    )
    assert CorrectionDecision.objects.get(event=event).decided_by == second
    for decide in (approve_again, refuse_again):
        with pytest.raises(CorrectionAlreadyDecidedError):
            decide(proposal, make_servicer())
    assert loan.events.count() == 2
    assert_books_agree(loan)


def approve_again(proposal: ProposedCorrection, staff: User) -> None:
    approve_correction(
        proposal_id=proposal.pk,
        approver=staff.as_actor(),
        business_date=FIRST_LATE,
        at=SIGNED_AT,
    )


def refuse_again(proposal: ProposedCorrection, staff: User) -> None:
    refuse_correction(proposal_id=proposal.pk, approver=staff.as_actor(), at=SIGNED_AT)


def test_what_changed_since_is_checked_again() -> None:
    loan, author, second = large_loan(), make_servicer(), make_servicer()
    waiver = Waiver(amounts=amounts(principal="2000.00"))
    proposal = propose_correction(loan_id=loan.pk, correction=waiver, **how(author))
    seen = seen_of(fresh(loan))
    received(loan, "2000.00", on=FIRST_LATE)
    with pytest.raises(LoanChangedError):
        approve_correction(
            proposal_id=proposal.pk,
            approver=second.as_actor(),
            business_date=FIRST_LATE,
            at=SIGNED_AT,
            seen=seen,
        )
    with pytest.raises(UnableToWaiveError):
        approve_again(proposal, second)
    assert not CorrectionDecision.objects.exists()
    refuse_again(proposal, second)
    assert CorrectionDecision.objects.get().event is None
    assert not loan.events.filter(kind="WAIVER").exists()
    assert_books_agree(loan)


def test_the_database_lets_nobody_decide_on_their_own_proposal() -> None:
    loan, author = large_loan(), make_servicer()
    proposal = propose_correction(loan_id=loan.pk, correction=ChargeOff(), **how(author))
    with pytest.raises(IntegrityError, match="decided_by_another"), transaction.atomic():
        CorrectionDecision.objects.create(
            proposal=proposal,
            is_approved=False,
            proposed_by=author,
            decided_by=author,
            decided_at=SIGNED_AT,
        )


@pytest.mark.django_db(transaction=True)
def test_eight_who_confirm_at_once_make_one_event() -> None:
    loan, author = large_loan(), make_servicer()
    proposal = propose_correction(loan_id=loan.pk, correction=ChargeOff(), **how(author))
    people = [make_servicer() for _ in range(8)]
    results = at_once(*[lambda one=one: approve_again(proposal, one) for one in people])
    assert results.count(None) == 1
    assert sum(isinstance(each, CorrectionAlreadyDecidedError) for each in results) == 7
    assert LoanEvent.objects.filter(loan=loan, kind="CHARGE_OFF").count() == 1
    assert_books_agree(loan)


def test_at_the_desk_one_proposes_and_another_decides() -> None:
    loan = large_loan()
    author, second = staff_as(Role.SERVICING_LEAD), staff_as(Role.SERVICING_LEAD)
    first, other = signed_in(author), signed_in(second)
    url = page_of(loan, "charge-off")
    asked = {"reason": "The borrower has died."}
    look = first.post(url, {**asked, **hidden(first.get(url))})
    for _ in range(2):
        answer = first.post(url, {**asked, **hidden(look), "confirm": "1"})
        assert answer.url == desk_of(loan)
    proposal = ProposedCorrection.objects.get()
    page = reverse("admin:loans_proposal", args=[proposal.public_id])
    desk = first.get(desk_of(loan)).text
    assert "Waiting for a second person" in desk
    assert page not in desk
    assert page in other.get(desk_of(loan)).text
    assert signed_in(staff_as(Role.SERVICER)).get(page).status_code == 403
    own = first.post(page, {"approve": "1", "seen": seen_of(fresh(loan))})
    assert own.status_code == 409
    assert "You have proposed this yourself." in own.text
    stale = other.post(page, {"approve": "1", "seen": "0@x"})
    assert stale.status_code == 409
    assert loan.events.count() == 1
    done = other.post(page, {"approve": "1", **hidden(other.get(page))})
    assert done.status_code == 302
    assert loan.events.filter(kind="CHARGE_OFF").count() == 1
    assert "Waiting for a second person" not in other.get(desk_of(loan)).text
    assert_books_agree(loan)


# --- Reversals ----------------------------------------------------------------------------


def by_two(author: User, second: User) -> Manner:
    manner = how(author)
    manner["second"] = second.as_actor()
    return manner


def by_the_bank(transfer: BankTransfer) -> LoanEvent:
    """Have the bank itself say that the transfer is done; return its event."""
    answer = replace(word(transfer, Outcome.SUCCEEDED), value_date=FIRST_LATE)
    settle_transfer(reference=str(transfer.public_id), word=answer, at=SIGNED_AT)
    return transfer.events.get()


def test_a_reversal_asks_for_two_as_what_it_undoes() -> None:
    loan, author, second = large_loan(), make_servicer(), make_servicer()
    confirmed = by_two(author, second)
    lost = charge_off(loan_id=loan.pk, **confirmed)
    before = counts(loan)
    with pytest.raises(SecondPersonNeededError):
        reverse_event(loan_id=loan.pk, event_id=lost.event_id, **how(author))
    assert counts(loan) == before
    again = by_two(author, second)
    reverse_event(loan_id=loan.pk, event_id=lost.event_id, **again)
    given = by_two(author, second)
    large = waive(loan_id=loan.pk, amounts=amounts(principal="1000.00"), **given)
    small = waive(loan_id=loan.pk, amounts=amounts(principal="999.99"), **how(author))
    with pytest.raises(SecondPersonNeededError):
        reverse_event(loan_id=loan.pk, event_id=large.event_id, **how(author))
    assert reverse_event(loan_id=loan.pk, event_id=small.event_id, **how(author)).kind
    little = late_loan()
    written_off = charge_off(loan_id=little.pk, **how(author))
    assert reverse_event(loan_id=little.pk, event_id=written_off.event_id, **how(author)).kind
    assert_books_agree(loan)


def test_a_charge_off_that_two_made_is_undone_by_two_whatever_is_left_of_it() -> None:
    loan, author, second = large_loan(), make_servicer(), make_servicer()
    proposal = propose_correction(loan_id=loan.pk, correction=ChargeOff(), **how(author))
    approve_again(proposal, second)
    received(loan, "20000.00", on=FIRST_LATE - datetime.timedelta(days=1))
    lost = loan.events.get(kind="CHARGE_OFF")
    with pytest.raises(SecondPersonNeededError):
        reverse_event(loan_id=loan.pk, event_id=lost.event_id, **how(author))


def test_waivers_of_a_month_count_together() -> None:
    loan, author = large_loan(), make_servicer()
    first = waive(loan_id=loan.pk, amounts=amounts(principal="999.99"), **how(author))
    waive(loan_id=loan.pk, amounts=amounts(interest="10.00"), **how(author))
    before = counts(loan)
    for person in (author, make_servicer()):
        with pytest.raises(SecondPersonNeededError):
            waive(loan_id=loan.pk, amounts=amounts(principal="0.01"), **how(person))
    assert counts(loan) == before
    # What two have given is no part of it, nor what was taken back, nor what is a month ago.
    reverse_event(loan_id=loan.pk, event_id=first.event_id, **how(author))
    waiver = Waiver(amounts=amounts(principal="600.00"))
    proposal = propose_correction(loan_id=loan.pk, correction=waiver, **how(author))
    approve_again(proposal, make_servicer())
    assert waive(loan_id=loan.pk, amounts=amounts(principal="700.00"), **how(author)).kind
    with pytest.raises(SecondPersonNeededError):
        waive(loan_id=loan.pk, amounts=amounts(principal="300.00"), **how(author))
    close_through(FIRST_LATE + datetime.timedelta(days=30))
    assert waive(loan_id=loan.pk, amounts=amounts(principal="300.00"), **how(author)).kind


@pytest.mark.parametrize(("amount", "asks"), [("999.99", False), ("1000.00", True)])
@pytest.mark.parametrize("by_file", [False, True])
def test_money_from_outside_is_taken_out_of_the_books_by_two(
    amount: str, asks: bool, by_file: bool
) -> None:
    loan, author = loan_with_card(31), make_servicer()
    if by_file:
        line = row(serial="S1", amount=amount, remark=loan.agreement.number, on="2026-06-16")
        imported(stored(statement(line), author), author)
        paid = loan.events.get(kind="REPAYMENT")
    else:
        paid = received(loan, amount, on=SIGNED_ON, staff=author)
    reversal = Reversal(event_id=paid.event_id)
    shown = preview(loan_id=loan.pk, correction=reversal, business_date=SIGNED_ON)
    assert ("The bank says this money arrived." in shown.remark) is by_file
    if not asks:
        assert reverse_event(loan_id=loan.pk, event_id=paid.event_id, **how(author)).kind
        return
    before = counts(loan)
    with pytest.raises(SecondPersonNeededError):
        reverse_event(loan_id=loan.pk, event_id=paid.event_id, **how(author))
    assert counts(loan) == before
    assert reverse_event(
        loan_id=loan.pk, event_id=paid.event_id, **by_two(author, make_servicer())
    ).kind


def test_money_that_one_person_typed_in_is_paid_out_by_another() -> None:
    loan, author = funded_loan(), make_servicer()
    received(loan, "13000.00", on=SIGNED_ON, staff=author)
    assert not refund_closed_loan(loan_id=loan.pk, business_date=SIGNED_ON, at=SIGNED_AT)
    before = counts(loan)
    with pytest.raises(SecondPersonNeededError, match="yourself"):
        refund_credit(loan_id=loan.pk, amount=yuan("999.99"), **how(author))
    assert counts(loan) == before
    assert not BankTransfer.objects.filter(purpose="REFUND").exists()
    other = make_servicer()
    settle(refund_credit(loan_id=loan.pk, amount=yuan("1000.00"), **how(other)))
    assert_books_agree(loan)
    # What has gone out already counts: no thousand goes out by hundreds.
    received(loan, "100.00", on=SIGNED_ON, staff=author)
    with pytest.raises(SecondPersonNeededError):
        refund_credit(loan_id=loan.pk, amount=yuan("100.00"), **how(author))


@pytest.mark.parametrize(("amount", "asks"), [("999.99", False), ("1000.00", True)])
def test_money_that_the_bank_has_is_taken_out_of_the_books_by_two(amount: str, asks: bool) -> None:
    loan, author, second = late_loan(), make_servicer(), make_servicer()
    paid = by_the_bank(collected(loan, amount, on=FIRST_LATE))
    reversal = Reversal(event_id=paid.event_id)
    shown = preview(loan_id=loan.pk, correction=reversal, business_date=FIRST_LATE)
    assert "The bank says this money arrived." in shown.remark
    if not asks:
        assert reverse_event(loan_id=loan.pk, event_id=paid.event_id, **how(author)).kind
        return
    before = counts(loan)
    with pytest.raises(SecondPersonNeededError):
        reverse_event(loan_id=loan.pk, event_id=paid.event_id, **how(author))
    assert counts(loan) == before
    proposal = propose_correction(loan_id=loan.pk, correction=reversal, **how(author))
    approve_again(proposal, second)
    assert loan.events.get(kind="REVERSAL").body["of"] == str(paid.event_id)
    assert_books_agree(loan)


def test_money_that_the_bank_took_back_needs_one_person() -> None:
    loan, author = late_loan(), make_servicer()
    transfer = collected(loan, "1066.72", on=FIRST_LATE)
    paid = by_the_bank(transfer)
    settle(transfer, Outcome.RETURNED)
    shown = preview(
        loan_id=loan.pk,
        correction=Reversal(event_id=paid.event_id),
        business_date=FIRST_LATE,
    )
    assert shown.remark == ""
    assert reverse_event(loan_id=loan.pk, event_id=paid.event_id, **how(author)).kind


def test_only_who_may_write_off_takes_a_charge_off_back() -> None:
    loan = late_loan()
    lost = charge_off(loan_id=loan.pk, **how(make_servicer()))
    paid = received(loan, "10.00", on=FIRST_LATE)
    url = page_of(loan, "reversal")
    lead, servicer = (signed_in(staff_as(role)) for role in (Role.SERVICING_LEAD, Role.SERVICER))
    link = f"{url}?event={lost.event_id}"
    assert (link in lead.get(desk_of(loan)).text, link in servicer.get(desk_of(loan)).text) == (
        True,
        False,
    )
    assert f"{url}?event={paid.event_id}" in servicer.get(desk_of(loan)).text
    asked = {"event": str(lost.event_id), "reason": "A mistake."}
    sent = servicer.post(url, {**asked, **hidden(servicer.get(url)), "confirm": "1"})
    assert sent.status_code == 422
    assert not loan.events.filter(kind="REVERSAL").exists()
    look = lead.post(url, {**asked, **hidden(lead.get(url))})
    assert lead.post(url, {**asked, **hidden(look), "confirm": "1"}).status_code == 302
    assert loan.events.filter(kind="REVERSAL").count() == 1


@pytest.mark.parametrize("choice", ["approve", "refuse"])
def test_what_is_decided_shows_what_became_of_it_and_no_buttons(choice: str) -> None:
    loan, author = large_loan(), make_servicer()
    waiver = Waiver(amounts=amounts(principal="1500.00"))
    proposal = propose_correction(loan_id=loan.pk, correction=waiver, **how(author))
    second = staff_as(Role.SERVICING_LEAD)
    client = signed_in(second)
    page = reverse("admin:loans_proposal", args=[proposal.public_id])
    sent = {choice: "1", **hidden(client.get(page))}
    assert client.post(page, sent).status_code == 302
    again = client.post(page, sent)
    looked = client.get(page)
    assert (again.status_code, looked.status_code) == (409, 200)
    words = "Confirmed by" if choice == "approve" else "Refused by"
    for answer in (again, looked):
        assert words in answer.text
        assert 'name="approve"' not in answer.text
        assert 'name="refuse"' not in answer.text
        assert "What it would change" not in answer.text
    assert loan.events.filter(kind="WAIVER").count() == (choice == "approve")
