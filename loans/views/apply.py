"""Ask for a loan: one question a page, kept in the session until it is sent.

Nothing about the loan is stored before the person sends it; going back keeps every answer.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import signed_in
from accounts.models import User
from accounts.selectors.profiles import profile_completeness
from loans.forms.apply import AmountForm, MerchantForm, ProductForm, PurposeForm, SendForm
from loans.models import LoanApplication, Merchant, ProductVersion
from loans.models.purpose import PURPOSE_LABELS, SCENARIO_PURPOSES
from loans.selectors.applications import application_by_key, open_application
from loans.selectors.business_day import business_date
from loans.selectors.products import (
    Quote,
    compare_terms,
    list_rate,
    merchants_of,
    offered_version,
    offered_versions,
    quote_of,
    terms_of_offer,
)
from loans.services.applications import (
    ApplicationAlreadyOpenError,
    ApplicationRequest,
    PurposeRefusedError,
    offer_has_lapsed,
    refuse_prohibited_purpose,
    submit_application,
)
from risk.engine.reasons import ReasonCode
from zhixin.shared import clock
from zhixin.shared.charts import draw_split
from zhixin.shared.errors import DomainError
from zhixin.shared.money import Money
from zhixin.shared.permissions import borrower_required

SESSION_KEY = "application_draft"
# Where the profile sends people back to when its last step is saved.
RETURN_KEY = "profile_return_to"
METHOD_HINTS = {
    "EQUAL_INSTALLMENT": gettext_lazy("Easiest to plan; costs a little more in all."),
    "EQUAL_PRINCIPAL": gettext_lazy("Starts higher, falls monthly, costs less in all."),
}
USUAL_MONTHS = 12
USUAL_LESSON = "borrow-for-what"


class Step(StrEnum):
    """The pages in their order; values stand in URLs."""

    PRODUCT = "product"
    MERCHANT = "merchant"
    AMOUNT = "amount"
    PURPOSE = "purpose"
    CHECK = "check"


STEP_LABELS = {
    Step.PRODUCT: gettext_lazy("Kind of loan"),
    Step.MERCHANT: gettext_lazy("Who is paid"),
    Step.AMOUNT: gettext_lazy("Amount and term"),
    Step.PURPOSE: gettext_lazy("What for"),
    Step.CHECK: gettext_lazy("Check and send"),
}


@dataclass(slots=True)
class Draft:
    """The answers so far, as the session keeps them."""

    answers: dict[str, Any]
    on: datetime.date
    version: ProductVersion | None = field(init=False)

    def __post_init__(self) -> None:
        """Look up the chosen product; one that is not offered any more is no choice."""
        code = self.answers.get("product")
        self.version = offered_version(code, on=self.on) if code else None

    @property
    def steps(self) -> list[Step]:
        """Return the pages that this loan needs: a merchant tells the purpose."""
        asks = Step.PURPOSE
        if self.version is not None and self.version.product.needs_merchant:
            return [Step.PRODUCT, Step.MERCHANT, Step.AMOUNT, Step.CHECK]
        return [Step.PRODUCT, Step.AMOUNT, asks, Step.CHECK]

    @property
    def first_open(self) -> Step:
        """Return the first page that has no answer; the last page when all have."""
        done = {
            Step.PRODUCT: self.version is not None,
            Step.MERCHANT: self.merchant is not None,
            Step.AMOUNT: self.quote is not None,
            Step.PURPOSE: bool(self.answers.get("purpose_code")),
            Step.CHECK: False,
        }
        return next(step for step in self.steps if not done[step])

    @property
    def merchant(self) -> Merchant | None:
        """Return the chosen merchant."""
        if self.version is None:
            return None
        wanted = self.answers.get("merchant")
        found = merchants_of(self.version.product)
        return next((each for each in found if str(each.public_id) == wanted), None)

    @property
    def quote(self) -> Quote | None:
        """Return what the loan of the answers would cost at the list rate, if it is offered."""
        if self.version is None or "amount" not in self.answers:
            return None
        form = AmountForm(self.answers, version=self.version)
        return quote_for(form, self.version, on=self.on) if form.is_valid() else None

    @property
    def purpose_code(self) -> str:
        """Return the coded purpose: the chosen one, or the scenario's own."""
        if self.version is not None and self.version.product.needs_merchant:
            return SCENARIO_PURPOSES[self.version.product.scenario]  # type: ignore[index]  # A merchant's product has a scenario.
        return str(self.answers.get("purpose_code", ""))

    @property
    def purpose_label(self) -> str:
        """Return the purpose in words."""
        return str(PURPOSE_LABELS.get(self.purpose_code, ""))

    def before(self, step: Step) -> Step | None:
        """Return the page before `step`."""
        index = self.steps.index(step)
        return self.steps[index - 1] if index else None


def quote_for(form: AmountForm, version: ProductVersion, *, on: datetime.date) -> Quote:
    """Return the cost of a valid form at the list rate, if it were paid out on `on`."""
    return quote_of(
        terms_of_offer(
            version,
            amount=form.cleaned_data["amount"],
            installment_count=form.cleaned_data["months"],
            method=form.cleaned_data["method"],
            annual_rate=list_rate(version.product.code, on=on),
            disbursement_date=on,
        )
    )


@require_safe
@borrower_required
@never_cache
def start(request: HttpRequest) -> HttpResponse:
    """Lead to the page that comes next: the profile, the first open question, or the answer."""
    elsewhere = _elsewhere(request, signed_in(request))
    if elsewhere is not None:
        return elsewhere
    return redirect("loans:apply_step", step=_draft(request).first_open)


@require_http_methods(["GET", "HEAD", "POST"])
@borrower_required
@never_cache
def apply_step(request: HttpRequest, step: str) -> HttpResponse:
    """Ask one question, keep the answer, go on."""
    user = signed_in(request)
    elsewhere = _sent_before(request, user) or _elsewhere(request, user)
    if elsewhere is not None:
        return elsewhere
    draft = _draft(request)
    try:
        place = Step(step)
    except ValueError as error:
        raise Http404 from error
    if not _reachable(draft, place):
        return redirect("loans:apply_step", step=draft.first_open)
    return PAGES[place](request, draft)


@require_safe
@borrower_required
@never_cache
def cost(request: HttpRequest) -> HttpResponse:
    """Return what the typed amount, term and way of repaying would cost, as a fragment."""
    draft = _draft(request)
    if draft.version is None:
        raise Http404
    form = AmountForm(request.GET, version=draft.version)
    return render(request, "loans/apply/_cost.html", _cost_context(form, draft.version, draft.on))


def _sent_before(request: HttpRequest, user: User) -> HttpResponse | None:
    """Lead a form that is sent a second time to what came of the first."""
    key = request.POST.get("request_key", "")
    application = application_by_key(user, key) if key else None
    return None if application is None else _to_decision(application)


def _elsewhere(request: HttpRequest, user: User) -> HttpResponse | None:
    """Lead away those who cannot apply now: to the open application, or to the profile."""
    application = open_application(user)
    if application is not None and not offer_has_lapsed(application, business_date()):
        messages.info(request, _("You have an application that is not finished. Here it is."))
        return _to_decision(application)
    missing = profile_completeness(user)
    if not missing:
        request.session.pop(RETURN_KEY, None)
        return None
    request.session[RETURN_KEY] = reverse("loans:apply")
    messages.info(
        request, _("Before you ask for a loan, a few questions about you. They take few minutes.")
    )
    return redirect("accounts:profile_step", step=missing[0].value)


def _reachable(draft: Draft, place: Step) -> bool:
    steps = draft.steps
    return place in steps and steps.index(place) <= steps.index(draft.first_open)


def _to_decision(application: LoanApplication) -> HttpResponse:
    return redirect("loans:decision", public_id=application.public_id)


def _draft(request: HttpRequest) -> Draft:
    return Draft(answers=dict(request.session.get(SESSION_KEY, {})), on=business_date())


def _keep(request: HttpRequest, draft: Draft, **answers: str | int) -> None:
    request.session[SESSION_KEY] = {**draft.answers, **answers}


def _go_on(draft: Draft, place: Step, request: HttpRequest) -> HttpResponse:
    """Lead to the page after `place`; the answers may have changed which one that is."""
    fresh = _draft(request)
    steps = fresh.steps
    following = steps[steps.index(place) + 1] if place in steps else fresh.first_open
    return redirect("loans:apply_step", step=following)


def _page(
    request: HttpRequest,
    draft: Draft,
    place: Step,
    form: forms.Form,
    **more: object,
) -> HttpResponse:
    """Show the page of a step; 422 when an answer has to be mended."""
    before = draft.before(place)
    steps = draft.steps
    context = {
        "form": form,
        "draft": draft,
        "current": steps.index(place) + 1,
        "total": len(steps),
        "minutes": len(steps) - steps.index(place),
        "step_label": STEP_LABELS[place],
        "back_url": reverse("loans:apply_step", args=[before.value]) if before else None,
        **more,
    }
    status = 422 if form.is_bound and form.errors else 200
    return render(request, f"loans/apply/{place.value}.html", context, status=status)


def _product_page(request: HttpRequest, draft: Draft) -> HttpResponse:
    versions = offered_versions(on=draft.on)
    form = ProductForm(request.POST or None, versions=versions, initial=draft.answers)
    if form.is_valid():
        _keep(request, draft, product=form.cleaned_data["product"])
        return _go_on(draft, Step.PRODUCT, request)
    hints = {
        version.product.code: _("%(summary)s Up to ¥%(most)s.")
        % {
            "summary": version.product.summary,
            "most": f"{version.maximum_amount.amount:,.0f}",
        }
        for version in versions
    }
    return _page(request, draft, Step.PRODUCT, form, hints=hints)


def _merchant_page(request: HttpRequest, draft: Draft) -> HttpResponse:
    version = _chosen(draft)
    form = MerchantForm(
        request.POST or None, merchants=merchants_of(version.product), initial=draft.answers
    )
    if form.is_valid():
        _keep(
            request,
            draft,
            merchant=form.cleaned_data["merchant"],
            purpose_text=form.cleaned_data["purpose_text"],
        )
        return _go_on(draft, Step.MERCHANT, request)
    return _page(request, draft, Step.MERCHANT, form)


def _amount_page(request: HttpRequest, draft: Draft) -> HttpResponse:
    version = _chosen(draft)
    initial = {"months": USUAL_MONTHS, "method": version.methods[0], **draft.answers}
    form = AmountForm(request.POST or None, version=version, initial=initial)
    if form.is_valid() and "show_cost" not in request.POST:
        _keep(
            request,
            draft,
            amount=str(form.cleaned_data["amount"]),
            months=form.cleaned_data["months"],
            method=form.cleaned_data["method"],
        )
        return _go_on(draft, Step.AMOUNT, request)
    shown = form if form.is_bound else AmountForm(draft.answers, version=version)
    return _page(
        request,
        draft,
        Step.AMOUNT,
        form,
        method_hints=METHOD_HINTS,
        **_cost_context(shown, version, draft.on),
    )


def _cost_context(form: AmountForm, version: ProductVersion, on: datetime.date) -> dict[str, Any]:
    """Return the cost of what was typed, when it makes sense."""
    quote = quote_for(form, version, on=on) if form.is_valid() else None
    if quote is None:
        return {"quote": None, "rate": list_rate(version.product.code, on=on)}
    return {
        "quote": quote,
        "rate": quote.terms.annual_rate,
        "comparisons": compare_terms(version, quote),
        "split": draw_split(main=quote.terms.principal, rest=quote.cost.total_cost),
    }


def _purpose_page(request: HttpRequest, draft: Draft) -> HttpResponse:
    form = PurposeForm(request.POST or None, initial=draft.answers)
    lesson = None
    if form.is_valid():
        answers = form.cleaned_data
        try:
            refuse_prohibited_purpose(
                purpose_code=answers["purpose_code"],
                purpose_text=answers["purpose_text"],
                on=draft.on,
            )
        except PurposeRefusedError as refusal:
            # Of the form as a whole: no single choice of the list is marked as wrong.
            form.add_error(None, str(refusal))
            lesson = _lesson_url(refusal.lesson_slug)
        else:
            _keep(request, draft, **answers)
            return _go_on(draft, Step.PURPOSE, request)
    return _page(request, draft, Step.PURPOSE, form, lesson_url=lesson)


def _lesson_url(slug: str) -> str:
    """Return where the lesson stands; lessons are another app's pages, joined by address."""
    return reverse("education:lesson", args=[slug])


def _check_page(request: HttpRequest, draft: Draft) -> HttpResponse:
    form = SendForm(request.POST or None)
    more: dict[str, Any] = {
        "request_key": uuid.uuid4(),
        "quote": draft.quote,
        "purpose_warning": _purpose_warning(draft),
    }
    if form.is_valid():
        key = str(form.cleaned_data["request_key"])
        try:
            application = _submit(request, draft, key)
        except ApplicationAlreadyOpenError as refusal:
            messages.info(request, str(refusal))
            return _to_decision(refusal.application)
        except DomainError as refusal:
            form.add_error(None, str(refusal))
            more["request_key"] = key
            if isinstance(refusal, PurposeRefusedError):
                more["lesson_url"] = _lesson_url(refusal.lesson_slug)
        else:
            request.session.pop(SESSION_KEY, None)
            return _to_decision(application)
    return _page(request, draft, Step.CHECK, form, **more)


def _purpose_warning(draft: Draft) -> dict[str, Any] | None:
    """Return which word of the purpose a person has to look at, why, and the lesson about it.

    A purpose that is refused altogether is told where it is sent.
    """
    try:
        verdict = refuse_prohibited_purpose(
            purpose_code=draft.purpose_code,
            purpose_text=str(draft.answers.get("purpose_text", "")),
            on=draft.on,
        )
    except PurposeRefusedError:
        return None
    if verdict.word is None:
        return None
    return {
        "word": verdict.word,
        "repays_debt": verdict.reason == ReasonCode.PURPOSE_REPAYS_DEBT,
        "lesson_url": _lesson_url(verdict.lesson_slug or USUAL_LESSON),
    }


def _submit(request: HttpRequest, draft: Draft, key: str) -> LoanApplication:
    user = signed_in(request)
    version, merchant = _chosen(draft), draft.merchant
    return submit_application(
        borrower=user,
        asked=ApplicationRequest(
            product_code=version.product.code,
            merchant_id=None if merchant is None else merchant.public_id,
            amount=Money.parse(str(draft.answers["amount"])),
            installment_count=int(draft.answers["months"]),
            method=str(draft.answers["method"]),
            purpose_code=draft.purpose_code,
            purpose_text=str(draft.answers.get("purpose_text", "")),
        ),
        request_key=key,
        business_date=draft.on,
        at=clock.now(),
        actor=user.as_actor(),
    )


def _chosen(draft: Draft) -> ProductVersion:
    """Return the chosen product's version; pages after the first are reached only with one."""
    if draft.version is None:
        raise Http404
    return draft.version


Page = Callable[[HttpRequest, Draft], HttpResponse]
PAGES: dict[Step, Page] = {
    Step.PRODUCT: _product_page,
    Step.MERCHANT: _merchant_page,
    Step.AMOUNT: _amount_page,
    Step.PURPOSE: _purpose_page,
    Step.CHECK: _check_page,
}
