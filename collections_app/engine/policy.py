"""The lender's rules on changed plans, as dated data."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class HardshipPolicy:
    """How far a plan may go without a person.

    Attributes:
        version: what offers name as their rule.
        deferral_months: by how much a deferral moves the installments.
        longest_months: a plan's last due date is at most so many months away (HS-04, LM-03).
        rate_factor: a longer term costs this part of the present rate (EV-08: never a longer term
            alone).
        least_relief: a longer term makes the installment smaller by at least this part (EV-07: a
            payment a tenth smaller lowered default by a fifth).
        freeze_months: the interest-free months to try, the shorter first.
        plans_a_year: after so many plans in twelve months a person helps (HS-19).
        cure_days: a plan is broken when an installment of it is late by more (HS-21).
    """

    version: str
    deferral_months: int
    longest_months: int
    rate_factor: Decimal
    least_relief: Decimal
    freeze_months: tuple[int, ...]
    plans_a_year: int
    cure_days: int


POLICY: Final = HardshipPolicy(
    version="cn-2026-01",
    deferral_months=1,
    longest_months=60,
    rate_factor=Decimal("0.75"),
    least_relief=Decimal("0.10"),
    freeze_months=(2, 3),
    plans_a_year=2,
    cure_days=7,
)
