"""What is known about an applicant and what they ask for. Each key is described in facts.md.

`None` always means "not known". A rule that needs an unknown fact refers the case to a person.
Protected characteristics (sex, ethnicity, marital status, religion, place of birth) are not facts:
nothing here can hold them. Age serves the legal limits only and is never scored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from decimal import Decimal
from enum import StrEnum
from typing import Any

from risk.engine import documents
from risk.engine.documents import DocumentError, DocumentReader
from zhixin.shared.money import Money


class Employment(StrEnum):
    """How a person earns their living."""

    EMPLOYED = "EMPLOYED"
    SELF_EMPLOYED = "SELF_EMPLOYED"
    FLEXIBLE = "FLEXIBLE"
    RETIRED = "RETIRED"
    UNEMPLOYED = "UNEMPLOYED"
    STUDENT = "STUDENT"


@dataclass(frozen=True, slots=True, kw_only=True)
class RevolvingLine:
    """A credit card or another line that is drawn and repaid freely."""

    limit: Money
    minimum_due: Money

    @classmethod
    def from_json(cls, document: object, where: str = "revolving_line") -> RevolvingLine:
        """Return the line that `document` states."""
        reader = DocumentReader(document, where=where)
        line = cls(
            limit=reader.required("limit", documents.money),
            minimum_due=reader.required("minimum_due", documents.money),
        )
        reader.finish()
        return line

    def to_json(self) -> dict[str, str]:
        """Return the document that `from_json` reads."""
        return {"limit": str(self.limit), "minimum_due": str(self.minimum_due)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicantFacts:
    """Everything that a decision may look at about a person; money is a month's, net."""

    # The person.
    age: int | None = None
    identity_verified: bool | None = None
    employment: Employment | None = None
    months_employed: int | None = None
    # Income.
    stated_income: Money | None = None
    evidenced_income: Money | None = None
    proof_age_days: int | None = None
    income_is_irregular: bool | None = None
    # What the month costs.
    housing_cost: Money | None = None
    living_costs: Money | None = None
    debt_payments: Money | None = None
    revolving_lines: tuple[RevolvingLine, ...] = ()
    household_adults: int | None = None
    household_children: int | None = None
    # The person's history with this lender.
    open_principal: Money | None = None
    open_loan_count: int | None = None
    worst_days_past_due_now: int | None = None
    worst_days_past_due_12m: int | None = None
    loans_paid_off: int | None = None
    written_off: bool | None = None
    applications_30d: int | None = None
    # A credit bureau's report; all unknown when none was asked for.
    bureau_report_age_days: int | None = None
    bureau_worst_days_past_due_24m: int | None = None
    bureau_open_lenders: int | None = None
    bureau_inquiries_6m: int | None = None
    bureau_debt_payments: Money | None = None

    @classmethod
    def from_json(cls, document: object, where: str = "facts") -> ApplicantFacts:
        """Return the facts that `document` states; missing and null keys are unknown.

        Raises DocumentError for an unknown key, a wrong type or a negative number.
        """
        reader = DocumentReader(document, where=where)
        values: dict[str, Any] = {
            name: reader.optional(name, read) for name, read in FACT_READERS.items()
        }
        values["revolving_lines"] = values["revolving_lines"] or ()
        reader.finish()
        return cls(**values)

    def to_json(self) -> dict[str, object]:
        """Return the document that `from_json` reads, with every key."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}


FACT_READERS: dict[str, Callable[[object, str], object]] = {
    "age": documents.count,
    "identity_verified": documents.flag,
    "employment": documents.choice(Employment),
    "months_employed": documents.count,
    "stated_income": documents.money,
    "evidenced_income": documents.money,
    "proof_age_days": documents.count,
    "income_is_irregular": documents.flag,
    "housing_cost": documents.money,
    "living_costs": documents.money,
    "debt_payments": documents.money,
    "revolving_lines": documents.items(RevolvingLine.from_json),
    "household_adults": documents.count,
    "household_children": documents.count,
    "open_principal": documents.money,
    "open_loan_count": documents.count,
    "worst_days_past_due_now": documents.count,
    "worst_days_past_due_12m": documents.count,
    "loans_paid_off": documents.count,
    "written_off": documents.flag,
    "applications_30d": documents.count,
    "bureau_report_age_days": documents.count,
    "bureau_worst_days_past_due_24m": documents.count,
    "bureau_open_lenders": documents.count,
    "bureau_inquiries_6m": documents.count,
    "bureau_debt_payments": documents.money,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoanRequest:
    """What a person asks for. `all_in_cost` is the yearly effective cost at the list rate.

    Without `all_in_cost` the engine takes (1 + list rate / 12)^12 - 1: exact for monthly
    installments whose only charge is interest, and never too low for a single payment at the end.
    """

    product_code: str
    amount: Money
    installment_count: int
    method: str
    purpose_code: str
    purpose_text: str = ""
    scenario: str | None = None
    all_in_cost: Decimal | None = None

    @classmethod
    def from_json(cls, document: object, where: str = "request") -> LoanRequest:
        """Return the request that `document` states (keys as in facts.md)."""
        reader = DocumentReader(document, where=where)
        request = cls(
            product_code=reader.required("product", documents.text),
            amount=reader.required("amount", documents.money),
            installment_count=reader.required("term", documents.count),
            method=reader.required("method", documents.text),
            purpose_code=reader.required("purpose", documents.text),
            purpose_text=reader.optional("purpose_text", documents.text) or "",
            scenario=reader.optional("scenario", documents.text),
            all_in_cost=reader.optional("all_in_cost", documents.fraction),
        )
        reader.finish()
        if request.amount.cents == 0 or request.installment_count == 0:
            raise DocumentError(f"{where}: amount and term must be more than zero.")
        return request

    def to_json(self) -> dict[str, object]:
        """Return the document that `from_json` reads, with every key."""
        return {
            "product": self.product_code,
            "amount": str(self.amount),
            "term": self.installment_count,
            "method": self.method,
            "purpose": self.purpose_code,
            "purpose_text": self.purpose_text,
            "scenario": self.scenario,
            "all_in_cost": None if self.all_in_cost is None else str(self.all_in_cost),
        }


def _plain(value: object) -> object:
    """Return `value` as JSON can hold it exactly."""
    if isinstance(value, Money):
        return str(value)
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, tuple):
        return [line.to_json() for line in value]
    return value
