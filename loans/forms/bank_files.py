"""What staff fill in to import a bank file and to settle money without a loan."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from loans.engine.bank_file import FILE_BYTES_MOST, FileProblem
from loans.models.bank_file import FILE_PROBLEM_LABELS
from loans.services.corrections import REASON_LENGTH_MAX
from loans.services.received_money import REFERENCE_LENGTH_MAX

_FILE_INPUT_CLASSES = "border border-base-200 rounded-default p-3 dark:border-base-700"


class _DateInput(UnfoldAdminTextInputWidget):
    """A browser's own date field in the admin's dress."""

    input_type = "date"


def _reason() -> forms.CharField:
    return forms.CharField(
        label=_("Why"),
        max_length=REASON_LENGTH_MAX,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        error_messages={"required": _("Say why.")},
    )


class BankFileForm(forms.Form):
    """The statement as the bank exports it."""

    file = forms.FileField(
        label=_("Statement of the account, as CSV"),
        help_text=_("UTF-8 or GBK, at most 20 MB. Looking books nothing."),
        widget=forms.FileInput(
            attrs={"accept": ".csv,.txt,.tsv,text/csv", "class": _FILE_INPUT_CLASSES}
        ),
        error_messages={"required": _("Choose a file.")},
        allow_empty_file=True,  # Refused in our own words.
    )

    def clean_file(self) -> UploadedFile[bytes]:
        """Refuse a file that is too large before it is read."""
        file: UploadedFile[bytes] = self.cleaned_data["file"]
        if (file.size or 0) > FILE_BYTES_MOST:
            words = str(FILE_PROBLEM_LABELS[FileProblem.TOO_LARGE])
            raise ValidationError(words % {"detail": f"{FILE_BYTES_MOST // 1024**2} MB"})
        return file


class MatchForm(forms.Form):
    """On which loan the money is booked, from which day, and why."""

    loan = forms.UUIDField(widget=forms.HiddenInput)
    effective_date = forms.DateField(label=_("Came in on"), widget=_DateInput)
    reason = _reason()
    seen = forms.CharField(widget=forms.HiddenInput, required=False)
    shown_date = forms.DateField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Django's signature.
        """Give the fields names of their own: another form stands beside this one."""
        super().__init__(*args, **{"auto_id": "match-%s", **kwargs})


class ReturnForm(forms.Form):
    """Under which reference of the bank the money went back, and why."""

    reference = forms.CharField(
        label=_("Bank's reference of the return"),
        max_length=REFERENCE_LENGTH_MAX,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )
    reason = _reason()

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Django's signature.
        """Give the fields names of their own: another form stands beside this one."""
        super().__init__(*args, **{"auto_id": "return-%s", **kwargs})
