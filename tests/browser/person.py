"""Somebody in front of a browser: opens, types, presses, and notices what is wrong with a page.

    mei = Person(browser, servers.url, name="mei", language="zh-CN")
    mei.open("/account/signup/")
    mei.type("phone", "13800138000")
    mei.send()

Fields are found by their names and pages by their addresses, so that the words may change.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Error,
    Locator,
    Page,
    Response,
    expect,
)

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}
PATIENCE_MS = 15_000
# Not the switch of languages in a page's head, nor the way out of the admin.
FORMS = "form:not([action*=setlang]):not([action*=logout])"
# Chromium says this of every answer of 400 and more; `_see_answer` judges those.
_LOAD_FAILED = "Failed to load resource"
_RAW_ENUM = re.compile(r"\b[A-Z]{3,}(?:_[A-Z]+)+\b")
_UNFILLED = re.compile(r"%\(|\{\{|\{%|lorem ipsum", re.IGNORECASE)
# A page that scrolls sideways, or text of two letters' width, does not fit a phone.
_OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


class Person:
    """A browser context of its own: cookies, language, size; and its one page."""

    def __init__(
        self,
        browser: Browser,
        url: str,
        *,
        name: str,
        language: str,
        size: dict[str, int] = PHONE,
        javascript: bool = True,
    ) -> None:
        self.name = name
        self.url = url
        self.problems: list[str] = []
        self.context = browser.new_context(
            base_url=url,
            locale=language,
            timezone_id="Asia/Shanghai",
            viewport=size,  # type: ignore[arg-type]  # Width and height.
            is_mobile=size is PHONE,
            has_touch=size is PHONE,
            device_scale_factor=2 if size is PHONE else 1,
            java_script_enabled=javascript,
            accept_downloads=True,
        )
        self.context.set_default_timeout(PATIENCE_MS)
        self.javascript = javascript
        self.page: Page = self.context.new_page()
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.problems.append(f"script: {error}"))
        self.page.on("response", self._see_answer)

    # --- What a person does -------------------------------------------------------------------

    def open(self, path: str, *, status: int = 200) -> Response:
        """Go to an address; the answer has to have `status`."""
        answer = self.page.goto(path)
        assert answer is not None
        assert answer.status == status, f"{path} answered {answer.status}, not {status}."
        self.look()
        return answer

    def field(self, name: str) -> Locator:
        """Return the field that is sent under `name`; a slider beside it is not meant."""
        return self.page.locator(f'{FORMS} [name="{name}"]:not([type=hidden])').first

    def type(self, name: str, text: str) -> None:
        """Type into a field."""
        self.field(name).fill(text)

    def choose(self, name: str, value: str) -> None:
        """Choose one of several: a card, or an entry of a list."""
        control = self.page.locator(f'{FORMS} select[name="{name}"]')
        if control.count():
            control.select_option(value)
            return
        self.page.locator(f'{FORMS} [name="{name}"][value="{value}"]').check(force=True)

    def tick(self, name: str) -> None:
        """Tick a box."""
        self.field(name).check(force=True)

    def send(self, form: str = FORMS, *, button: str = "button", status: int = 200) -> None:
        """Press the form's first button, and wait for the page that follows."""
        shown = self.page.locator(form).locator(f"{button}:visible:not([type=button])").first
        with self.page.expect_navigation() as navigation:
            shown.click()
        answer = navigation.value
        assert answer is not None
        assert answer.status == status, f"{answer.url} answered {answer.status}, not {status}."
        self.look()

    def follow(self, selector: str) -> None:
        """Press a link, found by its address."""
        with self.page.expect_navigation():
            self.page.locator(selector).first.click()
        self.look()

    # --- What a person sees -------------------------------------------------------------------

    @property
    def path(self) -> str:
        """Return the path of the page."""
        return urlsplit(self.page.url).path

    @property
    def text(self) -> str:
        """Return what can be read on the page."""
        return self.page.locator("body").inner_text()

    def sees(self, selector: str) -> Locator:
        """Wait until the first of these is visible, and return it."""
        found = self.page.locator(selector).first
        expect(found).to_be_visible(timeout=PATIENCE_MS)
        return found

    def sees_no(self, selector: str) -> None:
        """Make sure that there is nothing of the kind."""
        expect(self.page.locator(selector)).to_have_count(0)

    def arrives(self, pattern: str) -> re.Match[str]:
        """Wait until the path of the page matches."""
        self.page.wait_for_url(lambda url: re.fullmatch(pattern, urlsplit(url).path) is not None)
        found = re.fullmatch(pattern, self.path)
        assert found is not None
        self.look()
        return found

    def look(self) -> None:
        """Fail if something is wrong with the page, whatever it is about."""
        assert not self.problems, f"On {self.page.url}: " + "\n".join(self.problems)
        text = self.text
        for wrong in (_RAW_ENUM, _UNFILLED):
            found = wrong.search(text)
            assert found is None, f"{found.group()!r} stands on {self.page.url}"
        if self.javascript:
            wide = self.page.evaluate(_OVERFLOW)
            assert wide <= 1, f"{self.page.url} is {wide} px wider than the screen."

    # --- What goes wrong ----------------------------------------------------------------------

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error" and _LOAD_FAILED not in message.text:
            self.problems.append(f"console: {message.text}")

    def _see_answer(self, answer: Response) -> None:
        kind = answer.request.resource_type
        # 422: an answer has to be mended. A page may be missing; nothing that it loads may.
        bearable = {404, 403, 422} if kind == "document" else {422}
        if answer.status >= 400 and answer.status not in bearable:
            self.problems.append(f"{kind} {answer.url}: {answer.status}")

    @contextmanager
    def other_tab(self) -> Iterator[Page]:
        """Open a second tab of the same browser for a moment."""
        tab = self.context.new_page()
        try:
            yield tab
        finally:
            tab.close()

    def keep_evidence(self, folder: Path) -> None:
        """Save what is on the screen, and the page's source."""
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self.page.screenshot(path=folder / f"{self.name}.png", full_page=True)
            (folder / f"{self.name}.html").write_text(self.page.content(), encoding="utf-8")
        except Error as error:
            (folder / f"{self.name}.txt").write_text(str(error), encoding="utf-8")
