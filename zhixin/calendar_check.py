"""A system check that tells the operator when the announced business calendar is missing."""

from __future__ import annotations

from django.core.checks import CheckMessage, Warning, register  # noqa: A004 - Django's name.

from zhixin.shared.business_days import BusinessCalendar, missing_year
from zhixin.shared.clock import local_today


@register()
def business_calendar_is_announced(**_options: object) -> list[CheckMessage]:
    """Warn when the running year, or from December on the next, is not in the library."""
    year = missing_year(local_today(), calendar=BusinessCalendar.CN)
    if year is None:
        return []
    return [
        Warning(
            f"The business calendar of {year} is not in the library `holidays` yet.",
            hint="Upgrade it (make lock). Until then due dates shift off weekends and statutory "
            "holidays only, without the announced exchange of working days.",
            id="zhixin.W001",
        )
    ]
