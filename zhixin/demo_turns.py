"""Turns of the demo's stories: what happens to a loan besides paying and missing.

Each plans its steps on days of the book; every step is a service, as for a real loan.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Final, Protocol
from uuid import uuid4

from accounts.models import User
from loans.engine.events import Repaid
from loans.engine.state import Buckets
from loans.engine.terms import PrepaymentEffect
from loans.models import Loan
from loans.models.received_money import MoneyChannel
from loans.selectors.servicing import loan_state
from loans.services.certificates import issue_settlement_certificate
from loans.services.charge_offs import charge_off
from loans.services.corrections import Manner
from loans.services.disputes import open_dispute
from loans.services.received_money import record_repayment
from loans.services.reversals import reverse_event
from loans.services.waivers import waive
from zhixin.shared.money import Money

RECOVERED = Money.parse("500.00")
PAID_TWICE = Money.parse("200.00")
PAID_EARLY = Money.parse("6000.00")


class Book(Protocol):
    """What a turn needs of the book: its days, and paying as a borrower does."""

    today: datetime.date
    date: datetime.date

    def at(self) -> datetime.datetime:
        """Return the instant of the day that is being lived."""

    def on(self, day: datetime.date, step: Callable[[], object]) -> None:
        """Plan a step."""

    def pay(self, user: User, amount: Money, effect: PrepaymentEffect | None = None) -> None:
        """Have an amount collected from the borrower's account."""

    def servicer(self) -> User:
        """Return who corrects loans."""


Turn = Callable[[Book, User, list[datetime.date]], None]


def bounces(book: Book, user: User, paid: list[datetime.date]) -> None:
    """Take the last payment back after four days; waive the late charge, and have it paid again."""

    def bounce() -> None:
        payment = _loan(user).events.filter(kind=Repaid.kind).latest("sequence")
        reverse_event(
            loan_id=payment.loan_id,
            event_id=payment.event_id,
            **_manner(book, "银行退回：账户余额不足"),
        )

    def forgive() -> None:
        loan = _loan(user)
        due = loan_state(loan, as_of=book.date).due_now
        zero = Money.zero()
        late_charge = Buckets.of(principal=zero, interest=zero, fees=zero, penalty=due.penalty)
        waive(loan_id=loan.pk, amounts=late_charge, **_manner(book, "银行退款不是借款人的过错"))
        book.pay(user, due.total - due.penalty)

    book.on(paid[-1] + datetime.timedelta(days=4), bounce)
    book.on(paid[-1] + datetime.timedelta(days=9), forgive)


def is_written_off(book: Book, user: User, _paid: list[datetime.date]) -> None:
    """Write the loan off a month ago; a part of it has come in since."""

    def write_off() -> None:
        charge_off(loan_id=_loan(user).pk, **_manner(book, "长期逾期，多次联系未果"))

    book.on(book.today - datetime.timedelta(days=30), write_off)
    book.on(book.today - datetime.timedelta(days=10), lambda: book.pay(user, RECOVERED))


def disputes(book: Book, user: User, paid: list[datetime.date]) -> None:
    """Fence the installment off that comes after those which were paid."""

    def dispute() -> None:
        open_dispute(
            loan_id=_loan(user).pk,
            number=len(paid) + 1,
            **_manner(book, "借款人称已转账，正在核对"),
        )

    due = list(_loan(user).installments.order_by("number").values_list("due_date", flat=True))
    book.on(due[len(paid)], dispute)


def settles(book: Book, user: User, _paid: list[datetime.date]) -> None:
    """Pay everything five days ago, and ask for the certificate a day later."""

    def certify() -> None:
        issue_settlement_certificate(
            loan_id=_loan(user).pk,
            business_date=book.date,
            actor=user.as_actor(),
            at=book.at(),
        )

    book.on(book.today - datetime.timedelta(days=5), lambda: _pay_off(book, user))
    book.on(book.today - datetime.timedelta(days=4), certify)


def pays_too_much(book: Book, user: User, _paid: list[datetime.date]) -> None:
    """Pay everything, and transfer money once more by mistake; the night sends it back."""

    def receive() -> None:
        record_repayment(
            loan_id=_loan(user).pk,
            amount=PAID_TWICE,
            effective_date=book.date,
            channel=MoneyChannel.BANK_TRANSFER,
            reference=f"DEMO-{book.date:%Y%m%d}",
            **_manner(book, "借款人又转来一笔"),
        )

    book.on(book.today - datetime.timedelta(days=6), lambda: _pay_off(book, user))
    book.on(book.today - datetime.timedelta(days=5), receive)


def lowers_installments(book: Book, user: User, _paid: list[datetime.date]) -> None:
    """Pay a part early so that each installment becomes smaller."""
    effect = PrepaymentEffect.LOWER_INSTALLMENT
    day = book.today - datetime.timedelta(days=8)
    book.on(day, lambda: book.pay(user, PAID_EARLY, effect))


TURNS: Final[dict[str, Turn]] = {
    "bounces": bounces,
    "is_written_off": is_written_off,
    "disputes": disputes,
    "settles": settles,
    "pays_too_much": pays_too_much,
    "lowers_installments": lowers_installments,
}


def _pay_off(book: Book, user: User) -> None:
    book.pay(user, loan_state(_loan(user), as_of=book.date).payoff_amount)


def _loan(user: User) -> Loan:
    return Loan.objects.select_related("agreement").get(borrower=user)


def _manner(book: Book, reason: str) -> Manner:
    return {
        "actor": book.servicer().as_actor(),
        "reason": reason,
        "key": str(uuid4()),
        "business_date": book.date,
        "at": book.at(),
    }
