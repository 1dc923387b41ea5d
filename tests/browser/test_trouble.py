"""A borrower who cannot repay finds a plan alone, and is left in peace."""

from __future__ import annotations

import re

from tests.browser import borrower
from tests.browser.borrower import UUID
from tests.browser.conftest import MakePerson
from tests.browser.person import Person
from tests.browser.servers import Servers

STANDING = "SELECT status, days_past_due FROM loans_loan WHERE public_id = %s"
PLANS = """
    SELECT count(*) FROM collections_app_hardshipplan AS plan
    JOIN loans_loan AS loan ON loan.id = plan.loan_id WHERE loan.public_id = %s
"""
EVENTS = """
    SELECT count(*) FROM loans_loanevent AS event
    JOIN loans_loan AS loan ON loan.id = event.loan_id WHERE loan.public_id = %s
"""
PENALTY = """
    SELECT sum(penalty_cents) FROM loans_installment AS installment
    JOIN loans_loan AS loan ON loan.id = installment.loan_id WHERE loan.public_id = %s
"""
REMINDERS = """
    SELECT count(*) FROM accounts_message AS message
    JOIN accounts_user AS person ON person.id = message.recipient_id
    WHERE person.phone = %s AND message.purpose = 'COLLECTION' AND message.state <> 'REFUSED'
"""


def test_a_borrower_in_trouble_chooses_a_plan_and_is_left_in_peace(
    servers: Servers, person: MakePerson
) -> None:
    who = borrower.identity("吴刚", 3)
    loan = borrower.lend_to(servers, who)
    servers.let_it_become_late(loan, days=5)
    assert servers.one(REMINDERS, who.phone) == 1
    assert servers.one(PENALTY, loan) > 0

    wu = person("wu")
    borrower.sign_in(wu, who.phone)
    wu.open(f"/loans/{loan}/")
    wu.sees(".card--late")
    wu.follow(f'main .card--late a[href="/help/{loan}/"]')
    offers = borrower.tell_budget(wu)
    plan = choose_the_first_offer(wu)
    assert servers.one(PLANS, loan) == 1

    # Choosing again, from an old page or by going back, changes nothing.
    events = servers.one(EVENTS, loan)
    wu.open(f"/help/{offers}/offers/")
    wu.sees(f'a[href="/help/plans/{plan}/"]')
    wu.sees_no("main .offer form, main .compare form")
    assert (servers.one(PLANS, loan), servers.one(EVENTS, loan)) == (1, events)

    # The loan follows the plan: nothing is late, and the nights bring neither charge nor call.
    wu.open(f"/loans/{loan}/")
    wu.sees_no(".card--late")
    wu.sees("#schedule tbody tr")
    penalty, reminders = servers.one(PENALTY, loan), servers.one(REMINDERS, who.phone)
    servers.close_days(8)
    [(status, days)] = servers.rows(STANDING, loan)
    assert (status, days) == ("ACTIVE", 0)
    assert servers.one(PENALTY, loan) == penalty
    assert servers.one(REMINDERS, who.phone) == reminders
    wu.open(f"/loans/{loan}/")
    wu.sees_no(".card--late")


def choose_the_first_offer(wu: Person) -> str:
    """Compare three offers, look at one closely, accept it twice; return the plan's id."""
    cards = wu.page.locator('main a[href^="/help/offers/"]')
    assert cards.count() == 3
    wu.follow('main a[href^="/help/offers/"]')
    offer = wu.arrives(f"/help/offers/({UUID})/").group(1)
    assert re.search(r"¥1,\d{3}\.\d{2}", wu.text)
    form = wu.page.locator("main form:has(button)").first
    form.evaluate("form => { form.dataset.repeatable = 'yes'; }")
    form.locator("button").first.dblclick()
    plan = wu.arrives(f"/help/plans/({UUID})/").group(1)
    wu.open(f"/help/offers/{offer}/")
    wu.open(f"/help/plans/{plan}/")
    return plan
