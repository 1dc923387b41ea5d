"""Bank files: upload, look at every verdict, import; and the queue of money without a loan."""

from __future__ import annotations

import datetime
import json
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import signed_in
from accounts.services.consents import record_access
from loans.admin.loan_desk import FIELDS_READ, PURPOSE
from loans.engine.bank_file import UnreadableBankFileError, account_text, read_statement
from loans.forms.bank_files import BankFileForm, MatchForm, ReturnForm
from loans.models import BankFile, BankFileRow, Loan
from loans.models.bank_file import (
    FILE_PROBLEM_LABELS,
    IMPORT_PERMISSION,
    SETTLING_STEPS,
    SUGGESTION_LABELS,
    RowStepKind,
    RowVerdict,
)
from loans.selectors.bank_files import (
    Suggestion,
    holder_among,
    money_queue,
    results_of,
    search_loans,
    suggestions_for,
    sums_of,
)
from loans.selectors.business_day import business_date
from loans.selectors.loan_desk import figures, journal_rows
from loans.services.bank_files import (
    import_bank_file,
    judge_statement,
    known_file,
    store_bank_file,
    unreadable_lines,
)
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
from zhixin.shared.admin import ReadOnlyModelAdmin, actor_column, money_column
from zhixin.shared.errors import DomainError
from zhixin.shared.permissions import staff_required

READ_PERMISSION = "loans.view_bankfile"
# A request has to end in time; longer files are for the command.
PAGE_ROWS_MOST = 300
ROWS_A_PAGE = 100
FILES_SHOWN = 20


@admin.register(BankFile)
class BankFileAdmin(ReadOnlyModelAdmin):
    """Every file that was stored; the pages of import and queue hang beside the list."""

    list_display = ("name", "recorded_at", "row_count", "shown_in", "shown_out", "shown_actor")
    search_fields = ("name", "sha256")
    ordering = ("-pk",)
    exclude = ("actor_user", "actor_label", "amount_in", "amount_out")
    readonly_fields = ("shown_in", "shown_out", "shown_actor")
    shown_in = money_column("amount_in", gettext_lazy("came in"))
    shown_out = money_column("amount_out", gettext_lazy("went out"))
    shown_actor = actor_column("actor_label", gettext_lazy("recorded by"))

    def get_urls(self) -> list[URLPattern]:
        """Add the pages of import and queue."""
        wrap = self.admin_site.admin_view
        return [
            path("import/", wrap(files), name="loans_bank_files"),
            path("import/<int:pk>/", wrap(verdicts), name="loans_bank_file"),
            path("queue/", wrap(queue), name="loans_money_queue"),
            path("queue/<int:pk>/", wrap(money_without_loan), name="loans_money"),
            *super().get_urls(),
        ]


# --- Files --------------------------------------------------------------------------------------


@staff_required(READ_PERMISSION)
@require_http_methods(["GET", "HEAD", "POST"])
def files(request: HttpRequest) -> HttpResponse:
    """List the newest files; take one in, judge its lines and show them."""
    may_import = signed_in(request).has_perm(IMPORT_PERMISSION)
    form = BankFileForm()
    if request.method == "POST":
        if not may_import:
            raise PermissionDenied
        form = BankFileForm(request.POST, request.FILES)
        file = _take_in(request, form) if form.is_valid() else None
        if file is not None:
            return redirect("admin:loans_bank_file", pk=file.pk)
    context = {
        **admin.site.each_context(request),
        "title": _("Bank files"),
        "form": form,
        "files": BankFile.objects.select_related("actor_user__profile").order_by("-pk")[
            :FILES_SHOWN
        ],
        "may_import": may_import,
        "waiting": BankFileRow.objects.waiting().count(),
    }
    status = 422 if form.errors else 200
    return render(request, "admin/loans/bank_files.html", context, status=status)


def _take_in(request: HttpRequest, form: BankFileForm) -> BankFile | None:
    """Return the stored file; None, with an error on the form, when it is no statement."""
    upload = form.cleaned_data["file"]
    content = upload.read()
    known = known_file(content)
    if known is not None:
        messages.info(request, _("This very file was stored before. Here it is."))
        return known
    try:
        statement = read_statement(content)
    except UnreadableBankFileError as error:
        form.add_error("file", str(FILE_PROBLEM_LABELS[error.problem]) % {"detail": error.detail})
        return None
    if len(statement.lines) > PAGE_ROWS_MOST:
        words = _(
            "At most %(most)d lines here, and this has %(count)d: use the command import_bank_file."
        )
        form.add_error("file", words % {"most": PAGE_ROWS_MOST, "count": len(statement.lines)})
        return None
    file, _new = store_bank_file(
        content=content,
        name=upload.name or "",
        statement=statement,
        judgements=judge_statement(statement, business_date=business_date()),
        actor=signed_in(request).as_actor(),
        at=clock.now(),
    )
    return file


@staff_required(READ_PERMISSION)
@require_http_methods(["GET", "HEAD", "POST"])
def verdicts(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the verdict on every line, with sums that re-add; import when told to."""
    file = BankFile.objects.filter(pk=pk).first()
    if file is None:
        raise Http404
    may_import = signed_in(request).has_perm(IMPORT_PERMISSION)
    if request.method == "POST":
        if not may_import:
            raise PermissionDenied
        return _import(request, file)
    chosen = request.GET.get("verdict", "")
    rows = file.rows.select_related("loan__agreement").prefetch_related("steps")
    if chosen in RowVerdict.values:
        rows = rows.filter(verdict=chosen)
    page = Paginator(rows.order_by("line_number"), ROWS_A_PAGE).get_page(request.GET.get("page"))
    context = {
        **admin.site.each_context(request),
        "title": file.name,
        "file": file,
        "sums": sums_of(file),
        "results": results_of(file),
        "to_do": file.rows.to_do().count(),
        "unreadable": unreadable_lines(file),
        "chosen": chosen,
        "page": page,
        "rows": [(row, _done(row)) for row in page],
        "may_import": may_import,
    }
    return render(request, "admin/loans/bank_file.html", context)


def _done(row: BankFileRow) -> Any:  # noqa: ANN401 - The newest step, or none.
    steps = [
        step
        for step in row.steps.all()
        if step.kind not in (RowStepKind.CLAIMED, RowStepKind.RELEASED)
    ]
    return max(steps, key=lambda step: step.pk, default=None)


def _import(request: HttpRequest, file: BankFile) -> HttpResponse:
    try:
        count = import_bank_file(
            file_id=file.pk,
            actor=signed_in(request).as_actor(),
            business_date=business_date(),
            clock=clock.now,
            accept_unreadable="accept" in request.POST,
        )
    except DomainError as error:
        messages.error(request, str(error))
    else:
        if count:
            messages.success(request, _("Imported. Every line says what was done with it."))
        else:
            messages.info(request, _("Everything in this file was imported before."))
    return redirect("admin:loans_bank_file", pk=file.pk)


# --- Money without a loan -----------------------------------------------------------------------


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
