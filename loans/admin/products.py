"""Products, their dated versions and the merchants."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from loans.engine.terms import Bucket, Method
from loans.models import Merchant, Product, ProductVersion
from loans.models.application import METHOD_LABELS
from zhixin.shared.admin import ReadOnlyTabularInline, rate_column


class ProductVersionInline(ReadOnlyTabularInline):
    """The rules of the product by date; a version never changes."""

    model = ProductVersion
    fields = (
        "number",
        "effective_from",
        "minimum_amount",
        "maximum_amount",
        "installment_counts",
        "shown_methods",
        "shown_uplift",
        "penalty_grace_days",
        "shown_cap",
        "shown_allocation",
        "calendar",
    )
    readonly_fields = ("shown_methods", "shown_uplift", "shown_cap", "shown_allocation")
    shown_uplift = rate_column("penalty_uplift", _("penalty on top of the rate"))
    shown_cap = rate_column("all_in_cap", _("most that a loan may cost a year"))
    ordering = ("-number",)

    @admin.display(description=_("methods"))
    def shown_methods(self, version: ProductVersion) -> str:
        """Return the ways to repay, in words."""
        return ", ".join(str(METHOD_LABELS[Method(name)]) for name in version.methods)

    @admin.display(description=_("what a payment goes to, in order"))
    def shown_allocation(self, version: ProductVersion) -> str:
        """Return the order of the buckets, and the order of late loans by their days."""
        orders = [_order(version.allocation)]
        orders += [
            _("from day %(days)d past due: %(order)s")
            % {"days": rule["from_days_past_due"], "order": _order(rule["order"])}
            for rule in version.late_allocation
        ]
        return "; ".join(orders)


def _order(buckets: list[str]) -> str:
    return " → ".join(str(BUCKET_LABELS[Bucket(bucket)]) for bucket in buckets)


BUCKET_LABELS = {
    Bucket.PRINCIPAL: _("principal"),
    Bucket.INTEREST: _("interest"),
    Bucket.FEES: _("fees"),
    Bucket.PENALTY: _("penalty interest"),
}


@admin.register(Product)
class ProductAdmin(ModelAdmin):
    """Names, summaries and whether a product is offered."""

    list_display = ("shown_name", "scenario", "position", "active")
    list_filter = ("scenario", "active")
    readonly_fields = ("code", "scenario")
    inlines = (ProductVersionInline,)
    ordering = ("position",)

    @admin.display(description=_("name"))
    def shown_name(self, product: Product) -> str:
        """Return the name in the reader's language."""
        return product.name

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False: a product comes with its version, by the catalog."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Product | None = None) -> bool:
        """Return False: a product is taken off the list by its mark."""
        return False


@admin.register(Merchant)
class MerchantAdmin(ModelAdmin):
    """Who is paid by scenario loans. The account is shown by its last digits only."""

    list_display = ("shown_name", "scenario", "account", "active")
    list_filter = ("scenario", "active")
    fields = ("name_en", "name_zh", "scenario", "account", "active")
    readonly_fields = ("scenario", "account")

    @admin.display(description=_("name"))
    def shown_name(self, merchant: Merchant) -> str:
        """Return the name in the reader's language."""
        return merchant.name

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
