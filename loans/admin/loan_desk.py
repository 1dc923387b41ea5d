"""Correct this loan: staff see what a correction would change, confirm it, and can undo it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.urls.resolvers import URLPattern
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import signed_in
from accounts.services.consents import record_access
from loans.access import may_open_loan
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
from loans.models import BankTransfer, Loan, LoanEvent, ProposedCorrection
from loans.models.loan import OPEN_STATUSES
from loans.selectors.business_day import business_date
from loans.selectors.loan_desk import (
    HistoryRow,
    figures,
    history_of,
    journal_rows,
    open_proposals,
)
from loans.selectors.servicing import events_of, loan_state
from loans.services.approvals import (
    approve_correction,
    correction_of,
    propose_correction,
    refuse_correction,
)
from loans.services.corrections import (
    Correction,
    LoanChangedError,
    Manner,
    Preview,
    SecondPersonNeededError,
    UnableToCorrectError,
    correct,
    preview,
)
from loans.services.disputes import open_disputes
from loans.services.refunds import CreditRefund, refund_credit, refundable_credit
from zhixin.shared import clock
from zhixin.shared.errors import DomainError
from zhixin.shared.money import Money
from zhixin.shared.permissions import staff_required
from zhixin.shared.templatetags.zhixin import money, plain_date

READ_PERMISSION = "loans.view_loan"
APPROVE_PERMISSION = "loans.approve_correction"
# What a look at the desk shows of a person; they see this list in their own pages.
FIELDS_READ = ("full_name", "loan")
PURPOSE = gettext_noop("Correcting a loan")


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
    waiting = {event.event_id for event in open_disputes(events_of(case.loan))}
    return [
        (str(row.event.event_id), _event_text(row))
        for row in case.history
        if str(row.event.event_id) in waiting
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


def urls(wrap: Callable[..., Any]) -> list[URLPattern]:
    """Return the desk's addresses, to stand before those of the list of loans."""
    return [
        path("desk/<uuid:public_id>/", wrap(desk), name="loans_desk"),
        path("desk/<uuid:public_id>/<slug:name>/", wrap(correction), name="loans_correction"),
        path("proposals/<uuid:public_id>/", wrap(proposal), name="loans_proposal"),
    ]


@staff_required(READ_PERMISSION)
@require_safe
def desk(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show where the loan stands, what may be done about it, and all that has happened."""
    case = _case_for(request, public_id)
    user = signed_in(request)
    done = next(
        (row for row in case.history if str(row.event.event_id) == request.GET.get("done")), None
    )
    context = {
        **_context(request, case),
        "figures": figures(case.state, case.state),
        "actions": [
            (name, action)
            for name, action in ACTIONS.items()
            if user.has_perm(action.permission) and action.applies(case)
        ],
        "may_undo": user.has_perm(ACTIONS["reversal"].permission),
        "done": done,
        "refunds": _refunds(case.loan),
        "proposals": open_proposals(case.loan),
        "person": user,
        "may_approve": user.has_perm(APPROVE_PERMISSION),
    }
    return render(request, "admin/loans/desk.html", context)


@staff_required(READ_PERMISSION)
@require_http_methods(["GET", "HEAD", "POST"])
def correction(request: HttpRequest, public_id: UUID, name: str) -> HttpResponse:
    """Take one correction: fill in, look at what it would change, confirm."""
    action = ACTIONS.get(name)
    if action is None:
        raise Http404
    if not signed_in(request).has_perm(action.permission):
        raise PermissionDenied
    case = _case_for(request, public_id)
    if request.method != "POST":
        initial = {**action.initial(case), **_chosen(request), "key": uuid4()}
        form = action.form(initial=initial, choices=action.choices(case))
        return _show(request, case, action, form)
    data = request.POST.copy()
    form = action.form(data, choices=action.choices(case))
    if not form.is_valid():
        return _answer_again(request, case, action, form)
    if "confirm" in data and form.cleaned_data["previewed"] == form.digest():
        return _carry_out(request, case, action, form, data)
    changed = "confirm" in data
    notice = _("You have changed the form. Look at the new figures first.") if changed else ""
    return _preview(request, case, action, form, data, notice=notice)


def _chosen(request: HttpRequest) -> dict[str, str]:
    return {name: request.GET[name] for name in ("event", "dispute") if name in request.GET}


def _answer_again(
    request: HttpRequest, case: DeskCase, action: Action, form: CorrectionForm
) -> HttpResponse:
    """Show the form with its errors, or the event of the same order that was given before.

    What was to choose may be gone because a form sent twice has done it already.
    """
    done = case.loan.events.filter(
        command__key=str(form.data.get("key", "")), actor_user=signed_in(request)
    ).first()
    if done is not None:
        return _to_desk(case.loan, done=str(done.event_id))
    return _show(request, case, action, form)


def _carry_out(
    request: HttpRequest,
    case: DeskCase,
    action: Action,
    form: CorrectionForm,
    data: QueryDict,
) -> HttpResponse:
    wanted = form.correction()
    manner: Manner = {
        "actor": signed_in(request).as_actor(),
        "reason": form.cleaned_data["reason"],
        "key": str(form.cleaned_data["key"]),
        "business_date": business_date(),
        "at": clock.now(),
        "seen": form.cleaned_data["seen"],
    }
    try:
        if isinstance(wanted, CreditRefund):
            refund_credit(loan_id=case.loan.pk, amount=wanted.amount, **manner)
            messages.success(request, _("The refund is on its way to the borrower's account."))
            return _to_desk(case.loan)
        done = _correct_or_propose(request, case.loan, wanted, manner)
    except LoanChangedError as error:
        return _preview(request, case, action, form, data, notice=str(error))
    except DomainError as error:
        _add_error(form, error)
        return _show(request, case, action, form)
    return _to_desk(case.loan, done=done)


def _correct_or_propose(
    request: HttpRequest, loan: Loan, wanted: Correction, manner: Manner
) -> str:
    """Return the id of the event; empty when the correction waits for a second person."""
    try:
        return str(correct(loan_id=loan.pk, correction=wanted, **manner).event_id)
    except (SecondPersonNeededError, LoanEvent.DoesNotExist):
        # Its key may have been used already: for the proposal of the same form.
        propose_correction(loan_id=loan.pk, correction=wanted, **manner)
    messages.warning(
        request, _("This needs a second person. It waits for them and changes nothing until then.")
    )
    return ""


@staff_required(APPROVE_PERMISSION)
@require_http_methods(["GET", "HEAD", "POST"])
def proposal(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show what another person proposed and what it would change; take the decision."""
    found = ProposedCorrection.objects.select_related("loan", "proposed_by")
    proposed = found.filter(public_id=public_id).first()
    if proposed is None:
        raise Http404
    case = _case_for(request, proposed.loan.public_id)
    notice = ""
    if request.method == "POST":
        try:
            return _decide(request, proposed)
        except DomainError as error:
            notice = str(error)
    context = {**_context(request, case), "proposal": proposed, "notice": notice}
    try:
        shown = preview(
            loan_id=case.loan.pk, correction=correction_of(proposed), business_date=business_date()
        )
    except DomainError as error:
        context["notice"] = notice or str(error)
    else:
        context |= _figures(shown)
    status = 409 if notice else 200
    return render(request, "admin/loans/desk_proposal.html", context, status=status)


def _decide(request: HttpRequest, proposed: ProposedCorrection) -> HttpResponse:
    approver = signed_in(request).as_actor()
    if "approve" not in request.POST:
        refuse_correction(proposal_id=proposed.pk, approver=approver, at=clock.now())
        messages.info(request, _("Refused. Nothing has changed."))
        return _to_desk(proposed.loan)
    event = approve_correction(
        proposal_id=proposed.pk,
        approver=approver,
        business_date=business_date(),
        at=clock.now(),
        seen=request.POST.get("seen", ""),
    )
    return _to_desk(proposed.loan, done=str(event.event_id))


def _preview(
    request: HttpRequest,
    case: DeskCase,
    action: Action,
    form: CorrectionForm,
    data: QueryDict,
    *,
    notice: str,
) -> HttpResponse:
    try:
        shown = preview(
            loan_id=case.loan.pk, correction=form.correction(), business_date=business_date()
        )
    except DomainError as error:
        _add_error(form, error)
        return _show(request, case, action, form)
    # The hidden fields of the form that comes back: what was looked at, and at which figures.
    data["seen"], data["previewed"] = shown.seen, form.digest()
    form.data = data
    return _show(request, case, action, form, shown=shown, notice=notice)


def _add_error(form: CorrectionForm, error: DomainError) -> None:
    field = error.field if isinstance(error, UnableToCorrectError) else ""
    form.add_error(field if field in form.fields else None, str(error))


def _to_desk(loan: Loan, *, done: str = "") -> HttpResponse:
    address = reverse("admin:loans_desk", args=[loan.public_id])
    return redirect(f"{address}?done={done}" if done else address)


def _case_for(request: HttpRequest, public_id: UUID) -> DeskCase:
    """Return the loan to who may open it; nobody corrects, or reads, a loan of their own."""
    loans = Loan.objects.select_related("agreement", "borrower__profile")
    loan = loans.filter(public_id=public_id).first()
    if loan is None:
        raise Http404
    user = signed_in(request)
    if loan.borrower_id == user.pk:
        raise PermissionDenied
    if not may_open_loan(user, loan):
        raise Http404
    today = business_date()
    state = loan_state(loan, as_of=max(today, loan.projected_as_of or today))
    return DeskCase(loan=loan, state=state, history=history_of(loan))


def _refunds(loan: Loan) -> list[BankTransfer]:
    return list(loan.transfers.filter(purpose="REFUND").order_by("-pk"))


def _context(request: HttpRequest, case: DeskCase) -> dict[str, Any]:
    record_access(
        actor=signed_in(request).as_actor(),
        subject=case.loan.borrower,
        fields=FIELDS_READ,
        purpose=PURPOSE,
        at=clock.now(),
    )
    number = case.loan.agreement.number
    return {
        **admin.site.each_context(request),
        "title": _("Loan %(number)s") % {"number": number},
        "case": case,
    }


def _figures(shown: Preview) -> dict[str, Any]:
    return {
        "preview": shown,
        "figures": figures(shown.before, shown.after),
        "journal": journal_rows(shown.journal),
    }


def _show(
    request: HttpRequest,
    case: DeskCase,
    action: Action,
    form: CorrectionForm,
    *,
    shown: Preview | None = None,
    notice: str = "",
) -> HttpResponse:
    context = {**_context(request, case), "action": action, "form": form, "notice": notice}
    if shown is not None:
        context |= _figures(shown)
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "admin/loans/desk_correction.html", context, status=status)
