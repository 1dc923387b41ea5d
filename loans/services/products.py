"""Bring the catalog of products and merchants into the database; what is there stays."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.db import transaction

from loans.models import Merchant, Product, ProductVersion
from zhixin.shared.money import Money

CATALOG_PATH = Path(__file__).resolve().parents[1] / "catalog" / "products.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogLoad:
    """How many rows were missing and have been made."""

    products: int
    versions: int
    merchants: int


def load_catalog(*, path: Path = CATALOG_PATH) -> CatalogLoad:
    """Make the products, their versions and the merchants that are not there yet.

    Rows that exist are left as they are, whoever has changed them; running it again makes nothing.
    """
    catalog = json.loads(path.read_text(encoding="utf-8"))
    with transaction.atomic():
        made = [
            _load_product(entry, position, catalog["versions"])
            for position, entry in enumerate(catalog["products"], start=1)
        ]
        merchants = sum(_load_merchant(entry) for entry in catalog["merchants"])
    return CatalogLoad(
        products=sum(product for product, _versions in made),
        versions=sum(versions for _product, versions in made),
        merchants=merchants,
    )


def _load_product(
    entry: Mapping[str, Any], position: int, versions: Sequence[Mapping[str, Any]]
) -> tuple[bool, int]:
    names = ("scenario", "name_en", "name_zh", "summary_en", "summary_zh")
    product, made = Product.objects.get_or_create(
        code=entry["code"], defaults={"position": position} | {name: entry[name] for name in names}
    )
    return made, sum(_load_version(product, entry, version) for version in versions)


def _load_version(product: Product, entry: Mapping[str, Any], version: Mapping[str, Any]) -> bool:
    if ProductVersion.objects.filter(product=product, number=version["number"]).exists():
        return False
    ProductVersion.objects.create(
        product=product,
        number=version["number"],
        effective_from=datetime.date.fromisoformat(version["effective_from"]),
        minimum_amount=Money.parse(entry["minimum_amount"]),
        maximum_amount=Money.parse(entry["maximum_amount"]),
        installment_counts=entry["installment_counts"],
        methods=version["methods"],
        day_count=version["day_count"],
        rounding=version["rounding"],
        penalty_uplift=Decimal(version["penalty_uplift"]),
        penalty_grace_days=version["penalty_grace_days"],
        all_in_cap=Decimal(version["all_in_cap"]),
        allocation=version["allocation"],
        late_allocation=version["late_allocation"],
        calendar=version["calendar"],
    )
    return True


def _load_merchant(entry: Mapping[str, Any]) -> bool:
    _merchant, made = Merchant.objects.get_or_create(
        name_en=entry["name_en"],
        defaults={
            "scenario": entry["scenario"],
            "name_zh": entry["name_zh"],
            "account_name": entry["name_zh"],
            "card_number": entry["card_number"],
        },
    )
    return made
