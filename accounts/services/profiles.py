"""Save the steps of a profile."""

from __future__ import annotations

from datetime import date, datetime

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts.engine.consent import ConsentPurpose
from accounts.engine.finances import Employment
from accounts.engine.identity import ADULT_AGE, age_on, birth_date_of
from accounts.models import BorrowerProfile, User
from accounts.services.consents import record_consent
from accounts.services.digests import personal_data_digest
from zhixin.shared.actor import Actor
from zhixin.shared.errors import DomainError
from zhixin.shared.money import Money


class UnableToSaveIdentityError(DomainError):
    """The person is too young, the number is taken, or an identity stands already."""


class UnableToSaveWorkError(DomainError):
    """The work would begin in the future."""


def save_identity(
    *, user: User, full_name: str, id_number: str, actor: Actor, at: datetime, today: date
) -> BorrowerProfile:
    """Save name and resident ID number (18 valid characters) with the consent to use them.

    Once saved they stay: staff correct a mistake. Raises UnableToSaveIdentityError.
    """
    birth_date = birth_date_of(id_number)
    if age_on(birth_date, today) < ADULT_AGE:
        raise UnableToSaveIdentityError(
            _("We lend to people of 18 years and more. You are welcome to use the lessons.")
        )
    try:
        with transaction.atomic():
            profile = _locked_profile(user, at)
            if profile.id_number:
                raise UnableToSaveIdentityError(
                    _("Your identity is saved already. If something is wrong, please ask us.")
                )
            profile.full_name = full_name
            profile.id_number = id_number
            profile.id_number_digest = personal_data_digest(id_number)
            profile.birth_date = birth_date
            profile.save()
            record_consent(
                user=user,
                purpose=ConsentPurpose.CREDIT_DECISION,
                granted=True,
                actor=actor,
                at=at,
            )
            return profile
    except IntegrityError as error:
        raise UnableToSaveIdentityError(
            _("This ID number belongs to another account. Sign in there, or ask us.")
        ) from error


def save_work(
    *,
    user: User,
    employment: Employment,
    employer: str,
    employed_since: date | None,
    at: datetime,
    today: date,
) -> BorrowerProfile:
    """Save what the person lives from. Raises UnableToSaveWorkError."""
    if employed_since is not None and employed_since > today:
        raise UnableToSaveWorkError(_("The month in which you began cannot be in the future."))
    with transaction.atomic():
        profile = _locked_profile(user, at)
        profile.employment = employment
        profile.employer = employer
        profile.employed_since = employed_since
        profile.save()
        return profile


def save_money_in(
    *, user: User, monthly_income: Money, other_income: Money | None, at: datetime
) -> BorrowerProfile:
    """Save what comes in a month."""
    with transaction.atomic():
        profile = _locked_profile(user, at)
        profile.monthly_income = monthly_income
        profile.other_income = other_income
        profile.save()
        return profile


def save_money_out(
    *,
    user: User,
    housing_cost: Money,
    living_costs: Money,
    debt_payments: Money,
    debt_total: Money | None,
    adults: int,
    children: int,
    at: datetime,
) -> BorrowerProfile:
    """Save what goes out a month, and for how many people."""
    with transaction.atomic():
        profile = _locked_profile(user, at)
        profile.housing_cost = housing_cost
        profile.living_costs = living_costs
        profile.debt_payments = debt_payments
        profile.debt_total = debt_total
        profile.adults = adults
        profile.children = children
        profile.save()
        return profile


def save_bank_account(
    *, user: User, bank_code: str, card_number: str, actor: Actor, at: datetime
) -> BorrowerProfile:
    """Save the card (valid digits) for paying out and repaying, with the separate consent."""
    with transaction.atomic():
        profile = _locked_profile(user, at)
        profile.bank_code = bank_code
        profile.bank_card_number = card_number
        profile.bank_card_last_four = card_number[-4:]
        profile.save()
        record_consent(
            user=user, purpose=ConsentPurpose.BANK_ACCOUNT, granted=True, actor=actor, at=at
        )
        return profile


def answer_consent(
    *, user: User, purpose: ConsentPurpose, granted: bool, actor: Actor, at: datetime
) -> None:
    """Record a new answer, and delete what may no longer be kept (PIPL article 47).

    Without the consent to keep it the card number goes at once; it can be entered again.
    """
    with transaction.atomic():
        record_consent(user=user, purpose=purpose, granted=granted, actor=actor, at=at)
        if purpose is ConsentPurpose.BANK_ACCOUNT and not granted:
            profile = _locked_profile(user, at)
            profile.bank_code = profile.bank_card_number = profile.bank_card_last_four = ""
            profile.save()


def _locked_profile(user: User, at: datetime) -> BorrowerProfile:
    """Return the person's profile, locked; made empty when there is none yet."""
    BorrowerProfile.objects.get_or_create(user=user, defaults={"updated_at": at})
    profile = BorrowerProfile.objects.select_for_update().get(user=user)
    profile.updated_at = at
    return profile
