"""Days lived for autopay: nights, mornings with their messages, and the bank's word."""

from __future__ import annotations

import datetime
import re
from zoneinfo import ZoneInfo

from accounts.models import Message
from accounts.services.messages import claim_message, record_sent, waiting_message_ids
from loans.models import AutopayDebit, AutopayMandate, BankTransfer, Loan
from loans.services.autopay import turn_on
from loans.services.business_day import close_days
from loans.services.notices import tell_borrower_of_transfer
from loans.services.transfers import BankWord, Outcome, settle_transfer
from tests.factories.accounts import CARD_NUMBER, make_borrower
from tests.factories.funded import funded_loan, set_business_date
from zhixin.shared.actor import NIGHT

SHANGHAI = ZoneInfo("Asia/Shanghai")
SIGNED_ON = datetime.date(2026, 6, 16)
DUE = datetime.date(2026, 7, 16)
ONE_DAY = datetime.timedelta(days=1)


def july(day: int) -> datetime.date:
    return datetime.date(2026, 7, day)


def at(day: datetime.date, hour: int = 10) -> datetime.datetime:
    return datetime.datetime.combine(day, datetime.time(hour, 5), tzinfo=SHANGHAI)


def night(day: datetime.date) -> None:
    """Close the night that begins `day`, just after midnight; days before it are left out."""
    set_business_date(day - ONE_DAY)
    close_days(through=day, actor=NIGHT, clock=lambda: at(day, hour=0), progress=lambda _step: None)


def morning(day: datetime.date) -> None:
    """Deliver what waits."""
    for message_id in waiting_message_ids(at=at(day), limit=1000):
        if claim_message(message_id=message_id, at=at(day)) is not None:
            record_sent(
                message_id=message_id, delivery_reference="test", at=at(day), keep_code=True
            )


def live(first: datetime.date, last: datetime.date) -> None:
    """Live through the days, each with its night and its morning."""
    day = first
    while day <= last:
        night(day)
        morning(day)
        day += ONE_DAY


def grant(loan: Loan, on: datetime.date = SIGNED_ON) -> AutopayMandate:
    set_business_date(on)
    return turn_on(
        loan_id=loan.pk,
        text_version=1,
        card_last_four=CARD_NUMBER[-4:],
        language="en",
        business_date=on,
        actor=loan.borrower.as_actor(),
        at=at(on),
    )


def autopay_loan() -> Loan:
    """Return a loan of 12 × 1,066.19, the first due on 16 July, with autopay from the first day."""
    loan = funded_loan(borrower=make_borrower())
    grant(loan)
    return loan


def says(
    transfer: BankTransfer,
    outcome: Outcome,
    on: datetime.date,
    code: str = "ACQ.BUYER_BALANCE_NOT_ENOUGH",
) -> None:
    """Have the bank say what became of a debit, and tell the borrower."""
    settle_transfer(
        reference=str(transfer.public_id),
        word=BankWord(
            outcome=outcome,
            amount=transfer.amount,
            bank_reference=f"B{transfer.pk}",
            failure_code="" if outcome == Outcome.SUCCEEDED else code,
            body={"source": "test"},
        ),
        at=at(on),
    )
    tell_borrower_of_transfer(transfer_id=transfer.pk, at=at(on))


def debits(loan: Loan) -> list[tuple[int, int, str, str, str]]:
    """Return installment, attempt, day, amount and state of each debit."""
    rows = AutopayDebit.objects.filter(mandate__loan=loan).select_related("transfer")
    return [
        (
            row.installment_number,
            row.attempt,
            row.business_date.isoformat(),
            str(row.transfer.amount),
            str(row.transfer.state),
        )
        for row in rows.order_by("pk")
    ]


def latest_debit(loan: Loan) -> BankTransfer:
    return AutopayDebit.objects.filter(mandate__loan=loan).latest("pk").transfer


def told(loan: Loan) -> list[str]:
    """Return the kinds of the messages about autopay and repayments, oldest first."""
    kinds = Message.objects.filter(recipient=loan.borrower).order_by("pk")
    wanted = re.compile("autopay|repayment|due_soon|payment_late")
    return [kind for kind in kinds.values_list("kind", flat=True) if wanted.search(kind)]
