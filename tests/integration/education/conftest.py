"""The pages show the product that ships: its catalog and its policy."""

from __future__ import annotations

import pytest
from django.core.management import call_command


@pytest.fixture(autouse=True)
def _offered_products(db: None) -> None:
    call_command("load_policies", verbosity=0)
    call_command("load_products", verbosity=0)
