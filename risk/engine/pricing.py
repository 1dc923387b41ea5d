"""What the loan costs a year: list rate less the published discount of the grade.

rate = max(list rate - discount(grade), floor), floor = funding + running cost + PD * LGD, rounded
up to 0.0001. A better score never makes it dearer: grades are checked to be ordered and PD falls
with the score. There is no discount where the installment only just fits (risk.md section 7).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_UP, Decimal

from risk.engine.facts import LoanRequest
from risk.engine.policy import GradeRule, ProductRule, Thresholds

RATE_PLACES = Decimal("0.0001")
MONTHS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """The offered rate a year and how it came about; all are Decimal fractions."""

    annual_rate: Decimal
    list_rate: Decimal
    floor_rate: Decimal
    discount: Decimal
    discount_withheld: bool

    @property
    def covers_floor(self) -> bool:
        """Return whether the list rate pays for funding, running cost and expected loss."""
        return self.list_rate >= self.floor_rate


def price(
    *,
    product: ProductRule,
    grade: GradeRule,
    pd: Decimal,
    is_comfortable: bool,
    thresholds: Thresholds,
) -> Price:
    """Return the rate for a grade; never above the list rate."""
    floor = (
        thresholds.funding_rate + thresholds.running_cost_rate + pd * thresholds.loss_given_default
    ).quantize(RATE_PLACES, rounding=ROUND_UP)
    discount = grade.discount if is_comfortable else Decimal(0)
    rate = min(product.list_rate, max(product.list_rate - discount, floor))
    return Price(
        annual_rate=rate,
        list_rate=product.list_rate,
        floor_rate=floor,
        discount=product.list_rate - rate,
        discount_withheld=bool(grade.discount) and not is_comfortable,
    )


def all_in_cost(*, request: LoanRequest, product: ProductRule) -> Decimal:
    """Return the yearly effective cost at the list rate, to six places, rounded up.

    The request's own figure when there is one; otherwise (1 + list rate / 12)^12 - 1, the compound
    figure of a loan whose only charge is monthly interest (conduct section 12: the stricter one).
    """
    if request.all_in_cost is not None:
        return request.all_in_cost
    yearly = (1 + product.list_rate / MONTHS) ** MONTHS - 1
    return yearly.quantize(Decimal("0.000001"), rounding=ROUND_UP)
