"""Proofs in child processes are those of this process, and a child that dies is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import ImageOps

from facsimile.imaging.describe import describe
from facsimile.imaging.errors import FacsimileError
from facsimile.imaging.record import ImageRecord
from facsimile.search.duplicates.cluster import Cluster
from facsimile.search.duplicates.clustering import clusters
from facsimile.search.index.opening import create_index, signatures_of
from facsimile.search.proof_pool import WORTH, proof_pool
from tests.support.pictures import encoded, photograph
from tests.support.records import filled


def facts(cluster: Cluster) -> list[tuple[str, str]]:
    """The ids of a cluster, each with how it was proven."""
    return [(each.record.id, str(each.match and each.match.proof)) for each in cluster.members]


def test_two_processes_find_the_clusters_of_one(tmp_path: Path) -> None:
    pictures = {}
    for name in ("chelsea.png", "coffee.png", "rocket.jpg"):
        whole = photograph(name, 400)
        pictures[name] = whole
        pictures[f"{name} cropped"] = whole.crop((0, 0, whole.width * 3 // 4, whole.height * 3 // 4))
        pictures[f"{name} with a border"] = ImageOps.expand(whole, 40, "white")
    records = [
        ImageRecord.of(describe(encoded(picture)), id=name, collection="c", source=name)
        for name, picture in pictures.items()
    ]
    index = filled(create_index(str(tmp_path / "index"), signatures_of(None)), *records)
    with proof_pool(2, WORTH) as run:
        found = clusters(index, run=run)
    assert len(found) == 3
    assert list(map(facts, found)) == list(map(facts, clusters(index)))


def test_results_come_in_the_order_of_the_tasks() -> None:
    with proof_pool(2, WORTH) as run:
        assert list(run(pow, range(9), [2] * 9)) == [number**2 for number in range(9)]


def test_few_tasks_start_no_process() -> None:
    with proof_pool(2, WORTH - 1) as run:
        assert list(run(os.getpid)) == []
        assert list(run(lambda _: os.getpid(), [0])) == [os.getpid()]


def test_a_child_that_dies_is_a_clear_error() -> None:
    with (
        proof_pool(2, WORTH) as run,
        pytest.raises(FacsimileError, match="a process that compared images died"),
    ):
        list(run(os._exit, [1]))
