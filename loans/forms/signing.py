"""What a borrower sends to confirm and to sign."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

HASH_LENGTH = 64


class ConfirmForm(forms.Form):
    """The hash of the cost sheet that was on the page."""

    sheet_sha256 = forms.CharField(
        min_length=HASH_LENGTH, max_length=HASH_LENGTH, widget=forms.HiddenInput
    )


class SigningForm(forms.Form):
    """Consent, never ticked beforehand, and the hash of the agreement that was on the page."""

    agreed = forms.BooleanField(
        label=_("I have read the agreement and agree to it."),
        error_messages={"required": _("Tick the box if you agree. If you do not, just leave.")},
    )
    content_sha256 = forms.CharField(
        min_length=HASH_LENGTH, max_length=HASH_LENGTH, widget=forms.HiddenInput
    )
