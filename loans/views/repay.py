"""Pay an amount, and see what became of it."""

from __future__ import annotations

from uuid import UUID, uuid4

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import signed_in
from accounts.selectors.profiles import bank_account
from loans.access import access_loan, access_transfer
from loans.engine.terms import PrepaymentEffect
from loans.forms.repay import RepaymentForm
from loans.models import Loan
from loans.selectors.business_day import business_date
from loans.selectors.loan_pages import LoanPage, loan_page
from loans.selectors.prepayments import PrepaymentChoice, prepayment_choice
from loans.selectors.receipts import payment_page
from loans.services.repayments import (
    PrepaymentChoiceNeededError,
    RepaymentNeedsConfirmationError,
    request_repayment,
)
from loans.views.cashier import make_way, next_page, payer_of
from zhixin.shared import clock
from zhixin.shared.errors import DomainError
from zhixin.shared.permissions import borrower_required


@require_http_methods(["GET", "HEAD", "POST"])
@borrower_required
def repay(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Ask how much, then have it collected; the same form sent twice is one payment.

    An amount beyond everything due asks first what the surplus is to do.
    """
    user = signed_in(request)
    own = access_loan(user, public_id)
    account, today = bank_account(user), business_date()
    if request.method != "POST":
        return _show(request, own, RepaymentForm(initial=_initial(request), today=today))
    form = RepaymentForm(request.POST, today=today)
    if not form.is_valid() or account is None:
        return _show(request, own, form.repaired(key=uuid4()), status=422)
    try:
        make_way(own, key=str(form.cleaned_data["key"]))
        transfer = request_repayment(
            loan_id=own.pk,
            owner_id=user.pk,
            amount=form.cleaned_data["amount"],
            key=str(form.cleaned_data["key"]),
            **payer_of(request, account),
            business_date=today,
            at=clock.now(),
            confirmed=form.cleaned_data["confirmed"],
            prepayment=form.chosen(),
            quoted_on=form.cleaned_data["quoted_on"],
            asks_choice=True,
        )
    except PrepaymentChoiceNeededError as error:
        return _ask_for_the_choice(request, own, form, str(error))
    except RepaymentNeedsConfirmationError as error:
        form.add_error("confirmed", str(error))
        return _show(request, own, form, status=422)
    except DomainError as error:
        form.add_error("amount", str(error))
        return _show(request, own, form, status=422)
    return next_page(transfer)


def _ask_for_the_choice(
    request: HttpRequest, own: Loan, form: RepaymentForm, question: str
) -> HttpResponse:
    """Show the choices compared, the second step without scripts; ask beside them if they were."""
    if not form.shown_the_choice():
        return _show(request, own, form, asks_choice=True)
    form.add_error("prepayment", question)
    return _show(request, own, form, status=422)


def _initial(request: HttpRequest) -> dict[str, object]:
    return {"key": uuid4(), "amount": request.GET.get("amount", "")}


def _show(
    request: HttpRequest,
    own: Loan,
    form: RepaymentForm,
    *,
    status: int = 200,
    asks_choice: bool = False,
) -> HttpResponse:
    page = loan_page(own, as_of=form.today)
    context = {
        "page": page,
        "form": form,
        "choice": _choice(page, form),
        "asks_choice": asks_choice,
        "account": bank_account(signed_in(request)),
    }
    fragment = request.headers.get("HX-Request") and request.method != "POST"
    template = "loans/partials/_prepayment.html" if fragment else "loans/repay.html"
    return render(request, template, context, status=status)


def _choice(page: LoanPage, form: RepaymentForm) -> PrepaymentChoice | None:
    """Return what can be chosen for the amount that stands in the form, if any."""
    try:
        amount, compared = (
            form.fields[name].clean(form[name].value() or "") for name in ("amount", "compared")
        )
    except ValidationError:
        return None
    # What was chosen, or stood there chosen, for another amount is no choice for this one.
    chosen = form["prepayment"].value() if compared == amount else None
    return prepayment_choice(
        page.loan,
        amount=amount,
        as_of=page.as_of,
        chosen=PrepaymentEffect(chosen) if chosen in list(PrepaymentEffect) else None,
        state=page.state,
        in_flight=page.in_flight,
    )


@require_safe
@borrower_required
def payment(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show a payment: on its way, done with its receipt, or not done and why."""
    transfer = access_transfer(signed_in(request), public_id)
    template = "loans/partials/_payment.html" if request.headers.get("HX-Request") else ""
    context = {"payment": payment_page(transfer)}
    return render(request, template or "loans/payment.html", context)
