"""What a person can repay in a month without trouble. Formulas: docs/risk/affordability.md.

Sources: CBRC guidelines on real-estate loan risk (2004) art. 36 for the pair 50% / 55%; FCA CONC
5.2A for surplus and stress; conduct LM-09 and LM-10. Every cap is an amount of money a month,
rounded down to the cent, and inclusive: an installment equal to the cap still fits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from risk.engine.facts import ApplicantFacts
from risk.engine.policy import Policy
from risk.engine.reasons import ReasonCode
from zhixin.shared.money import Money, Rounding, total

# What affordability needs to know.
NEEDED_FACTS = (
    "stated_income",
    "income_is_irregular",
    "housing_cost",
    "living_costs",
    "debt_payments",
    "household_adults",
    "household_children",
)


class LineCode(StrEnum):
    """The lines that explain an affordability check, in the order of the sum."""

    INCOME = "INCOME"
    DEBT = "DEBT"
    ESSENTIALS = "ESSENTIALS"
    BUFFER = "BUFFER"
    CAP_INSTALLMENT = "CAP_INSTALLMENT"
    CAP_ALL_DEBT = "CAP_ALL_DEBT"
    CAP_SURPLUS = "CAP_SURPLUS"
    CAP_STRESS = "CAP_STRESS"
    INSTALLMENT = "INSTALLMENT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One amount a month, and the sum that gives it, in figures."""

    code: LineCode
    amount: Money
    formula: str

    def to_json(self) -> dict[str, str]:
        """Return the line as JSON holds it."""
        return {"code": self.code.value, "amount": str(self.amount), "formula": self.formula}


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What a month leaves for a new installment; caps may be negative."""

    income: Money
    debt: Money
    essentials: Money
    buffer: Money
    cap_installment: Money
    cap_all_debt: Money
    cap_surplus: Money
    cap_stress: Money
    comfort_margin: Money
    lines: tuple[Line, ...]

    @property
    def largest_installment(self) -> Money:
        """Return the largest installment that fits an ordinary month."""
        return min(self.cap_installment, self.cap_all_debt, self.cap_surplus)

    @property
    def largest_installment_in_stress(self) -> Money:
        """Return the largest installment that fits an ordinary and a bad month."""
        return min(self.largest_installment, self.cap_stress)

    @property
    def caps(self) -> tuple[tuple[ReasonCode, Money], ...]:
        """Return the caps of an ordinary month with the reasons that they give."""
        return (
            (ReasonCode.INSTALLMENT_RATIO, self.cap_installment),
            (ReasonCode.ALL_DEBT_RATIO, self.cap_all_debt),
            (ReasonCode.SURPLUS_TOO_SMALL, self.cap_surplus),
        )

    @property
    def tightest_cap(self) -> ReasonCode:
        """Return the reason that belongs to the lowest cap."""
        return min(self.caps, key=lambda pair: pair[1])[0]

    def failures(self, installment: Money) -> tuple[ReasonCode, ...]:
        """Return which caps of an ordinary month `installment` is above."""
        return tuple(code for code, cap in self.caps if installment > cap)

    def is_comfortable(self, installment: Money) -> bool:
        """Return whether `installment` fits with the policy's margin to spare in every cap."""
        return (
            installment + self.comfort_margin <= self.largest_installment
            and installment <= self.cap_stress
        )


def repayment_capacity(*, facts: ApplicantFacts, policy: Policy) -> Capacity | None:
    """Return what the month leaves for a new installment; None when a needed fact is unknown."""
    if any(getattr(facts, name) is None for name in NEEDED_FACTS):
        return None
    limits = policy.thresholds
    income_line = _income(facts, policy)
    debt_line = _debt(facts, policy)
    essentials_line = _essentials(facts, policy)
    income, debt, essentials = income_line.amount, debt_line.amount, essentials_line.amount
    share = _share(income, limits.surplus_buffer_share, rounding=Rounding.UP)
    buffer = max(limits.surplus_buffer_fixed, share)
    bad_income = _share(income, 1 - limits.stress_income_cut, rounding=Rounding.DOWN)
    bad_essentials = _share(essentials, 1 + limits.stress_essentials_rise, rounding=Rounding.UP)
    installment_share, all_share = limits.installment_ratio_max, limits.all_debt_ratio_max
    cap_installment = _share(income, installment_share, rounding=Rounding.DOWN)
    cap_all_debt = _share(income, all_share, rounding=Rounding.DOWN) - debt
    cap_surplus = income - essentials - debt - buffer
    cap_stress = bad_income - bad_essentials - debt
    lines = (
        income_line,
        debt_line,
        essentials_line,
        Line(
            code=LineCode.BUFFER,
            amount=buffer,
            formula=f"max({limits.surplus_buffer_fixed}, {limits.surplus_buffer_share} × {income})",
        ),
        Line(
            code=LineCode.CAP_INSTALLMENT,
            amount=cap_installment,
            formula=f"{installment_share} × {income}",
        ),
        Line(
            code=LineCode.CAP_ALL_DEBT,
            amount=cap_all_debt,
            formula=f"{all_share} × {income} − {debt}",
        ),
        Line(
            code=LineCode.CAP_SURPLUS,
            amount=cap_surplus,
            formula=f"{income} − {essentials} − {debt} − {buffer}",
        ),
        Line(
            code=LineCode.CAP_STRESS,
            amount=cap_stress,
            formula=(
                f"{1 - limits.stress_income_cut} × {income}"
                f" − {1 + limits.stress_essentials_rise} × {essentials} − {debt}"
            ),
        ),
    )
    return Capacity(
        income=income,
        debt=debt,
        essentials=essentials,
        buffer=buffer,
        cap_installment=cap_installment,
        cap_all_debt=cap_all_debt,
        cap_surplus=cap_surplus,
        cap_stress=cap_stress,
        comfort_margin=_share(income, limits.comfort_margin, rounding=Rounding.UP),
        lines=lines,
    )


def largest_affordable_principal(
    *,
    installment_max: Money,
    principal_max: Money,
    step: Money,
    installment_of: Callable[[Money], Money],
) -> Money:
    """Return the largest multiple of `step` whose installment is at most `installment_max`.

    `installment_of` must not fall as the principal grows. For equal installments the result is
    P = m * (1 - (1 + r)^-n) / r rounded down to the step; the search also serves the other methods,
    whose largest installment is another one. Never above `principal_max`; 0.00 when nothing fits.
    """
    top = principal_max.cents // step.cents
    if top <= 0 or installment_max.cents <= 0:
        return Money.zero()

    def fits(steps: int) -> bool:
        return steps == 0 or installment_of(step * steps) <= installment_max

    if fits(top):
        return step * top
    # Installments are all but proportional to the principal: begin where that would put it.
    guess = min(top - 1, top * installment_max.cents // installment_of(step * top).cents)
    low, high = (guess, top) if fits(guess) else (0, guess)
    if low == guess and not fits(guess + 1):
        return step * guess
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return step * low


def _share(amount: Money, share: Decimal, *, rounding: Rounding) -> Money:
    return Money.rounded(amount.amount * share, rounding=rounding)


def _income(facts: ApplicantFacts, policy: Policy) -> Line:
    """Return the lower of stated and evidenced income; 80% of what is unverified or irregular."""
    stated, evidenced = _known(facts.stated_income), facts.evidenced_income
    certain = evidenced is not None and not facts.income_is_irregular
    weight = Decimal(1) if certain else policy.thresholds.unverified_income_weight
    lower = stated if evidenced is None else min(stated, evidenced)
    basis = f"{stated}" if evidenced is None else f"min({stated}, {evidenced})"
    return Line(
        code=LineCode.INCOME,
        amount=_share(lower, weight, rounding=Rounding.DOWN),
        formula=f"{weight} × {basis}",
    )


def _debt(facts: ApplicantFacts, policy: Policy) -> Line:
    """Return what existing debts cost a month: declared, or the bureau's figure when higher."""
    share = policy.thresholds.revolving_share_due
    revolving = total(
        max(line.minimum_due, _share(line.limit, share, rounding=Rounding.UP))
        for line in facts.revolving_lines
    )
    declared = _known(facts.debt_payments)
    formula = f"{declared} + {revolving}" if facts.revolving_lines else f"{declared}"
    amount = declared + revolving
    if facts.bureau_debt_payments is not None:
        formula = f"max({formula}, {facts.bureau_debt_payments})"
        amount = max(amount, facts.bureau_debt_payments)
    return Line(code=LineCode.DEBT, amount=amount, formula=formula)


def _essentials(facts: ApplicantFacts, policy: Policy) -> Line:
    """Return declared housing and living costs, or the household's floor when higher."""
    housing, living = _known(facts.housing_cost), _known(facts.living_costs)
    floor = policy.household_floor.amount(
        adults=facts.household_adults or 1, children=facts.household_children or 0
    )
    return Line(
        code=LineCode.ESSENTIALS,
        amount=max(housing + living, floor),
        formula=f"max({housing} + {living}, {floor})",
    )


def _known(value: Money | None) -> Money:
    if value is None:
        raise AssertionError("repayment_capacity looks for unknown facts first.")
    return value
