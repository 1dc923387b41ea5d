"""A Chromium is found where it usually is, or the way to get one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from zhixin.embedded import browser


@pytest.fixture
def _bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.delenv("PLAYWRIGHT_BROWSERS_PATH", raising=False)
    monkeypatch.setattr(browser, "_MAC_APPLICATIONS", ())


def _program(path: Path, *, works: bool = True) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\nexit {0 if works else 1}\n")
    path.chmod(0o755)
    return path


@pytest.mark.usefixtures("_bare_machine")
def test_without_any_the_way_to_get_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser, "_may_install", lambda: False)
    with pytest.raises(browser.NoBrowserError, match="apt-get install chromium fonts-noto-cjk"):
        browser.ensure_chromium()


@pytest.mark.usefixtures("_bare_machine")
def test_one_on_the_path_is_found(tmp_path: Path) -> None:
    program = _program(tmp_path / "bin" / "google-chrome")
    assert browser.find_chromium() == program


@pytest.mark.usefixtures("_bare_machine")
def test_one_that_does_not_run_is_passed_over_for_playwrights_own(tmp_path: Path) -> None:
    _program(tmp_path / "bin" / "chromium", works=False)
    program = _program(tmp_path / ".cache/ms-playwright/chromium-1234/chrome-linux/chrome")
    assert browser.find_chromium() == program


@pytest.mark.usefixtures("_bare_machine")
def test_the_named_one_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _program(tmp_path / "bin" / "chromium")
    program = _program(tmp_path / "mine")
    monkeypatch.setenv("CHROMIUM", str(program))
    assert browser.find_chromium() == program


@pytest.mark.usefixtures("_bare_machine")
def test_debians_is_installed_where_that_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed: list[tuple[str, ...]] = []

    def install(packages: tuple[str, ...]) -> None:
        installed.append(packages)
        _program(tmp_path / "bin" / "chromium")

    monkeypatch.setattr(browser, "_may_install", lambda: True)
    monkeypatch.setattr(browser, "_install", install)
    assert browser.ensure_chromium() == tmp_path / "bin" / "chromium"
    assert installed == [("chromium", "fonts-noto-cjk")]
