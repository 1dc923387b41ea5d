"""Forms of the accounts app; allauth finds those of signing in by name (ACCOUNT_FORMS)."""

from accounts.forms.fields import AmountField, MonthField, PhoneField, read_phone
from accounts.forms.signin import (
    ConfirmEmailForm,
    ConfirmLoginCodeForm,
    ConfirmPasswordResetForm,
    ConfirmPhoneForm,
    LoginForm,
    RequestLoginCodeForm,
    SignupForm,
)

__all__ = [
    "AmountField",
    "ConfirmEmailForm",
    "ConfirmLoginCodeForm",
    "ConfirmPasswordResetForm",
    "ConfirmPhoneForm",
    "LoginForm",
    "MonthField",
    "PhoneField",
    "RequestLoginCodeForm",
    "SignupForm",
    "read_phone",
]
