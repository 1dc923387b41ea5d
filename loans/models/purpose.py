"""What a loan is for, in words. The policy of `risk` says what follows from each code."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from loans.models.product import Scenario

PURPOSE_LABELS: dict[str, str | Promise] = {
    "DAILY_NEEDS": _("Daily needs"),
    "MEDICAL": _("Doctor, hospital, medicine"),
    "EDUCATION": _("Learning and training"),
    "RENT_AND_MOVING": _("Rent, deposit, moving"),
    "HOME_RENOVATION": _("Repairs at home"),
    "APPLIANCES": _("Household appliances"),
    "SHOPPING": _("A larger purchase"),
    "VEHICLE_REPAIR": _("Repair of a car, scooter or bicycle"),
    "WEDDING": _("A wedding"),
    "FAMILY_SUPPORT": _("Helping parents or children"),
    "TRAVEL": _("A journey"),
    "REPAY_OTHER_DEBT": _("Paying back another debt"),
    "HOUSE_PURCHASE": _("Buying a home"),
    "DOWN_PAYMENT": _("Down payment on a home"),
    "MORTGAGE_PAYMENT": _("Mortgage payments"),
    "SHARES": _("Shares"),
    "BONDS_AND_FUNDS": _("Bonds and funds"),
    "FUTURES_AND_DERIVATIVES": _("Futures and derivatives"),
    "ASSET_MANAGEMENT": _("Wealth-management products"),
    "EQUITY_INVESTMENT": _("A share in a company"),
    "FIXED_ASSETS": _("Machines or property for a business"),
    "CRYPTO_ASSETS": _("Crypto-assets"),
    "INVESTMENT": _("An investment"),
    "GAMBLING": _("Gambling"),
    "OTHER": _("Something else"),
}

# What the page offers: everything allowed, and the plans that people have and we must refuse.
OFFERED_PURPOSES = (
    "DAILY_NEEDS",
    "MEDICAL",
    "EDUCATION",
    "RENT_AND_MOVING",
    "HOME_RENOVATION",
    "APPLIANCES",
    "VEHICLE_REPAIR",
    "WEDDING",
    "FAMILY_SUPPORT",
    "TRAVEL",
    "SHOPPING",
    "REPAY_OTHER_DEBT",
    "HOUSE_PURCHASE",
    "SHARES",
    "INVESTMENT",
    "OTHER",
)

# A loan that a merchant receives has the purpose of its scenario.
SCENARIO_PURPOSES = {
    Scenario.SHOPPING: "SHOPPING",
    Scenario.TRAVEL: "TRAVEL",
    Scenario.MEDICAL: "MEDICAL",
    Scenario.EDUCATION: "EDUCATION",
}
