"""The worked loan of docs/ledger.md, executed: every event books what the page says."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from loans.models import JournalEntry, Loan, Posting
from loans.services.charge_offs import charge_off
from loans.services.refunds import refund_closed_loan, refund_credit
from loans.services.reversals import reverse_event
from loans.services.waivers import waive
from tests.factories.collections_app import FIRST_DUE, close_through
from tests.factories.corrections import amounts, assert_books_agree, by_two, how, make_servicer
from tests.factories.funded import SIGNED_AT, funded_loan, settle
from tests.integration.loans.servicing.test_corrections import collected, received
from zhixin.shared.money import Money

pytestmark = pytest.mark.django_db

PAGE = Path(__file__).parents[4] / "docs" / "ledger.md"
TEN_LATE = FIRST_DUE + datetime.timedelta(days=10)
Line = tuple[str, str, str, str]


def page_lines() -> list[Line]:
    """Return the rows of the page's worked table."""
    table = PAGE.read_text(encoding="utf-8").split("## A worked loan", 1)[1].split("## ", 1)[0]
    rows = [line for line in table.splitlines() if line.startswith("|")][2:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return [(event, account, debit, credit) for event, account, debit, credit in cells]


def executed() -> list[Line]:
    """Return what the events booked, as the page writes it."""
    lines: list[Line] = []
    loan = funded_loan()
    staff = make_servicer()

    def note(event: str) -> None:
        newest = lines_since(loan)
        lines.extend((event if index == 0 else "", *each) for index, each in enumerate(newest))

    seen: set[int] = set()

    def lines_since(of: Loan) -> list[tuple[str, str, str]]:
        entries = JournalEntry.objects.filter(loan=of).exclude(pk__in=seen)
        sums: dict[str, int] = {}
        for posting in Posting.objects.filter(entry__in=list(entries)).order_by("pk"):
            change = posting.debit.cents - posting.credit.cents
            sums[posting.account] = sums.get(posting.account, 0) + change
        seen.update(entries.values_list("pk", flat=True))
        return [
            (f"`{account}`", shown(change), shown(-change))
            for account, change in sums.items()
            if change
        ]

    note("payout")
    close_through(TEN_LATE)
    note("nights: the installment, ten late days")
    backdated = received(loan, "1066.19", on=FIRST_DUE, staff=staff)
    note("1,066.19 that came on the due date")
    reverse_event(loan_id=loan.pk, event_id=backdated.event_id, **by_two(staff))
    note("its reversal: it was another loan's")
    waive(loan_id=loan.pk, amounts=amounts(penalty="4.73", interest="20.00"), **how(staff))
    note("waiver of 4.73 and of 20.00 of interest")
    settle(collected(loan, "1000.00", on=TEN_LATE))
    note("repayment of 1,000.00")
    written_off = charge_off(loan_id=loan.pk, **how(staff))
    note("charge-off")
    settle(collected(loan, "500.00", on=TEN_LATE))
    note("recovery of 500.00")
    reverse_event(loan_id=loan.pk, event_id=written_off.event_id, **how(staff))
    note("reversal of the charge-off")
    received(loan, "12000.00", on=TEN_LATE, staff=staff)
    note("12,000.00, more than is owed")
    assert not refund_closed_loan(loan_id=loan.pk, business_date=TEN_LATE, at=SIGNED_AT)
    # So much money that one person typed in is paid back by another.
    credit = Money.parse("1364.34")
    settle(refund_credit(loan_id=loan.pk, amount=credit, **how(make_servicer())))
    note("refund of the credit")
    assert_books_agree(loan)
    return lines


def shown(cents: int) -> str:
    return f"{Money(cents).amount:,.2f}" if cents > 0 else ""


def test_the_worked_loan_books_what_the_page_says() -> None:
    assert executed() == page_lines()
