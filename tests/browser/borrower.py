"""What borrowers do, one page after the other. Every function begins on the page it is about."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import expect
from stdnum import luhn
from stdnum.cn import ric

from tests.browser.person import FORMS, Person
from tests.browser.servers import Servers, eventually

UUID = "[0-9a-f-]{36}"
PROOF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who somebody is."""

    full_name: str
    phone: str
    id_number: str
    card_number: str


def identity(full_name: str, number: int) -> Identity:
    """Return a person with valid numbers of their own; `number` tells people apart."""
    stem = f"33010619920415{number:03d}"
    card = f"622202000000000{number:03d}"
    return Identity(
        full_name=full_name,
        phone=f"+86137{number:08d}",
        id_number=stem + ric.calc_check_digit(stem + "0"),
        card_number=card + luhn.calc_check_digit(card),
    )


PROGRAM = "import django; django.setup(); import tests.browser.make_borrower as it; it.main()"


def lend_to(servers: Servers, who: Identity) -> str:
    """Make the person and a loan of 12,000 over 12 months by the services; return the loan's id."""
    loan = servers.run("-c", PROGRAM, who.full_name, who.phone, who.id_number, who.card_number)
    status = "SELECT status FROM loans_loan WHERE public_id = %s"
    eventually(lambda: servers.one(status, loan) == "ACTIVE", what="the bank pays out")
    return loan


# --- Looking around -----------------------------------------------------------------------------


def try_the_calculator(somebody: Person, *, amount: str) -> None:
    """Type another amount; the cost follows by itself."""
    total = somebody.sees("#calculator-result .amount__value")
    before = total.inner_text()
    somebody.type("amount", amount)
    expect(total).not_to_have_text(before)
    somebody.look()


# --- Signing up and in --------------------------------------------------------------------------


def read_code(somebody: Person, phone: str) -> str:
    """Return the newest code that was texted to the number, from the developer's outbox."""
    with somebody.other_tab() as tab:
        tab.goto("/dev/outbox/")
        message = tab.locator(f'article[data-address="{phone}"] [data-code]').first
        code = message.inner_text().strip()
    assert len(code) == 6
    return code


def sign_up(somebody: Person, phone: str) -> None:
    """Sign up by phone with the code of a text message; ends in the profile."""
    somebody.open("/account/signup/")
    somebody.type("phone", phone.removeprefix("+86"))
    somebody.send()
    somebody.type("code", read_code(somebody, phone))
    somebody.send()
    somebody.arrives("/me/.*")


def sign_in(somebody: Person, phone: str) -> None:
    """Sign in with a code instead of a password."""
    somebody.open("/account/login/code/")
    somebody.type("phone", phone.removeprefix("+86"))
    somebody.send()
    somebody.type("code", read_code(somebody, phone))
    somebody.send()


def sign_out(somebody: Person) -> None:
    """Leave."""
    somebody.open("/account/logout/")
    somebody.send('main form[action*="logout"]')


# --- The profile --------------------------------------------------------------------------------


def tell_identity(somebody: Person, who: Identity) -> None:
    """Give name and number; a mistyped number first, which is pointed out and costs no typing."""
    wrong = who.id_number[:-1] + ("0" if who.id_number[-1] != "0" else "1")
    somebody.type("full_name", who.full_name)
    somebody.type("id_number", wrong)
    somebody.tick("consent")
    somebody.send(status=422)
    assert somebody.sees("#id_id_number_error .field__error").inner_text().strip()
    somebody.sees_no("#id_full_name_error")
    assert somebody.field("id_number").get_attribute("aria-invalid") == "true"
    assert somebody.field("full_name").input_value() == who.full_name
    assert somebody.field("id_number").input_value() == wrong
    assert somebody.field("consent").is_checked()
    somebody.type("id_number", who.id_number)
    somebody.send()


def tell_work_and_money(somebody: Person, who: Identity, *, income: str = "9000") -> None:
    """Answer the pages on work, money in and out, and the bank account."""
    somebody.arrives("/me/profile/work/")
    somebody.choose("employment", "EMPLOYED")
    somebody.type("employer", "杭州明天科技有限公司")
    somebody.type("employed_since", "2021-03")
    somebody.send()
    somebody.arrives("/me/profile/money-in/")
    somebody.type("monthly_income", income)
    somebody.send()
    somebody.arrives("/me/profile/money-out/")
    for name, value in {
        "housing_cost": "1800",
        "living_costs": "1900",
        "debt_payments": "300",
        "adults": "1",
        "children": "0",
    }.items():
        somebody.type(name, value)
    somebody.send()
    somebody.arrives("/me/profile/bank-account/")
    somebody.choose("bank_code", "ICBC")
    somebody.type("card_number", who.card_number)
    somebody.tick("consent")
    somebody.send()


def upload_proof(somebody: Person, folder: Path, *, amount: str = "9000") -> None:
    """Show a payslip."""
    somebody.arrives("/me/profile/income-proof/")
    payslip = folder / "payslip.pdf"
    payslip.write_bytes(PROOF)
    somebody.choose("kind", "PAYSLIP")
    somebody.type("stated_monthly_amount", amount)
    somebody.field("document").set_input_files(payslip)
    somebody.tick("consent")
    somebody.send()


# --- Applying -----------------------------------------------------------------------------------


def ask_for(somebody: Person, *, amount: str, months: int) -> None:
    """Choose the personal loan, an amount and a term; the cost appears while typing."""
    somebody.open("/apply/")
    somebody.arrives("/apply/product/")
    somebody.choose("product", "personal")
    somebody.send()
    somebody.arrives("/apply/amount/")
    somebody.type("amount", amount)
    somebody.choose("months", str(months))
    somebody.choose("method", "EQUAL_INSTALLMENT")
    somebody.sees("#cost .amount--hero, #cost [class*=hero]")
    somebody.send()
    somebody.arrives("/apply/purpose/")


def try_a_prohibited_purpose(somebody: Person) -> None:
    """Say that it is for shares: refused at once, with the reason and the lesson."""
    somebody.choose("purpose_code", "SHARES")
    somebody.send(status=422)
    somebody.sees('#purpose-refused a[href="/learn/borrow-for-what/"]')
    assert somebody.path == "/apply/purpose/"


def tell_purpose_and_send(somebody: Person, *, code: str, words: str) -> str:
    """Tell what it is for, check everything, send it; return the application's id."""
    somebody.choose("purpose_code", code)
    somebody.type("purpose_text", words)
    somebody.send()
    somebody.arrives("/apply/check/")
    somebody.send()
    return somebody.arrives(f"/applications/({UUID})/").group(1)


# --- Signing ------------------------------------------------------------------------------------


def take_the_offer(somebody: Person) -> None:
    """Take the whole offer; ends on the cost sheet."""
    somebody.send('form[action$="/amount/"]')
    somebody.arrives(f"/applications/{UUID}/cost-sheet/")


def confirm_the_cost_sheet(somebody: Person) -> None:
    """Confirm at once, which the server refuses; wait for the reading time, confirm again."""
    somebody.send("#confirm form", status=422)
    somebody.sees("#confirm .alert--late")
    # The server says by itself when the time is over; the alert goes with the old part.
    somebody.page.locator("#confirm[hx-get]").wait_for(state="detached")
    somebody.look()
    somebody.send("#confirm form")
    somebody.arrives(f"/applications/{UUID}/sign/")


def sign(somebody: Person) -> str:
    """Sign the agreement; return the id of what was signed."""
    somebody.tick("agreed")
    somebody.send("#signature")
    return somebody.arrives(f"/agreements/({UUID})/").group(1)


def download_agreement(somebody: Person, agreement: str) -> tuple[str, str]:
    """Return the hash that the agreement's page shows, and the one of the file that it gives."""
    somebody.open(f"/agreements/{agreement}/")
    shown = somebody.sees(".fingerprint:below(.card)").inner_text().strip()
    with somebody.page.expect_download() as download:
        somebody.page.locator('main a[href$="/document/?download"]').click()
    return shown, hashlib.sha256(download.value.path().read_bytes()).hexdigest()


# --- Paying -------------------------------------------------------------------------------------


def open_loan(somebody: Person) -> str:
    """Open the only loan from the list; return its id."""
    somebody.open("/loans/")
    somebody.follow('main a[href^="/loans/"]')
    return somebody.arrives(f"/loans/({UUID})/").group(1)


def start_paying(somebody: Person) -> None:
    """Follow the loan's button to pay what is due; the amount stands there already."""
    somebody.follow('main a.button[href*="/pay/?amount="]')
    somebody.arrives(f"/loans/{UUID}/pay/")


def choose_what_the_rest_does(somebody: Person, amount: str) -> None:
    """Choose, once the choices are those of `amount`; without a script press for the second step.

    No choice is made beforehand.
    """
    if not somebody.javascript:
        somebody.page.locator(f"{FORMS}:has([name=key]) button").first.click()
    somebody.page.locator(f'input[name=compared][value="{amount}"]').wait_for(state="attached")
    assert somebody.page.locator('[name="prepayment"]:checked').count() == 0
    somebody.choose("prepayment", "NEXT_INSTALLMENTS")


def press_pay_twice(somebody: Person, *, guarded: bool = True) -> None:
    """Double-click; unguarded, the page's script is told to let the second press through."""
    form = somebody.page.locator(f"{FORMS}:has([name=key])")
    if not guarded:
        form.evaluate("form => { form.dataset.repeatable = 'yes'; }")
    form.locator("button").first.dblclick()


def wait_for_receipt(somebody: Person) -> str:
    """Stay on the payment's page until the bank has answered; return the receipt's words.

    The page looks again by itself; without a script it offers a link to do so.
    """
    somebody.arrives(f"/payments/{UUID}/")
    if not somebody.javascript:
        eventually(lambda: _look_again(somebody), what="the receipt, by looking again")
    receipt = somebody.sees(".receipt")
    somebody.look()
    return receipt.inner_text()


def _look_again(somebody: Person) -> bool:
    if somebody.page.locator(".receipt").count():
        return True
    somebody.follow('#payment noscript a, #payment a[href^="/payments/"]')
    return False


# --- In trouble ---------------------------------------------------------------------------------


def tell_budget(somebody: Person) -> str:
    """Tell of a month in which less comes in; return the request's id, on the page of offers."""
    somebody.arrives(f"/help/{UUID}/")
    for name, value in {
        "income": "5200",
        "home": "1800",
        "food": "1300",
        "transport": "200",
        "family": "200",
    }.items():
        somebody.type(name, value)
    somebody.page.locator('input[name="reason"]').first.check(force=True)
    somebody.send()
    return somebody.arrives(f"/help/({UUID})/offers/").group(1)
