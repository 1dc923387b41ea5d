"""The sandbox bank's daily bills: zip files of CSV in GBK, as Alipay publishes them.

`trade` (业务明细) lists payments and refunds, `signcustomer` (账务明细) every movement of the
lender's account. The day is the bank's (UTC+8). A bill is there once its day is over.
Source: Alipay open platform, alipay.data.dataservice.bill.downloadurl.query and 对账单说明.
"""

from __future__ import annotations

import io
import secrets
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from zhixin.sandbox.book import Book, Direction, Order, OrderState
from zhixin.sandbox.faults import FaultBox
from zhixin.sandbox.wire import Answer, RefusedError, answer, invalid, yuan
from zhixin.shared.signing import BANK_TIME_ZONE, timestamp_text

BILL_QUERY = "alipay.data.dataservice.bill.downloadurl.query"
BILL_FAULTS = (
    "bill_missing_row",
    "bill_extra_row",
    "bill_wrong_amount",
    "bill_double_row",
    "bill_wrong_total",
)
TRADE_BILL = "trade"
ACCOUNT_BILL = "signcustomer"

_LIFE = timedelta(seconds=30)
_TRADE_COLUMNS = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,"
    "订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,"
    "券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注"
)
_TRADE_SUMMARY_COLUMNS = (
    "门店编号,门店名称,交易订单总笔数,退款订单总笔数,订单金额（元）,商家实收（元）,支付宝优惠（元）,"
    "商家优惠（元）,卡消费金额（元）,服务费（元）,分润（元）,实收净额（元）"
)
_ACCOUNT_COLUMNS = (
    "账务流水号,业务流水号,商户订单号,商品名称,发生时间,对方账号,收入金额（+元）,支出金额（-元）,"
    "账户余额（元）,交易渠道,业务类型,备注"
)
_RULE = "-----------------------------------------"


@dataclass(frozen=True, slots=True)
class Movement:
    """One movement of the lender's money; `cents` is positive for what came in."""

    kind: str
    at: datetime
    made_at: datetime
    bank_reference: str
    client_reference: str
    title: str
    account: str
    cents: int
    request_number: str = ""
    fee_cents: int = 0


@dataclass(frozen=True, slots=True)
class _Bill:
    content: bytes
    file_name: str
    until: datetime


@dataclass(slots=True)
class BillDesk:
    """Makes bills from the book and keeps each for a short time at an address of its own."""

    book: Book
    faults: FaultBox
    seller_id: str
    fee_rate: Decimal
    url: Callable[[], str]
    # Tests ask for the bill of a day that is not over.
    ready_through: date | None = None
    _bills: dict[str, _Bill] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def download_url(self, content: Mapping[str, object], at: datetime) -> Answer:
        """Answer the published method: an address that is good for half a minute."""
        bill_type = str(content.get("bill_type") or "")
        if bill_type not in {TRADE_BILL, ACCOUNT_BILL}:
            raise invalid("bill_type must be trade or signcustomer")
        try:
            day = date.fromisoformat(str(content.get("bill_date") or ""))
        except ValueError as error:
            raise invalid("bill_date must be yyyy-MM-dd") from error
        if day >= self._first_open_day(at) or self.faults.take("bill_not_ready"):
            raise RefusedError("40004", "isp.bill_not_exist", "The bill is not there (yet).")
        token = secrets.token_urlsafe(18)
        bill = self._make(bill_type, day, at)
        with self._lock:
            self._bills = {key: kept for key, kept in self._bills.items() if kept.until > at}
            self._bills[token] = bill
        return answer("10000", bill_download_url=f"{self.url()}/bill?token={token}")

    def content(self, token: str, *, at: datetime) -> tuple[str, bytes] | None:
        """Return name and content of the bill at this address, None once its time is over."""
        with self._lock:
            bill = self._bills.get(token)
        return (bill.file_name, bill.content) if bill and bill.until > at else None

    def _first_open_day(self, at: datetime) -> date:
        today = at.astimezone(BANK_TIME_ZONE).date()
        return max(today, self.ready_through + timedelta(days=1)) if self.ready_through else today

    def _make(self, bill_type: str, day: date, at: datetime) -> _Bill:
        rows = [one for one in self._movements() if _day(one.at) == day]
        if bill_type == TRADE_BILL:
            rows = [one for one in rows if one.kind in {"交易", "退款"}]
        rows, wrong_total = self._with_faults(rows, bill_type, day)
        texts = _trade_texts if bill_type == TRADE_BILL else _account_texts
        name = f"{self.seller_id}_{day:%Y%m%d}"
        files = texts(rows, seller=self.seller_id, day=day, at=at, wrong_cents=wrong_total)
        return _Bill(_zipped(name, files), f"{name}.csv.zip", at + _LIFE)

    def _with_faults(
        self, rows: list[Movement], bill_type: str, day: date
    ) -> tuple[list[Movement], int]:
        """Return the rows after a waiting fault, and by how many cents the total is to lie."""
        if bill_type == TRADE_BILL and self.faults.take("bill_extra_row"):
            return [*rows, _stranger(day)], 0
        if not rows:
            return rows, 0
        if self.faults.take("bill_missing_row"):
            return rows[1:], 0
        if self.faults.take("bill_wrong_amount"):
            sign = 1 if rows[0].cents > 0 else -1
            return [replace(rows[0], cents=rows[0].cents + sign * 1_00), *rows[1:]], 0
        if self.faults.take("bill_double_row"):
            return [rows[0], *rows], 0
        return rows, 1 if self.faults.take("bill_wrong_total") else 0

    def _movements(self) -> list[Movement]:
        movements = [one for order in self.book.orders() for one in self._of_order(order)]
        return sorted(movements, key=lambda one: one.at)

    def _of_order(self, order: Order) -> Iterator[Movement]:
        if order.settled_at is None or order.state not in {
            OrderState.SUCCEEDED,
            OrderState.RETURNED,
        }:
            return
        instruction = order.instruction
        is_payout = instruction.direction is Direction.PAYOUT
        fee = 0 if is_payout else fee_of(instruction.cents, self.fee_rate)
        first = Movement(
            kind="转账" if is_payout else "交易",
            at=order.settled_at,
            made_at=order.made_at,
            bank_reference=order.bank_reference,
            client_reference=instruction.client_reference,
            title=instruction.title,
            account=order.account,
            cents=-instruction.cents if is_payout else instruction.cents,
            fee_cents=fee,
        )
        yield first
        for refund in order.refunds:
            yield replace(
                first,
                kind="退款",
                at=refund.made_at,
                cents=-refund.cents,
                request_number=refund.request_number,
                fee_cents=0,
            )
        if order.returned_at is not None:
            yield replace(first, kind="退票", at=order.returned_at, cents=instruction.cents)


def fee_of(cents: int, rate: Decimal) -> int:
    """Return the bank's fee for a payment, in whole cents, half up."""
    return int((cents * rate).quantize(Decimal(1), ROUND_HALF_UP))


def _stranger(day: date) -> Movement:
    """Return a payment that nobody has ordered."""
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=BANK_TIME_ZONE)
    return Movement(
        kind="交易",
        at=noon,
        made_at=noon,
        bank_reference=f"{day:%Y%m%d}{'9' * 20}",
        client_reference=f"stranger-{day:%Y%m%d}",
        title="不明来款",
        account="2088000000000000",
        cents=88_00,
    )


def _trade_texts(
    rows: Sequence[Movement], *, seller: str, day: date, at: datetime, wrong_cents: int
) -> dict[str, str]:
    paid = [one for one in rows if one.kind == "交易"]
    refunded = [one for one in rows if one.kind == "退款"]
    paid_cents = sum(one.cents for one in paid) + wrong_cents
    refunded_cents = sum(one.cents for one in refunded)
    fees = sum(one.fee_cents for one in rows)
    back = yuan_signed(refunded_cents)
    detail = [
        *_head("支付宝业务明细查询", "业务明细列表", seller, day),
        _TRADE_COLUMNS,
        *(_trade_row(one) for one in rows),
        f"#{_RULE}业务明细列表结束------------------------------------",
        f"#交易合计：{len(paid)}笔，商家实收共{yuan_signed(paid_cents)}元，商家优惠共0.00元",
        f"#退款合计：{len(refunded)}笔，商家实收退款共{back}元，商家优惠退款共0.00元",
        _exported(at),
    ]
    total = yuan_signed(paid_cents + refunded_cents)
    net = yuan_signed(paid_cents + refunded_cents - fees)
    counts = f"{len(paid)},{len(refunded)}"
    sums = f"{total},{total},0.00,0.00,0.00,-{yuan(fees)},0.00,{net}"
    summary = [
        *_head("支付宝业务汇总查询", "业务汇总列表", seller, day),
        _TRADE_SUMMARY_COLUMNS,
        f"合计\t,\t,{counts},{sums}",
        f"#{_RULE}业务汇总列表结束------------------------------------",
        _exported(at),
    ]
    return {"业务明细": "\r\n".join(detail), "业务明细(汇总)": "\r\n".join(summary)}


def _trade_row(one: Movement) -> str:
    amount = yuan_signed(one.cents)
    fields = [
        f"{one.bank_reference}\t",
        f"{one.client_reference}\t",
        f"{one.kind}\t",
        _plain(one.title),
        timestamp_text(one.made_at),
        timestamp_text(one.at),
        *["\t"] * 4,
        f"{_masked(one.account)}\t",
        amount,
        amount,
        *["0.00"] * 5,
        "",
        "0.00\t",
        "0.00",
        f"{one.request_number}\t",
        yuan_signed(-one.fee_cents),
        "0.00",
        "",
    ]
    return ",".join(fields)


def _account_texts(
    rows: Sequence[Movement], *, seller: str, day: date, at: datetime, wrong_cents: int
) -> dict[str, str]:
    fees = [
        replace(one, kind="收费", cents=-one.fee_cents, fee_cents=0)
        for one in rows
        if one.fee_cents
    ]
    lines = [*rows, *fees]
    came = [one.cents for one in lines if one.cents > 0]
    went = [one.cents for one in lines if one.cents < 0]
    detail = [
        *_head("支付宝账务明细查询", "账务明细列表", seller, day),
        _ACCOUNT_COLUMNS,
        *(_account_row(number, one) for number, one in enumerate(lines, start=1)),
        f"#{_RULE}账务明细列表结束------------------------------------",
        f"#支出合计：{len(went)}笔，共{yuan_signed(sum(went))}元",
        f"#收入合计：{len(came)}笔，共{yuan_signed(sum(came) + wrong_cents)}元",
        _exported(at),
    ]
    return {"账务明细": "\r\n".join(detail)}


def _account_row(number: int, one: Movement) -> str:
    fields = [
        f"{one.at:%Y%m%d}{number:08d}\t",
        f"{one.bank_reference}\t",
        f"{one.client_reference}\t",
        f"{_plain(one.title)}\t",
        timestamp_text(one.at),
        f"{_masked(one.account)}\t",
        yuan(one.cents) if one.cents > 0 else "0.00",
        yuan_signed(one.cents) if one.cents < 0 else "0.00",
        "0.00",
        "支付宝",
        "在线支付" if one.kind == "交易" else one.kind,
        one.request_number,
    ]
    return ",".join(fields)


def _head(title: str, table: str, seller: str, day: date) -> list[str]:
    following = day + timedelta(days=1)
    return [
        f"#{title}",
        f"#账号：[{seller}0156]",
        f"#起始日期：[{day:%Y年%m月%d日} 00:00:00]   终止日期：[{following:%Y年%m月%d日} 00:00:00]",
        f"#{_RULE}{table}----------------------------------------",
    ]


def _exported(at: datetime) -> str:
    return f"#导出时间：[{at.astimezone(BANK_TIME_ZONE):%Y年%m月%d日 %H:%M:%S}]\r\n"


def yuan_signed(cents: int) -> str:
    """Return an amount with its sign where it is negative."""
    return f"-{yuan(-cents)}" if cents < 0 else yuan(cents)


def _masked(account: str) -> str:
    return f"*{account[:3]}***{account[-4:]}" if account else ""


def _plain(text: str) -> str:
    """Return a text that needs no quotes in the file; what GBK cannot say becomes a `?`."""
    known = text.encode("gbk", "replace").decode("gbk")
    return " ".join(known.replace(",", "，").replace('"', "'").split())


def _day(at: datetime) -> date:
    return at.astimezone(BANK_TIME_ZONE).date()


class _GbkNamed(zipfile.ZipInfo):
    """A file whose name is written in GBK without the mark of UTF-8, as the bank's are."""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802  The base says so.
        return self.filename.encode("gbk"), self.flag_bits & ~0x800


def _zipped(name: str, files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for title, text in files.items():
            info = _GbkNamed(f"{name}_{title}.csv")
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, text.encode("gbk"))
    return buffer.getvalue()
