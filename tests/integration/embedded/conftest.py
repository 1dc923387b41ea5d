"""Data folders and environments for servers that are not the test session's own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from zhixin.embedded import paths
from zhixin.embedded.processes import stop_process


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """An empty data folder; at the end whatever still runs on it is killed and it is removed."""
    # Not tmp_path: the server's account could not walk there when root runs the tests.
    folder = Path(tempfile.mkdtemp(prefix="zhixin-embedded-")).resolve()
    folder.chmod(0o711)
    yield folder
    for process in processes_of(folder):
        stop_process(process.pid, with_signal=signal.SIGKILL, grace_seconds=5)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def own_environment(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment that knows no servers, here and for child processes."""
    for name in ("DATABASE_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(paths.DATA_DIR_VARIABLE, str(data_dir))
    return dict(os.environ)


def processes_of(data_dir: Path) -> list[psutil.Process]:
    """Every process that was given this data folder, by argument or by environment."""
    return [process for process in psutil.process_iter() if _concerns(process, str(data_dir))]


def _concerns(process: psutil.Process, data_dir: str) -> bool:
    if process.pid == os.getpid():
        return False
    with contextlib.suppress(psutil.Error, OSError):
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        if any(data_dir in argument for argument in process.cmdline()):
            return True
        return process.environ().get(paths.DATA_DIR_VARIABLE) == data_dir
    return False
