"""Staff in the admin: the auditor reads everything and takes up nothing; no link leads to 403."""

from __future__ import annotations

import datetime
import re

import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import translation

from accounts.engine.bank_card import BANKS
from accounts.engine.contact_rules import Channel
from accounts.models import BorrowerProfile, IncomeProof, PersonalDataAccess, User
from accounts.models.income_proof import FileKind, IncomeProofKind
from collections_app.engine.hardship import OfferKind
from collections_app.services.negotiation import accept_offer
from loans.admin.night import NIGHT_STEP_LABELS
from loans.models import BankNotice, LoanApplication, LoanEvent, MoneyCommand
from loans.models.transfer import CommandKind, NoticeVerdict
from tests.factories.accounts import NOON, make_person
from tests.factories.collections_app import FIRST_LATE, asked, borrower_of, instant, late_loan
from tests.factories.funded import funded_loan, signed_loan
from tests.factories.loans import make_referred, make_underwriter, open_shop
from zhixin.shared.money import Money
from zhixin.shared.permissions import Role

pytestmark = pytest.mark.django_db


def signed_in(person: User) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def staff_as(role: Role) -> Client:
    call_command("sync_roles", verbosity=0)
    person = make_person(channel=Channel.EMAIL, is_staff=True)
    person.groups.add(Group.objects.get(name=role.value))
    return signed_in(person)


def test_the_auditor_reads_the_queue_and_a_case_and_takes_up_nothing() -> None:
    open_shop()
    application = make_referred()
    auditor = staff_as(Role.AUDITOR)
    queue = auditor.get(reverse("admin:loans_referrals"))
    assert queue.status_code == 200
    assert "Take the oldest" not in queue.text
    url = reverse("admin:loans_referral", args=[application.public_id])
    page = auditor.get(url)
    assert page.status_code == 200
    assert "You may read this case; underwriters decide it." in page.text
    assert 'name="verdict"' not in page.text
    assert auditor.post(url, {"verdict": "DECLINE"}).status_code == 403
    assert auditor.post(reverse("admin:loans_referral_next")).status_code == 403
    application.refresh_from_db()
    assert (application.claimed_by, application.state) == (None, "REFERRED")
    look = PersonalDataAccess.objects.get(subject=application.borrower)
    assert look.purpose == "Deciding on an application"


def test_the_underwriter_takes_up_the_case() -> None:
    open_shop()
    application = make_referred()
    underwriter = make_underwriter()
    url = reverse("admin:loans_referral", args=[application.public_id])
    page = signed_in(underwriter).get(url)
    assert 'name="verdict"' in page.text
    application.refresh_from_db()
    assert application.claimed_by == underwriter


def test_rules_that_passed_are_folded_away() -> None:
    open_shop()
    application = make_referred()
    url = reverse("admin:loans_referral", args=[application.public_id])
    page = signed_in(make_underwriter()).get(url)
    sheet = page.context["case"].sheet
    quiet = {"PASS", "NOT_APPLICABLE"}
    assert [row.label for row in sheet.telling_rules if row.result in quiet] == []
    assert len(sheet.telling_rules) + len(sheet.quiet_rules) == len(sheet.rule_rows)
    assert 0 < len(sheet.telling_rules) < 10 < len(sheet.quiet_rules)
    before, folded = page.text.split("<details", 1)
    assert str(sheet.telling_rules[0].label) in before
    assert f"{len(sheet.quiet_rules)} rules passed or do not apply" in folded


@pytest.mark.parametrize(
    "model", ["costsheet", "banknotice", "loanevent", "moneycommand", "agreement", "journalentry"]
)
def test_the_auditor_reads_the_rows_of_record(model: str) -> None:
    late_loan()
    auditor = staff_as(Role.AUDITOR)
    page = auditor.get(reverse(f"admin:loans_{model}_changelist"))
    assert page.status_code == 200
    for row in page.context["cl"].queryset[:1]:
        change = reverse(f"admin:loans_{model}_change", args=[row.pk])
        assert auditor.get(change).status_code == 200
        assert auditor.post(change, {}).status_code == 403
    assert auditor.get(reverse(f"admin:loans_{model}_add")).status_code == 403


def test_the_auditor_finds_each_of_them_in_the_sidebar() -> None:
    late_loan()
    page = staff_as(Role.AUDITOR).get(reverse("admin:index")).text
    for model in ("costsheet", "banknotice", "loanevent", "moneycommand"):
        assert reverse(f"admin:loans_{model}_changelist") in page
    assert reverse("admin:loans_referrals") in page


def test_a_loan_names_its_borrower_as_the_queue_of_cases_does() -> None:
    loan = late_loan()
    auditor = staff_as(Role.AUDITOR)
    assert "李小华" in auditor.get(reverse("admin:loans_loan_changelist")).text
    page = auditor.get(reverse("admin:loans_loan_change", args=[loan.pk])).text
    assert "李小华" in page
    assert "rojected as of" not in page
    assert "Figures as they stood on" in page


def proof_of(borrower: User) -> IncomeProof:
    return IncomeProof.objects.create(
        user=borrower,
        kind=IncomeProofKind.PAYSLIP,
        document=ContentFile(b"%PDF-1.7", name="payslip.pdf"),
        file_kind=FileKind.PDF,
        stated_monthly_amount=Money.parse("8000"),
        uploaded_at=NOON,
    )


@pytest.mark.parametrize("role", [Role.UNDERWRITER, Role.COLLECTOR, Role.AUDITOR])
def test_no_link_of_a_page_of_staff_answers_403(role: Role) -> None:
    open_shop()
    borrower = make_referred().borrower
    funded_loan(borrower=borrower)
    proof_of(borrower)
    client = staff_as(role)
    refused = {}
    for url in pages_with_links(borrower):
        page = client.get(url)
        if page.status_code in (302, 403):  # No row of this reader's work, or no such table.
            continue
        assert page.status_code == 200, url
        for link in set(re.findall(r'href="(/(?:admin|me)/[^"?#]+)"', page.text)):
            answer = client.get(link)
            for close_file in answer._resource_closers:
                close_file()
            if answer.status_code == 403:
                refused[url] = link
    assert refused == {}


def pages_with_links(borrower: User) -> list[str]:
    profile = BorrowerProfile.objects.get(user=borrower)
    proof = IncomeProof.objects.get(user=borrower)
    application = LoanApplication.objects.get(borrower=borrower, state="REFERRED")
    return [
        reverse("admin:accounts_borrowerprofile_change", args=[profile.pk]),
        reverse("admin:accounts_incomeproof_change", args=[proof.pk]),
        reverse("admin:loans_loanapplication_change", args=[application.pk]),
        reverse("admin:risk_assessment_change", args=[application.assessment_id]),
        reverse("admin:loans_loan_change", args=[borrower.loans.get().pk]),
        reverse("admin:index"),
    ]


def in_chinese(client: Client, url: str) -> str:
    # The language of a request stays in force after it; the override puts the old one back.
    with translation.override("zh-hans"):
        return client.get(url, headers={"accept-language": "zh-CN"}).text


def test_the_admin_speaks_no_code() -> None:
    open_shop()
    application = make_referred()
    loan = late_loan()
    auditor = staff_as(Role.AUDITOR)
    journal = in_chinese(auditor, reverse("admin:loans_journalentry_changelist"))
    assert ">night<" not in journal
    assert "夜间" in journal
    page = in_chinese(auditor, reverse("admin:loans_loan_change", args=[loan.pk]))
    assert not re.search(r">\s*(night|borrower)\s*<", page)
    nights = in_chinese(auditor, reverse("admin:loans_nightsteprun_changelist"))
    assert "services.night" not in nights
    url = reverse("admin:loans_loanapplication_change", args=[application.pk])
    assert not re.search(r">\s*OTHER\s*<", in_chinese(auditor, url))
    url = reverse("admin:risk_assessment_change", args=[application.assessment_id])
    assert not re.search(r">\s*(EMPLOYED|STATED|EVIDENCED)\s*<", in_chinese(auditor, url))
    products = in_chinese(auditor, reverse("admin:loans_product_changelist"))
    assert "Personal credit" not in products
    product = application.product_version.product
    page = in_chinese(auditor, reverse("admin:loans_product_change", args=[product.pk]))
    assert "EQUAL_INSTALLMENT" not in page


def test_every_step_of_the_night_has_words() -> None:
    assert set(NIGHT_STEP_LABELS) == set(settings.NIGHT_STEPS)


def test_a_decision_says_its_outcome_in_words() -> None:
    open_shop()
    assessment = make_referred().assessment
    assert assessment is not None
    url = reverse("admin:risk_assessment_change", args=[assessment.pk])
    page = in_chinese(staff_as(Role.AUDITOR), url)
    assert re.search(r">\s*转人工审核\s*<", page)
    assert "REFER" not in page


def test_the_rows_of_money_speak_no_code() -> None:
    _loan, payout = signed_loan()
    late_night = datetime.datetime(2026, 8, 24, 16, 30, tzinfo=datetime.UTC)
    notice = BankNotice.objects.create(
        transfer=payout, body={}, verdict=NoticeVerdict.CONFLICT, received_at=late_night
    )
    command = MoneyCommand(kind=CommandKind.REPAYMENT, key="a-key")
    assert str(payout) == "Payout of the loan ¥12,000.00"
    assert str(notice) == "Contradicts what is known 25 Aug 2026"
    assert str(command) == "Repayment a-key"
    with translation.override("zh-hans"):
        assert str(notice) == f"{notice.get_verdict_display()} 2026年8月25日"
        assert str(command) == "还款 a-key"


def test_a_changed_plan_gives_its_reason_in_words() -> None:
    loan = late_loan()
    offer = asked(loan).offers.get(kind=OfferKind.LONGER_TERM)
    event = accept_offer(
        offer_id=offer.pk,
        business_date=FIRST_LATE,
        actor=borrower_of(loan),
        at=instant(FIRST_LATE),
    ).loan_event
    assert event.reason.startswith("extend ")
    auditor = staff_as(Role.AUDITOR)
    for url in (
        reverse("admin:loans_loanevent_changelist"),
        reverse("admin:loans_loanevent_change", args=[event.pk]),
        reverse("admin:loans_loan_change", args=[loan.pk]),
    ):
        page = in_chinese(auditor, url)
        assert "期限更长，利率更低。" in page
        assert not re.search(r">\s*extend \d+\s*<", page)
    written = LoanEvent(kind="WAIVER", reason="freeze in the office")
    assert written.reason_text == "freeze in the office"


def test_the_profile_names_the_bank() -> None:
    open_shop()
    profile = BorrowerProfile.objects.get(user=make_referred().borrower)
    url = reverse("admin:accounts_borrowerprofile_change", args=[profile.pk])
    page = in_chinese(staff_as(Role.AUDITOR), url)
    assert f"{BANKS[profile.bank_code]} ···· {profile.bank_card_last_four}" in page
    assert f">{profile.bank_code}<" not in page
