"""The two key pairs of the sandbox: the bank's own, and the lender's (ours).

    python -m zhixin.sandbox.keys --data-dir DIR

Each side gets its own private key and the other's public key, as with a real bank. They are made on
first use; any number of processes may ask at once.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from zhixin.shared.signing import generate_key_pair, load_private_key, public_pem_of

_OWNERS = ("bank", "lender")


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """The paths of the four key files, all of mode 0600."""

    bank_private: Path
    bank_public: Path
    lender_private: Path
    lender_public: Path


def ensure_keys(data_dir: Path) -> KeyFiles:
    """Return the key files in `data_dir`, made now where they are missing.

    Race-safe: a lock file lets one process make them, and each file appears whole or not at all. A
    private key that exists is never replaced.
    """
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with exclusive_lock(data_dir / "keys.lock"):
        for owner in _OWNERS:
            _ensure_pair(data_dir, owner)
    return KeyFiles(
        bank_private=data_dir / "bank_private.pem",
        bank_public=data_dir / "bank_public.pem",
        lender_private=data_dir / "lender_private.pem",
        lender_public=data_dir / "lender_public.pem",
    )


@contextmanager
def exclusive_lock(path: Path, *, blocking: bool = True) -> Iterator[None]:
    """Hold the advisory lock on `path`; the system frees it when the process dies.

    Raises BlockingIOError at once when `blocking` is False and another process holds it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if blocking else fcntl.LOCK_NB))
        yield
    finally:
        os.close(descriptor)


def _ensure_pair(data_dir: Path, owner: str) -> None:
    private_path = data_dir / f"{owner}_private.pem"
    public_path = data_dir / f"{owner}_public.pem"
    if not private_path.exists():
        pair = generate_key_pair()
        public_path.unlink(missing_ok=True)
        _write_whole(private_path, pair.private_pem)
    if not public_path.exists():
        _write_whole(public_path, public_pem_of(load_private_key(private_path)))


def _write_whole(path: Path, text: str) -> None:
    """Write `text` to `path` with mode 0600, so that no reader ever sees a part of it."""
    temporary = path.with_suffix(f".{os.getpid()}.part")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)


def main(arguments: list[str] | None = None) -> int:
    """Make the keys and print where they are."""
    parser = argparse.ArgumentParser(prog="python -m zhixin.sandbox.keys", description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True, help="where the keys lie")
    options = parser.parse_args(arguments)
    files = ensure_keys(options.data_dir)
    for path in (files.bank_private, files.bank_public, files.lender_private, files.lender_public):
        sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
