"""The shared fixtures: those of `tests.support`."""

from __future__ import annotations

import signal

pytest_plugins = (
    "tests.support.api_server",
    "tests.support.faulty_model",
    "tests.support.queue_site",
    "tests.support.services",
    "tests.support.web_server",
)


def pytest_configure() -> None:
    """Let Ctrl-C reach what the tests start: a shell's background job ignores it, and its children too."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
