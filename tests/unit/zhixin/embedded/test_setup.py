"""The set-up notices what is half made, and says what is missing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from zhixin.embedded import setup


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / ".data").mkdir()
    (tmp_path / "requirements-dev.txt").write_text("one==1\ntwo==2\n")
    packages = tmp_path / ".venv" / "lib" / "python3.11" / "site-packages"
    packages.mkdir(parents=True)
    (tmp_path / ".venv" / "bin").mkdir()
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    return tmp_path


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that the set-up would have run."""
    commands: list[list[str]] = []

    def note(_: setup.Setup, command: list[str], **__: object) -> None:
        commands.append(command)

    monkeypatch.setattr(setup.Setup, "_call", note)
    return commands


def _modules(commands: list[list[str]]) -> list[str]:
    return [command[2] for command in commands]


def test_what_is_done_is_not_done_again(project: Path, made: list[list[str]]) -> None:
    setup.Setup(project).run()
    assert _modules(made) == ["pip", "zhixin.embedded.services"]
    made.clear()
    setup.Setup(project).run()
    assert _modules(made) == ["zhixin.embedded.services"]


def test_changed_requirements_are_installed(project: Path, made: list[list[str]]) -> None:
    setup.Setup(project).run()
    made.clear()
    (project / "requirements-dev.txt").write_text("one==2\n")
    setup.Setup(project).run()
    assert _modules(made) == ["pip", "zhixin.embedded.services"]


def test_an_interrupted_environment_is_made_anew(project: Path, made: list[list[str]]) -> None:
    (project / ".venv" / ".zhixin-unfinished").touch()
    (project / ".venv" / "half").touch()
    setup.Setup(project).run()
    assert _modules(made) == ["venv", "pip", "zhixin.embedded.services"]
    assert not (project / ".venv" / "half").exists()
    assert not (project / ".venv" / ".zhixin-unfinished").exists()


def test_an_environment_without_its_python_is_made_anew(
    project: Path, made: list[list[str]]
) -> None:
    python = project / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python")
    setup.Setup(project).run()
    assert _modules(made) == ["venv", "pip", "zhixin.embedded.services"]


def test_an_environment_that_was_moved_is_made_anew(project: Path, made: list[list[str]]) -> None:
    setup.Setup(project).run()
    made.clear()
    link = project / ".venv/lib/python3.11/site-packages/zhixin-project.pth"
    assert link.read_text() == f"{project}\n"
    link.write_text("/somewhere/else\n")
    setup.Setup(project).run()
    assert _modules(made) == ["venv", "pip", "zhixin.embedded.services"]


def test_translations_are_compiled_when_they_are_newer(
    project: Path, made: list[list[str]]
) -> None:
    setup.Setup(project).run()
    made.clear()
    messages = project / "locale" / "zh_Hans" / "LC_MESSAGES"
    messages.mkdir(parents=True)
    (messages / "django.po").touch()
    setup.Setup(project).run()
    assert _modules(made) == ["babel.messages.frontend", "zhixin.embedded.services"]
    assert made[0][3:6] == ["compile", "--domain", "django"]


def test_a_failing_command_shows_its_last_words(project: Path) -> None:
    script = "print('the wheel is round'); raise SystemExit(3)"
    with pytest.raises(setup.SetupError, match="the wheel is round"):
        setup.Setup(project)._call([sys.executable, "-c", script])


def test_a_new_python_without_redis_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.setattr(setup, "FIRST_PYTHON_WITHOUT_REDIS", sys.version_info[:2])
    with pytest.raises(setup.SetupError, match="a redis-server is needed"):
        setup._check_python()
