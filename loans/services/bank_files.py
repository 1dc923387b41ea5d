"""Import a bank's statement: judge every line, show it, then book what was shown, line by line.

What cannot be booked by itself goes into suspense and waits for a person (`bank_queue`). Each line
is a transaction of its own, locked before the loan; cut off and run again is the same as once.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from loans.engine.bank_file import (
    INVALID,
    UNREADABLE,
    Candidates,
    Direction,
    KnownLoan,
    RowReason,
    Statement,
    StatementLine,
    match,
    may_exceed,
)
from loans.engine.events import InvalidEventError
from loans.engine.state import LoanState
from loans.models import BankFile, BankFileRow, BankFileStep, Loan
from loans.models.bank_file import IMPORT_STEPS, RowStepKind, RowVerdict
from loans.models.received_money import MoneyChannel
from loans.selectors.bank_files import KnownPayments, candidates_for, known_payments, line_of
from loans.services.corrections import LoanCase, case_of
from loans.services.ledger import SuspenseReason, post_suspense
from loans.services.received_money import MoneyReceived, record_repayment
from zhixin.shared.actor import Actor
from zhixin.shared.errors import DomainError
from zhixin.shared.money import Money, total

BATCH = 500
_KNOWN = frozenset(
    {
        RowReason.IMPORTED_BEFORE,
        RowReason.WAITS_IN_QUEUE,
        RowReason.TWICE_IN_FILE,
        RowReason.BOOKED_BY_HAND,
        RowReason.CAME_BY_RAIL,
    }
)
_SHOWN = frozenset({RowReason.OUTGOING, RowReason.TOTALS})
Report = Callable[[int, int], None]


class UnableToImportError(DomainError):
    """The file, or a line of it, cannot be imported; the message says why."""


class UnreadableLinesError(UnableToImportError):
    """Lines cannot be read; the import waits until somebody accepts that they stay listed."""


class OwnLoanError(UnableToImportError):
    """Nobody books money on a loan of their own."""


# --- Verdicts -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The verdict on one line: what an import would do with it now, and why."""

    line: StatementLine
    verdict: RowVerdict
    reason: RowReason
    detail: str = ""
    loan: KnownLoan | None = None
    what_if: dict[str, str] = field(default_factory=dict)


class Judge:
    """Judges the lines of one file in their order; several on one loan are folded together."""

    def __init__(self, *, business_date: datetime.date) -> None:
        self._business_date = business_date
        self._cases: dict[int, LoanCase] = {}
        self._above: dict[str, set[str]] = {}

    def judge(self, lines: Sequence[StatementLine]) -> Iterator[Judgement]:
        """Yield the verdict on each line; nothing is written."""
        found = candidates_for([line for line in lines if line.direction is Direction.IN])
        known = known_payments(lines, above=self._above)
        for line in lines:
            yield self._judge(line, found.get(line.number, Candidates()), known)
            if line.direction is Direction.IN and line.serial and line.reason is None:
                known.note(line)

    def _judge(self, line: StatementLine, found: Candidates, known: KnownPayments) -> Judgement:
        if line.reason in _SHOWN:
            return Judgement(line=line, verdict=RowVerdict.SKIPPED, reason=line.reason)
        if line.reason in UNREADABLE:
            return _invalid(line, line.reason)
        reason = known.reason_for(line)
        if reason in _KNOWN:
            return Judgement(line=line, verdict=RowVerdict.ALREADY_BOOKED, reason=reason)
        if line.reason in INVALID:
            return _invalid(line, line.reason)
        if reason is not None:
            return _unmatched(line, reason, line.serial)
        return self._match(line, found)

    def _match(self, line: StatementLine, found: Candidates) -> Judgement:
        if line.booking_date is None or line.booking_date > self._business_date:
            return _unmatched(line, RowReason.FUTURE_DATE, str(line.booking_date))
        spoken = match(line, found)
        if spoken.loan is None:
            return _unmatched(line, spoken.reason, spoken.detail)
        try:
            case, what_if = self._fold(line, spoken.loan.key)
        except InvalidEventError as error:
            return _unmatched(line, RowReason.REFUSED, f"{spoken.loan.number}: {error.problem}")
        except DomainError as error:
            return _unmatched(line, RowReason.REFUSED, f"{spoken.loan.number}: {error}")
        beyond = what_if["beyond"]
        if beyond != "0.00" and not may_exceed(spoken.reason):
            detail = f"{spoken.loan.number}: +{beyond}"
            return _unmatched(line, RowReason.MORE_THAN_OWED, detail)
        self._cases[spoken.loan.key] = case
        return Judgement(
            line=line,
            verdict=RowVerdict.WILL_BOOK,
            reason=spoken.reason,
            detail=spoken.detail,
            loan=spoken.loan,
            what_if=what_if,
        )

    def _fold(self, line: StatementLine, loan_id: int) -> tuple[LoanCase, dict[str, str]]:
        """Return what the money would pay, with all lines above it on the same loan."""
        case = self._cases.get(loan_id)
        if case is None:
            loan = Loan.objects.select_related("agreement").get(pk=loan_id)
            case = case_of(loan, business_date=self._business_date)
        sequence = len(case.events) + 1
        event = money_of(line).event_maker(case)(f"what-if-{sequence}", sequence)
        state = case.fold_with(event)
        paid = {"kind": event.kind, **_paid(case.state, state, event.event_id)}
        return replace(case, events=(*case.events, event), state=state), paid


def _invalid(line: StatementLine, reason: RowReason) -> Judgement:
    return Judgement(line=line, verdict=RowVerdict.INVALID, reason=reason, detail=line.detail)


def _unmatched(line: StatementLine, reason: RowReason, detail: str) -> Judgement:
    return Judgement(line=line, verdict=RowVerdict.UNMATCHED, reason=reason, detail=detail[:300])


def money_of(line: StatementLine) -> MoneyReceived:
    """Return the order by which a readable line is booked on a loan."""
    if line.amount is None or line.booking_date is None:
        raise ValueError("Only a line with amount and day can be booked.")
    return MoneyReceived(
        amount=line.amount,
        effective_date=line.booking_date,
        channel=MoneyChannel.BANK_TRANSFER,
        reference=line.serial,
    )


def _paid(before: LoanState, after: LoanState, event_id: str) -> dict[str, str]:
    """Return what the money paid by bucket, the rest as credit, and what is owed around it."""
    went = next((each for each in after.repayments if each.event_id == event_id), None)
    parts = [] if went is None else [part.amount for part in went.parts]
    return {
        "principal": str(total(part.principal for part in parts)),
        "interest": str(total(part.interest for part in parts)),
        "fees": str(total(part.fees for part in parts)),
        "penalty": str(total(part.penalty for part in parts)),
        "credit": "0.00" if went is None else str(went.credit),
        # Of the credit, what nothing is owed for: it goes back to the borrower.
        "beyond": str(max(after.overpaid - before.overpaid, Money.zero())),
        "owed_before": str(before.payoff_amount),
        "owed_after": str(after.payoff_amount),
    }


def judge_statement(
    statement: Statement, *, business_date: datetime.date, report: Report = lambda *_: None
) -> list[Judgement]:
    """Return the verdict on every line of a statement, and write nothing."""
    judge = Judge(business_date=business_date)
    done: list[Judgement] = []
    for start in range(0, len(statement.lines), BATCH):
        done += judge.judge(statement.lines[start : start + BATCH])
        report(len(done), len(statement.lines))
    return done


# --- The file -----------------------------------------------------------------------------------


def known_file(content: bytes) -> BankFile | None:
    """Return the file with the same content, when it was stored before."""
    return BankFile.objects.filter(sha256=hashlib.sha256(content).hexdigest()).first()


def store_bank_file(
    *,
    content: bytes,
    name: str,
    statement: Statement,
    judgements: Sequence[Judgement],
    actor: Actor,
    at: datetime.datetime,
) -> tuple[BankFile, bool]:
    """Keep a file with its lines and their verdicts, and book nothing; return whether it is new."""
    known = known_file(content)
    if known is not None:
        return known, False
    try:
        with transaction.atomic():
            file = BankFile.objects.create(
                sha256=hashlib.sha256(content).hexdigest(),
                name=_file_name(name),
                encoding=statement.encoding,
                row_count=len(statement.lines),
                amount_in=statement.amount_in,
                amount_out=statement.amount_out,
                actor_user_id=actor.user_id,
                actor_label=actor.label,
                recorded_at=at,
            )
            rows = (_row(file, each) for each in judgements)
            BankFileRow.objects.bulk_create(rows, batch_size=BATCH)
    except IntegrityError:
        known = known_file(content)
        if known is None:
            raise
        return known, False
    return file, True


def _file_name(name: str) -> str:
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    plain = "".join(char for char in last if char.isprintable())
    return plain[-120:] or "statement.csv"


def _row(file: BankFile, judged: Judgement) -> BankFileRow:
    line = judged.line
    return BankFileRow(
        file=file,
        line_number=line.number,
        raw=json.dumps(dict(line.cells), ensure_ascii=False),
        booking_date=line.booking_date,
        direction=line.direction,
        amount=line.amount,
        payer_name=line.payer_name[:120],
        payer_account=line.payer_account,
        payer_last_four=line.payer_account[-4:],
        serial=line.serial,
        remark=line.remark[:300],
        identity=line.identity,
        verdict=judged.verdict,
        reason=judged.reason,
        detail=judged.detail[:300],
        problem=line.reason or "",
        loan_id=judged.loan.key if judged.loan else None,
        what_if=judged.what_if,
    )


# --- The import ---------------------------------------------------------------------------------


def unreadable_lines(file: BankFile) -> int:
    """Return how many lines of the file that are not dealt with cannot be read."""
    return file.rows.to_do().filter(problem__in=UNREADABLE).count()


def import_bank_file(
    *,
    file_id: int,
    actor: Actor,
    business_date: datetime.date,
    clock: Callable[[], datetime.datetime],
    accept_unreadable: bool = False,
    report: Report = lambda *_: None,
) -> int:
    """Book what is to be booked, put the rest in the queue; return how many lines were dealt with.

    Safe to stop and to run again, by several at once. Raises UnreadableLinesError, before anything
    is booked, when lines cannot be read and nobody has accepted that they stay listed.
    """
    file = BankFile.objects.get(pk=file_id)
    unreadable = unreadable_lines(file)
    if unreadable and not accept_unreadable:
        raise UnreadableLinesError(
            _("%(count)d lines cannot be read. Accept that they stay listed, or mend the file.")
            % {"count": unreadable}
        )
    keys = list(file.rows.to_do().values_list("pk", flat=True))
    for done, key in enumerate(keys, start=1):
        import_row(row_id=key, actor=actor, business_date=business_date, at=clock())
        report(done, len(keys))
    return len(keys)


@transaction.atomic
def import_row(
    *, row_id: int, actor: Actor, business_date: datetime.date, at: datetime.datetime
) -> BankFileStep:
    """Judge one line again and do what the verdict says, once; return what was done.

    Only what was shown is booked by itself: money that would now go to another loan waits in the
    queue. An error on the loan's side sends it there too, with the reason.
    """
    row = BankFileRow.objects.for_update().select_related("file").get(pk=row_id)
    done = row.steps.filter(kind__in=IMPORT_STEPS).first()
    if done is not None:
        return done
    work = _RowWork(row=row, actor=actor, business_date=business_date, at=at)
    judged = work.judge()
    try:
        with transaction.atomic():
            return work.carry_out(judged)
    except DomainError as error:
        judged = work.judge()
        if judged.verdict == RowVerdict.WILL_BOOK:
            judged = _unmatched(judged.line, RowReason.REFUSED, str(error))
    except IntegrityError:
        # Another file took the same money in at this moment; anything else is no excuse.
        judged = work.judge()
        if judged.verdict != RowVerdict.ALREADY_BOOKED:
            raise
    return work.carry_out(judged)


@dataclass(frozen=True, slots=True, kw_only=True)
class _RowWork:
    """A locked line and who imports it when."""

    row: BankFileRow
    actor: Actor
    business_date: datetime.date
    at: datetime.datetime

    def judge(self) -> Judgement:
        """Return the verdict of now; a loan that was not shown is not booked on."""
        line = line_of(self.row)
        (judged,) = Judge(business_date=self.business_date).judge([line])
        if judged.loan is None:
            return judged
        shown = self.row.verdict == RowVerdict.WILL_BOOK and self.row.loan_id == judged.loan.key
        return judged if shown else _unmatched(line, RowReason.CHANGED, judged.loan.number)

    def carry_out(self, judged: Judgement) -> BankFileStep:
        """Do what the verdict says, and write that it was done."""
        match judged.verdict:
            case RowVerdict.WILL_BOOK:
                return self._book(judged)
            case RowVerdict.ALREADY_BOOKED:
                return self._write(RowStepKind.KNOWN, judged)
            case RowVerdict.SKIPPED:
                return self._write(RowStepKind.SHOWN, judged)
            case RowVerdict.INVALID if judged.line.is_unreadable:
                return self._write(RowStepKind.LISTED, judged)
            case _:
                return self._queue(judged)

    def _book(self, judged: Judgement) -> BankFileStep:
        if judged.loan is None:
            raise ValueError("Money to be booked has a loan.")
        refuse_own_loan(judged.loan.key, self.actor)
        money = money_of(judged.line)
        event = record_repayment(
            loan_id=judged.loan.key,
            amount=money.amount,
            effective_date=money.effective_date,
            channel=money.channel,
            reference=money.reference,
            actor=self.actor,
            reason=reason_of(self.row),
            key=command_key(self.row),
            business_date=self.business_date,
            at=self.at,
        )
        return self._write(
            RowStepKind.BOOKED, judged, identity=self.row.identity, event_id=event.pk
        )

    def _queue(self, judged: Judgement) -> BankFileStep:
        if judged.line.amount is None:
            raise ValueError("Money in suspense has an amount.")
        entry = post_suspense(
            amount=judged.line.amount,
            reason=SuspenseReason.RECEIVED,
            business_date=self.business_date,
            actor=self.actor,
            at=self.at,
        )
        return self._write(
            RowStepKind.QUEUED, judged, identity=self.row.identity, entry_id=entry.pk
        )

    def _write(
        self,
        kind: RowStepKind,
        judged: Judgement,
        *,
        identity: str = "",
        event_id: int | None = None,
        entry_id: int | None = None,
    ) -> BankFileStep:
        return BankFileStep.objects.create(
            row=self.row,
            kind=kind,
            identity=identity,
            why=judged.reason,
            detail=judged.detail[:300],
            changed=judged.verdict != self.row.verdict,
            event_id=event_id,
            entry_id=entry_id,
            actor_user_id=self.actor.user_id,
            actor_label=self.actor.label,
            recorded_at=self.at,
        )


def command_key(row: BankFileRow) -> str:
    """Return the idempotency key of a line's money: the same in every file it comes with."""
    return f"bank-file-{row.identity}"


def reason_of(row: BankFileRow) -> str:
    """Return the reason that the loan's event keeps."""
    return _("Bank file %(name)s, line %(line)d") % {
        "name": row.file.name,
        "line": row.line_number,
    }


def refuse_own_loan(loan_id: int, actor: Actor) -> None:
    """Raise OwnLoanError when the loan is the actor's own."""
    if Loan.objects.filter(pk=loan_id, borrower=actor.user_id).exists():
        raise OwnLoanError(_("Nobody books money on a loan of their own."))
