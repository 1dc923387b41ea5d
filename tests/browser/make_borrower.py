"""Make a borrower with a signed loan by the product's services, quickly; the bank does the rest.

Runs in a process of its own with the servers' environment, after django.setup().
"""

from __future__ import annotations

import datetime
import sys
from uuid import uuid4

from accounts.engine.finances import Employment
from accounts.models import User
from accounts.services import people, profiles
from loans.models import LoanApplication
from loans.selectors.business_day import business_date
from loans.services.agreements import (
    confirm_cost_sheet,
    prepare_agreement,
    show_cost_sheet,
    sign_agreement,
)
from loans.services.applications import ApplicationRequest, submit_application
from zhixin.shared import clock
from zhixin.shared.money import Money


def main() -> None:
    """Make the person NAME PHONE ID_NUMBER CARD_NUMBER; print the public id of the loan."""
    name, phone, id_number, card_number = sys.argv[1:]
    at, today = clock.now(), clock.local_today()
    user: User = people.register_person(phone=phone)
    actor = user.as_actor()
    own = {"user": user, "at": at}
    profiles.save_identity(**own, full_name=name, id_number=id_number, actor=actor, today=today)
    profiles.save_work(
        **own,
        employment=Employment.EMPLOYED,
        employer="杭州明天科技有限公司",
        employed_since=datetime.date(2021, 3, 1),
        today=today,
    )
    profiles.save_money_in(**own, monthly_income=Money.parse("9000"), other_income=None)
    profiles.save_money_out(
        **own,
        housing_cost=Money.parse("1800"),
        living_costs=Money.parse("1900"),
        debt_payments=Money.parse("300"),
        debt_total=None,
        adults=1,
        children=0,
    )
    profiles.save_bank_account(**own, bank_code="ICBC", card_number=card_number, actor=actor)
    application: LoanApplication = submit_application(
        borrower=user,
        asked=ApplicationRequest(
            product_code="personal",
            merchant_id=None,
            amount=Money.parse("12000"),
            installment_count=12,
            method="EQUAL_INSTALLMENT",
            purpose_code="DAILY_NEEDS",
            purpose_text="",
        ),
        request_key=str(uuid4()),
        business_date=business_date(),
        at=at,
        actor=actor,
    )
    assert application.state == "APPROVED", application.state
    signing = {
        "application_id": application.pk,
        "borrower": user,
        "business_date": business_date(),
    }
    sheet = show_cost_sheet(**signing, language="zh-hans", at=at)
    read_at = at + datetime.timedelta(minutes=1)
    confirm_cost_sheet(**signing, sheet_sha256=sheet.sha256, required_seconds=2, at=read_at)
    ready = prepare_agreement(**signing)
    agreement = sign_agreement(**signing, content_sha256=ready.text.sha256, at=read_at, actor=actor)
    sys.stdout.write(str(agreement.loan.public_id))
