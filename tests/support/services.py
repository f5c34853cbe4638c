"""Services for the tests: real ones, started once per session."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import Browser, Open, Page
from tests.support.elasticsearch_node import ElasticsearchNode
from tests.support.process import ServiceUnavailable
from tests.support.redis_server import RedisServer


def unavailable(reason: str) -> None:
    """A missing service is a skip on a laptop and a failure in CI."""
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def own_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ElasticsearchNode]:
    """The node of this process, started at its first use: a Java takes seconds and a gigabyte."""
    node = ElasticsearchNode(tmp_path_factory.mktemp("elasticsearch"))
    try:
        node.start()
    except ServiceUnavailable as reason:
        unavailable(str(reason))
    yield node
    node.stop()


@pytest.fixture(scope="session")
def elasticsearch_url(request: pytest.FixtureRequest) -> str:
    """The address of an Elasticsearch: of `FACSIMILE_TEST_ELASTICSEARCH`, or of the node of this process."""
    if address := os.environ.get("FACSIMILE_TEST_ELASTICSEARCH"):
        return address.rstrip("/")
    node: ElasticsearchNode = request.getfixturevalue("own_node")
    return node.url


@pytest.fixture
def elasticsearch_node(own_node: ElasticsearchNode) -> Iterator[ElasticsearchNode]:
    """A node that a test may stop, kill and start again; give its indices names of their own.

    It is the one of this process: what other tests keep there survives, since it has their data on disk.
    """
    yield own_node
    if own_node.process is None:
        own_node.start()


@pytest.fixture
def configured_node(tmp_path: Path) -> Iterator[Callable[[dict[str, str]], ElasticsearchNode]]:
    """Starts a node with settings."""
    nodes: list[ElasticsearchNode] = []

    def start(settings: dict[str, str]) -> ElasticsearchNode:
        nodes.append(ElasticsearchNode(tmp_path / "node", settings=settings))
        try:
            return nodes[-1].start()
        except ServiceUnavailable as reason:
            unavailable(str(reason))
            raise

    yield start
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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium, whose pages share nothing.

    It ends with its module: while it runs, its driver keeps an event loop in this thread, so that other tests
    can start none.
    """
    try:
        started = Browser()
    except ServiceUnavailable as reason:
        unavailable(str(reason))
        raise
    yield started
    started.stop()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Open]:
    """Opens pages; none of them may violate its policy, have an error, or ask another host."""
    pages: list[Page] = []

    def begin(url: str, **options: Any) -> Page:
        pages.append(browser.page(url, **options))
        return pages[-1]

    yield begin
    for page in pages:
        assert page.complaints == []
        page.close()
