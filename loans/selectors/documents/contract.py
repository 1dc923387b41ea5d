"""The signed agreement and its cost sheet, rendered; what was signed stays the stored bytes."""

from __future__ import annotations

from html.parser import HTMLParser

from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from loans.models import Agreement
from loans.selectors.agreements import Charge, SheetFigures, sheet_figures
from loans.selectors.documents.form import (
    Block,
    Column,
    Document,
    Fact,
    Facts,
    Section,
    Table,
    TableRow,
    Text,
)
from loans.selectors.documents.letter import borrower_name, letter, parties
from zhixin.shared.money import Money, total
from zhixin.shared.templatetags.zhixin import long_instant, money, percent, plain_date


def agreement_document(agreement: Agreement) -> Document:
    """Return a rendering of the signed bytes that names their hash, in the agreement's language."""
    with translation.override(agreement.language):
        sections = _sections_of(bytes(agreement.content).decode())
        return letter(
            agreement.loan,
            title=_("Loan agreement"),
            lead=_("Signed on %(when)s.") % {"when": long_instant(agreement.signed_at)},
            dated=agreement.signed_at.date(),
            sections=(*sections, Section(title=_("Signature"), blocks=_signature(agreement))),
        )


def _signature(agreement: Agreement) -> tuple[Block, ...]:
    facts = (
        Fact(label=_("Signed by"), value=borrower_name(agreement.loan)),
        Fact(label=_("Signed at"), value=long_instant(agreement.signed_at)),
        Fact(label=_("Fingerprint of the signed bytes (SHA-256)"), value=agreement.sha256),
    )
    note = _(
        "This PDF is a rendering to read and print. What was signed is the file with this "
        "fingerprint; you can download it with your loan."
    )
    return Facts(rows=facts), Text(paragraphs=(note,), is_small=True)


def _sections_of(html: str) -> tuple[Section, ...]:
    reader = _ArticleReader()
    reader.feed(html)
    reader.close()
    return reader.sections()


class _ArticleReader(HTMLParser):
    """Reads headings, paragraphs, lists and tables of our own agreement template."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._sections: list[tuple[str, list[Block]]] = [("", [])]
        self._text: list[str] = []
        self._marked = False
        self._skipped = 0
        self._table: list[tuple[str, list[str], list[bool]]] | None = None
        self._part = ""

    def sections(self) -> tuple[Section, ...]:
        """Return what was read."""
        return tuple(
            Section(title=title, blocks=tuple(blocks)) for title, blocks in self._sections if blocks
        )

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin an element."""
        if tag in ("style", "title", "head", "caption"):
            self._skipped += tag != "head"
        elif tag == "table":
            self._table = []
        elif tag in ("thead", "tbody", "tfoot"):
            self._part = tag
        elif tag == "tr" and self._table is not None:
            self._table.append((self._part, [], []))
        elif tag in ("td", "th") and self._table:
            self._begin_cell(dict(attrs))
        elif tag in ("p", "li", "h2", "h3"):
            self._text, self._marked = [], False
        elif tag == "mark":
            self._marked = True

    def _begin_cell(self, attrs: dict[str, str | None]) -> None:
        self._text = []
        is_number = "number" in (attrs.get("class") or "").split()
        if self._table:
            span = int(attrs.get("colspan") or 1)
            self._table[-1][1].extend([""] * (span - 1))
            self._table[-1][2].extend([is_number] * span)

    def handle_endtag(self, tag: str) -> None:
        """Finish an element."""
        if tag in ("style", "title", "caption"):
            self._skipped -= 1
        elif tag in ("h2", "h3"):
            # The first heading is the document's title, which the letter has already.
            if tag == "h3":
                self._sections.append((self._taken(), []))
            self._text = []
        elif tag in ("p", "li"):
            self._end_paragraph(tag)
        elif tag in ("td", "th") and self._table:
            self._table[-1][1].append(self._taken())
        elif tag == "table":
            self._end_table()

    def handle_data(self, data: str) -> None:
        """Take text."""
        if not self._skipped:
            self._text.append(data)

    def _taken(self) -> str:
        text = " ".join("".join(self._text).split())
        self._text = []
        return text

    def _end_paragraph(self, tag: str) -> None:
        text = self._taken()
        if text:
            block = Text(paragraphs=(text,), is_list=tag == "li", is_strong=self._marked)
            self._sections[-1][1].append(block)

    def _end_table(self) -> None:
        rows, self._table = self._table or [], None
        heads = [row for row in rows if row[0] == "thead"]
        if not heads:
            return
        _part, labels, numbers = heads[0]
        columns = tuple(
            Column(label=label, share=4 if index == 0 else 10, is_number=is_number)
            for index, (label, is_number) in enumerate(zip(labels, numbers, strict=True))
        )
        body = tuple(
            TableRow(
                cells=tuple((cells + [""] * len(columns))[: len(columns)]),
                kind="total" if part == "tfoot" else "",
            )
            for part, cells, _numbers in rows
            if part != "thead"
        )
        self._sections[-1][1].append(Table(caption="", columns=columns, rows=body))


def cost_sheet_document(agreement: Agreement) -> Document:
    """Return the cost sheet that was confirmed before signing, from its stored figures."""
    confirmation = agreement.confirmation
    sheet = confirmation.cost_sheet
    figures = sheet_figures(sheet.document)
    confirmed = {"when": long_instant(confirmation.confirmed_at)}
    return letter(
        agreement.loan,
        title=_("Cost sheet"),
        lead=_("Every charge of the loan, confirmed on %(when)s.") % confirmed,
        dated=confirmation.confirmed_at.date(),
        sections=(
            Section(title="", blocks=(Facts(rows=_costs(agreement, figures)),)),
            Section(
                title=_("What you pay when all goes as planned"),
                blocks=(
                    _charges(figures),
                    Text(paragraphs=(_("There are no other charges."),), is_strong=True),
                ),
            ),
            Section(title=_("Only if you are late"), blocks=(Facts(rows=_default(figures)),)),
            Section(title=_("Every installment"), blocks=(_installments(figures),)),
            Section(
                title="",
                blocks=(
                    Facts(
                        rows=(
                            Fact(
                                label=_("Fingerprint of these figures (SHA-256):").rstrip(":："),
                                value=sheet.sha256,
                            ),
                        )
                    ),
                ),
            ),
        ),
    )


def _costs(agreement: Agreement, figures: SheetFigures) -> tuple[Fact, ...]:
    simple = _("with compounding; by the simple method (no compounding): %(rate)s")
    months = ngettext("%(months)d month", "%(months)d months", figures.installment_count)
    count = months % {"months": figures.installment_count}
    return (
        *parties(agreement.loan, name=borrower_name(agreement.loan)),
        Fact(label=_("You receive"), value=money(figures.principal), note=figures.payee),
        Fact(
            label=_("Annualized cost, everything included"),
            value=percent(figures.effective_annualized_cost),
            note=simple % {"rate": percent(figures.nominal_annualized_cost)},
            is_total=True,
        ),
        Fact(
            label=_("First installment"),
            value=money(figures.first_installment),
            note=f"{count} · {figures.method_label}",
        ),
        Fact(label=_("Last payment"), value=plain_date(figures.last_due_date)),
        Fact(label=_("Cost in all"), value=money(figures.total_cost)),
        Fact(label=_("You repay in all"), value=money(figures.total_repayment), is_total=True),
    )


def _charges(figures: SheetFigures) -> Table:
    return Table(
        caption=_("Charges of the loan"),
        columns=(
            Column(label=_("Charge"), share=8),
            Column(label=pgettext("charge", "How"), share=20),
            Column(label=_("How much"), share=10, is_number=True),
            Column(label=_("To whom"), share=16),
            Column(label=_("A year"), share=8, is_number=True),
        ),
        rows=tuple(
            TableRow(
                cells=(
                    _("Interest") if charge.code == "INTEREST" else _("Fees"),
                    _how(charge),
                    money(charge.amount),
                    charge.payee,
                    percent(charge.annualized_rate),
                )
            )
            for charge in figures.charges
        ),
    )


def _how(charge: Charge) -> str:
    if charge.contract_rate is None:
        return _("with the installments")
    return _("%(rate)s a year (simple) on what you still owe, with each installment") % {
        "rate": percent(charge.contract_rate)
    }


def _default(figures: SheetFigures) -> tuple[Fact, ...]:
    default = figures.default
    amount = {"amount": money(default.example_amount)}
    return (
        Fact(
            label=_("Late rate"),
            value=_("%(rate)s a year") % {"rate": percent(default.annual_rate)},
            note=_(
                "on the principal that is late only, in place of the usual interest, to the lender"
            ),
        ),
        Fact(label=_("%(amount)s one day late") % amount, value=money(default.example_day)),
        Fact(
            label=_("%(amount)s late for a whole year, at most") % amount,
            value=money(default.example_year),
            note=_("never a charge on a charge"),
        ),
    )


def _installments(figures: SheetFigures) -> Table:
    with_fees = any(row.fees for row in figures.rows)
    optional = [Column(label=_("Fees"), share=9, is_number=True)] if with_fees else []
    rows = [
        TableRow(
            cells=(
                str(row.number),
                plain_date(row.due_date),
                money(row.principal),
                money(row.interest),
                *([money(row.fees)] if with_fees else []),
                money(row.total),
            )
        )
        for row in figures.rows
    ]
    totals = figures.totals
    fees = [money(figures.total_repayment - totals.principal - _interest(figures))]
    rows.append(
        TableRow(
            cells=(
                "",
                _("In all"),
                money(totals.principal),
                money(_interest(figures)),
                *(fees if with_fees else []),
                money(totals.total),
            ),
            kind="total",
        )
    )
    return Table(
        caption=_("Repayment schedule"),
        columns=(
            Column(label=_("No."), share=4),
            Column(label=_("Due date"), share=12),
            Column(label=_("Principal"), share=10, is_number=True),
            Column(label=_("Interest"), share=10, is_number=True),
            *optional,
            Column(label=_("To pay"), share=10, is_number=True),
        ),
        rows=tuple(rows),
    )


def _interest(figures: SheetFigures) -> Money:
    return total(row.interest for row in figures.rows)
