"""Services for the tests: real ones, started once per session."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.elasticsearch_node import ElasticsearchNode, NodeUnavailable


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
    except NodeUnavailable as reason:
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
        except NodeUnavailable as reason:
            unavailable(str(reason))
            raise

    yield make
    for node in nodes:
        node.stop()
