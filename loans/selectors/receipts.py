"""A payment as the borrower sees it, with where its money went."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from loans.engine.events import Recovered, Repaid
from loans.engine.lifecycle import TransferState
from loans.engine.prepayment import prepayment_outcome
from loans.engine.servicing import replay
from loans.models import BankTransfer, LoanEvent
from loans.models.transfer import TransferPurpose
from loans.selectors.autopay_line import AutopayLine, autopay_line
from loans.selectors.business_day import business_date
from loans.selectors.explanations import WhyLine, why, why_paid
from loans.selectors.prepayments import EFFECT_TITLES
from loans.selectors.repayments import in_flight_repayments
from loans.selectors.reversals import reversals_of
from loans.selectors.servicing import events_of, loan_state, terms_of
from zhixin.shared.money import Money
from zhixin.shared.templatetags.zhixin import plain_date

# Reasons of the bank in words a borrower can act on; any other is told in general.
_REASONS = {
    "ACQ.BUYER_BALANCE_NOT_ENOUGH": gettext_lazy("There was not enough money in the account."),
    "ACQ.BUYER_BANKCARD_BALANCE_NOT_ENOUGH": gettext_lazy(
        "There was not enough money in the account."
    ),
    "AUTOPAY.TURNED_OFF": gettext_lazy("You turned autopay off before it was sent."),
    "PAYEE_CARD_INFO_ERROR": gettext_lazy(
        "The bank does not know this card number with this name."
    ),
    "CARD_BIN_ERROR": gettext_lazy("The bank does not know this card number."),
    "TRADE_CLOSED": gettext_lazy("It was not paid in time at Alipay. You can pay again now."),
    "CASHIER_NEVER_OPENED": gettext_lazy(
        "It was not paid in time at Alipay. You can pay again now."
    ),
}

_NOT_PAID_AT_CASHIER = frozenset({"TRADE_CLOSED", "CASHIER_NEVER_OPENED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptRow:
    """A line of a receipt; the names are those of the key-value list."""

    label: str
    amount: Money | None
    value: str = ""
    note: str = ""
    is_total: bool = False
    why: tuple[WhyLine, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenBack:
    """A payment that does not count any more: since `on`, for `reason` in words.

    `due` is what is to be paid today, less what is on its way; when nothing is, `next_amount` is
    what the next installment asks on `next_date`, zero and None where none is to come.
    """

    on: datetime.date
    reason: str
    due: Money
    next_amount: Money
    next_date: datetime.date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentPage:
    """A payment and what became of it; `taken_back` is set once it counts no more."""

    transfer: BankTransfer
    is_open: bool
    succeeded: bool
    is_repayment: bool
    reason: str
    paid_on: datetime.date
    rows: tuple[ReceiptRow, ...]
    did: tuple[ReceiptRow, ...]
    loan_is_paid_off: bool
    taken_back: TakenBack | None
    autopay: AutopayLine | None


def payment_page(transfer: BankTransfer) -> PaymentPage:
    """Return the page of `transfer`; a repayment that is done tells where its money went."""
    is_repayment = transfer.purpose == TransferPurpose.REPAYMENT
    taken_back = _taken_back(transfer) if is_repayment else None
    succeeded = transfer.state == TransferState.SUCCEEDED and taken_back is None
    return PaymentPage(
        transfer=transfer,
        is_open=transfer.state in (TransferState.PENDING, TransferState.SENT),
        succeeded=succeeded,
        is_repayment=is_repayment,
        reason=failure_reason(transfer),
        paid_on=transfer.effective_date,
        rows=_rows(transfer, taken_back) if is_repayment else (),
        did=_what_it_did(transfer) if succeeded and is_repayment else (),
        loan_is_paid_off=transfer.loan.closed_on is not None,
        taken_back=taken_back,
        autopay=autopay_line(transfer.loan) if succeeded and is_repayment else None,
    )


def taken_back_by(transfer: BankTransfer) -> LoanEvent | None:
    """Return the event by which the repayment `transfer` counts no more, None while it counts."""
    event_ids = [
        str(row.event_id)
        for row in transfer.events.all()
        if row.kind in (Repaid.kind, Recovered.kind)
    ]
    return reversals_of(event_ids).first() if event_ids else None


def _taken_back(transfer: BankTransfer) -> TakenBack | None:
    reversal = taken_back_by(transfer)
    if reversal is None:
        return None
    state = loan_state(transfer.loan, as_of=business_date())
    on_its_way = in_flight_repayments(transfer.loan)
    following = None if state.payable_now else state.next_due
    return TakenBack(
        on=reversal.effective_date,
        reason=reversal.reason or _("The bank did not let us keep the money."),
        due=max(state.payable_now - on_its_way, Money.zero()),
        next_amount=max(following.amount - on_its_way, Money.zero()) if following else Money.zero(),
        next_date=following.date if following else None,
    )


def _rows(transfer: BankTransfer, taken_back: TakenBack | None) -> tuple[ReceiptRow, ...]:
    """Return where a repayment went; of one that was taken back, since when and why."""
    if taken_back is None:
        return _where_it_went(transfer) if transfer.state == TransferState.SUCCEEDED else ()
    return (
        ReceiptRow(label=_("Paid on"), amount=None, value=plain_date(transfer.effective_date)),
        ReceiptRow(label=_("Taken back on"), amount=None, value=plain_date(taken_back.on)),
        ReceiptRow(label=_("Why"), amount=None, value=taken_back.reason),
        ReceiptRow(label=_("Counts toward the loan"), amount=Money.zero(), is_total=True),
    )


def failure_reason(transfer: BankTransfer) -> str:
    """Return why a transfer was not done, in words; nothing when it was or may still be."""
    if transfer.state != TransferState.FAILED:
        return ""
    if _made_way(transfer):
        return _("It was closed because you began another payment. Nothing was taken.")
    general = _("The bank did not carry it out. Your loan is as it was.")
    return str(_REASONS.get(transfer.failure_code, general))


def _made_way(transfer: BankTransfer) -> bool:
    """Return whether an order at the cashier ended before its time, for another payment."""
    if transfer.failure_code not in _NOT_PAID_AT_CASHIER or transfer.expires_at is None:
        return False
    if transfer.withdrawn_at is not None:
        return True
    return transfer.settled_at is not None and transfer.settled_at < transfer.expires_at


def _where_it_went(transfer: BankTransfer) -> tuple[ReceiptRow, ...]:
    state = loan_state(transfer.loan, as_of=business_date())
    event_ids = {str(row.event_id) for row in transfer.events.all()}
    allocation = next((a for a in state.repayments if a.event_id in event_ids), None)
    if allocation is None:
        return ()
    parts = [part.amount for part in allocation.parts]
    sums = (
        ("principal", _("Principal"), sum(part.principal.cents for part in parts)),
        ("interest", _("Interest"), sum(part.interest.cents for part in parts)),
        ("penalty", _("Late charge"), sum(part.penalty.cents for part in parts)),
        ("fees", _("Fees"), sum(part.fees.cents for part in parts)),
    )
    rows = [
        ReceiptRow(
            label=label,
            amount=Money(cents),
            why=why_paid(state, allocation.event_id, name),
        )
        for name, label, cents in sums
        if cents
    ]
    if allocation.credit:
        rows.append(_paid_ahead(allocation.credit))
    left = ReceiptRow(
        label=_("Principal left on the loan"),
        amount=state.outstanding.principal,
        is_total=True,
        why=why(state, "outstanding.principal"),
    )
    return (*rows, left)


def _what_it_did(transfer: BankTransfer) -> tuple[ReceiptRow, ...]:
    """Return what money beyond everything due did to the loan; nothing when there was none."""
    loan, row = transfer.loan, transfer.events.filter(kind=Repaid.kind).first()
    if row is None:
        return ()
    terms, events = terms_of(loan), events_of(loan)[: row.sequence]
    payment, day = events[-1], row.effective_date
    before, after = replay(terms, events[:-1], day), replay(terms, events, day)
    if not isinstance(payment, Repaid) or before.running is None:
        return ()
    if payment.amount <= before.due_before_choice:
        return ()
    effect = payment.prepayment or terms.prepayment
    figures = prepayment_outcome(before=before, after=after, effect=effect)
    saved = ReceiptRow(label=_("Interest saved"), amount=figures.interest_saved, is_total=True)
    if figures.next_date is None or figures.last_date is None:
        return (saved,)
    return (
        ReceiptRow(label=_("Your choice"), amount=None, value=str(EFFECT_TITLES[effect])),
        ReceiptRow(
            label=_("Next payment"),
            amount=figures.next_amount,
            note=plain_date(figures.next_date),
        ),
        ReceiptRow(label=_("Last payment"), amount=None, value=plain_date(figures.last_date)),
        ReceiptRow(label=_("Payments left"), amount=None, value=str(figures.payments_left)),
        saved,
    )


def _paid_ahead(credit: Money) -> ReceiptRow:
    """Return the line of what was more than was due (docs/formulas/allocation.md)."""
    return ReceiptRow(
        label=_("Paid ahead"),
        amount=credit,
        note=_(
            "Taken off the principal today, so it costs no more interest. It pays your next "
            "installments when they are due."
        ),
    )
