"""What a person has told about work and money, as facts for a decision."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from zhixin.shared.money import Money


class Employment(StrEnum):
    """How a person earns a living."""

    EMPLOYED = "EMPLOYED"
    SELF_EMPLOYED = "SELF_EMPLOYED"
    GIG = "GIG"
    STUDENT = "STUDENT"
    RETIRED = "RETIRED"
    UNEMPLOYED = "UNEMPLOYED"


# Who has work to describe: employer or trade, and since when.
WORKING = frozenset({Employment.EMPLOYED, Employment.SELF_EMPLOYED, Employment.GIG})


@dataclass(frozen=True, slots=True, kw_only=True)
class FinancialFacts:
    """One person's work and money on a day; all amounts a month.

    `stated_income` is wages and other income as told. `evidenced_income` is the latest income
    that staff have verified from a document of `evidence_date`, or None. `debt_payments` go to
    other lenders. `months_employed` is None for those who do not work.
    """

    age: int
    employment: Employment
    months_employed: int | None
    stated_income: Money
    evidenced_income: Money | None
    evidence_date: date | None
    housing_cost: Money
    living_costs: Money
    debt_payments: Money
    debt_total: Money
    adults: int
    children: int
