"""See every cost, confirm it, read the agreement, sign it, and find it again."""

from __future__ import annotations

import base64
import hashlib
from uuid import UUID

from csp.decorators import csp_update
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import signed_in
from loans.access import access_agreement, access_application
from loans.engine.lifecycle import ApplicationState
from loans.forms.signing import ConfirmForm, SigningForm
from loans.models import CostSheet, LoanApplication
from loans.selectors.agreements import (
    agreement_of,
    confirmation_of,
    sheet_figures,
    signed_article,
    signed_style,
)
from loans.selectors.business_day import business_date
from loans.services.agreements import (
    CostSheetOutdatedError,
    ReadingTimeNotOverError,
    UnableToSignError,
    confirm_cost_sheet,
    prepare_agreement,
    reading_seconds,
    show_cost_sheet,
    sign_agreement,
)
from zhixin.shared import clock
from zhixin.shared.permissions import borrower_required


@require_http_methods(["GET", "HEAD", "POST"])
@borrower_required
@never_cache
def cost_sheet(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show every charge; take the confirmation once the reading time is over."""
    application = access_application(signed_in(request), public_id)
    if application.state == ApplicationState.SIGNED:
        return _to_agreement(application)
    form = ConfirmForm(request.POST or None)
    try:
        if form.is_valid():
            _confirm(request, application, form.cleaned_data["sheet_sha256"])
            return redirect("loans:sign", public_id=public_id)
        return _sheet_page(request, application, form)
    except ReadingTimeNotOverError as refusal:
        form.add_error(None, str(refusal))
        return _sheet_page(request, application, form)
    except CostSheetOutdatedError as refusal:
        messages.warning(request, str(refusal))
        return redirect("loans:cost_sheet", public_id=public_id)
    except UnableToSignError as refusal:
        messages.warning(request, str(refusal))
        return redirect("loans:decision", public_id=public_id)


def _confirm(request: HttpRequest, application: LoanApplication, sheet_sha256: str) -> None:
    confirm_cost_sheet(
        application_id=application.pk,
        borrower=signed_in(request),
        sheet_sha256=sheet_sha256,
        required_seconds=settings.COST_SHEET_READING_SECONDS,
        business_date=business_date(),
        at=clock.now(),
    )


def _sheet_page(
    request: HttpRequest, application: LoanApplication, form: ConfirmForm
) -> HttpResponse:
    """Show the sheet; to HTMX, which asks when the reading time is over, only its last part."""
    now = clock.now()
    sheet = show_cost_sheet(
        application_id=application.pk,
        borrower=signed_in(request),
        language=get_language() or "en",
        business_date=business_date(),
        at=now,
    )
    required = settings.COST_SHEET_READING_SECONDS
    context = {
        "application": application,
        "sheet": sheet,
        "form": form,
        "figures": sheet_figures(sheet.document),
        "required_seconds": required,
        "remaining_seconds": max(required - reading_seconds(sheet, at=now), 0),
        "is_confirmed": confirmation_of(sheet) is not None,
    }
    template = "_confirm.html" if request.headers.get("HX-Request") else "cost_sheet.html"
    status = 422 if form.is_bound and form.errors else 200
    return render(request, f"loans/signing/{template}", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@borrower_required
@never_cache
def sign(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show the exact agreement; take the signature."""
    application = access_application(signed_in(request), public_id)
    if application.state == ApplicationState.SIGNED:
        return _to_agreement(application)
    form = SigningForm(request.POST or None)
    try:
        if form.is_valid():
            return _sign(request, application, form.cleaned_data["content_sha256"])
        return _agreement_to_sign(request, application, form)
    except CostSheetOutdatedError as refusal:
        messages.warning(request, str(refusal))
        return redirect("loans:cost_sheet", public_id=public_id)
    except UnableToSignError as refusal:
        messages.warning(request, str(refusal))
        return redirect("loans:decision", public_id=public_id)


def _sign(request: HttpRequest, application: LoanApplication, sha256: str) -> HttpResponse:
    user = signed_in(request)
    agreement = sign_agreement(
        application_id=application.pk,
        borrower=user,
        content_sha256=sha256,
        business_date=business_date(),
        at=clock.now(),
        actor=user.as_actor(),
    )
    messages.success(request, _("Signed. The whole amount is on its way."))
    return redirect("loans:agreement", public_id=agreement.public_id)


def _agreement_to_sign(
    request: HttpRequest, application: LoanApplication, form: SigningForm
) -> HttpResponse:
    ready = prepare_agreement(
        application_id=application.pk,
        borrower=signed_in(request),
        business_date=business_date(),
    )
    sheet: CostSheet = ready.confirmation.cost_sheet
    context = {
        "application": application,
        "form": form,
        "text": ready.text,
        "figures": sheet_figures(sheet.document),
        "language": sheet.language,
    }
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "loans/signing/sign.html", context, status=status)


@require_safe
@borrower_required
@never_cache
def agreement(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show a signed agreement with its hash, when it was signed, and what happens next."""
    signed = access_agreement(signed_in(request), public_id)
    context = {
        "agreement": signed,
        "application": signed.application,
        "figures": sheet_figures(signed.confirmation.cost_sheet.document),
        "article": signed_article(signed),
    }
    return render(request, "loans/signing/agreement.html", context)


@require_safe
@borrower_required
@never_cache
def agreement_document(request: HttpRequest, public_id: UUID) -> HttpResponseBase:
    """Return the exact bytes that were signed; with `?download` as a file to keep."""
    signed = access_agreement(signed_in(request), public_id)
    response = HttpResponse(bytes(signed.content), content_type=signed.content_type)
    kind = "attachment" if "download" in request.GET else "inline"
    response["Content-Disposition"] = f'{kind}; filename="{signed.number}.html"'
    response["X-Content-Type-Options"] = "nosniff"

    # The document carries its own few lines of style, so that it reads the same when it is kept.
    allow_style = csp_update({"style-src": [_hash_source(signed_style(signed))]})
    return allow_style(lambda _request: response)(request)


def _hash_source(text: str) -> str:
    """Return the permission of the content security policy for exactly this style block."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _to_agreement(application: LoanApplication) -> HttpResponse:
    """Lead to the signed agreement: signing twice, or the back button after signing."""
    signed = agreement_of(application)
    if signed is None:
        return redirect("loans:decision", public_id=application.public_id)
    return redirect("loans:agreement", public_id=signed.public_id)
