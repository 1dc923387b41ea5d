"""One case as an underwriter sees it: what is asked, what is known and by what evidence."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.models import BorrowerProfile, IncomeProof
from accounts.selectors.profiles import profile_of
from loans.models import ApplicationStatusChange, LoanApplication
from loans.selectors.products import Quote, list_rate, quote_of, terms_of_offer
from risk.engine.affordability import LineCode
from risk.selectors.assessments import AssessmentSheet, assessment_sheet
from risk.selectors.reasons import EMPLOYMENT_LABELS, FEATURE_LABELS
from zhixin.shared.money import Money
from zhixin.shared.rates import percent_text

EVIDENCE_STATED = gettext_lazy("stated")
EVIDENCE_DOCUMENT = gettext_lazy("document checked")
EVIDENCE_OWN_BOOKS = gettext_lazy("our own books")
EVIDENCE_NUMBER = gettext_lazy("ID number checked")
NOT_KNOWN = gettext_lazy("not known")


@dataclass(frozen=True, slots=True, kw_only=True)
class FactRow:
    """One fact: what, its value, by what evidence, and whether that evidence is firm."""

    label: str
    value: str
    evidence: str | Promise
    is_firm: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsRow:
    """What one feature of the score is, in words, and the points that it brings."""

    label: str | Promise
    value: str
    points: int
    best_points: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioRow:
    """A share of the income that counts, beside the most that the policy allows."""

    label: str
    share: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferralCase:
    """Everything on the underwriter's one screen."""

    application: LoanApplication
    quote: Quote
    profile: BorrowerProfile | None
    facts: tuple[FactRow, ...]
    ratios: tuple[RatioRow, ...]
    score_rows: tuple[PointsRow, ...]
    sheet: AssessmentSheet | None
    proofs: tuple[IncomeProof, ...]
    changes: tuple[ApplicationStatusChange, ...]

    @property
    def was_declined_by_machine(self) -> bool:
        """Return whether the applicant has asked for a person after a machine's decline."""
        return any(change.from_state == "DECLINED" for change in self.changes)


def referral_case(application_id: int, *, on: datetime.date) -> ReferralCase:
    """Return the case of an application, with the cost at the rate that an approval would have."""
    application = LoanApplication.objects.select_related(
        "borrower", "product_version__product", "merchant", "assessment", "decided_by"
    ).get(pk=application_id)
    assessment = application.assessment
    sheet = None if assessment is None else assessment_sheet(assessment)
    borrower = application.borrower
    return ReferralCase(
        application=application,
        quote=_quote(application, on),
        profile=profile_of(borrower),
        facts=() if assessment is None else _fact_rows(assessment.facts),
        ratios=() if sheet is None else _ratios(sheet),
        score_rows=() if assessment is None else _points(assessment.decision["score_lines"]),
        sheet=sheet,
        proofs=tuple(IncomeProof.objects.filter(user=borrower).order_by("-uploaded_at", "-pk")),
        changes=tuple(
            application.status_changes.select_related("actor_user__profile").order_by(
                "recorded_at", "pk"
            )
        ),
    )


def _quote(application: LoanApplication, on: datetime.date) -> Quote:
    version, assessment = application.product_version, application.assessment
    rate = None if assessment is None else assessment.annual_rate
    return quote_of(
        terms_of_offer(
            version,
            amount=application.amount,
            installment_count=application.installment_count,
            method=application.method,
            annual_rate=list_rate(version.product.code, on=on) if rate is None else rate,
            disbursement_date=on,
        )
    )


def _fact_rows(facts: dict[str, Any]) -> tuple[FactRow, ...]:
    """Return the facts of the assessment in the order of an interview."""
    return (
        _row(_("Age"), facts["age"], EVIDENCE_NUMBER, firm=True),
        _row(_("Work"), _employment(facts), EVIDENCE_STATED),
        _row(_("In this work for"), _months(facts["months_employed"]), EVIDENCE_STATED),
        _row(_("Income a month, as stated"), _yuan(facts["stated_income"]), EVIDENCE_STATED),
        _row(
            _("Income a month, by document"),
            _yuan(facts["evidenced_income"]),
            EVIDENCE_DOCUMENT,
            firm=True,
        ),
        _row(_("Housing a month"), _yuan(facts["housing_cost"]), EVIDENCE_STATED),
        _row(_("Living costs a month"), _yuan(facts["living_costs"]), EVIDENCE_STATED),
        _row(_("Debt payments a month"), _yuan(facts["debt_payments"]), EVIDENCE_STATED),
        _row(_("Household"), _household(facts), EVIDENCE_STATED),
        _row(_("Owed to us"), _yuan(facts["open_principal"]), EVIDENCE_OWN_BOOKS, firm=True),
        _row(_("Days late now"), facts["worst_days_past_due_now"], EVIDENCE_OWN_BOOKS, firm=True),
        _row(
            _("Most days late in a year"),
            facts["worst_days_past_due_12m"],
            EVIDENCE_OWN_BOOKS,
            firm=True,
        ),
        _row(_("Loans repaid to us"), facts["loans_paid_off"], EVIDENCE_OWN_BOOKS, firm=True),
        _row(
            _("Other applications in 30 days"),
            facts["applications_30d"],
            EVIDENCE_OWN_BOOKS,
            firm=True,
        ),
    )


def _row(label: str, value: object, evidence: Promise, *, firm: bool = False) -> FactRow:
    known = value is not None
    return FactRow(
        label=label,
        value=str(value if known else NOT_KNOWN),
        evidence=evidence if known else "",
        is_firm=firm and known,
    )


def _yuan(text: str | None) -> str | None:
    return None if text is None else f"¥{Money.parse(text).amount:,.2f}"


def _employment(facts: dict[str, Any]) -> str | None:
    kind = facts["employment"]
    return None if kind is None else str(EMPLOYMENT_LABELS[kind])


def _months(count: int | None) -> str | None:
    if count is None:
        return None
    return ngettext("%(count)d month", "%(count)d months", count) % {"count": count}


def _household(facts: dict[str, Any]) -> str:
    return household_text(facts["household_adults"] or 0, facts["household_children"] or 0)


def household_text(adults: int, children: int) -> str:
    """Return who lives in a household, such as "1 adult, 2 children"."""
    grown = ngettext("%(count)d adult", "%(count)d adults", adults) % {"count": adults}
    young = ngettext("%(count)d child", "%(count)d children", children) % {"count": children}
    return _("%(adults)s, %(children)s") % {"adults": grown, "children": young}


def _ratios(sheet: AssessmentSheet) -> tuple[RatioRow, ...]:
    """Return installment, and installment with other debts, as shares of the income that counts."""
    amounts = {
        line["code"]: Money.parse(line["amount"])
        for line in sheet.assessment.decision["affordability"]
    }
    income = amounts.get(LineCode.INCOME.value)
    installment = amounts.get(LineCode.INSTALLMENT.value)
    debt = amounts.get(LineCode.DEBT.value, Money.zero())
    if not income or installment is None:
        return ()
    return (
        RatioRow(label=_("Installment over income"), share=installment.amount / income.amount),
        RatioRow(
            label=_("Installment and other debts over income"),
            share=(installment + debt).amount / income.amount,
        ),
    )


_RATIOS = frozenset({"debt_ratio", "installment_ratio"})
_EVIDENCE_WORDS = {"STATED": EVIDENCE_STATED, "EVIDENCED": EVIDENCE_DOCUMENT}


def _points(lines: list[dict[str, Any]]) -> tuple[PointsRow, ...]:
    return tuple(
        PointsRow(
            label=FEATURE_LABELS[line["feature"]],
            value=_feature_value(line["feature"], line["value"]),
            points=line["points"],
            best_points=line["best_points"],
        )
        for line in lines
    )


def _feature_value(feature: str, value: str | None) -> str:
    """Return a feature's value as staff read it."""
    if value is None:
        return str(NOT_KNOWN)
    if feature in _RATIOS:
        return percent_text(Decimal(value))
    if feature == "employment":
        return str(EMPLOYMENT_LABELS[value])
    return str(_EVIDENCE_WORDS.get(value, value))
