"""allauth's hooks: phone numbers on our user, and every code through the outbox."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.stages import EmailVerificationStage
from django.conf import settings
from django.core.exceptions import ValidationError
from django.forms import Field, Form
from django.http import HttpRequest, HttpResponse
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from accounts.engine.contact_rules import Channel, ContactPurpose
from accounts.forms import PhoneField, read_phone
from accounts.models import User
from accounts.services import people
from accounts.services.messages import queue_message
from zhixin.shared import clock


class AccountAdapter(DefaultAccountAdapter):
    """People sign up by phone number or e-mail address, and prove either by a code."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "account_inactive": _("This account is closed. Please ask us if that surprises you."),
        "email_password_mismatch": _(
            "This address and password do not go together. Check both, or ask for a code."
        ),
        "phone_password_mismatch": _(
            "This number and password do not go together. Check both, or ask for a code."
        ),
        "username_password_mismatch": _(
            "Enter a phone number such as 138 0013 8000, or an e-mail address."
        ),
        "invalid_login": _("Enter a phone number such as 138 0013 8000, or an e-mail address."),
        "incorrect_code": _("That is not the code of the latest message. Please look again."),
        "incorrect_password": _("That is not your password. Please try again."),
        "enter_current_password": _("That is not your present password. Please try again."),
        "email_taken": _("This address already belongs to an account."),
        "phone_taken": _("This number already belongs to an account."),
        "select_only_one": _("Enter the number or the address, not both."),
        "same_as_current": _("That is what we have already. Enter a different one."),
        "rate_limited": _("That was a little fast. Wait half a minute and ask again."),
        "too_many_login_attempts": _(
            "That were several tries. To protect the account, wait five minutes, then try again."
        ),
    }

    def phone_form_field(self, **kwargs: Any) -> Field:  # noqa: ANN401 - allauth's signature.
        """Return the field that reads phone numbers as people write them."""
        return PhoneField(**kwargs)

    def clean_phone(self, phone: str) -> str:
        """Return the number in E.164."""
        return read_phone(phone)

    def get_user_by_phone(self, phone: str) -> User | None:
        """Return whose number this is."""
        try:
            number = read_phone(phone)
        except ValidationError:
            return None
        return User.objects.filter(phone=number).first()

    def get_phone(self, user: User) -> tuple[str, bool] | None:
        """Return the number and whether it is verified."""
        return (user.phone, user.phone_verified) if user.phone else None

    def set_phone(self, user: User, phone: str, verified: bool) -> None:  # noqa: FBT001 - allauth's signature.
        """Give the person this number."""
        people.set_phone(user=user, phone=phone, verified=verified)

    def set_phone_verified(self, user: User, phone: str) -> None:
        """Save that the person has proved to hold this number."""
        people.set_phone(user=user, phone=phone, verified=True)

    def save_user(
        self,
        request: HttpRequest,
        user: User,
        form: Form,
        commit: bool = True,  # noqa: FBT001, FBT002 - allauth's signature.
    ) -> User:
        """Save a new person, who may have a phone number and no e-mail address."""
        user.language = _supported_language()
        user.phone = form.cleaned_data.get("phone") or None
        saved: User = super().save_user(request, user, form, commit)
        return saved

    def get_login_stages(self) -> list[str]:
        """Return allauth's stages, with ours for the e-mail address."""
        return [
            "accounts.adapters.allauth.EmailStage"
            if stage == "allauth.account.stages.EmailVerificationStage"
            else stage
            for stage in super().get_login_stages()
        ]

    def send_verification_code_sms(
        self,
        user: User,
        phone: str,
        code: str,
        **_kwargs: Any,  # noqa: ANN401 - allauth's signature.
    ) -> None:
        """Queue a code for a phone number."""
        self._queue("verification_code", recipient=user, address=phone, context={"code": code})

    def send_unknown_account_sms(self, phone: str, **_kwargs: Any) -> None:  # noqa: ANN401 - allauth's signature.
        """Tell a number that asked to sign in that it has no account yet."""
        self._queue("unknown_account", recipient=None, address=phone, context={})

    def send_account_already_exists_sms(self, phone: str) -> None:
        """Tell a number that asked to sign up that it has an account already."""
        user = self.get_user_by_phone(phone)
        self._queue("account_already_exists", recipient=user, address=phone, context={})

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Queue one of allauth's e-mails; its kind is the last part of the template's name."""
        user = context.get("user")
        self._queue(
            template_prefix.rpartition("/")[2],
            recipient=user if isinstance(user, User) else None,
            address=email,
            context={key: context[key] for key in ("code",) if key in context},
        )

    def _queue(
        self, kind: str, *, recipient: User | None, address: str, context: dict[str, object]
    ) -> None:
        queue_message(
            recipient=recipient,
            kind=kind,
            purpose=ContactPurpose.AUTH,
            channel=Channel.EMAIL if "@" in address else Channel.SMS,
            address=address,
            context=context,
            at=clock.now(),
        )

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:  # noqa: ANN401 - allauth's signature.
        """Return what failed sign-ins are counted by; allauth forgets the phone number."""
        key: str = super()._get_login_attempts_cache_key(request, **credentials)
        return f"{key}{credentials.get('phone', '')}"


class EmailStage(EmailVerificationStage):
    """Asks for the e-mail code, but not from people who have proved a phone number."""

    def handle(self) -> tuple[HttpResponse | None, bool]:
        """Return allauth's answer, or go on."""
        user = self.login.user
        if user is not None and user.phone and user.phone_verified:
            return None, True
        response: tuple[HttpResponse | None, bool] = super().handle()
        return response


def _supported_language() -> str:
    """Return the language of the page, if messages exist in it."""
    language = get_language() or settings.LANGUAGE_CODE
    return language if language in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE
