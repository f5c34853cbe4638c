"""An Elasticsearch to look into from the side, and a place on it for one test."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import elasticsearch
import numpy as np
import pytest


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20261)


@pytest.fixture
def raw(elasticsearch_url: str) -> Iterator[elasticsearch.Elasticsearch]:
    """A client of the server that knows nothing of us."""
    with elasticsearch.Elasticsearch(elasticsearch_url) as client:
        yield client


@pytest.fixture
def location(elasticsearch_url: str, raw: elasticsearch.Elasticsearch) -> Iterator[str]:
    """The address of an index that is not there yet; whatever is there after the test is removed."""
    name = f"test-{uuid4().hex}"
    yield f"{elasticsearch_url}/{name}"
    if left := ",".join(raw.indices.get(index=f"{name}*").body):
        raw.indices.delete(index=left)
