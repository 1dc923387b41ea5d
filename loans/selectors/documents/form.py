"""What a document consists of: facts, tables and texts, already in the reader's words.

One form for the page and the PDF, so that both say the same. Amounts and dates are texts here; the
modules beside this one write them by the filters that the pages use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from loans.selectors.explanations import WhyLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A label and its value, with a note and the lines behind a number."""

    label: str
    value: str
    note: str = ""
    is_total: bool = False
    why: tuple[WhyLine, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A list of facts."""

    rows: tuple[Fact, ...]
    kind: ClassVar[str] = "facts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table. `share` is its part of the width of a printed page."""

    label: str
    share: int
    is_number: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """A row: one text a column. `note` and `why` stand below its text in `Table.text_column`.

    `kind` is "" or "subtotal", "total" (a sum), "balance" (opening, closing), "late", "now".
    """

    cells: tuple[str, ...]
    kind: str = ""
    note: str = ""
    why: tuple[WhyLine, ...] = ()

    @property
    def is_sum(self) -> bool:
        """Return whether the row sums others up."""
        return self.kind in ("subtotal", "total", "balance")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table. `text_column` is where notes and explanations stand."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[TableRow, ...]
    text_column: int = 1
    kind: ClassVar[str] = "table"

    @property
    def shown(self) -> tuple[ShownRow, ...]:
        """Return the rows with their cells and columns, as a template wants them."""
        return tuple(
            ShownRow(
                row=row,
                cells=tuple(
                    Cell(column=column, text=text, has_text=index == self.text_column)
                    for index, (column, text) in enumerate(
                        zip(self.columns, row.cells, strict=True)
                    )
                ),
            )
            for row in self.rows
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A cell with its column; `has_text` where the notes of its row stand."""

    column: Column
    text: str
    has_text: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownRow:
    """A row with its cells."""

    row: TableRow
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Paragraphs; a list, emphasized, small, or the signature on the right when so marked."""

    paragraphs: tuple[str, ...]
    is_list: bool = False
    is_strong: bool = False
    is_small: bool = False
    is_signature: bool = False
    kind: ClassVar[str] = "text"


Block = Facts | Table | Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of a document; without a title it goes on from the part before."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document about one loan.

    Attributes:
        title: what it is: 还款计划表, 对账单, 结清证明, …
        lead: one sentence below the title.
        contract: the number of the contract.
        lender: who issues it.
        dated: the date of issue, in words.
        language: "zh-hans" or "en".
        file_name: of the PDF, without a suffix; may be Chinese.
        is_void: a certificate that holds no more.
    """

    title: str
    lead: str
    contract: str
    lender: str
    dated: str
    language: str
    file_name: str
    sections: tuple[Section, ...]
    is_void: bool = False
