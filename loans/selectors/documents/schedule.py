"""The repayment schedule 还款计划表, with what was paid on it and a subtotal for each year."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from loans.engine.annualized_cost import cost_of
from loans.engine.lifecycle import LoanStatus
from loans.engine.state import Buckets, InstallmentState, LoanState
from loans.models import Loan
from loans.selectors.documents.form import (
    Column,
    Document,
    Fact,
    Facts,
    Section,
    Table,
    TableRow,
    Text,
)
from loans.selectors.documents.letter import borrower_name, letter, method_label, parties
from loans.selectors.loan_pages import shown_installments
from loans.selectors.servicing import loan_state, terms_of
from zhixin.shared.money import Money, total
from zhixin.shared.templatetags.zhixin import money, percent, plain_date


def schedule_document(loan: Loan, *, as_of: datetime.date) -> Document:
    """Return the schedule in force on the business date `as_of`, from one fold."""
    state = loan_state(loan, as_of=as_of)
    return letter(
        loan,
        title=pgettext("document", "Repayment schedule"),
        lead=_("As of %(date)s. All amounts in CNY.") % {"date": plain_date(as_of)},
        dated=as_of,
        sections=(
            Section(title="", blocks=(Facts(rows=_facts(loan, state)),)),
            Section(title=_("Installments"), blocks=(schedule_table(state),)),
            Section(title=_("What would change it"), blocks=(_what_changes_it(state),)),
        ),
    )


def _facts(loan: Loan, state: LoanState) -> tuple[Fact, ...]:
    terms = terms_of(loan)
    cost = cost_of(terms)
    changed = _("as signed; the plan has changed since") if state.plan_number else _("as signed")
    return (
        *parties(loan, name=borrower_name(loan)),
        Fact(label=_("Principal"), value=money(loan.principal), note=_paid_out(loan)),
        Fact(
            label=_("Way of repaying"),
            value=method_label(terms.method.value),
            note=ngettext(
                "%(count)d installment", "%(count)d installments", terms.installment_count
            )
            % {"count": terms.installment_count},
        ),
        Fact(label=_("Interest rate a year"), value=percent(state.annual_rate)),
        Fact(
            label=_("Annualized cost, everything included"),
            value=percent(cost.effective_annualized_cost),
            note=changed,
        ),
        Fact(
            label=_("Total cost of the loan"),
            value=money(cost.total_cost),
            note=changed,
        ),
        Fact(label=_("Paid so far"), value=money(state.totals.paid.total)),
        Fact(
            label=_("Still to pay by this schedule"),
            value=money(total(row.outstanding.total for row in shown_installments(state))),
            is_total=True,
        ),
    )


def _paid_out(loan: Loan) -> str:
    if loan.disbursed_on is None:
        return _("not paid out yet")
    return _("paid out on %(date)s") % {"date": plain_date(loan.disbursed_on)}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """Which columns the table has: fees and late charges only where there are some."""

    with_fees: bool
    with_penalty: bool

    def columns(self) -> tuple[Column, ...]:
        """Return the columns."""
        optional = [
            *([Column(label=_("Fees"), share=7, is_number=True)] if self.with_fees else []),
            *(
                [Column(label=_("Late charge"), share=7, is_number=True)]
                if self.with_penalty
                else []
            ),
        ]
        return (
            Column(label=_("No."), share=4),
            Column(label=_("Due date"), share=12),
            Column(label=_("Principal"), share=9, is_number=True),
            Column(label=_("Interest"), share=8, is_number=True),
            *optional,
            Column(label=_("To pay"), share=9, is_number=True),
            Column(label=_("Paid"), share=9, is_number=True),
            Column(label=_("Left"), share=9, is_number=True),
        )

    def cells(self, rows: Sequence[InstallmentState]) -> tuple[str, ...]:
        """Return the amounts of one installment, or the sums of several."""
        asked = sum_of([_asked(row) for row in rows])
        return (
            money(asked.principal),
            money(asked.interest),
            *([_some(asked.fees, rows)] if self.with_fees else []),
            *([_some(asked.penalty, rows)] if self.with_penalty else []),
            money(asked.total),
            money(total(row.paid.total for row in rows)),
            money(total(row.outstanding.total for row in rows)),
        )


def _some(amount: Money, rows: Sequence[InstallmentState]) -> str:
    """Return nothing for the zero of one installment; sums are always written."""
    return money(amount) if amount or len(rows) > 1 else ""


def schedule_table(state: LoanState) -> Table:
    """Return the installments with yearly subtotals and the total."""
    shown = shown_installments(state)
    asked = [_asked(row) for row in shown]
    shape = _Shape(
        with_fees=any(part.fees for part in asked),
        with_penalty=any(part.penalty for part in asked),
    )
    rows: list[TableRow] = []
    years = sorted({row.due_date.year for row in shown})
    for year in years:
        of_year = [row for row in shown if row.due_date.year == year]
        rows += [_row(row, shape) for row in of_year]
        if len(years) > 1:
            label = _("Year %(year)d") % {"year": year}
            rows.append(TableRow(cells=("", label, *shape.cells(of_year)), kind="subtotal"))
    rows.append(TableRow(cells=("", _("In all"), *shape.cells(shown)), kind="total"))
    return Table(caption=_("Repayment schedule"), columns=shape.columns(), rows=tuple(rows))


def _asked(row: InstallmentState) -> Buckets:
    """Return what was paid on the installment and what it still wants (as the loan's page does)."""
    return sum_of([row.paid, row.outstanding])


def sum_of(parts: Sequence[Buckets]) -> Buckets:
    """Return the sum by bucket."""
    return Buckets.of(
        principal=total(part.principal for part in parts),
        interest=total(part.interest for part in parts),
        fees=total(part.fees for part in parts),
        penalty=total(part.penalty for part in parts),
    )


def _row(row: InstallmentState, shape: _Shape) -> TableRow:
    return TableRow(
        cells=(str(row.number), plain_date(row.due_date), *shape.cells([row])),
        note="; ".join(part for part in (_payable_through(row), _how_it_stands(row)) if part),
        kind="late" if row.days_late_now else "",
    )


def _payable_through(row: InstallmentState) -> str:
    if row.payable_through == row.due_date:
        return ""
    return _("in time through %(date)s") % {"date": plain_date(row.payable_through)}


def _how_it_stands(row: InstallmentState) -> str:
    if row.moved.total:
        return _("Rest moved to plan")
    if row.paid_on is not None:
        return _("paid on %(date)s") % {"date": plain_date(row.paid_on)}
    if row.days_late_now:
        days = ngettext("%(days)d day late", "%(days)d days late", row.days_late_now)
        return days % {"days": row.days_late_now}
    return _("Disputed") if row.disputed else ""


def _what_changes_it(state: LoanState) -> Text:
    if state.status == LoanStatus.CHARGED_OFF:
        return Text(
            paragraphs=(
                _(
                    "The loan was written off in our books. That does not end what is owed, but "
                    "no more interest is added."
                ),
            ),
            is_list=True,
        )
    late = _(
        "Paying late: the principal that is late costs %(rate)s a year in place of the interest, "
        "counted by the day."
    ) % {"rate": percent(state.penalty_rate)}
    paragraphs = [
        _(
            "Paying early, all or in part: it costs nothing, and interest is owed only for the "
            "days on which you had the money."
        ),
        *([late] if state.penalty_rate else []),
        _(
            "Another plan: you can ask for a deferral, a longer term or an interest freeze, "
            "without a fee. A new schedule then takes this one's place."
        ),
    ]
    if state.status == LoanStatus.PENDING:
        paragraphs.append(
            _("A later payout: interest begins when the money arrives, and the due dates stay.")
        )
    return Text(paragraphs=tuple(paragraphs), is_list=True)
