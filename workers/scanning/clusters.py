"""Clusters of findings that show the same edited copy of a work."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from facsimile.imaging.distance import hamming
from facsimile.imaging.record import Key
from facsimile.search.duplicates.disjoint_set import DisjointSet
from facsimile.workers.scanning.findings import Finding

#: largest Hamming distance of two suspects that are copies of one another, as in
#: `facsimile.search.duplicates.clustering`
RADIUS = 31

#: suspects whose distances to all others are computed at a time
_TOGETHER = 256


class Clusters:
    """Findings of one work whose suspects are copies of one another, and those of the same suspect."""

    def __init__(self) -> None:
        self._joined: DisjointSet[str] = DisjointSet()
        self._works: dict[Key, list[tuple[str, bytes]]] = {}
        self._suspects: dict[str, str] = {}

    def add(self, finding: Finding) -> None:
        """Add a finding; 32 bytes and its ids are kept in memory."""
        hash = bytes.fromhex(finding.suspect["hash"])
        self._works.setdefault(finding.work_key, []).append((finding.id, hash))
        first = self._suspects.setdefault(finding.suspect["sha256"], finding.id)
        self._joined.join(first, finding.id)

    def names(self) -> dict[str, str]:
        """The cluster of each finding that is not alone, named by the id of one of its findings."""
        for found in self._works.values():
            self._join_near([id for id, _ in found], [hash for _, hash in found])
        return {id: min(ids) for ids in self._joined.groups() if len(ids) > 1 for id in ids}

    def _join_near(self, ids: list[str], hashes: list[bytes]) -> None:
        bits: NDArray[np.uint8] = np.frombuffer(b"".join(hashes), np.uint8).reshape(len(hashes), -1)
        for start in range(0, len(ids), _TOGETHER):
            some = bits[start : start + _TOGETHER]
            near = hamming(some[:, None, :], bits[None, start:, :]) <= RADIUS
            for row, column in zip(*np.nonzero(np.triu(near, 1)), strict=True):
                self._joined.join(ids[start + int(row)], ids[start + int(column)])


def clusters(findings: Iterable[Finding]) -> dict[str, str]:
    """The cluster of each of the findings that is not alone (see `Clusters.names`)."""
    found = Clusters()
    for finding in findings:
        found.add(finding)
    return found.names()
