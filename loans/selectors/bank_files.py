"""Which loans a line of a bank file may belong to, what is known of it, the queue, and sums."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import Count, Prefetch, Q, QuerySet, Sum

from accounts.selectors.card_holders import holders_of_cards
from loans.engine.bank_file import (
    Candidates,
    Direction,
    KnownLoan,
    RowReason,
    StatementLine,
    SuggestionReason,
    contract_numbers,
    suggestions,
)
from loans.engine.lifecycle import LoanStatus, TransferState
from loans.models import BankFile, BankFileRow, BankFileStep, BankTransfer, Loan, ReceivedMoney
from loans.models.bank_file import RowStepKind, RowVerdict
from loans.models.loan import OPEN_STATUSES
from loans.models.received_money import MoneyChannel
from loans.models.transfer import TransferDirection
from loans.selectors.reversals import reversals_of
from zhixin.shared.money import Money

SUGGESTIONS_MOST = 10


# --- Candidates for a batch of lines ------------------------------------------------------------


def candidates_for(lines: Sequence[StatementLine]) -> dict[int, Candidates]:
    """Return the loans that have to do with each line, by the line's number; a few queries."""
    numbers = {line.number: contract_numbers(line.remark) for line in lines}
    holders = holders_of_cards({line.payer_account for line in lines})
    names = {line.payer_name for line in lines if line.payer_name}
    people = {key for keys in holders.values() for key in keys}
    loans = (
        Loan.objects.filter(
            Q(agreement__number__in={one for some in numbers.values() for one in some})
            | Q(borrower__in=people)
            | Q(borrower__profile__full_name__in=names)
        )
        .select_related("agreement", "borrower__profile")
        .order_by("pk")
    )
    by_number: dict[str, KnownLoan] = {}
    by_person: dict[int, list[KnownLoan]] = defaultdict(list)
    by_name: dict[str, list[KnownLoan]] = defaultdict(list)
    for loan in loans:
        known = known_loan(loan)
        by_number[known.number] = known
        by_person[loan.borrower_id].append(known)
        by_name[known.borrower_name].append(known)
    return {
        line.number: Candidates(
            by_number=tuple(by_number[each] for each in numbers[line.number] if each in by_number),
            unknown_numbers=tuple(each for each in numbers[line.number] if each not in by_number),
            by_account=tuple(
                loan for key in holders.get(line.payer_account, ()) for loan in by_person[key]
            ),
            by_name=tuple(by_name[line.payer_name]) if line.payer_name in by_name else (),
        )
        for line in lines
    }


def known_loan(loan: Loan) -> KnownLoan:
    """Return what the rules need of a loan, by its projection."""
    dues = {loan.overdue_amount, loan.next_due_amount, loan.overdue_amount + loan.next_due_amount}
    is_open = loan.status in OPEN_STATUSES
    return KnownLoan(
        key=loan.pk,
        number=loan.agreement.number,
        status=LoanStatus(loan.status),
        borrower_name=loan.borrower.profile.full_name,
        dues=tuple(sorted(each for each in dues if each)) if is_open else (),
    )


# --- What is known of a payment -----------------------------------------------------------------


@dataclass(slots=True)
class KnownPayments:
    """What our books and earlier files know of a batch of lines, by identity and by serial.

    `above` are the identities of the lines above in the same file, by serial number.
    """

    above: dict[str, set[str]]
    taken: dict[str, BankFileStep] = field(default_factory=dict)
    identities: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    received: dict[str, tuple[Money, bool]] = field(default_factory=dict)
    transfers: dict[str, Money] = field(default_factory=dict)

    def note(self, line: StatementLine) -> None:
        """Keep a line of the same file, for those below it."""
        self.above.setdefault(line.serial, set()).add(line.identity)

    def reason_for(self, line: StatementLine) -> RowReason | None:
        """Return why there is nothing to book, or why a person has to look; None when it is new."""
        step = self.taken.get(line.identity)
        if step is not None:
            booked = step.kind == RowStepKind.BOOKED
            return RowReason.IMPORTED_BEFORE if booked else RowReason.WAITS_IN_QUEUE
        if line.serial in self.received:
            return self._by_hand(line)
        if line.serial in self.transfers:
            same = self.transfers[line.serial] == line.amount
            return RowReason.CAME_BY_RAIL if same else RowReason.REFERENCE_CONFLICT
        above = self.above.get(line.serial, set())
        if line.identity in above:
            return RowReason.TWICE_IN_FILE
        others = above or self.identities.get(line.serial)
        return RowReason.REFERENCE_CONFLICT if others and line.serial else None

    def _by_hand(self, line: StatementLine) -> RowReason:
        amount, is_reversed = self.received[line.serial]
        if is_reversed:
            return RowReason.REVERSED_BEFORE
        return RowReason.BOOKED_BY_HAND if amount == line.amount else RowReason.REFERENCE_CONFLICT


def known_payments(lines: Sequence[StatementLine], *, above: dict[str, set[str]]) -> KnownPayments:
    """Return what is known of the lines: money taken in, booked by hand, or moved by ourselves."""
    known = KnownPayments(above=above)
    identities = [line.identity for line in lines if line.amount]
    serials = [line.serial for line in lines if line.serial and line.amount]
    for step in BankFileStep.objects.filter(identity__in=identities).select_related("row"):
        known.taken[step.identity] = step
    taken = BankFileStep.objects.exclude(identity="").filter(row__serial__in=serials)
    for serial, identity in taken.values_list("row__serial", "identity"):
        known.identities[serial].add(identity)
    _add_received(known, serials)
    _add_transfers(known, serials)
    return known


def _add_received(known: KnownPayments, serials: list[str]) -> None:
    rows = list(
        ReceivedMoney.objects.filter(channel=MoneyChannel.BANK_TRANSFER, reference__in=serials)
        .order_by("use")
        .values_list("reference", "event__event_id", "event__body")
    )
    undone = {
        str(body["of"])
        for body in reversals_of([str(event_id) for _, event_id, _ in rows]).values_list(
            "body", flat=True
        )
    }
    for reference, event_id, body in rows:
        known.received[reference] = (Money.parse(body["amount"]), str(event_id) in undone)


def _add_transfers(known: KnownPayments, serials: list[str]) -> None:
    ours = Q(bank_reference__in=serials) | Q(public_id__in=list(_uuids(serials)))
    found = BankTransfer.objects.filter(
        ours, direction=TransferDirection.DEBIT, state=TransferState.SUCCEEDED
    )
    for bank_reference, public_id, amount in found.values_list(
        "bank_reference", "public_id", "amount"
    ):
        known.transfers[bank_reference] = amount
        known.transfers[str(public_id)] = amount


def _uuids(texts: Iterable[str]) -> Iterable[UUID]:
    for text in texts:
        try:
            yield UUID(text)
        except ValueError:
            continue


# --- Sums ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictSum:
    """Number and sum of the lines with one verdict; what went out stands in `amount_out`."""

    verdict: RowVerdict
    count: int
    amount_in: Money
    amount_out: Money

    @property
    def label(self) -> str:
        """Return the verdict in words."""
        return str(self.verdict.label)


def sums_of(file: BankFile) -> tuple[VerdictSum, ...]:
    """Return the sums by the verdicts as they were shown; they re-add to the file's."""
    rows = file.rows.values("verdict", "direction").annotate(count=Count("pk"), sum=Sum("amount"))
    found: dict[tuple[str, str], tuple[int, Money]] = {
        (row["verdict"], row["direction"]): (row["count"], row["sum"] or Money.zero())
        for row in rows
    }
    nothing = (0, Money.zero())
    return tuple(
        VerdictSum(
            verdict=verdict,
            count=sum(found.get((verdict, way), nothing)[0] for way in Direction),
            amount_in=found.get((verdict, Direction.IN), nothing)[1],
            amount_out=found.get((verdict, Direction.OUT), nothing)[1],
        )
        for verdict in RowVerdict
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSum:
    """Number and sum of the lines with which the same was done."""

    kind: RowStepKind
    count: int
    amount: Money

    @property
    def label(self) -> str:
        """Return what was done in words."""
        return str(self.kind.label)


def results_of(file: BankFile) -> tuple[StepSum, ...]:
    """Return what an import did with the lines of the file; with `to_do` they re-add to it."""
    rows = (
        BankFileStep.objects.filter(row__file=file)
        .exclude(kind__in=[RowStepKind.CLAIMED, RowStepKind.RELEASED])
        .values("kind")
        .annotate(count=Count("pk"), sum=Sum("row__amount"))
    )
    found = {row["kind"]: (row["count"], row["sum"] or Money.zero()) for row in rows}
    return tuple(
        StepSum(kind=kind, count=found[kind][0], amount=found[kind][1])
        for kind in RowStepKind
        if kind in found
    )


# --- The queue ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """Money that waits, and who has taken it on."""

    row: BankFileRow
    queued: BankFileStep
    holder: BankFileStep | None


def money_queue() -> list[QueueRow]:
    """Return the money without a loan, oldest first."""
    steps = Prefetch("steps", BankFileStep.objects.select_related("actor_user__profile"))
    rows = BankFileRow.objects.waiting().select_related("file").prefetch_related(steps)
    return [
        QueueRow(
            row=row,
            queued=next(step for step in row.steps.all() if step.kind == RowStepKind.QUEUED),
            holder=holder_among(list(row.steps.all())),
        )
        for row in rows
    ]


def holder_among(steps: Sequence[BankFileStep]) -> BankFileStep | None:
    """Return the step by which somebody has the line now, None when nobody has."""
    moves = (RowStepKind.CLAIMED, RowStepKind.RELEASED)
    last = max((step for step in steps if step.kind in moves), key=lambda one: one.pk, default=None)
    return last if last is not None and last.kind == RowStepKind.CLAIMED else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A loan that the money may belong to, and why."""

    loan: Loan
    why: SuggestionReason | None


def line_of(row: BankFileRow) -> StatementLine:
    """Return the stored line as the rules read it."""
    return StatementLine(
        number=row.line_number,
        cells={},
        booking_date=row.booking_date,
        direction=Direction(row.direction),
        amount=row.amount,
        payer_name=row.payer_name,
        payer_account=row.payer_account,
        serial=row.serial,
        remark=row.remark,
        reason=RowReason(row.problem) if row.problem else None,
        detail=row.detail,
        identity=row.identity,
    )


def suggestions_for(row: BankFileRow) -> list[Suggestion]:
    """Return the loans worth a look, the strongest reason first."""
    line = line_of(row)
    ranked = suggestions(line.amount, candidates_for([line])[line.number])[:SUGGESTIONS_MOST]
    loans = _with_people(Loan.objects.filter(pk__in=[known.key for known, _ in ranked]))
    by_key = {loan.pk: loan for loan in loans}
    return [Suggestion(loan=by_key[known.key], why=why) for known, why in ranked]


def search_loans(query: str) -> list[Suggestion]:
    """Return at most ten loans by contract number, name, or the last digits of the phone."""
    query = query.strip()
    if len(query) < 2:  # noqa: PLR2004 - A single sign finds everybody.
        return []
    where = Q(agreement__number__icontains=query) | Q(borrower__profile__full_name=query)
    if query.isdigit() and len(query) >= 4:  # noqa: PLR2004 - Fewer digits are anybody's.
        where |= Q(borrower__phone__endswith=query)
    loans = _with_people(Loan.objects.filter(where).order_by("-pk"))[:SUGGESTIONS_MOST]
    return [Suggestion(loan=loan, why=None) for loan in loans]


def _with_people(loans: QuerySet[Loan]) -> QuerySet[Loan]:
    return loans.select_related("agreement", "borrower__profile")
