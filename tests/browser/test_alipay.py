"""A borrower pays at Alipay's page in a real browser: there, back, twice, not at all."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser import borrower
from tests.browser.conftest import MakePerson
from tests.browser.person import DESK, PATIENCE_MS, Person
from tests.browser.servers import Servers

PAYMENTS = """
    SELECT transfer.state, transfer.amount_cents, transfer.channel
    FROM loans_banktransfer AS transfer
    JOIN loans_loan AS loan ON loan.id = transfer.loan_id
    WHERE loan.public_id = %s AND purpose = 'REPAYMENT' ORDER BY transfer.id
"""


def arrive_at_pay_page(servers: Servers, somebody: Person, name: str, number: int) -> str:
    """Lend somebody money on which the first installment is due; end on the pay page."""
    who = borrower.identity(name, number)
    loan = borrower.lend_to(servers, who)
    borrower.sign_in(somebody, who.phone)
    somebody.open(f"/loans/{loan}/")
    borrower.start_paying(somebody)
    return loan


def to_the_cashier(somebody: Person) -> None:
    """Press the second button of the form, and make the choice that a payment ahead asks for."""
    press(somebody)
    if somebody.path.endswith("/pay/"):
        somebody.page.locator('[name="prepayment"]').first.check(force=True)
        press(somebody)
    somebody.page.wait_for_url(re.compile(r"/cashier\?token="))


def press(somebody: Person) -> None:
    with somebody.page.expect_navigation():
        somebody.page.locator('button[name="way"][value="alipay"]').click()


def choose(somebody: Person, choice: str, *, twice: bool = False) -> None:
    button = somebody.page.locator(f'button[value="{choice}"]')
    if twice:
        button.dblclick()
    else:
        button.click()


@pytest.mark.parametrize("size", ["phone", "desk"])
def test_paying_at_the_cashier_ends_with_a_receipt(
    servers: Servers, person: MakePerson, size: str
) -> None:
    somebody = person("alipay", **({"size": DESK} if size == "desk" else {}))
    loan = arrive_at_pay_page(servers, somebody, "白露", 41 if size == "phone" else 42)
    somebody.type("amount", "300")
    to_the_cashier(somebody)
    assert "Sandbox" in somebody.text
    assert "¥300.00" in somebody.text
    somebody.look()
    choose(somebody, "pay", twice=True)
    assert "300.00" in borrower.wait_for_receipt(somebody)
    assert servers.rows(PAYMENTS, loan) == [("SUCCEEDED", 30000, "ALIPAY_PAGE")]


def test_the_back_button_and_cancel_leave_the_way_open(
    servers: Servers, person: MakePerson
) -> None:
    somebody = person("back")
    loan = arrive_at_pay_page(servers, somebody, "谷雨", 43)
    somebody.type("amount", "300")
    to_the_cashier(somebody)
    choose(somebody, "cancel")
    expect(somebody.page.locator(".said")).to_contain_text("没有扣款")
    choose(somebody, "short")
    expect(somebody.page.locator(".said")).to_contain_text("余额不足")
    assert servers.rows(PAYMENTS, loan)[0][0] in {"PENDING", "SENT"}
    # Back to the page of the payment, which leads to the cashier again or to another way.
    somebody.open(f"/payments/{newest(servers, loan)}/")
    somebody.follow('a[href$="/alipay/"]')
    somebody.page.wait_for_url(re.compile(r"/cashier\?token="))
    somebody.page.go_back()
    somebody.open(f"/loans/{loan}/pay/?amount=300.00")
    to_the_cashier(somebody)
    choose(somebody, "pay")
    assert "300.00" in borrower.wait_for_receipt(somebody)
    rows = servers.rows(PAYMENTS, loan)
    assert [row[0] for row in rows] == ["FAILED", "SUCCEEDED"]
    expect(somebody.page.locator(".receipt")).to_be_visible(timeout=PATIENCE_MS)


def newest(servers: Servers, loan: str) -> str:
    return str(
        servers.one(
            """
            SELECT transfer.public_id FROM loans_banktransfer AS transfer
            JOIN loans_loan AS loan ON loan.id = transfer.loan_id
            WHERE loan.public_id = %s AND purpose = 'REPAYMENT'
            ORDER BY transfer.id DESC LIMIT 1
            """,
            loan,
        )
    )
