"""Read a bank's account statement (CSV) strictly, and say to which loan a line belongs.

Pure: no database and no clock. What is not understood is a verdict on its line, never a guess; a
file that is no statement is refused whole. The format stands in docs/bank_files.md.
"""

from __future__ import annotations

import csv
import datetime
import hashlib
import io
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import Final

from loans.engine.lifecycle import LoanStatus
from zhixin.shared.money import InvalidAmountError, Money, total

FILE_BYTES_MOST: Final = 20 * 1024 * 1024
ROWS_MOST: Final = 100_000
CELL_LENGTH_MOST: Final = 1_000
COLUMNS_MOST: Final = 60
PREAMBLE_LINES_MOST: Final = 30
SERIAL_LENGTH_MOST: Final = 64
# Ten thousand million yuan: more digits are no amount of one payment.
_AMOUNT_MOST: Final = Money.parse("10000000000")


class FileProblem(StrEnum):
    """Why a file is refused whole."""

    EMPTY = "EMPTY"
    TOO_LARGE = "TOO_LARGE"
    NOT_TEXT = "NOT_TEXT"
    ENCODING = "ENCODING"
    NO_HEADER = "NO_HEADER"
    MISSING_COLUMN = "MISSING_COLUMN"
    TOO_MANY_ROWS = "TOO_MANY_ROWS"
    HUGE_CELL = "HUGE_CELL"
    QUOTES = "QUOTES"
    NO_ROWS = "NO_ROWS"


class UnreadableBankFileError(ValueError):
    """The file is no account statement; `problem` says what, `detail` where or which.

    `found` are the names of columns that the file has, where some that we need are not among them.
    """

    def __init__(
        self, problem: FileProblem, detail: str = "", *, found: tuple[str, ...] = ()
    ) -> None:
        super().__init__(f"{problem}: {detail}" if detail else str(problem))
        self.problem = problem
        self.detail = detail
        self.found = found


class Column(StrEnum):
    """What a column of a statement means to us."""

    DATE = "DATE"
    CREDIT = "CREDIT"
    DEBIT = "DEBIT"
    AMOUNT = "AMOUNT"
    DIRECTION = "DIRECTION"
    PAYER_NAME = "PAYER_NAME"
    PAYER_ACCOUNT = "PAYER_ACCOUNT"
    SERIAL = "SERIAL"
    REMARK = "REMARK"


# Names of headers by meaning; of several in one file the first named here counts, the others are
# kept as they are. Remarks are joined. Compared without spaces, brackets and case.
HEADER_NAMES: Final[Mapping[Column, tuple[str, ...]]] = {
    Column.DATE: (
        *("交易日期", "记账日期", "入账日期", "交易时间", "日期"),
        *("bookingdate", "transactiondate", "date"),
    ),
    Column.CREDIT: (
        *("收入金额", "贷方金额", "贷方发生额", "贷方", "收入", "转入金额", "存入金额"),
        *("credit", "creditamount", "amountin", "paidin"),
    ),
    Column.DEBIT: (
        *("支出金额", "借方金额", "借方发生额", "借方", "支出", "转出金额", "支取金额"),
        *("debit", "debitamount", "amountout", "paidout"),
    ),
    Column.AMOUNT: ("交易金额", "发生额", "金额", "amount"),
    Column.DIRECTION: ("借贷标志", "借贷方向", "借贷", "收支方向", "收/支", "收支", "direction"),
    Column.PAYER_NAME: (
        *("对方户名", "对方账户名称", "对方名称", "付款人名称", "付款方户名", "付款人户名"),
        *("payername", "payer", "counterparty"),
    ),
    Column.PAYER_ACCOUNT: (
        *("对方账号", "对方帐号", "付款人账号", "付款方账号", "对方账户", "对方卡号"),
        *("payeraccount", "counterpartyaccount"),
    ),
    Column.SERIAL: (
        *("流水号", "交易流水号", "银行流水号", "核心流水号", "交易流水", "银行交易流水号"),
        *("serialnumber", "serial", "bankreference", "reference", "transactionid"),
    ),
    Column.REMARK: (
        *("附言", "摘要", "用途", "备注", "交易附言"),
        *("postscript", "remark", "memo", "purpose", "summary"),
    ),
}
_TOTALS: Final = ("合计", "总计", "总额", "total")
_INCOMING: Final = frozenset({"贷", "贷方", "收", "收入", "c", "cr", "credit", "in"})
_OUTGOING: Final = frozenset({"借", "借方", "支", "支出", "d", "dr", "debit", "out"})


class Direction(StrEnum):
    """Which way the money of a line went."""

    IN = "IN"
    OUT = "OUT"
    NONE = "NONE"


class RowReason(StrEnum):
    """Why a line has its verdict."""

    # Which rule found the loan.
    BY_NUMBER = "BY_NUMBER"
    BY_ACCOUNT = "BY_ACCOUNT"
    # Why the money is not booked by itself.
    NO_MATCH = "NO_MATCH"
    SUGGESTED = "SUGGESTED"
    UNKNOWN_NUMBER = "UNKNOWN_NUMBER"
    SEVERAL_NUMBERS = "SEVERAL_NUMBERS"
    SEVERAL_LOANS = "SEVERAL_LOANS"
    LOAN_NOT_PAID_OUT = "LOAN_NOT_PAID_OUT"
    LOAN_CLOSED = "LOAN_CLOSED"
    MORE_THAN_OWED = "MORE_THAN_OWED"
    FUTURE_DATE = "FUTURE_DATE"
    REFERENCE_CONFLICT = "REFERENCE_CONFLICT"
    REVERSED_BEFORE = "REVERSED_BEFORE"
    REFUSED = "REFUSED"
    CHANGED = "CHANGED"
    # Why there is nothing to book any more.
    IMPORTED_BEFORE = "IMPORTED_BEFORE"
    WAITS_IN_QUEUE = "WAITS_IN_QUEUE"
    TWICE_IN_FILE = "TWICE_IN_FILE"
    BOOKED_BY_HAND = "BOOKED_BY_HAND"
    CAME_BY_RAIL = "CAME_BY_RAIL"
    # Why a line is shown only.
    OUTGOING = "OUTGOING"
    TOTALS = "TOTALS"
    # What cannot be read; the amount can.
    BAD_DATE = "BAD_DATE"
    NO_SERIAL = "NO_SERIAL"
    LONG_SERIAL = "LONG_SERIAL"
    # What cannot be read, and so neither can the amount.
    BAD_AMOUNT = "BAD_AMOUNT"
    NO_AMOUNT = "NO_AMOUNT"
    NEGATIVE_AMOUNT = "NEGATIVE_AMOUNT"
    TWO_AMOUNTS = "TWO_AMOUNTS"
    NO_DIRECTION = "NO_DIRECTION"
    TOO_MANY_CELLS = "TOO_MANY_CELLS"
    LINE_BREAK = "LINE_BREAK"
    TOTALS_DIFFER = "TOTALS_DIFFER"


UNREADABLE: Final = frozenset(
    {
        RowReason.BAD_AMOUNT,
        RowReason.NO_AMOUNT,
        RowReason.NEGATIVE_AMOUNT,
        RowReason.TWO_AMOUNTS,
        RowReason.NO_DIRECTION,
        RowReason.TOO_MANY_CELLS,
        RowReason.LINE_BREAK,
        RowReason.TOTALS_DIFFER,
    }
)
INVALID: Final = UNREADABLE | {RowReason.BAD_DATE, RowReason.NO_SERIAL, RowReason.LONG_SERIAL}


class _LineProblem(Exception):  # noqa: N818 - Control flow of this module.
    def __init__(self, reason: RowReason, column: str = "", value: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = f"{column}: {value}" if value else column


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementLine:
    """One line of a statement, as far as it could be read.

    Attributes:
        number: of the line in the file, from 1.
        cells: header → cell as it came; cells beyond the headers have a number for a name.
        amount: never negative; None when it cannot be read. Rounded: banks state cents.
        reason: what is wrong with the line, or why it is shown only; None when nothing is.
        detail: the column and its value behind `reason`.
        identity: the same for the same payment in any file: of serial number, date and amount, or
            of the whole line and its count when one of these is missing.
    """

    number: int
    cells: Mapping[str, str] = field(repr=False)
    booking_date: datetime.date | None
    direction: Direction
    amount: Money | None
    payer_name: str = field(repr=False)
    payer_account: str = field(repr=False)
    serial: str
    remark: str = field(repr=False)
    reason: RowReason | None
    detail: str
    identity: str

    @property
    def is_unreadable(self) -> bool:
        """Return whether not even the amount is known."""
        return self.reason in UNREADABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A statement: how the file was read, and its lines in their order."""

    encoding: str
    delimiter: str
    columns: Mapping[Column, tuple[str, ...]]
    lines: tuple[StatementLine, ...]

    @property
    def amount_in(self) -> Money:
        """Return the sum of what came in, by the lines."""
        return _sum(self.lines, Direction.IN)

    @property
    def amount_out(self) -> Money:
        """Return the sum of what went out, by the lines."""
        return _sum(self.lines, Direction.OUT)


def _sum(lines: Sequence[StatementLine], direction: Direction) -> Money:
    return total(each.amount for each in lines if each.amount and each.direction is direction)


# --- The file -----------------------------------------------------------------------------------

_BINARY = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF", b"\x1f\x8b", b"Rar!", b"7z\xbc\xaf")


def read_statement(content: bytes) -> Statement:
    """Return the statement that the file holds; each line with what is wrong with it.

    Raises UnreadableBankFileError when it is no statement: empty, too large, not text, without the
    columns that we need, with quotes that do not close, with cells or rows beyond the limits.
    """
    text, encoding = _decoded(content)
    delimiter = _delimiter(text)
    rows = _rows(text, delimiter)
    header, columns = _header(rows)
    filled = list(islice((row for row in rows if any(row[1])), ROWS_MOST + 1))
    if len(filled) > ROWS_MOST:
        raise UnreadableBankFileError(FileProblem.TOO_MANY_ROWS, f"{ROWS_MOST:,}")
    if not filled:
        raise UnreadableBankFileError(FileProblem.NO_ROWS)
    reader = _LineReader(header, columns, width=_width(header, [cells for _, cells in filled]))
    lines: list[StatementLine] = []
    for number, cells in filled:
        lines.append(reader.read(number, cells, lines))
    return Statement(
        encoding=encoding,
        delimiter=delimiter,
        columns={
            column: tuple(header[index] for index in found) for column, found in columns.items()
        },
        lines=tuple(lines),
    )


def _width(header: list[str], rows: list[list[str]]) -> int:
    """Return how many cells a row may have: some banks end every row, but one, with a comma.

    A single longer row is an amount such as 1,234.56 without quotes, which moves all behind it.
    """
    widths = [len(cells) for cells in rows if not _begins_totals(cells)]
    return max(len(header), min(widths, default=0))


def _begins_totals(cells: list[str]) -> bool:
    return _header_name(next((cell for cell in cells if cell), "")).startswith(_TOTALS)


def _decoded(content: bytes) -> tuple[str, str]:
    if not content.strip():
        raise UnreadableBankFileError(FileProblem.EMPTY)
    if len(content) > FILE_BYTES_MOST:
        raise UnreadableBankFileError(FileProblem.TOO_LARGE, f"{FILE_BYTES_MOST // 1024**2} MB")
    if content.startswith(_BINARY) or b"\x00" in content:
        raise UnreadableBankFileError(FileProblem.NOT_TEXT)
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if any(unicodedata.category(char) == "Cc" and char not in "\r\n\t" for char in set(text)):
            raise UnreadableBankFileError(FileProblem.NOT_TEXT)
        return text, "UTF-8" if encoding == "utf-8-sig" else "GB18030"
    raise UnreadableBankFileError(FileProblem.ENCODING)


def _delimiter(text: str) -> str:
    """Return what separates the cells: a tab where the header has one and no comma."""
    for line in text.splitlines()[: PREAMBLE_LINES_MOST + 1]:
        tabs, commas = line.count("\t"), line.count(",")
        names = {_header_name(cell) for cell in re.split(r"[,\t]", line)}
        if any(names & set(known) for known in HEADER_NAMES.values()):
            return "\t" if tabs > commas else ","
    return ","


def _rows(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and cells, refusing what no bank writes."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    before = 0
    try:
        for cells in reader:
            if any(len(cell) > CELL_LENGTH_MOST for cell in cells) or len(cells) > COLUMNS_MOST:
                raise UnreadableBankFileError(FileProblem.HUGE_CELL, str(before + 1))
            yield before + 1, [_clean(cell) for cell in cells]
            before = reader.line_num
    except csv.Error as error:
        raise UnreadableBankFileError(FileProblem.QUOTES, str(before + 1)) from error


def _clean(cell: str) -> str:
    """Return the cell without the wrapping by which banks keep digits from spreadsheets."""
    cell = cell.strip()
    wrapped = re.fullmatch(r'="?([^"]*)"?', cell)
    if wrapped and re.fullmatch(r'="[^"]*"', cell):
        cell = wrapped.group(1)
    return cell.removeprefix("'").strip()


def _header_name(cell: str) -> str:
    name = unicodedata.normalize("NFKC", cell)
    name = re.sub(r"\((?:元|人民币|cny|rmb|人民币元)\)", "", name, flags=re.IGNORECASE)
    return re.sub(r"[\s_\"'*()-]", "", name).casefold()


def _header(
    rows: Iterator[tuple[int, list[str]]],
) -> tuple[list[str], dict[Column, tuple[int, ...]]]:
    """Return the header's cells and where each column stands; skip what banks write above it."""
    nearest: tuple[int, list[str]] = (0, [])
    for number, cells in rows:
        columns = _columns([_header_name(cell) for cell in cells])
        if len(columns) >= 3:  # noqa: PLR2004 - Fewer is a line of the preamble.
            _check_columns(columns, cells)
            return cells, columns
        if any(cells) and (not nearest[1] or len(columns) > nearest[0]):
            nearest = len(columns), cells
        if number > PREAMBLE_LINES_MOST:
            break
    raise UnreadableBankFileError(FileProblem.NO_HEADER, found=_filled(nearest[1]))


def _filled(cells: list[str]) -> tuple[str, ...]:
    return tuple(cell for cell in cells if cell)


def _columns(names: list[str]) -> dict[Column, tuple[int, ...]]:
    found: dict[Column, tuple[int, ...]] = {}
    for column, known in HEADER_NAMES.items():
        places = [names.index(name) for name in known if name in names]
        if places:
            found[column] = tuple(places) if column is Column.REMARK else (places[0],)
    return found


def _check_columns(columns: Mapping[Column, object], cells: list[str]) -> None:
    missing = [each for each in (Column.DATE, Column.SERIAL) if each not in columns]
    if Column.CREDIT not in columns and not {Column.AMOUNT, Column.DIRECTION} <= columns.keys():
        missing.append(Column.CREDIT)
    if missing:
        names = ", ".join(HEADER_NAMES[column][0] for column in missing)
        raise UnreadableBankFileError(FileProblem.MISSING_COLUMN, names, found=_filled(cells))


# --- The lines ----------------------------------------------------------------------------------


class _LineReader:
    """Reads line after line; knows how often the very same line came before."""

    def __init__(
        self, header: list[str], columns: dict[Column, tuple[int, ...]], *, width: int
    ) -> None:
        self._header = header
        self._width = width
        self._columns = columns
        self._same: Counter[str] = Counter()

    def read(self, number: int, cells: list[str], before: Sequence[StatementLine]) -> StatementLine:
        """Return the line; `before` are those above it, which a line of totals has to re-add."""
        if self._is_totals(cells):
            return self._totals(number, cells, before)
        date, direction, amount = None, Direction.NONE, None
        problem: _LineProblem | None = None
        try:
            self._check_shape(cells)
            direction, amount = self._amount(cells)
        except _LineProblem as found:
            problem = found
        if problem is None:
            try:
                date = self._date(cells)
                _check_serial(self._cell(cells, Column.SERIAL))
            except _LineProblem as found:
                problem = found
        return self._line(number, cells, date, direction, amount, problem)

    def _line(  # noqa: PLR0917 - The parts of one line.
        self,
        number: int,
        cells: list[str],
        date: datetime.date | None,
        direction: Direction,
        amount: Money | None,
        problem: _LineProblem | None,
    ) -> StatementLine:
        serial = self._cell(cells, Column.SERIAL)
        is_out = direction is Direction.OUT
        reason = RowReason.OUTGOING if is_out else problem.reason if problem else None
        named = reason is None and date is not None
        facts = [serial, str(date), str(amount)] if named else self._whole(cells)
        return StatementLine(
            number=number,
            cells=self._named(cells),
            booking_date=date,
            direction=direction,
            amount=amount,
            payer_name=_text(self._cell(cells, Column.PAYER_NAME)),
            payer_account=account_text(self._cell(cells, Column.PAYER_ACCOUNT)),
            serial=serial[:SERIAL_LENGTH_MOST],
            remark=_text(self._cell(cells, Column.REMARK)),
            reason=reason,
            detail="" if problem is None or is_out else problem.detail,
            identity=hashlib.sha256(json.dumps(facts).encode()).hexdigest(),
        )

    def _whole(self, cells: list[str]) -> list[str]:
        text = json.dumps([cell for cell in cells if cell])
        self._same[text] += 1
        return [text, str(self._same[text])]

    def _named(self, cells: list[str]) -> dict[str, str]:
        names = [*self._header, *map(str, range(len(self._header) + 1, len(cells) + 1))]
        return {
            name or str(place): cell
            for place, (name, cell) in enumerate(zip(names, cells, strict=False), start=1)
            if cell
        }

    def _cell(self, cells: list[str], column: Column) -> str:
        places = self._columns.get(column, ())
        found = [cells[place] for place in places if place < len(cells) and cells[place]]
        return " ".join(dict.fromkeys(found))

    def _name(self, column: Column) -> str:
        return self._header[self._columns[column][0]]

    def _check_shape(self, cells: list[str]) -> None:
        if any("\n" in cell or "\r" in cell for cell in cells):
            raise _LineProblem(RowReason.LINE_BREAK)
        if len(cells) > self._width or any(cells[len(self._header) :]):
            raise _LineProblem(RowReason.TOO_MANY_CELLS, f"{len(cells)} > {len(self._header)}")

    def _date(self, cells: list[str]) -> datetime.date:
        text = self._cell(cells, Column.DATE)
        date = read_date(text)
        if date is None:
            raise _LineProblem(RowReason.BAD_DATE, self._name(Column.DATE), text)
        return date

    def _amount(self, cells: list[str]) -> tuple[Direction, Money]:
        if Column.CREDIT not in self._columns:
            return self._directed(cells)
        came = self._read(cells, Column.CREDIT)
        went = self._read(cells, Column.DEBIT) if Column.DEBIT in self._columns else Money.zero()
        if came and went:
            raise _LineProblem(RowReason.TWO_AMOUNTS)
        if not came and not went:
            raise _LineProblem(RowReason.NO_AMOUNT)
        return (Direction.IN, came) if came else (Direction.OUT, went)

    def _directed(self, cells: list[str]) -> tuple[Direction, Money]:
        amount = self._read(cells, Column.AMOUNT)
        text = self._cell(cells, Column.DIRECTION)
        word = unicodedata.normalize("NFKC", text).casefold()
        if word not in _INCOMING | _OUTGOING:
            raise _LineProblem(RowReason.NO_DIRECTION, self._name(Column.DIRECTION), text)
        if not amount:
            raise _LineProblem(RowReason.NO_AMOUNT)
        return (Direction.IN if word in _INCOMING else Direction.OUT), amount

    def _read(self, cells: list[str], column: Column) -> Money:
        text = self._cell(cells, column)
        if not text:
            return Money.zero()
        try:
            amount = read_amount(text)
        except InvalidAmountError:
            raise _LineProblem(RowReason.BAD_AMOUNT, self._name(column), text) from None
        if amount < Money.zero():
            raise _LineProblem(RowReason.NEGATIVE_AMOUNT, self._name(column), text)
        return amount

    def _is_totals(self, cells: list[str]) -> bool:
        return _begins_totals(cells) and not self._cell(cells, Column.SERIAL)

    def _totals(
        self, number: int, cells: list[str], before: Sequence[StatementLine]
    ) -> StatementLine:
        problem = _LineProblem(RowReason.TOTALS)
        for column, direction in ((Column.CREDIT, Direction.IN), (Column.DEBIT, Direction.OUT)):
            text = self._cell(cells, column) if column in self._columns else ""
            ours = _sum(before, direction)
            try:
                stated = read_amount(text) if text else ours
            except InvalidAmountError:
                continue
            if stated != ours:
                problem = _LineProblem(
                    RowReason.TOTALS_DIFFER, self._name(column), f"{stated} ≠ {ours}"
                )
        return self._line(number, cells, None, Direction.NONE, None, problem)


def _check_serial(serial: str) -> None:
    if not serial:
        raise _LineProblem(RowReason.NO_SERIAL)
    if len(serial) > SERIAL_LENGTH_MOST:
        raise _LineProblem(RowReason.LONG_SERIAL)


def _text(cell: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", cell).split())


def account_text(cell: str) -> str:
    """Return the account number of a cell without spaces and dashes, at most 40 signs."""
    return re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", cell))[:40]


_AMOUNT = re.compile(r"[+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]{1,2})?")


def read_amount(text: str) -> Money:
    """Return the amount that a bank wrote: "1,234.56", "¥1234.5", full-width digits, a sign.

    Raises InvalidAmountError for everything else, and for more than ten thousand million.

    >>> read_amount("￥１，２３４．５６")
    Money('1234.56')
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    plain = re.sub(r"^([+-]?)(?:¥|CNY|RMB)\s*|\s*元$", r"\1", plain, flags=re.IGNORECASE)
    if not _AMOUNT.fullmatch(plain):
        raise InvalidAmountError(f"{text!r} is not an amount of money.")
    amount = Money.parse(plain.replace(",", ""))
    if abs(amount.cents) > _AMOUNT_MOST.cents:
        raise InvalidAmountError(f"{text!r} is too large.")
    return amount


_DATE = re.compile(
    r"(20[0-9]{2})(?:([-/.])([0-9]{1,2})\2([0-9]{1,2})|年([0-9]{1,2})月([0-9]{1,2})日|([0-9]{2})([0-9]{2}))"
    r"(?:[ T]*[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?)?"
)


def read_date(text: str) -> datetime.date | None:
    """Return the day that "2026-05-03", "20260503", "2026/5/3" or "2026年5月3日" states, or None.

    A time behind it is left off.
    """
    found = _DATE.fullmatch(unicodedata.normalize("NFKC", text).strip())
    if found is None:
        return None
    year, _, *parts = found.groups()
    month, day = (int(part) for part in parts if part is not None)
    try:
        return datetime.date(int(year), month, day)
    except ValueError:
        return None


# --- To which loan a line belongs ---------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownLoan:
    """A loan that a line may belong to, by its projection."""

    key: int
    number: str
    status: LoanStatus
    borrower_name: str = field(repr=False)
    dues: tuple[Money, ...] = ()

    @property
    def owes(self) -> bool:
        """Return whether something is still owed, written off or not."""
        return self.status in (LoanStatus.ACTIVE, LoanStatus.OVERDUE, LoanStatus.CHARGED_OFF)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """The loans that have to do with one line.

    Attributes:
        by_number: whose contract number stands in the remark.
        unknown_numbers: what looks like a contract number and is none.
        by_account: whose borrower has the payer's account on file.
        by_name: whose borrower has the payer's name.
    """

    by_number: tuple[KnownLoan, ...] = ()
    unknown_numbers: tuple[str, ...] = ()
    by_account: tuple[KnownLoan, ...] = ()
    by_name: tuple[KnownLoan, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What the rules say: the loan to book on (None: a person decides), and which rule spoke."""

    loan: KnownLoan | None
    reason: RowReason
    detail: str = ""


class SuggestionReason(StrEnum):
    """Why a loan is suggested to a person."""

    NUMBER = "NUMBER"
    ACCOUNT = "ACCOUNT"
    NAME_AND_AMOUNT = "NAME_AND_AMOUNT"
    NAME = "NAME"


_NUMBER = re.compile(r"(?<![0-9A-Z])ZX-?[0-9A-Z]+(?:-[0-9A-Z]+)*")
_LONG_NUMBER = re.compile(r"ZX-?([0-9]{8})-?([0-9A-F]{10})")


def contract_numbers(remark: str) -> tuple[str, ...]:
    """Return what looks like our contract numbers, each once: any case, width and kind of dash.

    >>> contract_numbers("还款 zx20260616ab12cd34ef 李小华")
    ('ZX20260616-AB12CD34EF',)
    """
    text = unicodedata.normalize("NFKC", remark).upper()
    text = re.sub(r"\s*[\u2010-\u2015\u2212_]\s*", "-", text)
    found = []
    for token in _NUMBER.findall(text):
        long = _LONG_NUMBER.fullmatch(token)
        found.append(f"ZX{long.group(1)}-{long.group(2)}" if long else token)
    return tuple(dict.fromkeys(found))


def match(line: StatementLine, found: Candidates) -> Match:
    """Return to which loan the money is booked by itself, or why a person has to say.

    A contract number in the remark decides; without one the payer's account does when its owner
    has exactly one loan on which something is owed. Name and amount only suggest. Whether the money
    is more than is owed says the fold: `may_exceed`.
    """
    if found.unknown_numbers:
        return Match(
            loan=None, reason=RowReason.UNKNOWN_NUMBER, detail=", ".join(found.unknown_numbers)
        )
    if len(found.by_number) > 1:
        numbers = ", ".join(each.number for each in found.by_number)
        return Match(loan=None, reason=RowReason.SEVERAL_NUMBERS, detail=numbers)
    if found.by_number:
        return _named(line, found.by_number[0])
    return _unnamed(line, found)


def may_exceed(reason: RowReason) -> bool:
    """Return whether money beyond all that is owed is booked as credit of the matched loan.

    Who names the contract means it. An account alone only says who paid: money that does not fit
    the one loan may be meant for something else, so a person decides.
    """
    return reason is RowReason.BY_NUMBER


def _unnamed(line: StatementLine, found: Candidates) -> Match:
    """Return what account, name and amount say of a line without a contract number."""
    owing = [each for each in found.by_account if each.owes]
    if len(owing) == 1:
        return Match(loan=owing[0], reason=RowReason.BY_ACCOUNT, detail=owing[0].number)
    if owing:
        numbers = ", ".join(each.number for each in owing)
        return Match(loan=None, reason=RowReason.SEVERAL_LOANS, detail=numbers)
    fitting = [each for each in found.by_name if line.amount in each.dues]
    if len(fitting) == 1:
        return Match(loan=None, reason=RowReason.SUGGESTED, detail=fitting[0].number)
    return Match(loan=None, reason=RowReason.NO_MATCH)


def _named(line: StatementLine, loan: KnownLoan) -> Match:
    """Return the loan that the payer named, unless its state needs a person.

    Money for a closed loan becomes credit, which goes back to the borrower by itself: so only when
    the borrower paid it.
    """
    if loan.status == LoanStatus.PENDING:
        return Match(loan=None, reason=RowReason.LOAN_NOT_PAID_OUT, detail=loan.number)
    if not loan.owes and line.payer_name != loan.borrower_name:
        return Match(loan=None, reason=RowReason.LOAN_CLOSED, detail=loan.number)
    return Match(loan=loan, reason=RowReason.BY_NUMBER, detail=loan.number)


def suggestions(
    line_amount: Money | None, found: Candidates
) -> tuple[tuple[KnownLoan, SuggestionReason], ...]:
    """Return the loans worth a look, the strongest reason first, each once."""
    ranked = [
        *((each, SuggestionReason.NUMBER) for each in found.by_number),
        *((each, SuggestionReason.ACCOUNT) for each in found.by_account),
        *(
            (each, SuggestionReason.NAME_AND_AMOUNT)
            for each in found.by_name
            if line_amount in each.dues
        ),
        *((each, SuggestionReason.NAME) for each in found.by_name),
    ]
    first: dict[int, tuple[KnownLoan, SuggestionReason]] = {}
    for loan, why in ranked:
        first.setdefault(loan.key, (loan, why))
    return tuple(first.values())
