"""What holds for everybody: two languages, and pages that need no script."""

from __future__ import annotations

import pytest

from tests.browser import borrower
from tests.browser.conftest import MakePerson
from tests.browser.servers import Servers


@pytest.mark.parametrize(
    ("language", "shown"), [("zh-CN", "zh-Hans"), ("en-GB", "en"), ("fr-FR", "en")]
)
def test_the_browser_decides_the_language_until_somebody_switches_it(
    person: MakePerson, language: str, shown: str
) -> None:
    reader = person("reader", language=language)
    reader.open("/")
    html = reader.page.locator("html")
    assert html.get_attribute("lang") == shown
    other, code = ("en", "en") if shown == "zh-Hans" else ("zh-Hans", "zh-hans")
    reader.follow(f'.language-switch [name=language][value="{code}"]')
    assert html.get_attribute("lang") == other
    reader.open("/calculator/")
    assert html.get_attribute("lang") == other


def test_no_script_is_needed_to_calculate_to_sign_in_and_to_pay(
    servers: Servers, person: MakePerson
) -> None:
    who = borrower.identity("林晓", 4)
    loan = borrower.lend_to(servers, who)
    lin = person("lin", javascript=False)

    # The calculator is a form that asks for a page.
    lin.open("/")
    lin.type("amount", "23000")
    lin.send()
    assert lin.path == "/calculator/"
    assert "¥23,000.00" in lin.sees("#calculator-result").inner_text()

    borrower.sign_in(lin, who.phone)
    lin.open(f"/loans/{loan}/")
    borrower.start_paying(lin)
    assert lin.field("amount").input_value()
    lin.type("amount", "300")
    borrower.choose_what_the_rest_does(lin, "300.00")
    lin.send()
    assert "300.00" in borrower.wait_for_receipt(lin)


def test_a_mistyped_amount_is_pointed_out_and_stays(servers: Servers, person: MakePerson) -> None:
    who = borrower.identity("王磊", 5)
    loan = borrower.lend_to(servers, who)
    wang = person("wang")
    borrower.sign_in(wang, who.phone)
    wang.open(f"/loans/{loan}/pay/")
    for wrong in ("", "abc", "0", "1.005", "99999999"):
        wang.type("amount", wrong)
        wang.send(status=422)
        assert wang.sees("#id_amount_error").inner_text().strip()
        assert wang.field("amount").input_value() == wrong
    assert servers.one(PAYMENTS, loan) == 0


PAYMENTS = """
    SELECT count(*) FROM loans_banktransfer AS transfer
    JOIN loans_loan AS loan ON loan.id = transfer.loan_id
    WHERE loan.public_id = %s AND purpose = 'REPAYMENT'
"""
