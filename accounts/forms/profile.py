"""The profile, one group of questions a page."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.engine.bank_card import BANKS, InvalidCardNumberError, normalize_card_number
from accounts.engine.consent import CONSENT_TEXTS, ConsentPurpose
from accounts.engine.finances import WORKING, Employment
from accounts.engine.identity import IdNumberFault, InvalidIdNumberError, normalize_id_number
from accounts.forms.fields import AmountField, MonthField
from accounts.models import EMPLOYMENT_LABELS, IncomeProofKind

_ID_FAULTS = {
    IdNumberFault.LENGTH: _("A resident ID number has 18 characters. Please count again."),
    IdNumberFault.CHECK_DIGIT: _(
        "The last character does not fit the others. Often two digits are swapped."
    ),
    IdNumberFault.CONTENT: _("The place or the birth date in this number does not exist."),
}


def consent_field(purpose: ConsentPurpose) -> forms.BooleanField:
    """Return a box, never ticked beforehand, for a purpose that the step cannot do without."""
    return forms.BooleanField(
        label=_(CONSENT_TEXTS[purpose].text),
        error_messages={"required": _(CONSENT_TEXTS[purpose].needed_for)},
    )


class IdentityForm(forms.Form):
    """Who you are."""

    full_name = forms.CharField(
        label=_("Name"),
        max_length=60,
        help_text=_("As it stands on your ID card."),
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    id_number = forms.CharField(
        label=_("Resident ID number"),
        max_length=30,
        help_text=_("18 characters; the last may be an X. We store it encrypted."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "inputmode": "text"}),
    )
    consent = consent_field(ConsentPurpose.CREDIT_DECISION)

    def clean_full_name(self) -> str:
        """Return the name with single spaces."""
        name = " ".join(self.cleaned_data["full_name"].split())
        if len(name) < 2 or any(character.isdigit() for character in name):  # noqa: PLR2004 - A name has two signs at least.
            raise ValidationError(_("Enter your name as it stands on your ID card."))
        return name

    def clean_id_number(self) -> str:
        """Return the 18 characters."""
        try:
            return normalize_id_number(self.cleaned_data["id_number"])
        except InvalidIdNumberError as error:
            raise ValidationError(_ID_FAULTS[error.fault]) from error


class WorkForm(forms.Form):
    """What you live from."""

    employment = forms.ChoiceField(
        label=_("What do you live from?"),
        choices=list(EMPLOYMENT_LABELS.items()),
        widget=forms.RadioSelect,
    )
    employer = forms.CharField(
        label=_("Employer or trade"),
        max_length=120,
        required=False,
        help_text=_("If you work. For gig work: the platform, such as 美团 or 滴滴."),
    )
    employed_since = MonthField(
        label=_("Since"), required=False, help_text=_("Year and month, such as 2021-03.")
    )

    def clean(self) -> dict[str, Any]:
        """Ask those who work for where and since when; forget it for the others."""
        cleaned = super().clean() or {}
        if cleaned.get("employment") not in WORKING:
            return cleaned | {"employer": "", "employed_since": None}
        if not cleaned.get("employer"):
            self.add_error("employer", _("Tell us where you work, or what you do."))
        if not cleaned.get("employed_since") and "employed_since" not in self.errors:
            self.add_error("employed_since", _("Tell us since when, such as 2021-03."))
        return cleaned

    def clean_employment(self) -> Employment:
        """Return the kind of work."""
        return Employment(self.cleaned_data["employment"])


class MoneyInForm(forms.Form):
    """What comes in."""

    monthly_income = AmountField(
        label=_("Wages or takings a month"),
        help_text=_("After tax. If it varies, take a weak month. No income: 0."),
    )
    other_income = AmountField(
        label=_("Other income a month"),
        required=False,
        help_text=_("Rent, pension, regular support."),
    )


class MoneyOutForm(forms.Form):
    """What goes out."""

    housing_cost = AmountField(
        label=_("Housing a month"), help_text=_("Rent or mortgage, with water and power.")
    )
    living_costs = AmountField(
        label=_("Living costs a month"),
        help_text=_("Food, travel, school, medicine, phone, insurance."),
    )
    debt_payments = AmountField(
        label=_("Payments on other debts a month"),
        help_text=_("Cards, 花呗, other loans, family. None: 0."),
    )
    debt_total = AmountField(label=_("What you owe others in all"), required=False)
    adults = forms.IntegerField(
        label=_("Adults in your household"), min_value=1, max_value=20, help_text=_("With you.")
    )
    children = forms.IntegerField(label=_("Children in your household"), min_value=0, max_value=20)


class BankAccountForm(forms.Form):
    """Where the money goes to."""

    bank_code = forms.ChoiceField(label=_("Bank"), choices=[("", "—"), *BANKS.items()])
    card_number = forms.CharField(
        label=_("Bank card number"),
        max_length=40,
        help_text=_("A debit card in your own name. We store the number encrypted."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "inputmode": "numeric"}),
    )
    consent = consent_field(ConsentPurpose.BANK_ACCOUNT)

    def clean_card_number(self) -> str:
        """Return the digits."""
        try:
            return normalize_card_number(self.cleaned_data["card_number"])
        except InvalidCardNumberError as error:
            raise ValidationError(
                _("That is no card number. Please compare it with your card.")
            ) from error


class IncomeProofForm(forms.Form):
    """What shows your income."""

    kind = forms.ChoiceField(
        label=_("What do you have?"), choices=IncomeProofKind.choices, widget=forms.RadioSelect
    )
    stated_monthly_amount = AmountField(label=_("Income a month that it shows"))
    document = forms.FileField(
        label=_("Document"),
        help_text=_("A PDF, or a photo as JPEG or PNG, of at most 5 MB."),
        widget=forms.FileInput(attrs={"accept": ".pdf,.jpg,.jpeg,.png"}),
    )
    consent = consent_field(ConsentPurpose.INCOME_PROOF)


class ContactSettingsForm(forms.Form):
    """In which language, and by which clock, we write."""

    language = forms.ChoiceField(label=_("Language of messages"), choices=settings.LANGUAGES)
    time_zone = forms.ChoiceField(
        label=_("Where you live"),
        choices=[
            ("Asia/Shanghai", _("China (Beijing time)")),
            ("Asia/Hong_Kong", _("Hong Kong, Macau")),
            ("Asia/Urumqi", _("Xinjiang time")),
            ("Asia/Tokyo", _("Japan, Korea")),
            ("Asia/Singapore", _("Singapore, Malaysia")),
            ("Europe/Berlin", _("Central Europe")),
            ("America/Los_Angeles", _("American west coast")),
        ],
        help_text=_("We never write about your loan between 22:00 and 08:00 there."),
    )


def missing_steps_text(count: int) -> str:
    """Return how much of the profile is left, in words."""
    if count == 0:
        return gettext("Your profile is complete.")
    return ngettext("%(count)d step left.", "%(count)d steps left.", count) % {"count": count}
