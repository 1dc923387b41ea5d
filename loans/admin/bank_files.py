"""Bank files: upload, look at every verdict, import."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts.access import signed_in
from loans.admin.money_queue import READ_PERMISSION, money_without_loan, queue
from loans.engine.bank_file import UnreadableBankFileError, read_statement
from loans.forms.bank_files import BankFileForm
from loans.models import BankFile, BankFileRow
from loans.models.bank_file import FILE_PROBLEM_LABELS, IMPORT_PERMISSION, RowStepKind, RowVerdict
from loans.selectors.bank_files import results_of, sums_of
from loans.selectors.business_day import business_date
from loans.services.bank_files import (
    import_bank_file,
    judge_statement,
    known_file,
    store_bank_file,
    unreadable_lines,
)
from zhixin.shared import clock
from zhixin.shared.admin import ReadOnlyModelAdmin, actor_column, money_column
from zhixin.shared.errors import DomainError
from zhixin.shared.permissions import staff_required

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
        # The admin makes the first letter of a title a capital; a file's name keeps its own.
        "title": f"{_('bank file')} {file.name}",
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
