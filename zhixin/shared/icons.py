"""The icons of the pages: 24 by 24, drawn with one stroke of the text's color.

Each value is the inside of an <svg>, written here and nowhere else, so it is safe to print.
"""

from __future__ import annotations

ICONS: dict[str, str] = {
    "alert": '<path d="M12 3.5 21.5 20h-19z"/><path d="M12 10v4.5M12 17.3v.2"/>',
    "arrow-left": '<path d="M19 12H5M11 6l-6 6 6 6"/>',
    "arrow-right": '<path d="M5 12h14M13 6l6 6-6 6"/>',
    "bank": '<path d="M3.5 9.5 12 4l8.5 5.5zM5 20h14M7 10v7M12 10v7M17 10v7"/>',
    "book": (
        '<path d="M12 6.5C10 5 7 4.5 3.5 4.8v13.4c3.5-.3 6.5.2 8.5 1.8 2-1.6 5-2.1 8.5-1.8'
        'V4.8C17 4.5 14 5 12 6.5zM12 6.5V20"/>'
    ),
    "calculator": (
        '<rect x="5" y="3" width="14" height="18" rx="2.5"/>'
        '<path d="M8.5 7.5h7M8.5 12h.2M12 12h.2M15.4 12h.2M8.5 16.5h.2M12 16.5h.2M15.4 16.5h.2"/>'
    ),
    "calendar": (
        '<rect x="3.5" y="5" width="17" height="15.5" rx="2.5"/><path d="M3.5 10h17M8 3v4M16 3v4"/>'
    ),
    "chat": (
        '<path d="M4 5.5h16a1 1 0 0 1 1 1V16a1 1 0 0 1-1 1h-8l-4.5 3.5V17H4a1 1 0 0 1-1-1V6.5'
        'a1 1 0 0 1 1-1z"/>'
    ),
    "check": '<path d="m5 12.5 4.5 4.5L19 7"/>',
    "check-circle": '<circle cx="12" cy="12" r="9"/><path d="m8 12.3 2.8 2.8L16 9.5"/>',
    "chevron-down": '<path d="m6 9.5 6 6 6-6"/>',
    "chevron-left": '<path d="m14.5 6-6 6 6 6"/>',
    "chevron-right": '<path d="m9.5 6 6 6-6 6"/>',
    "clock": '<circle cx="12" cy="12" r="9"/><path d="M12 7v5.2l3.3 2"/>',
    "close": '<path d="m6 6 12 12M18 6 6 18"/>',
    "download": '<path d="M12 4v11M7 10.5l5 5 5-5M4.5 20h15"/>',
    "edit": '<path d="m4 20 1-4.5L16 4.5l3.5 3.5-11 11zM13.5 7l3.5 3.5"/>',
    "eye": (
        '<path d="M2.5 12C4.5 8 8 5.8 12 5.8S19.5 8 21.5 12c-2 4-5.5 6.2-9.5 6.2S4.5 16 2.5 12z"/>'
        '<circle cx="12" cy="12" r="3"/>'
    ),
    "file": '<path d="M6 3h8l4.5 4.5V21H6zM14 3v4.5h4.5M9 12.5h6.5M9 16.5h6.5"/>',
    "globe": (
        '<circle cx="12" cy="12" r="9"/><path d="M3 12h18M12 3c2.7 2.6 4 5.6 4 9s-1.3 6.4-4 9'
        'c-2.7-2.6-4-5.6-4-9s1.3-6.4 4-9z"/>'
    ),
    "help": (
        '<circle cx="12" cy="12" r="9"/><circle cx="12" cy="12" r="3.6"/>'
        '<path d="m5.7 5.7 3.7 3.7M14.6 14.6l3.7 3.7M18.3 5.7l-3.7 3.7M9.4 14.6l-3.7 3.7"/>'
    ),
    "home": '<path d="M3.5 11.5 12 4l8.5 7.5M6 9.5V20h12V9.5M10 20v-5.5h4V20"/>',
    "info": '<circle cx="12" cy="12" r="9"/><path d="M12 11v5.5M12 7.6v.2"/>',
    "loans": (
        '<rect x="3" y="6" width="18" height="13.5" rx="2.5"/><path d="M3 10.5h18M7 15.5h4"/>'
    ),
    "lock": (
        '<rect x="5" y="10.5" width="14" height="10" rx="2.5"/>'
        '<path d="M8 10.5V7.8a4 4 0 0 1 8 0v2.7"/>'
    ),
    "mail": '<rect x="3" y="5" width="18" height="14" rx="2.5"/><path d="m4 7 8 6 8-6"/>',
    "minus": '<path d="M5 12h14"/>',
    "person": '<circle cx="12" cy="8" r="4"/><path d="M4.5 20.5c.7-4 3.6-6 7.5-6s6.8 2 7.5 6"/>',
    "phone": '<rect x="7" y="2.5" width="10" height="19" rx="2.5"/><path d="M11 18.3h2"/>',
    "plus": '<path d="M12 5v14M5 12h14"/>',
    "print": (
        '<path d="M7 8.5V3.5h10v5M7 17H4.5a1 1 0 0 1-1-1V9.5a1 1 0 0 1 1-1h15a1 1 0 0 1 1 1V16'
        'a1 1 0 0 1-1 1H17"/><path d="M7 14h10v6.5H7z"/>'
    ),
    "shield": '<path d="M12 3 4.5 6v5.5c0 4.6 3 7.9 7.5 9.5 4.5-1.6 7.5-4.9 7.5-9.5V6z"/>'
    '<path d="m8.7 12 2.4 2.4 4.3-4.6"/>',
    "upload": '<path d="M12 15.5v-11M7 9l5-5 5 5M4.5 20h15"/>',
}


def icon_svg(name: str) -> str:
    """Return the inline SVG of the icon `name`, hidden from screen readers.

    Raises KeyError for a name that is not drawn.
    """
    return (
        f'<svg class="icon icon--{name}" viewBox="0 0 24 24" width="24" height="24" fill="none"'
        ' stroke="currentColor" stroke-width="1.75" stroke-linecap="round"'
        f' stroke-linejoin="round" aria-hidden="true" focusable="false">{ICONS[name]}</svg>'
    )
