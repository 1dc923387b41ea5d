"""The sentences behind the codes of a decision, in the reader's language.

The engine knows codes and figures only. A test looks that every code has its sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from risk.engine.affordability import LineCode
from risk.engine.facts import Employment
from risk.engine.knockouts import Result, Rule
from risk.engine.reasons import Effect, ReasonCode
from zhixin.shared.money import Money
from zhixin.shared.rates import percent_text

Text = str | Promise


def _yuan(text: str) -> str:
    return f"¥{Money.parse(text).amount:,.2f}"


def _percent(text: str) -> str:
    return percent_text(Decimal(text), places=1)


def _plain(text: str) -> str:
    return text


def _points(text: str) -> str:
    """Return a difference of rates in percentage points."""
    return f"{Decimal(text) * 100:.2f}".rstrip("0").rstrip(".")


FACT_LABELS: Mapping[str, Text] = MappingProxyType(
    {
        "age": _("your age"),
        "identity_verified": _("whether your identity is verified"),
        "employment": _("your work"),
        "months_employed": _("how long you have worked there"),
        "stated_income": _("your income"),
        "evidenced_income": _("your income by a document"),
        "proof_age_days": _("the date of your income proof"),
        "income_is_irregular": _("whether your income is regular"),
        "housing_cost": _("what your home costs"),
        "living_costs": _("what you live on"),
        "debt_payments": _("what you pay on other debts"),
        "household_adults": _("how many adults live on this income"),
        "household_children": _("how many children live on this income"),
        "open_principal": _("what you still owe us"),
        "open_loan_count": _("your open loans with us"),
        "worst_days_past_due_now": _("whether you are late with us"),
        "worst_days_past_due_12m": _("whether you have been late with us"),
        "loans_paid_off": _("the loans that you have repaid to us"),
        "written_off": _("your earlier loans with us"),
        "applications_30d": _("your earlier applications"),
    }
)

EMPLOYMENT_LABELS: Mapping[str, Text] = MappingProxyType(
    {
        Employment.EMPLOYED: _("employed"),
        Employment.SELF_EMPLOYED: _("self-employed"),
        Employment.FLEXIBLE: _("in flexible work"),
        Employment.RETIRED: _("retired"),
        Employment.UNEMPLOYED: _("without work"),
        Employment.STUDENT: _("a student"),
    }
)


def _facts(text: str) -> str:
    return gettext(", ").join(str(FACT_LABELS.get(name, name)) for name in text.split(","))


def _employment(text: str) -> str:
    return str(EMPLOYMENT_LABELS.get(text, text))


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence with named places; `value` and the like say how each place is written."""

    text: Text
    places: Mapping[str, Callable[[str], str]] = field(default_factory=dict)
    # Said instead when the value is missing.
    unknown: Text | None = None

    def fill(self, detail: Mapping[str, str]) -> str:
        """Return the sentence with the figures of `detail`."""
        if self.unknown is not None and detail.get("value") == "":
            return str(self.unknown)
        return str(self.text) % {
            name: write(detail.get(name, "")) for name, write in self.places.items()
        }


ADVERSE: Mapping[ReasonCode, Sentence] = MappingProxyType(
    {
        ReasonCode.FACT_UNKNOWN: Sentence(_("We do not know: %(facts)s."), {"facts": _facts}),
        ReasonCode.IDENTITY_NOT_VERIFIED: Sentence(_("We could not verify your identity.")),
        ReasonCode.INCOME_NOT_EVIDENCED: Sentence(
            _("For more than %(maximum)s we need a proof of your income."), {"maximum": _yuan}
        ),
        ReasonCode.INCOME_PROOF_STALE: Sentence(
            _("Your income proof is more than %(days)s days old."), {"days": _plain}
        ),
        ReasonCode.BUREAU_REPORT_MISSING: Sentence(
            _("We could not get a recent report from the credit bureau.")
        ),
        ReasonCode.TOO_YOUNG: Sentence(
            _("We lend to people of %(minimum)s years and older."), {"minimum": _plain}
        ),
        ReasonCode.TOO_OLD_AT_END: Sentence(
            _("The loan would end after your %(maximum)sth year of life; choose a shorter term."),
            {"maximum": _plain},
        ),
        ReasonCode.STUDENT: Sentence(_("By law we may not lend to students.")),
        ReasonCode.NO_INCOME: Sentence(_("You have no income from which a loan could be repaid.")),
        ReasonCode.METHOD_NOT_OFFERED: Sentence(
            _("This way of repaying is not offered for this loan.")
        ),
        ReasonCode.TERM_NOT_OFFERED: Sentence(
            _("%(term)s installments are not offered for this loan."), {"term": _plain}
        ),
        ReasonCode.BULLET_TERM_TOO_LONG: Sentence(
            _("When the principal is repaid at the end, the term is at most %(maximum)s months."),
            {"maximum": _plain},
        ),
        ReasonCode.AMOUNT_TOO_SMALL: Sentence(
            _("The smallest amount of this loan is %(minimum)s."), {"minimum": _yuan}
        ),
        ReasonCode.SCENARIO_MISSING: Sentence(
            _("It is not clear what is to be bought with this loan.")
        ),
        ReasonCode.COST_ABOVE_CAP: Sentence(
            _("All in all it would cost %(cost)s a year, more than the %(maximum)s allowed."),
            {"cost": _percent, "maximum": _percent},
        ),
        ReasonCode.PRICE_BELOW_FLOOR: Sentence(
            _("At our highest rate this loan would not cover what it is expected to cost us.")
        ),
        ReasonCode.PURPOSE_PROHIBITED: Sentence(
            _("We may not lend for this purpose: investments, homes and games of chance.")
        ),
        ReasonCode.PURPOSE_NEEDS_REVIEW: Sentence(
            _("A person has to look at what the money is for.")
        ),
        ReasonCode.PURPOSE_REPAYS_DEBT: Sentence(
            _("The money would repay another debt, so a person looks at it with you.")
        ),
        ReasonCode.PURPOSE_UNKNOWN: Sentence(_("We do not know this purpose.")),
        ReasonCode.ARREARS_NOW: Sentence(
            _("A loan that you have with us is %(days)s days late."), {"days": _plain}
        ),
        ReasonCode.ARREARS_RECENT: Sentence(
            _("In the last year you were up to %(days)s days late with us."), {"days": _plain}
        ),
        ReasonCode.WRITTEN_OFF: Sentence(_("An earlier loan of yours had to be written off.")),
        ReasonCode.MANY_APPLICATIONS: Sentence(
            _("You have applied %(number)s times in the last 30 days."), {"number": _plain}
        ),
        ReasonCode.MANY_OPEN_LOANS: Sentence(
            _("You have %(number)s open loans with us."), {"number": _plain}
        ),
        ReasonCode.BUREAU_ARREARS: Sentence(
            _("The credit bureau reports a debt that was %(days)s days late."), {"days": _plain}
        ),
        ReasonCode.DEBT_RATIO_ALREADY_HIGH: Sentence(
            _("Your other debts already take %(debt)s a month; at most %(maximum)s would be safe."),
            {"debt": _yuan, "maximum": _yuan},
        ),
        ReasonCode.INSTALLMENT_RATIO: Sentence(
            _(
                "The installment of %(installment)s would be above half of your counted income, "
                "which is %(maximum)s."
            ),
            {"installment": _yuan, "maximum": _yuan},
        ),
        ReasonCode.ALL_DEBT_RATIO: Sentence(
            _(
                "With your other debts, an installment of at most %(maximum)s would be safe; this "
                "one is %(installment)s."
            ),
            {"installment": _yuan, "maximum": _yuan},
        ),
        ReasonCode.SURPLUS_TOO_SMALL: Sentence(
            _(
                "After living costs, other debts and a small reserve you have %(maximum)s a month "
                "left; the installment would be %(installment)s."
            ),
            {"installment": _yuan, "maximum": _yuan},
        ),
        ReasonCode.STRESS_FAILS: Sentence(
            _(
                "In a month with a tenth less income and a tenth higher costs you would have "
                "%(maximum)s left; the installment would be %(installment)s."
            ),
            {"installment": _yuan, "maximum": _yuan},
        ),
        ReasonCode.LIMIT_BY_PRODUCT: Sentence(
            _("The most that this loan offers is %(maximum)s."), {"maximum": _yuan}
        ),
        ReasonCode.LIMIT_BY_LAW: Sentence(
            _("The law allows at most %(maximum)s for one person."), {"maximum": _yuan}
        ),
        ReasonCode.LIMIT_BY_INCOME: Sentence(
            _("For your income and grade we lend at most %(maximum)s."), {"maximum": _yuan}
        ),
        ReasonCode.LIMIT_USED: Sentence(
            _("You still owe us %(open_principal)s; it counts towards your limit."),
            {"open_principal": _yuan},
        ),
        ReasonCode.DISCOUNT_WITHHELD: Sentence(
            _("The installment only just fits your budget, so there is no discount on the rate.")
        ),
        ReasonCode.SCORE_EMPLOYMENT: Sentence(
            _("Your income depends on your being %(value)s."),
            {"value": _employment},
            unknown=_("We do not know how you earn your living."),
        ),
        ReasonCode.SCORE_TIME_EMPLOYED: Sentence(
            _("You have had your present work for %(value)s months; longer counts for more."),
            {"value": _plain},
            unknown=_("We do not know how long you have had your present work."),
        ),
        ReasonCode.SCORE_INCOME_EVIDENCE: Sentence(
            _("Your income is not confirmed by a document."),
            unknown=_("We do not know your income."),
        ),
        ReasonCode.SCORE_DEBT_RATIO: Sentence(
            _("Other debts take %(value)s of your counted income."),
            {"value": _percent},
            unknown=_("We could not work out what other debts take of your income."),
        ),
        ReasonCode.SCORE_INSTALLMENT_RATIO: Sentence(
            _("The installment would take %(value)s of your counted income; less counts for more."),
            {"value": _percent},
            unknown=_("We could not work out what the installment would take of your income."),
        ),
        ReasonCode.SCORE_OWN_ARREARS: Sentence(
            _("In the last year you were up to %(value)s days late with us."),
            {"value": _plain},
            unknown=_("We do not know whether you have been late with us."),
        ),
        ReasonCode.SCORE_LOANS_REPAID: Sentence(
            _("Loans that you have repaid to us so far: %(value)s; more count for more."),
            {"value": _plain},
        ),
        ReasonCode.SCORE_APPLICATIONS: Sentence(
            _("Other applications of yours in the last 30 days: %(value)s."),
            {"value": _plain},
            unknown=_("We do not know how often you have applied lately."),
        ),
        ReasonCode.SCORE_BUREAU_ARREARS: Sentence(
            _("The credit bureau reports up to %(value)s days of lateness."), {"value": _plain}
        ),
        ReasonCode.SCORE_BUREAU_INQUIRIES: Sentence(
            _("Other lenders have asked about you %(value)s times in six months."),
            {"value": _plain},
        ),
    }
)

HELPFUL: Mapping[ReasonCode, Sentence] = MappingProxyType(
    {
        ReasonCode.DISCOUNT_FOR_GRADE: Sentence(
            _("Your grade takes %(discount)s percentage points off the rate."),
            {"discount": _points},
        ),
        ReasonCode.AFFORDABLE_WITH_ROOM: Sentence(
            _("The installment fits your budget with room to spare, even in a bad month.")
        ),
        ReasonCode.SCORE_EMPLOYMENT: Sentence(
            _("Your income comes every month: you are %(value)s."), {"value": _employment}
        ),
        ReasonCode.SCORE_TIME_EMPLOYED: Sentence(
            _("You have had your present work for %(value)s months."), {"value": _plain}
        ),
        ReasonCode.SCORE_INCOME_EVIDENCE: Sentence(_("Your income is confirmed by a document.")),
        ReasonCode.SCORE_DEBT_RATIO: Sentence(
            _("Other debts take only %(value)s of your counted income."), {"value": _percent}
        ),
        ReasonCode.SCORE_INSTALLMENT_RATIO: Sentence(
            _("The installment takes only %(value)s of your counted income."),
            {"value": _percent},
        ),
        ReasonCode.SCORE_OWN_ARREARS: Sentence(_("You have not been late with us.")),
        ReasonCode.SCORE_LOANS_REPAID: Sentence(
            _("Loans that you have repaid to us: %(value)s."), {"value": _plain}
        ),
        ReasonCode.SCORE_APPLICATIONS: Sentence(
            _("You have not applied elsewhere with us lately.")
        ),
        ReasonCode.SCORE_BUREAU_ARREARS: Sentence(_("The credit bureau reports no lateness.")),
        ReasonCode.SCORE_BUREAU_INQUIRIES: Sentence(_("Few other lenders have asked about you.")),
    }
)

RULE_LABELS: Mapping[Rule, Text] = MappingProxyType(
    {
        Rule.COMPLETENESS: _("All facts are known"),
        Rule.IDENTITY: _("Identity"),
        Rule.AGE_MIN: _("Of age"),
        Rule.AGE_AT_END: _("Age at the end of the loan"),
        Rule.OCCUPATION: _("Not a student"),
        Rule.PURPOSE: _("Purpose"),
        Rule.METHOD: _("Way of repaying"),
        Rule.TERM: _("Term"),
        Rule.BULLET_TERM: _("Term when repaid at the end"),
        Rule.AMOUNT_MIN: _("Smallest amount"),
        Rule.SCENARIO: _("What is bought"),
        Rule.COST_CAP: _("All-in cost within the cap"),
        Rule.WRITE_OFF: _("No loan written off"),
        Rule.ARREARS_NOW: _("Not late now"),
        Rule.ARREARS_12M: _("Lateness in the last year"),
        Rule.OPEN_LOANS: _("Open loans"),
        Rule.APPLICATIONS: _("Applications lately"),
        Rule.BUREAU_REPORT: _("Credit bureau report"),
        Rule.BUREAU_ARREARS: _("Lateness elsewhere"),
        Rule.INCOME: _("Has an income"),
        Rule.INCOME_EVIDENCE: _("Income proof"),
        Rule.DEBT_RATIO: _("Debts before this loan"),
        Rule.SCORE: _("Score"),
        Rule.AFFORDABILITY: _("Fits an ordinary month"),
        Rule.STRESS: _("Fits a bad month"),
        Rule.LIMIT: _("Within the limit"),
        Rule.PRICE: _("Price covers the risk"),
    }
)

RESULT_LABELS: Mapping[Result, Text] = MappingProxyType(
    {
        Result.PASS: _("Passed"),
        Result.LIMITS: _("Smaller offer"),
        Result.REFER: _("For a person"),
        Result.DECLINE: _("Declined"),
        Result.UNKNOWN: _("Not known"),
        Result.NOT_APPLICABLE: _("Does not apply"),
    }
)

LINE_LABELS: Mapping[LineCode, Text] = MappingProxyType(
    {
        LineCode.INCOME: _("Income that counts"),
        LineCode.DEBT: _("Other debts"),
        LineCode.ESSENTIALS: _("Living costs"),
        LineCode.BUFFER: _("Reserve"),
        LineCode.CAP_INSTALLMENT: _("Most by share of income"),
        LineCode.CAP_ALL_DEBT: _("Most by share of income, with other debts"),
        LineCode.CAP_SURPLUS: _("Most by what is left"),
        LineCode.CAP_STRESS: _("Most in a bad month"),
        LineCode.INSTALLMENT: _("Largest installment asked for, at the list rate"),
    }
)

FEATURE_LABELS: Mapping[str, Text] = MappingProxyType(
    {
        "employment": _("Work"),
        "months_employed": _("Months in present work"),
        "income_evidence": _("Income proof"),
        "debt_ratio": _("Other debts over income"),
        "installment_ratio": _("Installment over income"),
        "worst_days_past_due_12m": _("Worst days late in a year"),
        "loans_paid_off": _("Loans repaid"),
        "applications_30d": _("Applications in 30 days"),
        "bureau_worst_days_past_due_24m": _("Worst days late elsewhere"),
        "bureau_inquiries_6m": _("Inquiries in six months"),
    }
)


def sentence(code: ReasonCode, effect: Effect, detail: Mapping[str, str]) -> str:
    """Return the sentence for a reason in the language in force."""
    table = HELPFUL if effect is Effect.HELPFUL else ADVERSE
    return table[code].fill(detail)
