"""Sample values for the style guide: every component in every state, with fixed dates.

Only developers see it, so its words are not translated.

The amounts are a real schedule: ¥10,000.00 at 12% a year in 12 equal installments, 30/360.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from django import forms
from django.core.paginator import Paginator

from zhixin.shared.charts import InstallmentBar, draw_installments, draw_progress, draw_split
from zhixin.shared.icons import ICONS
from zhixin.shared.money import Money, Rounding, total

BUSINESS_DATE = date(2026, 12, 15)
PRINCIPAL = Money.parse("10000.00")
INSTALLMENT = Money.parse("888.49")
MONTHLY_RATE = Decimal("0.01")
INSTALLMENT_COUNT = 12


class SampleForm(forms.Form):
    """One field of each kind."""

    name = forms.CharField(label="Your name", help_text="As on your identity card.")
    phone = forms.CharField(label="Mobile phone number")
    amount = forms.IntegerField(label="How much do you need?", min_value=1000)
    method = forms.ChoiceField(
        label="How would you like to repay?",
        widget=forms.RadioSelect,
        choices=[
            ("EQUAL_INSTALLMENT", "The same amount every month"),
            ("EQUAL_PRINCIPAL", "More at first, less in all"),
        ],
    )
    employment = forms.ChoiceField(
        label="Your work",
        choices=[
            ("EMPLOYED", "Employed"),
            ("SELF", "Self-employed"),
        ],
    )
    story = forms.CharField(
        label="Anything else we should know?",
        widget=forms.Textarea(attrs={"rows": 3}),
        required=False,
    )
    proof = forms.FileField(
        label="Proof of income",
        help_text="A photo or a PDF, at most 5 MB.",
    )
    agree = forms.BooleanField(
        label="You may ask the credit bureau about me, once, for this application.",
    )


class SampleStepForm(forms.Form):
    """One question of a long form."""

    income = forms.IntegerField(
        label="Your income in a usual month, in yuan",
        help_text="After tax. A careful guess is fine.",
    )


def styleguide_context() -> dict[str, object]:
    """Return everything that templates/styleguide.html shows."""
    bars = sample_bars()
    interest = total(bar.interest for bar in bars)
    wrong = SampleForm({"name": "", "phone": "138", "amount": "500", "method": "", "agree": ""})
    wrong.is_valid()
    wrong.add_error("phone", "A mobile number has eleven digits. This one has three.")
    return {
        "business_date": BUSINESS_DATE,
        "icons": sorted(ICONS),
        "tones": ["info", "soon", "late", "good"],
        "form": SampleForm(
            initial={"name": "林晓雨", "amount": 10000, "method": "EQUAL_INSTALLMENT"}
        ),
        "wrong_form": wrong,
        "step_form": SampleStepForm(),
        "method_hints": {
            "EQUAL_INSTALLMENT": "Easy to plan: ¥888.49 a month.",
            "EQUAL_PRINCIPAL": "¥933.33 at first, falling to ¥841.67.",
        },
        "total_amount": PRINCIPAL + interest,
        "interest": interest,
        "installment": INSTALLMENT,
        "rate": Decimal("0.126825"),
        "rebate": -Money.parse("45.37"),
        "chart": draw_installments(bars),
        "short_chart": draw_installments(bars[:3]),
        "split": draw_split(main=PRINCIPAL, rest=interest),
        "ring": draw_progress(done=Money.parse("2388.62"), whole=PRINCIPAL),
        "rings": [
            draw_progress(done=Money.zero(), whole=PRINCIPAL),
            draw_progress(done=PRINCIPAL, whole=PRINCIPAL),
        ],
        "rows": _schedule_rows(bars),
        "totals": {"principal": PRINCIPAL, "interest": interest, "total": PRINCIPAL + interest},
        "why": _why_lines(),
        "facts": _facts(interest),
        "offers": _offers(),
        "entries": _timeline(),
        "tabs": [
            {"label": "Schedule", "url": "#tabs", "is_current": True},
            {"label": "History", "url": "#tabs", "count": 7},
            {"label": "Documents", "url": "#tabs", "count": 2},
        ],
        "page": Paginator(range(200), 10).page(5),
    }


def sample_bars() -> list[InstallmentBar]:
    """Return the sample schedule; interest half even to cents, the last one takes the rest."""
    left, bars = PRINCIPAL, []
    for number in range(1, INSTALLMENT_COUNT + 1):
        interest = Money.rounded(left.amount * MONTHLY_RATE, rounding=Rounding.HALF_EVEN)
        principal = left if number == INSTALLMENT_COUNT else INSTALLMENT - interest
        due_date = date(2026 + (number + 8) // 12, (number + 8) % 12 + 1, 15)
        bars.append(
            InstallmentBar(number, principal, interest, due_date, paid=due_date < BUSINESS_DATE)
        )
        left -= principal
    return bars


def _schedule_rows(bars: list[InstallmentBar]) -> list[dict[str, object]]:
    """Return the first five installments: two paid, one late, one next, one later."""
    states = [
        ("paid", "Paid", "good"),
        ("paid", "Paid", "good"),
        ("late", "3 days late", "late"),
        ("now", "Next", "soon"),
        ("", "Later", ""),
    ]
    return [
        {
            "number": bar.number,
            "due_date": bar.due_date,
            "principal": bar.principal,
            "interest": bar.interest,
            "total": bar.total,
            "state": state,
            "status_label": label,
            "status_tone": tone,
        }
        for bar, (state, label, tone) in zip(bars, states, strict=False)
    ]


def _why_lines() -> list[dict[str, object]]:
    """Return how one month's interest comes about."""
    return [
        {
            "label": "Interest, 15 November to 15 December",
            "formula": "¥9,211.51 × 12.00% × 30 ÷ 360",
            "amount": Money.parse("92.12"),
            "rule": "Each month counts 30 days. Rounded to the nearest cent.",
        },
        {
            "label": "Late charge, 3 days",
            "formula": "¥796.37 × 18.00% × 3 ÷ 365",
            "amount": Money.parse("1.18"),
            "rule": "On the overdue principal only; never on interest.",
        },
    ]


def _facts(interest: Money) -> list[dict[str, object]]:
    """Return a small cost sheet."""
    return [
        {"label": "You receive", "amount": PRINCIPAL, "note": "in full, nothing held back"},
        {"label": "Interest", "amount": interest, "why": _why_lines()},
        {"label": "Other charges", "value": "none"},
        {"label": "To repay in all", "amount": PRINCIPAL + interest, "is_total": True},
    ]


def _offers() -> list[dict[str, object]]:
    """Return three ways to change a plan."""
    offers: list[tuple[str, str, str, str, str, str]] = [
        ("Pay one month later", "888.49", "2027-11-15", "10,750.72", "+¥88.87", "Pause"),
        ("Smaller amounts for longer", "512.30", "2028-10-15", "11,290.15", "+¥628.30", ""),
        ("No interest for three months", "796.37", "2027-12-15", "10,661.86", "¥0.00", ""),
    ]
    return [
        {
            "title": title,
            "summary": "You pay nothing this month; every date moves by one month."
            if badge
            else "You keep what you have paid; the plan starts on 15 January.",
            "badge": badge,
            "installment": Money.parse(installment),
            "installment_note": "instead of ¥888.49",
            "rows": [
                {"label": "Last payment", "value": until},
                {"label": "To repay in all", "value": f"¥{whole}"},
                {"label": "Difference", "value": difference},
                {"label": "Your credit record", "value": "shown as current"},
            ],
            "url": "#offers",
        }
        for title, installment, until, whole, difference, badge in offers
    ]


def _timeline() -> list[dict[str, object]]:
    """Return one entry of each tone."""
    return [
        {
            "title": "Payment received",
            "when": "2026-11-15 09:12",
            "text": "¥888.49",
            "tone": "good",
        },
        {"title": "Payment due", "when": "2026-12-15", "tone": "soon"},
        {
            "title": "Payment missed",
            "when": "2026-12-16",
            "text": "A late charge of ¥0.39 a day began.",
            "tone": "late",
        },
        {
            "title": "You called us",
            "when": "2026-12-18 10:40",
            "text": "We agreed on a later date.",
            "icon": "phone",
        },
    ]
