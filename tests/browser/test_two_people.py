"""From a stranger to a cured loan: a borrower, an underwriter and a collector, on real servers."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import uuid4

from tests.browser import borrower, staff
from tests.browser.borrower import Identity
from tests.browser.conftest import MakePerson
from tests.browser.person import DESK, Person
from tests.browser.servers import Servers

UNDERWRITER = "+8613900000101"
COLLECTOR = "+8613900000102"
PAYMENTS = """
    SELECT amount_cents, transfer.state FROM loans_banktransfer AS transfer
    JOIN loans_loan AS loan ON loan.id = transfer.loan_id
    WHERE loan.public_id = %s AND purpose = 'REPAYMENT' ORDER BY transfer.created_at
"""


def test_a_stranger_borrows_falls_behind_and_is_cured(
    servers: Servers, person: MakePerson, tmp_path: Path
) -> None:
    who = borrower.identity("陈静", 1)
    chen = person("chen")
    become_a_customer(chen, who, tmp_path)
    application = ask_for_a_loan(chen)

    staff.hire(servers, UNDERWRITER, "Underwriter")
    wang = person("wang", language="en-GB", size=DESK)
    decide(wang, application, who)

    chen.open(f"/applications/{application}/")
    chen.sees(".reasons__item")
    loan = sign(chen, servers)
    pay_a_little(chen, servers, loan)
    nobody_else_sees_it(person("li"), loan)

    servers.let_it_become_late(loan, days=5)
    staff.hire(servers, COLLECTOR, "Collector")
    zhou = person("zhou", language="en-GB", size=DESK)
    staff.sign_in(zhou, COLLECTOR)
    see_it_late(chen, zhou, servers, loan, who)
    pay_what_is_late(chen, servers, loan)

    staff.see_the_queue(zhou)
    assert who.full_name not in zhou.text
    servers.close_days(1)
    staff.see_the_queue(zhou, which="all")
    assert staff.case_of(zhou, who.full_name).count() == 1
    assert servers.rows(CASES, loan) == [("CURED",)]


CASES = """
    SELECT state FROM collections_app_case
    WHERE loan_id = (SELECT id FROM loans_loan WHERE public_id = %s)
"""


def become_a_customer(chen: Person, who: Identity, folder: Path) -> None:
    """Look at the cost before telling a name; sign up; fill in the profile."""
    chen.open("/")
    borrower.try_the_calculator(chen, amount="23000")
    borrower.sign_up(chen, who.phone)
    chen.open("/apply/")
    chen.arrives("/me/profile/identity/")
    borrower.tell_identity(chen, who)
    borrower.tell_work_and_money(chen, who)
    borrower.upload_proof(chen, folder)


def ask_for_a_loan(chen: Person) -> str:
    """For shares nobody may lend; for a card's debt a person looks at it."""
    borrower.ask_for(chen, amount="12000", months=12)
    borrower.try_a_prohibited_purpose(chen)
    application = borrower.tell_purpose_and_send(chen, code="DAILY_NEEDS", words="还信用卡")
    chen.sees('form[action$="/withdraw/"]')
    chen.sees_no('form[action$="/amount/"]')
    return application


def decide(wang: Person, application: str, who: Identity) -> None:
    """The underwriter takes the queue, approves, and nothing else waits."""
    staff.sign_in(wang, UNDERWRITER)
    assert staff.take_the_oldest_referral(wang) == application
    assert who.full_name in wang.text
    staff.approve(wang, reason="FITS_BUDGET", note="Payslip seen; the card is paid off with it.")
    wang.arrives(staff.REFERRALS)
    wang.sees_no(f'main a[href*="{application}"]')


def sign(chen: Person, servers: Servers) -> str:
    """Read every cost, sign once, keep the exact file; the bank pays out all of it."""
    borrower.take_the_offer(chen)
    borrower.confirm_the_cost_sheet(chen)
    agreement = borrower.sign(chen)
    chen.page.go_back()
    chen.arrives(f"/agreements/{agreement}/")
    signed = """
        SELECT count(*) FROM loans_agreement WHERE application_id =
        (SELECT application_id FROM loans_agreement WHERE public_id = %s)
    """
    assert servers.one(signed, agreement) == 1
    shown_hash, kept_hash = borrower.download_agreement(chen, agreement)
    assert shown_hash == kept_hash

    loan = borrower.open_loan(chen)
    # While the money is on its way the page looks again by itself.
    chen.sees('a.button[href*="/pay/?amount="]')
    chen.sees(".chart svg")
    assert chen.page.locator("#schedule tbody tr").count() == 12
    row = servers.rows("SELECT status, principal_cents FROM loans_loan WHERE public_id=%s", loan)
    assert row == [("ACTIVE", 1_200_000)]
    return loan


def pay_a_little(chen: Person, servers: Servers, loan: str) -> None:
    """Press pay twice: one payment, one receipt, one line of history."""
    borrower.start_paying(chen)
    chen.type("amount", "500")
    borrower.choose_what_the_rest_does(chen, "500.00")
    borrower.press_pay_twice(chen)
    assert "500.00" in borrower.wait_for_receipt(chen)
    assert servers.rows(PAYMENTS, loan) == [(50_000, "SUCCEEDED")]
    chen.open(f"/loans/{loan}/")
    assert chen.page.locator('.timeline a[href^="/payments/"]').count() == 1


def nobody_else_sees_it(li: Person, loan: str) -> None:
    """Somebody else's loan answers exactly like one that does not exist."""
    borrower.sign_up(li, borrower.identity("李雪", 2).phone)
    foreign = li.open(f"/loans/{loan}/", status=404).text()
    absent = str(uuid4())
    missing = li.open(f"/loans/{absent}/", status=404).text()
    assert without_tokens(foreign, loan) == without_tokens(missing, absent)


def without_tokens(page: str, address: str) -> str:
    """Return the page without what differs at every look, and without its own address."""
    return re.sub(r'value="[A-Za-z0-9]{64}"', "", page).replace(address, "")


def see_it_late(chen: Person, zhou: Person, servers: Servers, loan: str, who: Identity) -> None:
    """The missed installment shows on the borrower's page and in the collector's queue."""
    [(status, days)] = servers.rows(
        "SELECT status, days_past_due FROM loans_loan WHERE public_id = %s", loan
    )
    assert (status, days) == ("OVERDUE", 5)
    chen.open(f"/loans/{loan}/")
    late = chen.sees(".card--late").inner_text()
    assert re.search(rf"\b{days}\b", late)
    assert re.search(r"¥0\.[0-9]{2}", late)
    staff.see_the_queue(zhou)
    assert staff.case_of(zhou, who.full_name).count() == 1
    staff.open_case(zhou, who.full_name)
    staff.add_note(zhou, outcome="WILL_PAY", text="She pays today.")


def pay_what_is_late(chen: Person, servers: Servers, loan: str) -> None:
    """Pay by a double click that no script stops: still one payment, and nothing is late."""
    borrower.start_paying(chen)
    borrower.press_pay_twice(chen, guarded=False)
    borrower.wait_for_receipt(chen)
    payments = servers.rows(PAYMENTS, loan)
    assert [state for _amount, state in payments] == ["SUCCEEDED", "SUCCEEDED"]
    chen.open(f"/loans/{loan}/")
    chen.sees_no(".card--late")
    assert servers.rows(
        "SELECT status, days_past_due, overdue_amount_cents FROM loans_loan WHERE public_id = %s",
        loan,
    ) == [("ACTIVE", 0, 0)]
