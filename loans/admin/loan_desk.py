"""Correct this loan: staff see what a correction would change, confirm it, and can undo it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.urls.resolvers import URLPattern
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import signed_in
from accounts.services.consents import record_access
from loans.access import may_open_loan
from loans.admin.desk_actions import ACTIONS, Action, DeskCase, may_reverse
from loans.forms.corrections import CorrectionForm
from loans.models import (
    BankTransfer,
    CorrectionDecision,
    Loan,
    LoanEvent,
    ProposedCorrection,
)
from loans.selectors.business_day import business_date
from loans.selectors.loan_desk import (
    HistoryRow,
    figures,
    history_of,
    journal_rows,
    open_proposals,
)
from loans.selectors.servicing import loan_state
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
from loans.services.refunds import CreditRefund, refund_credit
from zhixin.shared import clock
from zhixin.shared.errors import DomainError
from zhixin.shared.permissions import staff_required

READ_PERMISSION = "loans.view_loan"
APPROVE_PERMISSION = "loans.approve_correction"
# What a look at the desk shows of a person; they see this list in their own pages.
FIELDS_READ = ("full_name", "loan")
PURPOSE = gettext_noop("Correcting a loan")


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
    decision = CorrectionDecision.objects.filter(proposal=proposed).first()
    context = {
        **_context(request, case),
        "proposal": proposed,
        "notice": notice,
        "decision": decision,
        "made": next((row for row in case.history if _is_made_by(decision, row)), None),
        "may_decide": decision is None and proposed.proposed_by_id != signed_in(request).pk,
    }
    if decision is None:
        context |= _preview_of(proposed, notice)
    status = 409 if notice else 200
    return render(request, "admin/loans/desk_proposal.html", context, status=status)


def _is_made_by(decision: CorrectionDecision | None, row: HistoryRow) -> bool:
    return decision is not None and row.event.pk == decision.event_id


def _preview_of(proposed: ProposedCorrection, notice: str) -> dict[str, Any]:
    """Return what the proposal would change, or why it cannot be made any more."""
    try:
        shown = preview(
            loan_id=proposed.loan_id,
            correction=correction_of(proposed),
            business_date=business_date(),
        )
    except DomainError as error:
        return {"notice": notice or str(error)}
    return _figures(shown)


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
    history = tuple(
        replace(row, can_be_undone=row.can_be_undone and may_reverse(user, row.event.kind))
        for row in history_of(loan)
    )
    return DeskCase(loan=loan, state=state, history=history)


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
