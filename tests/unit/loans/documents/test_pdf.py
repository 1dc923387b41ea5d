"""The PDF of a document: its text can be copied, its font is inside, nothing is an empty box."""

from __future__ import annotations

import gzip
import hashlib
import io
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings
from django.utils import translation
from pypdf import PdfReader

from loans.adapters.pdf import BOLD, REGULAR, load_font, printable, render_pdf
from loans.selectors.documents.form import (
    Column,
    Document,
    Fact,
    Facts,
    Section,
    Table,
    TableRow,
    Text,
)

FONTS = {
    "NotoSansSC-Regular.ttf.gz": "e76d17efd23d5bfd2d5ad5ecf7c04e31173af25cfbd41d8867862b0ae22f3729",
    "NotoSansSC-Bold.ttf.gz": "71ebf3f19ae51803b4fd58c7972ea8cbc54b11de3ed04d95d67d39ab1f33776c",
}


def document(*, name: str = "李小华", rows: int = 3, is_void: bool = False) -> Document:
    facts = Facts(rows=(Fact(label="借款人", value=name),))
    table = Table(
        caption="还款计划表",
        columns=(
            Column(label="期数", share=4),
            Column(label="还款日", share=12),
            Column(label="应还", share=10, is_number=True),
        ),
        rows=tuple(
            TableRow(cells=(str(number), "2026年7月16日", f"¥{number},195.72"), note="第一笔")
            for number in range(1, rows + 1)
        ),
    )
    return Document(
        title="对账单",
        lead="金额单位：人民币元。",
        contract="ZX20260616-ABCDEF1234",
        lender="智信示范小额贷款有限公司",
        dated="2026年9月25日",
        language="zh-hans",
        file_name="对账单",
        sections=(
            Section(title="账务明细", blocks=(facts, table, Text(paragraphs=("余额 −¥0.01。",)))),
        ),
        is_void=is_void,
    )


def read(content: bytes) -> PdfReader:
    return PdfReader(io.BytesIO(content))


def text_of(content: bytes) -> str:
    return "".join("".join(page.extract_text() for page in read(content).pages).split())


def test_the_fonts_are_the_ones_that_the_notice_names() -> None:
    folder = settings.BASE_DIR / "static" / "fonts"
    notice = (folder / "README.md").read_text(encoding="utf-8")
    for name, sha256 in FONTS.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == sha256
        assert sha256 in notice
    assert "SIL OPEN FONT LICENSE" in (folder / "OFL.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["李小华", "喆堃", "张䶮", "李𠅤", "欧阳𬭎", "Zoë O’Neill"])
def test_names_and_amounts_can_be_copied_out(name: str) -> None:
    text = text_of(render_pdf(document(name=name)))
    assert name.replace(" ", "") in text
    assert "¥1,195.72" in text
    assert "¥3,195.72" in text
    assert "−¥0.01" in text
    assert "智信示范小额贷款有限公司" in text


def test_what_the_font_lacks_is_written_as_its_code_point() -> None:
    # A character of Extension G, which the font does not have.
    assert 0x30000 not in load_font(REGULAR)
    assert "李〔U+30000〕" in text_of(render_pdf(document(name="李\U00030000")))
    assert (
        printable("e\N{COMBINING ACUTE ACCENT}\N{ZERO WIDTH JOINER}\N{VARIATION SELECTOR-16}")
        == "é"
    )


def test_the_font_is_embedded_and_only_what_is_used_of_it() -> None:
    content = render_pdf(document())
    assert len(content) < 100_000
    fonts = {
        name: font.get_object()
        for page in read(content).pages
        for name, font in page["/Resources"]["/Font"].items()
    }
    embedded = [font for font in fonts.values() if "NotoSansSC" in str(font["/BaseFont"])]
    assert embedded
    for font in embedded:
        assert "/FontFile2" in font["/FontDescriptor"]
        assert "/ToUnicode" in font


def test_a_title_with_a_rare_character_is_set_in_the_face_that_has_it() -> None:
    assert ord("䶮") not in load_font(BOLD)
    rare = document(name="䶮")
    assert "䶮" in text_of(render_pdf(rare))


def test_head_and_foot_are_on_every_page() -> None:
    with translation.override("zh-hans"):
        content = render_pdf(document(rows=90))
    pages = ["".join(page.extract_text().split()) for page in read(content).pages]
    assert len(pages) > 1
    for number, page in enumerate(pages, 1):
        assert f"第{number}页，共{len(pages)}页" in page
        assert "合同ZX20260616-ABCDEF1234" in page
        assert "2026年9月25日" in page
        assert "期数" in page


def test_what_is_void_says_so_across_the_page() -> None:
    with translation.override("en"):
        assert "VOID" in text_of(render_pdf(document(is_void=True)))
        assert "VOID" not in text_of(render_pdf(document()))


def test_markup_in_a_name_is_text() -> None:
    assert "<b>&李</b>" in text_of(render_pdf(document(name="<b>&李</b>")))


def test_the_same_document_gives_the_same_bytes() -> None:
    assert render_pdf(document()) == render_pdf(document())


def test_documents_made_at_the_same_time_do_not_mix() -> None:
    names = ["李小华", "喆堃", "张䶮", "李𠅤", "欧阳𬭎", "王五"] * 3
    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda name: render_pdf(document(name=name)), names))
    for name, content in zip(names, made, strict=True):
        text = text_of(content)
        assert [each for each in set(names) if each in text] == [name]


def test_a_long_document_is_made_within_a_second() -> None:
    render_pdf(document())
    start = time.process_time()
    render_pdf(document(rows=120))
    assert time.process_time() - start < 1


def test_the_fonts_are_read_once() -> None:
    load_font(REGULAR)
    before = load_font.cache_info().misses
    render_pdf(document())
    assert load_font.cache_info().misses == before


def test_the_fonts_stay_small() -> None:
    folder = settings.BASE_DIR / "static" / "fonts"
    assert sum((folder / name).stat().st_size for name in FONTS) < 10_000_000
    assert gzip.decompress((folder / "NotoSansSC-Regular.ttf.gz").read_bytes())[:4] == b"\0\1\0\0"
