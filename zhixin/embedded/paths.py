"""Where the embedded services keep their data.

The developer's data lies in `.data/` of the project. PostgreSQL refuses to run as root, so as root
its server runs as another account, which must be able to reach the data: there the data lies under
`/var/lib/zhixin/` and `.data/location` remembers where. Nobody's home is opened for it.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
from pathlib import Path

from zhixin.embedded.errors import EmbeddedError
from zhixin.embedded.processes import file_lock

PROJECT_DIR = Path(__file__).resolve().parents[2]
SYSTEM_DIR = Path("/var/lib/zhixin")
DATA_DIR_VARIABLE = "ZHIXIN_DATA_DIR"


def running_as_root() -> bool:
    """Tell whether this process may do anything, and PostgreSQL therefore refuses to run in it."""
    return os.geteuid() == 0


def data_dir(project: Path = PROJECT_DIR) -> Path:
    """Return the folder of the project's data, made with mode 0700 (0711 as root) when missing.

    `ZHIXIN_DATA_DIR` overrides it.
    """
    override = os.environ.get(DATA_DIR_VARIABLE, "")
    if override:
        return make_dir(Path(override).resolve(), mode=0o711 if running_as_root() else 0o700)
    local = make_dir(project / ".data", mode=0o700)
    if not running_as_root():
        return local
    with file_lock(local / "location.lock"):
        return _system_data_dir(project, local)


def _system_data_dir(project: Path, local: Path) -> Path:
    """Return root's data folder: the remembered one if it is this project's, else a new one.

    The name holds a random part, so that a new clone at an old path does not find old data.
    """
    memory = local / "location"
    if memory.is_file():
        remembered = Path(memory.read_text(encoding="utf-8").strip())
        if remembered.parent == SYSTEM_DIR and _belongs_to(remembered, project):
            return remembered
    make_dir(SYSTEM_DIR, mode=0o755)
    slug = re.sub(r"[^A-Za-z0-9]+", "-", project.name).strip("-")[:24] or "project"
    directory = make_dir(SYSTEM_DIR / f"{slug}-{secrets.token_hex(4)}", mode=0o711)
    write_private(directory / "project", f"{project}\n")
    write_private(memory, f"{directory}\n")
    return directory


def _belongs_to(directory: Path, project: Path) -> bool:
    owner = directory / "project"
    return owner.is_file() and owner.read_text(encoding="utf-8").strip() == str(project)


def reachable_by_others(path: Path) -> bool:
    """Tell whether another account could walk down to `path` (its parents, not itself)."""
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in path.absolute().parents)


def make_dir(path: Path, *, mode: int) -> Path:
    """Make the folder, with missing parents; a folder that exists keeps its mode.

    Raises EmbeddedError when it cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=mode)
            path.chmod(mode)  # Whatever the umask is.
    except OSError as error:
        raise EmbeddedError(
            f"Cannot make the folder {path}: {error.strerror}. Set {DATA_DIR_VARIABLE} to a "
            "folder that you may write to."
        ) from error
    if not path.is_dir():
        raise EmbeddedError(f"{path} is in the way: it should be a folder.")
    return path


def write_private(path: Path, text: str) -> None:
    """Write `text` to `path` with mode 0600; readers see all of it or the old text."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
