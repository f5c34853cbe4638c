"""A real headless Chromium, driven over a pipe by the DevTools protocol, which needs no library."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

#: seconds for one command, and for what a page does by itself
PATIENCE = 30.0

#: what the protocol calls keys: their `code` and virtual key code, and the text that they write
KEYS = {
    "Tab": ("Tab", 9, ""),
    "Enter": ("Enter", 13, "\r"),
    "Space": ("Space", 32, " "),
    "Escape": ("Escape", 27, ""),
    "ArrowDown": ("ArrowDown", 40, ""),
    "ArrowUp": ("ArrowUp", 38, ""),
    "ArrowLeft": ("ArrowLeft", 37, ""),
    "ArrowRight": ("ArrowRight", 39, ""),
    "Home": ("Home", 36, ""),
    "End": ("End", 35, ""),
}

SHIFT = 8

#: becomes Chromium, which reads commands at 3 and writes answers at 4
HAND_OVER = (
    "import fcntl, os, sys; ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]; "
    "os.dup2(ends[0], 3); os.dup2(ends[1], 4); os.execv(sys.argv[3], sys.argv[3:])"
)


class BrowserUnavailable(Exception):
    """There is no Chromium here."""


class Browser:
    """A Chromium with a profile of its own in a folder."""

    def __init__(self, folder: Path) -> None:
        program = next(filter(None, map(shutil.which, NAMES)), None)
        if program is None:
            raise BrowserUnavailable("the tests of the page need chromium: install Debian's package chromium")
        commands, self._write = os.pipe()
        self._read, answers = os.pipe()
        self._buffer = b""
        self._count = 0
        self.events: list[dict[str, Any]] = []

        self._process = subprocess.Popen(
            [
                *(sys.executable, "-c", HAND_OVER, str(commands), str(answers)),
                program,
                "--headless=new",
                "--remote-debugging-pipe",
                f"--user-data-dir={folder}",
                "--no-first-run",
                "--no-default-browser-check",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
                "--force-color-profile=srgb",
                *(["--no-sandbox"] if os.geteuid() == 0 else []),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(commands, answers),
        )
        os.close(commands)
        os.close(answers)
        try:
            self.send("Browser.getVersion")
        except (AssertionError, OSError) as fault:
            raise BrowserUnavailable(f"{program} does not start: {fault}") from fault

    def send(self, method: str, session: str | None = None, **parameters: Any) -> Any:
        """The result of a command; what happens meanwhile is kept in `events`."""
        self._count += 1
        number = self._count
        message = {"id": number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + PATIENCE
        while True:
            answer = self._next(end)
            if answer.get("id") == number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self.events.append(answer)

    def _next(self, end: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            left = end - time.monotonic()
            assert left > 0, "the browser does not answer"
            assert select.select([self._read], [], [], left)[0], "the browser does not answer"
            data = os.read(self._read, 1 << 20)
            assert data, "the browser has ended"
            self._buffer += data
        message, _, self._buffer = self._buffer.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found

    def page(self, url: str, *, width: int = 1280, height: int = 900) -> Page:
        """A page in a session of its own, with nothing stored."""
        context = self.send("Target.createBrowserContext")["browserContextId"]
        target = self.send("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session, context)
        page.resize(width, height)
        page.open(url)
        return page

    def stop(self) -> None:
        """End the browser."""
        try:
            self.send("Browser.close")
            self._process.wait(10)
        except (AssertionError, OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        os.close(self._write)
        os.close(self._read)


class Page:
    """One tab."""

    def __init__(self, browser: Browser, session: str, context: str) -> None:
        self._browser = browser
        self._session = session
        self._context = context
        for domain in ("Page", "Runtime", "Log", "DOM"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: Any) -> Any:
        """The result of a command to this tab."""
        return self._browser.send(method, self._session, **parameters)

    def open(self, url: str) -> None:
        """Load an address, and wait until its scripts have run."""
        self.send("Page.navigate", url=url)
        self.until("document.readyState === 'complete'")

    def run(self, expression: str) -> Any:
        """The value of JavaScript, awaited where it is a promise."""
        answer = self.send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True, userGesture=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, expression: str) -> Any:
        """The value of JavaScript as soon as it is true."""
        end = time.monotonic() + PATIENCE
        while not (found := self.run(expression)):
            assert time.monotonic() < end, f"never true: {expression}\n{self.run('document.body.innerText')}"
            time.sleep(0.03)
        return found

    def text(self, selector: str) -> str:
        """What an element shows."""
        found: str = self.run(f"document.querySelector({json.dumps(selector)}).innerText")
        return found

    def press(self, key: str, times: int = 1, modifiers: int = 0, commands: Sequence[str] = ()) -> None:
        """Press a key, by its name."""
        code, number, text = KEYS.get(key, (f"Key{key.upper()}", ord(key[0].upper()), ""))
        name = {"Space": " "}.get(key, key)
        about = {
            "key": name,
            "code": code,
            "windowsVirtualKeyCode": number,
            "modifiers": modifiers,
        }
        down = {"type": "keyDown" if text else "rawKeyDown", "text": text, "commands": list(commands)}
        for _ in range(times):
            self.send("Input.dispatchKeyEvent", **about, **down)
            self.send("Input.dispatchKeyEvent", **about, type="keyUp")

    def write(self, text: str) -> None:
        """Type a text where the focus is."""
        self.send("Input.insertText", text=text)

    def fill(self, selector: str, text: str) -> None:
        """Type a text into a field."""
        name = json.dumps(selector)
        self.run(f"document.querySelector({name}).focus(); document.querySelector({name}).select()")
        assert self.run(f"document.activeElement === document.querySelector({name})"), f"{selector} is hidden"
        self.write(text)

    def click(self, selector: str) -> None:
        """Click an element."""
        self.run(f"document.querySelector({json.dumps(selector)}).click()")

    def choose(self, selector: str, *files: Path) -> None:
        """Choose files in a field, as its dialog would."""
        found = self.send("Runtime.evaluate", expression=f"document.querySelector({json.dumps(selector)})")
        self.send(
            "DOM.setFileInputFiles",
            files=[str(file) for file in files],
            objectId=found["result"]["objectId"],
        )

    def allow_clipboard(self) -> None:
        """Let the page read and write the clipboard."""
        permissions = ["clipboardReadWrite", "clipboardSanitizedWrite"]
        self._browser.send(
            "Browser.grantPermissions", permissions=permissions, browserContextId=self._context
        )

    def resize(self, width: int, height: int, *, scale: float = 1) -> None:
        """Show the page in a window of this size, in CSS pixels."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=False,
        )

    def prefer(self, **features: str) -> None:
        """Media features, with `_` for `-`: `prefers_color_scheme="dark"`."""
        told = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.send("Emulation.setEmulatedMedia", features=told)

    def screenshot(self, file: Path, *, whole: bool = False, quality: int | None = None) -> None:
        """Write what is seen as a PNG, or with a quality as a WebP."""
        form = {"format": "png"} if quality is None else {"format": "webp", "quality": quality}
        shot = self.send("Page.captureScreenshot", captureBeyondViewport=whole, **form)
        file.write_bytes(base64.b64decode(shot["data"]))

    @property
    def complaints(self) -> list[str]:
        """Errors of scripts, and what the policy forbade; answers of the server are none."""
        self.run("0")
        told = []
        for event in self._browser.events:
            if event.get("sessionId") != self._session:
                continue
            about = event.get("params", {})
            if event["method"] == "Runtime.exceptionThrown":
                told.append(json.dumps(about["exceptionDetails"]))
            entry = about.get("entry", {})
            if event["method"] == "Log.entryAdded" and entry["source"] != "network":
                told.append(entry["text"])
            if event["method"] == "Runtime.consoleAPICalled" and about["type"] in ("error", "warning"):
                told.append(json.dumps(about["args"]))
        return told

    def close(self) -> None:
        """Close the tab and forget its session."""
        self._browser.send("Target.disposeBrowserContext", browserContextId=self._context)
