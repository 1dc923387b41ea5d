"""What a borrower confirms by turning autopay on."""

from __future__ import annotations

from django import forms


class TurnOnForm(forms.Form):
    """The version of the text and the account that the page showed."""

    text_version = forms.IntegerField(min_value=1)
    card = forms.CharField(max_length=4)
