"""The cost sheet and the agreement as documents: figures first, words around them.

A cost sheet is a JSON document of exact figures without a language; its hash is the SHA-256 of its
canonical form. An agreement is HTML that follows from a stored sheet, the parties and a language
by nothing else, so that what was shown can be made again byte by byte when it is signed.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from typing import Any

from django.template.loader import render_to_string
from django.utils import translation
from django.utils.safestring import SafeString, mark_safe

from accounts.selectors.profiles import bank_account, profile_of
from loans.engine.day_count import UNITS_A_YEAR, span_units
from loans.engine.terms import LoanTerms
from loans.models import Agreement, CostSheet, CostSheetConfirmation, LoanApplication
from loans.models.application import METHOD_LABELS
from loans.selectors.products import Quote, quote_of, terms_of_offer
from risk.engine.documents import fingerprint
from zhixin.shared.money import Money, Rounding

DOCUMENT_FORMAT = 1
RATE_PLACES = Decimal("0.00000001")
EXAMPLE_AMOUNT = Money(100_000)
# The demonstration lender of this deployment; plainly fictional.
LENDER_NAME_EN = "Zhixin Demonstration Lending Co., Ltd."
LENDER_NAME_ZH = "智信示范小额贷款有限公司"


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One charge of normal performance: what, how much, to whom, as a yearly rate."""

    code: str
    amount: Money
    contract_rate: Decimal | None
    annualized_rate: Decimal
    payee_en: str
    payee_zh: str

    @property
    def payee(self) -> str:
        """Return the payee's name in the language in force."""
        return self.payee_zh if _is_chinese() else self.payee_en


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultCharge:
    """What being late costs: on overdue principal only, in place of the contract's interest."""

    annual_rate: Decimal
    grace_days: int
    annual_cap: Decimal | None
    example_amount: Money
    example_day: Money
    example_year: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetRow:
    """One installment of the sheet."""

    number: int
    due_date: datetime.date
    payable_through: datetime.date
    principal: Money
    interest: Money
    fees: Money
    total: Money
    balance: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetTotals:
    """Sums over the installments."""

    principal: Money
    interest: Money
    total: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetFigures:
    """The figures of a cost sheet, read back from the stored document."""

    product_en: str
    product_zh: str
    payee_en: str
    payee_zh: str
    payee_card: str
    paid_to_merchant: bool
    principal: Money
    annual_rate: Decimal
    method: str
    installment_count: int
    disbursement_date: datetime.date
    charges: tuple[Charge, ...]
    total_repayment: Money
    total_cost: Money
    effective_annualized_cost: Decimal
    nominal_annualized_cost: Decimal
    first_installment: Money
    largest_installment: Money
    last_due_date: datetime.date
    shifts_rest_days: bool
    default: DefaultCharge
    rows: tuple[SheetRow, ...]

    @property
    def product(self) -> str:
        """Return the product's name in the language in force."""
        return self.product_zh if _is_chinese() else self.product_en

    @property
    def payee(self) -> str:
        """Return who receives the principal, in the language in force."""
        return self.payee_zh if _is_chinese() else self.payee_en

    @property
    def method_label(self) -> str:
        """Return the way of repaying in words."""
        return str(METHOD_LABELS[self.method])

    @property
    def totals(self) -> SheetTotals:
        """Return the sums over the installments."""
        return SheetTotals(
            principal=self.principal,
            interest=self.total_cost,
            total=self.total_repayment,
        )

    @property
    def is_level(self) -> bool:
        """Return whether the first installment is also the largest of all."""
        return self.rows[-1].total == self.first_installment or self.method == "EQUAL_INSTALLMENT"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementText:
    """An agreement that can be signed: the article to show, the exact bytes, and their hash."""

    number: str
    article: str
    content: bytes
    sha256: str


def contract_quote(application: LoanApplication, *, business_date: datetime.date) -> Quote:
    """Return terms, schedule and cost of the loan if it is signed on `business_date`."""
    amount, rate = application.contract_amount, application.approved_rate
    if amount is None or rate is None:
        raise ValueError("Only an application with an offer has contract terms.")
    return quote_of(
        terms_of_offer(
            application.product_version,
            amount=amount,
            installment_count=application.installment_count,
            method=application.method,
            annual_rate=rate.normalize(),
            disbursement_date=business_date,
        )
    )


def cost_sheet_document(application: LoanApplication, quote: Quote) -> dict[str, Any]:
    """Return the cost sheet of the quote as JSON holds it; amounts and rates as text (PR-09)."""
    cost, terms = quote.cost, quote.terms
    product = application.product_version.product
    return {
        "format": DOCUMENT_FORMAT,
        "application": str(application.public_id),
        "lender": {"name_en": LENDER_NAME_EN, "name_zh": LENDER_NAME_ZH},
        "product": {
            "code": product.code,
            "version": application.product_version.number,
            "name_en": product.name_en,
            "name_zh": product.name_zh,
        },
        "payee": _payee(application),
        "principal": str(terms.principal),
        "paid_out": str(terms.principal),
        "annual_rate": f"{terms.annual_rate:f}",
        "method": terms.method.value,
        "installment_count": terms.installment_count,
        "disbursement_date": terms.disbursement_date.isoformat(),
        "charges": _charges(quote),
        "total_repayment": str(cost.total_repayment),
        "total_cost": str(cost.total_cost),
        "effective_annualized_cost": _rate_text(cost.effective_annualized_cost),
        "nominal_annualized_cost": _rate_text(cost.nominal_annualized_cost),
        "first_installment": str(cost.first_installment),
        "largest_installment": str(cost.largest_installment),
        "last_due_date": cost.last_due_date.isoformat(),
        "calendar": terms.calendar.value if terms.calendar else None,
        "default": _default_charge(terms),
        "early_repayment_fee": "0.00",
        "other_charges": "NONE",
        "schedule": [
            {
                "number": row.number,
                "due_date": row.due_date.isoformat(),
                "payable_through": row.payable_through.isoformat(),
                "principal": str(row.principal),
                "interest": str(row.interest),
                "fees": str(row.fees),
                "total": str(row.total),
                "balance": str(row.balance),
            }
            for row in quote.schedule.rows
        ],
    }


def sheet_hash(document: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the canonical form of a cost sheet's document."""
    return fingerprint(document)


def sheet_figures(document: Mapping[str, Any]) -> SheetFigures:
    """Return the figures that the stored document states."""
    payee, default = document["payee"], document["default"]
    return SheetFigures(
        product_en=document["product"]["name_en"],
        product_zh=document["product"]["name_zh"],
        payee_en=payee["name_en"],
        payee_zh=payee["name_zh"],
        payee_card=payee["last_four"],
        paid_to_merchant=payee["kind"] == "MERCHANT",
        principal=Money.parse(document["principal"]),
        annual_rate=Decimal(document["annual_rate"]),
        method=document["method"],
        installment_count=document["installment_count"],
        disbursement_date=datetime.date.fromisoformat(document["disbursement_date"]),
        charges=tuple(_read_charge(charge, document) for charge in document["charges"]),
        total_repayment=Money.parse(document["total_repayment"]),
        total_cost=Money.parse(document["total_cost"]),
        effective_annualized_cost=Decimal(document["effective_annualized_cost"]),
        nominal_annualized_cost=Decimal(document["nominal_annualized_cost"]),
        first_installment=Money.parse(document["first_installment"]),
        largest_installment=Money.parse(document["largest_installment"]),
        last_due_date=datetime.date.fromisoformat(document["last_due_date"]),
        # A sheet from before there was a calendar names none.
        shifts_rest_days=document.get("calendar") is not None,
        default=_read_default_charge(default),
        rows=tuple(_read_row(row) for row in document["schedule"]),
    )


def latest_cost_sheet(application: LoanApplication) -> CostSheet | None:
    """Return the sheet that was shown last; an earlier one counts no more (PR-11)."""
    return application.cost_sheets.order_by("-shown_at", "-pk").first()


def confirmation_of(sheet: CostSheet) -> CostSheetConfirmation | None:
    """Return the confirmation of the sheet, or None."""
    return CostSheetConfirmation.objects.filter(cost_sheet=sheet).first()


def agreement_of(application: LoanApplication) -> Agreement | None:
    """Return the signed agreement of the application with its loan, or None."""
    return Agreement.objects.filter(application=application).select_related("loan").first()


def agreement_text(application: LoanApplication, sheet: CostSheet) -> AgreementText:
    """Return the agreement that follows from the stored sheet, in the sheet's language."""
    profile = profile_of(application.borrower)
    number = contract_number(application, sheet)
    context = {
        "number": number,
        "figures": sheet_figures(sheet.document),
        "sheet_sha256": sheet.sha256,
        "lender_en": LENDER_NAME_EN,
        "lender_zh": LENDER_NAME_ZH,
        "borrower_name": profile.full_name if profile else "",
        "borrower_id": profile.masked_id_number if profile else "",
    }
    with translation.override(sheet.language):
        article = render_to_string("loans/signing/agreement_article.html", context)
        document = render_to_string(
            "loans/signing/agreement_document.html", {"article": article, "number": number}
        )
    content = document.encode()
    return AgreementText(
        number=number,
        article=article,
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
    )


def signed_article(agreement: Agreement) -> SafeString:
    """Return the article of the signed bytes, to be shown within a page.

    Safe as markup: the bytes were made by our own template, which escapes every value.
    """
    return mark_safe(_between(bytes(agreement.content).decode(), "<article", "</article>"))  # noqa: S308 - Our own template wrote it.


def signed_style(agreement: Agreement) -> str:
    """Return the text of the style block inside the signed bytes."""
    block = _between(bytes(agreement.content).decode(), "<style>", "</style>")
    return block.removeprefix("<style>").removesuffix("</style>")


def _between(text: str, start: str, end: str) -> str:
    """Return the part of `text` from `start` through `end`."""
    begin = text.index(start)
    return text[begin : text.index(end, begin) + len(end)]


def contract_number(application: LoanApplication, sheet: CostSheet) -> str:
    """Return the number of the contract, which follows from the application and the day."""
    day = str(sheet.document["disbursement_date"]).replace("-", "")
    return f"ZX{day}-{application.public_id.hex[:10].upper()}"


def _is_chinese() -> bool:
    return (translation.get_language() or "").startswith("zh")


def _rate_text(rate: Decimal) -> str:
    """Return the rate to eight places, rounded up, so that no cost is stated too low."""
    return f"{rate.quantize(RATE_PLACES, rounding=ROUND_UP):f}"


def _payee(application: LoanApplication) -> dict[str, str]:
    """Return to whom the principal is paid out: the merchant, or the borrower."""
    merchant = application.merchant
    if merchant is not None:
        return {
            "kind": "MERCHANT",
            "name_en": merchant.name_en,
            "name_zh": merchant.name_zh,
            "last_four": merchant.card_number[-4:],
        }
    account = bank_account(application.borrower)
    name = "" if account is None else account.holder_name
    return {
        "kind": "BORROWER",
        "name_en": name,
        "name_zh": name,
        "last_four": "" if account is None else account.last_four,
    }


def _charges(quote: Quote) -> list[dict[str, Any]]:
    """Return every charge of normal performance; fees only when there are some."""
    cost, terms = quote.cost, quote.terms
    effective = _rate_text(cost.effective_annualized_cost)
    charges = [
        {
            "code": "INTEREST",
            "amount": str(cost.total_interest),
            "contract_rate": f"{terms.annual_rate:f}",
            "annualized_rate": effective,
            "payee": "LENDER",
        }
    ]
    if cost.total_fees:
        charges.append(
            {
                "code": "FEES",
                "amount": str(cost.total_fees),
                "contract_rate": "",
                "annualized_rate": effective,
                "payee": "LENDER",
            }
        )
    return charges


def _default_charge(terms: LoanTerms) -> dict[str, Any]:
    """Return what being late costs, with an example of ¥1,000 overdue principal."""
    rule = terms.penalty
    rate = Decimal(0) if rule is None else rule.annual_rate(terms.annual_rate)
    tomorrow = terms.disbursement_date + datetime.timedelta(days=1)
    units = span_units(terms.day_count, terms.disbursement_date, tomorrow)
    day = EXAMPLE_AMOUNT.amount * rate * units / UNITS_A_YEAR[terms.day_count]
    year = EXAMPLE_AMOUNT.amount * rate
    cap = None if rule is None else rule.annual_cap
    return {
        "annual_rate": f"{rate.normalize():f}",
        "annual_cap": None if cap is None else f"{cap:f}",
        "grace_days": 0 if rule is None else rule.grace_days,
        "example_amount": str(EXAMPLE_AMOUNT),
        "example_day": str(Money.rounded(day, rounding=Rounding.HALF_UP)),
        "example_year": str(Money.rounded(year, rounding=Rounding.HALF_UP)),
        "base": "OVERDUE_PRINCIPAL",
        "payee": "LENDER",
    }


def _read_charge(charge: Mapping[str, Any], document: Mapping[str, Any]) -> Charge:
    rate = charge["contract_rate"]
    return Charge(
        code=charge["code"],
        amount=Money.parse(charge["amount"]),
        contract_rate=Decimal(rate) if rate else None,
        annualized_rate=Decimal(charge["annualized_rate"]),
        payee_en=document["lender"]["name_en"],
        payee_zh=document["lender"]["name_zh"],
    )


def _read_default_charge(default: Mapping[str, Any]) -> DefaultCharge:
    cap = default["annual_cap"]
    return DefaultCharge(
        annual_rate=Decimal(default["annual_rate"]),
        grace_days=default["grace_days"],
        annual_cap=None if cap is None else Decimal(cap),
        example_amount=Money.parse(default["example_amount"]),
        example_day=Money.parse(default["example_day"]),
        example_year=Money.parse(default["example_year"]),
    )


def _read_row(row: Mapping[str, Any]) -> SheetRow:
    return SheetRow(
        number=row["number"],
        due_date=datetime.date.fromisoformat(row["due_date"]),
        payable_through=datetime.date.fromisoformat(row.get("payable_through", row["due_date"])),
        principal=Money.parse(row["principal"]),
        interest=Money.parse(row["interest"]),
        fees=Money.parse(row["fees"]),
        total=Money.parse(row["total"]),
        balance=Money.parse(row["balance"]),
    )
