"""Bank statements for tests, and what storing and importing them takes."""

from __future__ import annotations

import datetime

from stdnum import luhn

from accounts.models import User
from accounts.services import profiles
from loans.engine.bank_file import read_statement
from loans.models import BankFile, Loan
from loans.selectors.business_day import business_date
from loans.services.bank_files import Judgement, import_bank_file, judge_statement, store_bank_file
from tests.factories.accounts import make_borrower
from tests.factories.funded import SIGNED_AT, Clock, funded_loan

HEADER = "交易日期,流水号,收入金额,支出金额,对方户名,对方账号,附言"


def statement(*rows: str) -> str:
    """Return the text of a statement with these rows."""
    return "\n".join([HEADER, *rows]) + "\n"


def row(
    *,
    serial: str,
    amount: str = "100.00",
    out: str = "",
    on: str = "2026-07-16",
    payer: str = "王芳",
    account: str = "",
    remark: str = "",
) -> str:
    """Return one row of a statement."""
    return f"{on},{serial},{amount},{out},{payer},{account},{remark}"


def card(number: int) -> str:
    """Return a card number that no other test has."""
    stem = f"622203{number:09d}"
    return stem + luhn.calc_check_digit(stem)


def loan_with_card(number: int, *, full_name: str = "李小华") -> Loan:
    """Return a funded loan of a new borrower with a card of their own."""
    person = make_borrower(full_name=full_name)
    profiles.save_bank_account(
        user=person,
        bank_code="ICBC",
        card_number=card(number),
        actor=person.as_actor(),
        at=SIGNED_AT,
    )
    return funded_loan(borrower=person)


def judged(text: str, *, on: datetime.date | None = None) -> list[Judgement]:
    """Return the verdicts on a statement."""
    return judge_statement(read_statement(text.encode()), business_date=on or business_date())


def stored(text: str, staff: User, *, name: str = "statement.csv") -> BankFile:
    """Return the file as it is stored before anything is booked."""
    content = text.encode()
    found = read_statement(content)
    return store_bank_file(
        content=content,
        name=name,
        statement=found,
        judgements=judge_statement(found, business_date=business_date()),
        actor=staff.as_actor(),
        at=SIGNED_AT,
    )[0]


def imported(file: BankFile, staff: User, *, accept: bool = False) -> int:
    """Import a stored file; return how many lines were dealt with."""
    return import_bank_file(
        file_id=file.pk,
        actor=staff.as_actor(),
        business_date=business_date(),
        clock=Clock(),
        accept_unreadable=accept,
    )


def kinds(file: BankFile) -> list[tuple[str, str]]:
    """Return what was done with each line in order, and why."""
    steps = (
        step for each in file.rows.order_by("line_number") for step in each.steps.order_by("pk")
    )
    return [(step.kind, step.why) for step in steps]
