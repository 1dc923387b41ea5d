"""Compare a day of the bank's bills with our transfers and the journal; note what differs.

The comparison changes no money: each difference goes to the queue, once, and a person settles it.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Sum

from loans.engine.bank_bill import BillLine, BillLineKind
from loans.engine.events import Reversed
from loans.engine.ledger import LedgerAccount
from loans.engine.lifecycle import TRANSFER_LIFECYCLE, TransferEvent, TransferState
from loans.models import BankBill, BankTransfer, LoanEvent, Posting
from loans.models.reconciliation import DifferenceKind
from loans.models.transfer import NoticeVerdict, TransferChannel, TransferDirection
from loans.selectors.reversals import reversals_of, reversals_recorded
from loans.services.bank_differences import (
    Finding,
    note_came_back,
    note_finding,
    our_side_of,
)
from zhixin.shared.actor import Actor
from zhixin.shared.money import Money, Rounding, total
from zhixin.shared.signing import BANK_TIME_ZONE

_DONE = (TransferState.SUCCEEDED, TransferState.REVERSED)
# One comparison at a time: the lock of the transaction that writes it.
_LOCK = 20_261_123
_ONE_DAY = datetime.timedelta(days=1)
_MIDNIGHT = datetime.time.min


@dataclass(frozen=True, slots=True, kw_only=True)
class DayOfBills:
    """The bills of a day, as they came and as they were read."""

    day: datetime.date
    trade_file: bytes
    account_file: bytes
    lines: Sequence[BillLine]


@dataclass(slots=True)
class _Comparison:
    """What a day comes to, line by line."""

    findings: list[Finding] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    came_back: dict[int, BillLine] = field(default_factory=dict)
    matched: int = 0
    our_in: Money = field(default_factory=Money.zero)
    our_out: Money = field(default_factory=Money.zero)

    def count(self, booked: Money) -> None:
        """Add what our books hold of one transfer."""
        self.our_in += max(booked, Money.zero())
        self.our_out += max(-booked, Money.zero())


@transaction.atomic
def compare_day(
    *, bills: DayOfBills, fee_rate: Decimal, actor: Actor, at: datetime.datetime
) -> BankBill:
    """Write the comparison of a day and its new differences; safe to run again.

    `fee_rate` is what the bank may take of a payment by contract, rounded half up to the cent.
    What the bank took back is known as such from then on, and differences that waited for it
    are settled.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    ours = _our_transfers(bills)
    result = _compare(bills, ours, fee_rate)
    lines = bills.lines
    bill = BankBill.objects.create(
        bill_date=bills.day,
        run=BankBill.objects.filter(bill_date=bills.day).count() + 1,
        trade_file=bills.trade_file,
        account_file=bills.account_file,
        sha256=hashlib.sha256(bills.trade_file + bills.account_file).hexdigest(),
        line_count=len(lines),
        matched_count=result.matched,
        bank_in=total(line.amount for line in lines if line.came_in),
        bank_out=total(line.amount for line in lines if not line.came_in),
        bank_fees=total(line.fee for line in lines),
        our_in=result.our_in,
        our_out=result.our_out,
        actor_label=actor.label,
        recorded_at=at,
    )
    for finding in result.findings:
        note_finding(finding, at=at, bill=bill)
    _keep_returns(result.came_back, at=at)
    return bill


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ours:
    """Our side: transfers by reference, those of the day, and what the journal holds of each.

    `reversed_on` is the bank's day on which our books reversed the transfer's event;
    `reversed_today` are the transfers of which that is the day compared.
    """

    by_reference: dict[str, BankTransfer]
    of_day: list[BankTransfer]
    booked: dict[int, Money]
    reversed_on: dict[int, datetime.date]
    reversed_today: list[BankTransfer]


def _our_transfers(bills: DayOfBills) -> _Ours:
    references = {line.reference for line in bills.lines}
    references |= {line.order_reference for line in bills.lines}
    named = BankTransfer.objects.filter(public_id__in=list(_uuids(references)))
    of_day = BankTransfer.objects.filter(state__in=_DONE, bank_date=bills.day)
    day_rows = list(of_day.order_by("pk"))
    by_reference = {str(transfer.public_id): transfer for transfer in named}
    undone = _reversed_today(bills.day)
    keys = {transfer.pk for transfer in [*by_reference.values(), *day_rows, *undone]}
    return _Ours(
        by_reference=by_reference,
        of_day=day_rows,
        booked=_booked(keys),
        reversed_on=_reversed_on(keys),
        reversed_today=undone,
    )


def _reversed_today(day: datetime.date) -> list[BankTransfer]:
    begin = datetime.datetime.combine(day, _MIDNIGHT, tzinfo=BANK_TIME_ZONE)
    bodies = reversals_recorded(begin, begin + _ONE_DAY).values_list("body", flat=True)
    undone = BankTransfer.objects.filter(events__event_id__in=[body["of"] for body in bodies])
    return list(undone.filter(bank_date__isnull=False).order_by("pk"))


def _uuids(references: Iterable[str]) -> Iterator[UUID]:
    for reference in references:
        try:
            yield UUID(reference)
        except ValueError:
            continue


def _booked(keys: set[int]) -> dict[int, Money]:
    """Return what the journal's BANK account holds of each transfer's event, debit positive.

    What came back is a line of the bank, and an event, of its own.
    """
    rows = (
        Posting.objects.filter(entry__event__transfer__in=keys, account=LedgerAccount.BANK)
        .exclude(entry__event__kind=Reversed.kind)
        .values_list("entry__event__transfer")
        .annotate(debits=Sum("debit"), credits=Sum("credit"))
    )
    return {key: came - went for key, came, went in rows}


def _reversed_on(keys: set[int]) -> dict[int, datetime.date]:
    """Return the transfers whose event was reversed, with the bank's day of the reversal."""
    events = LoanEvent.objects.filter(transfer__in=keys).values_list("event_id", "transfer_id")
    transfer_of = {str(event_id): key for event_id, key in events}
    rows = reversals_of(list(transfer_of)).values_list("body", "recorded_at")
    return {transfer_of[str(body["of"])]: at.astimezone(BANK_TIME_ZONE).date() for body, at in rows}


def _compare(bills: DayOfBills, ours: _Ours, fee_rate: Decimal) -> _Comparison:
    result = _Comparison(came_back=dict(_came_back(bills.lines, ours)))
    known: set[tuple[BillLineKind, str]] = set()
    for line in bills.lines:
        key = (line.kind, line.reference)
        transfer = ours.by_reference.get(line.reference)
        if key in known:
            result.findings.append(
                _found(DifferenceKind.DUPLICATE_AT_BANK, bills.day, line, transfer)
            )
            continue
        known.add(key)
        _compare_line(result, bills.day, line, transfer, ours)
        _compare_fee(result, bills.day, line, transfer, fee_rate)
    for transfer in ours.of_day:
        if transfer.pk not in result.seen:
            result.count(ours.booked.get(transfer.pk, Money.zero()))
            result.findings.append(
                _found(DifferenceKind.MISSING_AT_BANK, bills.day, None, transfer)
            )
    _compare_reversals(result, ours)
    return result


def _compare_line(
    result: _Comparison,
    day: datetime.date,
    line: BillLine,
    transfer: BankTransfer | None,
    ours: _Ours,
) -> None:
    payment = _payment_taken_back(line, ours)
    if payment is not None:
        _compare_bounce(result, day, line, payment, ours)
        return
    if transfer is None or not _is_of_kind(line, transfer):
        result.findings.append(_found(DifferenceKind.MISSING_WITH_US, day, line, None))
        return
    if line.kind is BillLineKind.RETURN:
        _compare_return(result, day, line, transfer, is_reversed=transfer.pk in ours.reversed_on)
        return
    result.seen.add(transfer.pk)
    booked = ours.booked.get(transfer.pk, Money.zero())
    result.count(booked)
    expected = line.amount if line.came_in else -line.amount
    if transfer.amount != line.amount:
        result.findings.append(_found(DifferenceKind.AMOUNT_DIFFERS, day, line, transfer))
    elif transfer.state not in _DONE:
        result.findings.append(_found(DifferenceKind.STATE_DIFFERS, day, line, transfer))
    elif booked != expected:
        found = _found(DifferenceKind.AMOUNT_DIFFERS, day, line, transfer, our_amount=booked)
        result.findings.append(found)
    elif _is_taken_back(transfer, result, ours):
        result.findings.append(_taken_back(transfer, ours, line))
    else:
        result.matched += 1


def _compare_return(
    result: _Comparison,
    day: datetime.date,
    line: BillLine,
    transfer: BankTransfer,
    *,
    is_reversed: bool,
) -> None:
    """A payout that came back agrees when its event is reversed, or never was."""
    if transfer.state == TransferState.FAILED or is_reversed:
        result.matched += 1
        result.count(line.amount)
        return
    result.findings.append(_found(DifferenceKind.RETURNED, day, line, transfer))


def _payment_taken_back(line: BillLine, ours: _Ours) -> BankTransfer | None:
    """Return the payment that the bank took back by this line, and not by an order of ours."""
    payment = ours.by_reference.get(line.order_reference)
    if payment is None or payment.direction != TransferDirection.DEBIT or line.came_in:
        return None
    own = ours.by_reference.get(line.reference)
    if line.kind is BillLineKind.REFUND:
        return payment if own is None else None
    return payment if line.kind is BillLineKind.RETURN else None


def _compare_bounce(
    result: _Comparison,
    day: datetime.date,
    line: BillLine,
    payment: BankTransfer,
    ours: _Ours,
) -> None:
    """A payment that the bank took back whole agrees when its event is reversed, or never was."""
    is_undone = payment.pk in ours.reversed_on or payment.state == TransferState.FAILED
    if line.amount == payment.amount and is_undone:
        result.matched += 1
        return
    result.findings.append(_found(DifferenceKind.RETURNED, day, line, payment))


def _came_back(lines: Sequence[BillLine], ours: _Ours) -> Iterator[tuple[int, BillLine]]:
    """Yield what came back whole by a line of the bank: payments, and refunds that we reversed.

    About a payout the bank is asked.
    """
    for line in lines:
        transfer = _payment_taken_back(line, ours)
        if transfer is None and line.kind is BillLineKind.RETURN:
            own = ours.by_reference.get(line.reference)
            transfer = own if own is not None and own.pk in ours.reversed_on else None
        if transfer is not None and line.amount == transfer.amount:
            yield transfer.pk, line


def _compare_reversals(result: _Comparison, ours: _Ours) -> None:
    """Count what our journal took back on the day compared; find what the bank did not take back.

    A payout or a refund that came back counts on the day of the bank's line.
    """
    kind = DifferenceKind.TAKEN_BACK
    noted = {found.transfer for found in result.findings if found.kind == kind}
    for transfer in ours.reversed_today:
        alone = _is_taken_back(transfer, result, ours)
        if alone or transfer.direction == TransferDirection.DEBIT:
            result.count(-ours.booked.get(transfer.pk, Money.zero()))
        if alone and transfer not in noted:
            result.findings.append(_taken_back(transfer, ours, None))


def _is_taken_back(transfer: BankTransfer, result: _Comparison, ours: _Ours) -> bool:
    """Return whether our books reversed what stands at the bank."""
    stands = transfer.state == TransferState.SUCCEEDED and transfer.pk not in result.came_back
    return stands and transfer.pk in ours.reversed_on


def _taken_back(transfer: BankTransfer, ours: _Ours, line: BillLine | None) -> Finding:
    """Return the finding, the same whichever day it is found on: that of our reversal."""
    return Finding(
        kind=DifferenceKind.TAKEN_BACK,
        on_date=ours.reversed_on[transfer.pk],
        reference=str(transfer.public_id),
        bank_reference=transfer.bank_reference,
        bank_amount=transfer.amount,
        our_amount=Money.zero(),
        transfer=transfer,
        bank_side=line.raw if line else _words_of_success(transfer),
        our_side=our_side_of(transfer),
    )


def _words_of_success(transfer: BankTransfer) -> dict[str, str]:
    counted = (NoticeVerdict.APPLIED, NoticeVerdict.LATE)
    last = transfer.notices.filter(verdict__in=counted).order_by("pk").last()
    return last.body if last is not None else {}


def _keep_returns(came_back: dict[int, BillLine], *, at: datetime.datetime) -> None:
    """Note that these came back at the bank; settle the differences that waited for it."""
    done = BankTransfer.objects.for_update().filter(pk__in=came_back, state=TransferState.SUCCEEDED)
    for transfer in done:
        transfer.state = TRANSFER_LIFECYCLE.after(
            TransferState(transfer.state), TransferEvent.RETURN
        )
        transfer.save(update_fields=["state"])
    for key, line in came_back.items():
        note_came_back(transfer_id=key, body=line.raw, at=at)


def _compare_fee(
    result: _Comparison,
    day: datetime.date,
    line: BillLine,
    transfer: BankTransfer | None,
    fee_rate: Decimal,
) -> None:
    if line.kind is not BillLineKind.PAYMENT:
        expected = Money.zero()
    else:
        expected = Money.rounded(line.amount.amount * fee_rate, rounding=Rounding.HALF_UP)
    if line.fee != expected:
        found = _found(
            DifferenceKind.FEE,
            day,
            line,
            transfer,
            bank_amount=line.fee,
            our_amount=expected,
        )
        result.findings.append(found)


def _is_of_kind(line: BillLine, transfer: BankTransfer) -> bool:
    is_refund = transfer.channel == TransferChannel.ALIPAY_REFUND
    match line.kind:
        case BillLineKind.PAYMENT:
            return transfer.direction == TransferDirection.DEBIT
        case BillLineKind.REFUND:
            return is_refund
        case BillLineKind.PAYOUT | BillLineKind.RETURN:
            return transfer.direction == TransferDirection.PAYOUT and not is_refund
        case _:
            return False


def _found(
    kind: DifferenceKind,
    day: datetime.date,
    line: BillLine | None,
    transfer: BankTransfer | None,
    *,
    bank_amount: Money | None = None,
    our_amount: Money | None = None,
) -> Finding:
    if bank_amount is None and line is not None:
        bank_amount = line.amount
    if our_amount is None and transfer is not None:
        our_amount = transfer.amount
    return Finding(
        kind=kind,
        on_date=day,
        reference=line.reference if line else str(transfer.public_id if transfer else ""),
        bank_reference=line.bank_reference if line else "",
        bank_amount=bank_amount,
        our_amount=our_amount,
        transfer=transfer,
        bank_side=line.raw if line else {},
        our_side=our_side_of(transfer) if transfer else {},
    )
