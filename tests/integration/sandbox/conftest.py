"""The sandbox world as fixtures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.sandbox.sandbox_world import World, running_world
from zhixin.sandbox.keys import ensure_keys


@pytest.fixture(scope="session")
def keys_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys take a moment to make; all banks of a run share them."""
    path = tmp_path_factory.mktemp("keys")
    ensure_keys(path)
    return path


@pytest.fixture
def world(tmp_path: Path, keys_dir: Path) -> Iterator[World]:
    """A bank of the test's own."""
    with running_world(tmp_path / "bank", keys_dir=keys_dir) as world:
        yield world


@pytest.fixture(scope="module")
def closed_world(tmp_path_factory: pytest.TempPathFactory, keys_dir: Path) -> Iterator[World]:
    """One bank for the tests that it refuses: none of them leaves anything behind."""
    path = tmp_path_factory.mktemp("closed") / "bank"
    with running_world(path, keys_dir=keys_dir) as world:
        yield world
        assert world.book()["orders"] == []
