"""Wait for a condition: the only way in which a test waits for another process or thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

Value = TypeVar("Value")

#: seconds until a test gives up; large, since a machine that is shared may be slow
TIMEOUT = 150.0


def wait_until(
    condition: Callable[[], Value],
    what: str | Callable[[], str] = "the condition",
    *,
    timeout: float = TIMEOUT,
    interval: float = 0.02,
    ignore: tuple[type[Exception], ...] = (),
) -> Value:
    """Evaluate `condition` until it is true, and return its value.

    Errors named by `ignore` count as false. Fails after `timeout` seconds; `what` says for what it waited,
    and may be a function that describes the state at that time.
    """
    deadline = time.monotonic() + timeout
    while True:
        with suppress(*ignore):
            if value := condition():
                return value
        if time.monotonic() > deadline:
            description = what if isinstance(what, str) else what()
            raise AssertionError(f"timed out after {timeout:g} s waiting for {description}")
        time.sleep(interval)
