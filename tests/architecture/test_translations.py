"""The Chinese catalog is whole: every text that people read is translated, exactly and cleanly.

Needs no gettext tools: Babel extracts what `make messages` would, and compiles what `make setup`
compiles. How to work on the catalog: docs/translation.md.
"""

from __future__ import annotations

import gettext as standard_gettext
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import polib
import pytest
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.utils.functional import Promise
from django.utils.translation import get_supported_language_variant, to_locale
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parents[2]
CATALOG = ROOT / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"
CODE_FOLDERS = ("accounts", "collections_app", "education", "loans", "risk", "zhixin")
TEMPLATE_FOLDERS = ("templates", *(f"{folder}/templates" for folder in CODE_FOLDERS))

# What Django's makemessages asks xgettext for.
KEYWORDS: dict[str, tuple[int | tuple[int, str], ...] | None] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "npgettext": ((1, "c"), 2, 3),
    "npgettext_lazy": ((1, "c"), 2, 3),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
}

# Latin words that a Chinese reader knows as they stand.
LATIN_WORDS = {
    "App", "Cookie", "CSV", "GBK", "HTMX", "IANA", "ID", "Idempotency", "JPEG", "Key", "MB",
    "Markdown", "PDF", "PNG", "R", "SHA", "UTF", "X", "import_bank_file", "sync_roles", "widget",
}  # fmt: skip
# Words that our glossary replaces by another, that shame, or that speak in another voice.
UNWANTED_WORDS = {
    "您": "你",
    "滞纳金": "罚息",
    "违约金": "罚息",
    "贷款合同": "借款合同",
    "老赖": "借款人",
    "失信": "逾期",
    "恶意": "逾期",
}

PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%[%sd]|\{\w*\}")
TAG = re.compile(r"</?[a-z][^>]*>")
TRANSLATED = re.compile(r"\{% blocktranslate.*?endblocktranslate %\}", re.DOTALL)
STOP_IN_MARKUP = re.compile(r".*(?:\}\}|%\}|</\w+>)\.(?=\s|<|$).*")
LATIN_WORD = re.compile(r"[A-Za-z][A-Za-z_]*")
CHINESE = r"[\u3400-\u9fff\u3001-\u303f\uff00-\uffef]"
HALF_WIDTH = re.compile(rf"{CHINESE} ?[,.;:!?()]|[,;:!?()] ?{CHINESE}")

Key = tuple[str | None, str, str | None]  # context, singular, plural


# --- What stands in the source ------------------------------------------------------------


def keys_in(source: str) -> Iterator[Key]:
    """Yield the texts that a piece of Python marks for translation."""
    stream = io.BytesIO(source.encode())
    for _line, message, _comments, context in extract("python", stream, KEYWORDS):
        # Django's marks that carry a context hand it over in front of the text.
        parts = (message,) if isinstance(message, str) else tuple(message)
        if context is not None and len(parts) > 1 and parts[0] == context:
            parts = parts[1:]
        yield (context, parts[0], parts[1] if len(parts) > 1 else None)


def keys_in_template(source: str) -> Iterator[Key]:
    """Yield the texts that a template marks for translation."""
    # What is left of the markup between the marks must not look like indented Python.
    yield from keys_in(re.sub(r"^[ \t]+", "", templatize(source), flags=re.MULTILINE))


@cache
def keys_in_source() -> frozenset[Key]:
    keys: set[Key] = set()
    for folder in CODE_FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            keys.update(keys_in(path.read_text(encoding="utf-8")))
    for folder in TEMPLATE_FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in {".html", ".txt"}:
                keys.update(keys_in_template(path.read_text(encoding="utf-8")))
    return frozenset(keys)


# --- What stands in the catalog -----------------------------------------------------------


@cache
def catalog() -> polib.POFile:
    return polib.pofile(str(CATALOG))


def key_of(entry: polib.POEntry) -> Key:
    return (entry.msgctxt, entry.msgid, entry.msgid_plural or None)


def texts_of(entry: polib.POEntry) -> list[str]:
    """Return the translations of the entry: one, or one for each of Chinese's one plural forms."""
    return list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]


def is_incomplete(entry: polib.POEntry) -> bool:
    texts = texts_of(entry)
    return entry.fuzzy or len(texts) != 1 or not texts[0].strip()


def places_of(text: str) -> Counter[str]:
    return Counter(PLACEHOLDER.findall(text)) + Counter(TAG.findall(text))


def has_other_places(entry: polib.POEntry) -> bool:
    """Tell whether a translation lost, doubled or invented a placeholder or a tag."""
    wanted = [places_of(text) for text in (entry.msgid, entry.msgid_plural) if text]
    return any(places_of(text) not in wanted for text in texts_of(entry))


def has_other_edges(entry: polib.POEntry) -> bool:
    """Tell whether a translation begins or ends a line where the source does not."""
    return any(
        entry.msgid.startswith("\n") != text.startswith("\n")
        or entry.msgid.endswith("\n") != text.endswith("\n")
        for text in texts_of(entry)
    )


def bare(text: str) -> str:
    return TAG.sub("", PLACEHOLDER.sub("", text))


def foreign_words(entry: polib.POEntry) -> list[str]:
    """Return the Latin words of the translation that a Chinese page should not show."""
    return [
        word
        for text in texts_of(entry)
        for word in LATIN_WORD.findall(bare(text))
        if word not in LATIN_WORDS
    ]


def has_half_width_marks(entry: polib.POEntry) -> bool:
    """Tell whether Chinese is punctuated as English is; a placeholder counts as Chinese."""
    return any(HALF_WIDTH.search(TAG.sub("", PLACEHOLDER.sub("字", t))) for t in texts_of(entry))


def unwanted_words(entry: polib.POEntry) -> list[str]:
    return [word for text in texts_of(entry) for word in UNWANTED_WORDS if word in text]


def shown(entries: list[polib.POEntry]) -> list[tuple[str, list[str]]]:
    return [(entry.msgid, texts_of(entry)) for entry in entries]


def living() -> list[polib.POEntry]:
    return [entry for entry in catalog() if not entry.obsolete]


# --- The rules ----------------------------------------------------------------------------


def test_every_text_of_the_source_is_in_the_catalog() -> None:
    missing = keys_in_source() - {key_of(entry) for entry in living()}
    assert sorted(missing, key=str) == [], "Run `make messages`, then translate these."


def test_the_catalog_holds_nothing_that_the_source_has_not() -> None:
    stale = {key_of(entry) for entry in living()} - keys_in_source()
    assert sorted(stale, key=str) == [], "Run `make messages` to drop these."
    assert shown(catalog().obsolete_entries()) == []


def test_a_text_with_several_senses_says_which() -> None:
    """One English word on pages of several kinds: each is translated for its own place."""
    several = {"How", "Who", "Ask for a person", "."}
    assert [key for key in keys_in_source() if key[0] is None and key[1] in several] == []
    chinese = {key_of(entry)[:2]: entry.msgstr for entry in living() if entry.msgid in several}
    assert (
        chinese["decision", "Ask for a person"] != chinese["help with repaying", "Ask for a person"]
    )
    assert chinese["charge", "How"] != chinese["contact", "How"]
    assert chinese["end of a sentence", "."] == "。"


def test_no_sentence_ends_outside_its_text() -> None:
    """A Chinese sentence ends with a stop of its own: ours stand in texts, not in the markup."""
    found = [
        f"{path.relative_to(ROOT)}: {line}"
        for path in sorted((ROOT / "templates").rglob("*.html"))
        for line in STOP_IN_MARKUP.findall(TRANSLATED.sub("", path.read_text(encoding="utf-8")))
    ]
    assert found == []


def test_no_charge_on_a_charge_is_said_in_the_words_of_the_law() -> None:
    said = {entry.msgid: entry.msgstr.rstrip("。") for entry in living()}
    law = "罚息不再计收利息或罚息（不利滚利）"
    assert said["never a charge on a charge"] == law
    assert said["No charge is ever computed on a charge."] == law


def repeated(entries: list[polib.POEntry]) -> list[tuple[str | None, str]]:
    """Return the texts that have two entries: gettext's tools refuse such a catalog."""
    counts = Counter((entry.msgctxt, entry.msgid) for entry in entries)
    return [key for key, count in counts.items() if count > 1]


def test_no_text_has_two_entries() -> None:
    assert repeated(living()) == []


def test_every_entry_is_translated_and_none_is_a_guess() -> None:
    assert shown([entry for entry in living() if is_incomplete(entry)]) == []


def test_placeholders_and_tags_survive_translation() -> None:
    assert shown([entry for entry in living() if has_other_places(entry)]) == []
    assert shown([entry for entry in living() if has_other_edges(entry)]) == []


def test_no_english_is_left_in_the_chinese() -> None:
    assert [(entry.msgid, words) for entry in living() if (words := foreign_words(entry))] == []


def test_chinese_sentences_have_chinese_punctuation() -> None:
    assert shown([entry for entry in living() if has_half_width_marks(entry)]) == []


def test_the_words_are_those_of_the_glossary() -> None:
    assert [(entry.msgid, words) for entry in living() if (words := unwanted_words(entry))] == []


def test_the_catalog_compiles_without_gettext_and_counts_in_chinese() -> None:
    with CATALOG.open("rb") as source:
        parsed = read_po(source, locale="zh_Hans", abort_invalid=True)
    assert not parsed.fuzzy, "Babel leaves a catalog out whose header is fuzzy."
    compiled = io.BytesIO()
    write_mo(compiled, parsed)
    compiled.seek(0)
    translations = standard_gettext.GNUTranslations(compiled)
    assert translations.gettext("Late charge") == "罚息"
    for count in (1, 2, 5):
        text = translations.ngettext("in %(days)d day", "in %(days)d days", count)
        assert text == "%(days)d 天后"


def unmarked_labels(model: type[models.Model]) -> list[str]:
    """Return the columns that the admin would name in English, after the attribute."""
    return [
        f"{model.__name__}.{field.name}"
        for field in model._meta.local_fields
        if not field.primary_key and not isinstance(field.verbose_name, Promise)
    ]


def test_every_column_has_a_name_for_people() -> None:
    ours = [each for each in apps.get_models() if each.__module__.partition(".")[0] in CODE_FOLDERS]
    assert [label for model in ours for label in unmarked_labels(model)] == []


def test_django_finds_the_catalog_for_chinese_browsers() -> None:
    assert [path / to_locale("zh-hans") / "LC_MESSAGES" for path in settings.LOCALE_PATHS] == [
        CATALOG.parent
    ]
    for browser in ("zh-hans", "zh-cn", "zh", "zh-tw"):
        assert get_supported_language_variant(browser) == "zh-hans"


# --- The rules can fail -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "key"),
    [
        ('gettext("Pay")', (None, "Pay", None)),
        ('x = _("Pay " "now")', (None, "Pay now", None)),
        ('ngettext_lazy("%d day", "%d days")', (None, "%d day", "%d days")),
        ('pgettext_lazy("link", "Open")', ("link", "Open", None)),
        ('npgettext("due", "%d day", "%d days", n)', ("due", "%d day", "%d days")),
    ],
)
def test_texts_of_python_are_found(source: str, key: Key) -> None:
    assert list(keys_in(source)) == [key]


@pytest.mark.parametrize(
    ("source", "key"),
    [
        ("<p>\n\t{% translate 'Pay' %}</p>", (None, "Pay", None)),
        ('{% translate "At most 24%" as cap %}', (None, "At most 24%%", None)),
        ('{% translate "Open" context "link" %}', ("link", "Open", None)),
        ('{% include "a.html" with label=_("Pay") only %}', (None, "Pay", None)),
        ('{{ value|default:_("None") }}', (None, "None", None)),
        (
            "{% blocktranslate trimmed with a=b %}\n  Pay {{ a }}\n  now.\n{% endblocktranslate %}",
            (None, "Pay %(a)s now.", None),
        ),
        (
            "{% blocktrans count n=n %}{{ n }} day{% plural %}{{ n }} days{% endblocktrans %}",
            (None, "%(n)s day", "%(n)s days"),
        ),
    ],
)
def test_texts_of_templates_are_found(source: str, key: Key) -> None:
    assert list(keys_in_template(source)) == [key]


def entry(msgid: str, msgstr: str, *, flags: list[str] | None = None) -> polib.POEntry:
    return polib.POEntry(msgid=msgid, msgstr=msgstr, flags=flags or [])


def plural_entry(*msgstr: str) -> polib.POEntry:
    return polib.POEntry(
        msgid="%(n)s day",
        msgid_plural="%(n)s days",
        msgstr_plural=dict(enumerate(msgstr)),
    )


@pytest.mark.parametrize(
    ("rule", "breach"),
    [
        (is_incomplete, entry("Pay", "")),
        (is_incomplete, entry("Pay", "还款", flags=["fuzzy"])),
        (is_incomplete, plural_entry()),
        (is_incomplete, plural_entry("")),
        (is_incomplete, plural_entry("%(n)s 天", "%(n)s 天")),
        (has_other_places, entry("Pay %(amount)s", "还款")),
        (has_other_places, entry("Pay %(amount)s", "还款 %(amuont)s")),
        (has_other_places, entry("At most 24%%", "最多 24%")),
        (has_other_places, entry("<strong>Pay</strong>", "还款")),
        (has_other_places, plural_entry("天")),
        (has_other_edges, entry("\nPay", "还款")),
        (foreign_words, entry("Pay", "Pay")),
        (foreign_words, entry("Zhixin lends", "Zhixin 借款")),
        (has_half_width_marks, entry("Yes, now", "对,现在")),
        (has_half_width_marks, entry("Yes.", "对.")),
        (has_half_width_marks, entry("%(a)s: yes", "%(a)s:对")),
        (has_half_width_marks, entry("Late (days)", "逾期(天)")),
        (unwanted_words, entry("Late charge", "滞纳金")),
    ],
)
def test_each_rule_can_fail(rule: Callable[[polib.POEntry], object], breach: polib.POEntry) -> None:
    assert rule(breach)


@pytest.mark.parametrize(
    "sound",
    [
        entry("Upload a PDF of %(size)d MB.", "请上传 %(size)d MB 的 PDF。"),
        entry("Up to 1,000.50: <b>yes</b>", "最多 1,000.50：<b>可以</b>"),
        plural_entry("%(n)s 天"),
    ],
)
def test_a_sound_entry_passes_every_rule(sound: polib.POEntry) -> None:
    rules = (is_incomplete, has_other_places, has_other_edges, has_half_width_marks)
    assert not any(rule(sound) for rule in rules)
    assert foreign_words(sound) == unwanted_words(sound) == []


def test_an_unnamed_column_is_noticed() -> None:
    # Django makes this table by itself and gives its columns no name.
    assert unmarked_labels(Group.permissions.through) == [
        "Group_permissions.group",
        "Group_permissions.permission",
    ]


def test_a_second_entry_is_noticed() -> None:
    assert repeated([entry("Me", "我的"), entry("Me", "我")]) == [(None, "Me")]


def test_a_forgotten_translation_is_noticed() -> None:
    key = next(keys_in('_("A text that nobody has translated.")'))
    assert key not in {key_of(each) for each in living()}
