"""The borrower's word on a dispute."""

from __future__ import annotations

from django import forms


class WithdrawDisputeForm(forms.Form):
    """That the dispute is withdrawn; `key` is the same when the form is sent twice."""

    key = forms.UUIDField(widget=forms.HiddenInput)
