"""The shared fixtures, those of `tests.support`, and the markers that follow from them."""

from __future__ import annotations

import signal

import pytest

pytest_plugins = (
    "tests.support.api_server",
    "tests.support.faulty_model",
    "tests.support.queue_site",
    "tests.support.services",
    "tests.support.web_server",
)

#: fixtures that start Elasticsearch, Redis or a browser
SERVICES = {
    *("browser", "configured_node", "elastic", "elasticsearch_node", "elasticsearch_url", "own_node"),
    *("redis_server", "redis_url"),
}

#: fixtures of which each use starts a process that imports the whole package
PROCESSES = {"embedded", "facsimile", "filled", "receiver", "serve", "shell"}


def pytest_configure() -> None:
    """Let Ctrl-C reach what the tests start: a shell's background job ignores it, and its children too."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a service and what starts processes, so that nobody has to remember it."""
    for item in items:
        used = set(getattr(item, "fixturenames", ()))
        callspec = getattr(item, "callspec", None)
        elastic = callspec is not None and "elastic" in map(str, callspec._idlist)
        if elastic or used & SERVICES:
            item.add_marker("service")
        if used & PROCESSES:
            item.add_marker("slow")
