"""The sandbox's pages for people: what the bank holds and did, what the carrier carried."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from zhixin.sandbox.book import LENDER, Book, Order
from zhixin.shared.signing import timestamp_text

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: .4rem .8rem; text-align: left; border-bottom: 1px solid #8884; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
p { color: #777; }
.cashier { margin: 0 auto; max-width: 26rem; padding: 1rem; }
.cashier h1 { font-size: 1.2rem; font-weight: 600; }
.cashier p { color: inherit; }
.cashier .mark { background: #b45309; border-radius: .4rem; color: #fff; display: inline-block;
  font-size: .8rem; padding: .1rem .6rem; }
.cashier .sum { font-size: 2.4rem; font-variant-numeric: tabular-nums; margin: .4rem 0; }
.cashier dl { border-block: 1px solid #8884; padding: .6rem 0; }
.cashier dl div { display: flex; gap: 1rem; justify-content: space-between; padding: .2rem 0; }
.cashier dt { color: #777; flex: none; }
.cashier dd { margin: 0; overflow-wrap: anywhere; text-align: right; }
.cashier label { display: block; margin: 1rem 0 .3rem; }
.cashier input, .cashier button, .cashier a.back { border: 1px solid #8888; border-radius: .5rem;
  box-sizing: border-box; display: block; font: inherit; margin-bottom: .7rem; min-height: 3rem;
  padding: .6rem .8rem; text-align: center; text-decoration: none; width: 100%; }
.cashier input { text-align: left; }
.cashier button { cursor: pointer; }
.cashier button.pay { background: #1677ff; border-color: #1677ff; color: #fff; font-weight: 600; }
.cashier .said { border-inline-start: 4px solid #b45309; padding: .3rem .8rem; }
"""

_STATES = {
    "WAITING": "Waits for the payer",
    "PROCESSING": "In progress",
    "SUCCEEDED": "Done",
    "FAILED": "Failed",
    "RETURNED": "Sent back",
}
_NOTICES = {
    "NOT_DUE": "",
    "PENDING": "Not yet answered",
    "DELIVERED": "Received",
    "DROPPED": "Lost on purpose",
}
_DIRECTIONS = {"PAYOUT": "To the card", "DEBIT": "From the card"}
_SHOWN_ORDERS = 200


def page(title: str, introduction: str, *sections: str) -> str:
    """Return a whole HTML page; `sections` are HTML already."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f'<title>{escape(title)}</title><link rel="stylesheet" href="/style.css"></head>'
        f"<body><h1>{escape(title)}</h1><p>{escape(introduction)}</p>{''.join(sections)}"
        "</body></html>"
    )


def table(
    heading: str, columns: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: str = ""
) -> str:
    """Return a section with a table of text; `numbers` names the column of amounts."""
    kinds = [' class="number"' if column == numbers else "" for column in columns]
    head = "".join(
        f'<th scope="col"{kind}>{escape(text)}</th>'
        for text, kind in zip(columns, kinds, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(f"<td{kind}>{escape(text)}</td>" for text, kind in zip(row, kinds, strict=True))
        + "</tr>"
        for row in rows
    )
    if not body:
        return f"<h2>{escape(heading)}</h2><p>Nothing yet.</p>"
    return (
        f'<h2>{escape(heading)}</h2><div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def bank_page(book: Book) -> str:
    """Return the bank's page: accounts and the latest orders, newest first."""
    accounts = [
        ("The lender" if account == LENDER else account, amount_text(cents))
        for account, cents in book.balances().items()
    ]
    orders = [_order_row(order) for order in reversed(book.orders()[-_SHOWN_ORDERS:])]
    columns = ("Made", "Direction", "Card", "Amount", "State", "Reason", "Notice", "Client's id")
    return page(
        "Sandbox bank",
        "For development only: no money here is real.",
        table("Accounts", ("Account", "Balance"), accounts, numbers="Balance"),
        table("Orders", columns, orders, numbers="Amount"),
    )


def amount_text(cents: int) -> str:
    """Return an amount for reading, such as `-1,234.50`."""
    whole, rest = divmod(abs(cents), 100)
    return f"{'-' if cents < 0 else ''}{whole:,}.{rest:02d}"


def _order_row(order: Order) -> tuple[str, ...]:
    instruction = order.instruction
    return (
        timestamp_text(order.made_at),
        _DIRECTIONS[instruction.direction],
        order.account,
        amount_text(instruction.cents),
        _STATES[order.state],
        order.refusal.text if order.refusal else "",
        _NOTICES[order.notice_state],
        instruction.client_reference,
    )
