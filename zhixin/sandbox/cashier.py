"""The sandbox bank's page on which payers pay, in the language of the real one."""

from __future__ import annotations

from html import escape

from zhixin.sandbox.book import Order, OrderState
from zhixin.sandbox.pages import amount_text
from zhixin.shared.signing import timestamp_text

CASHIER_PATH = "/cashier"
CHOICES = frozenset({"pay", "cancel", "short"})
DEFAULT_PAYER = "2088000000000009"

_SAID = {
    "cancel": "您已取消付款，没有扣款。可以返回商家，也可以继续付款。",
    "short": "账户余额不足，没有扣款。请更换付款账户，或返回商家。",
}
_ENDED = {
    OrderState.SUCCEEDED: "付款成功",
    OrderState.FAILED: "交易已关闭，不能再付款",
}


def cashier_path(order: Order) -> str:
    """Return where the order can be paid on this bank."""
    return f"{CASHIER_PATH}?token={order.cashier.token if order.cashier else ''}"


def cashier_page(order: Order, *, said: str = "", home: str = "") -> str:
    """Return the page of one payment; `home` leads back to the lender."""
    instruction = order.instruction
    waits = order.state is OrderState.WAITING
    until = timestamp_text(order.cashier.expires_at) if order.cashier else ""
    message = _SAID.get(said, "") if waits else _ENDED.get(order.state, "")
    parts = [
        f'<p class="sum">¥{escape(amount_text(instruction.cents))}</p>',
        f'<p class="said" role="status">{escape(message)}</p>' if message else "",
        "<dl>",
        _fact("商品", instruction.title),
        _fact("订单号", instruction.client_reference),
        _fact("付款截止", until),
        "</dl>",
        _form(order) if waits else "",
        f'<a class="back" href="{escape(home)}">返回商家</a>' if home else "",
    ]
    return _page("收银台", "".join(parts))


def refusal_page(code: str, text: str) -> str:
    """Return the page for a payment that cannot be opened."""
    return _page(
        "无法打开收银台", f'<p class="said" role="alert">{escape(text)}</p><p>{escape(code)}</p>'
    )


def _form(order: Order) -> str:
    address = escape(cashier_path(order))
    return (
        f'<form method="post" action="{address}">'
        '<label for="payer">付款账户</label>'
        f'<input id="payer" name="payer" value="{DEFAULT_PAYER}" autocomplete="off">'
        '<button class="pay" name="choice" value="pay">确认付款</button>'
        '<button name="choice" value="short">余额不足（测试）</button>'
        '<button name="choice" value="cancel">取消付款</button></form>'
    )


def _fact(label: str, value: str) -> str:
    return f"<div><dt>{escape(label)}</dt><dd>{escape(value)}</dd></div>"


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="zh-Hans"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f'<title>{title} · Sandbox</title><link rel="stylesheet" href="/style.css"></head>'
        '<body><main class="cashier"><p class="mark">Sandbox 测试环境，不会动用真实资金</p>'
        f"<h1>{title}</h1>{body}</main></body></html>"
    )
