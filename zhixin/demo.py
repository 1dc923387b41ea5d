"""The demo book: some twenty borrowers whose stories have happened by the services themselves.

The book begins some months before today and is lived through day by day: people apply, sign, pay,
miss, pay off; the nights close in between. Nothing is written past a service. The bank's word on
each transfer is given here, since the sandbox is not running yet when this is made.
"""

from __future__ import annotations

import datetime
import io
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from uuid import uuid4
from zoneinfo import ZoneInfo

from django.contrib.auth.models import Group
from django.db import transaction
from stdnum import luhn
from stdnum.cn import ric

from accounts.engine.finances import Employment
from accounts.models import User
from accounts.models.income_proof import IncomeProofKind
from accounts.selectors.profiles import bank_account
from accounts.services import income_proofs, people, profiles
from accounts.services.messages import claim_message, record_sent, waiting_message_ids
from loans.engine.autopay import CONSENT_TEXT_VERSION
from loans.engine.lifecycle import ApplicationState, TransferState
from loans.engine.terms import PrepaymentEffect
from loans.models import (
    BankTransfer,
    BusinessDay,
    Loan,
    LoanApplication,
    Merchant,
    ProductVersion,
)
from loans.selectors.servicing import loan_state
from loans.services.agreements import (
    confirm_cost_sheet,
    prepare_agreement,
    show_cost_sheet,
    sign_agreement,
)
from loans.services.applications import ApplicationRequest, submit_application
from loans.services.autopay import turn_on
from loans.services.business_day import close_days
from loans.services.notices import tell_borrower_of_transfer
from loans.services.repayments import request_repayment
from loans.services.transfers import BankWord, Outcome, settle_transfer
from zhixin.demo_turns import TURNS
from zhixin.shared.actor import NIGHT
from zhixin.shared.business_days import BusinessCalendar, is_business_day
from zhixin.shared.calendar import add_months
from zhixin.shared.money import Money
from zhixin.shared.permissions import Role

PASSWORD = "zhixin-demo-2026"  # noqa: S105 - printed on the screen of whoever starts the demo.
DAYS_BEFORE = 215
SHANGHAI = ZoneInfo("Asia/Shanghai")
PROOF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"

STAFF: tuple[tuple[str, str, Role | None], ...] = (
    ("+8613900000001", "underwriter", Role.UNDERWRITER),
    ("+8613900000002", "collector", Role.COLLECTOR),
    ("+8613900000003", "content editor", Role.CONTENT_EDITOR),
    ("+8613900000004", "auditor", Role.AUDITOR),
    ("+8613900000005", "servicer", Role.SERVICER),
    ("+8613900000006", "servicing lead", Role.SERVICING_LEAD),
    ("+8613900000009", "administrator", None),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a person asks for."""

    amount: str
    installments: int
    product: str = "personal"
    method: str = "EQUAL_INSTALLMENT"
    purpose: str = "DAILY_NEEDS"
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Character:
    """A borrower and the story: installments paid, then how many days late today, if at all.

    `paid` installments are paid on their due dates. `late_days` says how long ago the next one was
    due; None means that it is still to come. `ahead` pays that many early; `pays_off` pays all.
    `autopay` "works" pays the installments; turned on after them it "fails" for lack of money.
    `turn` names what else happens (`zhixin.demo_turns`). `is_new` signs today.
    """

    name: str
    story: str
    wish: Wish | None = None
    income: str = "9500"
    rent: str = "1800"
    debts: str = "300"
    verified: bool = True
    employment: Employment = Employment.EMPLOYED
    signs: bool = True
    paid: int = 0
    late_days: int | None = None
    due_in_days: int = 12
    ahead: int = 0
    partly: str = ""
    pays_off: bool = False
    autopay: str = ""
    turn: str = ""
    is_new: bool = False


CAST = (
    Character(
        name="陈静",
        story="current, five installments paid",
        wish=Wish(amount="24000", installments=12, purpose="HOME_RENOVATION"),
        paid=5,
        due_in_days=2,
    ),
    Character(
        name="王磊",
        story="current, a journey, with autopay",
        wish=Wish(amount="8000", installments=6, product="travel", purpose="TRAVEL"),
        paid=2,
        due_in_days=9,
        autopay="works",
    ),
    Character(
        name="李雪",
        story="early, pays ahead",
        wish=Wish(amount="15000", installments=12, method="EQUAL_PRINCIPAL"),
        income="14000",
        paid=3,
        ahead=1,
        due_in_days=15,
    ),
    Character(
        name="赵敏",
        story="paid off before the term",
        wish=Wish(amount="6000", installments=6, product="education", purpose="EDUCATION"),
        paid=3,
        due_in_days=20,
        pays_off=True,
    ),
    Character(
        name="周强",
        story="five days late, autopay stopped after two failures",
        wish=Wish(amount="12000", installments=12),
        paid=2,
        late_days=5,
        autopay="fails",
    ),
    Character(
        name="吴刚",
        story="forty days late",
        wish=Wish(amount="18000", installments=12, purpose="FAMILY_SUPPORT"),
        employment=Employment.GIG,
        income="13000",
        paid=2,
        late_days=40,
    ),
    Character(
        name="郑丽",
        story="long overdue",
        wish=Wish(amount="10000", installments=12, product="medical", purpose="MEDICAL"),
        paid=1,
        late_days=105,
    ),
    Character(
        name="冯娟",
        story="late, has paid a part",
        wish=Wish(amount="9000", installments=6, product="shopping", purpose="SHOPPING"),
        paid=1,
        late_days=18,
        partly="600.00",
    ),
    Character(
        name="孙浩",
        story="declined: debts too high",
        wish=Wish(amount="30000", installments=12),
        income="6000",
        debts="3900",
        signs=False,
    ),
    Character(
        name="钱芳",
        story="with the underwriter",
        wish=Wish(
            amount="10000", installments=12, purpose="OTHER", words="还信用卡账单，交搬家的押金"
        ),
        verified=False,
        signs=False,
    ),
    Character(
        name="杨洋",
        story="approved, not signed yet",
        wish=Wish(amount="5000", installments=6, purpose="APPLIANCES"),
        signs=False,
    ),
    Character(name="林晓", story="new, profile complete, no loan yet"),
    Character(
        name="何燕",
        story="current; the bank took a payment back, the late charge was waived",
        wish=Wish(amount="9000", installments=12),
        paid=3,
        due_in_days=15,
        turn="bounces",
    ),
    Character(
        name="高峰",
        story="written off, has paid a part since",
        wish=Wish(amount="7000", installments=6),
        paid=1,
        late_days=100,
        turn="is_written_off",
    ),
    Character(
        name="罗琴",
        story="an installment in dispute: no late charge until it is answered",
        wish=Wish(amount="8000", installments=12),
        paid=2,
        late_days=6,
        turn="disputes",
    ),
    Character(
        name="宋涛",
        story="paid off, with the settlement certificate",
        wish=Wish(amount="10000", installments=6),
        paid=2,
        due_in_days=12,
        turn="settles",
    ),
    Character(
        name="唐静",
        story="paid off; paid too much, which was sent back",
        wish=Wish(amount="6000", installments=6),
        paid=2,
        due_in_days=14,
        turn="pays_too_much",
    ),
    Character(
        name="许刚",
        story="new loan; due dates on days of rest can be paid on the next business day",
        wish=Wish(amount="7000", installments=12),
        is_new=True,
    ),
    Character(
        name="韩梅",
        story="current, paid a part early to lower the installment",
        wish=Wish(amount="15000", installments=12),
        income="14000",
        paid=2,
        due_in_days=10,
        turn="lowers_installments",
    ),
)


@dataclass
class DemoBook:
    """Lives the stories through, from `today` − DAYS_BEFORE to `today`."""

    today: datetime.date
    progress: Callable[[datetime.date], object]
    plans: dict[datetime.date, list[Callable[[], object]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    date: datetime.date = datetime.date.min

    def at(self) -> datetime.datetime:
        """Return ten in the morning of the day that is being lived."""
        return datetime.datetime.combine(self.date, datetime.time(10), tzinfo=SHANGHAI)

    def make(self) -> None:
        """Make everything in one transaction."""
        with transaction.atomic():
            self.date = self.today - datetime.timedelta(days=DAYS_BEFORE)
            BusinessDay.objects.update(current_date=self.date, advanced_at=self.at())
            self._offer_the_newest_terms()
            self._make_staff()
            self._plan_borrowers()
            self._live()

    def _offer_the_newest_terms(self) -> None:
        """Offer from the first day what is offered today: the stories are of such loans."""
        versions = ProductVersion.objects.order_by("product_id", "-effective_from", "-number")
        for version in versions.distinct("product_id"):
            version.pk = None
            version.number += 1
            version.effective_from = self.date
            version.save(force_insert=True)

    def _make_staff(self) -> None:
        for phone, _title, role in STAFF:
            user = people.register_person(
                phone=phone, password=PASSWORD, language="en", is_staff=True
            )
            if role is None:
                User.objects.filter(pk=user.pk).update(is_superuser=True)
            else:
                user.groups.add(Group.objects.get(name=role))

    def _plan_borrowers(self) -> None:
        for number, character in enumerate(CAST, start=1):
            user = self._make_borrower(number, character)
            if character.wish is not None:
                signed_on = self._signing_date(character)
                self.plans[signed_on].append(partial(self._apply, user, character))

    def _signing_date(self, character: Character) -> datetime.date:
        if not character.signs or character.is_new:
            return self.today
        if character.late_days is None:
            due = self.today + datetime.timedelta(days=character.due_in_days)
        else:
            due = self.today - datetime.timedelta(days=character.late_days)
            # What is due on a day of rest can be paid later, and would be late for fewer days.
            while not is_business_day(due, calendar=BusinessCalendar.CN):
                due -= datetime.timedelta(days=1)
        return add_months(due, -(character.paid + character.ahead + 1))

    def _live(self) -> None:
        while True:
            for plan in self.plans.pop(self.date, []):
                plan()
            self._deliver()
            if self.date == self.today:
                break
            self.date += datetime.timedelta(days=1)
            close_days(through=self.date, actor=NIGHT, clock=self.at, progress=lambda _step: None)
            self._bank_confirms()
            self.progress(self.date)

    def _make_borrower(self, number: int, character: Character) -> User:
        at = self.at()
        user = people.register_person(phone=_phone(number), password=PASSWORD)
        actor = user.as_actor()
        profiles.save_identity(
            user=user,
            full_name=character.name,
            id_number=_id_number(number),
            actor=actor,
            at=at,
            today=self.date,
        )
        profiles.save_work(
            user=user,
            employment=character.employment,
            employer="杭州明天科技有限公司",
            employed_since=self.date - datetime.timedelta(days=1500),
            at=at,
            today=self.date,
        )
        profiles.save_money_in(
            user=user, monthly_income=Money.parse(character.income), other_income=None, at=at
        )
        profiles.save_money_out(
            user=user,
            housing_cost=Money.parse(character.rent),
            living_costs=Money.parse("1900"),
            debt_payments=Money.parse(character.debts),
            debt_total=None,
            adults=1,
            children=0,
            at=at,
        )
        profiles.save_bank_account(
            user=user, bank_code="ICBC", card_number=_card_number(number), actor=actor, at=at
        )
        return user

    def _prove_income(self, user: User, character: Character) -> None:
        proof = income_proofs.upload_income_proof(
            user=user,
            kind=IncomeProofKind.PAYSLIP,
            stated_monthly_amount=Money.parse(character.income),
            document=io.BytesIO(PROOF),
            size=len(PROOF),
            actor=user.as_actor(),
            at=self.at(),
        )
        if character.verified:
            underwriter = User.objects.get(phone=STAFF[0][0])
            income_proofs.verify_income(
                proof=proof,
                verified_income=Money.parse(character.income),
                actor=underwriter,
                at=self.at(),
            )

    def _apply(self, user: User, character: Character) -> None:
        wish = character.wish
        if wish is None:
            return
        self._prove_income(user, character)
        merchant = Merchant.objects.filter(scenario=wish.product.upper()).order_by("pk").first()
        application = submit_application(
            borrower=user,
            asked=ApplicationRequest(
                product_code=wish.product,
                merchant_id=merchant.public_id if merchant else None,
                amount=Money.parse(wish.amount),
                installment_count=wish.installments,
                method=wish.method,
                purpose_code=wish.purpose,
                purpose_text=wish.words,
            ),
            request_key=str(uuid4()),
            business_date=self.date,
            at=self.at(),
            actor=user.as_actor(),
        )
        if character.signs:
            self._sign(user, application)
            self._plan_payments(user, character)
            self._plan_turn(user, character)

    def _sign(self, user: User, application: LoanApplication) -> None:
        if application.state != ApplicationState.APPROVED:
            raise RuntimeError(f"The demo expects {user} to be approved, not {application.state}.")
        sheet = show_cost_sheet(
            application_id=application.pk,
            borrower=user,
            language="zh-hans",
            business_date=self.date,
            at=self.at(),
        )
        read_at = self.at() + datetime.timedelta(minutes=2)
        confirm_cost_sheet(
            application_id=application.pk,
            borrower=user,
            sheet_sha256=sheet.sha256,
            required_seconds=20,
            business_date=self.date,
            at=read_at,
        )
        ready = prepare_agreement(
            application_id=application.pk, borrower=user, business_date=self.date
        )
        sign_agreement(
            application_id=application.pk,
            borrower=user,
            content_sha256=ready.text.sha256,
            business_date=self.date,
            at=read_at,
            actor=user.as_actor(),
        )
        self._bank_confirms()

    def _plan_payments(self, user: User, character: Character) -> None:
        loan = Loan.objects.get(borrower=user)
        due_dates = list(loan.installments.order_by("number").values_list("due_date", flat=True))
        if character.autopay == "works":
            self._turn_on_autopay(user)
            return
        if character.autopay == "fails":
            after = due_dates[character.paid - 1] + datetime.timedelta(days=1)
            self.plans[after].append(lambda: self._turn_on_autopay(user))
        for due_date in due_dates[: character.paid]:
            self.plans[due_date].append(lambda: self._pay_what_is_due(user))
        if character.ahead:
            for due_date in due_dates[character.paid : character.paid + character.ahead]:
                early = min(due_date - datetime.timedelta(days=6), self.today)
                self.plans[early].append(lambda: self._pay_what_is_due(user))
        if character.partly:
            amount = Money.parse(character.partly)
            self.plans[due_dates[character.paid]].append(lambda: self.pay(user, amount))
        if character.pays_off:
            self.plans[self.today].append(lambda: self._pay_off(user))

    def _plan_turn(self, user: User, character: Character) -> None:
        if not character.turn:
            return
        due = Loan.objects.get(borrower=user).installments.order_by("number")
        dates = list(due.values_list("due_date", flat=True))
        TURNS[character.turn](self, user, dates[: character.paid])

    def on(self, day: datetime.date, step: Callable[[], object]) -> None:
        """Plan a step."""
        self.plans[day].append(step)

    def servicer(self) -> User:
        """Return who corrects loans."""
        return User.objects.get(phone=STAFF[4][0])

    def _pay_what_is_due(self, user: User) -> None:
        loan = Loan.objects.get(borrower=user)
        self.pay(user, loan.next_due_amount)

    def _pay_off(self, user: User) -> None:
        loan = Loan.objects.select_related("agreement").get(borrower=user)
        self.pay(user, loan_state(loan, as_of=self.date).payoff_amount)

    def pay(self, user: User, amount: Money, effect: PrepaymentEffect | None = None) -> None:
        """Have an amount collected from the borrower's account."""
        account = bank_account(user)
        if account is None:
            raise RuntimeError(f"The demo's {user} has no bank account.")
        request_repayment(
            loan_id=Loan.objects.get(borrower=user).pk,
            owner_id=user.pk,
            amount=amount,
            key=str(uuid4()),
            account_name=account.holder_name,
            card_number=account.card_number,
            business_date=self.date,
            at=self.at(),
            prepayment=effect,
        )
        self._bank_confirms()

    def _turn_on_autopay(self, user: User) -> None:
        account = bank_account(user)
        if account is None:
            raise RuntimeError(f"The demo's {user} has no bank account.")
        turn_on(
            loan_id=Loan.objects.get(borrower=user).pk,
            text_version=CONSENT_TEXT_VERSION,
            card_last_four=account.last_four,
            language="zh-hans",
            business_date=self.date,
            actor=user.as_actor(),
            at=self.at(),
        )

    def _bank_confirms(self) -> None:
        fails = {character.name for character in CAST if character.autopay == "fails"}
        for transfer in BankTransfer.objects.filter(state=TransferState.PENDING):
            refused = transfer.account_name in fails and hasattr(transfer, "autopay_debit")
            settle_transfer(
                reference=str(transfer.public_id),
                word=BankWord(
                    outcome=Outcome.FAILED if refused else Outcome.SUCCEEDED,
                    amount=transfer.amount,
                    bank_reference=f"DEMO{transfer.pk:08d}",
                    failure_code="ACQ.BUYER_BALANCE_NOT_ENOUGH" if refused else "",
                    body={"source": "demo data"},
                ),
                at=self.at(),
            )
            tell_borrower_of_transfer(transfer_id=transfer.pk, at=self.at())

    def _deliver(self) -> None:
        for message_id in waiting_message_ids(at=self.at(), limit=1000):
            if claim_message(message_id=message_id, at=self.at()) is not None:
                record_sent(
                    message_id=message_id,
                    delivery_reference="demo",
                    at=self.at(),
                    keep_code=True,
                )


def sign_ins() -> list[str]:
    """Return the lines that tell how to sign in as each person of the demo."""
    staff = [f"  {phone[3:]}  {title}" for phone, title, _role in STAFF]
    borrowers = [
        f"  {_phone(number)[3:]}  {character.name}: {character.story}"
        for number, character in enumerate(CAST, start=1)
    ]
    return [
        f"Demo sign-ins, all with the password {PASSWORD}",
        "Staff (admin: /admin/)",
        *staff,
        "Borrowers",
        *borrowers,
    ]


def _phone(number: int) -> str:
    return f"+86138000000{number:02d}"


def _id_number(number: int) -> str:
    stem = f"330106{1985 + number % 12}{1 + number % 12:02d}15{number:03d}"
    return stem + ric.calc_check_digit(stem + "0")


def _card_number(number: int) -> str:
    stem = f"62220212020{number:07d}"
    return stem + luhn.calc_check_digit(stem)
