"""Whose account is this: people by the bank card that they gave, without telling its number."""

from __future__ import annotations

import hmac
from collections import defaultdict
from collections.abc import Collection

from accounts.models import BorrowerProfile


def holders_of_cards(card_numbers: Collection[str]) -> dict[str, tuple[int, ...]]:
    """Return the keys of the people who have one of these numbers on file, by number.

    The numbers are stored encrypted: those with the same last four digits are read and compared.
    """
    wanted: dict[str, list[str]] = defaultdict(list)
    for number in {each for each in card_numbers if each}:
        wanted[number[-4:]].append(number)
    profiles = BorrowerProfile.objects.filter(bank_card_last_four__in=wanted)
    holders: dict[str, list[int]] = defaultdict(list)
    for key, held, last_four in profiles.order_by("pk").values_list(
        "user_id", "bank_card_number", "bank_card_last_four"
    ):
        for number in wanted[last_four]:
            if hmac.compare_digest(held.encode(), number.encode()):
                holders[number].append(key)
    return {number: tuple(keys) for number, keys in holders.items()}
