"""A document as PDF, with its font embedded: any reader shows it, and its text can be copied.

The font has every character of the General Standard Chinese Characters table and more. What it
lacks is written as its code point, such as 〔U+2B740〕, never as an empty box. Why this library and
this font: docs/adr/0011.
"""

from __future__ import annotations

import gzip
import io
import re
import threading
import unicodedata
from functools import cache
from typing import Any, Final
from xml.sax.saxutils import escape

from django.conf import settings
from django.utils.translation import gettext as _
from reportlab.lib.colors import Color, HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    CondPageBreak,
    Flowable,
    Paragraph,
    SimpleDocTemplate,
    Spacer,
)
from reportlab.platypus import Table as Grid

from loans.selectors.documents.form import (
    Block,
    Document,
    Fact,
    Facts,
    Section,
    Table,
    TableRow,
    Text,
)
from loans.selectors.explanations import WhyLine
from zhixin.shared.templatetags.zhixin import money

REGULAR, BOLD = "NotoSansSC", "NotoSansSC-Bold"
_FILES: Final = {REGULAR: "NotoSansSC-Regular.ttf.gz", BOLD: "NotoSansSC-Bold.ttf.gz"}
# A font object must not serve two documents at the same time.
_RENDERING = threading.Lock()

_MARGIN = 18 * mm
_WIDTH = A4[0] - 2 * _MARGIN
_FRAME_PADDING = 6
# Sizes of type are whole tenths of a point.
_TENTHS = 10
_HAIRLINE = 4 / 10
_FAINTLY = 16 / 100
_INDENT = 9
# A longer value, such as a hash, is set smaller so that it stays on one line.
_LONG = 48
_GREEN = HexColor("#0e6459")
_INK = HexColor("#1d2320")
_SOFT = HexColor("#5d665f")
_LINE = HexColor("#cfd6d2")
_FAINT = HexColor("#f1f5f3")
_RED = HexColor("#9a3324")
_CHINESE = re.compile(r"[\u2e80-\u9fff\uff00-\uffef\U00020000-\U0003ffff]")
_DATE = re.compile(r"\d+年\d+月\d+日")
_BEYOND_BMP = re.compile(r"<([0-9A-F]{2})> <([0-9A-F]{5,6})>")
_INVISIBLE = frozenset({"Cf", "Cc", "Mn"})


class _EmbeddedFont(TTFont):
    """A font whose characters beyond the first plane can be copied out of the document too.

    reportlab writes U+20164 as <20164> into the table that readers copy by; the format wants the
    two halves in UTF-16 (ISO 32000-1, 9.10.3).
    """

    def addObjects(self, doc: Any) -> None:  # noqa: ANN401, N802 - the library's name.
        """Add the font to the document and mend its table."""
        super().addObjects(doc)
        for name, stream in doc.idToObject.items():
            if name.startswith("toUnicodeCMap:"):
                stream.content = _BEYOND_BMP.sub(_in_utf16, stream.content)


def _in_utf16(match: re.Match[str]) -> str:
    halves = chr(int(match[2], 16)).encode("utf-16-be").hex().upper()
    return f"<{match[1]}> <{halves}>"


@cache
def load_font(name: str) -> frozenset[int]:
    """Make the font known, once a process; return the code points that it can show."""
    path = settings.BASE_DIR / "static" / "fonts" / _FILES[name]
    data = io.BytesIO(gzip.decompress(path.read_bytes()))
    font = _EmbeddedFont(name, data, shapable=False)
    pdfmetrics.registerFont(font)
    return frozenset(font.face.charToGlyph)


def printable(text: str) -> str:
    """Return `text` as the font can show it: what it lacks as its code point.

    Characters without a shape of their own (joiners, variation selectors) are left out.
    """
    known = load_font(REGULAR)
    return "".join(
        char if ord(char) in known else _stand_in(char)
        for char in unicodedata.normalize("NFC", text)
    )


def _stand_in(char: str) -> str:
    if char in "\n\t":
        return " "
    return "" if unicodedata.category(char) in _INVISIBLE else f"〔U+{ord(char):04X}〕"


def _face_for(text: str, *, bold: bool) -> str:
    """Return the bold face when it is asked for and has every character of `text`."""
    return BOLD if bold and all(ord(char) in load_font(BOLD) for char in text) else REGULAR


def _paragraph(
    text: str,
    *,
    size: int = 85,
    bold: bool = False,
    color: Color = _INK,
    right: bool = False,
    after: int = 0,
    bullet: str | None = None,
) -> Paragraph:
    text = printable(text)
    style = ParagraphStyle(
        "text",
        fontName=_face_for(text, bold=bold),
        fontSize=size / _TENTHS,
        leading=size * 3 / (2 * _TENTHS),
        textColor=color,
        spaceAfter=after,
        leftIndent=_INDENT if bullet else 0,
        bulletFontName=REGULAR,
        wordWrap="CJK" if _breaks_anywhere(text) else None,
    )
    if right:
        style.alignment = TA_RIGHT
    return Paragraph(escape(text), style, bulletText=bullet)


def _breaks_anywhere(text: str) -> bool:
    """Return whether lines may end between any two characters, as in Chinese.

    Figures and English words stay whole, and so does a date that stands alone.
    """
    return len(_CHINESE.findall(text)) * 3 > len(text) and not _DATE.fullmatch(text)


def render_pdf(document: Document) -> bytes:
    """Return the document as PDF bytes; the same document gives the same bytes."""
    with _RENDERING:
        load_font(REGULAR)
        load_font(BOLD)
        out = io.BytesIO()
        template = SimpleDocTemplate(
            out,
            pagesize=A4,
            # The frame of the text has a padding of its own.
            leftMargin=_MARGIN - _FRAME_PADDING,
            rightMargin=_MARGIN - _FRAME_PADDING,
            topMargin=23 * mm,
            bottomMargin=22 * mm,
            title=printable(f"{document.title} {document.contract}"),
            author=printable(document.lender),
            subject=printable(document.lead),
            creator="Zhixin",
            lang="zh-Hans" if document.language.startswith("zh") else "en",
            invariant=1,
        )

        def make_canvas(*args: Any, **options: Any) -> _Pages:  # noqa: ANN401 - the library's own.
            return _Pages(*args, document=document, **options)

        template.build(list(_story(document)), canvasmaker=make_canvas)
        return out.getvalue()


class _Pages(Canvas):
    """Writes head and foot of each page when the number of pages is known."""

    def __init__(self, *args: Any, document: Document, **options: Any) -> None:  # noqa: ANN401 - ReportLab's signature.
        super().__init__(*args, **options)
        self._document = document
        self._kept: list[dict[str, Any]] = []

    def showPage(self) -> None:  # noqa: N802 - the library's name.
        """Keep the page."""
        self._kept.append(dict(self.__dict__))
        self._startPage()  # type: ignore[attr-defined]  # Not in the stubs.

    def save(self) -> None:
        """Write all pages with head and foot."""
        for state in self._kept:
            self.__dict__.update(state)
            self._write_head()
            self._write_foot()
            super().showPage()
        super().save()

    def _write_head(self) -> None:
        top = A4[1] - 15 * mm
        self.setFillColor(_GREEN)
        self.setFont(BOLD, 15)
        self.drawString(_MARGIN, top, "智信")
        self.setFont(REGULAR, 10)
        self.drawString(_MARGIN + 33, top, "Zhixin")
        self.setFillColor(_SOFT)
        self.setFont(REGULAR, 8)
        self.drawRightString(A4[0] - _MARGIN, top, printable(self._document.lender))
        self.setStrokeColor(_GREEN)
        self.setLineWidth(1)
        self.line(_MARGIN, top - 6, A4[0] - _MARGIN, top - 6)
        if self._document.is_void:
            self._write_void()

    def _write_void(self) -> None:
        self.saveState()
        self.translate(A4[0] / 2, A4[1] / 2)
        self.rotate(35)
        self.setFillColor(_RED, alpha=_FAINTLY)
        self.setFont(BOLD, 90)
        self.drawCentredString(0, -30, printable(_("VOID")))
        self.restoreState()

    def _write_foot(self) -> None:
        bottom = 12 * mm
        self.setStrokeColor(_LINE)
        self.setLineWidth(_HAIRLINE)
        self.line(_MARGIN, bottom + 11, A4[0] - _MARGIN, bottom + 11)
        self.setFillColor(_SOFT)
        self.setFont(REGULAR, 75 / _TENTHS)
        contract = _("Contract %(number)s") % {"number": self._document.contract}
        self.drawString(_MARGIN, bottom, printable(contract))
        self.drawCentredString(A4[0] / 2, bottom, printable(self._document.dated))
        page = _("Page %(page)d of %(pages)d") % {
            "page": self.getPageNumber(),
            "pages": len(self._kept),
        }
        self.drawRightString(A4[0] - _MARGIN, bottom, printable(page))


def _story(document: Document) -> list[Flowable]:
    story: list[Flowable] = [_paragraph(document.title, size=190, bold=True)]
    if document.lead:
        story.append(_paragraph(document.lead, size=95, color=_SOFT, after=2))
    for section in document.sections:
        story += _section(section)
    return story


def _section(section: Section) -> list[Flowable]:
    flowables: list[Flowable] = [Spacer(1, 9)]
    if section.title:
        flowables += [
            CondPageBreak(30 * mm),
            _paragraph(section.title, size=115, bold=True, color=_GREEN, after=3),
        ]
    for block in section.blocks:
        flowables += _block(block)
    return flowables


def _block(block: Block) -> list[Flowable]:
    if isinstance(block, Facts):
        return [Spacer(1, 3), _facts(block), Spacer(1, 5)]
    if isinstance(block, Table):
        return [_table(block), Spacer(1, 5)]
    return _text(block)


def _text(text: Text) -> list[Flowable]:
    size = 75 if text.is_small else 95
    color = _SOFT if text.is_small else _INK
    before: list[Flowable] = [Spacer(1, 16)] if text.is_signature else []
    return before + [
        _paragraph(
            paragraph,
            size=size,
            bold=text.is_strong,
            color=color,
            right=text.is_signature,
            after=3,
            bullet="•" if text.is_list else None,
        )
        for paragraph in text.paragraphs
    ]


def _facts(facts: Facts) -> Grid:
    """Return labels on the left and values on the right, with a line below each."""
    rows = [[_paragraph(fact.label, size=90, color=_SOFT), _value(fact)] for fact in facts.rows]
    style: list[tuple[Any, ...]] = [
        *_TIGHT,
        ("LINEBELOW", (0, 0), (-1, -1), _HAIRLINE, _LINE),
        ("LINEABOVE", (0, 0), (-1, 0), _HAIRLINE, _LINE),
    ]
    style += [
        ("BACKGROUND", (0, index), (-1, index), _FAINT)
        for index, fact in enumerate(facts.rows)
        if fact.is_total
    ]
    return Grid(rows, colWidths=[_WIDTH * 36 / 100, _WIDTH * 64 / 100], style=style)


def _value(fact: Fact) -> list[Flowable]:
    size = 75 if len(fact.value) > _LONG else 95
    parts: list[Flowable] = [_paragraph(fact.value, size=size, bold=fact.is_total)]
    if fact.note:
        parts.append(_paragraph(fact.note, size=75, color=_SOFT))
    return [*parts, *_why(fact.why)]


_TIGHT: Final[list[tuple[Any, ...]]] = [
    ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ("TOPPADDING", (0, 0), (-1, -1), 3),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 4),
    ("LEFTPADDING", (0, 0), (-1, -1), 4),
    ("RIGHTPADDING", (0, 0), (-1, -1), 4),
]


def _table(table: Table) -> Grid:
    size = 80 if len(table.columns) <= 8 else 72  # noqa: PLR2004 - columns that fit at full size.
    head = [
        _paragraph(column.label, size=size, bold=True, color=_GREEN, right=column.is_number)
        for column in table.columns
    ]
    whole = sum(column.share for column in table.columns)
    style: list[tuple[Any, ...]] = [
        *_TIGHT,
        ("BACKGROUND", (0, 0), (-1, 0), _FAINT),
        ("LINEBELOW", (0, 0), (-1, 0), 1, _GREEN),
    ]
    rows: list[list[Any]] = [head]
    for row in table.rows:
        if row.is_sum:
            style.append(("BACKGROUND", (0, len(rows)), (-1, len(rows)), _FAINT))
        rows.append(_cells(table, row, size))
        if row.why:
            style += [
                ("SPAN", (table.text_column, len(rows)), (-1, len(rows))),
                ("NOSPLIT", (0, len(rows) - 1), (-1, len(rows))),
                ("TOPPADDING", (0, len(rows)), (-1, len(rows)), 0),
            ]
            rows.append(_why_row(table, row))
        style.append(("LINEBELOW", (0, len(rows) - 1), (-1, len(rows) - 1), _HAIRLINE, _LINE))
    widths = [_WIDTH * column.share / whole for column in table.columns]
    return Grid(rows, colWidths=widths, style=style, repeatRows=1)


def _cells(table: Table, row: TableRow, size: int) -> list[Any]:
    cells: list[Any] = []
    for index, (column, text) in enumerate(zip(table.columns, row.cells, strict=True)):
        cell = [_paragraph(text, size=size, bold=row.is_sum, right=column.is_number)]
        if index == table.text_column and row.note:
            cell.append(_paragraph(row.note, size=70, color=_SOFT))
        cells.append(cell)
    return cells


def _why_row(table: Table, row: TableRow) -> list[Any]:
    cells: list[Any] = [""] * len(table.columns)
    cells[table.text_column] = _why(row.why)
    return cells


def _why(lines: tuple[WhyLine, ...]) -> list[Flowable]:
    texts = [
        text
        for line in lines
        for text in (why_text(line), *(f"· {why_text(part)}" for part in line.parts))
    ]
    return [_paragraph(text, size=68, color=_SOFT) for text in texts]


def why_text(line: WhyLine) -> str:
    """Return a line behind a number as one printed line."""
    amount = "" if line.amount is None else money(line.amount)
    worked = " = ".join(part for part in (line.formula, amount) if part)
    detail = _(", ").join(part for part in (line.period, line.event) if part)
    text = line.label
    if worked:
        text = _("%(label)s: %(worked)s") % {"label": line.label, "worked": worked}
    return _("%(text)s (%(detail)s)") % {"text": text, "detail": detail} if detail else text
