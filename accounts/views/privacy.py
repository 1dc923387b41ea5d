"""What a person has agreed to, who has read their data, and how they are written to."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.engine.consent import ConsentPurpose
from accounts.forms.profile import ContactSettingsForm
from accounts.models import User
from accounts.selectors.consents import consent_states, latest_accesses
from accounts.services import people, profiles
from zhixin.shared import clock
from zhixin.shared.permissions import borrower_required


@borrower_required
@never_cache
@require_safe
def privacy(request: HttpRequest) -> HttpResponse:
    """Show every purpose with the person's answer, and every look of others at their data."""
    user = _person(request)
    return render(
        request,
        "accounts/privacy.html",
        {"states": consent_states(user), "accesses": latest_accesses(user)},
    )


@borrower_required
@require_POST
def answer_consent(request: HttpRequest, purpose: str) -> HttpResponse:
    """Save a yes or a no; both are one tap."""
    try:
        chosen = ConsentPurpose(purpose)
    except ValueError as error:
        raise Http404 from error
    user = _person(request)
    profiles.answer_consent(
        user=user,
        purpose=chosen,
        granted=request.POST.get("answer") == "yes",
        actor=user.as_actor(),
        at=clock.now(),
    )
    messages.success(request, _("Saved. You can change it at any time."))
    return redirect("accounts:privacy")


@borrower_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def contact_settings(request: HttpRequest) -> HttpResponse:
    """Ask for the language of messages and the clock of the quiet hours."""
    user = _person(request)
    initial = {"language": user.language, "time_zone": user.time_zone}
    form = ContactSettingsForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        people.save_language(user=user, **form.cleaned_data)
        messages.success(request, _("Saved."))
        return redirect("accounts:profile")
    status = 422 if form.errors else 200
    return render(request, "accounts/contact_settings.html", {"form": form}, status=status)


def _person(request: HttpRequest) -> User:
    """Return the signed-in person; the guards have made sure that there is one."""
    if not isinstance(request.user, User):
        raise TypeError("This view is for people who are signed in.")
    return request.user
