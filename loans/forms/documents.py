"""Which days a statement covers, and what a third party types to check a certificate."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from zhixin.shared.templatetags.zhixin import plain_date

ONE_DAY = datetime.timedelta(days=1)


class PeriodChoice(StrEnum):
    """The periods that a statement can be asked for; values stand in addresses."""

    THIS_MONTH = "this-month"
    LAST_MONTH = "last-month"
    THIS_YEAR = "this-year"
    ALL = "all"
    OWN = "own"


PERIOD_LABELS = {
    PeriodChoice.ALL: _("The whole loan"),
    PeriodChoice.THIS_MONTH: _("This month"),
    PeriodChoice.LAST_MONTH: _("Last month"),
    PeriodChoice.THIS_YEAR: _("This year"),
    PeriodChoice.OWN: _("Dates of my own"),
}


@dataclass(frozen=True, slots=True)
class StatementPeriod:
    """The days of a statement, both included."""

    start: datetime.date
    end: datetime.date


class StatementForm(forms.Form):
    """The period of a statement, between the payout and the business date.

    After validation `cleaned_data["covers"]` is the StatementPeriod.
    """

    period = forms.ChoiceField(label=_("Period"), choices=list(PERIOD_LABELS.items()))
    start = forms.DateField(
        label=_("First day"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    end = forms.DateField(
        label=_("Last day"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )

    def __init__(
        self,
        data: Any,  # noqa: ANN401 - Django's signature.
        *,
        paid_out_on: datetime.date,
        today: datetime.date,
    ) -> None:
        """Take what was asked; nothing asked for is the whole loan."""
        super().__init__(data if "period" in data else {"period": PeriodChoice.ALL.value})
        self._paid_out_on = paid_out_on
        self._today = today

    def clean(self) -> dict[str, Any]:
        """Work out the days."""
        data: dict[str, Any] = super().clean() or {}
        if "period" not in data:
            return data
        period = PeriodChoice(data["period"])
        if period is PeriodChoice.OWN:
            if not self.errors:
                data["covers"] = self._own(data.get("start"), data.get("end"))
        else:
            data["covers"] = named_period(period, paid_out_on=self._paid_out_on, today=self._today)
        return data

    def _own(
        self, start: datetime.date | None, end: datetime.date | None
    ) -> StatementPeriod | None:
        if start is None:
            self.add_error("start", _("Choose the first day."))
        elif start < self._paid_out_on:
            message = _("The loan was paid out on %(date)s. Choose that day or a later one.")
            self._refuse("start", message, self._paid_out_on)
        if end is None:
            self.add_error("end", _("Choose the last day."))
        elif end > self._today:
            message = _("That day is still to come. Choose %(date)s or an earlier one.")
            self._refuse("end", message, self._today)
        elif start is not None and end < start:
            message = _("The last day is before the first one. Choose %(date)s or a later one.")
            self._refuse("end", message, start)
        return None if start is None or end is None else StatementPeriod(start, end)

    def _refuse(self, field: str, message: Any, day: datetime.date) -> None:  # noqa: ANN401 - A text, or one that is translated later.
        self.add_error(field, message % {"date": plain_date(day)})


def named_period(
    period: PeriodChoice, *, paid_out_on: datetime.date, today: datetime.date
) -> StatementPeriod:
    """Return the days of a named period; it begins no earlier than its own first day.

    A loan that ends or begins within it changes nothing: days without a loan have no lines.
    """
    first = today.replace(day=1)
    if period is PeriodChoice.THIS_MONTH:
        return StatementPeriod(first, today)
    if period is PeriodChoice.LAST_MONTH:
        end = first - ONE_DAY
        return StatementPeriod(end.replace(day=1), end)
    if period is PeriodChoice.THIS_YEAR:
        return StatementPeriod(today.replace(month=1, day=1), today)
    return StatementPeriod(min(paid_out_on, today), today)


class CertificateCheckForm(forms.Form):
    """The number and the code that stand on a settlement certificate."""

    number = forms.CharField(
        label=_("Certificate number"),
        max_length=40,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "characters"}),
    )
    code = forms.CharField(
        label=_("Verification code"),
        max_length=40,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "characters"}),
    )
