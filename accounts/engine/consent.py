"""What people are asked to agree to, as data: a purpose without an entry cannot be recorded.

Texts are English sources of translations. PIPL articles: 6 (only what is needed), 14-16 (free,
withdrawn as easily as given, refusing what is not needed never blocks), 29 (separate consent for
sensitive data), 24 (automated decisions).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ConsentPurpose(StrEnum):
    """A purpose for which personal data may be used, once agreed."""

    CREDIT_DECISION = "CREDIT_DECISION"
    BANK_ACCOUNT = "BANK_ACCOUNT"
    INCOME_PROOF = "INCOME_PROOF"
    BUREAU_REPORT = "BUREAU_REPORT"
    SERVICE_SMS = "SERVICE_SMS"
    SERVICE_EMAIL = "SERVICE_EMAIL"
    MARKETING = "MARKETING"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentText:
    """A purpose in plain words.

    `version` changes with the text. `unless_asked` is what holds before the person has chosen:
    True only for messages about their own loan. `needed_for` says what cannot be done without;
    empty when nothing depends on it.
    """

    purpose: ConsentPurpose
    version: int
    title: str
    text: str
    needed_for: str
    unless_asked: bool = False


def gettext_noop(message: str) -> str:
    """Mark a text for translation where it is shown."""
    return message


CONSENT_TEXTS: dict[ConsentPurpose, ConsentText] = {
    entry.purpose: entry
    for entry in (
        ConsentText(
            purpose=ConsentPurpose.CREDIT_DECISION,
            version=1,
            title=gettext_noop("Use my data to decide on a loan"),
            text=gettext_noop(
                "We use your name, ID number, work, income and costs to decide whether a loan "
                "fits you, partly by computer. You can ask for the reasons and for a person to "
                "look again."
            ),
            needed_for=gettext_noop("Without it we cannot decide on a new loan."),
        ),
        ConsentText(
            purpose=ConsentPurpose.BANK_ACCOUNT,
            version=1,
            title=gettext_noop("Keep my bank card number"),
            text=gettext_noop(
                "We pay your loan to this card and take only the repayments that you confirm. "
                "The number is stored encrypted. A card number is sensitive: in wrong hands it "
                "could cost you money."
            ),
            needed_for=gettext_noop("Without it we cannot pay out a loan."),
        ),
        ConsentText(
            purpose=ConsentPurpose.INCOME_PROOF,
            version=1,
            title=gettext_noop("Look at my proof of income"),
            text=gettext_noop(
                "An underwriter reads the document to check the income that you stated. Each "
                "look is recorded, and you can see the record."
            ),
            needed_for=gettext_noop(
                "Without it we count only on the income that can be assumed safely."
            ),
        ),
        ConsentText(
            purpose=ConsentPurpose.BUREAU_REPORT,
            version=1,
            title=gettext_noop("Ask for my credit report"),
            text=gettext_noop(
                "For one application we ask the credit bureau for your report. The request "
                "itself appears in the report."
            ),
            needed_for=gettext_noop("Without it a person decides, and it takes longer."),
        ),
        ConsentText(
            purpose=ConsentPurpose.SERVICE_SMS,
            version=1,
            title=gettext_noop("Text messages about my loan"),
            text=gettext_noop(
                "Reminders before a due date and news about your loan, never between 22:00 and "
                "08:00. Codes that you ask for always come."
            ),
            needed_for="",
            unless_asked=True,
        ),
        ConsentText(
            purpose=ConsentPurpose.SERVICE_EMAIL,
            version=1,
            title=gettext_noop("E-mails about my loan"),
            text=gettext_noop(
                "Reminders before a due date and news about your loan, never between 22:00 and "
                "08:00. Codes that you ask for always come."
            ),
            needed_for="",
            unless_asked=True,
        ),
        ConsentText(
            purpose=ConsentPurpose.MARKETING,
            version=1,
            title=gettext_noop("News about products"),
            text=gettext_noop("Now and then a message about what is new. Most people say no."),
            needed_for="",
        ),
    )
}
