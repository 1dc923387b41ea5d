"""What the documents name is there: linked files, and the modules of the map."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"(?:\]\(|src=\")(?!https?:|#|mailto:)([^)#\s\"]+)")
APPS = ("accounts", "risk", "loans", "collections_app", "education")
LAYER = re.compile(r"(Engine|Services|Selectors): (.*?)(?=\.\s|\.$)", re.DOTALL)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    missing = [link for link in LINK.findall(text) if not (document.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("app", APPS)
def test_the_map_names_modules_that_exist(app: str) -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    section = text.split(f"### {app}\n", 1)[1].split("\n##", 1)[0]
    for layer, names in LAYER.findall(section):
        for name in re.findall(r"`([a-z_]+)`(?! \w+ the)", re.sub(r"\([^)]*\)", "", names)):
            folder = ROOT / app / layer.lower()
            is_module = (folder / f"{name}.py").exists() or (folder / name).is_dir()
            assert is_module or _defined_in(folder.with_suffix(".py"), name), (
                f"{app}.{layer}.{name}"
            )


def _defined_in(module: Path, name: str) -> bool:
    return module.exists() and f"def {name}(" in module.read_text(encoding="utf-8")
