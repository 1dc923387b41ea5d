"""The import contracts hold, and each is able to fail: a copy of the house gets breaches."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("zhixin", "accounts", "risk", "loans", "collections_app", "education")

# Contract id → (file to write, the import that breaks it).
BREACHES = {
    "stack": ("loans/services/breach_stack.py", "import collections_app.services\n"),
    "layers": ("risk/services/breach_layers.py", "import risk.admin\n"),
    "pure": ("loans/engine/breach_pure.py", "import django.db\n"),
    "ledger": ("collections_app/services/breach_ledger.py", "import loans.services.ledger\n"),
    "tables": ("education/selectors/breach_tables.py", "import loans.models\n"),
    "clock": ("accounts/access/breach_clock.py", "import zhixin.shared.clock\n"),
    "outside": ("zhixin/sandbox/breach_outside.py", "import accounts.models\n"),
}
STRAY = ("loans/helpers.py", '"""A module with no place in the layers."""\n')


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache", "--config", "pyproject.toml"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("house")
    ignore = shutil.ignore_patterns("__pycache__", "*.html", "content", "policies")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, copy / package, ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", copy / "pyproject.toml")
    return copy


def contract_names() -> dict[str, str]:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return {c["id"]: c["name"] for c in config["tool"]["importlinter"]["contracts"]}


def test_every_contract_has_a_breach_that_it_is_tried_with() -> None:
    assert set(BREACHES) == set(contract_names())


def test_the_contract_of_the_clock_names_every_module_below_the_interface() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = config["tool"]["importlinter"]["contracts"]
    (clock,) = (contract for contract in contracts if contract["id"] == "clock")
    assert set(clock["source_modules"]) == modules_below_the_interface()


def modules_below_the_interface() -> set[str]:
    """Return the layers of each app that may not know the time, and what the apps share."""
    layers = {"engine", "models", "selectors", "access", "services", "forms"}
    modules = {
        f"{app}.{path.stem}"
        for app in PACKAGES
        for path in (ROOT / app).iterdir()
        if path.stem in layers
    }
    shared = {path.stem for path in (ROOT / "zhixin/shared").iterdir()} - {"clock"}
    return modules | {f"zhixin.shared.{name}" for name in shared if not name.startswith("_")}


def test_the_house_keeps_all_contracts(house: Path) -> None:
    result = lint(house)
    assert result.returncode == 0, result.stdout


def test_each_breach_breaks_its_contract(house: Path) -> None:
    for path, breach in BREACHES.values():
        file = house / path
        if not file.parent.is_dir():
            # A layer that is one module: the breach stands at the end of it.
            file = file.parent.with_suffix(".py")
        with file.open("a", encoding="utf-8") as source:
            source.write(breach)
    result = lint(house)
    assert result.returncode == 1
    for contract, name in contract_names().items():
        assert f"{name} BROKEN" in result.stdout, contract
        breaker = BREACHES[contract][0].removesuffix(".py").replace("/", ".")
        # Where a layer is one module, the breach stands in the layer itself.
        names = (breaker, breaker.rpartition(".")[0])
        report = result.stdout.split("Broken contracts", 1)[1]
        assert any(f"{module} ->" in report for module in names), contract


def test_a_module_without_a_place_in_the_layers_is_caught(house: Path) -> None:
    (house / STRAY[0]).write_text(STRAY[1], encoding="utf-8")
    result = lint(house)
    (house / STRAY[0]).unlink()
    assert "loans.helpers" in result.stdout
    assert result.returncode == 1
