"""Debian's Chromium, headless, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import ConsoleMessage, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from tests.support.process import ServiceUnavailable

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

#: milliseconds for one step, and for what a page does by itself
TIMEOUT = 30_000

#: The value of an expression once it is true, or at the timeout. Playwright's own wait evaluates text in the
#: page, which the policies of our pages forbid.
POLL = f"""(async () => {{
  const end = performance.now() + {TIMEOUT};
  for (;;) {{
    const found = await (async () => (EXPRESSION))();
    if (found || performance.now() > end) return found;
    await new Promise((resume) => setTimeout(resume, 30));
  }}
}})()"""


class Browser:
    """A Chromium. Playwright keeps an event loop in the thread that starts it, until `stop`."""

    def __init__(self) -> None:
        program = next(filter(None, map(shutil.which, NAMES)), None)
        if program is None:
            raise ServiceUnavailable("the tests of pages need chromium: install Debian's package chromium")
        self._driver = sync_playwright().start()
        try:
            self._chromium = self._driver.chromium.launch(
                executable_path=program,
                chromium_sandbox=os.geteuid() != 0,
                args=["--force-color-profile=srgb", "--hide-scrollbars"],
            )
        except PlaywrightError as error:
            self._driver.stop()
            raise ServiceUnavailable(f"{program} does not start: {error}") from error

    def page(self, url: str, *, width: int = 1280, height: int = 900) -> Page:
        """A page at an address, in a context of its own, with nothing stored."""
        page = Page(self._chromium.new_context(viewport={"width": width, "height": height}))
        page.open(url)
        return page

    def stop(self) -> None:
        """End the browser."""
        self._chromium.close()
        self._driver.stop()


class Page:
    """One tab; `complaints` are errors of scripts and violations of the Content-Security-Policy."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._context.set_default_timeout(TIMEOUT)
        self._page = context.new_page()
        self.complaints: list[str] = []
        self.requested: list[str] = []
        self._page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self._page.on("console", self._on_console)
        self._page.on("request", lambda request: self.requested.append(request.url))

    def _on_console(self, message: ConsoleMessage) -> None:
        """Note errors and warnings; responses of the server with an error status are none."""
        failed_response = message.text.startswith("Failed to load resource")
        if message.type in ("error", "warning") and not failed_response:
            self.complaints.append(message.text)

    def open(self, url: str) -> None:
        """Load an address, and wait until its scripts have run."""
        self._page.goto(url)

    def run(self, expression: str) -> Any:
        """The value of JavaScript, awaited where it is a promise."""
        return self._page.evaluate(expression)

    def until(self, expression: str) -> Any:
        """The value of JavaScript as soon as it is true."""
        poll = POLL.replace("EXPRESSION", expression)
        try:
            found = self.run(poll)
        except PlaywrightError as error:
            if "navigation" not in error.message:
                raise
            self._page.wait_for_load_state()
            found = self.run(poll)
        assert found, f"never true: {expression}\n{self.run('document.body.innerText')}"
        return found

    def text(self, selector: str) -> str:
        """What an element shows."""
        return str(self._page.locator(selector).first.inner_text())

    def press(self, key: str, times: int = 1) -> None:
        """Press a key by its name, such as `Shift+Tab`."""
        for _ in range(times):
            self._page.keyboard.press(key)

    def write(self, text: str) -> None:
        """Type a text where the focus is."""
        self._page.keyboard.insert_text(text)

    def fill(self, selector: str, text: str) -> None:
        """Type a text into a field."""
        self._page.locator(selector).fill(text)

    def click(self, selector: str) -> None:
        """Click an element, wherever it is scrolled to."""
        self._page.locator(selector).first.evaluate("element => element.click()")

    def choose(self, selector: str, *files: Path) -> None:
        """Choose files in a field, as its dialog would."""
        self._page.set_input_files(selector, list(files))

    def allow_clipboard(self) -> None:
        """Let the page read and write the clipboard."""
        self._context.grant_permissions(["clipboard-read", "clipboard-write"])

    def resize(self, width: int, height: int) -> None:
        """Show the page in a window of this size, in CSS pixels."""
        self._page.set_viewport_size({"width": width, "height": height})

    def prefer(self, *, scheme: Any = None, motion: Any = None) -> None:
        """Set what the user prefers: the scheme `light` or `dark`, the motion `reduce` or `no-preference`."""
        self._page.emulate_media(color_scheme=scheme, reduced_motion=motion)

    def print_pages(self) -> bytes:
        """The page as a PDF."""
        return bytes(self._page.pdf())

    def accessibility_tree(self) -> list[dict[str, Any]]:
        """The nodes that assistive software sees."""
        session = self._context.new_cdp_session(self._page)
        session.send("Accessibility.enable")
        nodes: list[dict[str, Any]] = session.send("Accessibility.getFullAXTree")["nodes"]
        session.detach()
        return nodes

    def screenshot(self, file: Path, *, whole: bool = False) -> None:
        """Write what is seen as a PNG."""
        self._page.screenshot(path=file, full_page=whole)

    def close(self) -> None:
        """Close the tab and its context."""
        self._context.close()


#: opens pages; see the fixture `visit`
Open = Callable[..., Page]
