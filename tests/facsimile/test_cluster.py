"""Three real nodes: what a cluster bears while images are stored, searched, scanned and indexed anew."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
from PIL import Image

import facsimile
from facsimile import Facsimile
from facsimile.reindex import reindex
from tests.support.elasticsearch_node import ElasticsearchCluster
from tests.support.pictures import synthetic
from tests.support.process import ServiceUnavailable
from tests.support.services import unavailable
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.service]

#: pictures of a test: several chunks, so that a node goes in their midst
PICTURES = 300

#: every so many of the pictures is searched for, and has a copy among the suspects
EVERY = 10


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ElasticsearchCluster]:
    started = ElasticsearchCluster(tmp_path_factory.mktemp("cluster") / "nodes")
    try:
        yield started.start()
    except ServiceUnavailable as reason:
        unavailable(str(reason))
    finally:
        started.stop()


@pytest.fixture(autouse=True)
def whole(cluster: ElasticsearchCluster) -> Iterator[None]:
    """Each test begins with all nodes."""
    yield
    for node in cluster.nodes:
        if node.process is None:
            node.launch()
    for node in cluster.nodes:
        node.wait()
    cluster.until_green()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(PICTURES):
        (folder / f"{number:04}.jpg").write_bytes(synthetic(number, (160, 120)))
    return folder


@pytest.fixture
def settings() -> facsimile.Settings:
    return facsimile.Settings(model="none", processes=1, elastic_shards=3, elastic_replicas=1)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """That of the test's own index."""
    return str(request.node.name).removeprefix("test_").replace("_", "-")


@pytest.fixture
def location(cluster: ElasticsearchCluster, name: str) -> str:
    return cluster.location(name)


@pytest.fixture
def library(
    cluster: ElasticsearchCluster, location: str, settings: facsimile.Settings
) -> Iterator[Facsimile]:
    """An empty index of three shards, each with a replica."""
    with facsimile.open(location, settings=settings) as opened:
        cluster.until_green()
        yield opened


class Once:
    """Does something when it was called so many times, and never again."""

    def __init__(self, times: int, action: Callable[[], object]) -> None:
        self._left = times
        self._action = action

    def __call__(self, *_: object) -> None:
        self._left -= 1
        if self._left == 0:
            self._action()

    @property
    def done(self) -> bool:
        return self._left <= 0


class Searches:
    """A program that searches without a pause for stored pictures; each search must find its picture."""

    def __init__(self, location: str, settings: facsimile.Settings, queries: list[Path]) -> None:
        self.answered = 0
        self.failed: list[str] = []
        self._queries = queries
        self._library = facsimile.open(location, create=False, settings=settings)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._end.is_set():
            query = self._queries[self.answered % len(self._queries)]
            try:
                found = self._library.search(query, verify=False)
                if not found or found[0].record.source != str(query):
                    self.failed.append(f"{query.name}: not found")
            except Exception as error:  # any kind is a search that failed
                self.failed.append(f"{query.name}: {error!r}")
            self.answered += 1

    def until_more(self, number: int = 20) -> None:
        """Wait until so many more were answered."""
        goal = self.answered + number
        wait_until(lambda: self.answered >= goal, lambda: f"{self.answered} of {goal} searches")

    def __enter__(self) -> Self:
        self._thread.start()
        self.until_more(1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()
        self._library.close()


def queries_of(pictures: Path) -> list[Path]:
    return sorted(pictures.iterdir())[::EVERY]


def test_a_node_is_killed_while_images_are_stored(
    cluster: ElasticsearchCluster, library: Facsimile, pictures: Path
) -> None:
    kill = Once(100, cluster.nodes[0].kill)
    tally = library.ingest(pictures, on_outcome=kill)
    assert kill.done
    assert (tally.added, tally.failed) == (PICTURES, 0)
    library.index.refresh()
    assert library.count() == PICTURES
    for query in queries_of(pictures):
        assert library.search(query)[0].record.source == str(query)


def test_nodes_leave_and_return_while_pictures_are_searched(
    cluster: ElasticsearchCluster,
    library: Facsimile,
    location: str,
    pictures: Path,
    settings: facsimile.Settings,
) -> None:
    library.ingest(pictures)
    library.index.refresh()
    with Searches(location, settings, queries_of(pictures)) as searches:
        for number, node in enumerate(cluster.nodes):  # a rolling restart, the last node by a crash
            if number == len(cluster.nodes) - 1:
                node.kill()
            else:
                node.stop()
            searches.until_more()
            node.start()
            cluster.until_green()
        searches.until_more()
    assert searches.failed == []
    assert library.count() == PICTURES


def test_a_node_is_killed_during_a_scan(
    cluster: ElasticsearchCluster, library: Facsimile, pictures: Path, tmp_path: Path
) -> None:
    works = tmp_path / "works"
    works.mkdir()
    for path in queries_of(pictures):
        Image.open(path).resize((200, 150)).save(works / f"{path.stem}.png")
    library.ingest(works, collection="works")
    kill = Once(2, cluster.nodes[1].kill)
    library.scan(pictures, catalogue="works", on_progress=kill)
    assert kill.done
    found = sorted(
        (Path(each.suspect.source).stem, Path(each.work.source).stem) for each in library.findings()
    )
    assert found == [(path.stem, path.stem) for path in queries_of(pictures)]


def test_a_node_is_killed_while_the_index_is_rebuilt(
    cluster: ElasticsearchCluster,
    library: Facsimile,
    location: str,
    pictures: Path,
    settings: facsimile.Settings,
) -> None:
    library.ingest(pictures)
    library.index.refresh()
    kill = Once(2, cluster.nodes[2].kill)
    with Searches(location, settings, queries_of(pictures)) as searches:
        info, _ = reindex(location, settings, panels=True, progress=kill)
        searches.until_more()
    assert kill.done
    assert info.count == PICTURES
    assert searches.failed == []
    with facsimile.open(location, create=False, settings=settings) as rebuilt:
        assert rebuilt.count() == PICTURES


def test_a_snapshot_brings_an_index_back(
    cluster: ElasticsearchCluster,
    library: Facsimile,
    location: str,
    name: str,
    pictures: Path,
    settings: facsimile.Settings,
) -> None:
    library.ingest(pictures, collection="works")
    library.scan(queries_of(pictures)[0], catalogue="works", name="daily")
    library.index.refresh()
    (finding,) = library.findings("daily")
    repository = {"type": "fs", "settings": {"location": str(cluster.snapshots)}}
    cluster.request("PUT", "_snapshot/daily", repository)
    made = cluster.request(
        "PUT",
        "_snapshot/daily/first?wait_for_completion=true",
        {"indices": f"{name}-v*,{name}@state-v*", "include_global_state": False},
    )
    assert made["snapshot"]["state"] == "SUCCESS"
    for index in made["snapshot"]["indices"]:
        cluster.request("DELETE", index)
    with pytest.raises(facsimile.errors.FacsimileError):
        facsimile.open(location, create=False, settings=settings).count()

    cluster.request(
        "POST", "_snapshot/daily/first/_restore?wait_for_completion=true", {"include_global_state": False}
    )
    with facsimile.open(location, create=False, settings=settings) as restored:
        assert restored.count(collection="works") == PICTURES
        for query in queries_of(pictures):
            assert restored.search(query)[0].record.source == str(query)
        assert [each.id for each in restored.findings("daily")] == [finding.id]
