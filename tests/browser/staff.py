"""What members of staff do at the desk."""

from __future__ import annotations

from playwright.sync_api import Locator

from tests.browser.person import Person
from tests.browser.servers import Servers

PASSWORD = "quiet-harbor-51"


def hire(servers: Servers, phone: str, role: str) -> None:
    """Make a member of staff as an operator does."""
    said = servers.manage(
        *("create_staff", "--phone", phone, "--role", role),
        *("--password-from-environment", "STAFF_PASSWORD"),
        STAFF_PASSWORD=PASSWORD,
    )
    assert f"{phone} works as {role}." in said


def sign_in(somebody: Person, phone: str) -> None:
    """Sign in at the desk."""
    somebody.open("/admin/")
    somebody.arrives("/account/login/")
    somebody.type("login", phone)
    somebody.type("password", PASSWORD)
    somebody.send()
    somebody.arrives("/admin/")


# --- The underwriter ----------------------------------------------------------------------------

REFERRALS = "/admin/loans/loanapplication/referrals/"


def take_the_oldest_referral(somebody: Person) -> str:
    """Take up the case that waits longest; return the application's id."""
    somebody.open(REFERRALS)
    somebody.send('form[action$="/referrals/next/"]')
    return somebody.arrives(f"{REFERRALS}([0-9a-f-]{{36}})/").group(1)


def approve(somebody: Person, *, reason: str, note: str) -> None:
    """Approve all of it; ends on the next case, or on the empty queue."""
    somebody.choose("verdict", "approve")
    somebody.choose("reason", reason)
    somebody.type("note", note)
    somebody.send("form:has([name=verdict])")


# --- The collector ------------------------------------------------------------------------------

CASES = "/admin/collections_app/case/"


def see_the_queue(somebody: Person, *, which: str = "") -> None:
    """Open the list of cases: what is to be worked on, or all."""
    somebody.open(f"{CASES}?which={which}" if which else CASES)


def case_of(somebody: Person, full_name: str) -> Locator:
    """Return the lines of the list that are about this borrower."""
    return somebody.page.locator("#result_list tbody tr", has_text=full_name)


def open_case(somebody: Person, full_name: str) -> None:
    """Open the borrower's case."""
    with somebody.page.expect_navigation():
        case_of(somebody, full_name).locator("a").first.click()
    somebody.arrives(f"{CASES}desk/[0-9a-f-]{{36}}/")
    assert full_name in somebody.text


def add_note(somebody: Person, *, outcome: str, text: str) -> None:
    """Note what came of a contact, and stay."""
    somebody.choose("outcome", outcome)
    somebody.type("text", text)
    somebody.send("form:has([name=outcome])", button="button:not([name=and_next])")
    assert text in somebody.text
