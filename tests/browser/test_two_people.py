"""From a stranger to a cured loan: a borrower, an underwriter and a collector, on real servers."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import uuid4

from tests.browser import borrower, staff
from tests.browser.conftest import MakePerson
from tests.browser.person import DESK
from tests.browser.servers import Servers

UNDERWRITER = "+8613900000101"
COLLECTOR = "+8613900000102"
PAYMENTS = """
    SELECT amount_cents, state FROM loans_banktransfer
    WHERE purpose = 'REPAYMENT' ORDER BY created_at
"""


def without_tokens(page: str, address: str) -> str:
    """Return the page without what differs at every look, and without its own address."""
    return re.sub(r'value="[A-Za-z0-9]{64}"', "", page).replace(address, "")


def test_a_stranger_borrows_falls_behind_and_is_cured(
    servers: Servers, person: MakePerson, tmp_path: Path
) -> None:
    who = borrower.identity("陈静", 1)
    staff.hire(servers, UNDERWRITER, "Underwriter")

    # Home: look at the cost before telling a name.
    chen = person("chen")
    chen.open("/")
    borrower.try_the_calculator(chen, amount="23000")

    # A stranger becomes a customer.
    borrower.sign_up(chen, who.phone)
    chen.open("/apply/")
    chen.arrives("/me/profile/identity/")
    borrower.tell_identity(chen, who)
    borrower.tell_work_and_money(chen, who)
    borrower.upload_proof(chen, tmp_path)

    # The application: for shares we may not lend; for a card's debt a person looks at it.
    borrower.ask_for(chen, amount="12000", months=12)
    borrower.try_a_prohibited_purpose(chen)
    application = borrower.tell_purpose_and_send(chen, code="DAILY_NEEDS", words="还信用卡")
    assert servers.one("SELECT state FROM loans_loanapplication") == "REFERRED"

    # The underwriter decides; nothing else waits.
    wang = person("wang", language="en-GB", size=DESK)
    staff.sign_in(wang, UNDERWRITER)
    assert staff.take_the_oldest_referral(wang) == application
    assert who.full_name in wang.text
    staff.approve(wang, reason="FITS_BUDGET", note="Payslip seen; the card is paid off with it.")
    wang.arrives(staff.REFERRALS)
    wang.sees_no('a[href*="/referrals/"][href$="/"]:text-is("Open")')

    # The decision with its reasons, every cost, the signature; the back button signs nothing twice.
    chen.open(f"/applications/{application}/")
    chen.sees(".reasons__item")
    borrower.take_the_offer(chen)
    borrower.confirm_the_cost_sheet(chen)
    agreement = borrower.sign(chen)
    chen.page.go_back()
    chen.arrives(f"/agreements/{agreement}/")
    assert servers.one("SELECT count(*) FROM loans_agreement") == 1
    shown_hash, kept_hash = borrower.download_agreement(chen, agreement)
    assert shown_hash == kept_hash

    # The bank pays out the whole principal; the page notices by itself.
    loan = borrower.open_loan(chen)
    chen.sees('a.button[href*="/pay/?amount="]')
    chen.sees(".chart svg")
    assert chen.page.locator("#schedule tbody tr").count() == 12
    assert servers.rows("SELECT status, principal_cents FROM loans_loan") == [("ACTIVE", 1_200_000)]

    # A first payment, by a double click: one payment, one receipt, one line of history.
    borrower.start_paying(chen)
    chen.type("amount", "500")
    borrower.press_pay_twice(chen)
    assert "500.00" in borrower.wait_for_receipt(chen)
    assert servers.rows(PAYMENTS) == [(50_000, "SUCCEEDED")]
    chen.open(f"/loans/{loan}/")
    assert chen.page.locator('.timeline a[href^="/payments/"]').count() == 1

    # Somebody else's loan answers like one that does not exist.
    li = person("li", language="zh-CN")
    borrower.sign_up(li, borrower.identity("李雪", 2).phone)
    foreign = li.open(f"/loans/{loan}/", status=404).text()
    missing = li.open(f"/loans/{uuid4()}/", status=404).text()
    assert without_tokens(foreign, loan) == without_tokens(missing, li.path.split("/")[2])

    # An installment is missed: it shows in the collector's queue and on the borrower's page.
    servers.close_days(35)
    chen.open(f"/loans/{loan}/")
    chen.sees(".card--late")
