"""allauth's forms, asking one thing at a time: the phone number first, or the e-mail address."""

from __future__ import annotations

from typing import Any

from allauth.account import forms as allauth_forms
from allauth.core import context
from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.forms.fields import read_phone

BY_EMAIL = "email"
BY_PHONE = "phone"


def chosen_way() -> str:
    """Return whether this request is about an e-mail address (`?by=email`) or a phone number."""
    request = context.request
    by = request.POST.get("by") or request.GET.get("by") if request else None
    return BY_EMAIL if by == BY_EMAIL else BY_PHONE


def dress(form: forms.Form, *, way: str) -> None:
    """Give the one field of `form` our label and help, and remember the way in a hidden field."""
    form.fields["by"] = forms.CharField(
        widget=forms.HiddenInput, required=False, initial=way, max_length=10
    )
    field = form.fields[way]
    field.widget.attrs.pop("placeholder", None)
    field.widget.attrs["autofocus"] = True
    if way == BY_PHONE:
        field.label = _("Phone number")
        field.help_text = _("We text you a code of six digits. No password needed.")
    else:
        field.label = _("E-mail address")
        field.help_text = _("We send you a code of six digits. No password needed.")


class SignupForm(allauth_forms.SignupForm):
    """Asks for a phone number or an e-mail address, and for nothing else."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - allauth's options.
        self.way = chosen_way()
        super().__init__(*args, **kwargs)
        dress(self, way=self.way)

    def _get_signup_fields(self, kwargs: dict[str, Any]) -> dict[str, dict[str, bool]]:
        """Return allauth's description of the fields: the chosen one, and no password."""
        return {self.way: {"required": True}}


class RequestLoginCodeForm(allauth_forms.RequestLoginCodeForm):
    """Asks where to send the code to sign in with."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - allauth's options.
        super().__init__(*args, **kwargs)
        if not chosen_by_keys(self.data):
            way = chosen_way()
            del self.fields[BY_PHONE if way == BY_EMAIL else BY_EMAIL]
            self.fields[way].required = True
            dress(self, way=way)


def chosen_by_keys(data: Any) -> bool:  # noqa: ANN401 - a form's data, of several types.
    """Return whether allauth itself filled in the data, from its sign-in form."""
    return type(data) is dict


class CodeField:
    """Gives a form of allauth a code box that opens the number keys and fills itself in."""

    fields: dict[str, forms.Field]

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - allauth's options.
        super().__init__(*args, **kwargs)
        self.fields["code"].widget = forms.TextInput(
            attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "maxlength": "10"}
        )


class ConfirmLoginCodeForm(CodeField, allauth_forms.ConfirmLoginCodeForm):
    """Asks for the code to sign in."""


class ConfirmEmailForm(CodeField, allauth_forms.ConfirmEmailVerificationCodeForm):
    """Asks for the code that proves an e-mail address."""


class ConfirmPasswordResetForm(CodeField, allauth_forms.ConfirmPasswordResetCodeForm):
    """Asks for the code that allows a new password."""


class ConfirmPhoneForm(CodeField, allauth_forms.VerifyPhoneForm):
    """Asks for the code that proves a phone number."""


class LoginForm(allauth_forms.LoginForm):
    """Number or address with a password; without the password a code is sent instead."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - allauth's options.
        super().__init__(*args, **kwargs)
        login = self.fields["login"]
        login.label = _("Phone number or e-mail address")
        login.widget.attrs.pop("placeholder", None)
        login.widget.attrs["autocomplete"] = "username"
        password = self.fields["password"]
        password.required = False
        password.label = _("Password")
        password.help_text = _("No password? Leave this empty and we send you a code.")
        password.widget.attrs.pop("placeholder", None)

    def clean_login(self) -> str:
        """Return the address, or the number in E.164."""
        login: str = super().clean_login()
        if "@" in login:
            return login.lower()
        try:
            return read_phone(login)
        except ValidationError:
            return login
