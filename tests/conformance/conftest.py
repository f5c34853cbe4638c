"""Each test of this folder runs over both indices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from facsimile.search.errors import StoreError
from facsimile.search.index.base import Index, Signatures
from facsimile.search.index.elastic.index import ElasticIndex
from facsimile.search.index.embedded.index import EmbeddedIndex
from tests.support.records import SIGNATURES

KINDS: dict[str, type[EmbeddedIndex] | type[ElasticIndex]] = {
    "embedded": EmbeddedIndex,
    "elastic": ElasticIndex,
}


class Place:
    """Where one kind of index lives; makes and opens it."""

    def __init__(self, kind: str, location: str) -> None:
        self.location = location
        self._class = KINDS[kind]
        self._opened: list[Index] = []

    def create(self, signatures: Signatures = SIGNATURES) -> Index:
        return self._kept(self._class.create(self.location, signatures))

    def open(self, signatures: Signatures | None = SIGNATURES) -> Index:
        return self._kept(self._class.open(self.location, signatures))

    def _kept(self, index: Index) -> Index:
        self._opened.append(index)
        return index

    def clear(self) -> None:
        for index in self._opened:
            index.close()
        try:
            self._class.open(self.location, None).destroy()
        except StoreError:
            assert not self._opened, "an index that was made could not be destroyed"


@pytest.fixture
def place_of(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], Place]]:
    """Gives the place of a kind of index."""
    places: list[Place] = []

    def make(kind: str) -> Place:
        if kind == "embedded":
            location = str(tmp_path / "index")
        else:
            location = f"{request.getfixturevalue('elasticsearch_url')}/conformance-{uuid4().hex}"
        places.append(Place(kind, location))
        return places[-1]

    yield make
    for each in places:
        each.clear()


@pytest.fixture(params=list(KINDS))
def place(request: pytest.FixtureRequest, place_of: Callable[[str], Place]) -> Place:
    return place_of(request.param)


@pytest.fixture
def index(place: Place) -> Index:
    """An empty index of hashes and vectors."""
    return place.create()


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20260)
