"""Read the bank's daily bills strictly: every line, and the sums that the bank itself states.

Two bills of a day: trades (业务明细: payments and refunds, with fees) and the account (账务明细:
every movement, here for payouts and what came back of them). A file whose own totals do not
re-add is refused whole, because nothing in it can be believed.
Source: Alipay open platform, 对账单说明.
"""

from __future__ import annotations

import csv
import datetime
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from zhixin.shared.money import InvalidAmountError, Money, total


class BillLineKind(StrEnum):
    """What a line of the bank says happened."""

    PAYMENT = "PAYMENT"
    REFUND = "REFUND"
    PAYOUT = "PAYOUT"
    RETURN = "RETURN"
    OTHER = "OTHER"


class UnreadableBillError(ValueError):
    """The bill is not of the published form, or contradicts itself; the message says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BillLine:
    """One movement of our money by the bank's bill; `amount` and `fee` are never negative.

    `reference` is ours: the order's, and for a refund the refund's own.
    """

    kind: BillLineKind
    bank_reference: str
    reference: str
    order_reference: str
    amount: Money
    came_in: bool
    fee: Money
    at: str
    raw: dict[str, str]


TRADE_COLUMNS: Final = [
    "支付宝交易号",
    "商户订单号",
    "业务类型",
    "商品名称",
    "创建时间",
    "完成时间",
    "门店编号",
    "门店名称",
    "操作员",
    "终端号",
    "对方账户",
    "订单金额（元）",
    "商家实收（元）",
    "支付宝红包（元）",
    "集分宝（元）",
    "支付宝优惠（元）",
    "商家优惠（元）",
    "券核销金额（元）",
    "券名称",
    "商家红包消费金额（元）",
    "卡消费金额（元）",
    "退款批次号/请求号",
    "服务费（元）",
    "分润（元）",
    "备注",
]
ACCOUNT_COLUMNS: Final = [
    "账务流水号",
    "业务流水号",
    "商户订单号",
    "商品名称",
    "发生时间",
    "对方账号",
    "收入金额（+元）",
    "支出金额（-元）",
    "账户余额（元）",
    "交易渠道",
    "业务类型",
    "备注",
]

_TRADE_TITLE = "#支付宝业务明细查询"
_TRADE_SUMMARY_TITLE = "#支付宝业务汇总查询"
_ACCOUNT_TITLE = "#支付宝账务明细查询"
_AMOUNT = r"(-?[0-9]+\.[0-9]{2})元"
_PAID_SUM = re.compile(rf"#交易合计：([0-9]+)笔，商家实收共{_AMOUNT}")
_REFUNDED_SUM = re.compile(rf"#退款合计：([0-9]+)笔，商家实收退款共{_AMOUNT}")
_OUT_SUM = re.compile(rf"#支出合计：([0-9]+)笔，共{_AMOUNT}")
_IN_SUM = re.compile(rf"#收入合计：([0-9]+)笔，共{_AMOUNT}")
_FROM_DATE = re.compile(r"#起始日期：\[([0-9]{4})年([0-9]{2})月([0-9]{2})日 00:00:00\]")
_TRADE_KINDS = {"交易": BillLineKind.PAYMENT, "退款": BillLineKind.REFUND}
# What the bill of trades lists already.
_LISTED_BY_TRADES = frozenset({"在线支付", "交易付款", "退款", "交易退款", "收费", "服务费"})
_ACCOUNT_KINDS = {"转账": BillLineKind.PAYOUT, "退票": BillLineKind.RETURN}
_SUMMARY_COLUMNS = 12


def read_trade_bill(texts: Sequence[str], *, day: datetime.date) -> tuple[BillLine, ...]:
    """Return the lines of the bill of trades of `day`, from the texts of its files.

    Raises UnreadableBillError unless both files are there, are of that day and agree.
    """
    detail = _titled(texts, _TRADE_TITLE)
    rows = list(_rows(detail, TRADE_COLUMNS, day))
    lines = tuple(_trade_line(row) for row in rows)
    paid = [line for line in lines if line.kind is BillLineKind.PAYMENT]
    refunded = [line for line in lines if line.kind is BillLineKind.REFUND]
    _check_sum(detail, _PAID_SUM, paid, "交易合计")
    _check_sum(detail, _REFUNDED_SUM, refunded, "退款合计")
    _check_summary(_titled(texts, _TRADE_SUMMARY_TITLE), lines, day)
    return lines


def read_account_bill(texts: Sequence[str], *, day: datetime.date) -> tuple[BillLine, ...]:
    """Return the lines of the account's bill of `day` that the bill of trades does not list.

    Raises UnreadableBillError as `read_trade_bill` does.
    """
    detail = _titled(texts, _ACCOUNT_TITLE)
    lines = tuple(_account_line(row) for row in _rows(detail, ACCOUNT_COLUMNS, day))
    _check_sum(detail, _OUT_SUM, [line for line in lines if not line.came_in], "支出合计")
    _check_sum(detail, _IN_SUM, [line for line in lines if line.came_in], "收入合计")
    return tuple(line for line in lines if line.raw["业务类型"] not in _LISTED_BY_TRADES)


def _titled(texts: Sequence[str], title: str) -> list[str]:
    found = [text.splitlines() for text in texts if text.startswith(title)]
    if len(found) != 1:
        raise UnreadableBillError(f"There is not exactly one file {title}.")
    return found[0]


def _rows(
    lines: Sequence[str], columns: Sequence[str], day: datetime.date
) -> Iterator[dict[str, str]]:
    """Yield the rows of the table as fields by column. Raises UnreadableBillError."""
    _check_day(lines, day)
    heads = [number for number, line in enumerate(lines) if not line.startswith("#")]
    if not heads or lines[heads[0]].split(",") != list(columns):
        raise UnreadableBillError("The columns are not those that are published.")
    for number in heads[1:]:
        fields = _fields(lines[number], number)
        if len(fields) != len(columns):
            raise UnreadableBillError(f"Line {number + 1} has {len(fields)} fields.")
        yield {name: field.strip() for name, field in zip(columns, fields, strict=True)}


def _fields(line: str, number: int) -> list[str]:
    try:
        [fields] = csv.reader([line], strict=True)
    except (csv.Error, ValueError) as error:
        raise UnreadableBillError(f"Line {number + 1} is not CSV.") from error
    return fields


def _check_day(lines: Sequence[str], day: datetime.date) -> None:
    found = next(filter(None, map(_FROM_DATE.match, lines)), None)
    if found is None or datetime.date(*map(int, found.groups())) != day:
        raise UnreadableBillError(f"The bill is not of {day}.")


def _trade_line(row: dict[str, str]) -> BillLine:
    amount = _money(row["商家实收（元）"])
    kind = _TRADE_KINDS.get(row["业务类型"], BillLineKind.OTHER)
    if (kind is BillLineKind.REFUND) != (amount < Money.zero()):
        raise UnreadableBillError(f"{row['支付宝交易号']} has an amount of the wrong sign.")
    request = row["退款批次号/请求号"]
    return BillLine(
        kind=kind,
        bank_reference=row["支付宝交易号"],
        reference=request if kind is BillLineKind.REFUND else row["商户订单号"],
        order_reference=row["商户订单号"],
        amount=_size(amount),
        came_in=amount >= Money.zero(),
        fee=_size(_money(row["服务费（元）"])),
        at=row["完成时间"],
        raw=row,
    )


def _account_line(row: dict[str, str]) -> BillLine:
    came, went = _money(row["收入金额（+元）"]), _money(row["支出金额（-元）"])
    if bool(came) == bool(went) or came < Money.zero() or went > Money.zero():
        raise UnreadableBillError(f"{row['账务流水号']} is neither in nor out.")
    return BillLine(
        kind=_ACCOUNT_KINDS.get(row["业务类型"], BillLineKind.OTHER),
        bank_reference=row["业务流水号"],
        reference=row["商户订单号"],
        order_reference=row["商户订单号"],
        amount=came or _size(went),
        came_in=bool(came),
        fee=Money.zero(),
        at=row["发生时间"],
        raw=row,
    )


def _check_sum(
    lines: Sequence[str], pattern: re.Pattern[str], of: Sequence[BillLine], name: str
) -> None:
    """Raise UnreadableBillError unless the bank's own sum is that of the lines."""
    found = next(filter(None, map(pattern.match, lines)), None)
    if found is None:
        raise UnreadableBillError(f"{name} is missing.")
    count, amount = int(found[1]), _size(_money(found[2]))
    counted, added = len(of), total(line.amount for line in of)
    if (count, amount) != (counted, added):
        raise UnreadableBillError(
            f"{name} states {count} of {amount}, the lines are {counted} of {added}."
        )


def _check_summary(lines: Sequence[str], of: Sequence[BillLine], day: datetime.date) -> None:
    _check_day(lines, day)
    row = next((line.split(",") for line in lines if line.startswith("合计")), [])
    if len(row) != _SUMMARY_COLUMNS or not (row[2].isdecimal() and row[3].isdecimal()):
        raise UnreadableBillError("The summary has no 合计 of the published columns.")
    paid = [line for line in of if line.kind is BillLineKind.PAYMENT]
    back = [line for line in of if line.kind is BillLineKind.REFUND]
    net = total(line.amount for line in paid) - total(line.amount for line in back)
    stated = (int(row[2]), int(row[3]), _money(row[5]), _size(_money(row[9])))
    added = (len(paid), len(back), net, total(line.fee for line in of))
    if stated != added:
        raise UnreadableBillError(f"汇总 and 业务明细 differ: {stated} and {added}.")


def _money(text: str) -> Money:
    try:
        return Money.parse(text)
    except InvalidAmountError as error:
        raise UnreadableBillError(f"{text!r} is not an amount.") from error


def _size(amount: Money) -> Money:
    return max(amount, -amount)
