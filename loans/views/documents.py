"""A loan's documents as pages and as PDF, and the public check of a settlement certificate."""

from __future__ import annotations

from uuid import UUID

from allauth.core import ratelimit
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext_noop
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import signed_in
from accounts.services.consents import record_access
from loans.access import access_agreement, access_loan, access_loan_as_staff
from loans.adapters.pdf import render_pdf
from loans.forms.documents import CertificateCheckForm, StatementForm
from loans.models import Loan, SettlementCertificate
from loans.selectors.business_day import business_date
from loans.selectors.documents.certificate import (
    certificate_document,
    certificate_of,
    check_certificate,
)
from loans.selectors.documents.contract import agreement_document, cost_sheet_document
from loans.selectors.documents.form import Document
from loans.selectors.documents.schedule import schedule_document
from loans.selectors.documents.statement import statement_document
from loans.selectors.payouts import money_moved_on
from loans.selectors.servicing import loan_state
from loans.services.certificates import (
    UnableToIssueCertificateError,
    issue_settlement_certificate,
)
from zhixin.shared import clock
from zhixin.shared.permissions import borrower_required, public, staff_required

FIELDS_READ = ("full_name", "id_number")


@require_safe
@borrower_required
@never_cache
def schedule(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show the repayment schedule with what was paid."""
    loan = access_loan(signed_in(request), public_id)
    context = {
        "loan": loan,
        "document": schedule_document(loan, as_of=business_date()),
        "pdf_url": reverse("loans:schedule_pdf", args=[public_id]),
    }
    return render(request, "loans/documents/document.html", context)


@require_safe
@borrower_required
@never_cache
def schedule_pdf(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Return the repayment schedule as a file."""
    loan = access_loan(signed_in(request), public_id)
    return _pdf(schedule_document(loan, as_of=business_date()))


@require_safe
@borrower_required
@never_cache
def statement(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show the statement of account for a period of the borrower's choice."""
    loan = access_loan(signed_in(request), public_id)
    form = _statement_form(request, loan)
    context: dict[str, object] = {"loan": loan, "form": form}
    if form is not None and form.is_valid():
        query = request.GET.urlencode()
        address = reverse("loans:statement_pdf", args=[public_id])
        context["document"] = _statement(loan, form)
        context["pdf_url"] = f"{address}?{query}" if query else address
    status = 422 if form is not None and form.errors else 200
    return render(request, "loans/documents/statement.html", context, status=status)


@require_safe
@borrower_required
@never_cache
def statement_pdf(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Return the statement as a file; what cannot be understood leads back to the form."""
    loan = access_loan(signed_in(request), public_id)
    form = _statement_form(request, loan)
    if form is None or not form.is_valid():
        page = reverse("loans:statement", args=[public_id])
        return redirect(f"{page}?{request.GET.urlencode()}")
    return _pdf(_statement(loan, form))


def _statement_form(request: HttpRequest, loan: Loan) -> StatementForm | None:
    """Return the form of the period; None while nothing has been paid out."""
    first = money_moved_on(loan)
    if first is None:
        return None
    return StatementForm(request.GET, paid_out_on=first, today=business_date())


def _statement(loan: Loan, form: StatementForm) -> Document:
    covers = form.cleaned_data["covers"]
    return statement_document(loan, start=covers.start, end=covers.end)


@require_http_methods(["GET", "HEAD", "POST"])
@borrower_required
@never_cache
def certificate(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show the settlement certificate, issue it on request, or say what is still missing."""
    user = signed_in(request)
    loan = access_loan(user, public_id)
    if request.method == "POST":
        try:
            issue_settlement_certificate(
                loan_id=loan.pk,
                business_date=business_date(),
                actor=user.as_actor(),
                at=clock.now(),
            )
        except UnableToIssueCertificateError as refusal:
            messages.warning(request, str(refusal))
        return redirect("loans:certificate", public_id=public_id)
    issued = certificate_of(loan)
    context: dict[str, object] = {"loan": loan}
    if issued is not None:
        context["document"] = _certificate(request, issued)
        context["pdf_url"] = reverse("loans:certificate_pdf", args=[public_id])
    elif loan.closed_on is None:
        context["state"] = loan_state(loan, as_of=business_date())
    return render(request, "loans/documents/certificate.html", context)


@require_safe
@borrower_required
@never_cache
def certificate_pdf(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Return the certificate as a file; without one, lead to where it is issued."""
    loan = access_loan(signed_in(request), public_id)
    issued = certificate_of(loan)
    if issued is None:
        return redirect("loans:certificate", public_id=public_id)
    return _pdf(_certificate(request, issued))


def _certificate(request: HttpRequest, issued: SettlementCertificate) -> Document:
    address = request.build_absolute_uri(reverse("loans:verify_certificate"))
    return certificate_document(issued, verify_url=address)


@require_safe
@borrower_required
@never_cache
def agreement_pdf(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Return a rendering of the signed agreement that names its hash."""
    return _pdf(agreement_document(access_agreement(signed_in(request), public_id)))


@require_safe
@borrower_required
@never_cache
def cost_sheet_pdf(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Return the cost sheet that was confirmed before signing."""
    return _pdf(cost_sheet_document(access_agreement(signed_in(request), public_id)))


@require_safe
@staff_required("loans.view_loan")
@never_cache
def staff_document(request: HttpRequest, public_id: UUID, kind: str) -> HttpResponse:
    """Return a loan's document to staff, and log that they have read it."""
    user = signed_in(request)
    loan = access_loan_as_staff(user, public_id)
    document = _document_of_kind(request, loan, kind)
    if document is None:
        raise Http404
    record_access(
        actor=user.as_actor(),
        subject=loan.borrower,
        fields=FIELDS_READ,
        purpose=gettext_noop("Reading a document of a loan"),
        at=clock.now(),
    )
    return _pdf(document, as_attachment=False)


def _document_of_kind(request: HttpRequest, loan: Loan, kind: str) -> Document | None:
    """Return the document, or None when there is none of that kind (yet)."""
    today = business_date()
    if kind == "schedule":
        return schedule_document(loan, as_of=today)
    first = money_moved_on(loan) if kind == "statement" else None
    if first is not None:
        return statement_document(loan, start=min(first, today), end=today)
    if kind == "agreement":
        return agreement_document(loan.agreement)
    if kind == "cost-sheet":
        return cost_sheet_document(loan.agreement)
    issued = certificate_of(loan) if kind == "certificate" else None
    return None if issued is None else _certificate(request, issued)


@require_http_methods(["GET", "HEAD", "POST"])
@public("A third party checks a settlement certificate by its number and code.")
@never_cache
def verify_certificate(request: HttpRequest) -> HttpResponse:
    """Say whether a certificate holds; a wrong code and an unknown number answer alike."""
    if request.method == "POST" and not ratelimit.consume(request, action="verify_certificate"):
        pause: HttpResponse = ratelimit.respond_429(request)
        return pause
    form = CertificateCheckForm(request.POST or None)
    context: dict[str, object] = {"form": form}
    if form.is_valid():
        context["asked"] = True
        context["found"] = check_certificate(
            number=form.cleaned_data["number"], code=form.cleaned_data["code"]
        )
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "loans/documents/verify.html", context, status=status)


def _pdf(document: Document, *, as_attachment: bool = True) -> HttpResponse:
    """Return the document as a PDF whose name may be Chinese (RFC 6266, RFC 8187)."""
    response = HttpResponse(render_pdf(document), content_type="application/pdf")
    name = f"{document.file_name}.pdf"
    response["Content-Disposition"] = content_disposition_header(as_attachment, name) or "inline"
    response["X-Content-Type-Options"] = "nosniff"
    return response
