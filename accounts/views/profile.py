"""The profile: a summary, and one page for each group of questions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import access_income_proof
from accounts.forms.profile import (
    BankAccountForm,
    IdentityForm,
    IncomeProofForm,
    MoneyInForm,
    MoneyOutForm,
    WorkForm,
    missing_steps_text,
)
from accounts.models import FILE_ENDINGS, BorrowerProfile, FileKind, IncomeProofKind, User
from accounts.selectors.profiles import (
    OPTIONAL_STEPS,
    ProfileStep,
    done_steps,
    profile_completeness,
    profile_of,
)
from accounts.services import income_proofs, profiles
from accounts.services.consents import record_access
from zhixin.shared import clock
from zhixin.shared.errors import DomainError
from zhixin.shared.permissions import borrower_required

Save = Callable[[User, dict[str, Any]], object]


def _save_identity(user: User, answers: dict[str, Any]) -> object:
    return profiles.save_identity(
        user=user,
        full_name=answers["full_name"],
        id_number=answers["id_number"],
        actor=user.as_actor(),
        at=clock.now(),
        today=clock.local_today(),
    )


def _save_work(user: User, answers: dict[str, Any]) -> object:
    return profiles.save_work(
        user=user,
        employment=answers["employment"],
        employer=answers["employer"],
        employed_since=answers["employed_since"],
        at=clock.now(),
        today=clock.local_today(),
    )


def _save_money_in(user: User, answers: dict[str, Any]) -> object:
    return profiles.save_money_in(user=user, at=clock.now(), **answers)


def _save_money_out(user: User, answers: dict[str, Any]) -> object:
    return profiles.save_money_out(user=user, at=clock.now(), **answers)


def _save_bank_account(user: User, answers: dict[str, Any]) -> object:
    return profiles.save_bank_account(
        user=user,
        bank_code=answers["bank_code"],
        card_number=answers["card_number"],
        actor=user.as_actor(),
        at=clock.now(),
    )


def _save_income_proof(user: User, answers: dict[str, Any]) -> object:
    document = answers["document"]
    return income_proofs.upload_income_proof(
        user=user,
        kind=IncomeProofKind(answers["kind"]),
        stated_monthly_amount=answers["stated_monthly_amount"],
        document=document,
        size=document.size,
        actor=user.as_actor(),
        at=clock.now(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPage:
    """How one step is asked and saved; `fields` are filled in from the profile."""

    label: Any
    title: Any
    intro: Any
    form: type[forms.Form]
    save: Save
    fields: tuple[str, ...] = ()


PAGES: dict[ProfileStep, StepPage] = {
    ProfileStep.IDENTITY: StepPage(
        label=gettext_lazy("Who you are"),
        title=gettext_lazy("Who are you?"),
        intro=gettext_lazy("So that nobody can borrow in your name."),
        form=IdentityForm,
        save=_save_identity,
        fields=("full_name",),
    ),
    ProfileStep.WORK: StepPage(
        label=gettext_lazy("Work"),
        title=gettext_lazy("What do you live from?"),
        intro=gettext_lazy("Any answer is fine. It tells how steady your income is."),
        form=WorkForm,
        save=_save_work,
        fields=("employment", "employer", "employed_since"),
    ),
    ProfileStep.MONEY_IN: StepPage(
        label=gettext_lazy("Money in"),
        title=gettext_lazy("What comes in each month?"),
        intro=gettext_lazy("A loan has to fit the months that go badly, too."),
        form=MoneyInForm,
        save=_save_money_in,
        fields=("monthly_income", "other_income"),
    ),
    ProfileStep.MONEY_OUT: StepPage(
        label=gettext_lazy("Money out"),
        title=gettext_lazy("What goes out each month?"),
        intro=gettext_lazy("We never offer a payment that does not leave you enough to live on."),
        form=MoneyOutForm,
        save=_save_money_out,
        fields=(
            "housing_cost",
            "living_costs",
            "debt_payments",
            "debt_total",
            "adults",
            "children",
        ),
    ),
    ProfileStep.BANK_ACCOUNT: StepPage(
        label=gettext_lazy("Bank account"),
        title=gettext_lazy("Where shall the money go?"),
        intro=gettext_lazy("The whole amount of a loan is paid out; nothing is held back."),
        form=BankAccountForm,
        save=_save_bank_account,
        fields=("bank_code",),
    ),
    ProfileStep.INCOME_PROOF: StepPage(
        label=gettext_lazy("Proof of income"),
        title=gettext_lazy("Can you show your income?"),
        intro=gettext_lazy("You can skip this. With a proof we can often offer more."),
        form=IncomeProofForm,
        save=_save_income_proof,
    ),
}
_ORDER = list(PAGES)
_MINUTES_A_STEP = 1


@borrower_required
@never_cache
@require_safe
def profile(request: HttpRequest) -> HttpResponse:
    """Show what the person has told, what is missing, and what can be changed."""
    user = _person(request)
    done = done_steps(user)
    missing = profile_completeness(user)
    if not missing and "profile_return_to" in request.session:
        # The proof of income was skipped on the way to an application.
        return redirect(str(request.session.pop("profile_return_to")))
    steps = [
        {
            "step": step,
            "label": page.label,
            "is_done": step in done,
            "is_optional": step in OPTIONAL_STEPS,
            "url": reverse("accounts:profile_step", args=[step.value]),
        }
        for step, page in PAGES.items()
    ]
    return render(
        request,
        "accounts/profile.html",
        {
            "profile": profile_of(user),
            "steps": steps,
            "missing_text": missing_steps_text(len(missing)),
            "next_step": missing[0] if missing else None,
            "proofs": user.income_proofs.all(),
        },
    )


@borrower_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def profile_step(request: HttpRequest, step: str) -> HttpResponse:
    """Ask one group of questions; what was typed stays when an answer has to be mended."""
    try:
        place = ProfileStep(step)
    except ValueError as error:
        raise Http404 from error
    user = _person(request)
    known = profile_of(user)
    if place is ProfileStep.IDENTITY and known is not None and known.id_number:
        return render(request, "accounts/identity_saved.html", {"profile": known})
    page = PAGES[place]
    if request.method == "POST":
        form = page.form(request.POST, request.FILES)
        if form.is_valid() and _saved(form, page, user):
            messages.success(request, _("Saved."))
            return redirect(_after(request, place))
        status = 422
    else:
        form = page.form(initial=_initial(known, page))
        status = 200
    return render(request, "accounts/profile_step.html", _step_context(place, form), status=status)


@login_required
@never_cache
@require_safe
def income_proof(request: HttpRequest, public_id: Any) -> HttpResponseBase:  # noqa: ANN401 - A UUID by the address.
    """Hand a proof to its owner or to staff, and record the look."""
    user = _person(request)
    proof = access_income_proof(user, public_id)
    record_access(
        actor=user.as_actor(),
        subject=proof.user,
        fields=["income_proof"],
        purpose=gettext_noop("Checking an income proof"),
        at=clock.now(),
    )
    response = FileResponse(
        proof.document.open("rb"),
        content_type=proof.file_kind,
        as_attachment=proof.file_kind == FileKind.PDF,
        filename=f"{proof.public_id}.{FILE_ENDINGS[FileKind(proof.file_kind)]}",
    )
    response["X-Content-Type-Options"] = "nosniff"
    return response


income_proof.guard = "borrower"  # type: ignore[attr-defined]  # access_income_proof decides.


def _saved(form: forms.Form, page: StepPage, user: User) -> bool:
    """Save the answers, or put the refusal into the form."""
    answers = {name: value for name, value in form.cleaned_data.items() if name != "consent"}
    try:
        page.save(user, answers)
    except DomainError as error:
        form.add_error(None, str(error))
        return False
    return True


def _initial(known: BorrowerProfile | None, page: StepPage) -> dict[str, object]:
    """Return the answers that are known already."""
    return {name: getattr(known, name) for name in page.fields} if known else {}


def _after(request: HttpRequest, place: ProfileStep) -> str:
    """Return the next step that is missing in walking order, else the summary."""
    done = done_steps(_person(request))
    later = _ORDER[_ORDER.index(place) + 1 :]
    following = next((step for step in later if step not in done), None)
    if following is None:
        # Whoever needed a whole profile (an application) gets the person back.
        return str(request.session.pop("profile_return_to", reverse("accounts:profile")))
    return reverse("accounts:profile_step", args=[following.value])


def _step_context(place: ProfileStep, form: forms.Form) -> dict[str, object]:
    index = _ORDER.index(place)
    page = PAGES[place]
    back = _ORDER[index - 1] if index else None
    return {
        "form": form,
        "page": page,
        "current": index + 1,
        "total": len(_ORDER),
        "minutes": (len(_ORDER) - index) * _MINUTES_A_STEP,
        "is_optional": place in OPTIONAL_STEPS,
        "back_url": reverse("accounts:profile_step", args=[back.value])
        if back
        else reverse("accounts:profile"),
    }


def _person(request: HttpRequest) -> User:
    """Return the signed-in person; the guards have made sure that there is one."""
    if not isinstance(request.user, User):
        raise TypeError("This view is for people who are signed in.")
    return request.user
