"""The rules of lending as a value: every threshold with its source, read from a dated document."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from types import MappingProxyType
from typing import Any

from risk.engine import documents
from risk.engine.documents import DocumentError, DocumentReader
from risk.engine.reasons import ReasonCode
from zhixin.shared.money import Money

FORMAT = 1


class PolicyError(ValueError):
    """A request names something that the policy does not have."""


class PurposeOutcome(StrEnum):
    """What a purpose leads to."""

    ACCEPT = "ACCEPT"
    REFER = "REFER"
    REFUSE = "REFUSE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """The numbers of a policy. Shares and rates are fractions, money is a month's or a sum."""

    # What can be repaid (risk.md section 7).
    installment_ratio_max: Decimal
    all_debt_ratio_max: Decimal
    surplus_buffer_fixed: Money
    surplus_buffer_share: Decimal
    stress_income_cut: Decimal
    stress_essentials_rise: Decimal
    unverified_income_weight: Decimal
    revolving_share_due: Decimal
    comfort_margin: Decimal
    # What has to be known.
    income_proof_days: int
    unevidenced_amount_max: Money
    bureau_report_required: bool
    bureau_report_days: int
    # What the law allows.
    credit_per_person_max: Money
    bullet_term_max: int
    term_max: int
    all_in_cost_max: Decimal
    age_min: int
    age_at_end_max: int
    # History.
    arrears_now_refer_days: int
    arrears_now_decline_days: int
    arrears_12m_refer_days: int
    applications_30d_max: int
    open_loans_max: int
    bureau_arrears_decline_days: int
    # The price's floor: funding + running cost + PD * loss given default.
    funding_rate: Decimal
    running_cost_rate: Decimal
    loss_given_default: Decimal
    # Limits are rounded down to a multiple of this.
    amount_step: Money


_THRESHOLD_READERS: dict[str, Callable[[object, str], object]] = {
    "Decimal": documents.fraction,
    "Money": documents.money,
    "int": documents.count,
    "bool": documents.flag,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseholdFloor:
    """The least that a household spends in a month, whatever it declares."""

    first_adult: Money
    further_adult: Money
    child: Money
    source: str

    def amount(self, *, adults: int, children: int) -> Money:
        """Return the floor for a household of `adults` (at least one) and `children`."""
        return self.first_adult + self.further_adult * max(adults - 1, 0) + self.child * children


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductRule:
    """What may be lent under one product, and its list rate a year."""

    list_rate: Decimal
    amount_min: Money
    amount_max: Money
    terms: tuple[int, ...]
    methods: tuple[str, ...]
    scenario_required: bool
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GradeRule:
    """A published grade: from which score, what it takes off the list rate, how much income.

    `automatic` is False for a grade that a person has to look at.
    """

    code: str
    score_min: int
    discount: Decimal
    income_multiple: Decimal
    automatic: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PurposeRule:
    """What one coded purpose leads to, why, and the lesson that explains it."""

    outcome: PurposeOutcome
    reason: ReasonCode | None
    lesson: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WordScreen:
    """Words in free text that send a case to a person."""

    words: tuple[str, ...]
    reason: ReasonCode
    lesson: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One version of the rules. Equal documents make equal policies."""

    code: str
    title: str
    jurisdiction: str
    effective_from: date
    scorecard: str
    thresholds: Thresholds
    sources: Mapping[str, str]
    household_floor: HouseholdFloor
    bullet_methods: tuple[str, ...]
    products: Mapping[str, ProductRule]
    grades: tuple[GradeRule, ...]
    purposes: Mapping[str, PurposeRule]
    screens: tuple[WordScreen, ...]

    @classmethod
    def from_json(cls, document: object) -> Policy:
        """Return the policy that `document` states; raise DocumentError for anything amiss."""
        reader = DocumentReader(document, where="policy")
        if reader.required("format", documents.whole) != FORMAT:
            raise DocumentError(f"policy.format must be {FORMAT}.")
        thresholds, sources = reader.required("thresholds", _read_thresholds)
        policy = cls(
            code=reader.required("code", documents.text),
            title=reader.required("title", documents.text),
            jurisdiction=reader.required("jurisdiction", documents.text),
            effective_from=reader.required("effective_from", documents.day),
            scorecard=reader.required("scorecard", documents.text),
            thresholds=thresholds,
            sources=MappingProxyType(sources),
            household_floor=reader.required("household_floor", _read_household_floor),
            bullet_methods=reader.required("bullet_methods", documents.items(documents.text)),
            products=MappingProxyType(reader.required("products", documents.table(_read_product))),
            grades=reader.required("grades", documents.items(_read_grade)),
            purposes=MappingProxyType(reader.required("purposes", documents.table(_read_purpose))),
            screens=reader.required("screens", documents.items(_read_screen)),
        )
        reader.finish()
        _check_grades(policy.grades)
        return policy

    def product(self, code: str) -> ProductRule:
        """Return the rules of a product; raise PolicyError for one that is not offered."""
        try:
            return self.products[code]
        except KeyError:
            known = ", ".join(self.products)
            raise PolicyError(
                f"Policy {self.code} has no product {code!r}, only {known}."
            ) from None

    def grade_for(self, score: int) -> GradeRule | None:
        """Return the best grade that `score` reaches, or None below the last one."""
        return next((grade for grade in self.grades if score >= grade.score_min), None)


def _read_thresholds(document: object, where: str) -> tuple[Thresholds, dict[str, str]]:
    reader = DocumentReader(document, where=where)
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for field in fields(Thresholds):
        read = _THRESHOLD_READERS[str(field.type)]
        values[field.name], sources[field.name] = reader.required(field.name, _with_source(read))
    reader.finish()
    if values["amount_step"].cents == 0:
        raise DocumentError(f"{where}.amount_step must be more than zero.")
    return Thresholds(**values), sources


def _with_source(
    read: Callable[[object, str], object],
) -> Callable[[object, str], tuple[object, str]]:
    def read_both(document: object, where: str) -> tuple[object, str]:
        reader = DocumentReader(document, where=where)
        value = reader.required("value", read)
        source = reader.required("source", documents.text)
        reader.finish()
        return value, source

    return read_both


def _read_household_floor(document: object, where: str) -> HouseholdFloor:
    reader = DocumentReader(document, where=where)
    floor = HouseholdFloor(
        first_adult=reader.required("first_adult", documents.money),
        further_adult=reader.required("further_adult", documents.money),
        child=reader.required("child", documents.money),
        source=reader.required("source", documents.text),
    )
    reader.finish()
    return floor


def _read_product(document: object, where: str) -> ProductRule:
    reader = DocumentReader(document, where=where)
    product = ProductRule(
        list_rate=reader.required("list_rate", documents.fraction),
        amount_min=reader.required("amount_min", documents.money),
        amount_max=reader.required("amount_max", documents.money),
        terms=reader.required("terms", documents.items(documents.count)),
        methods=reader.required("methods", documents.items(documents.text)),
        scenario_required=reader.required("scenario_required", documents.flag),
        source=reader.required("source", documents.text),
    )
    reader.finish()
    if not product.amount_min.cents or product.amount_min > product.amount_max:
        raise DocumentError(f"{where}: amounts must be positive and in order.")
    if not product.terms or list(product.terms) != sorted(set(product.terms)):
        raise DocumentError(f"{where}.terms must increase.")
    return product


def _read_grade(document: object, where: str) -> GradeRule:
    reader = DocumentReader(document, where=where)
    grade = GradeRule(
        code=reader.required("code", documents.text),
        score_min=reader.required("score_min", documents.whole),
        discount=reader.required("discount", documents.fraction),
        income_multiple=reader.required("income_multiple", documents.fraction),
        automatic=reader.required("automatic", documents.flag),
    )
    reader.finish()
    return grade


def _read_purpose(document: object, where: str) -> PurposeRule:
    reader = DocumentReader(document, where=where)
    rule = PurposeRule(
        outcome=reader.required("outcome", documents.choice(PurposeOutcome)),
        reason=reader.optional("reason", documents.choice(ReasonCode)),
        lesson=reader.optional("lesson", documents.text),
    )
    reader.finish()
    if (rule.outcome is PurposeOutcome.ACCEPT) != (rule.reason is None):
        raise DocumentError(f"{where}: a reason belongs to REFER and REFUSE, and only to them.")
    return rule


def _read_screen(document: object, where: str) -> WordScreen:
    reader = DocumentReader(document, where=where)
    screen = WordScreen(
        words=reader.required("words", documents.items(documents.text)),
        reason=reader.required("reason", documents.choice(ReasonCode)),
        lesson=reader.optional("lesson", documents.text),
    )
    reader.finish()
    return screen


def _check_grades(grades: tuple[GradeRule, ...]) -> None:
    """Refuse grades by which a better score could cost more, get less, or be looked at longer."""
    if not grades:
        raise DocumentError("policy.grades must not be empty.")
    for better, worse in pairwise(grades):
        ordered = (
            better.score_min > worse.score_min
            and better.discount >= worse.discount
            and better.income_multiple >= worse.income_multiple
            and better.automatic >= worse.automatic
        )
        if not ordered:
            raise DocumentError(f"policy.grades: {better.code} must be better than {worse.code}.")
