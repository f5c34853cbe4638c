"""Services for the tests: real ones, started once per session."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.browser import Browser, BrowserUnavailable
from tests.support.elasticsearch_node import ElasticsearchNode
from tests.support.process import ServiceUnavailable
from tests.support.redis_server import RedisServer


def unavailable(reason: str) -> None:
    """A missing service is a skip on a laptop and a failure in CI."""
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def elasticsearch_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an Elasticsearch: that of `FACSIMILE_TEST_ELASTICSEARCH`, or a node of our own."""
    if address := os.environ.get("FACSIMILE_TEST_ELASTICSEARCH"):
        yield address.rstrip("/")
        return
    node = ElasticsearchNode(tmp_path_factory.mktemp("elasticsearch"))
    try:
        node.start()
    except ServiceUnavailable as reason:
        unavailable(str(reason))
    yield node.url
    node.stop()


@pytest.fixture
def elasticsearch_node(tmp_path: Path) -> Iterator[Callable[..., ElasticsearchNode]]:
    """Makes nodes that a test may stop, kill and start again; keyword arguments are those of the node."""
    nodes: list[ElasticsearchNode] = []

    def make(name: str = "node", **options: object) -> ElasticsearchNode:
        node = ElasticsearchNode(tmp_path / name, **options)  # type: ignore[arg-type]
        nodes.append(node)
        try:
            return node.start()
        except ServiceUnavailable as reason:
            unavailable(str(reason))
            raise

    yield make
    for node in nodes:
        node.stop()


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Redis: that of `FACSIMILE_TEST_REDIS`, or a server of our own."""
    if address := os.environ.get("FACSIMILE_TEST_REDIS"):
        yield address
        return
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    try:
        server.start()
    except ServiceUnavailable as reason:
        unavailable(str(reason))
    yield server.url
    server.stop()


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[Callable[..., RedisServer]]:
    """Makes servers that a test may stop, kill and start again; keyword arguments are those of the server."""
    servers: list[RedisServer] = []

    def make(name: str = "redis", **options: object) -> RedisServer:
        server = RedisServer(tmp_path / name, **options)  # type: ignore[arg-type]
        servers.append(server)
        try:
            return server.start()
        except ServiceUnavailable as reason:
            unavailable(str(reason))
            raise

    yield make
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A headless Chromium, whose pages share nothing."""
    try:
        started = Browser(tmp_path_factory.mktemp("browser"))
    except BrowserUnavailable as reason:
        unavailable(str(reason))
        raise
    yield started
    started.stop()
