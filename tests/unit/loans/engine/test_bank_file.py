"""Bank statements as files: what is read, what is refused, and which loan the rules name."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loans.engine import bank_file
from loans.engine.bank_file import (
    Candidates,
    Column,
    Direction,
    FileProblem,
    KnownLoan,
    RowReason,
    StatementLine,
    SuggestionReason,
    UnreadableBankFileError,
    contract_numbers,
    match,
    read_amount,
    read_date,
    read_statement,
    suggestions,
)
from loans.engine.lifecycle import LoanStatus
from zhixin.shared.money import InvalidAmountError, Money

HEADER = "交易日期,交易流水号,收入金额(元),支出金额(元),余额,对方户名,对方账号,摘要,附言"
STATEMENT = f"""中国某某银行 账户明细
账号: 6222,币种: 人民币
{HEADER}
2026-05-03,S1,"1,066.19",,1,李小华,="6222020000000000000",转账,还款 ZX-TEST-000001
20260504 10:11:12,S2,,30.00,2,房东,1,房租,
2026/5/5,S3,￥１２.５,0.00,3,王芳,'6222-0300 1,,
2026-13-05,S4,5.00,,3,王芳,1,,
2026-05-05,,7.00,,3,王芳,1,,
2026-05-05,S6,abc,,3,王芳,1,,
合计,,"1,090.69",30.00,,,,,
"""


def lines_of(text: str, encoding: str = "utf-8") -> tuple[StatementLine, ...]:
    return read_statement(text.encode(encoding)).lines


def one(row: str) -> StatementLine:
    (line,) = lines_of(f"{HEADER}\n{row}\n")
    return line


@pytest.mark.parametrize(
    ("encoding", "read_as"),
    [("utf-8", "UTF-8"), ("utf-8-sig", "UTF-8"), ("gbk", "GB18030"), ("gb18030", "GB18030")],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_same_statement_in_every_encoding(encoding: str, read_as: str, newline: str) -> None:
    found = read_statement(STATEMENT.replace("\n", newline).encode(encoding))
    assert (found.encoding, found.delimiter) == (read_as, ",")
    assert found.columns[Column.REMARK] == ("附言", "摘要")
    assert [
        (each.number, each.direction, str(each.amount), each.serial, each.reason)
        for each in found.lines
    ] == [
        (4, Direction.IN, "1066.19", "S1", None),
        (5, Direction.OUT, "30.00", "S2", RowReason.OUTGOING),
        (6, Direction.IN, "12.50", "S3", None),
        (7, Direction.IN, "5.00", "S4", RowReason.BAD_DATE),
        (8, Direction.IN, "7.00", "", RowReason.NO_SERIAL),
        (9, Direction.NONE, "None", "S6", RowReason.BAD_AMOUNT),
        (10, Direction.NONE, "None", "", RowReason.TOTALS),
    ]
    assert (str(found.amount_in), str(found.amount_out)) == ("1090.69", "30.00")
    first = found.lines[0]
    assert first.booking_date == datetime.date(2026, 5, 3)
    assert first.payer_account == "6222020000000000000"
    assert first.remark == "还款 ZX-TEST-000001 转账"
    assert first.cells["余额"] == "1"
    assert found.lines[2].payer_account == "622203001"
    assert found.lines[3].detail == "交易日期: 2026-13-05"
    assert found.lines[5].detail == "收入金额(元): abc"


def test_tabs_and_english_names_and_a_column_of_directions() -> None:
    text = (
        "Booking date\tSerial number\tAmount\tDirection\tPayer\tRemark\n"
        "2026-05-03\tA\t5.00\tC\tLi\tx\n2026-05-03\tB\t6.00\t借\tLi\tx\n"
        "2026-05-03\tC\t6.00\t?\tLi\tx\n"
    )
    found = read_statement(text.encode())
    assert found.delimiter == "\t"
    assert [(each.direction, each.reason) for each in found.lines] == [
        (Direction.IN, None),
        (Direction.OUT, RowReason.OUTGOING),
        (Direction.NONE, RowReason.NO_DIRECTION),
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("2026-05-05,S,1,234.56,3,王芳,1,,", RowReason.TWO_AMOUNTS),
        ("2026-05-05,S,1,,3,王芳,1,,,", RowReason.TOO_MANY_CELLS),
        ("2026-05-05,S,,,3,王芳,1,,", RowReason.NO_AMOUNT),
        ("2026-05-05,S,0.00,0.00,3,王芳,1,,", RowReason.NO_AMOUNT),
        ("2026-05-05,S,-5.00,,3,王芳,1,,", RowReason.NEGATIVE_AMOUNT),
        ("2026-05-05,S,5.001,,3,王芳,1,,", RowReason.BAD_AMOUNT),
        ('2026-05-05,S,5.00,,3,"王\n芳",1,,', RowReason.LINE_BREAK),
        (f"2026-05-05,{'9' * 65},5.00,,3,王芳,1,,", RowReason.LONG_SERIAL),
    ],
)
def test_what_is_wrong_with_a_line_is_said(row: str, reason: RowReason) -> None:
    other = "2026-05-05,T,5.00,,3,王芳,1,,"
    assert lines_of(f"{HEADER}\n{row}\n{other}\n")[0].reason == reason


def test_a_comma_at_the_end_of_every_row_is_no_cell() -> None:
    rows = "2026-05-05,S,1.00,,3,王芳,1,,,\n2026-05-05,T,2.00,,3,王芳,1,,,\n"
    assert [each.reason for each in lines_of(f"{HEADER}\n{rows}合计,,3.00\n")] == [
        None,
        None,
        RowReason.TOTALS,
    ]


def test_totals_that_differ_are_told() -> None:
    found = lines_of(f"{HEADER}\n2026-05-05,S,1.00,,3,王芳,1,,\n合计,,2.00,\n")[-1]
    assert found.reason == RowReason.TOTALS_DIFFER
    assert found.detail == "收入金额(元): 2.00 ≠ 1.00"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", FileProblem.EMPTY),
        (b" \n\n", FileProblem.EMPTY),
        (b"PK\x03\x04rest", FileProblem.NOT_TEXT),
        (b"\xd0\xcf\x11\xe0rest", FileProblem.NOT_TEXT),
        (b"%PDF-1.7", FileProblem.NOT_TEXT),
        (HEADER.encode() + b"\n2026-05-05,S\x00,1", FileProblem.NOT_TEXT),
        (HEADER.encode() + b"\n2026-05-05,S\x1b[2J,1", FileProblem.NOT_TEXT),
        (b"\xff\xff\xff\xff,\xff", FileProblem.ENCODING),
        (b"a,b,c\n1,2,3\n", FileProblem.NO_HEADER),
        ("交易日期,收入金额,对方户名\n".encode(), FileProblem.MISSING_COLUMN),
        (HEADER.encode(), FileProblem.NO_ROWS),
        ((HEADER + '\n2026-05-05,"S,1.00').encode(), FileProblem.QUOTES),
        ((HEADER + "\n2026-05-05," + "S" * 1001).encode(), FileProblem.HUGE_CELL),
        ((HEADER + "\n" + "," * 70).encode(), FileProblem.HUGE_CELL),
        (b"x" * (20 * 1024 * 1024 + 1), FileProblem.TOO_LARGE),
    ],
)
def test_what_is_no_statement_is_refused_whole(content: bytes, problem: FileProblem) -> None:
    with pytest.raises(UnreadableBankFileError) as refused:
        read_statement(content)
    assert refused.value.problem == problem


def test_a_missing_column_is_named() -> None:
    with pytest.raises(UnreadableBankFileError) as refused:
        read_statement("交易日期,收入金额,对方户名\n".encode())
    assert refused.value.detail == "流水号"
    assert refused.value.found == ("交易日期", "收入金额", "对方户名")


def test_of_a_file_without_known_headers_the_nearest_row_is_named() -> None:
    with pytest.raises(UnreadableBankFileError) as refused:
        read_statement(b"My bank\nwhen,date,how much\n1,2,3\n")
    assert refused.value.problem == FileProblem.NO_HEADER
    assert refused.value.found == ("when", "date", "how much")


def test_too_many_rows_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bank_file, "ROWS_MOST", 2)
    row = "2026-05-05,S,1.00,,3,王芳,1,,\n"
    assert len(lines_of(f"{HEADER}\n{row * 2}")) == 2
    with pytest.raises(UnreadableBankFileError) as refused:
        lines_of(f"{HEADER}\n{row * 3}")
    assert refused.value.problem == FileProblem.TOO_MANY_ROWS


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1,234.56", "1234.56"),
        ("¥1234.56", "1234.56"),
        ("１，２３４．５", "1234.50"),
        ("+5", "5.00"),
        ("-5.00元", "-5.00"),
        ("RMB 7", "7.00"),
    ],
)
def test_amounts_as_banks_write_them(text: str, amount: str) -> None:
    assert str(read_amount(text)) == amount


@pytest.mark.parametrize(
    "text", ["", "1,23.45", "1.234", "1 234", "1e5", "0x10", "NaN", "--5", "99999999999", "五"]
)
def test_anything_else_is_no_amount(text: str) -> None:
    with pytest.raises(InvalidAmountError):
        read_amount(text)


@given(st.integers(min_value=0, max_value=10**12))
def test_every_amount_reads_back(cents: int) -> None:
    amount = Money(cents)
    assert read_amount(f"{amount.amount:,.2f}") == read_amount(str(amount)) == amount


def test_dates_as_banks_write_them() -> None:
    day = datetime.date(2026, 5, 3)
    for text in ("2026-05-03", "20260503", "2026/5/3", "2026.05.03", "2026年5月3日"):
        assert read_date(text) == read_date(f"{text} 09:08:07") == day
    for text in ("", "2026-02-30", "03/05/2026", "2026-05/03", "202653", "1926-05-03", "今天"):
        assert read_date(text) is None


def test_the_same_payment_is_the_same_in_any_file() -> None:
    row = "2026-05-05,S,1.00,,3,王芳,1,,"
    first = one(row)
    assert one(row.replace("2026-05-05", "20260505")).identity == first.identity
    assert one(row.replace("1.00", "1.01")).identity != first.identity
    assert one(row.replace(",S,", ",T,")).identity != first.identity
    nameless = row.replace(",S,", ",,")
    twice = lines_of(f"{HEADER}\n{nameless}\n{nameless}\n")
    assert twice[0].identity == one(nameless).identity != twice[1].identity


def test_contract_numbers_as_people_write_them() -> None:
    number = "ZX20260616-AB12CD34EF"
    for text in (
        number,
        number.lower(),
        "还款ＺＸ20260616－AB12CD34EF谢谢",
        "zx20260616ab12cd34ef",
    ):
        assert contract_numbers(text) == (number,)
    assert contract_numbers("ZX-TEST-000001, ZX—TEST—000002") == (
        "ZX-TEST-000001",
        "ZX-TEST-000002",
    )
    assert contract_numbers("AZX-1 还款") == ()


def loan(key: int, status: LoanStatus = LoanStatus.ACTIVE, *dues: str) -> KnownLoan:
    return KnownLoan(
        key=key,
        number=f"ZX-{key}",
        status=status,
        borrower_name="李小华",
        dues=tuple(Money.parse(due) for due in dues),
    )


LINE = one("2026-05-05,S,1066.19,,3,李小华,1,,")
OPEN, OTHER = loan(1, LoanStatus.ACTIVE, "1066.19"), loan(2, LoanStatus.OVERDUE, "1066.19")
CLOSED, PENDING = loan(3, LoanStatus.PAID_OFF), loan(4, LoanStatus.PENDING)
LOST = loan(5, LoanStatus.CHARGED_OFF)


@pytest.mark.parametrize(
    ("found", "key", "reason"),
    [
        (Candidates(by_number=(OPEN,), by_account=(OTHER,)), 1, RowReason.BY_NUMBER),
        (Candidates(by_number=(LOST,)), 5, RowReason.BY_NUMBER),
        (Candidates(by_number=(CLOSED,)), 3, RowReason.BY_NUMBER),
        (Candidates(by_number=(PENDING,)), None, RowReason.LOAN_NOT_PAID_OUT),
        (Candidates(by_number=(OPEN, OTHER)), None, RowReason.SEVERAL_NUMBERS),
        (
            Candidates(unknown_numbers=("ZX-9",), by_account=(OPEN,)),
            None,
            RowReason.UNKNOWN_NUMBER,
        ),
        (Candidates(by_account=(OPEN, CLOSED)), 1, RowReason.BY_ACCOUNT),
        (Candidates(by_account=(LOST,)), 5, RowReason.BY_ACCOUNT),
        (Candidates(by_account=(OPEN, LOST)), None, RowReason.SEVERAL_LOANS),
        (Candidates(by_account=(CLOSED,)), None, RowReason.NO_MATCH),
        (Candidates(by_name=(OPEN,)), None, RowReason.SUGGESTED),
        (Candidates(by_name=(OPEN, OTHER)), None, RowReason.NO_MATCH),
        (Candidates(), None, RowReason.NO_MATCH),
    ],
)
def test_which_loan_the_rules_name(found: Candidates, key: int | None, reason: RowReason) -> None:
    spoken = match(LINE, found)
    assert (spoken.loan.key if spoken.loan else None, spoken.reason) == (key, reason)


def test_a_stranger_pays_for_no_closed_loan_by_itself() -> None:
    stranger = one("2026-05-05,S,1066.19,,3,王芳,1,,")
    assert match(stranger, Candidates(by_number=(CLOSED,))).reason == RowReason.LOAN_CLOSED
    assert match(stranger, Candidates(by_number=(OPEN,))).loan == OPEN


def test_suggestions_name_each_loan_once_with_its_best_reason() -> None:
    found = Candidates(by_number=(OPEN,), by_account=(OPEN, LOST), by_name=(OPEN, OTHER, CLOSED))
    assert suggestions(LINE.amount, found) == (
        (OPEN, SuggestionReason.NUMBER),
        (LOST, SuggestionReason.ACCOUNT),
        (OTHER, SuggestionReason.NAME_AND_AMOUNT),
        (CLOSED, SuggestionReason.NAME),
    )
