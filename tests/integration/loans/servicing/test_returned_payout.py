"""A payout that did not arrive, or came back after it was done: nothing is owed, send it again."""

from __future__ import annotations

import datetime
from dataclasses import replace
from uuid import uuid4

import pytest

from accounts.models import BorrowerProfile, Message
from loans.engine.ledger import LedgerAccount
from loans.engine.lifecycle import LoanStatus, TransferState
from loans.engine.terms import FeeTerms
from loans.models import BankDifference, BankTransfer, Loan, LoanEvent
from loans.models.transfer import NoticeVerdict, TransferPurpose
from loans.selectors.servicing import loan_state
from loans.selectors.trial_balance import trial_balance
from loans.services.notices import tell_borrower_of_transfer
from loans.services.payouts import (
    MOST_A_DAY,
    PayoutAlreadySentError,
    UnableToSendPayoutError,
    send_payout_again,
)
from loans.services.projection import differences_of
from loans.services.refunds import UnableToRefundError, refund_closed_loan, refund_credit
from loans.services.reversals import UnableToReverseError, reverse_event
from loans.services.transfers import Outcome, settle_transfer
from tests.factories.corrections import assert_books_agree, how, make_servicer, yuan
from tests.factories.funded import (
    SIGNED_AT,
    SIGNED_ON,
    funded_loan,
    set_business_date,
    settle,
    signed_loan,
    terms,
    word,
)
from tests.integration.loans.servicing.test_corrections import booked, collected, fresh, received
from tests.integration.loans.servicing.test_races import at_once, none_failed
from zhixin.shared.actor import Actor
from zhixin.shared.money import Money

BACK_ON = SIGNED_ON + datetime.timedelta(days=3)
OTHER_CARD = "6217000010001234567"


def returned(payout: BankTransfer) -> NoticeVerdict:
    return settle_transfer(
        reference=str(payout.public_id), word=word(payout, Outcome.RETURNED), at=SIGNED_AT
    )


def again(
    payout: BankTransfer,
    actor: Actor | None = None,
    *,
    key: str = "",
    says: Outcome = Outcome.FAILED,
    on: datetime.date = BACK_ON,
) -> BankTransfer:
    return send_payout_again(
        payout_id=payout.pk,
        bank_says=says,
        key=key or str(uuid4()),
        actor=actor or payout.loan.borrower.as_actor(),
        business_date=on,
        at=SIGNED_AT,
    )


def came_back() -> tuple[Loan, BankTransfer]:
    loan = funded_loan()
    payout = loan.transfers.get()
    set_business_date(BACK_ON)
    assert returned(payout) == NoticeVerdict.RETURNED
    payout.refresh_from_db()
    return fresh(loan), payout


@pytest.mark.django_db
def test_the_loan_is_as_if_never_paid_out_and_the_borrower_is_told() -> None:
    loan, payout = came_back()
    assert payout.state == TransferState.REVERSED
    assert (loan.status, loan.disbursed_on, loan.closed_on) == (LoanStatus.PENDING, None, None)
    assert (loan.principal_outstanding, loan.overpaid_amount) == (Money.zero(), Money.zero())
    assert (loan.next_due_date, loan.next_due_amount) == (None, Money.zero())
    assert booked(loan) == {}
    reversal = loan.events.get(kind="REVERSAL")
    assert (reversal.transfer, reversal.effective_date) == (payout, BACK_ON)
    assert reversal.body["of"] == str(loan.events.get(kind="DISBURSEMENT").event_id)
    # The entry takes back what the payout had booked, and sums to zero.
    sums = {
        row.account: row.debit - row.credit for row in reversal.journal_entries.get().postings.all()
    }
    assert sums == {
        LedgerAccount.BANK: yuan("12000.00"),
        LedgerAccount.LOANS_RECEIVABLE: -yuan("12000.00"),
    }
    assert trial_balance().loose_ends == ()
    assert_books_agree(loan)
    assert differences_of(loan) == ()
    assert not BankDifference.objects.exists()
    tell_borrower_of_transfer(transfer_id=payout.pk, at=SIGNED_AT)
    tell_borrower_of_transfer(transfer_id=payout.pk, at=SIGNED_AT)
    message = Message.objects.get(kind="payout_returned")
    assert "12,000.00" in message.body
    # The same word again, or the word of before, says nothing new.
    assert returned(payout) == NoticeVerdict.DUPLICATE
    late = settle_transfer(reference=str(payout.public_id), word=word(payout), at=SIGNED_AT)
    assert late == NoticeVerdict.DUPLICATE
    assert loan.events.count() == 2


@pytest.mark.django_db
def test_an_up_front_fee_and_interest_are_gone_too() -> None:
    fees = replace(terms(), fees=FeeTerms(upfront_amount=Money.parse("120.00")))
    loan = funded_loan(loan_terms=fees)
    assert booked(loan)[LedgerAccount.FEE_INCOME] == "-120.00"
    set_business_date(BACK_ON)
    returned(loan.transfers.get())
    assert booked(fresh(loan)) == {}
    assert_books_agree(fresh(loan))


@pytest.mark.django_db
def test_a_person_still_cannot_reverse_a_payout() -> None:
    loan = funded_loan()
    event_id = loan.events.get().event_id
    with pytest.raises(UnableToReverseError, match="A payout cannot be reversed"):
        reverse_event(loan_id=loan.pk, event_id=event_id, **how(make_servicer()))
    assert loan.events.count() == 1


@pytest.mark.django_db
def test_what_was_repaid_is_held_for_an_account_that_takes_money() -> None:
    loan = funded_loan()
    received(loan, "300.00", on=SIGNED_ON)
    set_business_date(BACK_ON)
    payout = loan.transfers.get(purpose=TransferPurpose.DISBURSEMENT)
    returned(payout)
    loan = fresh(loan)
    assert (loan.status, loan.overpaid_amount) == (LoanStatus.PENDING, yuan("300.00"))
    assert booked(loan) == {
        LedgerAccount.BANK: "300.00",
        LedgerAccount.BORROWER_CREDIT: "-300.00",
    }
    assert refund_closed_loan(loan_id=loan.pk, business_date=BACK_ON, at=SIGNED_AT) is None
    BorrowerProfile.objects.filter(user=loan.borrower).update(bank_card_number=OTHER_CARD)
    refund = refund_closed_loan(loan_id=loan.pk, business_date=BACK_ON, at=SIGNED_AT)
    assert refund is not None
    assert (refund.amount, refund.card_number) == (yuan("300.00"), OTHER_CARD)
    with pytest.raises(UnableToSendPayoutError, match="on its way back"):
        again(payout)
    settle(refund)
    assert booked(fresh(loan)) == {}
    assert fresh(loan).overpaid_amount == Money.zero()
    assert_books_agree(fresh(loan))
    with pytest.raises(UnableToRefundError):
        refund_credit(loan_id=loan.pk, amount=yuan("1.00"), **how(make_servicer()))


@pytest.mark.django_db
def test_sent_again_it_is_paid_out_to_the_account_of_now() -> None:
    loan, payout = came_back()
    BorrowerProfile.objects.filter(user=loan.borrower).update(bank_card_number=OTHER_CARD)
    second = again(payout, key="once", says=Outcome.RETURNED)
    assert again(payout, key="once") == second
    assert (second.card_number, second.amount) == (OTHER_CARD, yuan("12000.00"))
    assert second.public_id != payout.public_id
    with pytest.raises(PayoutAlreadySentError, match="again already"):
        again(payout)
    with pytest.raises(PayoutAlreadySentError, match="on its way"):
        again(second)
    set_business_date(BACK_ON + datetime.timedelta(days=1))
    settle(second)
    loan = fresh(loan)
    assert (loan.status, loan.disbursed_on) == (
        LoanStatus.ACTIVE,
        BACK_ON + datetime.timedelta(days=1),
    )
    assert [row.kind for row in loan.events.order_by("sequence")] == [
        "DISBURSEMENT",
        "REVERSAL",
        "DISBURSEMENT",
    ]
    assert booked(loan)[LedgerAccount.LOANS_RECEIVABLE] == "12000.00"
    assert_books_agree(loan)
    assert differences_of(loan) == ()
    # The bank's late success of the first payout is money twice: a person looks at it.
    with pytest.raises(PayoutAlreadySentError):
        again(payout)
    assert loan.transfers.filter(purpose=TransferPurpose.DISBURSEMENT).count() == 2


@pytest.mark.django_db
def test_a_refused_payout_is_sent_again_only_by_the_banks_word() -> None:
    loan, payout = signed_loan()
    with pytest.raises(PayoutAlreadySentError, match="on its way"):
        again(payout, on=SIGNED_ON)
    settle(payout, Outcome.FAILED)
    with pytest.raises(UnableToSendPayoutError, match="does not say"):
        again(payout, says=Outcome.SUCCEEDED, on=SIGNED_ON)
    too_late = datetime.date(2026, 7, 14)
    with pytest.raises(UnableToSendPayoutError, match="due too soon"):
        again(payout, on=too_late)
    assert loan.transfers.count() == 1
    for _ in range(MOST_A_DAY - 1):
        payout = settle(again(payout, on=SIGNED_ON), Outcome.FAILED)
    with pytest.raises(UnableToSendPayoutError, match="often enough"):
        again(payout, on=SIGNED_ON)
    by_staff = again(payout, make_servicer().as_actor(), on=SIGNED_ON)
    assert by_staff.state == TransferState.PENDING
    # A contradiction about an old one is never booked beside the new one.
    first = loan.transfers.order_by("pk").first()
    assert first is not None
    verdict = settle_transfer(
        reference=str(first.public_id), word=word(first), at=SIGNED_AT, by_decision=True
    )
    assert verdict == NoticeVerdict.CONFLICT
    assert BankDifference.objects.count() == 1


@pytest.mark.django_db
def test_a_payout_that_the_bank_reports_after_the_first_due_date_waits_for_a_person() -> None:
    loan, payout = signed_loan()
    set_business_date(datetime.date(2026, 7, 16))
    verdict = settle_transfer(reference=str(payout.public_id), word=word(payout), at=SIGNED_AT)
    assert verdict == NoticeVerdict.CONFLICT
    payout.refresh_from_db()
    assert (payout.state, loan.events.count()) == (TransferState.PENDING, 0)
    assert BankDifference.objects.get().transfer == payout
    set_business_date(datetime.date(2026, 7, 15))
    assert settle(payout).state == TransferState.SUCCEEDED


@pytest.mark.django_db
def test_which_payouts_wait_for_staff() -> None:
    _, failed = signed_loan()
    settle(failed, Outcome.FAILED)
    _, back = came_back()
    funded_loan()
    signed_loan()
    waiting = BankTransfer.objects.payouts_that_did_not_arrive()
    assert list(waiting) == [failed, back]
    again(back)
    assert list(waiting.all()) == [failed]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("round_", range(3))
def test_the_notice_twice_at_once_is_one_reversal(round_: int) -> None:
    loan = funded_loan()
    payout = loan.transfers.get()
    verdicts = at_once(*[lambda: returned(payout)] * 3)
    none_failed(verdicts)
    assert sorted(verdicts) == ["DUPLICATE", "DUPLICATE", "RETURNED"]
    assert LoanEvent.objects.filter(loan=loan, kind="REVERSAL").count() == 1
    assert booked(fresh(loan)) == {}
    assert_books_agree(fresh(loan))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("round_", range(3))
def test_a_return_racing_a_repayment_leaves_the_money_as_credit(round_: int) -> None:
    loan = funded_loan()
    payout = loan.transfers.get()
    debit = collected(loan, "500.00", on=SIGNED_ON)
    none_failed(at_once(lambda: returned(payout), lambda: settle(debit)))
    loan = fresh(loan)
    assert (loan.status, loan.overpaid_amount) == (LoanStatus.PENDING, yuan("500.00"))
    assert booked(loan) == {
        LedgerAccount.BANK: "500.00",
        LedgerAccount.BORROWER_CREDIT: "-500.00",
    }
    assert_books_agree(loan)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("round_", range(3))
def test_two_presses_are_one_payout(round_: int) -> None:
    loan, payout = signed_loan()
    settle(payout, Outcome.FAILED)
    staff = make_servicer().as_actor()
    results = at_once(
        lambda: again(payout, on=SIGNED_ON),
        lambda: again(payout, staff, on=SIGNED_ON),
        lambda: again(payout, staff, on=SIGNED_ON),
    )
    sent = [each for each in results if isinstance(each, BankTransfer)]
    refused = [each for each in results if isinstance(each, PayoutAlreadySentError)]
    assert (len(sent), len(refused)) == (1, 2)
    assert loan.transfers.count() == 2
    assert loan_state(loan, as_of=SIGNED_ON).status == LoanStatus.PENDING
