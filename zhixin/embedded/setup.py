"""`make setup`: makes `.venv` and everything that `make run` and `make test` need.

Run as a file by any Python from 3.11 on, before anything is installed: it imports only the standard
library, and nothing of the project. Quick when there is nothing to do, and safe to interrupt: what
was half made is made anew.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROJECT_DIR = Path(__file__).resolve().parents[2]
OLDEST_PYTHON = (3, 11)
# From here on there is no wheel with a Redis in it.
FIRST_PYTHON_WITHOUT_REDIS = (3, 13)
_LAST_WORDS = 25
_LINK = "zhixin-project.pth"


class SetupError(Exception):
    """The set-up cannot go on; the message says what to do."""


class Setup:
    """The set-up of one project folder."""

    def __init__(self, project: Path = PROJECT_DIR) -> None:
        self.project = project
        self.venv = project / ".venv"
        self.python = self.venv / "bin" / "python"
        self.requirements = project / "requirements-dev.txt"
        self._stamp = self.venv / ".zhixin-requirements"
        self._unfinished = self.venv / ".zhixin-unfinished"

    def run(self) -> None:
        """Do what is missing."""
        with self._lock():
            self._make_venv()
            self._install()
            self._link_project()
            self._compile_translations()
            self._prepare_services()

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Let one set-up of the project run at a time."""
        data = self.project / ".data"
        data.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(data / "setup.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                _say("Waiting for another set-up of this project to end")
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _make_venv(self) -> None:
        if self._unfinished.exists() or (self.venv.exists() and not self._venv_works()):
            _say("Removing a half-made .venv")
            # Out of the way at once: an installer that was not stopped may still write to it.
            discarded = self.project / ".data" / f"discarded-venv-{os.getpid()}"
            self.venv.rename(discarded)
            shutil.rmtree(discarded, ignore_errors=True)
        if self.venv.exists():
            return
        _check_python()
        version = ".".join(str(part) for part in sys.version_info[:3])
        _say(f"Making .venv with Python {version}")
        self.venv.mkdir()
        self._unfinished.touch()
        self._call([sys.executable, "-m", "venv", str(self.venv)])

    def _venv_works(self) -> bool:
        """Tell whether the environment is whole, new enough, and was made at this very place."""
        if not self.python.exists() or self._venv_was_moved():
            return False
        check = f"import pip, sys; sys.exit(sys.version_info < {OLDEST_PYTHON!r})"
        command = [str(self.python), "-c", check]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def _venv_was_moved(self) -> bool:
        """Tell whether the folder came from elsewhere: its programs name the old place."""
        links = self.venv.glob(f"lib/python*/site-packages/{_LINK}")
        return any(link.read_text(encoding="utf-8") != f"{self.project}\n" for link in links)

    def _install(self) -> None:
        wanted = self._fingerprint()
        if self._stamp.is_file() and self._stamp.read_text(encoding="ascii") == wanted:
            return
        count = sum("==" in line for line in self.requirements.read_text("utf-8").splitlines())
        _say(f"Installing {count} packages (the first time this takes a minute or two)")
        self._unfinished.touch()
        self._call(
            [
                str(self.python),
                *("-m", "pip", "install", "--disable-pip-version-check", "--no-input"),
                *("--progress-bar", "off", "--require-hashes", "-r", str(self.requirements)),
            ],
            count_lines=("Collecting ", "Requirement already satisfied: "),
            total=count,
        )
        self._stamp.write_text(wanted, encoding="ascii")
        self._unfinished.unlink()

    def _fingerprint(self) -> str:
        return hashlib.sha256(self.requirements.read_bytes()).hexdigest()

    def _link_project(self) -> None:
        """Let the tools in `.venv/bin` import the project from wherever they are called."""
        for packages in self.venv.glob("lib/python*/site-packages"):
            link = packages / _LINK
            wanted = f"{self.project}\n"
            if not link.is_file() or link.read_text(encoding="utf-8") != wanted:
                link.write_text(wanted, encoding="utf-8")

    def _compile_translations(self) -> None:
        for domain in ("django", "djangojs"):
            sources = list(self.project.glob(f"locale/*/LC_MESSAGES/{domain}.po"))
            if not any(_is_older(source.with_suffix(".mo"), source) for source in sources):
                continue
            _say("Compiling translations")
            self._call(
                [
                    str(self.python),
                    *("-m", "babel.messages.frontend", "compile"),
                    *("--domain", domain, "--directory", str(self.project / "locale")),
                ]
            )

    def _prepare_services(self) -> None:
        self._call([str(self.python), "-m", "zhixin.embedded.services", "prepare"])

    def _call(
        self, command: list[str], *, count_lines: tuple[str, ...] = (), total: int = 0
    ) -> None:
        """Run the command quietly, counting progress lines; show its last words if it fails."""
        last_words: deque[str] = deque(maxlen=_LAST_WORDS)
        done = 0
        with subprocess.Popen(
            command,
            cwd=self.project,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            for line in process.stdout or ():
                last_words.append(line.rstrip())
                if count_lines and line.startswith(count_lines):
                    done += 1
                    _show_progress(done, total)
        _end_progress(done)
        if process.returncode:
            raise SetupError("\n".join(last_words) or f"{command[0]} failed.")


def _check_python() -> None:
    if sys.version_info < OLDEST_PYTHON:
        raise SetupError("Zhixin needs Python 3.11 or newer.")
    has_redis = shutil.which("redis-server") or os.environ.get("REDIS_URL")
    if sys.version_info >= FIRST_PYTHON_WITHOUT_REDIS and not has_redis:
        found = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise SetupError(
            f"This is Python {found}; from 3.13 on a redis-server is needed beside it. Install "
            "one (Debian: apt-get install redis-server, macOS: brew install redis), install "
            "Python 3.12, or set REDIS_URL."
        )


def _is_older(product: Path, source: Path) -> bool:
    return not product.is_file() or product.stat().st_mtime < source.stat().st_mtime


def _say(text: str) -> None:
    sys.stdout.write(f"· {text}\n")
    sys.stdout.flush()


def _show_progress(done: int, total: int) -> None:
    if sys.stdout.isatty():
        sys.stdout.write(f"\r  {min(done, total)} of {total}")
        sys.stdout.flush()


def _end_progress(done: int) -> None:
    if done and sys.stdout.isatty():
        sys.stdout.write("\r\033[K")


def main() -> int:
    """Set the project up; tell in words what stands in the way."""
    try:
        Setup().run()
    except SetupError as error:
        sys.stderr.write(f"{error}\nThe set-up did not finish. It is safe to run it again.\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped. It is safe to run it again.\n")
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
