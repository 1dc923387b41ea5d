"""Which bucket of which installment a repayment pays: by product, by state, by plan."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from loans.engine.codec import InvalidInputError
from loans.engine.modification import extend
from loans.engine.servicing import Buckets, Disputed, Event, LoanState, replay
from loans.engine.terms import PRINCIPAL_FIRST, LoanTerms
from tests.unit.loans.engine.loan_building import PENALTY, day, loan, paid, payout, state

FIRST_PRINCIPAL = ["PRINCIPAL", "INTEREST", "FEES", "PENALTY"]
CARD_RULE = {"from_days_past_due": 91, "order": FIRST_PRINCIPAL, "across": "BUCKET"}
FEES = {"installment_amount": "5.00"}


def late_loan(**changes: Any) -> LoanTerms:
    return loan(penalty=PENALTY, fees=FEES, **changes)


def parts(found: LoanState) -> dict[int, tuple[str, str, str, str]]:
    """Return what the only repayment paid: principal, interest, fees, penalty by installment."""
    (repayment,) = found.repayments
    return {part.number: _texts(part.amount) for part in repayment.parts}


def _texts(amount: Buckets) -> tuple[str, str, str, str]:
    return (
        str(amount.principal),
        str(amount.interest),
        str(amount.fees),
        str(amount.penalty),
    )


def test_to_day_90_the_terms_order_and_from_day_91_principal_of_all_installments_first() -> None:
    """Due 1 February to 1 May 2024; 1 May is day 90 of the oldest, 2 May day 91."""
    terms = late_loan(late_allocation=[CARD_RULE])
    day_90 = state(terms, [paid("a", "2024-05-01", "1000.00")], "2024-05-01")
    assert state(terms, [], "2024-05-01").days_past_due == 90
    # 1: fees 5.00, interest 100.00, penalty 788.49 × 18 % × 90/360 = 35.48, principal 788.49.
    assert parts(day_90) == {
        1: ("788.49", "100.00", "5.00", "35.48"),
        2: ("0.00", "66.03", "5.00", "0.00"),
    }
    day_91 = state(terms, [paid("a", "2024-05-02", "1000.00")], "2024-05-02")
    assert parts(day_91) == {
        1: ("788.49", "0.00", "0.00", "0.00"),
        2: ("211.51", "0.00", "0.00", "0.00"),
    }


def test_across_installments_the_oldest_is_paid_whole_before_the_next() -> None:
    rule = CARD_RULE | {"across": "INSTALLMENT"}
    terms = late_loan(late_allocation=[rule])
    found = state(terms, [paid("a", "2024-05-02", "1000.00")], "2024-05-02")
    assert parts(found) == {
        1: ("788.49", "100.00", "5.00", "35.88"),
        2: ("70.63", "0.00", "0.00", "0.00"),
    }


def test_across_buckets_what_is_in_dispute_waits_for_all_that_is_late() -> None:
    """Of 1 February in dispute since that day, of 1 March 14 days late: 796.37 × 18 % × 14/360."""
    terms = late_loan(late_allocation=[CARD_RULE | {"from_days_past_due": 1}])
    dispute = Disputed(event_id="d", effective_date=day("2024-02-01"), sequence=1, number=1)
    before = state(terms, [dispute], "2024-03-15")
    assert (before.days_past_due, str(before.overdue.total)) == (14, "899.06")
    after = state(terms, [dispute, paid("a", "2024-03-15", "899.06", 2)], "2024-03-15")
    assert parts(after) == {2: ("796.37", "92.12", "5.00", "5.57")}
    assert after.days_past_due == 0


def test_across_buckets_every_installment_is_reached_before_the_next_bucket() -> None:
    """Four principals are 3,201.58; then 78.42 of interest of the first."""
    terms = late_loan(late_allocation=[CARD_RULE])
    found = state(terms, [paid("a", "2024-05-02", "3280.00")], "2024-05-02")
    assert parts(found) == {
        1: ("788.49", "78.42", "0.00", "0.00"),
        2: ("796.37", "0.00", "0.00", "0.00"),
        3: ("804.34", "0.00", "0.00", "0.00"),
        4: ("812.38", "0.00", "0.00", "0.00"),
    }


def test_the_last_rule_reached_counts() -> None:
    rules = [
        {"from_days_past_due": 31, "order": ["FEES", "PENALTY", "INTEREST", "PRINCIPAL"]},
        CARD_RULE,
    ]
    terms = late_loan(late_allocation=rules)
    found = state(terms, [paid("a", "2024-03-20", "20.00")], "2024-03-20")
    assert found.days_past_due == 48
    assert parts(found) == {1: ("0.00", "0.00", "5.00", "15.00")}


def test_a_plan_has_its_own_order_however_late_the_loan_was() -> None:
    order = ["FEES", "PRINCIPAL", "INTEREST", "PENALTY"]
    terms = late_loan(late_allocation=[CARD_RULE | {"order": order}])
    events: list[Event] = [payout(terms)]
    change = extend(
        terms, events, day("2024-06-15"), installment_count=12, annual_rate=Decimal("0.12")
    )
    assert change.allocation == PRINCIPAL_FIRST
    events += [change, paid("a", "2024-11-20", "700.00", 9)]
    found = replay(terms, events, day("2024-11-20"))
    assert found.days_past_due > 91
    assert parts(found) == {6: ("700.00", "0.00", "0.00", "0.00")}


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ([CARD_RULE, CARD_RULE], "terms.late_allocation: begins at [91, 91] days past due."),
        ([CARD_RULE | {"order": ["PRINCIPAL"]}], "terms.late_allocation[0].order: "),
        ([CARD_RULE | {"from_days_past_due": 0}], "terms.late_allocation[0].from_days_past_due: 0"),
        ([CARD_RULE | {"across": "ALL"}], "terms.late_allocation[0].across: 'ALL' is unknown."),
        ([CARD_RULE | {"days": 3}], "terms.late_allocation[0].days: is an unknown key."),
        (["91"], "terms.late_allocation[0]: is not an object."),
    ],
)
def test_an_order_that_cannot_be_read_is_refused_in_one_line(
    rules: list[Any], message: str
) -> None:
    with pytest.raises(InvalidInputError) as refusal:
        late_loan(late_allocation=rules)
    assert str(refusal.value).startswith(message)
    assert "\n" not in str(refusal.value)


def test_late_orders_survive_json() -> None:
    terms = late_loan(late_allocation=[CARD_RULE])
    assert LoanTerms.from_json(terms.to_json()) == terms
