"""The kinds of corrections at the desk: who may order one, and when it makes sense."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from loans.engine.events import (
    ChargedOff,
    Disputed,
    DisputeResolved,
    DueDateMoved,
    Recovered,
    Refunded,
    Repaid,
    Waived,
)
from loans.engine.lifecycle import LoanStatus
from loans.engine.state import LoanState
from loans.forms.corrections import (
    AnswerForm,
    ChargeOffForm,
    Choices,
    CorrectionForm,
    DisputeForm,
    DueDateForm,
    MoneyForm,
    RecoveryForm,
    RefundForm,
    ReversalForm,
    WaiverForm,
)
from loans.models import Loan
from loans.models.loan import OPEN_STATUSES
from loans.selectors.business_day import business_date
from loans.selectors.loan_desk import HistoryRow
from loans.services.refunds import refundable_credit
from zhixin.shared.money import Money
from zhixin.shared.templatetags.zhixin import money, plain_date


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskCase:
    """A loan on the desk with its state and history."""

    loan: Loan
    state: LoanState
    history: tuple[HistoryRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """A kind of correction: who may order it, what is filled in, when it makes sense."""

    title: Promise
    hint: Promise
    permission: str
    form: type[CorrectionForm]
    applies: Callable[[DeskCase], bool]
    choices: Callable[[DeskCase], Choices] = lambda _case: ()
    initial: Callable[[DeskCase], dict[str, object]] = lambda _case: {}


def _is_open(case: DeskCase) -> bool:
    return case.state.status in OPEN_STATUSES


def _owes(case: DeskCase) -> bool:
    return _is_open(case) or case.state.status == LoanStatus.CHARGED_OFF


def _is_funded(case: DeskCase) -> bool:
    return case.state.status != LoanStatus.PENDING


def _installments(case: DeskCase) -> Choices:
    return [
        (
            str(row.number),
            _("%(number)s: due %(day)s, %(amount)s open")
            % {
                "number": row.number,
                "day": plain_date(row.payable_through),
                "amount": money(row.outstanding.total),
            },
        )
        for row in case.state.installments
        if row.outstanding.total
    ]


def _events(case: DeskCase) -> Choices:
    return [
        (str(row.event.event_id), _event_text(row)) for row in case.history if row.can_be_undone
    ]


def _event_text(row: HistoryRow) -> str:
    day, kind = plain_date(row.event.effective_date), row.event.get_kind_display()
    return " · ".join(part for part in (day, kind, row.details) if part)


def _disputes(case: DeskCase) -> Choices:
    return [
        (str(row.event.event_id), _event_text(row))
        for row in case.history
        if str(row.event.event_id) in case.state.disputes
    ]


def _credit(case: DeskCase) -> Money:
    return refundable_credit(case.loan, case.state)


def _today(_case: DeskCase) -> dict[str, object]:
    return {"effective_date": business_date()}


ACTIONS: dict[str, Action] = {
    "repayment": Action(
        title=gettext_lazy("Book a repayment"),
        hint=gettext_lazy("Money that came by transfer, in cash or otherwise, also days ago."),
        permission="loans.record_money",
        form=MoneyForm,
        applies=_is_funded,
        initial=_today,
    ),
    "recovery": Action(
        title=gettext_lazy("Book a recovery"),
        hint=gettext_lazy("Money that came after the loan was written off."),
        permission="loans.record_money",
        form=RecoveryForm,
        applies=lambda case: case.state.status == LoanStatus.CHARGED_OFF,
        initial=_today,
    ),
    "reversal": Action(
        title=gettext_lazy("Reverse an event"),
        hint=gettext_lazy("A debit that bounced, a booking on the wrong loan."),
        permission="loans.reverse_event",
        form=ReversalForm,
        applies=lambda case: any(row.can_be_undone for row in case.history),
        choices=_events,
    ),
    "waiver": Action(
        title=gettext_lazy("Waive an amount"),
        hint=gettext_lazy("Of what is billed and owed, for good."),
        permission="loans.waive_amounts",
        form=WaiverForm,
        applies=lambda case: bool(case.state.due_now.total),
    ),
    "due-date": Action(
        title=gettext_lazy("Move a due date"),
        hint=gettext_lazy(
            "Later, without interest or late charges from today on. Installments that are due "
            "before the new day are then paid first. Late charges so far stay; waive them apart."
        ),
        permission="loans.move_due_date",
        form=DueDateForm,
        applies=_is_open,
        choices=_installments,
    ),
    "dispute": Action(
        title=gettext_lazy("Open a dispute"),
        hint=gettext_lazy("The installment does not get later until it is answered."),
        permission="loans.handle_dispute",
        form=DisputeForm,
        applies=_owes,
        choices=_installments,
    ),
    "answer": Action(
        title=gettext_lazy("Answer a dispute"),
        hint=gettext_lazy("The days in dispute stay uncounted."),
        permission="loans.handle_dispute",
        form=AnswerForm,
        applies=lambda case: any(row.disputed for row in case.state.installments),
        choices=_disputes,
    ),
    "refund": Action(
        title=gettext_lazy("Refund credit"),
        hint=gettext_lazy("Back to the borrower's own account."),
        permission="loans.record_money",
        form=RefundForm,
        applies=lambda case: bool(_credit(case)),
        initial=lambda case: {"amount": str(_credit(case))},
    ),
    "charge-off": Action(
        title=gettext_lazy("Write the loan off"),
        hint=gettext_lazy("Nothing accrues any more; the debt remains."),
        permission="loans.charge_off_loan",
        form=ChargeOffForm,
        applies=_is_open,
    ),
}

_ACTION_OF_EVENT = {
    Repaid.kind: "repayment",
    Recovered.kind: "recovery",
    Refunded.kind: "refund",
    Waived.kind: "waiver",
    DueDateMoved.kind: "due-date",
    Disputed.kind: "dispute",
    DisputeResolved.kind: "answer",
    ChargedOff.kind: "charge-off",
}


def may_reverse(user: User, kind: str) -> bool:
    """Return whether `user` may undo events of the kind: who may reverse, and may make one."""
    name = _ACTION_OF_EVENT.get(kind)
    needed = [ACTIONS["reversal"].permission]
    if name is not None:
        needed.append(ACTIONS[name].permission)
    return user.has_perms(needed)
