"""Forms of the accounts app; allauth finds the first three by name in the settings."""

from accounts.forms.fields import AmountField, MonthField, PhoneField, read_phone
from accounts.forms.signin import LoginForm, RequestLoginCodeForm, SignupForm

__all__ = [
    "AmountField",
    "LoginForm",
    "MonthField",
    "PhoneField",
    "RequestLoginCodeForm",
    "SignupForm",
    "read_phone",
]
