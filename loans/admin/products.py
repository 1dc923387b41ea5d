"""Products, their dated versions and the merchants."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from loans.models import Merchant, Product, ProductVersion
from zhixin.shared.admin import ReadOnlyTabularInline


class ProductVersionInline(ReadOnlyTabularInline):
    """The rules of the product by date; a version never changes."""

    model = ProductVersion
    fields = (
        "number",
        "effective_from",
        "minimum_amount",
        "maximum_amount",
        "installment_counts",
        "methods",
        "penalty_uplift",
        "penalty_grace_days",
        "all_in_cap",
    )
    ordering = ("-number",)


@admin.register(Product)
class ProductAdmin(ModelAdmin):
    """Names, summaries and whether a product is offered."""

    list_display = ("name_en", "name_zh", "scenario", "position", "active")
    list_filter = ("scenario", "active")
    readonly_fields = ("code", "scenario")
    inlines = (ProductVersionInline,)
    ordering = ("position",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False: a product comes with its version, by the catalog."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Product | None = None) -> bool:
        """Return False: a product is taken off the list by its mark."""
        return False


@admin.register(Merchant)
class MerchantAdmin(ModelAdmin):
    """Who is paid by scenario loans. The account is shown by its last digits only."""

    list_display = ("name_en", "name_zh", "scenario", "account", "active")
    list_filter = ("scenario", "active")
    fields = ("name_en", "name_zh", "scenario", "account", "active")
    readonly_fields = ("scenario", "account")

    @admin.display(description=_("account"))
    def account(self, merchant: Merchant) -> str:
        """Return holder and last four digits."""
        return f"{merchant.account_name} ···· {merchant.card_number[-4:]}"

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False: a merchant is taken on by contract, through the catalog."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Merchant | None = None) -> bool:
        """Return False: loans point to it."""
        return False
