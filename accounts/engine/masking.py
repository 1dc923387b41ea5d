"""How personal data is shown: enough to recognize, too little to use."""

from __future__ import annotations


def mask_middle(text: str, *, keep_start: int, keep_end: int) -> str:
    """Return `text` with everything but its two ends replaced by stars.

    Text too short to keep both ends is hidden entirely.

    >>> mask_middle("330102199001011234", keep_start=4, keep_end=4)
    '3301**********1234'
    """
    hidden = len(text) - keep_start - keep_end
    if hidden <= 0:
        return "*" * len(text)
    return text[:keep_start] + "*" * hidden + text[len(text) - keep_end :]


def mask_phone(phone: str) -> str:
    """Return a phone number with its middle hidden; Chinese mobile numbers lose their +86.

    >>> mask_phone("+8613800138000")
    '138****8000'
    """
    national = phone.removeprefix("+86")
    return mask_middle(national, keep_start=3, keep_end=4)


def mask_email(email: str) -> str:
    """Return an e-mail address with all but the first letter of its name hidden.

    >>> mask_email("lihua@example.com")
    'l****@example.com'
    """
    name, _, domain = email.partition("@")
    return f"{name[:1]}{'*' * 4}@{domain}"


def mask_id_number(id_number: str) -> str:
    """Return a resident ID number with its birth date and sex hidden.

    >>> mask_id_number("330102199001011234")
    '3301**********1234'
    """
    return mask_middle(id_number, keep_start=4, keep_end=4)
