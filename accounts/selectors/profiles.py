"""What is known about a person, in the forms in which others need it."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from accounts.engine.bank_card import BankAccount
from accounts.engine.finances import WORKING, Employment, FinancialFacts
from accounts.engine.identity import age_on, full_months_between
from accounts.models import BorrowerProfile, IncomeProof, User
from zhixin.shared.errors import DomainError
from zhixin.shared.money import Money


class ProfileStep(StrEnum):
    """The pages of the profile in their order; values stand in URLs."""

    IDENTITY = "identity"
    WORK = "work"
    MONEY_IN = "money-in"
    MONEY_OUT = "money-out"
    BANK_ACCOUNT = "bank-account"
    INCOME_PROOF = "income-proof"


# A proof raises what can be lent, and nothing is refused for want of it.
OPTIONAL_STEPS = frozenset({ProfileStep.INCOME_PROOF})


class IncompleteProfileError(DomainError):
    """The profile lacks steps that a decision needs."""

    def __init__(self, missing: tuple[ProfileStep, ...]) -> None:
        super().__init__(", ".join(missing))
        self.missing = missing


def profile_of(user: User) -> BorrowerProfile | None:
    """Return the person's profile, or None before its first step."""
    return BorrowerProfile.objects.filter(user=user).first()


def done_steps(user: User) -> frozenset[ProfileStep]:
    """Return the steps that are filled in."""
    profile = profile_of(user)
    if profile is None:
        return frozenset()
    filled = {
        ProfileStep.IDENTITY: bool(profile.full_name and profile.id_number),
        ProfileStep.WORK: bool(profile.employment),
        ProfileStep.MONEY_IN: profile.monthly_income is not None,
        ProfileStep.MONEY_OUT: profile.housing_cost is not None,
        ProfileStep.BANK_ACCOUNT: bool(profile.bank_card_number),
        ProfileStep.INCOME_PROOF: IncomeProof.objects.filter(user=user).exists(),
    }
    return frozenset(step for step, done in filled.items() if done)


def profile_completeness(user: User) -> tuple[ProfileStep, ...]:
    """Return the steps that are still missing for an application, in order; () when ready."""
    done = done_steps(user)
    return tuple(step for step in ProfileStep if step not in done and step not in OPTIONAL_STEPS)


def financial_facts(user: User, *, as_of: date) -> FinancialFacts:
    """Return the person's work and money as of a day.

    Raises IncompleteProfileError when a step that a decision needs is missing.
    """
    profile = profile_of(user)
    missing = profile_completeness(user)
    if profile is None or missing or profile.birth_date is None:
        raise IncompleteProfileError(missing)
    employment = Employment(profile.employment)
    proof = (
        IncomeProof.objects.filter(user=user, verified_income__isnull=False)
        .order_by("-decided_at", "-pk")
        .first()
    )
    return FinancialFacts(
        age=age_on(profile.birth_date, as_of),
        employment=employment,
        months_employed=_months_employed(profile, employment, as_of),
        stated_income=_or_zero(profile.monthly_income) + _or_zero(profile.other_income),
        evidenced_income=None if proof is None else proof.verified_income,
        evidence_date=None if proof is None else proof.uploaded_at.date(),
        housing_cost=_or_zero(profile.housing_cost),
        living_costs=_or_zero(profile.living_costs),
        debt_payments=_or_zero(profile.debt_payments),
        debt_total=_or_zero(profile.debt_total),
        adults=profile.adults or 1,
        children=profile.children or 0,
    )


def bank_account(user: User) -> BankAccount | None:
    """Return the account for paying out and repaying, or None when the step is missing."""
    profile = profile_of(user)
    if profile is None or not profile.bank_card_number:
        return None
    return BankAccount(
        holder_name=profile.full_name,
        card_number=profile.bank_card_number,
        bank_code=profile.bank_code,
    )


def _months_employed(profile: BorrowerProfile, employment: Employment, as_of: date) -> int | None:
    if employment not in WORKING or profile.employed_since is None:
        return None
    return full_months_between(profile.employed_since, as_of)


def _or_zero(amount: Money | None) -> Money:
    return Money.zero() if amount is None else amount
