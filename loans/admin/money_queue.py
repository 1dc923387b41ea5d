"""The queue of money without a loan: take it on, book it on a loan, or note its return."""

from __future__ import annotations

import datetime
import json
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import signed_in
from accounts.services.consents import record_access
from loans.admin.loan_desk import FIELDS_READ, PURPOSE
from loans.engine.bank_file import account_text
from loans.forms.bank_files import MatchForm, ReturnForm
from loans.models import BankFileRow, Loan
from loans.models.bank_file import IMPORT_PERMISSION, SETTLING_STEPS, SUGGESTION_LABELS, RowStepKind
from loans.selectors.bank_files import (
    Suggestion,
    holder_among,
    money_queue,
    search_loans,
    suggestions_for,
)
from loans.selectors.business_day import business_date
from loans.selectors.loan_desk import figures, journal_rows
from loans.services.bank_queue import (
    Deed,
    MoneyAlreadySettledError,
    claim_money,
    match_money,
    preview_match,
    release_money,
    return_money,
)
from loans.services.corrections import LoanChangedError
from zhixin.shared import clock
from zhixin.shared.errors import DomainError
from zhixin.shared.permissions import staff_required

READ_PERMISSION = "loans.view_bankfile"


@staff_required(READ_PERMISSION)
@require_safe
def queue(request: HttpRequest) -> HttpResponse:
    """List the money that waits, oldest first."""
    context = {
        **admin.site.each_context(request),
        "title": _("Money without a loan"),
        "rows": money_queue(),
        "person": signed_in(request),
    }
    return render(request, "admin/loans/bank_file_queue.html", context)


@staff_required(READ_PERMISSION)
@require_http_methods(["GET", "HEAD", "POST"])
def money_without_loan(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one amount with what is known of it; take it on, book it, or note its return."""
    found = BankFileRow.objects.select_related("file").filter(pk=pk, steps__kind=RowStepKind.QUEUED)
    row = found.first()
    if row is None:
        raise Http404
    if request.method == "POST":
        if not signed_in(request).has_perm(IMPORT_PERMISSION):
            raise PermissionDenied
        return _act(request, row)
    return _show(request, row)


def _act(request: HttpRequest, row: BankFileRow) -> HttpResponse:
    actor, at = signed_in(request).as_actor(), clock.now()
    try:
        match request.POST.get("do"):
            case "claim":
                claim_money(row_id=row.pk, actor=actor, at=at)
            case "release":
                release_money(row_id=row.pk, actor=actor, at=at)
            case "look" | "book":
                return _book(request, row)
            case "return":
                return _return(request, row)
            case _:
                raise Http404
    except DomainError as error:
        messages.error(request, str(error))
    return redirect("admin:loans_money", pk=row.pk)


def _book(request: HttpRequest, row: BankFileRow) -> HttpResponse:
    form = MatchForm(request.POST)
    if not form.is_valid():
        return _show(request, row, match_form=form)
    values = form.cleaned_data
    looked = request.POST.get("do") == "book" and values["shown_date"] == values["effective_date"]
    if not looked:
        return _show(request, row, match_form=form)
    loan = _loan(values["loan"])
    try:
        match_money(
            row_id=row.pk,
            loan_id=loan.pk,
            effective_date=values["effective_date"],
            seen=values["seen"],
            deed=_deed(request, values["reason"]),
        )
    except LoanChangedError as error:
        return _show(request, row, match_form=form, notice=str(error))
    except MoneyAlreadySettledError as error:
        messages.info(request, str(error))
        return redirect("admin:loans_money", pk=row.pk)
    except DomainError as error:
        return _show(request, row, match_form=form, notice=str(error))
    messages.success(request, _("Booked on loan %(number)s.") % {"number": loan.agreement.number})
    return redirect("admin:loans_money_queue")


def _return(request: HttpRequest, row: BankFileRow) -> HttpResponse:
    form = ReturnForm(request.POST)
    if not form.is_valid():
        return _show(request, row, return_form=form)
    return_money(
        row_id=row.pk,
        reference=form.cleaned_data["reference"],
        deed=_deed(request, form.cleaned_data["reason"]),
    )
    messages.success(request, _("Noted: the money went back to its payer."))
    return redirect("admin:loans_money_queue")


def _deed(request: HttpRequest, reason: str) -> Deed:
    return Deed(
        actor=signed_in(request).as_actor(),
        reason=reason,
        business_date=business_date(),
        at=clock.now(),
    )


def _loan(public_id: UUID) -> Loan:
    found = Loan.objects.select_related("agreement", "borrower__profile")
    loan = found.filter(public_id=public_id).first()
    if loan is None:
        raise Http404
    return loan


def _chosen_loan(request: HttpRequest, form: MatchForm | None) -> Loan | None:
    value = form.data.get("loan") if form is not None else request.GET.get("loan")
    if not value:
        return None
    try:
        return _loan(UUID(str(value)))
    except ValueError:
        raise Http404 from None


def _show(
    request: HttpRequest,
    row: BankFileRow,
    *,
    match_form: MatchForm | None = None,
    return_form: ReturnForm | None = None,
    notice: str = "",
) -> HttpResponse:
    user = signed_in(request)
    steps = list(
        row.steps.select_related("event__loan__agreement", "actor_user__profile").order_by("pk")
    )
    is_settled = any(step.kind in SETTLING_STEPS for step in steps)
    holder = None if is_settled else holder_among(steps)
    is_mine = holder is not None and holder.actor_user_id == user.pk
    context = {
        **admin.site.each_context(request),
        "title": _("Money without a loan"),
        "row": row,
        "cells": _cells(row, in_full=is_mine),
        "steps": steps,
        "queued": next(step for step in steps if step.kind == RowStepKind.QUEUED),
        "holder": holder,
        "is_mine": is_mine,
        "may_settle": user.has_perm(IMPORT_PERMISSION) and not is_settled,
        "return_form": return_form or ReturnForm(),
        "notice": notice,
        "q": request.GET.get("q", ""),
    }
    loan = _chosen_loan(request, match_form) if is_mine else None
    if loan is not None:
        context |= _look(request, row, loan, match_form)
    elif is_mine:
        context |= _offers(request, row)
    is_wrong = any(form is not None and form.errors for form in (match_form, return_form))
    status = 422 if is_wrong else 409 if notice else 200
    return render(request, "admin/loans/bank_file_money.html", context, status=status)


def _cells(row: BankFileRow, *, in_full: bool) -> dict[str, str]:
    """Return the line as it came; the account's number in full to who has taken it on."""
    cells: dict[str, str] = json.loads(row.raw)
    if in_full or not row.payer_account:
        return cells
    masked = f"···· {row.payer_last_four}"
    return {
        name: masked if account_text(value) == row.payer_account else value
        for name, value in cells.items()
    }


def _offers(request: HttpRequest, row: BankFileRow) -> dict[str, Any]:
    """Return the suggested loans and what a search finds; each look at a person is noted."""
    found = search_loans(request.GET.get("q", ""))
    suggested = suggestions_for(row)
    for each in {one.loan.pk: one for one in (*suggested, *found)}.values():
        _note_look(request, each.loan)
    return {"suggested": _in_words(suggested), "found": _in_words(found)}


def _in_words(offers: list[Suggestion]) -> list[tuple[Loan, str]]:
    return [(each.loan, str(SUGGESTION_LABELS[each.why]) if each.why else "") for each in offers]


def _note_look(request: HttpRequest, loan: Loan) -> None:
    record_access(
        actor=signed_in(request).as_actor(),
        subject=loan.borrower,
        fields=FIELDS_READ,
        purpose=PURPOSE,
        at=clock.now(),
    )


def _look(
    request: HttpRequest, row: BankFileRow, loan: Loan, form: MatchForm | None
) -> dict[str, Any]:
    """Return the form of the chosen loan with what booking would change."""
    _note_look(request, loan)
    initial_date = row.booking_date or business_date()
    if form is None:
        form = MatchForm(initial={"loan": loan.public_id, "effective_date": initial_date})
    day = _day_of(form) or initial_date
    context: dict[str, Any] = {"loan": loan, "match_form": form}
    try:
        shown = preview_match(
            row=row, loan_id=loan.pk, effective_date=day, business_date=business_date()
        )
    except DomainError as error:
        return {**context, "refusal": str(error)}
    # The hidden fields of the form that comes back: what was looked at, and at which figures.
    hidden = {"seen": shown.seen, "shown_date": day.isoformat()}
    if form.is_bound:
        data = request.POST.copy()
        for name, value in hidden.items():
            data[name] = value
        form.data = data
    else:
        form.initial.update(hidden)
    return {
        **context,
        "figures": figures(shown.before, shown.after),
        "journal": journal_rows(shown.journal),
    }


def _day_of(form: MatchForm) -> datetime.date | None:
    if not form.is_bound:
        return None
    form.is_valid()
    day: datetime.date | None = form.cleaned_data.get("effective_date")
    return day
