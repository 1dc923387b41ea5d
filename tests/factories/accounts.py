"""People for tests: whole, valid, and different from each other."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime

from django.contrib.auth.models import Permission
from stdnum.cn import ric

from accounts.engine.contact_rules import Channel
from accounts.engine.finances import Employment
from accounts.models import BorrowerProfile, User
from accounts.services import people, profiles
from zhixin.shared.money import Money

_numbers = itertools.count(1)
# A Tuesday, noon in Shanghai.
NOON = datetime(2026, 6, 16, 4, 0, tzinfo=UTC)
TODAY = date(2026, 6, 16)
PASSWORD = "drei-worte-genügen-42"
MONTHLY_INCOME = Money(800_000)
CARD_NUMBER = "6222020000000000000"


def make_person(
    *,
    channel: Channel = Channel.SMS,
    password: str | None = None,
    is_staff: bool = False,
    language: str = "en",
) -> User:
    """Return a new verified person with a phone number, or with an e-mail address."""
    number = next(_numbers)
    if channel is Channel.EMAIL:
        return people.register_person(
            email=f"person{number}@example.com",
            password=password,
            language=language,
            is_staff=is_staff,
        )
    return people.register_person(
        phone=f"+86138{number:08d}", password=password, language=language, is_staff=is_staff
    )


def make_id_number(*, birth_date: date = date(1990, 1, 1)) -> str:
    """Return a valid resident ID number of Hangzhou that no other test uses."""
    stem = f"330106{birth_date:%Y%m%d}{next(_numbers) % 1000:03d}"
    return stem + ric.calc_check_digit(stem + "0")


def make_borrower(
    *,
    full_name: str = "李小华",
    employment: Employment = Employment.EMPLOYED,
    monthly_income: Money = MONTHLY_INCOME,
    id_number: str | None = None,
    today: date = TODAY,
    at: datetime = NOON,
    **person: object,
) -> User:
    """Return a person whose profile lacks nothing but the optional proof of income."""
    user = make_person(**person)  # type: ignore[arg-type]  # Handed on.
    actor = user.as_actor()
    profiles.save_identity(
        user=user,
        full_name=full_name,
        id_number=id_number or make_id_number(),
        actor=actor,
        at=at,
        today=today,
    )
    profiles.save_work(
        user=user,
        employment=employment,
        employer="杭州明天科技有限公司",
        employed_since=date(2021, 3, 1),
        at=at,
        today=today,
    )
    profiles.save_money_in(user=user, monthly_income=monthly_income, other_income=None, at=at)
    profiles.save_money_out(
        user=user,
        housing_cost=Money(180_000),
        living_costs=Money(200_000),
        debt_payments=Money(50_000),
        debt_total=Money(600_000),
        adults=2,
        children=1,
        at=at,
    )
    profiles.save_bank_account(
        user=user, bank_code="ICBC", card_number=CARD_NUMBER, actor=actor, at=at
    )
    return user


def grant(user: User, permission: str) -> None:
    """Give the person a permission such as "accounts.view_incomeproof"."""
    app_label, codename = permission.split(".")
    user.user_permissions.add(
        Permission.objects.get(content_type__app_label=app_label, codename=codename)
    )


def profile_of(user: User) -> BorrowerProfile:
    """Return the profile as it stands in the database."""
    return BorrowerProfile.objects.get(user=user)
