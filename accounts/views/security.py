"""A new password for somebody who has just proved to be themselves by a code."""

from __future__ import annotations

from datetime import timedelta

from allauth.account.forms import SetPasswordForm
from allauth.account.internal.flows.login import get_authentication_records
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from zhixin.shared import clock
from zhixin.shared.permissions import borrower_required

CODE_COUNTS_FOR = timedelta(minutes=10)


@sensitive_post_parameters("password1", "password2")
@borrower_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def new_password(request: HttpRequest) -> HttpResponse:
    """Let choose a password without the old one, for ten minutes after signing in by code.

    The way back for people who have only a phone number and have forgotten their password.
    """
    if not _signed_in_by_code(request):
        # To look is no offense: the page says how it goes on.
        status = 403 if request.method == "POST" else 200
        return render(request, "accounts/new_password_needs_code.html", status=status)
    form = SetPasswordForm(user=request.user, data=request.POST or None)
    if request.method == "POST" and form.is_valid():
        form.save()
        update_session_auth_hash(request, form.user)
        messages.success(request, _("Your new password is saved."))
        return redirect("accounts:profile")
    status = 422 if form.errors else 200
    return render(request, "accounts/new_password.html", {"form": form}, status=status)


def _signed_in_by_code(request: HttpRequest) -> bool:
    """Return whether this session was opened by a code a short while ago."""
    now = clock.now().timestamp()
    return any(
        record["method"] == "code" and now - record["at"] < CODE_COUNTS_FOR.total_seconds()
        for record in get_authentication_records(request, request.user)
    )
