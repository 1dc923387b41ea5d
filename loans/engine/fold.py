"""The working side of the fold: installments and credit while events are applied in order.

One fixed order per day: due → accrue → penalty → pay → classify. Amounts are whole cents; interest
and penalty are kept as exact sums of cents × units until they are settled. Only
`loans.engine.servicing` uses this module.
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from loans.engine.day_count import (
    UNITS_A_YEAR,
    exact_ratio,
    period_units,
    span_units,
    timetable,
)
from loans.engine.events import InvalidEventError
from loans.engine.installments import (
    BUCKET_INDEX,
    NO_RATE,
    PENALTY,
    PRINCIPAL,
    Plan,
    Row,
    level_over,
)
from loans.engine.schedule import amortization_of, flat_interest
from loans.engine.state import Span
from loans.engine.terms import DayCount, LoanTerms, Method, PrepaymentEffect
from zhixin.shared.calendar import add_periods
from zhixin.shared.money import round_ratio


class Fold:
    """A loan in the middle of its fold. `cursor` is the day through which it is accrued."""

    def __init__(self, terms: LoanTerms) -> None:
        """Start before the disbursement."""
        self.terms = terms
        self.rounding = terms.rounding
        self.day_count = terms.day_count
        self.cursor = dt.date.min
        self.plans: list[Plan] = []
        self.rows: list[Row] = []
        self.queue: deque[Row] = deque()
        self.open: list[Row] = []
        self.unbilled = 0
        self.credit: list[tuple[str, dt.date, int]] = []
        self.credit_total = 0
        self.disbursed = self.received = self.refunded = self.recovered = 0
        self.recognized_interest = self.recognized_fees = 0
        self.waived = [0, 0, 0, 0]
        self.loss = [0, 0, 0, 0]
        self.charged_off_on: dt.date | None = None
        self.allocations: dict[str, dict[int, list[int]]] = {}
        self.disputes: dict[str, Row] = {}
        self.closed_on: dt.date | None = None
        self.last_plan_on: dt.date | None = None
        self.most_late = 0
        self.highest_number = 0
        self.repaid_early = False
        self.projecting = False

    @property
    def plan(self) -> Plan:
        """Return the plan in force."""
        return self.plans[-1]

    # -- time ---------------------------------------------------------------------------------

    def advance(self, day: dt.date) -> None:
        """Carry the loan through `day`: bill what falls due, accrue interest and penalty."""
        while self.queue and self.queue[0].due_date <= day:
            self._accrue(self.queue[0].due_date)
            self._bill(self.queue[0])
        self._accrue(day)
        for row in self.open:
            self.most_late = max(self.most_late, row.days_late(day))

    def _accrue(self, day: dt.date) -> None:
        if day <= self.cursor:
            return
        if self.charged_off_on is None:
            self._accrue_interest(day)
            if not self.projecting:
                self._accrue_penalty(day)
        self.cursor = day

    def _accrue_interest(self, day: dt.date) -> None:
        if not self.queue:
            return
        row = self.queue[0]
        base = self._interest_base(row.plan)
        start = self.cursor
        free_until = row.plan.interest_free_until
        if free_until is not None and free_until > start:
            start = free_until
        if base <= 0 or start >= day:
            return
        units = span_units(self.day_count, start, day)
        row.units += base * units
        self._note_span(row.spans, Span(base, start, day, units))

    def _interest_base(self, plan: Plan) -> int:
        if plan.flat_base:
            return plan.flat_base if self.unbilled or not self.repaid_early else 0
        return self.unbilled - self.credit_total

    def _accrue_penalty(self, day: dt.date) -> None:
        for row in self.open:
            base = row.principal_owed()
            if not base or not row.plan.penalty_rate or row.fenced_since is not None:
                continue
            start = row.payable_through
            if row.plan.grace_days:
                start += dt.timedelta(days=row.plan.grace_days)
            start = max(self.cursor, start)
            if start < day:
                units = span_units(self.day_count, start, day)
                row.penalty_units += base * units
                self._note_span(row.penalty_spans, Span(base, start, day, units))

    def _note_span(self, spans: list[Span], span: Span) -> None:
        """Add the span, or lengthen the last one when it goes on at the same base."""
        last = spans[-1] if spans and not self.projecting else None
        if last is not None and last.base_cents == span.base_cents and last.end == span.start:
            spans[-1] = Span(span.base_cents, last.start, span.end, last.units + span.units)
        else:
            spans.append(span)

    # -- billing ------------------------------------------------------------------------------

    def _own_interest(self, row: Row) -> int:
        plan = row.plan
        if plan.flat_base and row.units == plan.flat_base * row.whole:
            return plan.flat_rows[row.index - 1]
        return row.accrued()

    def _bill(self, row: Row) -> None:
        own = self._own_interest(row)
        principal = row.plan.amortization.principal_due(
            number=row.index, balance=self.unbilled, interest=own
        )
        row.principal = principal + row.early
        row.interest = own + row.carried_interest
        row.fees = row.fee + row.carried_fees
        self.unbilled -= principal
        self.recognized_interest += own
        self.recognized_fees += row.fee
        self.queue.popleft()
        row.billed = True
        if not self.unbilled and self.repaid_early:
            self._drop_empty_rows()
        self._open(row)

    def _open(self, row: Row) -> None:
        row.billed = row.is_open = True
        self.open.append(row)
        self._use_credit(row)

    def _drop_empty_rows(self) -> None:
        kept = [
            row
            for row in self.queue
            if row.carried_interest or row.carried_fees or row.kept_penalty
        ]
        self.queue = deque(kept)
        gone = {id(row) for row in self.rows if not row.billed} - {id(row) for row in kept}
        self.rows = [row for row in self.rows if id(row) not in gone or row.early]

    def close_running(self, day: dt.date) -> None:
        """Bill all that is left on `day`: interest for the days used, and nothing later."""
        row = self.queue[0]
        own = row.accrued()
        row.principal = self.unbilled + row.early
        row.interest = own + sum(each.carried_interest for each in self.queue)
        row.fees = sum(each.carried_fees for each in self.queue)
        row.kept_penalty = sum(each.kept_penalty for each in self.queue)
        self.recognized_interest += own
        self.unbilled = 0
        gone = {id(each) for each in self.queue if each is not row}
        self.rows = [each for each in self.rows if id(each) not in gone]
        self.queue.clear()
        row.payable_through = max(row.payable_through, day)
        self._open(row)

    def rest_to_close(self) -> int:
        """Return what closes all that is not billed yet, money held taken off."""
        if not self.queue:
            return 0
        carried = sum(
            row.carried_interest + row.carried_fees + row.kept_penalty for row in self.queue
        )
        return self.unbilled + self.queue[0].accrued() + carried - self.credit_total

    # -- money --------------------------------------------------------------------------------

    def disburse(self, day: dt.date) -> None:
        """Pay out the principal and lay out the agreement's rows."""
        terms = self.terms
        dates, days, units = timetable(
            day_count=terms.day_count,
            start=terms.disbursement_date,
            first_due_date=terms.first_due_date,
            count=terms.installment_count,
            period=terms.period,
        )
        if terms.method is Method.BULLET:
            dates, days, units = dates[-1:], (sum(days),), (sum(units),)
        if day >= dates[0]:
            raise InvalidEventError(
                key="event.date",
                problem=f"the payout on {day} is not before the first due date {dates[0]}",
                mend="Agree on a later first due date before paying out",
            )
        self.unbilled = self.disbursed = terms.principal.cents
        self.cursor = day
        rate = exact_ratio(terms.annual_rate)
        scale = rate[1] * UNITS_A_YEAR[terms.day_count]
        numerators = [rate[0] * unit for unit in units]
        amortization = amortization_of(
            terms, balance=self.unbilled, numerators=numerators, scale=scale
        )
        penalty = terms.penalty
        plan = Plan(
            number=0,
            terms=terms,
            amortization=amortization,
            rate=rate,
            penalty_rate=penalty.annual_rate(terms.annual_rate) if penalty else NO_RATE,
            grace_days=penalty.grace_days if penalty else 0,
            allocation=terms.allocation,
            interest_free_until=None,
            flat_base=self.unbilled if terms.method is Method.FLAT else 0,
            flat_rows=(
                flat_interest(self.unbilled, numerators, scale, rounding=self.rounding)
                if terms.method is Method.FLAT
                else []
            ),
        )
        self.plans.append(plan)
        fee = terms.fees.installment_cents(terms.principal, terms.rounding)
        self.lay_out(plan, terms.disbursement_date, dates, units, fee=fee)
        first = self.queue[0]
        first.fee += terms.fees.upfront_cents(terms.principal, terms.rounding)
        if day != first.start:
            first.start, first.days = day, (first.due_date - day).days

    def lay_out(
        self,
        plan: Plan,
        start: dt.date,
        dates: Sequence[dt.date],
        units: Sequence[int],
        *,
        fee: int = 0,
    ) -> None:
        """Queue the plan's installments behind what there is."""
        number = max((row.number for row in self.rows), default=0)
        year = UNITS_A_YEAR[self.day_count]
        for index, (due_date, unit) in enumerate(zip(dates, units, strict=True), 1):
            whole = span_units(self.day_count, start, due_date)
            thirty = self.day_count is DayCount.THIRTY_360
            row = Row(
                number=number + index,
                index=index,
                plan=plan,
                start=start,
                due_date=due_date,
                fee=fee,
                scale=(unit, year * whole) if thirty else (1, year),
                whole=whole,
            )
            self.rows.append(row)
            self.queue.append(row)
            start = due_date
        self.highest_number = max(self.highest_number, number + len(dates))

    def repay(
        self, event_id: str, amount: int, day: dt.date, effect: PrepaymentEffect | None
    ) -> None:
        """Take money in: what is due first, oldest first; then by the borrower's choice."""
        self.received += amount
        self.allocations.setdefault(event_id, {})
        rest = self._pay_open(event_id, amount, day)
        if self.queue and not self.open:
            if rest >= self.rest_to_close():
                self.repaid_early = True
                self.close_running(day)
                rest = self._pay_open(event_id, rest, day)
            elif rest:
                rest = self._prepay(event_id, rest, day, effect or self.terms.prepayment)
        if rest:
            self._add_credit(event_id, day, rest)
        self._note_closing(day)

    def _pay_open(self, event_id: str, amount: int, day: dt.date) -> int:
        for row in self.open:
            if not amount:
                break
            amount = self._pay_row(row, event_id, amount, day)
        self._prune()
        return amount

    def _prune(self) -> None:
        for row in self.open:
            row.is_open = any(row.owed())
        self.open = [row for row in self.open if row.is_open]

    def _pay_row(self, row: Row, event_id: str, amount: int, day: dt.date) -> int:
        owed, whole = row.owed(), amount
        was_unpaid = any(owed[:PENALTY])
        parts = None if self.projecting else self._parts(event_id, row.number)
        for bucket in self.plan.allocation:
            index = BUCKET_INDEX[bucket]
            part = min(amount, owed[index])
            if part:
                row.paid[index] += part
                owed[index] -= part
                amount -= part
                if parts is not None:
                    parts[index] += part
        if not any(owed[:PENALTY]):
            row.paid_on = day
            if was_unpaid:
                row.settled_late = row.lateness(day)
        self._count_recovered(whole - amount)
        return amount

    def _count_recovered(self, amount: int) -> None:
        if self.charged_off_on is not None:
            self.recovered += amount

    def _parts(self, event_id: str, number: int) -> list[int]:
        return self.allocations.setdefault(event_id, {}).setdefault(number, [0, 0, 0, 0])

    def _add_credit(self, event_id: str, day: dt.date, amount: int) -> None:
        self.credit.append((event_id, day, amount))
        self.credit_total += amount
        if self.queue:
            self.repaid_early = True

    def take_credit(self, amount: int) -> None:
        """Remove `amount` of credit, the oldest first."""
        self.credit_total -= amount
        while amount:
            event_id, day, held = self.credit.pop(0)
            taken = min(held, amount)
            amount -= taken
            if held > taken:
                self.credit.insert(0, (event_id, day, held - taken))

    def _use_credit(self, row: Row) -> None:
        while self.credit and any(row.owed()):
            event_id, day, held = self.credit[0]
            rest = self._pay_row(row, event_id, held, day)
            self.take_credit(held - rest)
        if not any(row.owed()):
            self.open.remove(row)
            row.is_open = False
            if row.paid_on is None and any(row.due()):
                row.paid_on = row.due_date
        if not self.projecting:
            self._note_closing(self.cursor)

    def _prepay(self, event_id: str, amount: int, day: dt.date, effect: PrepaymentEffect) -> int:
        """Repay principal before it is due; return what must be held as credit instead."""
        if effect is PrepaymentEffect.NEXT_INSTALLMENTS:
            return amount
        part = min(amount, self.unbilled)
        self.repay_principal_early(event_id, part)
        if effect is PrepaymentEffect.LOWER_INSTALLMENT and self.unbilled:
            self._lower_installments(part)
        return amount - part

    def repay_principal_early(self, event_id: str, part: int) -> None:
        """Repay principal that is not billed yet, within the running installment."""
        row = self.queue[0]
        row.early += part
        row.principal += part
        row.paid[PRINCIPAL] += part
        self.unbilled -= part
        self.repaid_early = True
        self._parts(event_id, row.number)[PRINCIPAL] += part
        self._count_recovered(part)

    def _lower_installments(self, part: int) -> None:
        """Spread what is left over the rows that are left, by the method in force."""
        plan = self.queue[0].plan
        rule = plan.amortization
        rows = list(self.queue)
        # The last row repays whatever is left, so grace never covers it.
        grace = min(max(rule.grace - (rows[0].index - 1), 0), len(rows) - 1)
        level, share = rule.level, rule.part
        if plan.terms.method is Method.EQUAL_INSTALLMENT:
            level = level_over(rows[grace:], plan, balance=self.unbilled, through=self.cursor)
        elif plan.terms.method is Method.EQUAL_PRINCIPAL:
            share = round_ratio(self.unbilled, len(rows) - grace, rounding=self.rounding)
        elif plan.terms.method is Method.FLAT:
            before = self.unbilled + part
            level = round_ratio(level * self.unbilled, before, rounding=self.rounding)
            plan.flat_base = round_ratio(
                plan.flat_base * self.unbilled, before, rounding=self.rounding
            )
            plan.flat_rows = [
                round_ratio(charge * self.unbilled, before, rounding=self.rounding)
                for charge in plan.flat_rows
            ]
        plan.amortization = replace(rule, level=level, part=share)

    def refund(self, amount: int, day: dt.date) -> None:
        """Pay credit back; what exceeds the credit is principal owed again."""
        self.refunded += amount
        from_credit = min(amount, self.credit_total)
        self.take_credit(from_credit)
        excess = amount - from_credit
        if not excess:
            return
        self.unbilled += excess
        self.closed_on = None
        if self.charged_off_on is not None:
            self.loss[PRINCIPAL] += excess
        if not self.queue:
            self._lay_out_again(day)

    def _lay_out_again(self, day: dt.date) -> None:
        period = self.terms.period
        due_date = add_periods(day, 1, every=period.every, unit=period.unit)
        due_date = max([due_date, *(row.due_date for row in self.rows[-1:])])
        units = period_units(self.day_count, day, due_date)
        plan = replace(
            self.plan,
            amortization=replace(self.plan.amortization, count=1, method=Method.INTEREST_ONLY),
            flat_base=0,
            flat_rows=[],
        )
        self.plans.append(plan)
        self.lay_out(plan, day, [due_date], [units])

    def waive(self, amounts: Sequence[int], day: dt.date) -> None:
        """Forgive billed amounts by bucket, oldest first, at most what is owed."""
        for bucket, amount in enumerate(amounts):
            rest = amount
            for row in self.open:
                part = min(rest, row.owed()[bucket])
                late = row.days_late(day)
                row.waived[bucket] += part
                rest -= part
                if part and not row.owes_more_than_penalty():
                    row.settled_late = late
            self.count_waived(bucket, amount - rest)
        self._prune()
        self._note_closing(day)

    def count_waived(self, bucket: int, amount: int) -> None:
        """Add to what was forgiven; after a charge-off the loss has it already."""
        if self.charged_off_on is None:
            self.waived[bucket] += amount

    def _note_closing(self, day: dt.date) -> None:
        self.closed_on = day if not self.open and not self.owes_later() else None

    def owes_later(self) -> bool:
        """Return whether anything is left that is not billed yet."""
        if not self.queue:
            return False
        return bool(self.unbilled) or any(
            row.carried_interest or row.carried_fees or row.kept_penalty or row.units
            for row in self.queue
        )

    # -- other events -------------------------------------------------------------------------

    def charge_off(self, day: dt.date) -> None:
        """Call everything due and stop all accrual."""
        if self.charged_off_on is not None:
            return
        if self.queue:
            self.close_running(day)
        self.charged_off_on = day
        for row in self.open:
            for bucket, owed in enumerate(row.owed()):
                self.loss[bucket] += owed

    def row_by_number(self, number: int) -> Row | None:
        """Return the installment, None when the loan needs it no more."""
        if number > self.highest_number:
            raise InvalidEventError(
                key="event.number",
                problem=f"there is no installment {number}",
                mend=f"Write a number from 1 to {self.highest_number}",
            )
        return next((row for row in self.rows if row.number == number), None)

    def move_due_date(self, number: int, payable_through: dt.date) -> None:
        """Let installment `number` be paid through a later day."""
        row = self.row_by_number(number)
        if row is not None:
            row.payable_through = max(row.due_date, payable_through)

    def dispute(self, event_id: str, number: int, day: dt.date) -> None:
        """Fence off installment `number`."""
        row = self.row_by_number(number)
        if row is not None:
            self.disputes[event_id] = row
            row.fenced_since = row.fenced_since or day

    def resolve(self, dispute_id: str, day: dt.date) -> None:
        """Take the fence away; fenced days that would have been late are not counted."""
        row = self.disputes.pop(dispute_id, None)
        if row is None or row.fenced_since is None or row in self.disputes.values():
            return
        uncounted = day - max(row.fenced_since, row.payable_through)
        row.payable_through += max(uncounted, dt.timedelta(0))
        row.fenced_since = None
