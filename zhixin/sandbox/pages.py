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
"""

_STATES = {"PROCESSING": "In progress", "SUCCEEDED": "Done", "FAILED": "Failed"}
_NOTICES = {"PENDING": "Not yet answered", "DELIVERED": "Received", "DROPPED": "Lost on purpose"}
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
        instruction.card_number,
        amount_text(instruction.cents),
        _STATES[order.state],
        order.refusal.text if order.refusal else "",
        _NOTICES[order.notice_state],
        instruction.client_reference,
    )
