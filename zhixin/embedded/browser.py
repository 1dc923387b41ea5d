"""Finds a Chromium for the browser tests, and installs Debian's when it may.

python -m zhixin.embedded.browser     make sure that there is one; never fails the caller
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NO_BROWSER = (
    "The browser tests need Chromium and there is none. Install it (Debian: apt-get install "
    "chromium fonts-noto-cjk; elsewhere: .venv/bin/playwright install chromium), or set CHROMIUM "
    "to the path of one."
)
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_MAC_APPLICATIONS = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
_PLAYWRIGHT_PATTERNS = (
    "chromium-*/chrome-linux*/chrome",
    "chromium-*/chrome-mac*/Chromium.app/Contents/MacOS/Chromium",
    "chromium-*/chrome-mac*/Google Chrome for Testing.app/Contents/MacOS/*",
)
_PACKAGES = ("chromium", "fonts-noto-cjk")


class NoBrowserError(Exception):
    """No Chromium can be had; the message says how to get one."""


def find_chromium() -> Path:
    """Return the Chromium to use; raise NoBrowserError when there is none that runs."""
    for candidate in _candidates():
        if _runs(candidate):
            return candidate
    raise NoBrowserError(NO_BROWSER)


def _candidates() -> list[Path]:
    named = os.environ.get("CHROMIUM", "")
    if named:
        return [Path(named)]
    on_path = [shutil.which(name) for name in _NAMES]
    paths = [Path(found) for found in on_path if found]
    paths += [Path(application) for application in _MAC_APPLICATIONS]
    for cache in _playwright_caches():
        for pattern in _PLAYWRIGHT_PATTERNS:
            paths += sorted(cache.glob(pattern), reverse=True)
    return [path for path in paths if path.is_file()]


def _playwright_caches() -> list[Path]:
    named = os.environ.get("PLAYWRIGHT_BROWSERS_PATH", "")
    home = Path.home()
    usual = [home / ".cache" / "ms-playwright", home / "Library" / "Caches" / "ms-playwright"]
    return [Path(named)] if named else usual


def _runs(program: Path) -> bool:
    try:
        result = subprocess.run(
            [str(program), "--version"], capture_output=True, check=False, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return result.returncode == 0


def ensure_chromium() -> Path:
    """Return a Chromium, after installing Debian's (and Chinese fonts) when that is allowed.

    Raises NoBrowserError when none can be had.
    """
    try:
        chromium = find_chromium()
    except NoBrowserError:
        if not _may_install():
            raise
        _install(_PACKAGES)
        return find_chromium()
    if not _has_chinese_font() and _may_install():
        _install(_PACKAGES[1:])
    return chromium


def _has_chinese_font() -> bool:
    lister = shutil.which("fc-list")
    if lister is None:
        return sys.platform == "darwin"
    result = subprocess.run([lister, ":lang=zh"], capture_output=True, check=False)
    return bool(result.stdout.strip())


def _may_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def _install(packages: tuple[str, ...]) -> None:
    print(f"· Installing {' and '.join(packages)}", flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages],
    ):
        result = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False
        )
        if result.returncode:
            print(f"{' '.join(command)} failed: {result.stderr.strip()}", file=sys.stderr)


def main() -> int:
    """Make sure of a browser; without one say so: the tests that need it will fail, not vanish."""
    try:
        ensure_chromium()
    except NoBrowserError as error:
        print(error, file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
