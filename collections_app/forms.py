"""What a borrower tells of a month, and what a collector notes."""

from __future__ import annotations

import datetime
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.forms import AmountField, MonthField
from collections_app.engine.budget import Budget
from collections_app.models import (
    ContactChannel,
    ContactDirection,
    ContactOutcome,
    HardshipReason,
)
from collections_app.models.hardship import BUDGET_FIELDS
from zhixin.shared.money import Money


class BudgetForm(forms.Form):
    """One month of a household, in four groups; nothing needs a document."""

    income = AmountField(
        label=_("What comes in each month"),
        help_text=_("Wages, trade, support: of everybody whose money you live on."),
    )
    home = AmountField(label=_("Home"), help_text=_("Rent, water, power, heating, telephone."))
    food = AmountField(label=_("Food and daily needs"), help_text=_("Meals, clothes, household."))
    transport = AmountField(
        label=_("Transport and work"), help_text=_("Getting to work, tools, phone for work.")
    )
    family = AmountField(
        label=_("Family and health"), help_text=_("Children, parents, doctor, medicine.")
    )
    priority_debts = AmountField(
        label=_("What must be paid first, each month"),
        required=False,
        help_text=_("Rent or power that is late, a mortgage, taxes, child support."),
    )
    other_debts = AmountField(
        label=_("What you owe to other lenders, in all"),
        required=False,
        help_text=_("Cards, other apps, other banks. Your loans with us count by themselves."),
    )
    reason = forms.ChoiceField(
        label=_("What has happened?"),
        choices=HardshipReason.choices,
        widget=forms.RadioSelect,
        help_text=_("We ask to help, not to judge. Nothing gets worse by any answer."),
    )
    later_from = MonthField(
        label=_("From which month will your income be different?"),
        required=False,
        help_text=_("Only if you know it. Leave both empty if you do not."),
    )
    later_income = AmountField(label=_("What will come in each month then?"), required=False)
    key = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, business_date: datetime.date, **kwargs: Any) -> None:  # noqa: ANN401 - Django's signature.
        """Take the business date: a change of income lies after it."""
        self.business_date = business_date
        super().__init__(*args, **kwargs)

    def clean_later_from(self) -> datetime.date | None:
        """Refuse a month that has begun already."""
        month: datetime.date | None = self.cleaned_data["later_from"]
        if month is not None and month <= self.business_date:
            raise forms.ValidationError(
                _("Choose a month that has not begun yet, or leave both empty.")
            )
        return month

    def clean(self) -> dict[str, Any]:
        """Ask for both or neither of month and income."""
        cleaned: dict[str, Any] = super().clean() or {}
        month, income = cleaned.get("later_from"), cleaned.get("later_income")
        if month is not None and income is None and "later_income" not in self.errors:
            self.add_error("later_income", _("Tell us what will come in then."))
        if income is not None and month is None and "later_from" not in self.errors:
            self.add_error("later_from", _("Tell us from which month."))
        return cleaned

    def budget(self) -> Budget:
        """Return the budget of a valid form; what was left empty is zero."""
        return Budget(**{name: self.cleaned_data[name] or Money.zero() for name in BUDGET_FIELDS})


# What a collector may choose; the rest comes from the system.
NOTE_OUTCOMES = [
    (outcome.value, outcome.label)
    for outcome in ContactOutcome
    if outcome is not ContactOutcome.ASKED_FOR_PERSON
]
NOTE_CHANNELS = [
    (channel.value, channel.label)
    for channel in (ContactChannel.PHONE, ContactChannel.IN_PERSON, ContactChannel.EMAIL)
]


_ADMIN_INPUT = (
    "border border-base-200 bg-white font-medium rounded-default shadow-xs text-sm px-3 py-2 w-full"
    " text-font-default-light dark:bg-base-900 dark:border-base-700 dark:text-font-default-dark"
)


class ContactNoteForm(forms.Form):
    """One contact: a click on what came of it, a click to save; the rest has a usual answer."""

    outcome = forms.ChoiceField(
        label=_("What came of it?"), choices=NOTE_OUTCOMES, widget=forms.RadioSelect
    )
    channel = forms.ChoiceField(
        label=pgettext_lazy("contact", "How"),
        choices=NOTE_CHANNELS,
        initial=ContactChannel.PHONE,
        widget=forms.Select(attrs={"class": _ADMIN_INPUT}),
    )
    direction = forms.ChoiceField(
        label=pgettext_lazy("contact", "Who"),
        choices=ContactDirection.choices,
        initial=ContactDirection.OUTBOUND,
        widget=forms.Select(attrs={"class": _ADMIN_INPUT}),
    )
    text = forms.CharField(
        label=_("Note"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3, "class": _ADMIN_INPUT}),
    )
    next_action_on = forms.DateField(
        label=_("Next step on"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date", "class": _ADMIN_INPUT}),
    )
