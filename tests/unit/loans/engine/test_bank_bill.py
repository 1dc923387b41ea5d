"""The bank's bills are read to the letter, or refused whole."""

from __future__ import annotations

import datetime

import pytest

from loans.engine.bank_bill import (
    ACCOUNT_COLUMNS,
    TRADE_COLUMNS,
    BillLineKind,
    UnreadableBillError,
    read_account_bill,
    read_trade_bill,
)
from zhixin.shared.money import Money

DAY = datetime.date(2026, 11, 22)
_DATES = "#起始日期：[2026年11月22日 00:00:00]   终止日期：[2026年11月23日 00:00:00]"
_RULE = "-----------------------------------------"
# As the bank writes them: texts end in a tab, a refund is negative, fees are negative.
PAYMENT = (
    "2026112222001\t,order-1\t,交易\t,智信还款,2026-11-22 10:00:00,2026-11-22 10:00:05,\t,\t,\t,\t,"
    "*津水(602***@qq.com)\t,1066.19,1066.19,0.00,0.00,0.00,0.00,0.00,,0.00\t,0.00,\t,-6.40,0.00,"
)
REFUND = (
    "2026112222001\t,order-1\t,退款\t,智信还款,2026-11-22 10:00:00,2026-11-22 11:00:05,\t,\t,\t,\t,"
    "*津水(602***@qq.com)\t,-66.19,-66.19,0.00,0.00,0.00,0.00,0.00,,0.00\t,0.00,refund-1\t,0.00,0.00,"
)
DETAIL = "\r\n".join(
    [
        "#支付宝业务明细查询",
        "#账号：[20880211096256330156]",
        _DATES,
        f"#{_RULE}业务明细列表----------------------------------------",
        ",".join(TRADE_COLUMNS),
        PAYMENT,
        REFUND,
        f"#{_RULE}业务明细列表结束------------------------------------",
        "#交易合计：1笔，商家实收共1066.19元，商家优惠共0.00元",
        "#退款合计：1笔，商家实收退款共-66.19元，商家优惠退款共0.00元",
        "#导出时间：[2026年11月23日 05:46:49]\r\n",
    ]
)
SUMMARY = "\r\n".join(
    [
        "#支付宝业务汇总查询",
        _DATES,
        (
            "门店编号,门店名称,交易订单总笔数,退款订单总笔数,订单金额（元）,商家实收（元）,支付宝优惠（元）,"
            "商家优惠（元）,卡消费金额（元）,服务费（元）,分润（元）,实收净额（元）"
        ),
        "合计\t,\t,1,1,1000.00,1000.00,0.00,0.00,0.00,-6.40,0.00,993.60",
        "#导出时间：[2026年11月23日 05:46:49]\r\n",
    ]
)
ACCOUNT = "\r\n".join(
    [
        "#支付宝账务明细查询",
        _DATES,
        ",".join(ACCOUNT_COLUMNS),
        "1\t,B1\t,out-1\t,payout\t,2026-11-22 09:00:00,*622***\t,0.00,-12000.00,0.00,支付宝,转账,",
        "2\t,B2\t,order-1\t,x\t,2026-11-22 10:00:05,*602***\t,1066.19,0.00,0.00,支付宝,在线支付,",
        "3\t,B1\t,out-1\t,payout\t,2026-11-22 12:00:00,*622***\t,12000.00,0.00,0.00,支付宝,退票,",
        "4\t,B9\t,\t,x\t,2026-11-22 12:30:00,*622***\t,5.00,0.00,0.00,支付宝,红包,",
        "#支出合计：1笔，共-12000.00元",
        "#收入合计：3笔，共13071.19元",
    ]
)


def test_the_bill_of_trades_is_read_line_by_line() -> None:
    payment, refund = read_trade_bill([SUMMARY, DETAIL], day=DAY)
    assert (payment.kind, payment.reference, payment.bank_reference) == (
        BillLineKind.PAYMENT,
        "order-1",
        "2026112222001",
    )
    assert (payment.amount, payment.fee, payment.came_in) == (
        Money.parse("1066.19"),
        Money.parse("6.40"),
        True,
    )
    assert (refund.kind, refund.reference, refund.order_reference) == (
        BillLineKind.REFUND,
        "refund-1",
        "order-1",
    )
    assert (refund.amount, refund.came_in) == (Money.parse("66.19"), False)
    assert payment.raw["对方账户"] == "*津水(602***@qq.com)"


def test_the_account_tells_of_payouts_returns_and_what_nobody_knows() -> None:
    lines = read_account_bill([ACCOUNT], day=DAY)
    assert [(line.kind, line.reference, str(line.amount), line.came_in) for line in lines] == [
        (BillLineKind.PAYOUT, "out-1", "12000.00", False),
        (BillLineKind.RETURN, "out-1", "12000.00", True),
        (BillLineKind.OTHER, "", "5.00", True),
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("#交易合计：1笔", "#交易合计：2笔", "交易合计 states 2"),
        ("商家实收共1066.19元", "商家实收共1066.18元", "交易合计 states 1 of 1066.18"),
        ("#退款合计", "#退款", "退款合计 is missing"),
        ("1066.19,1066.19,", "1066.19,1066.20,", "交易合计"),
        ("-66.19,-66.19,", "66.19,66.19,", "wrong sign"),
        ("1066.19,1066.19,", "1066.19,1066.191,", "is not an amount"),
        ("1066.19,1066.19,", "1066.19,,", "is not an amount"),
        ("商家实收（元）", "商家实得（元）", "columns"),
        ("智信还款,2026-11-22 10:00:00,2026-11-22 10:00:05", "智信还款,2026-11-22", "fields"),
        ("2026年11月22日 00:00:00]   ", "2026年11月21日 00:00:00]   ", "not of 2026-11-22"),
        ("-6.40,0.00,", "-6.41,0.00,", "汇总"),
        ("#支付宝业务明细查询", "#支付宝业务明细", "exactly one file"),
    ],
)
def test_a_bill_that_is_not_of_the_form_or_contradicts_itself_is_refused(
    old: str, new: str, message: str
) -> None:
    assert old in DETAIL
    with pytest.raises(UnreadableBillError, match=message):
        read_trade_bill([DETAIL.replace(old, new, 1), SUMMARY], day=DAY)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1,1,1000.00,1000.00", "1,1,1000.00,1000.01"),
        ("1,1,1000", "2,1,1000"),
        ("合计\t", "总计\t"),
    ],
)
def test_a_summary_that_says_otherwise_is_refused(old: str, new: str) -> None:
    with pytest.raises(UnreadableBillError):
        read_trade_bill([DETAIL, SUMMARY.replace(old, new, 1)], day=DAY)


@pytest.mark.parametrize("texts", [[DETAIL], [SUMMARY], [DETAIL, DETAIL, SUMMARY], []])
def test_both_files_are_needed_once(texts: list[str]) -> None:
    with pytest.raises(UnreadableBillError, match="exactly one"):
        read_trade_bill(texts, day=DAY)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("共13071.19元", "共13071.18元"),
        ("支出合计：1笔", "支出合计：0笔"),
        ("-12000.00", "12000.00"),
    ],
)
def test_an_account_that_does_not_re_add_is_refused(old: str, new: str) -> None:
    with pytest.raises(UnreadableBillError):
        read_account_bill([ACCOUNT.replace(old, new, 1)], day=DAY)
