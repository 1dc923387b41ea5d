"""Rebuilding, the trial balance and the night's check: sound books tie, spoiled ones are told."""

from __future__ import annotations

import datetime
import logging
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from loans.engine.ledger import LedgerAccount
from loans.models import BooksDifference, JournalEntry, Loan, LoanEvent
from loans.selectors.trial_balance import trial_balance
from loans.services import reconciliation
from loans.services.charge_offs import charge_off
from loans.services.ledger import booked_balances
from loans.services.refunds import refund_closed_loan
from loans.services.reversals import reverse_event
from tests.factories.collections_app import FIRST_DUE, FIRST_LATE, close_through, late_loan
from tests.factories.corrections import assert_books_agree, by_two, how, make_servicer, yuan
from tests.factories.funded import SIGNED_AT, SIGNED_ON, Clock, funded_loan, settle, signed_loan
from tests.integration.loans.servicing.test_corrections import collected, fresh, received
from zhixin.shared.actor import NIGHT
from zhixin.shared.money import Money

pytestmark = pytest.mark.django_db

NEXT_DAY = FIRST_LATE + datetime.timedelta(days=1)


def run(*words: str) -> tuple[str, int]:
    """Return what the command printed and its exit status."""
    output = StringIO()
    try:
        call_command(*words, stdout=output)
    except SystemExit as ended:
        return output.getvalue(), int(str(ended.code))
    return output.getvalue(), 0


def a_book() -> dict[str, Loan]:
    """Return loans in every status, with reversals, backdated money and a refund on its way."""
    staff = make_servicer()
    loans = {"pending": signed_loan()[0], "paid ahead": funded_loan(), "closed": funded_loan()}
    loans |= {"overpaid": funded_loan(), "late": funded_loan(), "lost": funded_loan()}
    settle(collected(loans["closed"], "12000.00", on=SIGNED_ON))
    received(loans["overpaid"], "12050.00", on=SIGNED_ON, staff=staff)
    assert refund_closed_loan(loan_id=loans["overpaid"].pk, business_date=SIGNED_ON, at=SIGNED_AT)
    received(loans["paid ahead"], "3000.00", on=SIGNED_ON, staff=staff)
    close_through(FIRST_LATE)
    bounced = received(loans["late"], "1066.19", on=FIRST_DUE, staff=staff)
    reverse_event(loan_id=loans["late"].pk, event_id=bounced.event_id, **by_two(staff))
    charge_off(loan_id=loans["lost"].pk, **how(staff))
    received(loans["lost"], "700.00", on=FIRST_LATE, staff=staff)
    return {name: fresh(loan) for name, loan in loans.items()}


def test_sound_books_differ_nowhere() -> None:
    a_book()
    entries = JournalEntry.objects.count()
    assert run("rebuild_projection", "--check") == ("6 loans compared, 0 differ.\n", 0)
    assert run("rebuild_projection") == (
        "6 loans compared, 0 differed and were repaired.\n",
        0,
    )
    words, status = run("trial_balance")
    assert (words.splitlines()[-1], status) == ("Everything ties.", 0)
    assert JournalEntry.objects.count() == entries


def test_the_trial_balance_adds_up_by_account() -> None:
    a_book()
    books = trial_balance()
    assert books.loose_ends == ()
    assert books.debits == books.credits
    balances = {each.account: each.balance for each in books.accounts}
    assert balances[LedgerAccount.BORROWER_CREDIT] == yuan("-1983.81")
    assert balances[LedgerAccount.RECOVERY_INCOME] == yuan("-700.00")
    # 50.00 overpaid, and 1,933.81 of the 3,000.00 wait for the second installment.
    # Five payouts of 12,000; in came 12,000 + 12,050 + 3,000 + 700.
    assert balances[LedgerAccount.BANK] == yuan("-32250.00")
    by_loan = [booked_balances(loan) for loan in Loan.objects.all()]
    for account in LedgerAccount:
        sums = [held.get(account, Money.zero()).cents for held in by_loan]
        assert balances[account] == Money(sum(sums))


def spoil(statement: str, *parameters: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def test_a_spoiled_projection_is_reported_and_repaired_and_events_stay() -> None:
    loans = a_book()
    late, ahead = loans["late"], loans["paid ahead"]
    spoil("UPDATE loans_loan SET days_past_due = 9, next_due_date = NULL WHERE id = %s", late.pk)
    spoil("DELETE FROM loans_installment WHERE loan_id = %s AND number = 3", ahead.pk)
    spoil(
        "UPDATE loans_installment SET interest_cents = 1 WHERE loan_id = %s AND number = 2", late.pk
    )
    spoil(
        "INSERT INTO loans_installment SELECT (SELECT MAX(id) + 1 FROM loans_installment), 99,"
        " due_date, principal_cents, interest_cents, fees_cents, penalty_cents,"
        " principal_paid_cents, interest_paid_cents, fees_paid_cents, penalty_paid_cents,"
        " balance_cents, paid_on, loan_id, payable_through FROM loans_installment"
        " WHERE loan_id = %s AND number = 1",
        late.pk,
    )
    events = LoanEvent.objects.count()
    words, status = run("rebuild_projection", "--check")
    number = late.agreement.number
    assert status == 1
    assert words.splitlines() == [
        f"{ahead.agreement.number}  PROJECTION  #3: –, by the events 2026-09-16",
        f"{number}  PROJECTION  next_due_date: –, by the events 2026-08-16",
        f"{number}  PROJECTION  days_past_due: 9, by the events 1",
        f"{number}  PROJECTION  #2 interest: 0.01, by the events 110.54",
        f"{number}  PROJECTION  #99: 2026-07-16, by the events –",
        "6 loans compared, 2 differ.",
    ]
    assert fresh(late).days_past_due == 9
    words, status = run("rebuild_projection", "--loan", number)
    assert (words.splitlines()[-1], status) == (
        "1 loans compared, 1 differed and were repaired.",
        0,
    )
    assert run("rebuild_projection", "--check")[0].endswith("6 loans compared, 1 differ.\n")
    assert run("rebuild_projection")[1] == 0
    assert run("rebuild_projection", "--check") == ("6 loans compared, 0 differ.\n", 0)
    assert LoanEvent.objects.count() == events
    assert_books_agree(late)
    assert_books_agree(ahead)


def misbook(loan: Loan, cents: int) -> None:
    """Book an entry that no event asks for; it balances, so the database takes it."""
    entry = JournalEntry.objects.create(
        loan=loan,
        business_date=FIRST_LATE,
        reason="AGED",
        posting_count=2,
        actor_label="test",
        recorded_at=SIGNED_AT,
    )
    spoil(
        "INSERT INTO loans_posting (entry_id, loan_id, account, debit_cents, credit_cents)"
        " VALUES (%s, %s, 'BANK', %s, 0), (%s, %s, 'LOANS_RECEIVABLE', 0, %s)",
        *(entry.pk, loan.pk, cents),
        *(entry.pk, loan.pk, cents),
    )


def test_a_journal_that_differs_is_corrected_by_an_entry_with_its_reason() -> None:
    loan = a_book()["late"]
    misbook(loan, 700)
    number = loan.agreement.number
    words, status = run("rebuild_projection", "--check")
    assert status == 1
    assert words.splitlines() == [
        f"{number}  JOURNAL  BANK: -11993.00, by the events -12000.00",
        f"{number}  JOURNAL  LOANS_RECEIVABLE: 11993.00, by the events 12000.00",
        "6 loans compared, 1 differ.",
    ]
    words, status = run("trial_balance")
    assert status == 1
    assert f"DOES NOT TIE  {number}: the bank holds what the events moved: -11993.00, not " in words
    assert f"DOES NOT TIE  {number}: principal outstanding is the receivable" in words
    before = JournalEntry.objects.filter(loan=loan).count()
    assert run("rebuild_projection")[1] == 0
    entry = JournalEntry.objects.filter(loan=loan).latest("pk")
    assert (entry.reason, entry.actor_label, entry.event) == ("REBUILT", "system", None)
    assert JournalEntry.objects.filter(loan=loan).count() == before + 1
    assert run("trial_balance")[1] == 0
    assert_books_agree(loan)


def test_each_loan_is_compared_at_the_date_of_its_own_projection() -> None:
    loan = funded_loan()
    close_through(FIRST_LATE)
    on_time = funded_loan()
    assert fresh(loan).projected_as_of == FIRST_LATE
    assert fresh(on_time).projected_as_of == SIGNED_ON
    assert run("rebuild_projection", "--check") == ("2 loans compared, 0 differ.\n", 0)


def test_events_that_cannot_be_folded_are_told_and_left_alone() -> None:
    loan = funded_loan()
    LoanEvent.objects.create(
        loan=loan,
        sequence=2,
        kind="REVERSAL",
        effective_date=SIGNED_ON,
        body={"type": "REVERSAL", "id": "r", "date": "2026-06-16", "sequence": 2, "of": "none"},
        actor_label="test",
        recorded_at=SIGNED_AT,
    )
    words, status = run("rebuild_projection")
    assert status == 1
    assert "FOLD  events" in words
    assert "1 of them cannot be folded and stay as they are." in words


def test_an_unknown_loan_is_named() -> None:
    with pytest.raises(CommandError, match="There is no loan ZX-0"):
        call_command("rebuild_projection", "--loan", "ZX-0")


def checked(date: datetime.date) -> int:
    return reconciliation.check_books(
        business_date=date, actor=NIGHT, clock=Clock(), report=lambda done, total: None
    )


def test_the_night_checks_the_books_last() -> None:
    assert settings.NIGHT_STEPS[-1] == "loans.services.reconciliation.check_books"
    a_book()
    close_through(NEXT_DAY)
    assert not BooksDifference.objects.exists()


def test_a_difference_is_logged_and_kept_and_stops_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    loans = a_book()
    late = loans["late"]
    spoil("UPDATE loans_loan SET bucket = 'M4' WHERE id = %s", loans["closed"].pk)
    misbook(late, 700)
    with caplog.at_level(logging.ERROR, logger="loans.services.reconciliation"):
        assert checked(FIRST_LATE) == 6
    rows = [
        (row.loan, row.check_name, row.item, row.held, row.expected)
        for row in BooksDifference.objects.order_by("pk")
    ]
    assert rows == [
        (
            late,
            "TRIAL_BALANCE",
            "principal outstanding is the receivable, less money paid ahead",
            "12000.00",
            "11993.00",
        ),
        (
            late,
            "TRIAL_BALANCE",
            "the bank holds what the events moved",
            "-11993.00",
            "-12000.00",
        ),
        (loans["closed"], "PROJECTION", "bucket", "M4", "M0"),
        (late, "JOURNAL", "BANK", "-11993.00", "-12000.00"),
        (late, "JOURNAL", "LOANS_RECEIVABLE", "11993.00", "12000.00"),
    ]
    assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 5
    # Payments go on, and the night closes the day.
    settle(collected(late, "100.00", on=FIRST_LATE))
    assert close_through(NEXT_DAY) == [NEXT_DAY]


def test_the_sample_is_the_same_for_a_date_and_another_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for _ in range(12):
        funded_loan()
    monkeypatch.setattr(reconciliation, "SAMPLE_SIZE", 4)
    monkeypatch.setattr(reconciliation, "MOST_TOUCHED", 3)
    days = (FIRST_DUE, FIRST_DUE, FIRST_LATE)
    samples = [sorted(reconciliation._by_chance(day)) for day in days]
    assert samples[0] == samples[1]
    assert samples[1] != samples[2]
    assert len(reconciliation._touched(SIGNED_ON)) == 3
    assert reconciliation._touched(FIRST_LATE) == []
    assert checked(SIGNED_ON) <= 7


def test_a_late_loan_is_among_those_that_the_night_touched() -> None:
    loan = late_loan()
    assert reconciliation._touched(FIRST_LATE) == [loan.pk]
