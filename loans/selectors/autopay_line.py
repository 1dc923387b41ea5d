"""Whether autopay of a loan is on, in one line beside other things."""

from __future__ import annotations

from dataclasses import dataclass

from loans.models import AutopayMandate, Loan
from loans.models.autopay import AutopayEndReason
from loans.models.loan import OPEN_STATUSES


@dataclass(frozen=True, slots=True, kw_only=True)
class AutopayLine:
    """On, with the last four digits of the account; or off, and whether something ended it."""

    loan: Loan
    is_on: bool
    has_stopped: bool
    card_changed: bool
    card_last_four: str


def autopay_line(loan: Loan) -> AutopayLine | None:
    """Return how autopay of an open loan stands, None for one that needs none any more."""
    if loan.status not in OPEN_STATUSES:
        return None
    mandate = AutopayMandate.objects.filter(loan=loan).select_related("end").order_by("-pk").first()
    ended = mandate.end.reason if mandate is not None and hasattr(mandate, "end") else ""
    return AutopayLine(
        loan=loan,
        is_on=mandate is not None and not ended,
        has_stopped=ended == AutopayEndReason.TWO_FAILURES,
        card_changed=ended == AutopayEndReason.CARD_CHANGED,
        card_last_four=mandate.card_last_four if mandate is not None else "",
    )
