"""What all documents share: who is named in them, how they name things, their parts."""

from __future__ import annotations

import datetime
from collections.abc import Iterable

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts.selectors.profiles import profile_of
from loans.models import Loan
from loans.models.application import METHOD_LABELS
from loans.selectors.agreements import LENDER_NAME_EN, LENDER_NAME_ZH
from loans.selectors.documents.form import Document, Fact, Section
from zhixin.shared.templatetags.zhixin import plain_date


def language() -> str:
    """Return the language in force: "zh-hans" or "en"."""
    return get_language() or "en"


_STOPS = tuple(".!?。！？…；;：:")


def in_a_row(sentences: Iterable[str]) -> str:
    """Return the sentences one after the other, each with a stop at its end.

    What staff write often has none. Chinese puts no space between sentences.
    """
    said = [text.strip() for text in sentences if text.strip()]
    if len(said) == 1:
        return said[0]
    between, stop = ("", "。") if language().startswith("zh") else (" ", ".")
    return between.join(text if text.endswith(_STOPS) else text + stop for text in said)


def lender_name() -> str:
    """Return the lender's name in the language in force."""
    return LENDER_NAME_ZH if language().startswith("zh") else LENDER_NAME_EN


def borrower_name(loan: Loan) -> str:
    """Return the borrower's name as the identity check knows it."""
    profile = profile_of(loan.borrower)
    return profile.full_name if profile is not None else ""


def product_name(loan: Loan) -> str:
    """Return the product's name in the language in force."""
    return str(loan.agreement.application.product_version.product.name)


def method_label(method: str) -> str:
    """Return the way of repaying in words."""
    return str(METHOD_LABELS[method])


def parties(loan: Loan, *, name: str) -> tuple[Fact, ...]:
    """Return the facts that stand on top of each document."""
    return (
        Fact(label=_("Borrower"), value=name),
        Fact(label=_("Contract number"), value=loan.agreement.number),
        Fact(label=_("Product"), value=product_name(loan)),
    )


def letter(
    loan: Loan,
    *,
    title: str,
    lead: str,
    dated: datetime.date,
    sections: tuple[Section, ...],
    is_void: bool = False,
) -> Document:
    """Return the document of a loan with what all of them state."""
    number = loan.agreement.number
    return Document(
        title=title,
        lead=lead,
        contract=number,
        lender=lender_name(),
        dated=plain_date(dated),
        language=language(),
        file_name=f"{title}-{number}-{dated:%Y%m%d}",
        sections=sections,
        is_void=is_void,
    )
